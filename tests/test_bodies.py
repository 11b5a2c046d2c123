"""Requests are read whole before they take one of the places in which they are answered."""

import threading
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import bodies
from gateway.bodies import Bodies, Places

MOST, LARGE = 100, 1000
Answer = tuple[str, bytes]


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [environ["CONTENT_LENGTH"].encode(), b":", environ["wsgi.input"].read()]


class Trickle(BytesIO):
    """A body that does not come before it may."""

    def __init__(self, body: bytes, may: threading.Event) -> None:
        super().__init__(body)
        self._may = may

    def read(self, size: int | None = -1) -> bytes:
        self._may.wait(10)
        return super().read(size)


def ask(app: Bodies, body: BytesIO, path: str = "/c/1/inbound", **environ: str) -> Answer:
    told: list[str] = []
    said = b"".join(app({"PATH_INFO": path, "wsgi.input": body, **environ}, lambda status, _: told.append(status)))
    return told[0], said


def test_a_body_is_handed_on_as_it_came() -> None:
    app = Bodies(echo, 1, MOST, {})
    assert ask(app, BytesIO(b"Body=x"), CONTENT_LENGTH="6") == ("200 OK", b"6:Body=x")
    assert ask(app, BytesIO(b"Body=x"), HTTP_TRANSFER_ENCODING="chunked") == ("200 OK", b"6:Body=x")


@given(st.binary(max_size=MOST), st.integers(1, 50))
@settings(max_examples=50)
def test_a_body_that_ends_before_its_length_is_answered_by_nobody_else(body: bytes, missing: int) -> None:
    def never(_: object, __: object) -> Iterable[bytes]:
        raise AssertionError

    length = min(len(body) + missing, MOST)
    if length > len(body):
        assert ask(Bodies(never, 1, MOST, {}), BytesIO(body), CONTENT_LENGTH=str(length))[0].startswith("408")


def test_a_body_without_a_length_that_took_long_may_have_been_cut_off_by_us() -> None:
    class Late(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            threading.Event().wait(bodies.HURRIED_SECONDS + 0.1)
            return super().read(size)

    assert ask(Bodies(echo, 1, MOST, {}), Late(b"Body=I will not ST"), HTTP_TRANSFER_ENCODING="chunked")[0].startswith("408")


def test_what_is_too_large_is_not_read_and_the_application_says_so() -> None:
    app = Bodies(echo, 1, MOST, {"/imports/": LARGE})
    assert ask(app, BytesIO(b"x" * 101), CONTENT_LENGTH="101") == ("200 OK", b"101:")
    assert ask(app, BytesIO(b"x" * 200), HTTP_TRANSFER_ENCODING="chunked") == ("200 OK", b"101:" + b"x" * 101)
    assert ask(app, BytesIO(b"x" * 101), "/imports/", CONTENT_LENGTH="101") == ("200 OK", b"101:" + b"x" * 101)
    assert ask(app, BytesIO(b"x" * 101), "/imports", CONTENT_LENGTH="101") == ("200 OK", b"101:" + b"x" * 101)
    assert ask(app, BytesIO(b"x" * 1001), "/imports/", CONTENT_LENGTH="1001") == ("200 OK", b"1001:")


def test_few_large_bodies_are_read_at_a_time_and_the_small_go_past_them() -> None:
    app, may = Bodies(echo, 1, MOST, {"/imports/": LARGE}), threading.Event()
    large = {"path": "/imports/", "CONTENT_LENGTH": "500"}
    answers: list[Answer] = []
    waiting = [
        threading.Thread(target=lambda: answers.append(ask(app, Trickle(b"x" * 500, may), **large))) for _ in range(bodies.LARGE_AT_ONCE)
    ]
    for each in waiting:
        each.start()
    try:
        assert ask(app, BytesIO(b"x" * 500), **large)[0].startswith("503")
        assert ask(app, BytesIO(b"Body=x"), CONTENT_LENGTH="6") == ("200 OK", b"6:Body=x")
    finally:
        may.set()
        for each in waiting:
            each.join()
    assert [status for status, _ in answers] == ["200 OK"] * bodies.LARGE_AT_ONCE


def test_as_many_work_at_a_time_as_there_are_places_and_one_that_leaves_makes_room() -> None:
    working, most, lock = 0, 0, threading.Lock()
    leaves, others = threading.Event(), threading.Event()

    def work(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        nonlocal working, most
        if environ["PATH_INFO"] == "/waits":
            environ[bodies.LEAVE]()
            environ[bodies.LEAVE]()  # once is enough
            leaves.set()
            others.wait(10)
        else:
            with lock:
                working += 1
                most = max(most, working)
            others.wait(0.01)
            with lock:
                working -= 1
        start_response("200 OK", [])
        return [b""]

    app = Bodies(work, 2, MOST, {})
    threads = [threading.Thread(target=ask, args=(app, BytesIO(), "/waits")) for _ in range(5)]
    threads += [threading.Thread(target=ask, args=(app, BytesIO())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads[5:]:
        thread.join(10)
    assert leaves.is_set() and not any(thread.is_alive() for thread in threads[5:])
    others.set()
    assert most == 2


def test_whoever_came_first_gets_the_next_place() -> None:
    places, order = Places(1), []
    places.enter()

    def go_in(number: int) -> None:
        places.enter()
        order.append(number)
        places.leave()

    threads = []
    for number in range(10):
        threads.append(threading.Thread(target=go_in, args=(number,)))
        threads[-1].start()
        while len(places._waiting) <= number:
            pass
    places.leave()
    for thread in threads:
        thread.join()
    assert order == list(range(10))
