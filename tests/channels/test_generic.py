"""Carriers that somebody described: the examples, what a description may not say, and raw posts and answers read by one."""

import hashlib
import hmac
import json
import time
import urllib.request
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from gateway.channels import base, description, generic
from gateway.channels.base import BadCallback, CallbackRequest, Inbound, Outgoing, Report, WireReply
from gateway.vault import Vault
from gateway.wire import Wire
from tests import builders, simulated
from tests.channels import conformance
from tests.channels.conformance import far_side

EXAMPLES = Path(__file__).parents[2] / "examples" / "carriers"
JSON, BOX = ((EXAMPLES / f"{name}.toml").read_text("utf-8") for name in ("json-aggregator", "form-box"))
SECRET = "q7TqYw2nB5mZx0LkVd9sRfAa"
SETTINGS = {
    "description": JSON, "user": "clinic", "password": "hunter2-hunter2", "sender": "8079", "secret": SECRET,
    "callback_url": "https://gateway.example.org/c/1",
}  # fmt: skip
BOXED = SETTINGS | {"description": BOX}
CAME = datetime(2026, 6, 22, 9, 0, 31, tzinfo=UTC)


def posted(what: str, body: Any = b"", query: str = f"key={SECRET}", **headers: str) -> CallbackRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return replace(conformance.post(SETTINGS, what, raw, query, **headers), received_at=CAME)


