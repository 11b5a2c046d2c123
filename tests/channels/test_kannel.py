"""Kannel's smsbox: what it is posted, what it answers, and its callbacks as seen from Debian's 1.4.5."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from gateway.channels import base, kannel
from gateway.channels.base import BadCallback, CallbackRequest, Inbound, Outgoing, Report, WireReply
from tests.channels import conformance

SECRET = "q7TqYw2nB5mZx0LkVd9sRfAa"
SETTINGS = {
    "base_url": "http://127.0.0.1:13013", "username": "gateway", "password": "pa ss", "sender": "+84900000001", "secret": SECRET,
    "callback_url": "https://gateway.example.org/c/1",
}  # fmt: skip
TOKEN = "0b1f3a52-6c1e-4a57-9a0f-6f1f6b7d2c11"


def _posted(settings: base.Settings, what: str, body: bytes, query: str) -> CallbackRequest:
    """A post of smsbox; who texted stands in the headers, which the suite's bodies carry in a first line."""
    said = {"user_agent": "Kannel/1.4.5"}
    if what == "inbound":
        phone, _, body = body.partition(b"\n")
        said |= {"content_type": 'text/plain; charset="UTF-8"', "x_kannel_from": phone.decode("latin-1"), "x_kannel_to": "84900000001"}
    return conformance.post(settings, what, body, f"{query}&key={settings.get('secret', '')}", **said)


def _read_sent(request: base.WireRequest) -> tuple[str, str]:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return headers["x-kannel-to"], request.body.decode()


def said(status: int, words: str) -> WireReply:
    return WireReply(status, {"content-type": "text/html"}, words.encode())


REFUSALS: list[tuple[WireReply, base.Reason]] = [
    (said(400, "Charset or body misformed, rejected"), "bad_text"),
    (said(400, "Number(s) has/have been denied by white- and/or black-lists."), "filtered"),
    (said(400, "Sender missing and no global set, rejected"), "bad_sender"),
    (said(400, "Empty receiver number not allowed, rejected"), "bad_number"),
    (said(403, "Authorization failed for sendsms"), "bad_credentials"),
    (said(403, "Not routable. Do not try again."), "unreachable"),
    (said(404, "Unknown request."), "misconfigured"),
    (said(503, "Temporal failure, try again later."), "queue_full"),
    (said(500, "Sending failed."), "server_error"),
]
CARRIER = conformance.Carrier(
    settings=SETTINGS,
    posted=_posted,
    text=lambda carrier_id, phone, text: (f"{phone}\n{text}".encode(), f"id={carrier_id}"),
    report=lambda token, word: (b"", f"t={token}&status={word}"),
    states={"8": "sent", "1": "delivered", "2": "failed", "16": "failed", "4": "accepted"},
    unknown="32",
    reads=_read_sent,
    accepted=said(202, "0: Accepted for delivery"),
    refusals=REFUSALS,
    never={"opted_out": "smsbox knows of no opt-out: a network's own refusal comes as a report of failure"},
    signs_body=False,
)


def came_in(body: bytes, query: str = f"key={SECRET}&id=134da644-ab72-415e-9fcf-a27a860956e6", **headers: str) -> CallbackRequest:
    seen = {"content_type": 'text/plain; charset="UTF-8"', "x_kannel_from": "84912345678", "x_kannel_to": "84900000001",
            "x_kannel_time": "2026-11-22 19:04:55", "x_kannel_smsc": "in", "x_kannel_coding": "0", "x_kannel_service": "default"}  # fmt: skip
    return conformance.post(SETTINGS, "inbound", body, query, **(seen | headers))


def test_a_text_is_read_from_the_headers_and_the_body() -> None:
    assert kannel.verify(SETTINGS, came_in(b"YES please"))
    assert kannel.read_inbound(came_in(b"YES please")) == Inbound(
        "134da644-ab72-415e-9fcf-a27a860956e6", "84912345678", "84900000001", "YES please", datetime(2026, 11, 22, 19, 4, 55, tzinfo=UTC),
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "body", "text"), [
    ('text/plain; charset="UTF-16BE"', "ừ 😀".encode("utf-16-be"), "ừ 😀"), ('text/plain; charset="UTF-16BE"', "ừx".encode("utf-16-be")[:-1], "ừ\\x00"),
    ('text/plain; charset="UTF-16BE"', b"\xd8\x3d\x00x", "\\xd8\\x3dx"), ("text/plain", "ừ".encode(), "ừ"), ("application/octet-stream", b"\xff\x00", "\\xff\x00"),
    ("text/plain; charset=ISO-8859-1", b"caf\xe9", "café"), ("text/plain; charset=klingon", b"x\xff", "x\\xff"), ("text/plain; charset=base64", b"eA==", "eA=="),
    ('text/plain; charset="UTF-8"', b"", ""),
])  # fmt: skip
def test_a_text_in_any_charset_is_kept(kind: str, body: bytes, text: str) -> None:
    assert kannel.read_inbound(came_in(body, content_type=kind)).text == text


