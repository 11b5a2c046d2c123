"""The one HTTP pipeline: many requests open at once, each written at most once.

An event loop in a thread of its own keeps connections alive and matches answers to requests. A request is
written to one connection in one piece and never again: if that connection dies, the result says "sent", and
whether the carrier has the message is for reconciliation to find out. No retry, no redirect, no proxy.

    submit -> in line (max_open reached) -> waiting for a connection -> written -> answered
              '------------- "not_sent" after connect_s ------------'   '- "sent" after read_s
"""

import asyncio
import resource
import select
import socket
import ssl
import threading
import time
from asyncio import sslproto
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import httptools

from gateway import log
from gateway.channels.base import Phase, WireReply, WireRequest
from gateway.domain.errors import GatewayError

sslproto.SSLProtocol.max_size = 16 << 10  # its read buffer: 256 KiB for each connection otherwise

T = TypeVar("T")
Error = Literal[
    "bad_request", "dns", "connect", "tls", "connect_timeout",  # not_sent
    "timeout", "closed", "malformed", "too_large",  # sent
    "shutdown",  # either
]  # fmt: skip


class WireClosed(GatewayError):
    """The pipeline was closed; nothing of what was just submitted is sent."""


@dataclass(frozen=True, slots=True)
class WireResult:
    """How far a request came. Only "not_sent" says that no byte of it left."""

    reply: WireReply | None
    phase: Phase
    error: Error | None = None


Callback = Callable[[WireResult], None]


def awake_s() -> float:
    """Seconds on a clock that nobody sets and that goes on while the machine sleeps, where the system has one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_open` bounds the requests, and so the connections, in flight.

    The first byte of a request leaves within `connect_s` of its submission (or `since`) or never, even if this process
    stood still meanwhile: by then others may have taken it for dead. The whole answer must be there `read_s` after
    that, however it trickles. `ca_file` stands in for the system's certificates.
    """

    max_open: int = 2000
    connect_s: float = 5
    read_s: float = 30
    idle_s: float = 20
    resolve_s: float = 30
    max_reply_bytes: int = 4 << 20
    ca_file: str | None = None

    @property
    def tick_s(self) -> float:
        """How often the time-outs are looked at."""
        return min(0.25, self.connect_s / 4, self.read_s / 4)


class Wire:
    """Runs requests in a thread of its own: start() it, and close() it at the end.

    The arguments are those of Limits. Raises OSError when `ca_file` cannot be read.
    """

    def __init__(self, max_open: int = 2000, connect_s: float = 5, read_s: float = 30, **limits: Any) -> None:
        self._limits = Limits(_room_for(max_open), connect_s, read_s, **limits)
        self._loop = asyncio.new_event_loop()
        self._pipeline = _Pipeline(self._loop, self._limits)
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)
        self._lock = threading.Lock()
        self._inbox: list[_Job] = []
        self._submitted = 0
        self._closed = False

    def start(self) -> "Wire":
        """Start the thread; itself, for chaining."""
        self._thread.start()
        return self

    def submit(self, request: WireRequest, callback: Callback) -> None:
        """Send one request; see submit_many."""
        self.submit_many([(request, callback)])

    def submit_many(self, pairs: Iterable[tuple[WireRequest, Callback]], since: float | None = None) -> None:
        """Send requests; each callback is called exactly once, by close() at the latest.

        It is called in the pipeline's thread and must be quick. Requests beyond free() wait in line. `since` is when
        the right to send them was taken, by `awake_s`; now unless given. Raises WireClosed, and then sends none.
        """
        until = time.monotonic() + self._limits.connect_s
        leave_by = (awake_s() if since is None else since) + self._limits.connect_s
        jobs = [_Job(request, callback, until, leave_by) for request, callback in pairs]
        with self._lock:
            if self._closed:
                raise WireClosed("The pipeline to the carriers is closed; nothing was sent.")
            if jobs and not self._inbox:
                self._loop.call_soon_threadsafe(self._take)
            self._inbox += jobs
            self._submitted += len(jobs)

    def call(self, request: WireRequest) -> WireResult:
        """Send one request and wait for its result. Not from a callback: it would wait for itself."""
        result: Future[WireResult] = Future()
        self.submit(request, result.set_result)
        return result.result()

    def free(self) -> int:
        """How many more requests can be open at once; below zero when some wait in line."""
        return self._limits.max_open - self._unfinished()

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


class _Job:
    """A request on its way. `until` bounds its present stage; `connection` is set once it is written."""

    __slots__ = ("callback", "connection", "done", "leave_by", "message", "request", "until")

    def __init__(self, request: WireRequest, callback: Callback, until: float, leave_by: float) -> None:
        self.request, self.callback, self.until, self.leave_by = request, callback, until, leave_by
        self.message = b""
        self.connection: _Connection | None = None
        self.done = False


