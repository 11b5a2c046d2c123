"""The fake carrier's HTTP side: a raw protocol, so that it can misbehave below HTTP, and fast."""

import asyncio
import json
import time
from base64 import b64decode
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

import httptools

from tests.carrier.callbacks import Callbacks
from tests.carrier.messages import Message, Messages, fault
from tests.carrier.scripts import Script, Scripts

_ANSWERS = {
    "html": b"<html><body>Service Unavailable</body></html>",
    "empty": b"",
    "wrong_json": b'["not", "a", "message"',
    "no_sid": b'{"status": "queued", "sid": null}',
}
_API = "/2010-04-01/Accounts/"


class Carrier:
    """The account: its messages, scripts, callbacks, and what to do with a request."""

    def __init__(
        self, auth_token: str, latency_ms: float, reports: tuple[str, ...], now_s: Callable[[], float] = time.time
    ) -> None:
        self.auth_token, self.latency_ms, self.reports, self.now_s = auth_token, latency_ms, reports, now_s
        self.messages = Messages()
        self.scripts = {"create": Scripts(), "list": Scripts()}
        self.callbacks = Callbacks(auth_token)
        self.control: Callable[[dict[str, Any]], Any] = lambda order: None
        self.buffer = memoryview(bytearray(64 << 10))  # of all its connections: it is emptied at once
        self.posts = 0  # requests to create that were read, accepted or not
        self.connections: set[Connection] = set()
        self._good: set[str] = set()  # Authorization headers that were checked

    def handle(
        self, connection: "Connection", method: str, url: str, authorization: str, body: bytes
    ) -> None:
        """Answer one request."""
        path, _, query = url.partition("?")
        if path == "/_control":
            connection.answer(200, self.control(json.loads(body)), 0)
            return
        account, _, rest = path.removeprefix(_API).partition("/")
        form = dict(_pair(pair) for pair in body.split(b"&")) if body else {}
        if not path.startswith(_API) or not self._is_authorised(authorization):
            connection.answer(401, _error(401, 20003), self.latency_ms)
        elif rest == "Messages.json" and method == "POST":
            self.create(connection, account, form)
        elif rest == "Messages.json" and method == "GET":
            self.list(connection, account, dict(parse_qsl(query)))
        else:
            self.one(connection, account, rest.removeprefix("Messages/").removesuffix(".json"), form)

    def _is_authorised(self, header: str) -> bool:
        if header in self._good:
            return True
        good = b64decode(header.removeprefix("Basic ")).decode().partition(":")[2] == self.auth_token
        if good:
            self._good.add(header)
        return good

    def create(self, connection: "Connection", account: str, form: dict[str, str]) -> None:
        """Create a message, as the script for it says."""
        self.posts += 1
        script = self.scripts["create"].choose(form.get("To", ""))
        if script.only_reused and not connection.served:
            script = Script()
        code = fault(form)
        if code is not None:
            connection.answer(400, _error(400, code), self.latency_ms)
            return
        message = self.messages.add(Message(account, form, now_s=self.now_s)) if script.accept else None
        statuses = self.reports if script.reports is None else script.reports
        if message is not None and script.report_first:
            task = self.callbacks.report_all(message, script, statuses)
            later = asyncio.get_running_loop().create_task(task)
            later.add_done_callback(lambda _: connection.follow(script, message, self.latency_ms))
            return
        if message is not None:
            self.callbacks.report(message, script, statuses)
        connection.follow(script, message, self.latency_ms)

    def list(self, connection: "Connection", account: str, query: dict[str, str]) -> None:
        """A page of messages; scripts can spoil it too."""
        script = self.scripts["list"].choose(query.get("To", ""))
        if script == Script():
            connection.answer(200, self.messages.page(account, query), self.latency_ms)
        else:
            connection.follow(script, None, self.latency_ms)

    def one(self, connection: "Connection", account: str, sid: str, form: dict[str, str]) -> None:
        """Fetch the account or a message, or blank a message's body."""
        message = self.messages.by_sid.get(sid)
        if message is None:
            known = sid == account + ".json" or not sid
            answer = {"sid": account, "status": "active"} if known else _error(404, 20404)
            connection.answer(200 if known else 404, answer, self.latency_ms)
            return
        message.body = form.get("Body", message.body)
        connection.answer(200, message.resource(), self.latency_ms)


class Connection(asyncio.BufferedProtocol):
    """One connection of a client. The parser calls the on_ methods."""

    transport: asyncio.Transport

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier
        self.parser = httptools.HttpRequestParser(self)
        self.served = 0  # answers given on this connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.carrier.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.carrier.connections.discard(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.carrier.buffer

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self.parser.feed_data(self.carrier.buffer[:nbytes])
        except httptools.HttpParserError:
            self.transport.abort()

    def on_message_begin(self) -> None:
        self.url, self.authorization, self.body = b"", "", b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"authorization":
            self.authorization = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        method = self.parser.get_method().decode()
        self.carrier.handle(self, method, self.url.decode(), self.authorization, self.body)

    def follow(self, script: Script, message: Message | None, latency_ms: float) -> None:
        """Answer as a script says."""
        delay_ms = latency_ms if script.delay_ms is None else script.delay_ms
        if script.end == "hang":
            return
        if script.end == "close":
            asyncio.get_running_loop().call_later(delay_ms / 1000, self.transport.close)
            return
        body: Any = _ANSWERS.get(script.answer)
        if body is None:
            well = message is not None and script.code is None
            body = message.resource() if message and well else _error(script.status, script.code or 20500)
        extra = f"Retry-After: {script.retry_after}\r\n" if script.retry_after is not None else ""
        self.answer(script.status, body, delay_ms, extra, script.end == "trickle")

    def answer(self, status: int, body: Any, delay_ms: float, extra: str = "", trickle: bool = False) -> None:
        """Write an answer after a delay; bytes as they are, anything else as JSON."""
        self.served += 1
        kind = "text/html" if isinstance(body, bytes) else "application/json"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n{extra}\r\n"
        data = head.encode() + content
        if trickle:
            asyncio.get_running_loop().create_task(self._trickle(data))
        elif delay_ms:
            asyncio.get_running_loop().call_later(delay_ms / 1000, self.transport.write, data)
        else:
            self.transport.write(data)

    async def _trickle(self, data: bytes) -> None:
        for byte in data:
            if self.transport.is_closing():
                return
            self.transport.write(bytes([byte]))
            await asyncio.sleep(0.05)


def _pair(pair: bytes) -> tuple[str, str]:
    """A field of a form; parse_qsl takes five times as long."""
    name, _, value = pair.replace(b"+", b" ").partition(b"=")
    return unquote_to_bytes(name).decode(), unquote_to_bytes(value).decode()


def _error(status: int, code: int) -> dict[str, Any]:
    info = f"https://www.twilio.com/docs/errors/{code}"
    return {"code": code, "message": f"error {code}", "more_info": info, "status": status}
