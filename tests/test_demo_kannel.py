"""Debian's own Kannel: `make demo-kannel` does what it says, and smsbox takes and gives what gateway/channels/kannel.py says it does.

REQUIRE_KANNEL=1 makes its absence a failure.
"""

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from examples import demo_kannel
from examples.demo import OURS, Crew, until
from examples.demo_kannel import Kannel
from gateway.channels import base, kannel
from gateway.channels.base import CallbackRequest, Outgoing, SendResult, WireReply
from tests.channels.conformance import FarSide, far_side

ROOT = Path(__file__).parents[1]
PHONE = "+84970009904"
MISSING = "Kannel is not here: apt-get install kannel kannel-extras"


@pytest.fixture(scope="module", autouse=True)
def _kannel_is_here() -> None:
    if not demo_kannel.installed():
        pytest.fail(MISSING) if os.environ.get("REQUIRE_KANNEL") == "1" else pytest.skip(MISSING)


@pytest.mark.timeout(900)
def test_a_campaign_goes_out_and_its_answers_come_back_through_the_real_kannel() -> None:
    done = subprocess.run([sys.executable, "-m", "examples.demo_kannel"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("each is delivered", "gọi 115", "ban se khong nhan tin nua", "six texts out, three in, each once", "nothing left behind"):
        assert said in done.stdout, done.stdout


@dataclass(frozen=True, slots=True)
class Line:
    """A Kannel, the channel that goes by it, and our end, to which it posts."""

    kannel: Kannel
    settings: base.Settings
    ours: FarSide

    def send(self, body: str, to: str = PHONE, **changed: str) -> SendResult:
        """What smsbox says to a text, as the channel reads it."""
        request = kannel.send_request({**self.settings, **changed}, Outgoing(uuid4(), str(uuid4()), to, body, 3600))
        asked = urllib.request.Request(request.url, request.body, dict(request.headers), method=request.method)
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:
                return kannel.read_answer(WireReply(answer.status, {}, answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return kannel.read_answer(WireReply(error.code, {}, error.read()))

    def posted(self, what: str) -> list[CallbackRequest]:
        """What it posted to us so far, all of it believed."""
        found = []
        for taken in self.ours.taken:
            parts = urlsplit(taken.url)
            if parts.path.endswith(what):
                headers = {name.lower(): value for name, value in taken.headers.items()}
                found.append(CallbackRequest(taken.url, parts.path, parts.query, headers, taken.body))
        assert all(kannel.verify(self.settings, each) for each in found)
        return found


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("kannel")
    with far_side(kannel.inbound_reply()) as ours, Crew(folder) as crew:
        boxes = Kannel(crew)
        boxes.start(f"{ours.url}/c/1")
        yield Line(boxes, {**boxes.settings, "callback_url": f"{ours.url}/c/1"}, ours)


def test_texts_of_every_alphabet_reach_the_phone_and_both_reports_come_back_with_our_token(line: Line) -> None:
    texts = ["Hen gap 9h: tra loi 1 & den + 2 = 100%?", "^{}[~]|€ \\", "Một\nhai", "Hẹn 😀 9h", "x" * 160, "ừ" * 70]
    phones = [f"+8497000991{n}" for n in range(len(texts))]
    before = len(line.posted("/report"))
    assert {line.send(text, phone).outcome for text, phone in zip(texts, phones, strict=True)} == {"accepted"}
    until(lambda: [line.kannel.got(phone) for phone in phones] == [[text] for text in texts], "the texts on the phones")
    until(lambda: len(line.posted("/report")) == before + 2 * len(texts), "the reports")
    reports = [kannel.read_report(each) for each in line.posted("/report")[before:]]
    assert sorted(str(report.state) for report in reports) == ["delivered"] * len(texts) + ["sent"] * len(texts)
    assert len({report.token for report in reports}) == len(texts)


@pytest.mark.parametrize(("text", "parts", "letters"), [("Long text 0123456789 " * 76, 11, 153), ("Hẹn gặp lại ở trạm y tế. " * 60, 23, 67)])
def test_a_long_text_arrives_whole_in_joined_parts(line: Line, text: str, parts: int, letters: int) -> None:
    phone = f"+8497000992{parts % 10}"
    assert line.send(text, phone).outcome == "accepted"
    until(lambda: len(line.kannel.got(phone)) == parts, "all parts")
    got = [part if letters == 153 else part.encode("latin-1").decode("utf-16-be") for part in line.kannel.got(phone)]
    assert "".join(got) == text
    assert {len(part) for part in got[:-1]} == {letters}


@pytest.mark.parametrize(("to", "changed", "reason"), [
    (PHONE, {"password": "wrong"}, "bad_credentials"), (PHONE, {"sender": ""}, "bad_sender"), ("", {}, "bad_number"), ("+8497x", {}, "filtered"),
    (PHONE, {"base_url": "/elsewhere"}, "misconfigured"),
])  # fmt: skip
def test_each_refusal_is_what_we_take_it_for(line: Line, to: str, changed: dict[str, str], reason: str) -> None:
    if "base_url" in changed:
        changed = {"base_url": line.settings["base_url"] + changed["base_url"]}
    found = line.send("Hello", to, **changed)
    assert (found.reason, found.outcome) == (reason, base.OUTCOMES[reason])  # type: ignore[index]


def test_texts_come_in_as_typed_once_each_with_an_id_of_their_own(line: Line) -> None:
    before = len(line.posted("/inbound"))
    for n, (written, words) in enumerate((("text", " Co & khong + 100% "), ("ucs2", "%1E%EB%00%20%D8%3D%DE%00")), 1):
        line.kannel.text_in(PHONE, words, lambda n=n: len(line.posted("/inbound")) == before + n, written)  # type: ignore[misc]
    found = [kannel.read_inbound(each) for each in line.posted("/inbound")[before:]]
    assert [(each.sender_phone, each.to_phone, each.text.strip()) for each in found] == [(PHONE, OURS, "Co & khong + 100%"), (PHONE, OURS, "ừ 😀")]
    assert len({each.carrier_id for each in found}) == 2
    assert all(each.sent_at is not None for each in found)


def test_what_we_could_not_take_is_posted_again_with_the_same_id_and_the_client_hears_nothing_of_it(line: Line) -> None:
    phone = "+84970009905"

    def ids() -> list[str]:
        return [kannel.read_inbound(each).carrier_id for each in line.posted("/inbound") if each.header("x-kannel-from") == phone]

    line.ours.answer = WireReply(503, {"content-type": "text/plain"}, b"try again\n")
    try:
        line.kannel.text_in(phone, "STOP", lambda: len(ids()) == 1)
    finally:
        line.ours.answer = kannel.inbound_reply()
    until(lambda: len(ids()) == 2, "the second post")
    assert len(set(ids())) == 1
    assert line.kannel.got(phone) == []


def test_nothing_of_texts_or_numbers_is_in_its_logs(line: Line) -> None:
    told = "".join(log.read_text("utf-8", "replace") for log in line.kannel.logs())
    assert not re.search(r"8497000|Hen gap|Hello|khong", told)
