"""Raw posts as Vonage sends them, signed as its libraries sign, and what its answers mean."""

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from gateway.channels import base, vonage
from gateway.channels.base import BadCallback, CallbackRequest, Inbound, Outgoing, Part, Report, WireReply
from tests.channels import conformance

SETTINGS = {
    "api_key": "abcd1234", "api_secret": "s3cr3t-of-the-api", "signature_secret": "kD9sR2fAq7TqYw2nB5mZx0LkVd9sRfAa", "sender": "447700900001",
    "callback_url": "https://gateway.example.org/c/1",
}  # fmt: skip
# As in its documentation, with other numbers.
TEXT = {
    "msisdn": "447700900002", "to": "447700900001", "messageId": "0A0000000123ABCD1", "text": "Yes & no = +1 đ", "type": "unicode", "keyword": "YES",
    "api-key": "abcd1234", "message-timestamp": "2026-06-22 08:46:11", "timestamp": "1782117971", "nonce": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
}  # fmt: skip
REPORT = {
    "msisdn": "447700900002", "to": "447700900001", "network-code": "23410", "messageId": "0A0000000123ABCD1", "price": "0.03330000", "status": "delivered",
    "scts": "2606220846", "err-code": "0", "api-key": "abcd1234", "client-ref": conformance.TOKEN, "message-timestamp": "2026-06-22 08:46:11",
    "timestamp": "1782117971", "nonce": "n",
}  # fmt: skip


def signed(told: dict[str, str], settings: base.Settings = SETTINGS) -> dict[str, str]:
    return {**told, "sig": vonage.sign(settings.get("signature_secret", ""), settings.get("signature", "sha256"), told)}


def as_form(told: dict[str, str], what: str = "inbound") -> CallbackRequest:
    return conformance.post(SETTINGS, what, urlencode(told).encode(), content_type="application/x-www-form-urlencoded; charset=utf-8")


def as_query(told: dict[str, str], what: str = "inbound") -> CallbackRequest:
    return conformance.post(SETTINGS, what, b"", urlencode(told))


def as_json(told: dict[str, Any], what: str = "inbound") -> CallbackRequest:
    return conformance.post(SETTINGS, what, json.dumps(told).encode(), content_type="application/json")


def answered(*statuses: str, **more: str) -> WireReply:
    parts = [{"to": "447700900002", "message-id": f"{conformance.CARRIER_ID}", "status": status, "remaining-balance": "1", **more} for status in statuses]
    return WireReply(200, {}, json.dumps({"message-count": str(len(parts)), "messages": parts}).encode())


def _posted(settings: base.Settings, what: str, body: bytes, query: str) -> CallbackRequest:
    told = {**json.loads(body), "timestamp": "1782117971", "nonce": "n"}
    return replace(as_json(signed(told, settings), what), url=f"{settings['callback_url']}/{what}", path=f"/c/1/{what}")


def _read_sent(request: base.WireRequest) -> tuple[str, str]:
    form = base.read_form(request.body)
    return f"+{form['to'][0]}", form["text"][0]


CARRIER = conformance.Carrier(
    settings=SETTINGS,
    posted=_posted,
    text=lambda carrier_id, phone, text: (json.dumps({"messageId": carrier_id, "msisdn": phone[1:], "type": "text", "text": text}).encode(), ""),
    report=lambda token, word: (json.dumps({"messageId": conformance.CARRIER_ID, "status": word, "err-code": "0", "client-ref": token}).encode(), ""),
    states={"buffered": "accepted", "accepted": "sent", "delivered": "delivered", "failed": "failed", "rejected": "failed", "expired": "expired"},
    unknown="unknown",
    reads=_read_sent,
    accepted=answered("0"),
    refusals=[(answered("1"), "rate_limited"), (answered("6"), "bad_number"), (answered("7"), "filtered"), (answered("9"), "suspended"),
              (answered("15"), "bad_sender"), (answered("5"), "server_error"), (WireReply(401, {}, b""), "bad_credentials"), (answered("99"), "unrecognised")],
    never={"opted_out": "it takes the text and says it in the report, err-code 9"},
)  # fmt: skip


