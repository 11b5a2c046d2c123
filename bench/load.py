"""Posts signed requests to a server, so many at once, and tells how fast and how late they were answered."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from gateway.channels.base import WireRequest
from gateway.wire import Wire, WireResult


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it."""

    rate: float
    p50_ms: float
    p99_ms: float
    failed: int


def twilio_post(url: str, form: dict[str, str], validator: RequestValidator) -> WireRequest:
    """A callback as Twilio posts and signs it."""
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": validator.compute_signature(url, form),
    }
    return WireRequest("POST", url, headers, urlencode(form).encode())


def run(requests: Sequence[WireRequest], at_once: int = 32) -> Load:
    """Post them all, `at_once` open at a time; each waits for nothing but its turn."""
    wire = Wire(max_open=at_once, connect_s=30).start()
    left = iter(requests)
    took: list[float] = []
    failed, done = [0], threading.Event()
    waiting = [len(requests)]

    def post(request: WireRequest) -> None:
        began = time.perf_counter()

        def answered(result: WireResult) -> None:
            took.append(time.perf_counter() - began)
            failed[0] += result.reply is None or not 200 <= result.reply.status < 300
            waiting[0] -= 1
            following = next(left, None)
            if following is not None:
                post(following)
            elif waiting[0] == 0:
                done.set()

        wire.submit(request, answered)

    began = time.perf_counter()
    for _ in range(at_once):
        if (first := next(left, None)) is not None:
            post(first)
    done.wait(300)
    seconds = time.perf_counter() - began
    wire.close()
    took.sort()
    return Load(len(took) / seconds, took[len(took) // 2] * 1000, took[int(len(took) * 0.99)] * 1000, failed[0])
