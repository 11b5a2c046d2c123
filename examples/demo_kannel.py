"""A campaign out and its answers back through Kannel as Debian packages it: `make demo-kannel`.

Real are the gateway (`python -m gateway run`, its commands, all its processes), bearerbox, smsbox and examples/kannel.conf; Kannel's
own fakesmsc is the mobile network and the phones. Everything lies in a folder of its own and speaks to loopback alone.
"""

import os
import re
import secrets
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
from urllib.parse import unquote_to_bytes

ROOT = Path(__file__).parents[1]
SBIN, FAKESMSC = Path("/usr/sbin"), Path("/usr/lib/kannel/test/fakesmsc")
OURS = "+84900000001"
PEOPLE = {"KA-01": "+84970009901", "KA-02": "+84970009902", "KA-03": "+84970009903"}
REPLIES = {"KA-01": "1", "KA-02": "STOP", "KA-03": "toi muon chet"}


def installed() -> bool:
    """Whether Kannel and its tools are here."""
    return all(path.exists() for path in (SBIN / "bearerbox", SBIN / "smsbox", FAKESMSC))


def install() -> None:
    """Install Debian's packages where that can be done; else say what to do and end."""
    if not installed() and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing Debian's packages kannel and kannel-extras", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=quiet, check=False, stdout=subprocess.DEVNULL)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "kannel", "kannel-extras"],
                       env=quiet, check=False, stdout=subprocess.DEVNULL)  # fmt: skip
    if not installed():
        sys.exit("Kannel is not here. On Debian or Ubuntu: sudo apt-get install kannel kannel-extras\n"
                 "They may start a Kannel of their own: sudo systemctl disable --now kannel. This demonstration needs no service and no root.")  # fmt: skip


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(check: Callable[[], object], what: str, within_s: float = 180) -> None:
    """Wait until `check` holds. Raises AssertionError naming what did not happen."""
    end = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < end, f"{what}: it did not happen within {within_s:g} s"
        time.sleep(0.3)


