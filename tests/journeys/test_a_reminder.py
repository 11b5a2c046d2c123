"""From the register to a flagged reply: a campaign reaches a handset, the client answers, staff see it. Everything is real."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from gateway.cli import main
from tests.carrier import FakeCarrier
from tests.test_run import _wait_for, free_port, gateway, running

REMINDERS = "Nhắc hẹn toàn tỉnh"
CLIENT, PHONE = "KH-00003", "+84340006057"
OURS = "+15005550006"


class Story:
    """A gateway that runs, with the example register, and those who use it."""

    def __init__(self, environ: dict[str, str], port: int) -> None:
        self.environ, self.port = environ, port

    def do(self, *arguments: str) -> str:
        """A command that succeeds; what it said."""
        done = gateway(self.environ, *arguments)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def look(self, *arguments: str) -> str:
        """The same within this process: for what is asked again and again until it says what must come."""
        done = CliRunner().invoke(main, arguments, env=self.environ)
        assert done.exit_code == 0, (arguments, done.output, done.exception)
        return done.stdout

    def book_soon(self) -> None:
        """An appointment whose reminder of two hours before is due in some seconds."""
        start = datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")) + timedelta(hours=2, seconds=63)
        self.do("appointment", "book", CLIENT, start.strftime("%Y-%m-%d %H:%M"), "--as", "supervisor")

    def hold(self, *replies: str, phone: str = PHONE, wait: int = 4) -> str:
        """Take the simulated phone, type the replies, and read what it shows."""
        lines = "".join(f"{reply}\n/wait 3\n" for reply in replies)
        command = [sys.executable, "-m", "gateway", "phone", phone, "--wait", str(wait)]
        done = subprocess.run(command, input=lines, env=self.environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self, state: str) -> int:
        """How many texts of the campaign are in a state."""
        said = self.look("campaign", "status", REMINDERS, "--as", "supervisor")
        found = re.search(rf"(\d+) {state}", said)
        return int(found[1]) if found else 0


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    port = free_port()
    own = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
    environ = {**own, "GATEWAY_VAR": str(tmp_path / "var"), "GATEWAY_PORT": str(port)}
    with running(environ, "run") as process:
        assert _wait_for(f"http://127.0.0.1:{port}/health", process) == 200
        told = Story(environ, port)
        told.do("unit", "edit", "SV", "--hours", "always", "--as", "admin")
        told.do("unit", "edit", "SV-05-10", "--hours", "always", "--as", "admin")  # so that the story can be told at night
        told.do("campaign", "create", "examples/campaigns/province-reminders.toml", "--as", "admin")
        told.do("campaign", "approve", REMINDERS, "--as", "supervisor")
        yield told


def until(check: Callable[[], bool], seconds: float = 180) -> None:
    stop_at = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < stop_at, "it did not happen in time"
        time.sleep(0.5)


@pytest.mark.timeout(400)
def test_the_simulated_phone_gets_the_reminder_and_its_answers_reach_staff(story: Story) -> None:
    story.book_soon()
    until(lambda: story.status("accepted") == 1)
    shown = story.hold("1", "toi muon chet", "ngung")
    assert "Hom nay ban co lich hen" in shown
    assert "115" in shown
    assert "START" in shown.rsplit("ngung", 1)[1]
    visits = story.do("appointment", "list", "--client", CLIENT, "--as", "supervisor")
    assert "confirmed" in visits
    flags = story.do("flag", "list", "--as", "supervisor")
    assert "urgent" in flags
    assert CLIENT in flags
    alerted = story.hold(phone="+84900009901", wait=2)
    assert "flag 1" in alerted
    assert "stopped" in story.do("client", "show", CLIENT, "--as", "supervisor").lower()


@pytest.mark.timeout(400)
def test_the_same_goes_through_twilio(story: Story) -> None:
    with FakeCarrier() as carrier:
        said = story.do(
            "channel", "add", "twilio", "--kind", "twilio", "--unit", "SV", "--prefix", PHONE[:6], "--two-way", "--set", f"account_sid=AC{'0' * 32}",
            "--set", "auth_token=token", "--set", f"sender={OURS}", "--set", f"base_url={carrier.url}", "--as", "admin",
        )  # fmt: skip
        found = re.search(r"http\S+/inbound", said)
        assert found is not None
        carrier.inbound_url = found[0]
        story.book_soon()
        until(lambda: carrier.accepted_count(PHONE) == 1)
        assert "Hom nay ban co lich hen" in carrier.messages[0].posted_body
        for reply, answers in (("1", 2), ("toi muon chet", 3), ("ngung", 4)):
            asked_at = datetime.now(UTC)
            assert carrier.text_in(PHONE, OURS, reply)[1] in (200, 204)
            until(lambda answers=answers: carrier.accepted_count(PHONE) == answers, 60)  # type: ignore[misc]
            assert datetime.now(UTC) - asked_at < timedelta(seconds=10)
    # The carrier's copies are blanked by now; our own list says what they were, without their words.
    assert "crisis_answer" in story.do("message", "list", "--client", CLIENT, "--as", "supervisor")
    assert "urgent" in story.do("flag", "list", "--as", "supervisor")
