"""Raw posts as Africa's Talking sends them, and what it gets back."""

import json
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from gateway.channels import africastalking, base, registry
from gateway.channels.base import BadCallback, CallbackRequest, Dialled, Inbound, Outgoing, Report, WireReply
from gateway.vault import Vault
from tests import builders, simulated
from tests.channels import conformance

SECRET = "q7TqYw2nB5mZx0LkVd9sRfAa"
SETTINGS = {"secret": SECRET, "callback_url": "https://gateway.example.org/c/1"}
GOOD = b"sessionId=ATUid_9f3c&serviceCode=%2A123%23&phoneNumber=%2B84912345678&networkCode=99999&text=1%2A2"


def posted(body: bytes = GOOD, query: str = f"key={SECRET}", **headers: str) -> CallbackRequest:
    path = "/c/1/ussd"
    return CallbackRequest(f"https://gateway.example.org{path}?{query}", path, query, headers, body)


TEXTS = SETTINGS | {"username": "clinic", "api_key": "atsk_9f3c01aa2b", "sender": "22384"}
# As in its documentation, with other numbers.
TEXT = b"linkId=28a92cdf&text=D%E1%BB%ABng+%2B+1%21&to=22384&id=b9f3c01a-2f77&date=2026-06-22T08%3A46%3A11Z&from=%2B254711000111&networkCode=63902"
REPORT = b"id=ATXid_9f3c01aa&status=Success&phoneNumber=%2B254711000111&networkCode=63902&retryCount=0"
OPT_OUT = b"senderId=CLINIC&phoneNumber=%2B254711000111"
ONE = {"statusCode": 101, "number": "+254711000111", "status": "Success", "cost": "KES 0.8000", "messageId": "ATXid_9f3c01aa"}


def answered(recipients: Any, status: int = 201, **headers: str) -> WireReply:
    said = {"SMSMessageData": {"Message": "Sent to 1/1 Total Cost: KES 0.8000", "Recipients": recipients}}
    return WireReply(status, headers, json.dumps(said).encode())


def told(code: int) -> WireReply:
    return answered([ONE | {"statusCode": code, "messageId": "None"}])


def _read_sent(request: base.WireRequest) -> tuple[str, str]:
    form = base.read_form(request.body)
    return form["to"][0], form["message"][0]


CARRIER = conformance.Carrier(
    settings=TEXTS,
    posted=lambda settings, what, body, _: conformance.post(settings, what, body, f"key={settings.get('secret', '')}"),
    ussd=lambda session, phone, text: urlencode({"sessionId": session, "serviceCode": "*1#", "phoneNumber": phone, "text": text}).encode(),
    text=lambda carrier_id, phone, text: (urlencode({"id": carrier_id, "from": phone, "to": "22384", "text": text, "linkId": "l1"}).encode(), ""),
    report=lambda _token, word: (urlencode({"id": conformance.CARRIER_ID, "status": word, "phoneNumber": conformance.PHONE}).encode(), ""),
    states={"Buffered": "accepted", "Sent": "sent", "Success": "delivered", "Failed": "failed", "Expired": "expired"},
    reads=_read_sent,
    accepted=answered([ONE | {"messageId": conformance.CARRIER_ID}]),
    refusals=[(told(401), "filtered"), (told(402), "bad_sender"), (told(403), "bad_number"), (told(405), "suspended"), (told(406), "opted_out"),
              (told(502), "server_error"), (WireReply(401, {}, b"The supplied authentication is invalid"), "bad_credentials"),
              (WireReply(429, {}, b""), "rate_limited")],
    signs_body=False,
    bears_token=False,
)  # fmt: skip


def test_a_step_is_read_with_its_stars() -> None:
    assert africastalking.read_ussd(posted()) == Dialled("ATUid_9f3c", "+84912345678", "1*2")
    first = GOOD.replace(b"text=1%2A2", b"text=")
    assert africastalking.read_ussd(posted(first)).text == ""
    assert africastalking.read_ussd(posted(GOOD.replace(b"1%2A2", "đau*+".encode()))).text == "đau* "


@pytest.mark.parametrize("body", [
    b"", b"{}", GOOD.replace(b"sessionId", b"session"), GOOD.replace(b"%2B84912345678", b"anonymous"), GOOD.replace(b"%2B84912345678", b""),
    GOOD.replace(b"&text=1%2A2", b""), GOOD.replace(b"1%2A2", b"1" * 2_001), GOOD.replace(b"ATUid_9f3c", b"x" * 300), b"\xff\xfe&=&&",
])  # fmt: skip
def test_a_wrong_post_is_refused(body: bytes) -> None:
    with pytest.raises(BadCallback):
        africastalking.read_ussd(posted(body))