class Crew:
    """Processes whose words are kept in one folder, ended with the block."""

    def __init__(self, folder: Path, **environ: str) -> None:
        own = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        self.folder, self.environ, self._ends = folder, {**own, **environ}, ExitStack()

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *error: object) -> None:
        self._ends.close()

    def start(self, name: str, *command: str | Path, ends: ExitStack | None = None) -> Path:
        """Start a process, ended with the crew or with `ends`; where all that it says is kept."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            child = subprocess.Popen([str(word) for word in command], cwd=ROOT, env=self.environ, stdin=subprocess.DEVNULL,
                                     stdout=out, stderr=subprocess.STDOUT)  # fmt: skip
        (ends or self._ends).callback(_end, child)
        return log


class Kannel:
    """bearerbox, smsbox and a fake network of two doors: texts go out by one to all phones, texts come in by the other."""

    def __init__(self, crew: Crew) -> None:
        self._crew, self._out, self._in, self._smsbox = crew, free_port(), free_port(), free_port()
        self.url, self.password, self.secret = f"http://127.0.0.1:{self._smsbox}", secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        self._phones = crew.folder / "phones.log"

    @property
    def settings(self) -> dict[str, str]:
        """Of a channel that goes by it."""
        return {"base_url": self.url, "username": "gateway", "password": self.password, "sender": OURS, "secret": self.secret}

    def start(self, address: str) -> None:
        """Run it with examples/kannel.conf for the channel at that address of ours."""
        conf = self._crew.folder / "kannel.conf"
        conf.write_text(self._conf(address))
        self._crew.start("bearerbox", SBIN / "bearerbox", conf)
        until(lambda: _listens(self._out) and _listens(self._in), "bearerbox's start")
        self._crew.start("smsbox", SBIN / "smsbox", conf)
        until(lambda: _listens(self._smsbox), "smsbox's start")
        self._crew.start("phones", FAKESMSC, "-H", "127.0.0.1", "-r", str(self._out), "-m", "0", "1 2 text none")

    def _conf(self, address: str) -> str:
        """The file with our addresses, secrets and folders, and fake networks for the real one."""
        text = (ROOT / "examples" / "kannel.conf").read_text("utf-8")
        networks = "".join(f"group = smsc\nsmsc = fake\nsmsc-id = {name}\nport = {port}\nconnect-allow-ip = 127.0.0.1\n{rest}\n"
                           for name, port, rest in (("network", self._out, ""), ("replies", self._in, "denied-prefix = +\n")))  # fmt: skip
        text = re.sub(r"group = smsc\n.*?\n\n", networks, text, flags=re.DOTALL)
        changed = {
            "13000": str(free_port()), "13001": str(free_port()), "13013": str(self._smsbox), "CHANGE-ADMIN": secrets.token_urlsafe(16),
            "CHANGE-PASSWORD": self.password, "CHANGE-ADDRESS": address, "CHANGE-SECRET": self.secret,
            "/var/spool/kannel": str(self._crew.folder), "/var/log/kannel": str(self._crew.folder / "log"),
        }  # fmt: skip
        for old, new in changed.items():
            assert old in text, old
            text = text.replace(old, new)
        for name in ("store", "reports", "log"):
            (self._crew.folder / name).mkdir()
        return text

    def text_in(self, phone: str, said: str, arrived: Callable[[], object]) -> None:
        """A phone texts us: `said` as fakesmsc takes it, "text Hello" or "ucs2 %1E%EB". The network has room for one phone at a time."""
        with ExitStack() as ends:
            log = self._crew.start("texting", FAKESMSC, "-H", "127.0.0.1", "-r", str(self._in), "-i", "0.1", "-m", "1",
                                   f"{phone} {OURS} {said}", ends=ends)  # fmt: skip
            until(lambda: "sent message 1" in log.read_text("utf-8", "replace"), "the sending of a text")
            until(arrived, "what follows on a text")

    def got(self, phone: str) -> list[str]:
        """What a phone got, in the order it came; of a long text each part by itself."""
        came = rf"Got message \d+: <\S+ {re.escape(phone)} (?:udh \S+ )?(text|ucs-2|data) (.*?)>$"
        return [words if kind == "text" else unquote_to_bytes(words.replace("+", " ")).decode("utf-16-be" if kind == "ucs-2" else "latin-1")
                for kind, words in re.findall(came, self._phones.read_text("utf-8", "replace"), re.MULTILINE | re.DOTALL)]  # fmt: skip

    def logs(self) -> list[Path]:
        """Its own logs, as kannel.conf has them written."""
        return [*(self._crew.folder / "log").iterdir()]


class Demo(Crew):
    """A gateway and a Kannel that know each other."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        super().__init__(folder, LANGUAGE="en", GATEWAY_VAR=str(folder / "var"), GATEWAY_PORT=str(self.port))
        self.kannel = Kannel(self)

    def gateway(self, *words: str) -> str:
        """What a command of the gateway says. Raises AssertionError when it fails."""
        done = self.try_gateway(*words)
        assert done.returncode == 0, f"{' '.join(words[:2])}: {done.stderr}"
        return done.stdout

    def try_gateway(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What became of a command of the gateway."""
        command = [sys.executable, "-m", "gateway", *words]
        return subprocess.run(command, cwd=ROOT, env=self.environ, check=False, capture_output=True, text=True)

    def start_gateway(self) -> None:
        """The gateway with everything it needs, and three clients whom it reaches through Kannel alone."""
        self.start("gateway", sys.executable, "-m", "gateway", "run")
        until(lambda: _answers(f"http://127.0.0.1:{self.port}/health"), "the gateway's start")
        self.gateway("unit", "edit", "SV-01-08", "--hours", "always", "--as", "admin")  # so that it can be shown at night
        for code, phone in PEOPLE.items():
            self.gateway("client", "add", code, "Người Thử", "--unit", "SV-01-08", "--phone", phone, "--language", "vi", "--group", "kannel",
                         "--consent", "check_in:signed form", "--as", "supervisor")  # fmt: skip

    def start_kannel(self) -> None:
        """A channel, and the Kannel that it goes by."""
        said = self.gateway("channel", "add", "kannel", "--kind", "kannel", "--unit", "SV-01-08", "--prefix", "+8497000990", "--as", "admin",
                            *(word for name, value in self.kannel.settings.items() for word in ("--set", f"{name}={value}")))  # fmt: skip
        address = re.search(r"(http\S+)/inbound", said)
        assert address is not None, said
        self.kannel.start(address[1])

    def got(self, code: str) -> list[str]:
        """What the client's phone got."""
        return self.kannel.got(PEOPLE[code])

    def reply(self, code: str) -> None:
        """The client texts back and is answered."""
        self.kannel.text_in(PEOPLE[code], f"text {REPLIES[code]}", lambda: len(self.got(code)) == 2)

    def states(self, code: str) -> list[str]:
        """The states of our texts to the client, newest first."""
        listed = self.gateway("message", "list", "--client", code, "--as", "supervisor")
        return re.findall(r"\b(planned|submitting|accepted|sent|delivered|failed|expired|unknown|suppressed|cancelled)\b", listed)

    def told(self) -> list[str]:
        """The names of the logs in which a number, a text or a secret stands."""
        private = [*(phone[1:] for phone in PEOPLE.values()), REPLIES["KA-03"], self.kannel.password, self.kannel.secret]
        logs = [*self.kannel.logs(), self.folder / "gateway.log"]
        assert len(logs) == 3, logs
        return [log.name for log in logs if any(word in log.read_text("utf-8", "replace") for word in private)]


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def _listens(port: int) -> bool:
    """Whether somebody listens there; seen in the kernel's table, since a fake network takes a visitor for a network."""
    return any(f":{port:04X} 00000000:0000 0A" in line for line in Path("/proc/net/tcp").read_text().splitlines())


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
    demo.start_gateway()
    demo.start_kannel()
    print("bearerbox, smsbox and fakesmsc run, from Debian's packages", flush=True)
    demo.gateway("campaign", "create", "--name", "Kannel", "--text", "check_in", "--unit", "SV-01-08", "--group", "kannel", "--as", "supervisor")
    demo.gateway("campaign", "approve", "Kannel", "--as", "admin")
    until(lambda: all(demo.got(code) for code in PEOPLE), "the campaign's texts on the phones")
    for code in PEOPLE:
        print(f"  {code}'s phone got    {demo.got(code)[0]}")
    until(lambda: all(demo.states(code)[0] == "delivered" for code in PEOPLE), "the delivery reports")
    print("  each is delivered, as Kannel's reports say", flush=True)
    for code, words in REPLIES.items():
        demo.reply(code)
        print(f"  {code} texts {words!r}, and gets   {demo.got(code)[1]}", flush=True)
    flags = demo.gateway("flag", "list", "--as", "supervisor")
    assert re.search(r"urgent.*KA-03", flags), flags
    refused = demo.try_gateway("message", "send", "KA-02", "Mai gap nhau nhe", "--as", "supervisor")
    assert refused.returncode != 0 and "stop" in refused.stderr, refused
    print("  KA-03 is an urgent flag; to KA-02 nothing more is sent:", refused.stderr.strip())
    inbox = demo.gateway("inbox", "--as", "supervisor")
    assert sum(inbox.count(words) for words in ("STOP", REPLIES["KA-03"])) == 2, inbox
    until(lambda: all(set(demo.states(code)) == {"delivered"} for code in PEOPLE), "the reports of the answers")
    assert [len(demo.got(code)) for code in PEOPLE] == [2, 2, 2], "a text too many"
    assert demo.told() == [], "a number or text in a log"
    print("  six texts out, three in, each once; no number, text or secret in the logs of the gateway and of Kannel")


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that what was started is ended too
    install()
    folder = Path(tempfile.mkdtemp(prefix="demo-kannel-"))
    try:
        with Demo(folder) as demo:
            show(demo)
    except AssertionError as failure:
        sys.exit(f"FAILED: {failure}\nWhat each process said is kept in {folder}")
    except KeyboardInterrupt:
        print("stopped")
    shutil.rmtree(folder, ignore_errors=True)
    print("all ended, nothing left behind")


if __name__ == "__main__":
    main()