@pytest.mark.parametrize("way", [as_form, as_query, as_json])
def test_a_signed_text_is_read_as_typed_however_it_is_posted(way: Any) -> None:
    request = way(signed(TEXT))
    assert vonage.verify(SETTINGS, request)
    sent_at = datetime(2026, 6, 22, 8, 46, 11, tzinfo=UTC)
    assert vonage.read_inbound(request) == Inbound("0A0000000123ABCD1", "+447700900002", "+447700900001", "Yes & no = +1 đ", sent_at)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_the_signature_is_the_one_its_libraries_make(algorithm: str) -> None:
    ours = SETTINGS | {"signature": algorithm}
    covered = "".join(f"&{name}={TEXT[name].replace('&', '_').replace('=', '_')}" for name in sorted(TEXT))
    sig = hmac.new(ours["signature_secret"].encode(), covered.encode(), algorithm).hexdigest()
    assert vonage.verify(ours, as_form({**TEXT, "sig": sig.upper()}))
    other = {"sha256": "sha512", "sha512": "sha256"}[algorithm]
    assert not vonage.verify(SETTINGS | {"signature": other}, as_form({**TEXT, "sig": sig}))


def test_a_signature_of_the_account_s_first_setting_is_too_weak() -> None:
    covered = "".join(f"&{name}={value}" for name, value in sorted(TEXT.items()))
    md5 = hashlib.md5((covered + SETTINGS["signature_secret"]).encode()).hexdigest()
    assert not vonage.verify(SETTINGS, as_form({**TEXT, "sig": md5}))
    assert vonage.check(SETTINGS | {"signature": "md5"}) == ["signature is sha256 or sha512: set one of them in the dashboard too"]


@pytest.mark.parametrize("name", sorted(TEXT))
def test_a_field_that_was_changed_or_left_out_or_given_twice_is_not_believed(name: str) -> None:
    good = signed(TEXT)
    assert not vonage.verify(SETTINGS, as_form({**good, name: good[name] + "0"}))
    assert not vonage.verify(SETTINGS, as_form({each: value for each, value in good.items() if each != name}))
    twice = as_form(good)
    assert not vonage.verify(SETTINGS, replace(twice, body=twice.body + b"&" + urlencode({name: "x"}).encode()))


def test_a_post_without_a_moment_is_not_believed() -> None:
    assert not vonage.verify(SETTINGS, as_form(signed({name: value for name, value in TEXT.items() if name != "timestamp"})))


@pytest.mark.parametrize(("concat", "part"), [
    ({"concat": "true", "concat-ref": "108", "concat-part": "2", "concat-total": "3"}, Part("108", 2, 3)), ({"concat": "false"}, None), ({}, None),
    ({"concat": "true", "concat-ref": "108", "concat-part": "4", "concat-total": "3"}, None), ({"concat": "true", "concat-part": "1", "concat-total": "2"}, None),
    ({"concat": "true", "concat-ref": "108", "concat-part": "0", "concat-total": "3"}, None), ({"concat": "true", "concat-ref": "1", "concat-part": "x"}, None),
])  # fmt: skip
def test_a_part_of_a_long_text_says_which_it_is(concat: dict[str, str], part: Part | None) -> None:
    for way in (as_form, as_json):
        found = vonage.read_inbound(way(signed(TEXT | concat)))
        assert (found.part, found.text) == (part, TEXT["text"]), "what is no part is a whole text"


def test_figures_may_be_numbers_in_json() -> None:
    told: dict[str, Any] = {**TEXT, "concat": "true", "concat-ref": "108", "concat-part": 2, "concat-total": 3, "timestamp": 1782117971}
    sig = vonage.sign(SETTINGS["signature_secret"], "sha256", {name: str(value) for name, value in told.items()})
    request = as_json({**told, "sig": sig})
    assert vonage.verify(SETTINGS, request)
    assert vonage.read_inbound(request).part == Part("108", 2, 3)
    assert not vonage.verify(SETTINGS, as_json({**told, "sig": sig, "text": ["a"]}))


