"""Twilio's callbacks, byte by byte: what is verified, what is read, and what may not be believed."""

import hashlib
import json
from contextlib import suppress
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from gateway.channels import base, twilio
from gateway.channels.base import CallbackRequest, WireReply
from tests.channels.conformance import CARRIER_ID, Carrier

SETTINGS = {
    "account_sid": "AC" + "a" * 32,
    "auth_token": "first-token",
    "sender": "+15550001111",
    "callback_url": "https://gateway.example/c/k3",
}
URL = "https://gateway.example/c/k3/inbound"
REPORT_URL = "https://gateway.example/c/k3/report?t=tok-1"
SID = "SM" + "0" * 31 + "1"

# As posted by Twilio for a Vietnamese reply: order, case and escapes are its own.
INBOUND = (
    b"ToCountry=US&ToState=&SmsMessageSid=SM00000000000000000000000000000001&NumMedia=0&ToCity=&FromZip="
    b"&SmsSid=SM00000000000000000000000000000001&FromState=&SmsStatus=received&FromCity="
    b"&Body=+D%E1%BB%ABng%20l%E1%BA%A1i%21+%2B1+&FromCountry=VN&To=%2B15550001111&ToZip=&NumSegments=1"
    b"&MessageSid=SM00000000000000000000000000000001&AccountSid=ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    b"&From=%2B84912345678&ApiVersion=2010-04-01"
)


def callback(
    body: bytes, url: str = URL, token: str = "first-token", kind: str = "application/x-www-form-urlencoded"
) -> CallbackRequest:
    """A callback signed as Twilio signs it."""
    fields = {name: values[0] for name, values in base.read_form(body, "replace").items()}
    signature = RequestValidator(token).compute_signature(url, fields if "json" not in kind else {})
    return unsigned(body, url, {"content-type": kind, "x-twilio-signature": signature})


def unsigned(body: bytes, url: str, headers: dict[str, str]) -> CallbackRequest:
    parts = urlsplit(url)
    return CallbackRequest(url, parts.path, parts.query, headers, body)


def form(**fields: str) -> bytes:
    return urlencode({"MessageSid": SID, "From": "+84912345678", "To": "+15550001111"} | fields).encode()


def posted(settings: base.Settings, what: str, body: bytes, query: str) -> CallbackRequest:
    address = f"{settings['callback_url']}/{what}" + (f"?{query}" if query else "")
    return callback(body, address, settings.get("auth_token", ""))


def refusal(status: int, code: int, reason: base.Reason) -> tuple[WireReply, base.Reason]:
    return WireReply(status, {}, json.dumps({"code": code, "message": "about +84912345678", "status": status}).encode()), reason


def _read_sent(request: base.WireRequest) -> tuple[str, str]:
    sent = base.read_form(request.body)
    return sent["To"][0], sent["Body"][0]


CARRIER = Carrier(
    settings=SETTINGS,
    posted=posted,
    text=lambda carrier_id, phone, text: (form(MessageSid=carrier_id, From=phone, Body=text), ""),
    report=lambda token, word: (form(MessageSid=CARRIER_ID, MessageStatus=word), f"t={token}"),
    states={
        "queued": "accepted", "sending": "accepted", "sent": "sent", "delivered": "delivered", "undelivered": "failed", "failed": "failed",
        "canceled": "cancelled",
    },
    reads=_read_sent,
    accepted=WireReply(201, {}, json.dumps({"sid": CARRIER_ID, "status": "queued", "error_code": None}).encode()),
    refusals=[
        refusal(429, 20429, "rate_limited"), refusal(429, 63038, "daily_limit"), refusal(400, 21611, "queue_full"),
        refusal(400, 21211, "bad_number"), refusal(400, 21614, "landline"), refusal(400, 21617, "bad_text"), refusal(400, 21610, "opted_out"),
        refusal(400, 30007, "filtered"), refusal(401, 20003, "bad_credentials"), refusal(400, 21606, "bad_sender"),
        refusal(400, 21408, "country_off"), refusal(403, 30002, "suspended"), refusal(400, 30029, "misconfigured"),
        refusal(400, 99999, "unrecognised"), refusal(500, 20500, "server_error"),
    ],
)  # fmt: skip


def report(status: str, **fields: str) -> base.Report:
    return twilio.read_report(callback(form(MessageStatus=status, **fields), REPORT_URL))


# verify


def test_a_signed_text_is_verified_and_read_as_typed() -> None:
    request = callback(INBOUND)
    assert twilio.verify(SETTINGS, request)
    inbound = twilio.read_inbound(request)
    assert inbound == base.Inbound(SID, "+84912345678", "+15550001111", " Dừng lại! +1 ")


