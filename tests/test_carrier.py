"""The fake carrier is Twilio as far as twilio-python can tell; and it fails as told."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import uuid4

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from gateway.channels import base, twilio
from gateway.wire import Wire
from tests.carrier import FakeCarrier

SENDER = "+15550001111"


@pytest.fixture
def carrier() -> Iterator[FakeCarrier]:
    with FakeCarrier() as started:
        yield started


@pytest.fixture
def client(carrier: FakeCarrier) -> Client:
    return twilio_client(carrier)


def twilio_client(carrier: FakeCarrier, token: str = "token") -> Client:
    client = Client("AC" + "1" * 32, token)
    client.api.base_url = carrier.url
    return client


class Gateway:
    """Takes callbacks as our gateway would: keeps (address, form, signature is good)."""

    def __init__(self) -> None:
        taken: list[tuple[str, dict[str, str], bool]] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                form = {name: values[0] for name, values in base.read_form(body).items()}
                signature = self.headers["X-Twilio-Signature"]
                good = RequestValidator("token").validate(gateway.url + self.path, form, signature)
                with gateway.changed:  # kept before it is answered: who has the answer looks at once
                    taken.append((self.path, form, good))
                    gateway.changed.notify_all()
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.taken, self.changed = taken, threading.Condition()
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def statuses(self, count: int) -> list[str]:
        """The first statuses called back."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.taken) >= count, 10)
        return [form["MessageStatus"] for _, form, _ in self.taken]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    started = Gateway()
    yield started
    started.server.shutdown()
    started.server.server_close()


def test_twilio_python_creates_and_fetches_a_message(client: Client) -> None:
    made = client.messages.create(to="+84912345678", from_=SENDER, body="Hẹn gặp 9h", validity_period=60)
    fetched = client.messages(made.sid).fetch()
    assert (fetched.sid, fetched.body, fetched.to, fetched.from_) == (made.sid, "Hẹn gặp 9h", made.to, SENDER)
    assert (made.status, made.direction, made.error_code) == ("queued", "outbound-api", None)
    assert made.date_created is not None
    assert abs((datetime.now(UTC) - made.date_created).total_seconds()) < 60


def test_twilio_python_lists_by_number_over_pages_newest_first(client: Client) -> None:
    sids = [client.messages.create(to="+84912345678", from_=SENDER, body=str(n)).sid for n in range(7)]
    client.messages.create(to="+84912345679", from_=SENDER, body="another")
    found = client.messages.list(to="+84912345678", page_size=3)
    assert [m.sid for m in found] == sids[::-1]
    assert len(client.messages.list(page_size=3)) == 8
    assert len(client.messages.list(limit=2)) == 2


def test_a_new_message_does_not_shift_the_pages(client: Client) -> None:
    sids = [client.messages.create(to="+84912345678", from_=SENDER, body=str(n)).sid for n in range(4)]
    page = client.messages.page(to="+84912345678", page_size=2)
    client.messages.create(to="+84912345678", from_=SENDER, body="new")
    following = page.next_page()
    assert following is not None
    assert [m.sid for m in following] == sids[1::-1]


def test_a_queued_message_has_no_date_sent_and_is_not_found_by_one(
    carrier: FakeCarrier, client: Client
) -> None:
    carrier.script("ok", reports=())
    client.messages.create(to="+84912345678", from_=SENDER, body="x")
    carrier.text_in("+84912345678", SENDER, "1", withhold=True)
    today = datetime.now(UTC).date()
    assert [m.direction for m in client.messages.list(date_sent=today)] == ["inbound"]
    assert [m.direction for m in client.messages.list(date_sent_after=today)] == ["inbound"]
    assert client.messages.list(date_sent_before=datetime(2020, 1, 1, tzinfo=UTC)) == []


def test_a_body_is_blanked(client: Client) -> None:
    sid = client.messages.create(to="+84912345678", from_=SENDER, body="secret").sid
    assert client.messages(sid).update(body="").body == ""
    assert client.messages(sid).fetch().body == ""


