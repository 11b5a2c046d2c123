"""What the suite in test_conformance.py must be told of a carrier, and a far side that plays it over HTTP.

Each `tests/channels/test_<kind>.py` has one description, named CARRIER.
"""

import importlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from gateway.channels import registry
from gateway.channels.base import CallbackRequest, Outcome, Reason, Settings, State, WireReply, WireRequest

TOKEN = "0b1f3a52-6c1e-4a57-9a0f-6f1f6b7d2c11"
CARRIER_ID = "9f3c01aa-0001"
PHONE, OURS = "+84912345678", "+84900000001"


@dataclass(frozen=True)
class Carrier:
    """One carrier, by samples as it really sends them. What its capabilities exclude is left out.

    posted      a callback with a good signature or secret: of these settings, what ("inbound", "report", "ussd"), body, raw query
    ussd        the body in which it says what was typed: session, phone, text
    text        body and query of a text that came in: its id, the sender's phone, the text
    report      body and query of a report: our token, the carrier's word for a state
    states      the carrier's words and our states
    unknown     a word it might have tomorrow
    reads       recipient and text, as the carrier reads them in our request
    accepted    its answer to a text it takes, with CARRIER_ID as its id where the carrier makes ids
    refusals    its other answers and what they mean
    never       outcomes it has no word for, and why
    signs_body  False: it proves who it is by a secret alone, so that an altered body is not seen
    at          the settings with the carrier at this address
    """

    settings: Settings
    posted: Callable[[Settings, str, bytes, str], CallbackRequest]
    ussd: Callable[[str, str, str], bytes] | None = None
    text: Callable[[str, str, str], tuple[bytes, str]] | None = None
    report: Callable[[str, str], tuple[bytes, str]] | None = None
    states: Mapping[str, State] = field(default_factory=dict)
    unknown: str = "eaten"
    reads: Callable[[WireRequest], tuple[str, str]] | None = None
    accepted: WireReply | None = None
    refusals: Sequence[tuple[WireReply, Reason]] = ()
    never: Mapping[Outcome, str] = field(default_factory=dict)
    signs_body: bool = True
    at: Callable[[Settings, str], Settings] = lambda settings, url: {**settings, "base_url": url}


def post(settings: Settings, what: str, body: bytes, query: str = "", **headers: str) -> CallbackRequest:
    """A callback to the channel's address; `content_type=…` is the header content-type."""
    url = f"{settings['callback_url']}/{what}" + (f"?{query}" if query else "")
    return CallbackRequest(url, urlsplit(url).path, query, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def described() -> dict[str, Carrier]:
    """The carriers that have a description, by kind."""
    files = {kind: f"test_{kind}" for kind in registry.kinds() if (Path(__file__).parent / f"test_{kind}.py").exists()}
    found = {kind: getattr(importlib.import_module(f"tests.channels.{file}"), "CARRIER", None) for kind, file in files.items()}
    return {kind: carrier for kind, carrier in found.items() if carrier is not None}


class FarSide(ThreadingHTTPServer):
    """The carrier's end of an HTTP connection: gives `answer` to everything, or takes it and never says a word."""

    def __init__(self, answer: WireReply | None) -> None:
        super().__init__(("127.0.0.1", 0), _Taker)
        self.url, self.answer, self.taken = f"http://127.0.0.1:{self.server_port}", answer, list[WireRequest]()
        self.over = threading.Event()


class _Taker(BaseHTTPRequestHandler):
    server: FarSide

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.taken.append(WireRequest(self.command, self.server.url + self.path, dict(self.headers), body))
        answer = self.server.answer
        if answer is None:
            self.server.over.wait(20)
            return
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        """Nothing of a text goes to the terminal."""


@contextmanager
def far_side(answer: WireReply | None) -> Iterator[FarSide]:
    """A carrier on loopback until the block ends."""
    with FarSide(answer) as carrier:
        threading.Thread(target=carrier.serve_forever, args=(0.02,), daemon=True).start()
        yield carrier
        carrier.over.set()
        carrier.shutdown()
