"""One connection of the pipeline, and the request that is on it."""

import asyncio
import select
import ssl
from asyncio import sslproto
from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httptools

from gateway.channels.base import WireReply, WireRequest
from gateway.wire.values import Callback, Error, WireResult

if TYPE_CHECKING:
    from gateway.wire.pipeline import Pipeline

sslproto.SSLProtocol.max_size = 16 << 10  # its read buffer: 256 KiB for each connection otherwise


class Job:
    """A request on its way. `until` bounds its present stage; `connection` is set once it is written. `first`: it overtakes others in a line."""

    __slots__ = ("callback", "connection", "done", "first", "leave_by", "message", "request", "until")

    def __init__(self, request: WireRequest, callback: Callback, until: float, leave_by: float, first: bool = False) -> None:
        self.request, self.callback, self.until, self.leave_by, self.first = request, callback, until, leave_by, first
        self.message = b""
        self.connection: Connection | None = None
        self.done = False


class Origin:
    """A scheme, host, port and guard: its idle connections, and the requests that wait for one.

    At least as many connections are being opened as requests wait, so one that fails can fail one request.
    """

    __slots__ = ("host", "idle", "lookup", "lookup_until", "opening", "port", "public_only", "tls", "waiting")

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, public_only: bool) -> None:
        self.host, self.port, self.tls, self.public_only = host, port, tls, public_only
        self.idle: dict[Connection, None] = {}  # the one used last is last
        self.waiting: deque[Job] = deque()
        self.opening = 0
        self.lookup: asyncio.Future[list[Any]] | None = None
        self.lookup_until = 0.0


class Connection(asyncio.BufferedProtocol):
    """One connection, one request at a time. The parser calls the on_ methods.

    All read into the pipeline's one buffer and empty it at once; a plain Protocol is given 256 KiB each time.
    """

    transport: asyncio.Transport

    def __init__(self, pipeline: "Pipeline", origin: Origin) -> None:
        self.pipeline, self.origin = pipeline, origin
        self.parser = httptools.HttpResponseParser(self)
        self.job: Job | None = None
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

    def write(self, job: Job) -> None:
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


def message_of(request: WireRequest) -> bytes:
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