def test_the_secret_comes_in_the_address_or_a_header() -> None:
    assert africastalking.verify(SETTINGS, posted())
    assert africastalking.verify(SETTINGS, posted(query="", **{"x-gateway-key": SECRET}))
    for query in ("", "key=", f"key={SECRET}x", f"Key={SECRET}", "key=%FF", "key=đ"):
        assert not africastalking.verify(SETTINGS, posted(query=query))


def test_screens_begin_with_what_goes_on() -> None:
    going, ending = africastalking.ussd_reply("Chọn:\n1 A", True), africastalking.ussd_reply("Bye", False)
    assert (going.status, going.body.decode(), ending.body) == (200, "CON Chọn:\n1 A", b"END Bye")
    assert going.headers["Content-Type"].startswith("text/plain")


def test_without_an_account_it_has_menus_alone() -> None:
    assert not registry.capabilities("africastalking", SETTINGS).texts
    assert registry.capabilities("africastalking", TEXTS).texts
    with pytest.raises(BadCallback):
        africastalking.send_request(SETTINGS, Outgoing(uuid4(), "t", "+84912345678", "x"))


def test_a_short_secret_is_refused() -> None:
    assert africastalking.check({"secret": "short"}) and africastalking.check({})
    assert africastalking.check({"secret": SECRET}) == []
    assert africastalking.check(TEXTS) == []
    assert africastalking.check({"secret": SECRET, "username": "clinic"}) and africastalking.check({"secret": SECRET, "api_key": "k"})


# --- texts --------------------------------------------------------------------------------------------------------------

LATER = datetime(2026, 6, 22, 9, tzinfo=UTC)


def heard(body: bytes, received_at: datetime | None = None) -> CallbackRequest:
    return replace(posted(body), received_at=received_at)


def test_a_text_is_read_as_typed_and_the_same_once_more_is_the_same() -> None:
    found = africastalking.read_inbound(heard(TEXT))
    assert found == Inbound("b9f3c01a-2f77", "+254711000111", "22384", "Dừng + 1!", datetime(2026, 6, 22, 8, 46, 11, tzinfo=UTC))
    assert africastalking.read_inbound(heard(TEXT, LATER)) == found
    assert africastalking.read_inbound(heard(TEXT.replace(b"T08%3A46%3A11Z", b"+08%3A46%3A11"))).sent_at is None, "no zone, no moment"
    assert africastalking.read_inbound(heard(TEXT.replace(b"D%E1%BB%ABng", b"%FF%00"))).text == "\\xff\0 + 1!"
    assert africastalking.read_inbound(heard(TEXT.replace(b"text=D%E1%BB%ABng+%2B+1%21", b"text="))).text == ""


@pytest.mark.parametrize("body", [
    b"", b"{}", b"\xff\xfe&=&&", TEXT.replace(b"&id=", b"&ident="), TEXT.replace(b"b9f3c01a-2f77", b"x" * 300), TEXT.replace(b"&from=", b"&sender="),
    TEXT.replace(b"text=", b"body="), b"senderId=CLINIC", b"phoneNumber=%2B254711000111",
])  # fmt: skip
def test_what_is_neither_a_text_nor_an_opt_out_is_refused(body: bytes) -> None:
    with pytest.raises(BadCallback):
        africastalking.read_inbound(heard(body))


def test_an_opt_out_without_an_id_is_a_new_one_each_time() -> None:
    found = africastalking.read_inbound(heard(OPT_OUT, LATER))
    assert (found.sender_phone, found.to_phone, found.text, found.opt_out) == ("+254711000111", "CLINIC", "", "stop")
    assert africastalking.read_inbound(heard(OPT_OUT, LATER + timedelta(days=9))).carrier_id != found.carrier_id
    assert "254711000111" not in found.carrier_id


@pytest.mark.parametrize(("word", "why", "wanted"), [
    ("Success", "", ("delivered", None, None)), ("Sent", "", ("sent", None, None)), ("Submitted", "", ("sent", None, None)),
    ("Buffered", "", ("accepted", None, None)), ("Expired", "", ("expired", "Expired", "expired")), ("Melted", "", (None, "Melted", None)),
    ("Failed", "UserDoesNotExist", ("failed", "UserDoesNotExist", "bad_number")), ("Rejected", "UserInBlackList", ("failed", "UserInBlackList", "opted_out")),
    ("Failed", "NewWord", ("failed", "NewWord", "unrecognised")), ("Failed", "", ("failed", "Failed", "unrecognised")),
    ("AbsentSubscriber", "", ("failed", "AbsentSubscriber", "unreachable")), ("Melted \N{GRINNING FACE}", "", (None, None, None)),
])  # fmt: skip
def test_each_word_of_a_report_has_its_state(word: str, why: str, wanted: tuple[Any, ...]) -> None:
    body = REPORT.replace(b"Success", quote(word).encode()) + (f"&failureReason={why}".encode() if why else b"")
    assert africastalking.read_report(posted(body)) == Report(None, "ATXid_9f3c01aa", *wanted)


