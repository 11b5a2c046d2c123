"""Copies of what is being written just now share its outcome, whatever it is."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from gateway.usecases import crowd
from gateway.usecases.crowd import Copies, Crowded


class Slowly:
    """A writing that lasts until it is let go; how often it was begun, and how many copies left their places."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.begun, self.left, self.let_go, self._fails = 0, 0, threading.Event(), fails

    def write(self) -> None:
        self.begun += 1
        assert self.let_go.wait(10)
        if self._fails is not None:
            raise self._fails

    def leave(self) -> None:
        self.left += 1


def all_at_once(copies: Copies, slowly: Slowly, number: int) -> list[Future[None]]:
    with ThreadPoolExecutor(number) as threads:
        asked = [threads.submit(copies.once, "this text", slowly.write, slowly.leave) for _ in range(number)]
        until = time.monotonic() + 10
        while slowly.left + sum(each.done() for each in asked) < number - 1 and time.monotonic() < until:
            time.sleep(0.01)
        slowly.let_go.set()
    return asked


def test_copies_of_what_is_being_written_are_not_written_and_wait_until_it_is() -> None:
    slowly = Slowly()
    asked = all_at_once(Copies(), slowly, 20)
    assert [each.exception() for each in asked] == [None] * 20
    assert (slowly.begun, slowly.left) == (1, 19)


def test_what_was_written_before_is_written_again_and_another_text_beside_it() -> None:
    copies, slowly = Copies(), Slowly()
    slowly.let_go.set()
    for what in ("this text", "this text", "another"):
        copies.once(what, slowly.write, slowly.leave)
    assert (slowly.begun, slowly.left, copies._writing) == (3, 0, {})


@pytest.mark.parametrize("error", [OSError("the disk is full"), Crowded()])
def test_a_writing_that_fails_fails_for_its_copies_and_the_next_tries_anew(error: Exception) -> None:
    copies, slowly = Copies(), Slowly(error)
    asked = all_at_once(copies, slowly, 5)
    assert [each.exception() for each in asked] == [error] * 5
    with pytest.raises(type(error)):
        copies.once("this text", slowly.write, slowly.leave)
    assert slowly.begun == 2


def test_more_copies_than_may_wait_are_to_come_again() -> None:
    slowly = Slowly()
    asked = all_at_once(Copies(), slowly, crowd.COPIES_WAITING + 11)
    refused = [each.exception() for each in asked if each.exception() is not None]
    assert {type(each) for each in refused} == {Crowded}
    assert (slowly.begun, len(refused)) == (1, 10)
