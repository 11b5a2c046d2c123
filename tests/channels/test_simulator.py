"""The simulator's protocol: what it signs, sends and is answered."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels import base, registry, simulator
from gateway.channels.base import CallbackRequest, Outgoing, WireReply
from gateway.domain.errors import Refused
from tests.channels import conformance

SETTINGS = {
    "secret": "s3cret",
    "sender": "+84900000000",
    "base_url": "http://127.0.0.1:8000/",
    "callback_url": "http://127.0.0.1:8000/c/sim",
}
TEXT = {"id": "in-1", "from": "+84912345678", "to": "+84900000000", "text": " Dừng ", "sent_at": None}


def callback(content: object, secret: str = "s3cret", stamp: str = "1760000000") -> CallbackRequest:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {"x-timestamp": stamp, "x-signature": simulator.sign(secret, stamp, body)}
    return CallbackRequest(SETTINGS["callback_url"] + "/inbound", "/c/sim/inbound", "", headers, body)


def _posted(settings: base.Settings, what: str, body: bytes, query: str) -> CallbackRequest:
    stamp = "1760000000"
    return conformance.post(settings, what, body, query, x_timestamp=stamp, x_signature=simulator.sign(settings.get("secret", ""), stamp, body))


def _read_sent(request: base.WireRequest) -> tuple[str, str]:
    sent = json.loads(request.body)
    return sent["to"], sent["body"]


CARRIER = conformance.Carrier(
    settings=SETTINGS,
    posted=_posted,
    ussd=lambda session, phone, text: json.dumps({"session": session, "from": phone, "code": "*1#", "text": text}).encode(),
    text=lambda carrier_id, phone, text: (json.dumps({**TEXT, "id": carrier_id, "from": phone, "text": text}).encode(), ""),
    report=lambda token, word: (json.dumps({"token": token, "id": conformance.CARRIER_ID, "state": word}).encode(), ""),
    states={"accepted": "accepted", "sent": "sent", "delivered": "delivered", "failed": "failed", "expired": "expired"},
    reads=_read_sent,
    accepted=WireReply(201, {}, json.dumps({"id": conformance.CARRIER_ID}).encode()),
    refusals=[(WireReply(400, {}, json.dumps({"error": reason}).encode()), reason) for reason in base.OUTCOMES if reason != "not_reached"],
)


def answer(status: int, body: object, **headers: str) -> base.SendResult:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return simulator.read_answer(WireReply(status, headers, raw))


def test_a_signed_text_is_verified_and_read_as_typed() -> None:
    request = callback(TEXT)
    assert simulator.verify(SETTINGS, request)
    assert simulator.read_inbound(request) == base.Inbound("in-1", "+84912345678", "+84900000000", " Dừng ")


def test_the_time_a_text_was_sent_is_an_instant() -> None:
    sent_at = simulator.read_inbound(callback(TEXT | {"sent_at": "2026-03-01T17:00:00+07:00"})).sent_at
    assert sent_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert simulator.read_inbound(callback(TEXT | {"sent_at": "2026-03-01T17:00:00"})).sent_at is None


def test_forged_altered_and_unsigned_callbacks_are_refused() -> None:
    good = callback(TEXT)
    assert not simulator.verify(SETTINGS, callback(TEXT, secret="other"))
    assert not simulator.verify(
        SETTINGS, CallbackRequest(good.url, good.path, "", good.headers, good.body + b" ")
    )
    assert not simulator.verify(SETTINGS, CallbackRequest(good.url, good.path, "", {}, good.body))
    later = {**good.headers, "x-timestamp": "1760000001"}
    assert not simulator.verify(SETTINGS, CallbackRequest(good.url, good.path, "", later, good.body))


@given(st.text(max_size=20), st.text(max_size=70), st.binary(max_size=50))
def test_verifying_never_raises(stamp: str, signature: str, body: bytes) -> None:
    headers = {"x-timestamp": stamp, "x-signature": signature}
    assert not simulator.verify(SETTINGS, CallbackRequest("http://h/", "/", "", headers, body))


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[]", b"{", b"\xff", {}, TEXT | {"id": ""}, TEXT | {"from": 5}]
)
def test_a_text_that_lacks_what_it_must_have_is_refused(content: object) -> None:
    with pytest.raises(base.BadCallback):
        simulator.read_inbound(callback(content))


@pytest.mark.parametrize(
    ("text", "kept"), [("", ""), ("a\x00b", "a\x00b"), ("\ud800x", "\\ud800x"), ("😀", "😀")]
)
def test_odd_texts_are_kept(text: str, kept: str) -> None:
    assert simulator.read_inbound(callback(TEXT | {"text": text})).text == kept


@pytest.mark.parametrize(("word", "state"), [("sent", "sent"), ("delivered", "delivered"), ("eaten", None)])
def test_a_report_brings_our_token_back(word: str, state: base.State | None) -> None:
    found = simulator.read_report(callback({"token": "tok", "id": "m-1", "state": word}))
    assert found == base.Report("tok", "m-1", state)


def test_a_text_is_posted_to_the_simulated_carrier() -> None:
    request = simulator.send_request(SETTINGS, Outgoing(uuid4(), "tok", "+84912345678", "Hẹn 9h", 60))
    assert request.url == "http://127.0.0.1:8000/simulator/carrier/messages"
    assert json.loads(request.body) == {
        "token": "tok",
        "to": "+84912345678",
        "body": "Hẹn 9h",
        "validity_s": 60,
        "sender": "+84900000000",
        "callback_url": "http://127.0.0.1:8000/c/sim",
    }


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (201, {"id": "m-1"}, "accepted"),
        (201, {}, "unknown"),
        (201, b"", "unknown"),
        (200, {"id": "m-1"}, "unknown"),
        (429, b"", "throttled"),
        (400, {"error": "bad_number"}, "permanent"),
        (400, {"error": "opted_out"}, "opted_out"),
        (400, {"error": ["odd"]}, "permanent"),
        (400, b"<html>", "unknown"),
        (302, b"", "unknown"),
        (500, {"error": "bad_number"}, "unknown"),
    ],
)
def test_each_answer_has_its_outcome(status: int, body: object, outcome: str) -> None:
    assert answer(status, body).outcome == outcome


def test_it_cannot_be_asked_and_says_so() -> None:
    assert not simulator.capabilities.can_list
    assert registry.by_kind("simulator").list_request(SETTINGS, "+84912345678") is None
    with pytest.raises(base.BadList):
        simulator.read_list(WireReply(200, {}, b"{}"))


def test_channels_are_found_by_kind_and_others_refused_with_the_choice() -> None:
    assert registry.kinds() == ("africastalking", "android", "gammu", "generic", "kannel", "simulator", "smpp", "twilio", "vonage")
    assert all(registry.by_kind(kind).kind == kind for kind in registry.kinds())
    with pytest.raises(Refused) as refusal:
        registry.by_kind("pigeon")
    assert all(kind in str(refusal.value) for kind in registry.kinds())


@pytest.mark.parametrize("kind", registry.kinds())
def test_a_channel_names_its_settings_and_which_are_secret(kind: str) -> None:
    channel = registry.by_kind(kind)
    faults = channel.check({})
    assert all(any(fault.startswith(f.name) for fault in faults) for f in channel.fields if f.required)
    assert any(f.secret for f in channel.fields)


def test_every_outcome_follows_from_some_reason_or_is_acceptance() -> None:
    assert set(base.OUTCOMES.values()) == set(base.Outcome.__args__) - {"accepted"}  # type: ignore[attr-defined]
    assert set(base.OUTCOMES) == set(base.Reason.__args__)  # type: ignore[attr-defined]