class _Origin:
    """A scheme, host and port: its idle connections, and the requests that wait for one.

    At least as many connections are being opened as requests wait, so one that fails can fail one request.
    """

    __slots__ = ("host", "idle", "lookup", "lookup_until", "opening", "port", "tls", "waiting")

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self.host, self.port, self.tls = host, port, tls
        self.idle: dict[_Connection, None] = {}  # the one used last is last
        self.waiting: deque[_Job] = deque()
        self.opening = 0
        self.lookup: asyncio.Future[list[Any]] | None = None
        self.lookup_until = 0.0


class _Pipeline:
    """What happens in the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits) -> None:
        self.loop, self.limits = loop, limits
        self.finished = 0
        self.buffer = memoryview(bytearray(64 << 10))
        self._line: deque[_Job] = deque()
        self._open: set[_Job] = set()
        self._origins: dict[tuple[str, str], _Origin] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._tls = ssl.create_default_context(cafile=limits.ca_file)

    def add(self, jobs: list[_Job]) -> None:
        """Put requests in line."""
        self._line.extend(jobs)
        self._advance()

    def unfinished(self) -> list[_Job]:
        """Every request without a result."""
        return [*self._open, *self._line]

    def _advance(self) -> None:
        """Start requests from the line while there is room."""
        while self._line and len(self._open) < self.limits.max_open:
            job = self._line.popleft()
            self._open.add(job)
            try:
                origin = self._origin(job.request.url)
                job.message = _message(job.request)
            except ValueError:
                self._settle(job, WireResult(None, "not_sent", "bad_request"))
            else:
                self._dispatch(job, origin)

    def _origin(self, url: str) -> _Origin:
        parts = urlsplit(url)
        key = parts.scheme, parts.netloc
        if key not in self._origins:
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("the address is neither http nor https")
            secure = parts.scheme == "https"
            port = parts.port or (443 if secure else 80)
            self._origins[key] = _Origin(parts.hostname, port, self._tls if secure else None)
        return self._origins[key]

    def _next(self, origin: _Origin) -> _Job | None:
        """The request that waits longest and may still leave."""
        while origin.waiting:
            job = origin.waiting.popleft()
            if not job.done and not self._is_too_late(job):
                return job
        return None

    def _is_too_late(self, job: _Job) -> bool:
        """Whether its time to leave is over; then it has its result."""
        if awake_s() > job.leave_by:
            self._give_up(job, "connect_timeout")
        return job.done

    def _dispatch(self, job: _Job, origin: _Origin) -> None:
        if self._is_too_late(job):
            return
        while origin.idle:
            connection, _ = origin.idle.popitem()
            if connection.is_quiet():
                connection.write(job)
                return
            connection.transport.abort()
        origin.waiting.append(job)
        if origin.opening < len(origin.waiting):
            origin.opening += 1
            task = self.loop.create_task(self._connect(origin))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, origin: _Origin) -> None:
        """Open a connection for the request that waits longest; a failure becomes that request's result."""
        try:
            async with asyncio.timeout(self.limits.connect_s):
                connection = await self._open_connection(origin)
        except (OSError, ValueError) as cause:
            origin.opening -= 1
            origin.lookup = None
            if job := self._next(origin):
                self.finish(job, WireResult(None, "not_sent", _connect_error(cause)))
        else:
            origin.opening -= 1
            if job := self._next(origin):
                connection.write(job)
            else:
                self.release(connection)

    async def _open_connection(self, origin: _Origin) -> "_Connection":
        if origin.lookup is None or self.loop.time() > origin.lookup_until:
            ask = partial(socket.getaddrinfo, origin.host, origin.port, type=socket.SOCK_STREAM)
            origin.lookup = self.loop.run_in_executor(None, ask)
            origin.lookup_until = self.loop.time() + self.limits.resolve_s
        failure = OSError("no address")
        new, name = partial(_Connection, self, origin), origin.host if origin.tls else None
        for *_, (ip, port, *_) in await asyncio.shield(origin.lookup):
            try:
                _, connection = await self.loop.create_connection(
                    new, ip, port, ssl=origin.tls, server_hostname=name
                )
            except OSError as cause:
                failure = cause
            else:
                if not connection.transport.is_closing():
                    return connection
        raise failure

    def release(self, connection: "_Connection") -> None:
        """Keep a connection that is ready for its next request, which may wait already."""
        connection.idle_since = self.loop.time()
        connection.origin.idle[connection] = None
        if job := self._next(connection.origin):
            self._dispatch(job, connection.origin)

    def finish(self, job: _Job, result: WireResult) -> None:
        """Call back and let the next in line start."""
        self._settle(job, result)
        if self._line:
            self._advance()

    def _settle(self, job: _Job, result: WireResult) -> None:
        job.done = True
        self._open.discard(job)
        try:
            job.callback(result)
        except Exception as cause:
            log.error("wire_callback_failed", cause)
        self.finished += 1

    def tick(self) -> None:
        """All time-outs: a look at everything open a few times a second, no timer for each request."""
        now = self.loop.time()
        for job in [job for job in self._open if job.until < now]:
            self._give_up(job, "timeout" if job.connection else "connect_timeout")
        while self._line and self._line[0].until < now:
            self._give_up(self._line.popleft(), "connect_timeout")
        for origin in self._origins.values():
            for connection in [idle for idle in origin.idle if idle.idle_since + self.limits.idle_s < now]:
                del origin.idle[connection]
                connection.transport.close()
        self._advance()
        self.loop.call_later(self.limits.tick_s, self.tick)

    def abandon(self) -> None:
        """Give every request its result and cut every connection."""
        for task in self._connecting:
            task.cancel()
        self._line, line = deque(), self._line
        for job in [*self._open, *line]:
            self._give_up(job, "shutdown")
        for origin in self._origins.values():
            if origin.lookup is not None:
                origin.lookup.cancel()
            for connection in list(origin.idle):
                connection.transport.abort()

    def _give_up(self, job: _Job, error: Error) -> None:
        if job.connection is not None:
            job.connection.transport.abort()
            job.connection.job = None
        self._settle(job, WireResult(None, "sent" if job.connection else "not_sent", error))

    async def stopped(self) -> None:
        """Return when nothing is being opened any more and cut connections are closed."""
        await asyncio.gather(*self._connecting, return_exceptions=True)
        await asyncio.sleep(0)


