"""gammu-smsd, Debian's own, on a dummy phone in a folder: what left by it, as its own log says, and texts that come in by it."""

import os
import re
import shutil
import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

DAEMON = shutil.which("gammu-smsd")
MISSING = "gammu-smsd is not installed (Debian: apt-get install gammu-smsd)"
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


def needed() -> None:
    """Skip the test where the program is not installed; where REQUIRE_GAMMU is set, as in CI, that is an error."""
    if DAEMON is None:
        assert not os.environ.get("REQUIRE_GAMMU"), MISSING
        pytest.skip(MISSING)


_SENT = re.compile(r'Recipient number "(\+?\w+)"\n(.*?) SMS, length [^\n]*\n(.*?)\nSMS sent on device', re.DOTALL)
_BEFORE = re.compile(r"^.*?gammu-smsd\[\d+\]: (?:gammu: )?", re.MULTILINE)


class Gammu:
    """One daemon with its phone. `home` is made readable for its owner alone; its log holds every text, as service never should."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.spool, self.pid_file = home / "spool", home / "pid"
        home.mkdir(mode=0o700, exist_ok=True)
        (home / "phone").mkdir(exist_ok=True)
        for name in ("inbox", "outbox", "sent", "error"):
            (self.spool / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "smsdrc").write_text(_RC.format(home=home))
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it. It says that it does in `pid_file`."""
        assert DAEMON is not None
        command = [DAEMON, "-c", str(self.home / "smsdrc"), "--pid", str(self.pid_file)]
        environ = {**os.environ, "LC_ALL": "C.UTF-8"}
        self._child = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        """End it, if it runs."""
        if self._child is not None:
            self._child.send_signal(signal.SIGTERM)
            self._child.wait(20)
            self._child = None

    def text_in(self, sender: str, words: str) -> None:
        """Somebody texts the phone: a message as the dummy driver keeps them, which is gammu's backup format."""
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

    def got(self, phone: str) -> list[str]:
        """The texts, or parts of texts, that left for a phone, as the daemon itself coded them."""
        said = _BEFORE.sub("", (self.home / "smsd.log").read_text("utf-8", "replace"))
        return [words.strip() for to, _, words in _SENT.findall(said) if to == phone]

    def waiting(self) -> list[str]:
        """Names of the files in all folders."""
        return sorted(path.name for folder in self.spool.iterdir() for path in folder.iterdir())
