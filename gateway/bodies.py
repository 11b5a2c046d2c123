"""A request takes one of the places in which requests are answered once its body is there: whoever sends slowly waits outside.

Granian reads a body in the thread that answers, without a deadline (https://github.com/emmett-framework/granian/issues/728).
So it has a thread for every connection, cheap while it waits, of which `places` work at a time.
"""

import os
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from gateway import log

LEAVE = "gateway.leave"
"""In a request's environ: gives its place to the next before it is answered. It then waits for others, and works no more."""
SECONDS = 10.0
"""How long a body may take."""
MANY, HURRIED_SECONDS = 128, 1.0
"""When so many bodies are being read, none may take longer than this."""
LARGE_AT_ONCE, LARGE_SECONDS = 4, 600.0
"""Bodies of lists that staff bring in: they have their time, and cannot fill the memory."""

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Places:
    """So many are in at a time; whoever came first goes in first."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._waiting: deque[threading.Lock] = deque()
        self._lock = threading.Lock()

    def enter(self) -> None:
        """Return once there is a place."""
        with self._lock:
            if self._free:
                self._free -= 1
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        mine.acquire()

    def leave(self) -> None:
        """Give the place to who waits longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1


class Bodies:
    """The application, which gets requests whole. A body has `most` bytes, or what `large` says of its path."""

    def __init__(self, app: App, places: int, most: int, large: Mapping[str, int]) -> None:
        self._app, self._places, self._most = app, Places(places), most
        self._large = {path.rstrip("/"): size for path, size in large.items()}
        self._large_ones = threading.Semaphore(LARGE_AT_ONCE)
        self._reading: dict[int, _Read] = {}  # by thread

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length, most = _length(environ), self._large.get(environ["PATH_INFO"].rstrip("/"), self._most)
        if length > most:
            environ["wsgi.input"] = BytesIO()  # the application says that it is too large
        elif length > self._most:
            if not self._large_ones.acquire(blocking=False):
                return _refused(start_response, "503 Service Unavailable")
            try:
                return self._answer_whole(environ, start_response, length)
            finally:
                self._large_ones.release()
        elif length or environ.get("HTTP_TRANSFER_ENCODING"):
            return self._answer_whole(environ, start_response, length)
        return self._answer(environ, start_response)

    def start(self, port: int) -> None:
        """From now on hang up on who sends too slowly to this port; in a thread of its own, for as long as the process lives."""
        threading.Thread(target=self._watch, args=(port,), name="bodies", daemon=True).start()

    def _answer_whole(self, environ: dict[str, Any], start_response: Callable[..., Any], length: int) -> Iterable[bytes]:
        me, began = threading.get_ident(), time.monotonic()
        self._reading[me] = _Read(began, environ.get("REMOTE_ADDR", ""), length > self._most)
        try:
            body = environ["wsgi.input"].read(length or self._most + 1)
        finally:
            del self._reading[me]
        # It ended in the middle: Granian does not say so. Without a length only we know that we hung up.
        if len(body) < length or not length and time.monotonic() - began > HURRIED_SECONDS:
            log.warning("body_cut_off")
            return _refused(start_response, "408 Request Timeout")
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        return self._answer(environ, start_response)

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        place = _Place(self._places)
        environ[LEAVE] = place.leave
        try:
            return self._app(environ, start_response)
        finally:
            place.leave()

    def _watch(self, port: int) -> None:
        watched = _Watched(port)
        while True:
            time.sleep(HURRIED_SECONDS)
            try:
                self._hang_up(watched)
            except Exception as error:  # no file to be had just now: it is looked again
                log.error("slow_bodies_not_seen", error)

    def _hang_up(self, watched: "_Watched") -> None:
        found = list(self._reading.values())
        if not found:
            watched.forget()
            return
        hurried, late = len(found) >= MANY, []
        for is_large, seconds, most in (
            (False, HURRIED_SECONDS if hurried else SECONDS, 2 * self._most), (True, LARGE_SECONDS, None),
        ):  # fmt: skip
            addresses = {each.address for each in found if each.is_large is is_large and time.monotonic() - each.since > seconds}
            late += [_Late(addresses, seconds, most)] if addresses else []
        hung_up = watched.hang_up(late)
        if late:
            log.warning("slow_bodies", hung_up=hung_up)


@dataclass(frozen=True, slots=True)
class _Read:
    """A body that is being read: since when, where from."""

    since: float
    address: str
    is_large: bool


@dataclass(frozen=True, slots=True)
class _Late:
    """Where bodies come from that take longer than so many seconds, and how many bytes of them there can be (None: any)."""

    addresses: set[str]
    seconds: float
    most: int | None


class _Place:
    """A place that is left once, whoever says so."""

    def __init__(self, places: Places) -> None:
        self._places, self._left = places, False
        places.enter()

    def leave(self) -> None:
        if not self._left:
            self._left = True
            self._places.leave()


def _length(environ: Mapping[str, Any]) -> int:
    try:
        return int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _refused(start_response: Callable[..., Any], status: str) -> list[bytes]:
    start_response(status, [("Content-Type", "text/plain"), ("Connection", "close"), ("Retry-After", "5")])
    return [b"try again\n"]


class _Watched:
    """The connections to our port while bodies are read, and what each had brought before the body that it brings now.

    Granian does not say which connection a request came by, and closes idle ones itself. Linux only: elsewhere a slow body
    keeps its thread.
    """

    def __init__(self, port: int) -> None:
        self._port, self._before = port, dict[Any, int]()
        self._looked = time.monotonic()

    def forget(self) -> None:
        """No body is read just now."""
        self._before, self._looked = {}, time.monotonic()

    def hang_up(self, late: Sequence[_Late]) -> int:
        """Read no more from connections of late addresses that were told nothing for so long; how many there were.

        What brought more than `most` since it was told something may be a large body.
        """
        ended, before, since, self._looked = 0, self._before, time.monotonic() - self._looked, time.monotonic()
        self._before = {}
        for fd in Path("/proc/self/fd").glob("*"):
            with suppress(OSError):
                if not str(fd.readlink()).startswith("socket:"):
                    continue
                with socket.socket(fileno=os.dup(int(fd.name))) as end:
                    if end.family not in (socket.AF_INET, socket.AF_INET6) or end.getsockname()[1] != self._port:
                        continue
                    peer, (silent_s, came) = end.getpeername(), _traffic(end)
                    mine = self._before[peer] = before.get(peer, came) if silent_s > since else came
                    if any(peer[0] in each.addresses and silent_s > each.seconds and (each.most is None or came - mine <= each.most) for each in late):
                        end.shutdown(socket.SHUT_RD)
                        ended += 1
        return ended


def _traffic(end: socket.socket) -> tuple[float, int]:
    """For how many seconds a connection was told nothing, and how many bytes it brought; as if it were told just now where nobody says."""
    told: bytes = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)  # struct tcp_info: last_data_sent in ms, bytes_received
    if len(told) < 136:
        return 0, 0
    return struct.unpack_from("I", told, 44)[0] / 1000, struct.unpack_from("Q", told, 128)[0]
