"""Where alarms may be posted to and mailed from, and what they say."""

import hashlib
import hmac
import json
import socket
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from gateway.channels.base import WireRequest
from gateway.usecases import second_way
from gateway.usecases.second_way import Alarm, Hook, SecondWay
from gateway.wire import Wire
from gateway.wire.mail import Mailbox, NotMailed
from gateway.wire.values import is_public, is_reachable
from tests.builders import CONTENT
from tests.rawserver import RawServer
from tests.secondway import HookServer, MailServer

KEY = "k" * 32


def alarm() -> Alarm:
    return Alarm(uuid4(), "flag", second_way.words(CONTENT, "flag", number=12), 12)


def test_a_post_is_signed_over_its_moment_and_its_body() -> None:
    at = datetime(2026, 2, 10, 3, 0, tzinfo=UTC)
    made = second_way.request("https://example.org/x", KEY, alarm(), at)
    signed = str(int(at.timestamp())).encode() + b"." + made.body
    assert made.headers["X-Timestamp"] == "1770692400"
    assert made.headers["X-Signature"] == hmac.new(KEY.encode(), signed, hashlib.sha256).hexdigest()
    assert json.loads(made.body)["flag"] == 12


def test_an_alarm_is_said_in_every_language_english_first() -> None:
    said = second_way.words(CONTENT, "flag", number=12)
    assert said[0].startswith("Urgent: flag 12") and len(said) == len(CONTENT.languages) and any("Khẩn" in line for line in said)


@pytest.mark.parametrize("address", [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.7", "224.0.0.1",
    "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::1", "2002:a00:1::1", "2001:db8::1", "2001:0:4136:e378:8000:63bf:f5ff:fffe",
])  # fmt: skip
def test_addresses_of_this_machine_and_of_private_networks_are_no_public_ones(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_others_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0"])
def test_a_webhook_that_leads_to_this_machine_is_not_posted_to(host: str) -> None:
    with HookServer(KEY) as hook:
        wire = Wire(2, connect_s=2, public_only=True).start()
        url = hook.url.replace("127.0.0.1", host)
        result = wire.call(WireRequest("POST", url, {}, b"{}"))
        told = SecondWay(hook=Hook(url, KEY, wire)).tell(alarm())
        wire.close()
    assert (result.phase, told, hook.posts, hook.forged) == ("not_sent", None, [], 0)


def test_a_name_that_comes_to_lead_inside_is_not_posted_to(monkeypatch: pytest.MonkeyPatch) -> None:
    with HookServer(KEY) as hook:
        port = int(hook.url.rsplit(":", 1)[1].split("/")[0])
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_how: found)  # whatever it led to when it was set up
        wire = Wire(2, connect_s=2, public_only=True).start()
        result = wire.call(WireRequest("POST", f"http://hook.example.org:{port}/", {}, b"{}"))
        wire.close()
    assert (result.phase, result.error, hook.posts) == ("not_sent", "private", [])


@pytest.mark.parametrize("host", [
    "169.254.169.254", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "2852039166", "[fd00:ec2::254]", "100.100.100.200", "168.63.129.16", "[fe80::1]",
    "224.0.0.1", "0.0.0.0",
])  # fmt: skip
def test_no_channel_reaches_what_a_cloud_tells_its_machines(host: str) -> None:
    wire = Wire(2, connect_s=2).start()  # as channels have it, which may lead to a phone in the house
    result = wire.call(WireRequest("POST", f"http://{host}/latest/api/token", {}, b"{}"))
    wire.close()
    assert (result.phase, result.error) == ("not_sent", "private")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.168.1.20", "10.0.0.5", "100.64.0.9", "fd12::1", "8.8.8.8"])
def test_a_channel_may_lead_to_a_phone_or_a_gateway_in_the_house(address: str) -> None:
    assert is_reachable(address)


def test_a_redirect_is_not_followed() -> None:
    with HookServer(KEY) as hook, RawServer(f"HTTP/1.1 307 Go\r\nLocation: {hook.url}\r\nContent-Length: 0\r\n\r\n".encode()) as first:
        wire = Wire(2).start()
        told = SecondWay(hook=Hook(first.url, KEY, wire)).tell(alarm())
        wire.close()
    assert (told, hook.posts) == (None, [])


def test_one_way_that_fails_does_not_hold_up_the_other() -> None:
    with MailServer() as mail, HookServer(KEY) as hook:
        wire = Wire(2).start()
        both = SecondWay(Mailbox(mail.url, "g@example.org", ["a@example.org", "b@example.org"]), Hook(hook.url, KEY, wire))
        hook.status = 500
        assert both.tell(alarm()) == "mailed"
        hook.status, mail.refuse = 204, True
        assert both.tell(alarm()) == "posted"
        hook.status = 503
        assert both.tell(alarm()) is None
        wire.close()
    assert mail.mails[0]["To"] == "a@example.org, b@example.org"


def test_with_nothing_set_up_it_says_so() -> None:
    assert SecondWay().tell(alarm()) == second_way.NONE


def test_no_password_goes_out_without_tls() -> None:
    with MailServer() as mail, pytest.raises(NotMailed):
        Mailbox(mail.url.replace("//", "//user:secret@"), "g@example.org", ["a@example.org"]).send("1", "x", "y")
    assert mail.mails == []


def test_a_mail_server_that_says_nothing_is_given_up_and_no_address_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NotMailed) as caught:
        Mailbox(f"smtp://127.0.0.1:{port}", "g@example.org", ["canary@example.org"]).send("1", "x", "y")
    assert "canary" not in str(caught.value)
    assert "canary" not in repr(Mailbox("smtp://h", "canary@example.org", ["canary@example.org"]))