@pytest.mark.parametrize(
    ("to", "body", "code"),
    [("0912", "x", 21211), ("+84912345678", "", 21602), ("+84912345678", "x" * 1601, 21617)],
)
def test_a_bad_message_is_refused_with_twilios_code(client: Client, to: str, body: str, code: int) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        client.messages.create(to=to, from_=SENDER, body=body)
    assert (refusal.value.status, refusal.value.code) == (400, code)


def test_a_wrong_token_and_an_unknown_message_are_refused(carrier: FakeCarrier, client: Client) -> None:
    with pytest.raises(TwilioRestException) as refusal:
        twilio_client(carrier, "wrong").messages("SM1").fetch()
    assert refusal.value.code == 20003
    with pytest.raises(TwilioRestException) as refusal:
        client.messages("SM404").fetch()
    assert refusal.value.status == 404


@pytest.mark.parametrize(("mode", "accepted"), [("500", 0), ("accept_500", 1), ("429", 0), ("error", 0)])
def test_it_fails_as_told_and_then_serves_well(
    carrier: FakeCarrier, client: Client, mode: str, accepted: int
) -> None:
    carrier.script(mode, next=1)
    with pytest.raises(TwilioRestException):
        client.messages.create(to="+84912345678", from_=SENDER, body="x")
    assert (carrier.posts, carrier.accepted_count()) == (1, accepted)
    client.messages.create(to="+84912345678", from_=SENDER, body="x")
    assert carrier.accepted_count("+84912345678") == accepted + 1


def test_a_script_for_one_recipient_leaves_the_others_alone(carrier: FakeCarrier, client: Client) -> None:
    carrier.script("error", code=21610, to="+84912345678")
    with pytest.raises(TwilioRestException) as refusal:
        client.messages.create(to="+84912345678", from_=SENDER, body="x")
    assert refusal.value.code == 21610
    client.messages.create(to="+84912345679", from_=SENDER, body="x")


def test_two_sends_to_one_number_are_two(carrier: FakeCarrier, client: Client) -> None:
    for _ in range(2):
        client.messages.create(
            to="+84912345678", from_=SENDER, body="x", status_callback="http://127.0.0.1:1/?t=tok"
        )
    assert (carrier.accepted_count("tok"), carrier.accepted_count("+84912345678")) == (2, 2)


@pytest.mark.parametrize(
    ("mode", "statuses"),
    [
        ("ok", ["sent", "delivered"]),
        ("reports_reversed", ["delivered", "sent", "queued"]),
        ("reports_twice", ["sent", "sent", "delivered", "delivered"]),
        ("undelivered", ["sent", "undelivered"]),
    ],
)
def test_statuses_are_called_back_signed(
    carrier: FakeCarrier, client: Client, gateway: Gateway, mode: str, statuses: list[str]
) -> None:
    carrier.script(mode)
    made = client.messages.create(
        to="+84912345678", from_=SENDER, body="x", status_callback=gateway.url + "/c/a/report?t=a%2Fb"
    )
    assert gateway.statuses(len(statuses)) == statuses
    assert {(path, form["MessageSid"], good) for path, form, good in gateway.taken} == {
        ("/c/a/report?t=a%2Fb", made.sid, True)
    }


def test_a_report_can_come_before_the_answer(carrier: FakeCarrier, client: Client, gateway: Gateway) -> None:
    carrier.script("report_first")
    client.messages.create(to="+84912345678", from_=SENDER, body="x", status_callback=gateway.url + "/r")
    assert gateway.taken[0][1]["MessageStatus"] == "sent"  # it was there when create returned
    assert gateway.statuses(2) == ["sent", "delivered"]


