"""gammu-smsd's folders: what the keeper of the folders writes and posts. The folders themselves: tests/workers/test_gammu_line.py."""

import json

import pytest

from gateway.channels import base, gammu
from gateway.channels.base import CallbackRequest, WireReply
from tests.channels import conformance

SETTINGS = {
    "number": conformance.OURS, "folder": "/var/spool/gammu", "secret": "signed-by-our-own-process", "callback_url": "http://127.0.0.1:8000/c/gammu",
}  # fmt: skip
TEXT = {"id": "in-1", "from": conformance.PHONE, "to": conformance.OURS, "text": "1"}


def posted(settings: base.Settings, what: str, body: bytes, query: str = "") -> CallbackRequest:
    stamp = "1760000000"
    return conformance.post(settings, what, body, query, x_timestamp=stamp, x_signature=base.sign(settings.get("secret", ""), stamp, body))


def answered(**answer: str) -> WireReply:
    return WireReply(200, {}, json.dumps(answer).encode())


def _read_sent(request: base.WireRequest) -> tuple[str, str]:
    sent = json.loads(request.body)
    return sent["to"], sent["text"]


CARRIER = conformance.Carrier(
    settings=SETTINGS,
    posted=posted,
    text=lambda carrier_id, phone, text: (json.dumps({**TEXT, "id": carrier_id, "from": phone, "text": text}).encode(), ""),
    report=lambda token, word: (json.dumps({"token": token, "stat": word}).encode(), ""),
    states={"sent": "delivered"},
    reads=_read_sent,
    accepted=answered(stat="sent", token=conformance.TOKEN),
    refusals=[(answered(stat="error", token=conformance.TOKEN), "server_error")],
    never=dict.fromkeys(("throttled", "permanent", "opted_out", "filtered", "channel_down"), "gammu's files say that it failed, not why"),
)


def test_media_that_came_in_is_told_without_a_text() -> None:
    found = gammu.read_inbound(posted(SETTINGS, "inbound", json.dumps({**TEXT, "text": "", "media": True}).encode()))
    assert found.media
    assert found.text == ""


@pytest.mark.parametrize("body", [{**TEXT, "id": ""}, {**TEXT, "text": None}, {}])
def test_what_lacks_something_is_refused(body: object) -> None:
    with pytest.raises(base.BadCallback):
        gammu.read_inbound(posted(SETTINGS, "inbound", json.dumps(body).encode()))


def test_folders_are_whole_paths() -> None:
    assert gammu.check(SETTINGS) == []
    assert gammu.check({**SETTINGS, "folder": "spool"})
    assert gammu.check({**SETTINGS, "pid_file": "run/pid"})


def test_the_usual_folders_are_debians() -> None:
    told = json.loads(gammu.hold_request({"number": "+84900000001", "callback_url": "http://127.0.0.1:8000/c/gammu"}).body)
    assert (told["folder"], told["pid_file"]) == ("/var/spool/gammu", "/run/gammu-smsd.pid")
