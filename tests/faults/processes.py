"""The gateway's own processes, started as the Procfile does, stopped and killed by real signals."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "web": ("gateway", "web"),
    "send": ("workers.main", "send"),
    "clock": ("workers.clock",),
}
OTHERS = {"lines": ("workers.lines",)}
"""What `restore` neither starts nor keeps."""
READY = {"send": '"event": "sending"', "clock": '"event": "leading"', "lines": '"event": "holding"'}


def until(check: Callable[[], object], within_s: float = 30, what: str = "it") -> float:
    """Wait for a condition; the seconds it took. Fails with `what` when it does not come in time."""
    began = time.monotonic()
    while not check():
        waited = time.monotonic() - began
        if waited > within_s:
            raise AssertionError(f"{what} did not happen within {within_s:g} s")
        time.sleep(min(0.02 + waited / 20, 0.2))  # a look costs what is waited for its time on a busy machine
    return time.monotonic() - began


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(slots=True)
class Running:
    """One started process; all it says is in `log`."""

    child: subprocess.Popen[bytes]
    log: Path
    is_unusual: bool


class Processes:
    """Web, send and clock by name; "send-2" is a second send worker beside the first."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self.environ, self.folder = environ, folder
        self._running: dict[str, Running] = {}
        self._started = 0

    def start(self, name: str, wait: bool = True, skew_s: float = 0, **changed: str) -> int:
        """Start one, with settings `changed`, and wait until it is ready (a second clock never leads: wait=False); its pid.

        `skew_s`: its machine's clock is so much ahead.
        """
        assert name not in self._running, f"{name} runs already"
        self._started += 1
        skewed = ("tests.faults.skewed", str(skew_s)) if skew_s else ()
        log = self.folder / f"{self._started:03d}-{name}.log"
        with log.open("wb") as out:
            child = subprocess.Popen(
                [sys.executable, "-m", *skewed, *(COMMANDS | OTHERS)[name.partition("-")[0]]], env={**self.environ, **changed}, cwd=ROOT,
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self._running[name] = Running(child, log, bool(changed or skewed))
        if wait:
            self.wait_ready(name)
        return child.pid

    def wait_ready(self, name: str) -> None:
        """Wait until a started process does its work."""
        running = self._running[name]
        until(lambda: running.child.poll() is not None or self.is_ready(name), 60, f"the start of {name}")
        assert running.child.poll() is None, f"{name} ended: {running.log.read_text()[-2000:]}"

    def is_ready(self, name: str) -> bool:
        """Whether a started process does its work; of a clock: whether it leads."""
        word = READY.get(name.partition("-")[0])
        return word in self._running[name].log.read_text() if word else self._answers()

    def _answers(self) -> bool:
        try:
            self.health()
        except OSError:
            return False
        return True

    def pid(self, name: str) -> int:
        return self._running[name].child.pid

    def runs(self, name: str) -> bool:
        """Whether it was started and lives."""
        return name in self._running and self._running[name].child.poll() is None

    def kill(self, name: str) -> None:
        """kill -9, to the process itself and what it started."""
        self._end(name, signal.SIGKILL)

    def stop(self, name: str) -> float:
        """SIGTERM, as a deploy does; the seconds until it has ended. One that does not end in 30 s fails the test."""
        began = time.monotonic()
        self._end(name, signal.SIGTERM)
        return time.monotonic() - began

    def wait_ended(self, name: str) -> None:
        """Wait until one that was told to has ended."""
        self._running.pop(name).child.wait(30)

    def send_signal(self, name: str, how: signal.Signals) -> None:
        """Any other signal, to the process itself."""
        os.kill(self.pid(name), how)

    def _end(self, name: str, how: signal.Signals) -> None:
        running = self._running.pop(name)
        assert running.child.poll() is None, f"{name} had ended by itself: {running.log.read_text()[-2000:]}"
        if how == signal.SIGKILL:
            os.killpg(running.child.pid, how)
        else:
            running.child.send_signal(how)
        try:
            running.child.wait(30)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.child.pid, signal.SIGKILL)

    def restore(self) -> None:
        """The three usual ones with their usual settings, and no others."""
        for name, running in list(self._running.items()):
            if running.child.poll() is None:
                os.kill(running.child.pid, signal.SIGCONT)  # a case that failed may have left it standing
            if name not in COMMANDS or running.is_unusual:
                self.kill(name)
        missing = [name for name in COMMANDS if name not in self._running]
        for name in missing:
            self.start(name, wait=False)
        for name in missing:
            self.wait_ready(name)

    def fallen(self) -> dict[str, int]:
        """Those that ended without being asked to, with their exit codes."""
        ended = {name: running.child.poll() for name, running in self._running.items()}
        return {name: code for name, code in ended.items() if code is not None}

    def kill_all(self) -> None:
        """End what still runs."""
        for name in list(self._running):
            if self._running[name].child.poll() is None:
                self.kill(name)

    def log(self, name: str) -> str:
        """All that the process running under this name has said."""
        return self._running[name].log.read_text(errors="replace")

    def logs(self) -> str:
        """All that any process ever said, each line behind the name of its file."""
        return "\n".join(
            f"{path.name}: {line}" for path in sorted(self.folder.glob("*.log"))
            for line in path.read_text(errors="replace").splitlines()
        )  # fmt: skip

    @property
    def url(self) -> str:
        """The web process's address."""
        return f"http://127.0.0.1:{self.environ['GATEWAY_PORT']}"

    def health(self) -> str:
        """The body of /health. Raises OSError while nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=10) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()