@pytest.mark.parametrize("body", [b"", b"{}", REPORT.replace(b"id=A", b"ident=A"), REPORT.replace(b"status", b"state"), REPORT.replace(b"ATXid", b"%E1%BB%AB" * 99)])
def test_what_is_no_report_is_refused(body: bytes) -> None:
    with pytest.raises(BadCallback):
        africastalking.read_report(posted(body))


def test_a_text_is_asked_for_with_number_and_words_in_the_body_alone() -> None:
    request = africastalking.send_request(TEXTS, Outgoing(uuid4(), "t", "+254711000111", "Hẹn & gặp + 9h"))
    assert (request.method, request.url) == ("POST", "https://api.africastalking.com/version1/messaging")
    assert request.headers["apiKey"] == "atsk_9f3c01aa2b"
    assert base.read_form(request.body) == {
        "username": ["clinic"], "to": ["+254711000111"], "message": ["Hẹn & gặp + 9h"], "enqueue": ["1"], "from": ["22384"],
    }  # fmt: skip
    assert b"from" not in africastalking.send_request(SETTINGS | {"username": "u", "api_key": "k"}, Outgoing(uuid4(), "t", "+254711000111", "x")).body


@pytest.mark.parametrize(("code", "outcome", "reason"), [
    (401, "filtered", "filtered"), (402, "channel_down", "bad_sender"), (403, "permanent", "bad_number"), (404, "permanent", "bad_number"),
    (405, "channel_down", "suspended"), (406, "opted_out", "opted_out"), (407, "permanent", "unreachable"), (409, "filtered", "filtered"),
    (500, "unknown", "server_error"), (501, "unknown", "server_error"), (502, "unknown", "server_error"), (499, "permanent", "unrecognised"),
])  # fmt: skip
def test_each_code_of_a_recipient_has_its_outcome(code: int, outcome: str, reason: str) -> None:
    found = africastalking.read_answer(told(code))
    assert (found.outcome, found.reason, found.code) == (outcome, reason, str(code))


@pytest.mark.parametrize("code", [100, 101, 102])
def test_a_text_it_took_has_its_id(code: int) -> None:
    assert africastalking.read_answer(answered([ONE | {"statusCode": code}])) == base.SendResult("accepted", "ATXid_9f3c01aa")


@pytest.mark.parametrize(("reply", "outcome", "reason"), [
    (answered([]), "unknown", "unreadable"), (answered([ONE, ONE]), "unknown", "unreadable"), (answered([{}]), "unknown", "unreadable"),
    (answered([ONE | {"messageId": "None"}]), "unknown", "unreadable"), (answered([ONE | {"messageId": None}]), "unknown", "unreadable"),
    (answered(["+254711000111"]), "unknown", "unreadable"), (answered(None), "unknown", "unreadable"), (answered([ONE], 302), "unknown", "unreadable"),
    (WireReply(201, {}, b""), "unknown", "unreadable"), (WireReply(201, {}, b"<html>"), "unknown", "unreadable"), (WireReply(201, {}, b"[]"), "unknown", "unreadable"),
    (WireReply(201, {}, b'{"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}'), "channel_down", "bad_sender"),
    (WireReply(401, {}, b"The supplied authentication is invalid"), "channel_down", "bad_credentials"),
    (WireReply(400, {}, b"Request is missing required form field 'to'"), "unknown", "unreadable"), (WireReply(503, {}, b""), "unknown", "server_error"),
    (WireReply(429, {"retry-after": "7"}, b""), "throttled", "rate_limited"),
])  # fmt: skip
def test_each_answer_has_its_outcome(reply: WireReply, outcome: str, reason: str) -> None:
    found = africastalking.read_answer(reply)
    assert (found.outcome, found.reason) == (outcome, reason)
    assert found.retry_after_s == (7 if reply.status == 429 else None)


def test_an_opt_out_at_the_carrier_stops_the_phone_though_a_start_lay_between(engine: Engine, vault: Vault, redis_url: str) -> None:
    with simulated.running(engine, vault, redis_url) as here:
        world = here.world
        settings = {name: value for name, value in TEXTS.items() if name != "callback_url"}
        channel_id = builders.channel(engine, vault, world.now, world.unit_id, "africastalking", name="at", settings=settings)
        phone = world.phone_of(world.client())

        def post(what: str, **form: str) -> int:
            with urllib.request.urlopen(f"{here.url}/c/{channel_id}/{what}?key={SECRET}", urlencode(form).encode(), timeout=20) as answer:
                return int(answer.status)

        assert post("inbound", senderId="CLINIC", phoneNumber=phone) == 204
        assert post("inbound", id=str(uuid4()), text="START", to="22384", **{"from": phone}) == 204
        assert world.value("SELECT count(*) FROM stops") == 0
        assert post("inbound", senderId="CLINIC", phoneNumber=phone) == 204
        assert world.value("SELECT count(*) FROM stops") == 1
