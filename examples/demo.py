"""What the demonstrations with real carriers' software share: a gateway, three clients, a campaign out and their answers back.

Real are the gateway (`python -m gateway run`, its commands, all its processes) and the software, as Debian packages it; the network and
the phones are that software's own pretence. Everything lies in a folder of its own and speaks to loopback alone.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Protocol, Self

ROOT = Path(__file__).parents[1]
OURS = "+84900000001"
CRY = "toi muon chet"
REPLIES = {"1": "I am well", "STOP": "no more texts", CRY: "I want to die"}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(check: Callable[[], object], what: str, within_s: float = 180, every_s: float = 0.3) -> None:
    """Wait until `check` holds. Raises AssertionError naming what did not happen."""
    end = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < end, f"{what}: it did not happen within {within_s:g} s"
        time.sleep(every_s)


class Crew:
    """Processes whose words are kept in one folder, ended with the block."""

    def __init__(self, folder: Path, **environ: str) -> None:
        own = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        self.folder, self.environ, self.ends = folder, {**own, **environ}, ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.ends.close()

    def start(self, name: str, *command: str | Path, ends: ExitStack | None = None) -> Path:
        """Start a process, ended with the crew or with `ends`; where all that it says is kept."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            child = subprocess.Popen([str(word) for word in command], cwd=ROOT, env=self.environ, stdin=subprocess.DEVNULL,
                                     stdout=out, stderr=subprocess.STDOUT)  # fmt: skip
        (ends or self.ends).callback(_end, child)
        return log


class Software(Protocol):
    """What the gateway reaches phones by, and these phones."""

    kind: str
    prefix: str
    """Of the phones' numbers, which nobody has: one digit makes them whole."""
    runs: str
    """What is said once it runs."""
    delivered: str
    """What "delivered" says of a text that went by it."""

    @property
    def settings(self) -> dict[str, str]:
        """Of a channel that goes by it."""

    def start(self, address: str) -> None:
        """Run it for the channel at that address of ours, "" where it posts to none."""

    def got(self, phone: str) -> list[str]:
        """What a phone got, in the order it came."""

    def text_in(self, phone: str, words: str, arrived: Callable[[], object]) -> None:
        """A phone texts us. Returns once `arrived` holds."""

    def secrets(self) -> list[str]:
        """Words that may stand in no log."""

    def logs(self) -> list[Path]:
        """Its own logs, in which nothing private may stand."""


