"""Runs the processes of the Procfile on one machine: starts them, keeps them running, stops them together.

Each runs in a session of its own, so Ctrl-C reaches this process alone and the order of the end is ours: SIGTERM to
all, some seconds for them to finish what they have begun, SIGKILL for the rest.
"""

import fcntl
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from gateway.domain.errors import Refused
from gateway.embedded.runner import command_line

DRAIN_SECONDS = 8.5
"""A worker drains for 8 s and then writes down what it learnt; with the servers' end all stays under 10 s."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
STEADY_AFTER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Process:
    """A line of the Procfile."""

    name: str
    command: tuple[str, ...]


def parse(procfile: str) -> list[Process]:
    """The lines `name: command`; a leading `python` becomes the interpreter that runs this. Raises Refused."""
    processes = []
    for line in procfile.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, command = line.partition(":")
        words = shlex.split(command)
        if not (colon and name.strip().isidentifier() and words):
            raise Refused("Procfile: {line!r} is not `name: command`", line=line)
        words[0] = sys.executable if words[0] == "python" else words[0]
        processes.append(Process(name.strip(), tuple(words)))
    return processes


def run(
    processes: Sequence[Process],
    environ: Mapping[str, str],
    pid_file: Path,
    out: IO[str],
    every_second: Callable[[], None] = lambda: None,
    drain_seconds: float = DRAIN_SECONDS,
) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP, then stop everything; a second signal does not wait for the draining.

    A process that ends is started again, after a pause that doubles from half a second to half a minute. Call it from
    the main thread. Raises Refused when another one runs with the same `pid_file`.
    """
    with pid_file.open("a+") as pids:
        try:
            fcntl.flock(pids, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused("The gateway already runs here ({pid_file} is locked): stop it first", pid_file=pid_file) from None
        _end_leftovers(pids)
        crew = _Crew(environ, pids, out)
        before = {name: signal.signal(name, crew.on_signal) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        threads = [threading.Thread(target=crew.keep, args=(process,)) for process in processes]
        try:
            for thread in threads:
                thread.start()
            while not crew.stopping.wait(1):
                every_second()
        finally:
            crew.stop(drain_seconds)
            for thread in threads:
                thread.join()
            for name, handler in before.items():
                signal.signal(name, handler)
            pids.truncate(0)


@dataclass(slots=True)
class _Crew:
    environ: Mapping[str, str]
    pids: IO[str]
    out: IO[str]
    stopping: threading.Event = field(default_factory=threading.Event)
    at_once: threading.Event = field(default_factory=threading.Event)
    children: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def on_signal(self, *_: object) -> None:
        """Stop; asked again, stop at once."""
        (self.at_once if self.stopping.is_set() else self.stopping).set()

    def keep(self, process: Process) -> None:
        """Start the process, and again whenever it ends, until we are stopping."""
        pause = FIRST_PAUSE_SECONDS
        while (child := self.launch(process)) is not None:
            began = time.monotonic()
            code = child.wait()
            _signal_group(child, signal.SIGKILL)  # a worker of its own that it left behind may hold its port
            if self.stopping.is_set():
                return
            steady = time.monotonic() - began > STEADY_AFTER_SECONDS
            pause = FIRST_PAUSE_SECONDS if steady else pause
            self.say(process.name, f"ended with {code}; starts again in {pause:g} s")
            self.stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def launch(self, process: Process) -> subprocess.Popen[str] | None:
        """Start it and pass on what it says; None when we are stopping."""
        with self.lock:
            if self.stopping.is_set():
                return None
            child = subprocess.Popen(
                process.command, env=dict(self.environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, start_new_session=True, text=True, errors="replace",
            )  # fmt: skip
            self.children[process.name] = child
            self.pids.write(f"{child.pid}\t{' '.join(process.command)}\n")
            self.pids.flush()
        threading.Thread(target=self.pass_on, args=(process.name, child), daemon=True).start()
        return child

    def pass_on(self, name: str, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        with child.stdout:
            for line in child.stdout:
                self.say(name, line.rstrip("\n"))

    def say(self, name: str, line: str) -> None:
        """One line, behind the name of who says it. A terminal that is gone is no reason to stop."""
        with suppress(OSError, ValueError):
            self.out.write(f"{name:<6}| {line}\n")
            self.out.flush()

    def stop(self, drain_seconds: float) -> None:
        """SIGTERM to the processes themselves, then, after the draining, SIGKILL to them and all they started."""
        with self.lock:
            self.stopping.set()
        for child in self.children.values():
            with suppress(ProcessLookupError):
                child.terminate()
        deadline = time.monotonic() + drain_seconds
        while any(child.poll() is None for child in self.children.values()) and not self.at_once.wait(0.05):
            if time.monotonic() > deadline:
                break
        for name, child in self.children.items():
            if child.poll() is None:
                self.say(name, "did not end in time and is killed")
            _signal_group(child, signal.SIGKILL)


def _signal_group(child: subprocess.Popen[str], how: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, how)


def _end_leftovers(pids: IO[str]) -> None:
    """End what an earlier run left behind when it was killed; a pid that now belongs to another command is left alone."""
    pids.seek(0)
    lines = [line.partition("\t") for line in pids.read().splitlines()]
    left = [int(pid) for pid, _, command in lines if command_line(int(pid)).strip() == command]
    for how, wait_s in ((signal.SIGTERM, DRAIN_SECONDS), (signal.SIGKILL, 1.0)):
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, how)
        deadline = time.monotonic() + wait_s
        while any(command_line(pid) for pid in left) and time.monotonic() < deadline:
            time.sleep(0.05)
    pids.truncate(0)
