"""`make bench-ussd`: dialogues by USSD, so many phones at once, each turn committed before its screen; turns a second and how late."""

import argparse
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlencode

from bench import ground
from bench.inbound import free_port, wait_listening
from gateway.channels.base import WireRequest
from gateway.wire import Wire, WireResult

SECRET = "q7TqYw2nB5mZx0LkVd9sRfAa"
# What is pressed in turn: look around, ask for services, read the help, hang up; one in `PERSONAL` takes a PIN instead.
WALKS = (["7", "0", "3", "5", "0", "0"], ["3", "98", "0", "1", "0"], ["5", "0", "7", "0", "3"], ["7", "0", "4"])
PERSONAL = 10


class Dialogues:
    """Phones that dial one after the other; each posts its next step when it has its screen."""

    def __init__(self, url: str, count: int, people: int, at_once: int) -> None:
        self.url, self.took, self.ended = url, list[float](), 0
        self.kinds: dict[str, int] = {}
        self._left, self._at_once, self._lock = iter(range(count)), at_once, threading.Lock()
        self._people, self._done, self._open = people, threading.Event(), at_once
        self._wire = Wire(max_open=at_once, connect_s=30).start()

    def run(self) -> float:
        """Walk them all; seconds."""
        began = time.perf_counter()
        for _ in range(self._at_once):
            self._next()
        self._done.wait(300)
        seconds = time.perf_counter() - began
        self._wire.close()
        return seconds

    def _next(self) -> None:
        with self._lock:
            number = next(self._left, None)
            self._open -= number is None
            if self._open == 0:
                self._done.set()
        if number is not None:
            self._post(number, _steps(number))

    def _post(self, number: int, steps: Iterator[str]) -> None:
        text = next(steps, None)
        if text is None:
            return self._next()
        form = {"sessionId": f"S{number}", "serviceCode": "*123#", "phoneNumber": ground.number(number % self._people), "text": text}
        request = WireRequest("POST", self.url, {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(form).encode())
        began = time.perf_counter()

        def answered(result: WireResult) -> None:
            self.took.append(time.perf_counter() - began)
            said = result.reply.body[:3].decode() if result.reply is not None and result.reply.status == 200 else "failed"
            said = "late" if result.reply is not None and b"later" in result.reply.body else said
            self.kinds[said] = self.kinds.get(said, 0) + 1
            self._post(number, steps)

        self._wire.submit(request, answered)


def _steps(number: int) -> Iterator[str]:
    walk = ["1", "1357", "1357", "0"] if number % PERSONAL == 0 else WALKS[number % len(WALKS)]
    return iter(["", *("*".join(walk[:length]) for length in range(1, len(walk) + 1))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2_000, help="dialogues")
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--at-once", type=int, default=32)
    given = parser.parse_args()
    port = free_port()
    with ground.ground(GATEWAY_PUBLIC_URL=f"http://127.0.0.1:{port}") as here:
        _, channel_id, _ = ground.people(here, given.people, "africastalking", {"secret": SECRET})
        with ground.process(here, "-m", "gateway", "web", GATEWAY_PORT=str(port), GATEWAY_WEB_WORKERS="2") as web:
            wait_listening(port)
            url = f"http://127.0.0.1:{port}/c/{channel_id}/ussd?key={SECRET}"
            Dialogues(url, 64, given.people, 8).run()
            pids = (web.pid, here.postgres_pid())
            before = [ground.cpu_seconds(pid) for pid in pids]
            did = Dialogues(url, given.count + 64, given.people, given.at_once)
            seconds = did.run()
            web_cpu, postgres_cpu = (ground.cpu_seconds(pid) - then for pid, then in zip(pids, before, strict=True))
    took = sorted(did.took)
    print(
        f"USSD: {len(took) / seconds:,.0f} turns/s at {given.at_once} dialogues at once, p50 {took[len(took) // 2] * 1000:.1f} ms, "
        f"p99 {took[int(len(took) * 0.99)] * 1000:.1f} ms, CPU-s per 1,000 turns: {web_cpu / len(took) * 1000:.2f} web, {postgres_cpu / len(took) * 1000:.2f} PostgreSQL; "
        f"{', '.join(f'{count} {said}' for said, count in sorted(did.kinds.items()))}"
    )


if __name__ == "__main__":
    main()
