"""The one HTTP pipeline: many requests open at once, each written at most once.

An event loop in a thread of its own keeps connections alive and matches answers to requests. A request is
written to one connection in one piece and never again: if that connection dies, the result says "sent", and
whether the carrier has the message is for reconciliation to find out. No retry, no redirect, no proxy.

    submit -> in line (max_open reached) -> waiting for a connection -> written -> answered
              '------------- "not_sent" after connect_s ------------'   '- "sent" after read_s
"""

import asyncio
import resource
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from gateway.channels.base import WireRequest
from gateway.wire.connection import Job
from gateway.wire.pipeline import Pipeline
from gateway.wire.values import Callback, Error, Limits, WireClosed, WireResult, awake_s

__all__ = ["Error", "Limits", "Wire", "WireClosed", "WireResult", "awake_s"]

T = TypeVar("T")


class Road(Protocol):
    """What carries requests, in the loop's thread: `Pipeline` over HTTP, or a line held open (`smpp`, `files`)."""

    finished: int
    """How many of the requests that were put in line have their result."""

    @property
    def is_open(self) -> bool:
        """Whether requests could leave now; read from any thread."""

    def add(self, jobs: list[Job]) -> None:
        """Put requests in line."""

    def unfinished(self) -> list[Job]:
        """Every request without a result."""

    def tick(self) -> None:
        """Begin, and look at the time-outs again and again."""

    def abandon(self) -> None:
        """Give every request its result and cut every connection."""

    async def stopped(self) -> None:
        """Return when what was cut is closed."""


class Wire:
    """Runs requests in a thread of its own: start() it, and close() it at the end.

    The arguments are those of Limits; `over` makes what carries them. Raises OSError when `ca_file` cannot be read.
    """

    def __init__(
        self, max_open: int = 2000, connect_s: float = 5, read_s: float = 30, *,
        over: Callable[[asyncio.AbstractEventLoop, Limits], Road] = Pipeline, **limits: Any,
    ) -> None:  # fmt: skip
        self._limits = Limits(_room_for(max_open), connect_s, read_s, **limits)
        self._loop = asyncio.new_event_loop()
        self._pipeline = over(self._loop, self._limits)
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)
        self._lock = threading.Lock()
        self._inbox: list[Job] = []
        self._submitted = 0
        self._closed = False

    def start(self) -> "Wire":
        """Start the thread; itself, for chaining."""
        self._thread.start()
        return self

    def submit(self, request: WireRequest, callback: Callback) -> None:
        """Send one request; see submit_many."""
        self.submit_many([(request, callback)])

    def submit_many(self, pairs: Iterable[tuple[WireRequest, Callback]], since: float | None = None, first: bool = False) -> None:
        """Send requests; each callback is called exactly once, by close() at the latest.

        It is called in the pipeline's thread and must be quick. Requests beyond free() wait in line. `since` is when
        the right to send them was taken, by `awake_s`; now unless given. `first`: in a line held open they overtake others that are
        not. Raises WireClosed, and then sends none.
        """
        until = time.monotonic() + self._limits.connect_s
        leave_by = (awake_s() if since is None else since) + self._limits.connect_s
        jobs = [Job(request, callback, until, leave_by, first) for request, callback in pairs]
        with self._lock:
            if self._closed:
                raise WireClosed("The pipeline to the carriers is closed; nothing was sent.")
            if jobs and not self._inbox:
                self._loop.call_soon_threadsafe(self._take)
            self._inbox += jobs
            self._submitted += len(jobs)

    def call(self, request: WireRequest) -> WireResult:
        """Send one request and wait for its result; see call_all."""
        return self.call_all([request])[0]

    def call_all(self, requests: Iterable[WireRequest]) -> list[WireResult]:
        """Send requests beside each other and wait for their results. Not from a callback: it would wait for itself."""
        asked = [(request, Future[WireResult]()) for request in requests]
        self.submit_many((request, result.set_result) for request, result in asked)
        return [result.result() for _, result in asked]

    def free(self) -> int:
        """How many more requests can be open at once; below zero when some wait in line, none while a line is not open."""
        return self._limits.max_open - self._unfinished() if self._pipeline.is_open else 0

    @property
    def is_open(self) -> bool:
        """Whether requests could leave now."""
        return self._pipeline.is_open

    def drain(self, timeout_s: float) -> list[WireRequest]:
        """Wait until every request has its result; those still without one after `timeout_s`."""
        until = time.monotonic() + timeout_s
        while self._unfinished() and time.monotonic() < until:
            time.sleep(0.005)
        return self._in_loop(lambda: [job.request for job in self._pipeline.unfinished()])

    def close(self) -> None:
        """Cut every connection and end the thread; a request without a result gets "not_sent" or "sent"."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._thread.ident is None:
            self._thread.start()
        self._in_loop(self._take)
        self._in_loop(self._pipeline.abandon)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _unfinished(self) -> int:
        return self._submitted - self._pipeline.finished

    def _run(self) -> None:
        self._pipeline.tick()
        self._loop.run_forever()
        self._loop.run_until_complete(self._pipeline.stopped())
        self._loop.close()

    def _take(self) -> None:
        with self._lock:
            jobs, self._inbox = self._inbox, []
        self._pipeline.add(jobs)

    def _in_loop(self, call: Callable[[], T]) -> T:
        """What `call` returns, run in the pipeline's thread."""
        result: Future[T] = Future()
        self._loop.call_soon_threadsafe(lambda: result.set_result(call()))
        return result.result()


def _room_for(connections: int) -> int:
    """Raise this process's limit of open files for them; how many it lets be open."""
    others = 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < connections + others:
        soft = connections + others if hard < 0 else min(connections + others, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft < 0 else max(1, min(connections, soft - others))
