"""Posts to the web process, byte for byte as a test writes them, and proxies that stand before it."""

import http.client
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote_from_bytes, urlsplit

from twilio.request_validator import RequestValidator

from gateway.channels import base

FORM = "application/x-www-form-urlencoded"
Headers = Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class Post:
    """A request and what it came to."""

    url: str
    body: bytes
    headers: Headers
    status: int = 0
    answer: str = ""


def post(url: str, body: bytes, headers: Headers, to: str | None = None) -> Post:
    """Post to a URL; `to` is where it is knocked at, when that is not the URL's own host."""
    parts, door = urlsplit(url), urlsplit(to or url)
    if door.scheme == "https":
        context = ssl._create_unverified_context()  # the proxies' certificates vouch for themselves
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(door.netloc, timeout=20, context=context)
    else:
        connection = http.client.HTTPConnection(door.netloc, timeout=20)
    connection.putrequest("POST", parts.path + (f"?{parts.query}" if parts.query else ""), skip_host=True, skip_accept_encoding=True)
    if not any(name.lower() == "host" for name, _ in headers):
        connection.putheader("Host", parts.netloc)
    for name, value in (*headers, ("Content-Length", str(len(body)))):
        connection.putheader(name, value)
    connection.endheaders(body)
    with connection.getresponse() as reply:
        answered = Post(url, body, headers, reply.status, reply.read().decode("utf-8", "replace"))
    connection.close()
    return answered


def form(fields: Mapping[str, str | bytes]) -> bytes:
    """Fields as a form's body; bytes go as they are, whatever encoding they lack."""
    return b"&".join(
        f"{name}={quote_from_bytes(value if isinstance(value, bytes) else value.encode())}".encode() for name, value in fields.items()
    )


def sign(url: str, body: bytes, token: str = "token") -> str:
    """The carrier's signature of a form post."""
    fields = base.read_form(body, errors="replace")
    return str(RequestValidator(token).compute_signature(url, {name: values[0] for name, values in fields.items()}))


def signed(url: str, body: bytes, token: str = "token") -> Headers:
    """The headers of a good form post."""
    return [("Content-Type", FORM), ("X-Twilio-Signature", sign(url, body, token))]


def signed_json(url: str, body: bytes, token: str = "token") -> tuple[str, Headers]:
    """The address and headers of a good JSON post: the body's hash is in the address, and the address is signed."""
    url = f"{url}?bodySHA256={sha256(body).hexdigest()}"
    return url, [("Content-Type", "application/json"), ("X-Twilio-Signature", str(RequestValidator(token).compute_signature(url, {})))]


def text_in(sender: str, to: str, body: str | bytes, sid: str, **more: str) -> bytes:
    """A client's text as the carrier posts it."""
    return form({"MessageSid": sid, "AccountSid": "AC" + "0" * 32, "From": sender, "To": to, "Body": body, "NumMedia": "0", **more})


@contextmanager
def proxy(upstream: str, tls: ssl.SSLContext | None = None, **added: str) -> Iterator[str]:
    """A reverse proxy before `upstream` until the block ends: its address. `added` headers go in, as a proxy's do."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            kept = [(name, value) for name, value in self.headers.items() if name.lower() not in ("content-length", "host", "connection")]
            extra = {"Host": urlsplit(upstream).netloc, "X-Forwarded-For": "192.0.2.1", **{n.replace("_", "-"): v for n, v in added.items()}}
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = post(upstream + self.path, body, [*kept, *extra.items()])
            answer = reply.answer.encode()
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
