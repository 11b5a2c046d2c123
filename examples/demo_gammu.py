"""A campaign out and its answers back through gammu-smsd as Debian packages it: `make demo-gammu`.

Real is gammu-smsd; the phone is gammu's own dummy driver.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from examples import demo
from examples.demo import OURS, Crew, until

PACKAGES = ("gammu-smsd",)
_RC = """[gammu]
port = {home}/phone
model = dummy
connection = none
gammuloc = /dev/null
logformat = textall

[smsd]
service = files
logfile = {home}/smsd.log
debuglevel = 255
checksecurity = 0
checkbattery = 0
checksignal = 0
statusfrequency = 0
receivefrequency = 1
loopsleep = 1
commtimeout = 2
inboxpath = {home}/spool/inbox/
outboxpath = {home}/spool/outbox/
sentsmspath = {home}/spool/sent/
errorsmspath = {home}/spool/error/
"""
_SENT = re.compile(r'Recipient number "(\+?\w+)"\n(.*?) SMS, length [^\n]*\n(.*?)\nSMS sent on device', re.DOTALL)
_BEFORE = re.compile(r"^.*?gammu-smsd\[\d+\]: (?:gammu: )?", re.MULTILINE)


def installed() -> str | None:
    """Where gammu-smsd is, if it is here."""
    return shutil.which("gammu-smsd")


class Gammu:
    """One daemon with its phone. `home` is made readable for its owner alone; its log holds every text, as service never should."""

    kind, prefix = "gammu", "+8497770000"
    runs = "gammu-smsd runs, from Debian's package, on its dummy phone"
    delivered = "each was passed to the network; whether it reached the phone, a modem's folders do not say"

    def __init__(self, home: Path) -> None:
        self.home = home
        self.spool, self.pid_file = home / "spool", home / "pid"
        home.mkdir(mode=0o700, exist_ok=True)
        (home / "phone").mkdir(exist_ok=True)
        for name in ("inbox", "outbox", "sent", "error"):
            (self.spool / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "smsdrc").write_text(_RC.format(home=home))
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> dict[str, str]:
        """Of a channel that goes by it."""
        return {"number": OURS, "folder": str(self.spool), "pid_file": str(self.pid_file)}

    def start(self, address: str = "") -> None:
        """Run it. It says that it does in `pid_file`; the gateway looks into its folders."""
        command = ["gammu-smsd", "-c", str(self.home / "smsdrc"), "--pid", str(self.pid_file)]
        environ = {**os.environ, "LC_ALL": "C.UTF-8"}
        self._child = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        """End it, if it runs."""
        if self._child is not None:
            self._child.send_signal(signal.SIGTERM)
            self._child.wait(20)
            self._child = None

    def text_in(self, sender: str, words: str, arrived: Callable[[], object] = lambda: True) -> None:
        """Somebody texts the phone: a message as the dummy driver keeps them, which is gammu's backup format. Returns once `arrived` holds."""
        octets = words.encode("utf-16-be").hex().upper()
        lines = [f"Text{n:02} = {octets[at : at + 200]}" for n, at in enumerate(range(0, len(octets), 200))]
        told = "\n".join([
            "[SMSBackup000]", 'SMSC = "+84900000000"', "State = UnRead", f'Number = "{sender}"', 'Name = ""',
            f"DateTime = {datetime.now(UTC):%Y%m%dT%H%M%S}", "Coding = Unicode_No_Compression", *lines, "Class = -1", "Folder = 1",
            "Memory = ME", f"Length = {len(words)}", "PDU = Deliver", "RejectDuplicates = False", "ReplaceMessage = 0", "",
        ])  # fmt: skip
        inbox = self.home / "phone/sms/1"
        inbox.mkdir(parents=True, exist_ok=True)
        free = next(n for n in range(1, 1000) if not (inbox / str(n)).exists())
        draft = self.home / f"draft-{free}"
        draft.write_text(told)
        draft.rename(inbox / str(free))
        until(arrived, "what follows on a text")

    def got(self, phone: str) -> list[str]:
        """The texts, or parts of texts, that left for a phone, as the daemon itself coded them."""
        said = _BEFORE.sub("", (self.home / "smsd.log").read_text("utf-8", "replace"))
        return [words.strip() for to, _, words in _SENT.findall(said) if to == phone]

    def waiting(self) -> list[str]:
        """Names of the files in all folders."""
        return sorted(path.name for folder in self.spool.iterdir() for path in folder.iterdir())

    def secrets(self) -> list[str]:
        """None: it is reached by folders alone."""
        return []

    def logs(self) -> list[Path]:
        """None: its own holds every text, which is how `got` knows."""
        return []


def gammu(crew: Crew) -> Gammu:
    """One that ends with the crew."""
    made = Gammu(crew.folder / "gammu")
    crew.ends.callback(made.stop)
    return made


if __name__ == "__main__":
    demo.run(gammu, PACKAGES, installed)
