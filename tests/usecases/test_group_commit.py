"""Requests that wait share one transaction, and none of them pays for another's fault."""

import threading
from collections.abc import Sequence

import pytest
from sqlalchemy.exc import OperationalError

from gateway.usecases.group_commit import GroupCommit


class Lost(Exception):
    """As psycopg says that the server is gone: without a state."""

    sqlstate = None


class Deadlock(Exception):
    """As psycopg says that two transactions waited for each other."""

    sqlstate = "40P01"


class Book:
    """Takes what it is given; the first writing waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.begun, self.go = threading.Event(), threading.Event()
        self.faults: list[Exception] = []

    def write(self, items: Sequence[str]) -> None:
        self.batches.append(list(items))
        self.begun.set()
        assert self.go.wait(10)
        if self.faults:
            raise self.faults.pop(0)
        if "bad" in items:
            raise ValueError("bad")


def add_all(book: Book, first: str, others: Sequence[str], most: int = 100) -> dict[str, str]:
    """Add one, the others while it is written, and let go; what each was told."""
    group = GroupCommit[str](book.write, most)
    told: dict[str, str] = {}

    def add(item: str) -> None:
        try:
            group.add(item)
            told[item] = "written"
        except Exception as error:
            told[item] = type(error).__name__

    threads = [threading.Thread(target=add, args=(item,)) for item in (first, *others)]
    threads[0].start()
    assert book.begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(group._waiting) < len(others):
        pass
    book.go.set()
    for thread in threads:
        thread.join(10)
    return told


def test_what_comes_while_one_is_written_is_written_together() -> None:
    book = Book()
    told = add_all(book, "first", ["a", "b", "c"])
    assert [len(batch) for batch in book.batches] == [1, 3]
    assert told == dict.fromkeys(["first", "a", "b", "c"], "written")


def test_no_more_than_the_most_are_written_together() -> None:
    book = Book()
    told = add_all(book, "first", list("abcde"), most=2)
    assert [len(batch) for batch in book.batches] == [1, 2, 2, 1]
    assert set(told.values()) == {"written"}


def test_a_bad_one_does_not_spoil_the_others() -> None:
    book = Book()
    told = add_all(book, "first", ["a", "bad", "c"])
    assert told == {"first": "written", "a": "written", "bad": "ValueError", "c": "written"}


def test_what_met_a_deadlock_is_written_at_the_second_try() -> None:
    book = Book()
    book.faults = [OperationalError("", None, Deadlock())]
    assert add_all(book, "first", ["a"]) == {"first": "written", "a": "written"}


@pytest.mark.parametrize("waiting", [[], ["a", "b"]])
def test_with_the_database_away_all_hear_of_it_at_once(waiting: list[str]) -> None:
    book = Book()
    book.faults = [OperationalError("", None, Lost()) for _ in range(2)]
    told = add_all(book, "first", waiting)
    assert told == dict.fromkeys(["first", *waiting], "OperationalError")
    assert len(book.batches) == 1 + bool(waiting)


def test_the_next_request_after_a_fault_is_written() -> None:
    book = Book()
    book.go.set()
    group = GroupCommit[str](book.write)
    with pytest.raises(ValueError, match="bad"):
        group.add("bad")
    group.add("good")
    assert book.batches == [["bad"], ["good"]]