@pytest.mark.parametrize(("query", "phone", "lacks"), [
    (f"key={SECRET}", "84912345678", "post-url"), (f"key={SECRET}&id=", "84912345678", "post-url"), (f"key={SECRET}&id=%00", "84912345678", "post-url"),
    (f"key={SECRET}&id=1", "", "send-sender"),
])  # fmt: skip
def test_what_kannel_conf_forgot_is_named(query: str, phone: str, lacks: str) -> None:
    with pytest.raises(BadCallback, match=lacks):
        kannel.read_inbound(came_in(b"Canary", query, x_kannel_from=phone))


def test_a_report_is_read_from_its_address() -> None:
    for status, wanted in (("8", ("sent", "8", None)), ("1", ("delivered", "1", None)), ("2", ("failed", "2", "unreachable")),
                           ("16", ("failed", "16", "unrecognised")), ("32", (None, "32", None))):  # fmt: skip
        assert kannel.read_report(_posted(SETTINGS, "report", b"", f"t={TOKEN}&status={status}")) == Report(TOKEN, TOKEN, *wanted)
    for query in ("", "t=&status=1", f"t={TOKEN}", f"t={TOKEN}&status="):
        with pytest.raises(BadCallback):
            kannel.read_report(_posted(SETTINGS, "report", b"", query))


def test_only_an_empty_answer_of_200_is_not_texted_to_the_client_or_tried_again() -> None:
    reply = kannel.inbound_reply()
    assert (reply.status, reply.body) == (200, b"")


def test_all_but_the_text_stands_in_headers() -> None:
    request = kannel.send_request(SETTINGS | {"smsc": "vn-1"}, Outgoing(uuid4(), TOKEN, "+84912345678", "Hẹn & gặp + 9h", 3_599))
    assert (request.method, request.url, request.body.decode()) == ("POST", "http://127.0.0.1:13013/cgi-bin/sendsms", "Hẹn & gặp + 9h")
    assert request.headers == {
        "Content-Type": "text/plain; charset=UTF-8", "X-Kannel-Username": "gateway", "X-Kannel-Password": "pa ss",
        "X-Kannel-From": "+84900000001", "X-Kannel-To": "+84912345678", "X-Kannel-Coding": "2", "X-Kannel-Validity": "59",
        "X-Kannel-DLR-Mask": "31", "X-Kannel-SMSC": "vn-1",
        "X-Kannel-DLR-URL": f"https://gateway.example.org/c/1/report?t={TOKEN}&key={SECRET}&status=%d",
    }  # fmt: skip
    plain = kannel.send_request(SETTINGS, Outgoing(uuid4(), TOKEN, "+84912345678", "Hen {gap} 9h €", 30, sender="CLINIC"))
    assert (plain.headers["X-Kannel-Coding"], plain.headers["X-Kannel-Validity"], plain.headers["X-Kannel-From"]) == ("0", "1", "CLINIC")
    assert "X-Kannel-SMSC" not in plain.headers


@pytest.mark.parametrize("words", ["0: Accepted for delivery", "3: Queued for later delivery", "Sent.", "Sent. Message splits: 3", "Sent.\r\n"])
def test_each_way_in_which_it_takes_a_text(words: str) -> None:
    assert kannel.read_answer(said(202, words)).outcome == "accepted"


@pytest.mark.parametrize(("status", "words"), [
    (200, "0: Accepted for delivery"), (202, "Sent. Denied receivers are: 84912345678"), (202, "4: Something new"), (202, "Welcome. Sent."),
    (403, "Forbidden"), (404, "Not Found"), (400, "Bad Request"), (503, "Service Unavailable"), (503, "Temporal failure"),
])  # fmt: skip
def test_what_is_not_its_own_sentence_is_unknown(status: int, words: str) -> None:
    assert kannel.read_answer(said(status, words)).outcome == "unknown"


def test_settings_that_will_not_do_are_named() -> None:
    assert kannel.check(SETTINGS) == []
    assert [fault.split()[0] for fault in kannel.check({**SETTINGS, "base_url": "http://kannel.example.org:13013", "password": "mật", "secret": "kurz"})] == [
        "secret", "base_url", "password",
    ]  # fmt: skip
    assert "letters, figures" in kannel.check({**SETTINGS, "secret": "a%2B" * 8})[0]
    assert kannel.check({**SETTINGS, "base_url": "https://kannel.example.org"}) == []
