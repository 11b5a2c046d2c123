"""The send worker and the clock in processes of their own that work when they are told to: `python -m tests.year.crew send`.

What they run is the workers' own: the worker and its ears for the bell, the clock's list of tasks. An order is a line on
standard input, the answer a line of JSON on standard output. `Hand` is the other end: it starts one, and kills it.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.ground import cpu_seconds
from gateway import log, parts
from gateway.config import Settings
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import send_due
from gateway.usecases.send_due import Sender
from gateway.wire import Wire
from workers import clock, jobs
from workers.main import Worker

ROOT = Path(__file__).parents[2]
QUIET_S = 60
SETTLE_AGAIN_S = 0.005
TASKS_AT_ONCE = 3  # of the clock, where each has a thread of its own
# What only counts for the pages, tidies, or has nothing to do here is not done at each look: a look is seconds after the one before.
HOURS = {
    "figures": 168, "campaigns": 24, "quiet": 24, "zones": 24, "limits": 24, "menus": 24, "groups": 24, "parts": 24,
    "imports": 6, "exports": 6, "approve": 6, "rehearse": 6, "backfill": 6, "redact": 6,
}  # fmt: skip


class _Watched(Sender):
    """A sender of which it is known whether anybody (the bell, we) is at work with it."""

    def __init__(self, worker: Worker) -> None:
        gateway = worker.gateway
        super().__init__(gateway.engine, gateway.vault, worker.wire, worker.recorder, gateway.settings.public_url)
        self._at_work, self._lock = 0, threading.Lock()

    def due(self, channel_id: UUID) -> int:
        with self._lock:
            self._at_work += 1
        try:
            return super().due(channel_id)
        finally:
            with self._lock:
                self._at_work -= 1

    @property
    def rests(self) -> bool:
        return self._at_work == 0


def _send(settings: Settings) -> Callable[[], dict[str, Any]]:
    """Send all that is due now, and write what became of it."""
    worker = Worker(settings)
    sender = _Watched(worker)
    jobs.serve(sender)
    worker.listen(threading.Event())
    engine = worker.gateway.engine

    def work() -> dict[str, Any]:
        sent, until, fruitless = 0, time.monotonic() + QUIET_S, 0
        while time.monotonic() < until:
            due = send_due.poll(engine)
            handed = sum(sender.due(channel_id) for channel_id in due)
            sent += handed
            worker.wire.drain(QUIET_S)
            worker.recorder.flush()
            fruitless = 0 if handed else fruitless + 1
            if sender.rests and (not due or fruitless > 20):
                return {"sent": sent}
            if not handed:
                time.sleep(SETTLE_AGAIN_S)
        raise TimeoutError("sending does not come to rest")

    return work


def _clock(settings: Settings) -> Callable[[], dict[str, Any]]:
    """Run the clock's tasks whose time has come, beside each other as in the clock, each until it finds nothing more."""
    gateway = parts.build(settings, pool_size=8)
    wire = Wire(max_open=100, connect_s=settings.connect_timeout_seconds, read_s=settings.read_timeout_seconds).start()
    tasks = clock.tasks(gateway, settings, wire, parts.second_way(settings))
    last: dict[str, float] = {}
    threads = ThreadPoolExecutor(TASKS_AT_ONCE)

    def run(task: clock.Task) -> float:
        began = time.monotonic()
        try:
            while task.run():
                pass
        except Exception as error:  # as in the clock: logged, and tried again at the next look
            log.error("task_failed", error, task=task.name)
        return time.monotonic() - began

    def work() -> dict[str, Any]:
        with unit_of_work(gateway.engine, SYSTEM) as opened:
            now_s = opened.now.timestamp()
        due = [task for task in tasks if now_s - last.get(task.name, 0) >= max(task.every_seconds, HOURS.get(task.name, 0) * 3600)]
        last.update((task.name, now_s) for task in due)
        return dict(zip((task.name for task in due), threads.map(run, due), strict=True))

    return work


def main(role: str) -> None:
    log.process = role
    work = {"send": _send, "clock": _clock}[role](Settings.from_env(os.environ))
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(work()), flush=True)


class Hand:
    """One such process. `begin` and `wait` are an order and its answer; `kill` is kill -9, after which another takes over."""

    def __init__(self, role: str, environ: Mapping[str, str], log_path: Path) -> None:
        self.role, self._environ, self._log_path = role, environ, log_path
        self._spent_s = 0.0
        self._child = self._start()
        self._answer()

    def _start(self) -> "subprocess.Popen[str]":
        with self._log_path.open("a") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.year.crew", self.role], env=dict(self._environ), cwd=ROOT, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, start_new_session=True,  # Ctrl-C is for the simulation
            )  # fmt: skip

    def cpu_seconds(self) -> float:
        """What it and those before it used."""
        return self._spent_s + cpu_seconds(self._child.pid)

    def begin(self) -> None:
        """Let it work on what is due now."""
        assert self._child.stdin is not None
        self._child.stdin.write("\n")
        self._child.stdin.flush()

    def wait(self) -> dict[str, Any]:
        """Its answer, when it has come to rest."""
        return self._answer()

    def kill(self) -> None:
        """kill -9, whatever it is doing; another one is there when this returns."""
        self._spent_s += cpu_seconds(self._child.pid)
        self.close()
        self._child = self._start()
        self._answer()

    def close(self) -> None:
        self._child.kill()
        self._child.wait()

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.role} ended by itself: {self._log_path.read_text()[-2000:]}")
        return dict(json.loads(line))


if __name__ == "__main__":
    main(sys.argv[1])