def answered(status: int, body: Any) -> WireReply:
    return WireReply(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def told(status: str, http: int = 200, **more: str) -> WireReply:
    return answered(http, {"messages": [{"status": status, **more}]})


def _read_sent(request: base.WireRequest) -> tuple[str, str]:
    (sent,) = json.loads(request.body)["messages"]
    return f"+{sent['to']}", sent["text"]


def _report(token: str, word: str) -> tuple[bytes, str]:
    return json.dumps({"reference": token, "id": conformance.CARRIER_ID, "state": word}).encode(), ""


CARRIER = conformance.Carrier(
    settings=SETTINGS,
    posted=lambda settings, what, body, _: conformance.post(settings, what, body, f"key={settings.get('secret', '')}"),
    text=lambda carrier_id, phone, text: (json.dumps({"id": carrier_id, "msisdn": phone[1:], "shortcode": "8079", "body": text}).encode(), ""),
    report=_report,
    states={"ACCEPTD": "accepted", "ENROUTE": "sent", "DELIVRD": "delivered", "UNDELIV": "failed", "EXPIRED": "expired"},
    reads=_read_sent,
    accepted=told("QUEUED", id=conformance.CARRIER_ID),
    refusals=[(told("BLACKLISTED"), "opted_out"), (told("BAD_NUMBER", 400), "bad_number"), (told("SPAM"), "filtered"), (told("QUOTA", 403), "daily_limit"),
              (told("NO_CREDIT"), "suspended"), (answered(401, b""), "bad_credentials"), (told("MELTED"), "unreadable"), (told("SPAM", 502), "server_error")],
    signs_body=False,
    at=lambda settings, url: {**settings, "description": settings["description"].replace("https://api.example.org", url)},
)  # fmt: skip


# what a description says


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_each_example_is_a_channel(path: Path) -> None:
    assert generic.check({**SETTINGS, "description": path.read_text("utf-8")}) == []


def changed(*swaps: tuple[str, str], base_: str = JSON) -> list[str]:
    for old, new in swaps:
        assert old in base_
        base_ = base_.replace(old, new)
    return generic.check({**SETTINGS, "description": base_})


@pytest.mark.parametrize(("old", "new", "said"), [
    ("[send]", "[sending]", "[sending] is not known"), ("[answer]", "[answer", "is no TOML"), ("[report] ", "x = 1\n[report]", "[inbound] x is not known"),
    ('encoding = "json"', 'encoding = "xml"', "[send] encoding is one of: form, json, query"), ('encoding = "json"', "encoding = 1", "[send] encoding is one of"),
    ('encoding = "json"', 'encoding = "query"', "GET goes with the encoding query"), ('encoding = "json"', 'encoding = "form"', "[send] body must be a table of texts"),
    ("longest = 1000", "longest = 0", "[send] longest must be a whole number"), ("longest = 1000", "longest = true", "[send] longest must be a whole number"),
    ("{text}", "{body}", "cannot have {body}"), ("{text}", "hello", "lacks {text}"), ("{to_digits}", "84912345678", "lacks {text}, or one of {to}"),
    ("Bearer {password}", "Bearer {text}", "[send] headers cannot have {text}"), ("{ Authorization", "{ Host", "headers cannot have Host"),
    ("accounts/{user}", "accounts/{to}", "[send] address cannot have {to}"), ("accounts/{user}", "accounts/{password}", "[send] address cannot have {password}"),
    ('id = "messages.0.id"', "", "[answer] id is missing"), ('accepted = ["QUEUED", "SENT"]', "", "[answer] accepted is missing"),
    ('accepted = ["QUEUED", "SENT"]', "accepted = [1]", "[answer] accepted must be a list of texts"), ('"filtered"', '"melted"', "[answer] reasons: melted is none of"),
    ('"filtered"', '"no_answer"', "[answer] reasons: no_answer is none of"), ("401 = ", "500 = ", "[answer] statuses are those of 300 to 499"),
    ("401 = ", "4x1 = ", "[answer] statuses are those of 300 to 499"),
    ("401 = ", "408 = ", "[answer] statuses are those of 300 to 499 but 408"), ("BLACKLISTED = ", "QUEUED = ", "[answer] QUEUED cannot say"), ('DELIVRD = "delivered"', 'DELIVRD = "read"', "[report] states: read is none of"),
    ('by = "key"', 'by = "header"', "[callback] header is missing"), ('by = "key"', 'by = "hmac"', "[callback] header is missing"),
    ('by = "key"', 'by = "hmac"\nheader = "X-Sign"\n[x]', "[x] is not known"),
])  # fmt: skip
def test_a_fault_is_named_in_a_sentence(old: str, new: str, said: str) -> None:
    faults = changed((old, new))
    assert [fault for fault in faults if said in fault], faults


def test_a_table_that_is_missing_or_none_is_named() -> None:
    assert generic.check({**SETTINGS, "description": ""})[0].startswith("description is missing")
    assert set(generic.check({**SETTINGS, "description": "x = 1"})) >= {"[send] is missing", "[answer] is missing"}
    assert "[send] must be a table" in generic.check({**SETTINGS, "description": "send = 1"})
    assert "too long" in generic.check({**SETTINGS, "description": "#" * 20_001})[0]
    for written in ("a = " + "[" * 9_000, "a = " + "1" * 5_000):
        assert "is no TOML" in generic.check({**SETTINGS, "description": written})[0]


def test_a_name_of_thousands_of_steps_is_refused_at_once() -> None:
    began = time.monotonic()
    assert "is no TOML" in generic.check({**SETTINGS, "description": "a" + ".a" * 9_000 + " = 1"})[0]
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("value", ["2026-02-10", "[nan]", "{a = inf}", "[[[[[[[[[1]]]]]]]]]"])
def test_a_body_that_json_cannot_say_is_refused_before_a_text_needs_it(value: str) -> None:
    (fault,) = changed(("[send.body]", f"[send.body]\nodd = {value}"))
    assert fault.startswith("[send] body must be a table of texts, numbers")


def test_a_report_that_nothing_ties_to_a_text_is_refused() -> None:
    no_ids = [('token = "reference"\n', ""), ('format = "json"\nid = "id"\ntoken', 'format = "json"\ntoken')]
    assert changed(*reversed(no_ids)) == [], "the token in the report's address is enough"
    assert [f for f in changed(*reversed(no_ids), (', callback = "{report_url}"', "")) if "no report could be told" in f]
    signed = ('by = "key"', 'by = "hmac"\nheader = "X-Sign"')
    assert [f for f in changed(*reversed(no_ids), signed) if "no report could be told" in f], "a signed body says nothing of the address"
    assert [f for f in changed(('[callback]\n', '[callback]\nby = "hmac"\nheader = "X-Sign"\n'), base_=BOX) if "cannot be believed with hmac" in f]


@pytest.mark.parametrize(("address", "fine"), [
    ("https://api.example.org/sms", True), ("https://api.example.org/sms?route=7", True), ("http://192.168.1.30/sms", True), ("http://box.lan/sms", True),
    ("http://api.example.org/sms", False), ("ftp://api.example.org", False), ("https://", False), ("api.example.org", False), ("https://{user}.example.org/", False),
    ("https://user:pw@example.org/", False), ("https://example.org/#x", False), ("https://example.org:0/", False), ("https://[::1/", False),
    ("https://example.org/a b", False), ("https://example.org/\\u0007", False),
])  # fmt: skip
def test_texts_do_not_leave_the_house_in_the_clear(address: str, fine: bool) -> None:
    assert (changed(("https://api.example.org/v2/accounts/{user}/messages", address)) == []) is fine


def test_what_the_description_asks_for_must_be_there() -> None:
    assert "the description asks for password, and it is empty" in generic.check({**SETTINGS, "password": ""})
    assert [f for f in generic.check({**SETTINGS, "password": "ừ" * 9}) if "{basic}" in f]
    assert generic.check({**SETTINGS, "secret": "short"}) == ["secret is too short: 22 characters or more"]


@given(st.text(max_size=200) | st.sampled_from([JSON, BOX]).flatmap(lambda text: st.integers(0, len(text)).map(lambda n: text[:n] + text[n + 3 :])))
def test_no_description_raises(written: str) -> None:
    found, faults = description.read(written)
    assert (found is None) is bool(faults)


def test_what_it_can_do_is_what_it_says() -> None:
    assert generic.can(SETTINGS) == base.Capabilities(two_way=True, receipts="network", charset="UCS-2", max_chars=1000, validity=True, senders=base.SENDERS)
    one_way = JSON[: JSON.index("[inbound]")]
    can = generic.can({**SETTINGS, "description": one_way})
    assert (can.two_way, can.receipts) == (False, "none")
    assert not generic.can({}).texts


def test_zalo_s_notifications_are_one_parameter_of_a_registered_template() -> None:
    settings = SETTINGS | {"description": (EXAMPLES / "zalo-zns.toml").read_text("utf-8"), "user": "4711", "password": "token-of-the-account"}
    zalo = generic.of(settings)
    assert (zalo.capabilities.two_way, zalo.capabilities.max_chars) == (False, 200)
    request = zalo.send_request(settings, Outgoing(uuid4(), "t-1", "+84912345678", "Mai 9h"))
    assert (request.url, request.headers["access_token"]) == ("https://business.openapi.zalo.me/message/template", "token-of-the-account")
    assert json.loads(request.body) == {"phone": "84912345678", "template_id": "4711", "tracking_id": "t-1", "template_data": {"text": "Mai 9h"}}
    taken = answered(200, {"error": 0, "message": "Success", "data": {"msg_id": "9f3c01aa", "sent_time": "1626926349402"}})
    assert zalo.read_answer(taken) == base.SendResult("accepted", "9f3c01aa")
    for code, outcome in ((-124, "channel_down"), (-115, "channel_down"), (-118, "permanent"), (-100, "unknown"), (-999, "unknown")):
        assert zalo.read_answer(answered(200, {"error": code, "message": "Phone number 84912345678"})).outcome == outcome
    report = {"event_name": "user_received_message", "message": {"msg_id": "9f3c01aa", "tracking_id": "t-1", "delivery_time": "1626926349402"}}
    assert zalo.read_report(posted("report", report)) == Report("t-1", "9f3c01aa", "delivered")


# requests


def test_places_are_filled_once_and_a_text_with_braces_stays_as_it_is() -> None:
    body = 'say "{password}" & {to}\n{}'
    request = generic.of(SETTINGS).send_request(SETTINGS, Outgoing(uuid4(), "t-1", "+84912345678", body, 600))
    assert (request.method, request.url) == ("POST", "https://api.example.org/v2/accounts/clinic/messages")
    assert request.headers == {"Authorization": "Bearer hunter2-hunter2", "Content-Type": "application/json"}
    assert json.loads(request.body) == {"messages": [{
        "to": "84912345678", "from": "8079", "text": body, "reference": "t-1", "ttl": 10, "callback": f"https://gateway.example.org/c/1/report?t=t-1&key={SECRET}",
    }]}  # fmt: skip


def test_what_is_not_there_is_left_out() -> None:
    request = generic.of(SETTINGS).send_request({**SETTINGS, "sender": ""}, Outgoing(uuid4(), "t-1", "+84912345678", "x"))
    assert set(json.loads(request.body)["messages"][0]) == {"to", "text", "reference", "callback"}


def test_a_report_posted_to_the_address_it_was_given_is_believed() -> None:
    request = generic.of(SETTINGS).send_request(SETTINGS, Outgoing(uuid4(), "t-1", "+84912345678", "x"))
    query = json.loads(request.body)["messages"][0]["callback"].partition("?")[2]
    report = posted("report", {"id": "9f", "state": "DELIVRD"}, query)
    assert generic.of(SETTINGS).verify(SETTINGS, report)
    assert generic.of(SETTINGS).read_report(report).token == "t-1"


def test_an_account_in_the_address_is_one_step_of_it() -> None:
    request = generic.of(SETTINGS).send_request({**SETTINGS, "user": "a/../b?c"}, Outgoing(uuid4(), "t-1", "+84912345678", "x"))
    assert request.url == "https://api.example.org/v2/accounts/a%2F..%2Fb%3Fc/messages"


def test_a_form_and_an_address_bear_the_same_fields() -> None:
    outgoing = Outgoing(uuid4(), "t-1", "+84912345678", "Hẹn & gặp + 9h")
    form = generic.of(BOXED).send_request(BOXED, outgoing)
    assert base.read_form(form.body)["msg"] == ["Hẹn & gặp + 9h"]
    asked = BOXED | {"description": BOX.replace("[send]\n", '[send]\nmethod = "GET"\nencoding = "query"\n')}
    assert generic.check(asked) == []
    query = generic.of(asked).send_request(asked, outgoing)
    assert (query.method, query.url, query.body) == ("GET", f"http://192.168.1.30/cgi/sendsms?{form.body.decode()}", b"")


def test_the_wire_goes_to_no_private_network_that_the_settings_do_not_name() -> None:
    with far_side(told("QUEUED", id="9f")) as far:
        settings = CARRIER.at(SETTINGS, far.url)
        request = generic.of(settings).send_request(settings, Outgoing(uuid4(), "t-1", "+84912345678", "x"))
        for hosts, phase in ((frozenset[str](), "not_sent"), (frozenset({"127.0.0.1"}), "answered")):
            wire = Wire(2, connect_s=2, private_hosts=hosts).start()
            try:
                plain = wire.call(replace(request, guarded=False))
                result = wire.call(request)
            finally:
                wire.close()
            assert (plain.phase, result.phase, result.error) == ("answered", phase, None if hosts else "private")


# answers


@pytest.mark.parametrize(("body", "outcome"), [
    (b"OK id:4711", "accepted"), (b"OK|id|4711\n", "accepted"), (b"OK", "unknown"), (b"ERR 2: no SIM free", "unknown"), (b"<html> id:4711</html>", "unknown"),
    (b"", "unknown"), (b"\xff" * 5000, "unknown"), (b"OK id:" + b"4" * 300, "unknown"),
])  # fmt: skip
def test_plain_words_are_read_by_their_place(body: bytes, outcome: str) -> None:
    assert generic.of(BOXED).read_answer(WireReply(200, {}, body)).outcome == outcome


@pytest.mark.parametrize("body", [
    {"messages": [{"id": "a", "status": "QUEUED"}, {"id": "b", "status": "QUEUED"}]}, {"messages": []}, {"messages": {"0": "x"}}, {"messages": [{"id": "a"}]},
    {"messages": [{"id": "a", "status": ["QUEUED"]}]}, {"messages": [{"id": None, "status": "QUEUED"}]}, {"messages": [{"id": {}, "status": "QUEUED"}]},
])  # fmt: skip
def test_an_answer_that_is_not_as_described_is_unknown(body: Any) -> None:
    assert generic.of(SETTINGS).read_answer(answered(200, body)).outcome == "unknown"


def test_a_form_is_an_answer_too() -> None:
    settings = {"description": BOX.replace('"text"\ncode = "0"\nid = "2"', '"form"\ncode = "st.at"\nid = "id"')}
    assert generic.of(settings).read_answer(answered(200, b"st.at=OK&id=4711\r\n")) == base.SendResult("accepted", "4711")


# callbacks


def test_an_inbound_text_without_an_id_bears_its_moment_and_a_repeat_in_that_minute_is_the_same() -> None:
    box, query = generic.of(BOXED), urlencode({"key": SECRET, "sender": "+84912345678", "text": " Có + 1"})
    found = box.read_inbound(posted("inbound", query=query))
    assert found == Inbound("2026-06-22T09:00", "+84912345678", "", " Có + 1")
    later = replace(posted("inbound", query=query), received_at=CAME + timedelta(minutes=1))
    assert box.read_inbound(later).carrier_id != found.carrier_id
    told_when = box.read_inbound(posted("inbound", query=f"{query}&time=1782117971"))
    assert (told_when.carrier_id, told_when.sent_at) == ("1782117971", datetime(2026, 6, 22, 8, 46, 11, tzinfo=UTC))


@pytest.mark.parametrize("body", [
    b"", b"[]", b"null", {"msisdn": "84912345678", "body": "x"}, {"id": "1", "body": "x"}, {"id": "1", "msisdn": "84912345678"},
    {"id": "1", "msisdn": "84912345678", "body": {}}, {"id": "x" * 300, "msisdn": "84912345678", "body": "x"}, {"id": "1", "msisdn": "", "body": "x"},
])  # fmt: skip
def test_what_is_no_text_is_refused(body: Any) -> None:
    with pytest.raises(BadCallback):
        generic.of(SETTINGS).read_inbound(posted("inbound", body))


def test_several_texts_in_one_post_are_refused_so_that_none_is_lost_in_silence() -> None:
    swaps = [('from = "msisdn"', 'from = "in.0.msisdn"'), ('text = "body"', 'text = "in.0.body"'), ('id = "id"\nfrom', 'id = "in.0.id"\nfrom')]
    batch = JSON
    for old, new in swaps:
        batch = batch.replace(old, new)
    one = {"id": "1", "msisdn": "84912345678", "body": "x"}
    carrier = generic.of({"description": batch})
    assert carrier.read_inbound(posted("inbound", {"in": [one]})).text == "x"
    with pytest.raises(BadCallback):
        carrier.read_inbound(posted("inbound", {"in": [one, one]}))


@pytest.mark.parametrize(("more", "wanted"), [
    ({"state": "DELIVRD"}, ("delivered", None, None)), ({"state": "UNDELIV", "error": "27"}, ("failed", "27", "unreachable")),
    ({"state": "UNDELIV", "error": 104}, ("failed", "104", "opted_out")), ({"state": "UNDELIV"}, ("failed", "UNDELIV", "unrecognised")),
    ({"state": "EXPIRED"}, ("expired", None, "expired")), ({"state": "MELTED"}, (None, "MELTED", None)),
])  # fmt: skip
def test_each_word_of_a_report_has_its_state(more: Any, wanted: tuple[Any, ...]) -> None:
    found = generic.of(SETTINGS).read_report(posted("report", {"reference": "t-1", "id": "9f", **more}))
    assert found == Report("t-1", "9f", *wanted)


def test_a_report_without_ids_is_known_by_our_token_in_its_address() -> None:
    assert generic.of(BOXED).read_report(posted("report", query=f"t=t-1&status=1&key={SECRET}")) == Report("t-1", "t-1", "delivered")
    for query in (f"status=1&key={SECRET}", f"t=t-1&key={SECRET}"):
        with pytest.raises(BadCallback):
            generic.of(BOXED).read_report(posted("report", query=query))


def test_a_box_that_knows_no_other_way_than_get_is_heard_and_answered_its_word(engine: Engine, vault: Vault, redis_url: str) -> None:
    with simulated.running(engine, vault, redis_url) as here:
        world = here.world
        settings = {name: value for name, value in BOXED.items() if name != "callback_url"}
        channel_id = builders.channel(engine, vault, world.now, world.unit_id, "generic", name="box", settings=settings)
        phone = world.phone_of(world.client())
        for _ in range(2):
            query = urlencode({"key": SECRET, "sender": phone, "text": "STOP", "time": "1782117971"})
            with urllib.request.urlopen(f"{here.url}/c/{channel_id}/inbound?{query}", timeout=20) as answer:
                assert (answer.status, answer.read()) == (200, b"OK")
        assert world.value("SELECT count(*) FROM inbound") == 1
        assert world.value("SELECT reason FROM stops") == "stop"


def test_what_is_not_described_is_refused() -> None:
    mute = generic.of({"description": JSON[: JSON.index("[inbound]")]})
    for read in (mute.read_inbound, mute.read_report, generic.of({}).read_inbound):
        with pytest.raises(BadCallback):
            read(posted("inbound", {"id": "1", "msisdn": "84912345678", "body": "x"}))
    assert not generic.of({}).verify(SETTINGS, posted("inbound"))
    assert generic.of({}).read_answer(WireReply(200, {}, b"OK id:1")).outcome == "unknown"


def test_a_secret_may_come_in_a_header_of_its_own() -> None:
    settings = SETTINGS | {"description": JSON.replace('by = "key"', 'by = "header"\nheader = "X-Token"')}
    carrier = generic.of(settings)
    assert generic.check(settings) == []
    assert carrier.verify(settings, posted("inbound", query="", x_token=SECRET))
    assert not carrier.verify(settings, posted("inbound", x_token="other"))
    assert not carrier.verify({**settings, "secret": ""}, posted("inbound", x_token=""))


@pytest.mark.parametrize(("written", "prefix"), [("hex", ""), ("hex", "sha256="), ("base64", "")])
def test_a_signature_covers_the_raw_body(written: str, prefix: str) -> None:
    told_how = f'by = "hmac"\nheader = "X-Sign"\nwritten = "{written}"\nprefix = "{prefix}"'
    settings = SETTINGS | {"description": JSON.replace('by = "key"', told_how), "secret": "short-key"}
    carrier, body = generic.of(settings), b'{"id": "1"}'
    assert generic.check(settings) == []
    digest = hmac.new(b"short-key", body, hashlib.sha256)
    good = prefix + (digest.hexdigest() if written == "hex" else b64encode(digest.digest()).decode())
    assert carrier.verify(settings, posted("inbound", body, "", x_sign=good))
    assert carrier.verify(settings, posted("inbound", body, "", x_sign=good.upper())) is (written == "hex")
    for wrong in (posted("inbound", body + b" ", "", x_sign=good), posted("inbound", body, "", x_sign=""), posted("inbound", body, f"key={SECRET}")):
        assert not carrier.verify(settings, wrong)
    assert not carrier.verify({**settings, "secret": ""}, posted("inbound", body, "", x_sign=prefix + hmac.new(b"", body, "sha256").hexdigest()))
    report = {"id": "9f", "state": "DELIVRD"}
    assert carrier.read_report(posted("report", report, "t=t-1")).token is None, "the address is not signed"


def test_a_carrier_that_wants_a_word_gets_it() -> None:
    assert generic.of(BOXED).inbound_reply() == WireReply(200, {"Content-Type": "text/plain; charset=utf-8"}, b"OK")
    assert generic.of(SETTINGS).inbound_reply().status == 204