def test_of_a_binary_message_only_that_it_came_is_kept() -> None:
    binary = {name: value for name, value in TEXT.items() if name != "text"} | {"type": "binary", "data": "0a0b", "udh": "06050415811581"}
    found = vonage.read_inbound(as_form(signed(binary)))
    assert (found.text, found.media) == ("", True)


def test_a_sender_that_is_a_name_stays_a_name() -> None:
    assert vonage.read_inbound(as_form(signed(TEXT | {"msisdn": "Bank"}))).sender_phone == "Bank"
    assert vonage.read_inbound(as_form(signed(TEXT | {"to": "62622"}))).to_phone == "62622"


@pytest.mark.parametrize("left_out", ["msisdn", "messageId", "text"])
def test_what_is_no_text_is_refused(left_out: str) -> None:
    with pytest.raises(BadCallback):
        vonage.read_inbound(as_form(signed({name: value for name, value in TEXT.items() if name != left_out})))


@pytest.mark.parametrize(("word", "code", "wanted"), [
    ("delivered", "0", ("delivered", None, None)), ("failed", "9", ("failed", "9", "opted_out")), ("rejected", "6", ("failed", "6", "filtered")),
    ("failed", "3", ("failed", "3", "bad_number")), ("failed", "777", ("failed", "777", "unrecognised")), ("expired", "0", ("expired", None, "expired")),
    ("unknown", "1", (None, "1", None)), ("Melted", "0", (None, None, None)),
])  # fmt: skip
def test_a_report_bears_our_token_and_why_it_failed(word: str, code: str, wanted: tuple[Any, ...]) -> None:
    found = vonage.read_report(as_query(signed(REPORT | {"status": word, "err-code": code}), "report"))
    assert found == Report(conformance.TOKEN, "0A0000000123ABCD1", *wanted)


@pytest.mark.parametrize("left_out", ["messageId", "status"])
def test_what_is_no_report_is_refused(left_out: str) -> None:
    with pytest.raises(BadCallback):
        vonage.read_report(as_form(signed({name: value for name, value in REPORT.items() if name != left_out}), "report"))


def test_a_text_is_asked_for_in_the_letters_it_needs() -> None:
    def form(text: str, **more: Any) -> dict[str, list[str]]:
        return base.read_form(vonage.send_request(SETTINGS, Outgoing(uuid4(), "t-1", "+447700900002", text, **more)).body)

    assert form("Hello [1] €", validity_s=600) == {
        "api_key": ["abcd1234"], "api_secret": ["s3cr3t-of-the-api"], "from": ["447700900001"], "to": ["447700900002"], "text": ["Hello [1] €"],
        "type": ["text"], "status-report-req": ["1"], "callback": ["https://gateway.example.org/c/1/report"], "client-ref": ["t-1"], "ttl": ["600000"],
    }  # fmt: skip
    for wide in ("Hẹn", "e\u0301", "😀"):
        assert form(wide)["type"] == ["unicode"]
    assert (form("x", validity_s=1)["ttl"], form("x", validity_s=9_999_999)["ttl"]) == (["20000"], ["604800000"])
    assert form("x", sender="CLINIC")["from"] == ["CLINIC"]


@pytest.mark.parametrize(("reply", "outcome", "reason"), [
    (answered("0", "0", "0"), "accepted", None), (answered("0", "1"), "unknown", "unreadable"), (answered("1", "1"), "throttled", "rate_limited"),
    (answered("8"), "channel_down", "suspended"), (answered("29"), "channel_down", "misconfigured"), (answered("12"), "permanent", "bad_text"),
    (answered("0", **{"message-id": ""}), "unknown", "unreadable"), (replace(answered("0"), status=302), "unknown", "unreadable"),
    (answered(), "unknown", "unreadable"), (WireReply(200, {}, b'{"messages": ["0"]}'), "unknown", "unreadable"),
    (WireReply(200, {}, b'{"messages": {"status": "0"}}'), "unknown", "unreadable"), (WireReply(401, {}, b"<html>"), "channel_down", "bad_credentials"),
])  # fmt: skip
def test_each_answer_has_its_outcome(reply: WireReply, outcome: str, reason: str | None) -> None:
    found = vonage.read_answer(reply)
    assert (found.outcome, found.reason) == (outcome, reason)