class Demo(Crew):
    """A gateway, and three clients whom it reaches by one software alone."""

    def __init__(self, folder: Path, made: Callable[[Crew], Software]) -> None:
        self.port = free_port()
        super().__init__(folder, LANGUAGE="en", GATEWAY_VAR=str(folder / "var"), GATEWAY_PORT=str(self.port))
        self.by = made(self)
        self.people = {f"{self.by.kind[:2].upper()}-0{n}": f"{self.by.prefix}{n}" for n in (1, 2, 3)}

    def got(self, code: str) -> list[str]:
        """What the client's phone got."""
        return self.by.got(self.people[code])

    def logs(self) -> list[Path]:
        """All that must hold nothing private."""
        return [self.folder / "gateway.log", *self.by.logs()]

    def told(self) -> list[str]:
        """The names of the logs in which a number, a text or a secret stands."""
        private = [*(phone[1:] for phone in self.people.values()), CRY, *self.by.secrets()]
        return [log.name for log in self.logs() if any(word in log.read_text("utf-8", "replace") for word in private)]

    def gateway(self, *words: str) -> str:
        """What a command of the gateway says. Raises AssertionError when it fails."""
        done = self.try_gateway(*words)
        assert done.returncode == 0, f"{' '.join(words[:2])}: {done.stderr}"
        return done.stdout

    def try_gateway(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What became of a command of the gateway."""
        command = [sys.executable, "-m", "gateway", *words]
        return subprocess.run(command, cwd=ROOT, env=self.environ, check=False, capture_output=True, text=True)

    def begin(self) -> None:
        """The gateway with everything it needs, the clients, the channel, and the software that it goes by."""
        self.start("gateway", sys.executable, "-m", "gateway", "run")
        until(lambda: _answers(f"http://127.0.0.1:{self.port}/health"), "the gateway's start")
        self.gateway("unit", "edit", "SV-01-08", "--hours", "always", "--as", "admin")  # so that it can be shown at night
        for code, phone in self.people.items():
            self.gateway("client", "add", code, "Người Thử", "--unit", "SV-01-08", "--phone", phone, "--language", "vi", "--group", self.by.kind,
                         "--consent", "check_in:signed form", "--as", "supervisor")  # fmt: skip
        said = self.gateway("channel", "add", self.by.kind, "--kind", self.by.kind, "--unit", "SV-01-08", "--prefix", self.by.prefix, "--as", "admin",
                            *(word for name, value in self.by.settings.items() for word in ("--set", f"{name}={value}")))  # fmt: skip
        address = re.search(r"(http\S+)/inbound", said)
        self.by.start(address[1] if address else "")

    def states(self, code: str) -> list[str]:
        """The states of our texts to the client, newest first."""
        listed = self.gateway("message", "list", "--client", code, "--as", "supervisor")
        return re.findall(r"\b(planned|submitting|accepted|sent|delivered|failed|expired|unknown|suppressed|cancelled)\b", listed)

    def all_delivered(self, each: int) -> None:
        """Wait until each client has so many texts, and each is delivered."""
        until(lambda: all(self.states(code) == ["delivered"] * each for code in self.people), "the delivery reports", every_s=2)  # a look is three commands
        assert [len(self.got(code)) for code in self.people] == [each] * len(self.people), "a text too many"


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def show(demo: Demo) -> None:
    """The demonstration. Raises AssertionError when something does not happen."""
    print(f"everything lies in {demo.folder}; starting the gateway (a minute at most)", flush=True)
    demo.begin()
    print(demo.by.runs, flush=True)
    print("a campaign asks three invented clients, in Vietnamese, how they are: 1 means well, 2 means not well", flush=True)
    demo.gateway("campaign", "create", "--name", "Demo", "--text", "check_in", "--unit", "SV-01-08", "--group", demo.by.kind, "--as", "supervisor")
    demo.gateway("campaign", "approve", "Demo", "--as", "admin")
    until(lambda: all(demo.got(code) for code in demo.people), "the campaign's texts on the phones")
    for code in demo.people:
        print(f"  to {code}:    {demo.got(code)[0]}")
    demo.all_delivered(1)
    print(f"  {demo.by.delivered}", flush=True)
    for (words, meaning), code in zip(REPLIES.items(), demo.people, strict=True):
        demo.by.text_in(demo.people[code], words, lambda code=code: len(demo.got(code)) > 1)  # type: ignore[misc]
        print(f"  from {code}:  {words}  ({meaning})\n  to {code}:    {demo.got(code)[1]}", flush=True)
    _, stopped, crying = demo.people
    inbox = demo.gateway("inbox", "--as", "supervisor")
    assert sum(inbox.count(words) for words in ("STOP", CRY)) == 2, inbox
    flags = demo.gateway("flag", "list", "--as", "supervisor")
    assert re.search(rf"urgent.*{crying}", flags), flags
    print(f"  what {crying} wrote is an urgent flag, for a person to act on")
    refused = demo.try_gateway("message", "send", stopped, "Mai gap nhau nhe", "--as", "supervisor")
    assert refused.returncode != 0 and "stop" in refused.stderr, refused
    print(f"  a text from staff to {stopped}, who said STOP, is refused: {refused.stderr.strip()}")
    demo.all_delivered(2)
    assert demo.told() == [], "a number or text in a log"
    print(f"six texts out, three in, each once; no number, text or secret in {', '.join(log.name for log in demo.logs())}")


def run(made: Callable[[Crew], Software], packages: tuple[str, ...], is_here: Callable[[], object]) -> None:
    """Install Debian's packages where that is needed and can be done, show it, and leave nothing behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that what was started is ended too
    _install(packages, is_here)
    folder = Path(tempfile.mkdtemp(prefix=f"demo-{packages[0]}-"))
    try:
        with Demo(folder, made) as demo:
            show(demo)
    except AssertionError as failure:
        sys.exit(f"FAILED: {failure}\nWhat each process said is kept in {folder}")
    except KeyboardInterrupt:
        print("stopped")
    shutil.rmtree(folder, ignore_errors=True)
    print("all ended, nothing left behind")


def _install(packages: tuple[str, ...], is_here: Callable[[], object]) -> None:
    named = " ".join(packages)
    if not is_here() and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing from Debian: {named}", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
            subprocess.run(["apt-get", *words], env=quiet, check=False, stdout=subprocess.DEVNULL)
    if not is_here():
        sys.exit(f"Not here: {named}. On Debian or Ubuntu: sudo apt-get install {named}\n"
                 "They may start a service of their own (sudo systemctl disable --now ...). This demonstration needs no service and no root.")  # fmt: skip
