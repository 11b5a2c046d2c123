"""`phone`: a basic handset in the terminal, on the simulator channel of the gateway that runs on this machine."""

import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener
from uuid import uuid4

import click

from gateway import content
from gateway.cli import screen
from gateway.cli.language import _, shown
from gateway.config import Settings
from gateway.domain.errors import Refused
from gateway.usecases import let_time_pass
from gateway.web import network

POLL_SECONDS = 0.5
TIMEOUT_SECONDS = 60.0
_LENGTH = re.compile(r"(\d{1,5}) ?([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
CLEAR_LINE = "\r\033[K"

_DIRECT = build_opener(ProxyHandler({}))  # the gateway is on this machine, whatever proxy is set


@click.command("phone")
@click.argument("number")
@click.option("--wait", "wait_seconds", default=3.0, show_default=True, help="How long to wait for answers to piped lines.")
def phone(number: str, wait_seconds: float) -> None:
    """Be the phone NUMBER: see what it gets, and text back.

    Each line is a text, unless it begins with a slash: /call (ring our number and hang up), /wait SECONDS, /later 36h (let hours or days
    pass, two hours a second, for the whole gateway), /quit. *123# dials the menu: until it ends, or /hang, each line is what is pressed. Lines may come from a pipe:
    `echo 1 | python -m gateway phone +84…` sends 1, shows what comes, and ends.
    """
    handset = Handset(Settings.from_env(os.environ).local_url, number, content.language_of(os.environ))
    if sys.stdin.isatty():
        _converse(handset)
        return
    handset.watch(0)
    for line in sys.stdin:
        if not handset.take(line.rstrip("\r\n")):
            return
    handset.watch(wait_seconds)


class Handset:
    """One phone. Every method raises Refused when the gateway does not answer, or says no."""

    def __init__(self, gateway_url: str, number: str, language: str) -> None:
        self._url, self._number, self._language = gateway_url, number, language
        self._seen: set[str] = set()
        self._since: str | None = None
        self._looking = threading.Lock()
        self._session, self._pressed = "", list[str]()

    def take(self, line: str) -> bool:
        """Do what was typed: send it, or obey it. False: the end."""
        command, _, rest = line.partition(" ")
        if command == "/quit":
            return False
        if command == "/call":
            self._ask("call")
            self.watch(0)
        elif command == "/wait":
            self.watch(_seconds(rest))
        elif command == "/later":
            self._let_pass(rest)
        elif command == "/hang":
            self._session = ""
        elif line.startswith("/"):
            raise Refused("There are five commands: /call, /hang, /wait SECONDS, /later 36h and /quit. Every other line is sent as a text.")
        elif (dialled := network.dialled_behind(line)) is not None:
            self._session, self._pressed = str(uuid4()), dialled.split("*") if dialled else []
            self._dial()
        elif self._session and line.strip():
            self._pressed.append(line.strip())
            self._dial()
        elif line.strip():
            self._ask("reply", text=line)
            self.watch(0)
        return True

    def _dial(self) -> None:
        """Say what was pressed so far, and show the screen."""
        shown_now = self._ask("dial", session=self._session, text="*".join(self._pressed))
        for line in str(shown_now["screen"]).splitlines():
            click.echo(f"  | {screen.one_line(line)}")
        if shown_now["ends"]:
            self._session = ""
        self.watch(0)

    def _let_pass(self, typed: str) -> None:
        """Hours within seconds, with the texts that come meanwhile."""
        now: dict[str, Any] = {}
        for step in let_time_pass.steps(_length(typed)):
            now = self._ask("clock", minutes=round(step.total_seconds() / 60))
            self.watch(let_time_pass.PAUSE_SECONDS)
        screen.say("It is {day} {date} {time} now.", **now)

    def watch(self, seconds: float) -> None:
        """Print what is new, for so long."""
        until = time.monotonic() + seconds
        while True:
            for line in self.news():
                click.echo(line)
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(POLL_SECONDS, left))

    def news(self) -> list[str]:
        """Texts that were not shown before, a line each."""
        with self._looking:
            answer = self._ask("texts", **({"since": self._since} if self._since else {}))
            self._since = answer["next"] or self._since
            fresh = [text for text in answer["texts"] if text["id"] not in self._seen]
            self._seen.update(text["id"] for text in fresh)
        return list(self._lines(fresh))

    def _lines(self, texts: list[dict[str, Any]]) -> Iterator[str]:
        for text in texts:
            price = f"{text['encoding']} · " + _("segments {count}").format(count=text["segments"])
            arrow = "<" if text["incoming"] else ">"
            yield f"{text['date']} {text['time']} {arrow} {screen.one_line(text['text'])}  [{price}]"

    def _ask(self, what: str, **body: object) -> dict[str, Any]:
        url = f"{self._url}/simulator/{what}?language={self._language}"
        data = json.dumps({"phone": self._number, **body}).encode()
        asked = Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 (our own address)
        try:
            with _DIRECT.open(asked, timeout=TIMEOUT_SECONDS) as answer:
                return dict(json.load(answer))
        except HTTPError as error:
            raise self._why(error) from None
        except (OSError, HTTPException):
            raise Refused("The gateway does not answer at {address}: start it with `make run`.", address=self._url) from None
        except ValueError:
            raise Refused("Something else than the gateway answers at {address}: see GATEWAY_PORT.", address=self._url) from None

    def _why(self, error: HTTPError) -> Refused:
        with error, suppress(ValueError, TypeError, KeyError):
            return Refused(str(json.load(error)["error"]))
        return Refused(
            "The gateway at {address} shows no simulator (it answered {status}): that takes the embedded database "
            "(no DATABASE_URL), and a GATEWAY_HOST and GATEWAY_PUBLIC_URL that do not leave this machine.",
            address=self._url, status=error.code,
        )  # fmt: skip


def _seconds(typed: str) -> float:
    try:
        return min(max(float(typed), 0.0), 3600.0)
    except ValueError:
        raise Refused("How many seconds? For example: /wait 3") from None


def _length(typed: str) -> timedelta:
    found = _LENGTH.fullmatch(typed.strip())
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta(0)


def _converse(handset: Handset) -> None:
    """With a person: texts appear by themselves, above the line that is being typed."""
    handset.watch(0)
    ended = threading.Event()
    threading.Thread(target=_follow, args=(handset, ended), daemon=True).start()
    more = True
    with suppress(EOFError, KeyboardInterrupt):
        while more:
            line = input("> ")
            try:
                more = handset.take(line)
            except Refused as refused:
                click.echo(refused.told(shown), err=True)
    ended.set()


def _follow(handset: Handset, ended: threading.Event) -> None:
    said = ""
    while not ended.wait(POLL_SECONDS):
        try:
            news, trouble = handset.news(), ""
        except Refused as refused:
            news, trouble = [], refused.told(shown)
        if trouble != said:
            news, said = [trouble] if trouble else news, trouble
        if news:
            click.echo(CLEAR_LINE + "\n".join(news) + "\n> " + _typed(), nl=False)


def _typed() -> str:
    """What stands behind the prompt just now; nothing where Python lacks readline."""
    try:
        import readline
    except ImportError:
        return ""
    return readline.get_line_buffer()
