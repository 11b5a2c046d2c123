"""Raw posts as the app on the phone sends them, what it is asked, and a phone of ours that does both over HTTP."""

import json
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from gateway.channels import android, base
from gateway.channels.base import BadCallback, CallbackRequest, Inbound, Outgoing, Report, WireReply
from gateway.usecases.record_outcomes import Recorder
from gateway.usecases.send_due import Sender
from gateway.vault import Vault
from gateway.wire import Wire
from tests import builders, simulated
from tests.channels import conformance
from tests.usecases.test_send_due import until

KEY = "kD9sR2fAq7TqYw2n"
SETTINGS = {
    "base_url": "http://192.168.1.20:8080", "username": "sms", "password": "pa ss:ẃ", "signing_key": KEY, "number": "+84900000001",
    "callback_url": "https://gateway.example.org/c/1",
}  # fmt: skip
# As posted by version 1.50 of the app; older ones say phoneNumber alone.
RECEIVED = (
    '{"deviceId":"ffffffffceb0b1db0000018e937c815b","event":"sms:received","id":"Ey6ECgOkVVFjz3CL48B8C","payload":{"messageId":"9f3c01aa",'
    '"message":" Dừng lại! \\u0001+1 ","sender":"+84912345678","recipient":"+84900000001","phoneNumber":"+84912345678","simNumber":1,'
    '"receivedAt":"2026-06-22T15:46:11.000+07:00"},"webhookId":"w1"}'
).encode()
TOKEN = "0b1f3a52-6c1e-4a57-9a0f-6f1f6b7d2c11"


def posted(body: bytes | dict[str, Any] = RECEIVED, key: str = KEY, what: str = "inbound", stamp: str = "1782117971") -> CallbackRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    path = f"/c/1/{what}"
    headers = {"content-type": "application/json", "x-timestamp": stamp, "x-signature": android.sign(key, stamp, raw)}
    return CallbackRequest(f"https://gateway.example.org{path}", path, "", headers, raw)


def event(name: str, **told: Any) -> dict[str, Any]:
    return {"event": name, "id": "e1", "deviceId": "d", "webhookId": "w", "payload": {"messageId": TOKEN, **told}}


def _posted(settings: base.Settings, what: str, body: bytes, query: str) -> CallbackRequest:
    stamp = "1782117971"
    return conformance.post(settings, what, body, query, x_timestamp=stamp, x_signature=android.sign(settings.get("signing_key", ""), stamp, body))


def _read_sent(request: base.WireRequest) -> tuple[str, str]:
    sent = json.loads(request.body)
    return sent["phoneNumbers"][0], sent["textMessage"]["text"]


def _received(carrier_id: str, phone: str, text: str) -> tuple[bytes, str]:
    told = {"messageId": carrier_id, "message": text, "sender": phone, "receivedAt": "2026-06-22T15:46:11.000+07:00"}
    return json.dumps(event("sms:received", **told)).encode(), ""


CARRIER = conformance.Carrier(
    settings=SETTINGS,
    posted=_posted,
    text=_received,
    report=lambda token, word: (json.dumps({"event": word, "id": "e1", "payload": {"messageId": token, "sender": "+84912345678"}}).encode(), ""),
    states={"sms:sent": "sent", "sms:delivered": "delivered", "sms:failed": "failed"},
    reads=_read_sent,
    accepted=WireReply(202, {}, json.dumps({"id": conformance.CARRIER_ID, "state": "Pending"}).encode()),
    refusals=[
        (WireReply(400, {}, b'{"message": "invalid phone +84912345678"}'), "unrecognised"), (WireReply(401, {}, b""), "bad_credentials"),
        (WireReply(404, {}, b""), "misconfigured"), (WireReply(503, {}, b'{"error": "QueueLimitExceeded"}'), "queue_full"),
    ],
    never={"opted_out": "a SIM knows no stop of the network's", "filtered": "a network that filters a SIM's text does not say so"},
)  # fmt: skip


def test_a_signed_text_is_read_as_typed_and_the_same_once_more_is_the_same() -> None:
    assert android.verify(SETTINGS, posted())
    found = android.read_inbound(posted())
    assert found == android.read_inbound(posted(RECEIVED.replace(b"Ey6ECgOkVVFjz3CL48B8C", b"another")))
    assert found.sent_at is not None and found.sent_at.isoformat() == "2026-06-22T08:46:11+00:00"
    assert found == Inbound("9f3c01aa 2026-06-22T15:46:11.000+07:00", "+84912345678", "+84900000001", " Dừng lại! \x01+1 ", found.sent_at)
    later = android.read_inbound(posted(RECEIVED.replace(b"15:46:11", b"15:46:12")))
    assert later.carrier_id != found.carrier_id, "the app's id is made from the text: an equal one of a second later is another"


def test_an_older_app_and_a_phone_that_keeps_its_number_to_itself_are_read_too() -> None:
    old = RECEIVED.replace(b'"sender":"+84912345678","recipient":"+84900000001",', b"")
    assert android.read_inbound(posted(old)).sender_phone == "+84912345678"
    assert android.read_inbound(posted(RECEIVED.replace(b'"recipient":"+84900000001"', b'"recipient":null'))).to_phone == ""


