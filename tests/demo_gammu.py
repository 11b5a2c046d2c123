"""A campaign out and its answers back through gammu-smsd as Debian packages it: `make demo-gammu`.

Real are the gateway (`python -m gateway run`, its commands, all its processes) and gammu-smsd; the phone is gammu's own dummy driver.
Everything lies in a folder of its own and listens on loopback alone.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import suppress
from pathlib import Path

from tests.faults.processes import ROOT, free_port, until
from tests.gammu import MISSING, Gammu

OURS = "+84900000001"
PEOPLE = {"GA-01": "+84977700001", "GA-02": "+84977700002", "GA-03": "+84977700003"}
REPLIES = {"GA-01": "1", "GA-02": "STOP", "GA-03": "toi muon chet"}


def install() -> None:
    """Install Debian's package where that can be done; else say what to do and end."""
    if shutil.which("gammu-smsd") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing Debian's package gammu-smsd", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "gammu-smsd"]):
            subprocess.run(["apt-get", *words], env=quiet, check=False, stdout=subprocess.DEVNULL)
    if shutil.which("gammu-smsd") is None:
        sys.exit(MISSING)


class Demo:
    """The processes of one demonstration, all in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.phone = folder, free_port(), Gammu(folder / "gammu")
        own = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        self.environ = {**own, "LANGUAGE": "en", "GATEWAY_VAR": str(folder / "var"), "GATEWAY_PORT": str(self.port)}
        self._gateway: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Demo":
        return self

    def __exit__(self, *error: object) -> None:
        self.phone.stop()
        if self._gateway is not None:
            self._gateway.send_signal(signal.SIGTERM)
            self._gateway.wait(60)

    def try_gateway(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What became of a command of the gateway."""
        return subprocess.run([sys.executable, "-m", "gateway", *words], cwd=ROOT, env=self.environ, check=False, capture_output=True, text=True)

    def gateway(self, *words: str) -> str:
        """What a command of the gateway says. Raises AssertionError when it fails."""
        done = self.try_gateway(*words)
        assert done.returncode == 0, f"{' '.join(words[:2])}: {done.stderr}"
        return done.stdout

    def start(self) -> None:
        """The gateway, three clients whom it reaches by the modem alone, and the modem."""
        with (self.folder / "gateway.log").open("wb") as out:
            command = [sys.executable, "-m", "gateway", "run"]
            self._gateway = subprocess.Popen(command, cwd=ROOT, env=self.environ, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        until(lambda: _answers(f"http://127.0.0.1:{self.port}/health"), 180, "the gateway's start")
        self.gateway("unit", "edit", "SV-01-08", "--hours", "always", "--as", "admin")  # so that it can be shown at night
        for code, phone in PEOPLE.items():
            self.gateway("client", "add", code, "Người Thử", "--unit", "SV-01-08", "--phone", phone, "--language", "vi", "--group", "modem",
                         "--consent", "check_in:signed form", "--as", "supervisor")  # fmt: skip
        settings = {"number": OURS, "folder": str(self.phone.spool), "pid_file": str(self.phone.pid_file)}
        self.gateway("channel", "add", "modem", "--kind", "gammu", "--unit", "SV-01-08", "--prefix", "+849777", "--as", "admin",
                     *(word for name, value in settings.items() for word in ("--set", f"{name}={value}")))  # fmt: skip
        self.phone.start()

    def got(self, code: str) -> list[str]:
        """What the client's phone was sent, in the order it left."""
        return self.phone.got(PEOPLE[code])

    def states(self, code: str) -> list[str]:
        """The states of our texts to the client, newest first."""
        listed = self.gateway("message", "list", "--client", code, "--as", "supervisor")
        return re.findall(r"\b(planned|submitting|accepted|sent|delivered|failed|expired|unknown|suppressed|cancelled)\b", listed)

    def told(self) -> bool:
        """Whether a number or a text stands in what the gateway said."""
        said = (self.folder / "gateway.log").read_text("utf-8", "replace")
        return any(word in said for word in [*PEOPLE.values(), *(phone[1:] for phone in PEOPLE.values()), REPLIES["GA-03"]])


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def show(demo: Demo) -> None:
    """The demonstration. Raises AssertionError when something does not happen."""
    print(f"everything lies in {demo.folder}; starting the gateway (a minute at most)", flush=True)
    demo.start()
    print("gammu-smsd runs, from Debian's package, on its dummy phone", flush=True)
    demo.gateway("campaign", "create", "--name", "Modem", "--text", "check_in", "--unit", "SV-01-08", "--group", "modem", "--as", "supervisor")
    demo.gateway("campaign", "approve", "Modem", "--as", "admin")
    until(lambda: all(demo.got(code) for code in PEOPLE), 180, "the campaign's texts on the phones")
    for code in PEOPLE:
        print(f"  to {code} the modem sent     {demo.got(code)[0]}")
    until(lambda: all(demo.states(code)[0] == "delivered" for code in PEOPLE), 180, "the word that the network has them")
    print("  each was passed to the network; of the handset a modem's folders say nothing", flush=True)
    for code, words in REPLIES.items():
        demo.phone.text_in(PEOPLE[code], words)
        until(lambda code=code: len(demo.got(code)) > 1, 180, f"the answer to {words}")  # type: ignore[misc]
        print(f"  {code} texts {words!r}, and is sent     {' '.join(demo.got(code)[1:])}", flush=True)
    flags = demo.gateway("flag", "list", "--as", "supervisor")
    assert re.search(r"urgent.*GA-03", flags), flags
    refused = demo.try_gateway("message", "send", "GA-02", "Mai gap nhau nhe", "--as", "supervisor")
    assert refused.returncode != 0 and "stop" in refused.stderr, refused
    print("  GA-03 is an urgent flag; to GA-02 nothing more is sent:", refused.stderr.strip())
    until(lambda: all(set(demo.states(code)) == {"delivered"} for code in PEOPLE), 180, "an end for each text")
    assert [len(demo.states(code)) for code in PEOPLE] == [2, 2, 2], "a text too many"
    until(lambda: not demo.phone.waiting(), 60, "the deletion of what was read")
    assert not demo.told(), "a number or text in the gateway's log"
    print("  six texts out, three in, each once; no number or text in the gateway's log, and no file left in the folders")


def main() -> None:
    install()
    folder = Path(tempfile.mkdtemp(prefix="demo-gammu-"))
    try:
        with Demo(folder) as demo:
            show(demo)
    except AssertionError as failure:
        sys.exit(f"FAILED: {failure}\nWhat each process said is kept in {folder}")
    shutil.rmtree(folder, ignore_errors=True)
    print("all ended, nothing left behind")


if __name__ == "__main__":
    main()
