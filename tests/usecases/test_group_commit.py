"""Requests that wait share one transaction, and none of them pays for another's fault."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.usecases.group_commit import GroupCommit


class Book:
    """Writes what it is given; the first time it waits until it is let go, and it refuses what is bad."""

    def __init__(self, away: bool = False) -> None:
        self.together: list[list[str]] = []
        self.alone: list[str] = []
        self.begun, self.go = threading.Event(), threading.Event()
        self.away = away

    def write_together(self, items: Sequence[str]) -> None:
        self.together.append(list(items))
        self.begun.set()
        assert self.go.wait(10)
        if self.away or "bad" in items:
            raise ValueError("bad")

    def write_alone(self, item: str) -> None:
        if self.away or item == "bad":
            raise ValueError("bad")
        self.alone.append(item)


def add_all(book: Book, first: str, others: Sequence[str], most: int = 100) -> dict[str, str]:
    """Add one, the others while it is written, and let go; what each was told."""
    group = GroupCommit[str](book.write_together, book.write_alone, most)

    def add(item: str) -> str:
        try:
            group.add(item)
        except ValueError as error:
            return str(error)
        return "written"

    with ThreadPoolExecutor(1 + len(others)) as pool:
        told = {first: pool.submit(add, first)}
        assert book.begun.wait(10)
        told |= {item: pool.submit(add, item) for item in others}
        while len(group._waiting) < len(others):
            pass
        book.go.set()
        return {item: future.result(10) for item, future in told.items()}


def test_what_comes_while_one_is_written_is_written_together() -> None:
    book = Book()
    told = add_all(book, "first", ["a", "b", "c"])
    assert [len(batch) for batch in book.together] == [1, 3]
    assert set(told.values()) == {"written"}
    assert book.alone == []


def test_no_more_than_the_most_are_written_together() -> None:
    book = Book()
    told = add_all(book, "first", list("abcde"), most=2)
    assert [len(batch) for batch in book.together] == [1, 2, 2, 1]
    assert set(told.values()) == {"written"}


def test_a_bad_one_does_not_spoil_the_others() -> None:
    book = Book()
    told = add_all(book, "first", ["a", "bad", "c"])
    assert told == {"first": "written", "a": "written", "bad": "bad", "c": "written"}
    assert sorted(book.alone) == ["a", "c"]


@pytest.mark.parametrize("waiting", [[], ["a", "b"]])
def test_with_the_database_away_all_hear_of_it(waiting: list[str]) -> None:
    assert set(add_all(Book(away=True), "first", waiting).values()) == {"bad"}


def test_the_next_request_after_a_fault_is_written() -> None:
    book = Book()
    book.go.set()
    group = GroupCommit[str](book.write_together, book.write_alone)
    with pytest.raises(ValueError, match="bad"):
        group.add("bad")
    group.add("good")
    assert book.together == [["bad"], ["good"]]


def test_one_that_takes_long_alone_keeps_nobody_waiting() -> None:
    book, stuck = Book(), threading.Event()
    book.go.set()

    def write_alone(item: str) -> None:
        assert stuck.wait(10)

    group = GroupCommit[str](book.write_together, write_alone)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(group.add, "bad")
        pool.submit(group.add, "good").result(5)
        assert not slow.done()
        stuck.set()
        slow.result(5)
