import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway import supervisor
from gateway.domain.errors import Refused

SUPERVISE = """
import sys, os
from pathlib import Path
from gateway import supervisor
processes = supervisor.parse(Path(sys.argv[1]).read_text())
supervisor.run(processes, os.environ, Path(sys.argv[2]), sys.stdout, drain_seconds=float(sys.argv[3]))
print("all ended")
"""
POLITE = "import signal, time, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('drained'))); print('up'); time.sleep(60)"
DEAF = "import signal, time, os; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('pid', os.getpid()); time.sleep(60)"

LASTING = "import time, os; print('pid', os.getpid()); time.sleep(60)"


class Supervised:
    """A supervisor in a process of its own, running the given programs under the names a, b, c."""

    def __init__(self, folder: Path, *programs: str, drain_seconds: float = 30) -> None:
        lines = []
        for name, program in zip("abc", programs, strict=False):
            (folder / f"{name}.py").write_text(program)
            lines.append(f"{name}: python -u {folder / name}.py")
        (folder / "Procfile").write_text("\n".join(lines))
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", SUPERVISE, folder / "Procfile", folder / "processes", str(drain_seconds)],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )  # fmt: skip
        self.heard = ""

    def hear(self, text: str, times: int = 1) -> str:
        """Read until the text was said so many times; the line that holds it."""
        assert self.process.stdout
        line = ""
        while self.heard.count(text) < times:
            line = self.process.stdout.readline()
            assert line, f"ended without saying {text!r}: {self.heard}"
            self.heard += line
        return line

    def end(self, how: signal.Signals = signal.SIGTERM) -> str:
        """Signal it, wait, and return all it said."""
        self.process.send_signal(how)
        self.heard += self.process.communicate()[0]
        return self.heard


@pytest.fixture
def started() -> Iterator[list[Supervised]]:
    each: list[Supervised] = []
    yield each
    for one in each:
        one.process.terminate()
        one.process.wait()
        one.process.stdout.close()


def _gone(pid: int) -> bool:
    for _ in range(500):
        try:
            os.kill(pid, 0)
            if "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]:
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_a_procfile_is_read_and_python_is_the_one_that_runs() -> None:
    processes = supervisor.parse("# ours\nweb: python -m gateway web\n\nsend: 'my tool' --x='a b'\n")
    assert processes[0] == supervisor.Process("web", (sys.executable, "-m", "gateway", "web"))
    assert processes[1].command == ("my tool", "--x=a b")


@pytest.mark.parametrize("line", ["web", "web:", ": python", "we b: python"])
def test_a_line_that_is_no_process_is_refused(line: str) -> None:
    with pytest.raises(Refused, match="Procfile"):
        supervisor.parse(line)


def test_what_is_said_carries_the_name_of_who_says_it(tmp_path: Path, started: list[Supervised]) -> None:
    started.append(one := Supervised(tmp_path, POLITE, POLITE))
    one.hear("up", times=2)
    assert {"a     | up", "b     | up"} <= set(one.heard.splitlines())


def test_one_that_ends_is_started_again_and_the_others_are_left_alone(tmp_path: Path, started: list[Supervised]) -> None:
    started.append(one := Supervised(tmp_path, POLITE, "raise SystemExit(3)"))
    one.hear("b     | ended with 3; starts again", times=2)
    assert one.heard.count("a     | up") <= 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_at_the_end_each_may_finish_what_it_has_begun(tmp_path: Path, started: list[Supervised], how: signal.Signals) -> None:
    started.append(one := Supervised(tmp_path, POLITE, POLITE))
    one.hear("up", times=2)
    said = one.end(how)
    assert said.count("drained") == 2
    assert "all ended" in said


def test_one_that_does_not_listen_is_killed_with_all_it_started(tmp_path: Path, started: list[Supervised]) -> None:
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-u', '-c', {DEAF!r}]); exec({DEAF!r})"
    started.append(one := Supervised(tmp_path, parent, drain_seconds=0.2))
    pids = [int(one.hear("pid", times=times).split()[-1]) for times in (1, 2)]
    assert "all ended" in one.end()
    assert all(_gone(pid) for pid in pids)


def test_a_second_signal_does_not_wait(tmp_path: Path, started: list[Supervised]) -> None:
    started.append(one := Supervised(tmp_path, DEAF, drain_seconds=3600))
    one.hear("pid")
    one.process.send_signal(signal.SIGINT)
    while one.process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            one.process.wait(0.2)
        one.process.send_signal(signal.SIGINT)
    assert "all ended" in one.end()


def test_a_second_gateway_in_the_same_place_is_refused(tmp_path: Path, started: list[Supervised]) -> None:
    started.append(one := Supervised(tmp_path, POLITE))
    one.hear("up")
    with pytest.raises(Refused, match="already runs"):
        supervisor.run([], os.environ, tmp_path / "processes", sys.stdout)


def test_what_a_killed_one_left_behind_is_ended_by_the_next(tmp_path: Path, started: list[Supervised]) -> None:
    started.append(one := Supervised(tmp_path, LASTING))
    left = int(one.hear("pid").split()[-1])
    one.process.kill()
    one.process.wait()
    os.kill(left, 0)  # it lives
    started.append(Supervised(tmp_path, POLITE))
    started[-1].hear("up")
    assert _gone(left)


def test_a_pid_that_now_belongs_to_another_is_left_alone(tmp_path: Path, started: list[Supervised]) -> None:
    (tmp_path / "processes").write_text(f"{os.getpid()}\tpython -m gateway web\n")
    started.append(one := Supervised(tmp_path, POLITE))
    one.hear("up")  # and we are still here