class _Connection(asyncio.BufferedProtocol):
    """One connection, one request at a time. The parser calls the on_ methods.

    All read into the pipeline's one buffer and empty it at once; a plain Protocol is given 256 KiB each time.
    """

    transport: asyncio.Transport

    def __init__(self, pipeline: _Pipeline, origin: _Origin) -> None:
        self.pipeline, self.origin = pipeline, origin
        self.parser = httptools.HttpResponseParser(self)
        self.job: _Job | None = None
        self.idle_since = 0.0
        self._readable = select.poll()
        self._clear()

    def _clear(self) -> None:
        self.received = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: list[bytes] = []
        self.has_head = False
        self.reply: WireReply | None = None
        self.reusable = False

    def write(self, job: _Job) -> None:
        """Write a request in one piece. From here on it counts as sent."""
        self._clear()
        self.job, job.connection = job, self
        job.until = self.pipeline.loop.time() + self.pipeline.limits.read_s
        self.transport.write(job.message)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._readable.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def is_quiet(self) -> bool:
        """Whether the other side has neither closed it nor said something unasked, even just now."""
        return not self.transport.is_closing() and not self._readable.poll(0)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.pipeline.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received += nbytes
        error: Error | None = "too_large" if self.received > self.pipeline.limits.max_reply_bytes else None
        try:
            self.parser.feed_data(self.pipeline.buffer[:nbytes])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            error, self.reusable = "malformed", False
        if self.job is None:  # nobody asked: it must not become the answer to the next request
            self.transport.abort()
        elif self.reply is not None:
            self._finish(WireResult(self.reply, "answered"))
        elif error is not None:
            self._finish(WireResult(None, "sent", error))

    def connection_lost(self, error: Exception | None) -> None:
        self.origin.idle.pop(self, None)
        if self.job is None:
            return
        if (
            error is None and self.has_head and not self._is_framed()
        ):  # such a body ends where the connection does
            self._finish(WireResult(self._read(), "answered"))
        else:
            self._finish(WireResult(None, "sent", "closed"))

    def _finish(self, result: WireResult) -> None:
        job, self.job = self.job, None
        if self.reusable and not self.transport.is_closing() and not self.transport.get_write_buffer_size():
            self.pipeline.release(self)
        else:
            self.transport.abort()
        if job is not None:
            self.pipeline.finish(job, result)

    def _is_framed(self) -> bool:
        return any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self.headers)

    def _read(self) -> WireReply:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.headers}
        return WireReply(self.parser.get_status_code(), headers, b"".join(self.body))

    def on_message_begin(self) -> None:
        self.reusable = False  # set again by the end of the answer, unless a second one follows it

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        if self.reply is None and self.parser.get_status_code() >= 200:
            self.reply = self._read()
            self.reusable = self.parser.should_keep_alive()
        else:  # 1xx comes before the answer
            self.headers, self.body, self.has_head = [], [], False


def _room_for(connections: int) -> int:
    """Raise this process's limit of open files for them; how many it lets be open."""
    others = 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < connections + others:
        soft = connections + others if hard < 0 else min(connections + others, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft < 0 else max(1, min(connections, soft - others))


def _message(request: WireRequest) -> bytes:
    """The bytes of a request. Raises ValueError for what would not arrive as it was meant."""
    parts = urlsplit(request.url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    head = [f"{request.method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    head += [f"{name}: {value}" for name, value in request.headers.items()]
    if request.body or request.method != "GET":
        head.append(f"Content-Length: {len(request.body)}")
    if not "".join(head).isprintable() or head[0].count(" ") != 2 or "@" in parts.netloc:
        raise ValueError("an address or header holds a line break, a space or a password")
    return "\r\n".join(head).encode("ascii") + b"\r\n\r\n" + request.body


def _connect_error(cause: Exception) -> Error:
    if isinstance(cause, socket.gaierror):
        return "dns"
    if isinstance(cause, ssl.SSLError):
        return "tls"
    return "connect_timeout" if isinstance(cause, TimeoutError) else "connect"
