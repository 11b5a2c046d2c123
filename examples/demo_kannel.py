"""A campaign out and its answers back through Kannel as Debian packages it: `make demo-kannel`.

Real are bearerbox, smsbox and examples/kannel.conf; Kannel's own fakesmsc is the mobile network and the phones.
"""

import re
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote_to_bytes

from examples import demo
from examples.demo import OURS, ROOT, Crew, free_port, until

PACKAGES = ("kannel", "kannel-extras")
SBIN, FAKESMSC = Path("/usr/sbin"), Path("/usr/lib/kannel/test/fakesmsc")


def installed() -> bool:
    """Whether Kannel and its tools are here."""
    return all(path.exists() for path in (SBIN / "bearerbox", SBIN / "smsbox", FAKESMSC))


class Kannel:
    """bearerbox, smsbox and a fake network of two doors: texts go out by one to all phones, texts come in by the other."""

    kind, prefix = "kannel", "+8497000990"
    runs = "Kannel runs (bearerbox, smsbox), from Debian's packages; its fakesmsc plays the network and the phones"
    delivered = "each is delivered, as Kannel's reports say"

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

    def text_in(self, phone: str, words: str, arrived: Callable[[], object], written: str = "text") -> None:
        """A phone texts us. `words` as fakesmsc takes them, "%1E%EB" if `written` is "ucs2". The network has room for one phone at a time."""
        with ExitStack() as ends:
            log = self._crew.start("texting", FAKESMSC, "-H", "127.0.0.1", "-r", str(self._in), "-i", "0.1", "-m", "1",
                                   f"{phone} {OURS} {written} {words}", ends=ends)  # fmt: skip
            until(lambda: "sent message 1" in log.read_text("utf-8", "replace"), "the sending of a text")
            until(arrived, "what follows on a text")

    def got(self, phone: str) -> list[str]:
        """What a phone got, in the order it came; of a long text each part by itself."""
        came = rf"Got message \d+: <\S+ {re.escape(phone)} (?:udh \S+ )?(text|ucs-2|data) (.*?)>$"
        return [words if kind == "text" else unquote_to_bytes(words.replace("+", " ")).decode("utf-16-be" if kind == "ucs-2" else "latin-1")
                for kind, words in re.findall(came, self._phones.read_text("utf-8", "replace"), re.MULTILINE | re.DOTALL)]  # fmt: skip

    def secrets(self) -> list[str]:
        """What its logs may not tell."""
        return [self.password, self.secret]

    def logs(self) -> list[Path]:
        """Its own logs, as kannel.conf has them written."""
        logs = [*(self._crew.folder / "log").iterdir()]
        assert len(logs) == 2, logs
        return logs


def _listens(port: int) -> bool:
    """Whether somebody listens there; seen in the kernel's table, since a fake network takes a visitor for a network."""
    return any(f":{port:04X} 00000000:0000 0A" in line for line in Path("/proc/net/tcp").read_text().splitlines())


if __name__ == "__main__":
    demo.run(Kannel, PACKAGES, installed)