def test_a_client_texts_in_and_a_repeat_has_the_same_sid(carrier: FakeCarrier, gateway: Gateway) -> None:
    carrier.inbound_url = gateway.url + "/c/a/inbound"
    sid, status = carrier.text_in("+84912345678", SENDER, " Dừng 😀 ", opt_out="STOP")
    assert (carrier.text_in("+84912345678", SENDER, "", sid=sid), status) == ((sid, 200), 200)
    assert [(form["Body"], form["OptOutType"], good) for _, form, good in gateway.taken[:1]] == [
        (" Dừng 😀 ", "STOP", True)
    ]
    assert [form["MessageSid"] for _, form, _ in gateway.taken] == [sid, sid]


def test_a_withheld_text_is_only_in_the_list(carrier: FakeCarrier, client: Client, gateway: Gateway) -> None:
    carrier.inbound_url = gateway.url
    sid, _ = carrier.text_in("+84912345678", SENDER, "help", withhold=True)
    assert [(m.sid, m.direction, m.body) for m in client.messages.list(to=SENDER)] == [
        (sid, "inbound", "help")
    ]
    assert gateway.taken == []


def test_our_own_channel_finds_its_messages_over_pages_and_blanks_them(
    carrier: FakeCarrier, client: Client
) -> None:
    settings = {"account_sid": "AC1", "auth_token": "token", "sender": SENDER, "base_url": carrier.url}
    sids = [client.messages.create(to="+84912345678", from_=SENDER, body=str(n)).sid for n in range(205)]
    wire = Wire().start()
    found, following = _pages(wire, settings, "+84912345678")
    assert [one.carrier_id for one in found] == sids[::-1]
    assert following == 3
    wire.call(twilio.redact_request(settings, sids[0]))
    assert client.messages(sids[0]).fetch().body == ""
    wire.close()


def _pages(wire: Wire, settings: base.Settings, to: str) -> tuple[list[base.Found], int]:
    found: list[base.Found] = []
    pages, following = 0, None
    while pages == 0 or following:
        reply = wire.call(twilio.list_request(settings, to, following)).reply
        assert reply is not None
        page = twilio.read_list(reply)
        found, following, pages = [*found, *page.found], page.next, pages + 1
    return found, pages


def test_two_at_once_each_read_their_own() -> None:
    """They are threads of one process."""

    def request(carrier: FakeCarrier, n: int) -> base.WireRequest:
        settings = {"account_sid": "AC" + "1" * 32, "auth_token": "token", "sender": SENDER, "base_url": carrier.url, "callback_url": "https://g.example/c/1"}
        return twilio.send_request(settings, base.Outgoing(uuid4(), str(uuid4()), f"+8491{n:07d}", f"{n} " + "x" * 1500, 60))

    with FakeCarrier() as one, FakeCarrier() as other:
        wire = Wire(max_open=100, connect_s=20, read_s=20).start()
        for turn in range(20):
            for at, carrier in enumerate((one, other)):
                wire.submit_many([(request(carrier, at + 2 * n), lambda _: None) for n in range(turn * 100, turn * 100 + 100)])
        wire.drain(60)
        wire.close()
        for at, carrier in enumerate((one, other)):
            assert sorted(int(message.body.split()[0]) for message in carrier.messages) == [at + 2 * n for n in range(2000)]


def test_as_a_process_it_prints_its_address_and_takes_orders() -> None:
    command = [sys.executable, "-m", "tests.carrier", "--latency-ms", "1", "--no-reports"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["url"]
        order: dict[str, str | int] = {"do": "script", "mode": "error", "code": 30002, "next": 1}
        assert requests.post(address + "/_control", json=order, timeout=10).json()["posts"] == 0
        client = Client("AC1", "token")
        client.api.base_url = address
        with pytest.raises(TwilioRestException, match="30002"):
            client.messages.create(to="+84912345678", from_=SENDER, body="x")
        client.messages.create(to="+84912345678", from_=SENDER, body="x")
        listed = requests.post(address + "/_control", json={"do": "messages"}, timeout=10).json()["messages"]
        assert [m["to"] for m in listed] == ["+84912345678"]
        process.terminate()
    assert process.returncode == 0