@pytest.mark.parametrize("token", ["first-token", "second-token"])
def test_while_tokens_are_rotated_both_are_good(token: str) -> None:
    settings = SETTINGS | {"second_token": "second-token"}
    assert twilio.verify(settings, callback(INBOUND, token=token))
    assert not twilio.verify(settings, callback(INBOUND, token="third-token"))


def test_an_empty_second_token_lets_nobody_in() -> None:
    assert not twilio.verify(SETTINGS | {"second_token": ""}, callback(INBOUND, token=""))


@pytest.mark.parametrize("signature", ["", "AAAA", "0/KCTR6DLpKmkAf8muzZqo1nDgQ=", "Ỏ" * 28, "\x00" * 28])
def test_a_missing_or_random_signature_is_refused(signature: str) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature}
    assert not twilio.verify(SETTINGS, unsigned(INBOUND, URL, headers))


def test_without_any_header_a_callback_is_refused() -> None:
    assert not twilio.verify(SETTINGS, unsigned(INBOUND, URL, {}))


def test_an_altered_body_or_address_is_refused() -> None:
    good = callback(INBOUND)
    headers = dict(good.headers)
    assert not twilio.verify(SETTINGS, unsigned(INBOUND.replace(b"%2B1", b"2"), URL, headers))
    assert not twilio.verify(SETTINGS, unsigned(INBOUND + b"&OptOutType=STOP", URL, headers))
    assert not twilio.verify(SETTINGS, unsigned(INBOUND, URL.replace("k3", "k4"), headers))
    assert not twilio.verify(SETTINGS, unsigned(INBOUND, URL + "?t=1", headers))


@pytest.mark.parametrize(
    "url",
    [
        "https://gateway.example:8443/c/k3/report?t=a%2Bb+c",
        "https://gateway.example/c/k3/report/?t=a&t=b&empty=",
        "http://127.0.0.1:8080/c/k3/report?t=a",
    ],
)
def test_ports_plus_signs_and_slashes_in_the_address_are_kept(url: str) -> None:
    assert twilio.verify(SETTINGS, callback(INBOUND, url))


@pytest.mark.parametrize("signed_with", ["https://gateway.example:443/c/k3/inbound", URL])
def test_the_default_port_may_be_in_the_signature_or_not(signed_with: str) -> None:
    headers = callback(INBOUND, signed_with).headers
    assert twilio.verify(SETTINGS, unsigned(INBOUND, URL, dict(headers)))


def hashed(body: bytes, digest_of: bytes, kind: str = "application/json") -> CallbackRequest:
    url = f"{REPORT_URL}&bodySHA256={hashlib.sha256(digest_of).hexdigest()}"
    return (
        callback(body, url, kind=kind)
        if "json" in kind
        else unsigned(
            body,
            url,
            {
                "Content-Type": kind,
                "X-Twilio-Signature": callback(b"", url, kind="json").header("x-twilio-signature"),
            },
        )
    )


def test_a_json_report_is_covered_by_its_hash() -> None:
    body = json.dumps({"MessageSid": SID, "MessageStatus": "sent", "ErrorCode": None}).encode()
    assert twilio.verify(SETTINGS, hashed(body, body))
    assert twilio.read_report(hashed(body, body)) == base.Report("tok-1", SID, "sent")


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_a_body_that_is_not_the_hashed_one_is_refused_whatever_its_kind(kind: str) -> None:
    assert not twilio.verify(SETTINGS, hashed(form(MessageStatus="delivered"), b"{}", kind))
    assert not twilio.verify(SETTINGS, hashed(b"", b"{}", kind))
    assert not twilio.verify(SETTINGS, hashed(b"\xff\xfe", b"\xff\xfe", kind))


def test_json_whose_body_nothing_covers_is_refused() -> None:
    body = b'{"MessageSid": "SM1", "From": "+84", "To": "+1"}'
    assert not twilio.verify(SETTINGS, callback(body, kind="application/json"))


def test_an_empty_form_is_refused() -> None:
    assert not twilio.verify(SETTINGS, callback(b""))


@given(st.binary(max_size=200), st.text(max_size=40), st.text(max_size=40))
def test_verifying_never_raises(body: bytes, signature: str, query: str) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature}
    assert not twilio.verify(SETTINGS, unsigned(body, f"{URL}?{query}", headers))
    assert not twilio.verify(SETTINGS, unsigned(body, f"{URL}?bodySHA256={query}", headers))