@pytest.mark.parametrize("body", [
    b"", b"null", b"[]", b"{", b"\xff", {}, {"event": "sms:received"}, {"event": 1, "payload": {}}, event("sms:received"),
    event("sms:received", message="x"), event("sms:received", message=1, sender="+84912345678"), event("sms:sent", message="x", sender="+84912345678"),
    event("sms:received", message="x", sender="+84912345678", messageId="y" * 300),
])  # fmt: skip
def test_what_is_no_text_is_refused(body: bytes | dict[str, Any]) -> None:
    with pytest.raises(BadCallback):
        android.read_inbound(posted(body))


@pytest.mark.parametrize(("name", "reason", "wanted"), [
    ("sms:sent", None, ("sent", None, None)), ("sms:delivered", None, ("delivered", None, None)),
    ("sms:failed", "RESULT_ERROR_LIMIT_EXCEEDED", ("failed", "RESULT_ERROR_LIMIT_EXCEEDED", "daily_limit")),
    ("sms:failed", "Send result: 4 RESULT_ERROR_NO_SERVICE to +84912345678", ("failed", "RESULT_ERROR_NO_SERVICE", "unreachable")),
    ("sms:failed", "Can't send to +84912345678", ("failed", None, "unrecognised")), ("sms:failed", None, ("failed", None, "unrecognised")),
    ("sms:eaten", None, (None, None, None)),
])  # fmt: skip
def test_a_report_bears_our_token_and_no_number(name: str, reason: str | None, wanted: tuple[Any, ...]) -> None:
    assert android.read_report(posted(event(name, reason=reason, phoneNumber="+84912345678"))) == Report(TOKEN, TOKEN, *wanted)


def test_a_report_without_a_message_is_refused() -> None:
    with pytest.raises(BadCallback):
        android.read_report(posted({"event": "sms:sent", "payload": {}}))


def test_nobody_else_is_believed() -> None:
    good = posted()
    assert not android.verify(SETTINGS, posted(key="another"))
    assert not android.verify(SETTINGS | {"signing_key": ""}, posted(key=""))
    assert not android.verify(SETTINGS, CallbackRequest(good.url, good.path, "", good.headers, good.body + b" "))
    assert not android.verify(SETTINGS, CallbackRequest(good.url, good.path, "", {**good.headers, "x-timestamp": "1782117972"}, good.body))
    assert android.verify(SETTINGS, CallbackRequest(good.url, good.path, "", {**good.headers, "x-signature": good.header("x-signature").upper()}, good.body))


@given(st.text(), st.text(), st.binary())
def test_verifying_never_raises(stamp: str, signature: str, body: bytes) -> None:
    request = CallbackRequest("https://h/", "/", "", {"x-timestamp": stamp, "x-signature": signature}, body)
    assert not android.verify(SETTINGS, request)


def test_a_text_is_asked_for_once_with_our_token_as_its_id() -> None:
    request = android.send_request(SETTINGS | {"sim": "2"}, Outgoing(uuid4(), TOKEN, "+84912345678", "Hẹn & gặp + 9h", 600))
    assert (request.method, request.url) == ("POST", "http://192.168.1.20:8080/messages")
    assert request.headers["Authorization"] == "Basic " + b64encode("sms:pa ss:ẃ".encode()).decode()
    assert json.loads(request.body) == {
        "id": TOKEN, "textMessage": {"text": "Hẹn & gặp + 9h"}, "phoneNumbers": ["+84912345678"], "withDeliveryReport": True, "ttl": 600, "simNumber": 2,
    }  # fmt: skip
    assert "+84912345678" not in request.url


@pytest.mark.parametrize(("status", "body", "outcome", "reason"), [
    (202, {"id": TOKEN, "state": "Pending"}, "accepted", None), (201, {"id": TOKEN}, "accepted", None), (202, {}, "unknown", "unreadable"),
    (202, b"", "unknown", "unreadable"), (202, b"<html>sign in to the Wi-Fi</html>", "unknown", "unreadable"), (302, b"", "unknown", "unreadable"),
    (400, {"message": "phoneNumbers is empty"}, "permanent", "unrecognised"), (400, b"<html>", "unknown", "unreadable"),
    (401, b"", "channel_down", "bad_credentials"), (404, b"", "channel_down", "misconfigured"), (409, {"message": "exists"}, "unknown", "unreadable"),
    (429, b"", "throttled", "rate_limited"), (503, {"error": "QueueLimitExceeded", "message": "too many"}, "throttled", "queue_full"),
    (503, b"", "unknown", "server_error"), (500, {"message": "x"}, "unknown", "server_error"),
])  # fmt: skip
def test_each_answer_has_its_outcome(status: int, body: Any, outcome: str, reason: str | None) -> None:
    found = android.read_answer(WireReply(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode()))
    assert (found.outcome, found.reason) == (outcome, reason)


