"""What happens in the loop's thread: who waits, who is written to which connection, and what time runs out."""

import asyncio
import socket
import ssl
from collections import deque
from functools import partial
from urllib.parse import urlsplit

from gateway import log
from gateway.wire.connection import Connection, Job, Origin, message_of
from gateway.wire.values import Error, Limits, WireResult, awake_s, is_public, is_reachable


class Pipeline:
    """What happens in the loop's thread."""

    is_open = True

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits) -> None:
        self.loop, self.limits = loop, limits
        self.finished = 0
        self.buffer = memoryview(bytearray(64 << 10))
        self._line: deque[Job] = deque()
        self._open: set[Job] = set()
        self._origins: dict[tuple[str, str, bool], Origin] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._tls = ssl.create_default_context(cafile=limits.ca_file)

    def add(self, jobs: list[Job]) -> None:
        """Put requests in line."""
        self._line.extend(jobs)
        self._advance()

    def unfinished(self) -> list[Job]:
        """Every request without a result."""
        return [*self._open, *self._line]

    def _advance(self) -> None:
        """Start requests from the line while there is room."""
        while self._line and len(self._open) < self.limits.max_open:
            job = self._line.popleft()
            self._open.add(job)
            try:
                origin = self._origin(job.request.url, job.request.guarded or self.limits.public_only)
                job.message = message_of(job.request)
            except ValueError:
                self._settle(job, WireResult(None, "not_sent", "bad_request"))
            else:
                self._dispatch(job, origin)

    def _origin(self, url: str, public_only: bool) -> Origin:
        parts = urlsplit(url)
        key = parts.scheme, parts.netloc, public_only
        if key not in self._origins:
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("the address is neither http nor https")
            secure = parts.scheme == "https"
            port = parts.port or (443 if secure else 80)
            self._origins[key] = Origin(
                parts.hostname, port, self._tls if secure else None, public_only and parts.hostname not in self.limits.private_hosts
            )
        return self._origins[key]

    def _next(self, origin: Origin, to_leave: bool = True) -> Job | None:
        """The request that waits longest and, `to_leave`, may still do so."""
        while origin.waiting:
            job = origin.waiting.popleft()
            if not job.done and not (to_leave and self._is_too_late(job)):
                return job
        return None

    def _is_too_late(self, job: Job) -> bool:
        """Whether its time to leave is over; then it has its result."""
        if awake_s() > job.leave_by:
            self._give_up(job, "too_late")
        return job.done

    def _dispatch(self, job: Job, origin: Origin) -> None:
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

    async def _connect(self, origin: Origin) -> None:
        """Open a connection for the request that waits longest; a failure becomes that request's result."""
        try:
            async with asyncio.timeout(self.limits.connect_s):
                connection = await self._open_connection(origin)
        except (OSError, ValueError) as cause:
            origin.opening -= 1
            origin.lookup = None
            if job := self._next(origin, to_leave=False):
                self.finish(job, WireResult(None, "not_sent", _connect_error(cause)))
        else:
            origin.opening -= 1
            if job := self._next(origin):
                connection.write(job)
            else:
                self.release(connection)

    async def _open_connection(self, origin: Origin) -> "Connection":
        if origin.lookup is None or self.loop.time() > origin.lookup_until:
            ask = partial(socket.getaddrinfo, origin.host, origin.port, type=socket.SOCK_STREAM)
            origin.lookup = self.loop.run_in_executor(None, ask)
            origin.lookup_until = self.loop.time() + self.limits.resolve_s
        failure = OSError("no address")
        new, name = partial(Connection, self, origin), origin.host if origin.tls else None
        for *_, (ip, port, *_) in await asyncio.shield(origin.lookup):
            if not (is_public(ip) if origin.public_only else is_reachable(ip)):
                failure = NotPublic()
                continue
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

    def release(self, connection: "Connection") -> None:
        """Keep a connection that is ready for its next request, which may wait already."""
        connection.idle_since = self.loop.time()
        connection.origin.idle[connection] = None
        if job := self._next(connection.origin):
            self._dispatch(job, connection.origin)

    def finish(self, job: Job, result: WireResult) -> None:
        """Call back and let the next in line start."""
        self._settle(job, result)
        if self._line:
            self._advance()

    def _settle(self, job: Job, result: WireResult) -> None:
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

    def _give_up(self, job: Job, error: Error) -> None:
        if job.connection is not None:
            job.connection.transport.abort()
            job.connection.job = None
        self._settle(job, WireResult(None, "sent" if job.connection else "not_sent", error))

    async def stopped(self) -> None:
        """Return when nothing is being opened any more and cut connections are closed."""
        await asyncio.gather(*self._connecting, return_exceptions=True)
        await asyncio.sleep(0)


class NotPublic(OSError):
    """A name leads to an address that requests may not go to."""


def _connect_error(cause: Exception) -> Error:
    if isinstance(cause, NotPublic):
        return "private"
    if isinstance(cause, socket.gaierror):
        return "dns"
    if isinstance(cause, ssl.SSLError):
        return "tls"
    return "connect_timeout" if isinstance(cause, TimeoutError) else "connect"