# read


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        (b"++", "  "),
        (b"a%00b", "a\x00b"),
        (b"%F0%9F%98%80", "\U0001f600"),
        (b"\xe1\xbb\xab", "ừ"),
        (b"%FF%FEx", "\\xff\\xfex"),
        (b"%ED%A0%80", "\\xed\\xa0\\x80"),
        (b"100%", "100%"),
        (b"a%3Db%26c", "a=b&c"),
        (b"%E2%80%AEabc", "\u202eabc"),
        (b"x" * 10_000, "x" * 10_000),
    ],
)
def test_odd_texts_are_kept_without_loss(body: bytes, text: str) -> None:
    request = callback(form() + b"&Body=" + body)
    assert twilio.verify(SETTINGS, request)
    assert twilio.read_inbound(request).text == text


def test_a_text_without_body_has_an_empty_one() -> None:
    assert twilio.read_inbound(callback(form())).text == ""


def test_a_picture_is_told_from_a_text() -> None:
    assert twilio.read_inbound(callback(form(Body="", NumMedia="2"))).media
    assert not twilio.read_inbound(callback(form(Body="", NumMedia="0"))).media


@pytest.mark.parametrize(
    ("word", "opt_out"), [("STOP", "stop"), ("START", "start"), ("HELP", "help"), ("OTHER", None)]
)
def test_twilios_own_opt_out_is_told(word: str, opt_out: str | None) -> None:
    assert twilio.read_inbound(callback(form(Body="x", OptOutType=word))).opt_out == opt_out


def test_a_text_posted_to_the_fallback_address_is_the_same_text() -> None:
    """As Twilio posts it to another host of ours after the first one failed: the same id, and why."""
    fallback = "https://second.example/c/k3/inbound"
    body = INBOUND + b"&ErrorCode=11200&ErrorUrl=https%3A%2F%2Fgateway.example%2Fc%2Fk3%2Finbound"
    request = callback(body, fallback)
    assert twilio.verify(SETTINGS, request)
    assert twilio.read_inbound(request) == twilio.read_inbound(callback(INBOUND))


def test_a_long_text_that_comes_as_a_picture_is_flagged_as_one() -> None:
    """Twilio turns some long texts into a message with media and no body."""
    found = twilio.read_inbound(callback(form(Body="", NumMedia="1", MediaContentType0="text/plain", MediaUrl0="https://api.twilio.com/x")))
    assert (found.text, found.media) == ("", True)


@pytest.mark.parametrize("name", ["MessageSid", "From", "To"])
def test_a_text_that_lacks_what_it_must_have_is_refused_without_its_content(name: str) -> None:
    with pytest.raises(base.BadCallback, match=name) as refusal:
        twilio.read_inbound(callback(form(Body="secret", **{name: ""})))
    assert "secret" not in str(refusal.value)


def test_a_sid_no_database_could_hold_is_refused() -> None:
    with pytest.raises(base.BadCallback, match="MessageSid"):
        twilio.read_inbound(callback(form(MessageSid="SM\x00")))


@given(st.binary(max_size=300))
def test_reading_whatever_is_posted_gives_a_text_or_a_refusal(body: bytes) -> None:
    with suppress(base.BadCallback):
        twilio.read_inbound(callback(body)).text.encode()


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("accepted", "accepted"),
        ("queued", "accepted"),
        ("sending", "accepted"),
        ("scheduled", "accepted"),
        ("sent", "sent"),
        ("delivered", "delivered"),
        ("read", "delivered"),
        ("canceled", "cancelled"),
        ("partially_something", None),
    ],
)
def test_each_status_has_its_state_and_an_unknown_one_none(status: str, state: base.State | None) -> None:
    assert report(status) == base.Report("tok-1", SID, state)


@pytest.mark.parametrize(
    ("code", "state", "outcome"),
    [
        ("30003", "failed", "permanent"),
        ("30005", "failed", "permanent"),
        ("30006", "failed", "permanent"),
        ("30007", "failed", "filtered"),
        ("30004", "failed", "filtered"),
        ("21610", "failed", "opted_out"),
        ("30001", "failed", "throttled"),
        ("30002", "failed", "channel_down"),
        ("30036", "expired", "permanent"),
        ("99999", "failed", "permanent"),
    ],
)
def test_a_failed_report_says_why(code: str, state: str, outcome: str) -> None:
    found = report("undelivered", ErrorCode=code)
    assert found.reason is not None
    assert (found.state, found.code, base.OUTCOMES[found.reason]) == (state, code, outcome)


def test_a_failed_report_without_a_code_is_unrecognised() -> None:
    assert report("failed").reason == "unrecognised"


def test_a_report_without_our_token_still_has_the_sid() -> None:
    found = twilio.read_report(callback(form(MessageStatus="sent"), URL))
    assert (found.token, found.carrier_id) == (None, SID)


def test_the_reply_to_a_callback_says_nothing_to_the_client() -> None:
    assert twilio.inbound_reply() == WireReply(200, {"content-type": "text/xml"}, b"<Response/>")