@given(st.integers(100, 599), st.binary())
def test_no_answer_that_lacks_an_id_is_an_acceptance(status: int, body: bytes) -> None:
    found = android.read_answer(WireReply(status, {}, body))
    assert found.outcome != "accepted" or base.read_object(body).get("id")


@pytest.mark.parametrize(("url", "fine"), [
    ("http://192.168.1.20:8080", True), ("http://10.0.0.7:8080", True), ("http://phone.local:8080", True), ("http://[fd00::7]:8080", True),
    ("https://sms.example.org/api/3rdparty/v1", True), ("http://sms.example.org", False), ("http://8.8.8.8:8080", False),
    ("https://api.sms-gate.app/3rdparty/v1", False), ("https://SMS-gate.app./3rdparty/v1", False), ("https://notsms-gate.app", True),
])  # fmt: skip
def test_texts_neither_leave_the_house_in_the_clear_nor_pass_the_makers_server_unasked(url: str, fine: bool) -> None:
    assert (android.check({**SETTINGS, "base_url": url}) == []) is fine


def test_the_makers_server_is_used_when_it_is_asked_for() -> None:
    assert android.check({**SETTINGS, "base_url": "https://api.sms-gate.app/3rdparty/v1", "public_cloud": "yes"}) == []
    assert android.check({**SETTINGS, "sim": "4"})


# --- a phone of ours ------------------------------------------------------------------------------------------------


class Handset(ThreadingHTTPServer):
    """Does over HTTP what the app does: takes texts with its login, posts signed events, tries again until it is answered."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Api)
        self.url, self.taken, self.callback_url = f"http://127.0.0.1:{self.server_port}", list[dict[str, Any]](), ""
        self.loses_answers = False

    def tell(self, what: str, body: dict[str, Any]) -> int:
        raw, stamp = json.dumps(body).encode(), str(int(time.time()))
        headers = {"Content-Type": "application/json", "X-Timestamp": stamp, "X-Signature": android.sign(KEY, stamp, raw)}
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{self.callback_url}/{what}", raw, headers), timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


class _Api(BaseHTTPRequestHandler):
    server: Handset

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = self.headers["Authorization"] == "Basic " + b64encode(b"sms:secret").decode() and self.path == "/messages"
        if known:
            self.server.taken.append(asked)
        if self.server.loses_answers:
            return self.connection.close()
        answer = json.dumps({"id": asked["id"], "state": "Pending"}).encode()
        self.send_response(202 if known else 401)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing of a text goes to the terminal."""


@contextmanager
def handset() -> Iterator[Handset]:
    with Handset() as phone:
        threading.Thread(target=phone.serve_forever, daemon=True).start()
        yield phone
        phone.shutdown()


def test_a_text_leaves_by_the_phone_and_the_answer_comes_back(engine: Engine, vault: Vault, redis_url: str) -> None:
    with simulated.running(engine, vault, redis_url) as here, handset() as phone:
        world = here.world
        settings = {**SETTINGS, "base_url": phone.url, "password": "secret"}
        del settings["callback_url"]
        channel_id = builders.channel(engine, vault, world.now, world.unit_id, "android", name="commune", settings=settings)
        phone.callback_url = f"{here.url}/c/{channel_id}"
        client = world.client()
        first, lost = (world.planned(client, body, channel_id=channel_id) for body in ("Mot", "Hai"))
        _send(world, channel_id, here.url, first)
        assert phone.taken[0]["textMessage"] == {"text": "Mot"} and phone.taken[0]["phoneNumbers"] == [world.phone_of(client)]
        phone.loses_answers = True
        _send(world, channel_id, here.url, lost)
        assert (world.state(first), world.state(lost)) == ("accepted", "unknown")
        for asked in phone.taken:
            assert phone.tell("report", event("sms:sent") | {"payload": {"messageId": asked["id"], "recipient": asked["phoneNumbers"][0]}}) == 204
        until(lambda: [world.state(each) for each in (first, lost)] == ["sent", "sent"])
        said = event("sms:received", message="STOP", sender=world.phone_of(client), receivedAt="2026-06-22T15:46:11.000+07:00")
        assert [phone.tell("inbound", said), phone.tell("inbound", said)] == [204, 204]
        assert world.value("SELECT count(*) FROM inbound") == 1
        assert world.value("SELECT reason FROM stops") == "stop"
        assert phone.tell("inbound", {}) == 400


def _send(world: builders.World, channel_id: UUID, url: str, message_id: UUID) -> None:
    """Send what is due, and no other."""
    world.run("UPDATE outbound SET send_after = :at WHERE id <> :id AND state = 'planned'", at=world.now.replace(year=2050), id=message_id)
    world.run("UPDATE outbound SET send_after = :at, send_before = :end WHERE id = :id", at=world.now, end=world.now.replace(year=2051), id=message_id)
    wire = Wire(connect_s=5, read_s=3).start()
    recorder = Recorder(world.engine, world.vault)
    try:
        Sender(world.engine, world.vault, wire, recorder, url).due(channel_id)
        until(lambda: world.state(message_id) not in ("planned", "submitting"))
    finally:
        recorder.close()
        wire.close()
