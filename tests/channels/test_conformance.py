"""What every channel must do, whichever carrier it is: the same sentences over all kinds there are.

A kind gives its description in its own test file; see conformance.py.
"""

import re
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from gateway.channels import base, registry
from gateway.channels.base import (
    BadCallback,
    CallbackRequest,
    Channel,
    Outcome,
    Outgoing,
    Settings,
    WireReply,
)
from gateway.usecases.record_outcomes import Recorder
from gateway.usecases.send_due import Sender
from gateway.vault import Vault
from gateway.wire import Wire
from gateway.wire.connection import message_of
from tests import builders, simulated
from tests.channels.conformance import CARRIER_ID, OURS, PHONE, TOKEN, Carrier, FarSide, described, far_side
from tests.usecases.test_send_due import until

CARRIERS = described()
CAN = {kind: registry.capabilities(kind, carrier.settings) for kind, carrier in CARRIERS.items()}
TEXTING = [kind for kind, can in CAN.items() if can.texts]
TWO_WAY = [kind for kind in TEXTING if CAN[kind].two_way]
HTTP = [kind for kind in TEXTING if CAN[kind].road == "http"]
"""The others' answers and lines: tests/channels/test_smpp.py, test_gammu.py, tests/workers/test_lines.py."""
REPORTING = [kind for kind, can in CAN.items() if can.receipts != "none"]
USSD = [kind for kind, can in CAN.items() if can.ussd]
PLAIN = {
    "plain": "Reminder: clinic tomorrow at 9.", "signs of forms and pages": "A & B + C = 100% ; \"<x>\" 'y' %2B #1 ?",
    "GSM extensions": "^{}[~]|€ \\", "lines": "One\nTwo", "a digit": "1", "long": "Long text 0123456789 " * 76,
}  # fmt: skip
WIDE = {"Vietnamese": "Mai 9h: trả lời 1 để đến, ừ", "emoji": "Hẹn 👩‍⚕️ 9h 😀", "long Vietnamese": "Hẹn gặp lại ở trạm y tế. " * 60}
ODD = {
    "nothing": "", "blanks": "  dừng ", "NUL": "a\x00b", "10 kB": "canary " * 1500, "RTL": "\u202etxt\u202c", "decomposed": "dừng",
    "not characters": "\ufffe\U0010ffff", "a terminal's": "\x1b[2J\x07", "lines of a log": 'a\n{"event": "x"}\r\n',
}  # fmt: skip
OURS_TO_TELL: set[Outcome] = {"accepted", "not_sent_retry", "unknown"}
PAGE = b"<!doctype html><html><body>Welcome to this Wi-Fi</body></html>"


def carrier_of(kind: str) -> tuple[Channel, Carrier]:
    return registry.of(kind, CARRIERS[kind].settings), CARRIERS[kind]


def outgoing(body: str = "Hello", **changes: object) -> Outgoing:
    return replace(Outgoing(uuid4(), TOKEN, PHONE, body), **changes)  # type: ignore[arg-type]


def came_in(carrier: Carrier, text: str, carrier_id: str = "in-1", settings: Settings | None = None) -> CallbackRequest:
    assert carrier.text is not None
    return carrier.posted(settings or carrier.settings, "inbound", *carrier.text(carrier_id, PHONE, text))


def reported(carrier: Carrier, word: str, token: str = TOKEN, settings: Settings | None = None) -> CallbackRequest:
    assert carrier.report is not None
    return carrier.posted(settings or carrier.settings, "report", *carrier.report(token, word))


def any_callback(kind: str, settings: Settings | None = None) -> CallbackRequest:
    carrier = CARRIERS[kind]
    if kind in TWO_WAY:
        return came_in(carrier, "Yes", settings=settings)
    if carrier.ussd is not None:
        return carrier.posted(settings or carrier.settings, "ussd", carrier.ussd("s1", PHONE, "1"), "")
    return reported(carrier, next(iter(carrier.states)), settings=settings)


def secrets_of(kind: str, change: str | None) -> Settings:
    """The settings with something added to every secret, or with empty ones."""
    channel, carrier = carrier_of(kind)
    secret = {f.name for f in channel.fields if f.secret}
    return {name: ("" if change is None else value + change) if name in secret else value for name, value in carrier.settings.items()}


# the description


def test_every_kind_of_channel_is_described() -> None:
    assert sorted(CARRIERS) == sorted(registry.kinds()), "a kind lacks CARRIER in tests/channels/test_<kind>.py"


@pytest.mark.parametrize("kind", CARRIERS)
def test_its_description_has_what_its_capabilities_promise(kind: str) -> None:
    channel, carrier = carrier_of(kind)
    can = channel.capabilities
    assert channel.check(carrier.settings) == []
    assert (carrier.reads is not None and carrier.accepted is not None) is can.texts
    assert (carrier.text is not None) is (can.texts and can.two_way)
    final = {"delivered"} if "permanent" in carrier.never else {"delivered", "failed"}
    assert (carrier.report is not None and final <= set(carrier.states.values())) is (can.receipts != "none")
    assert (carrier.ussd is not None) is can.ussd


@pytest.mark.parametrize("kind", CARRIERS)
def test_faults_of_settings_name_the_setting_and_show_no_secret(kind: str) -> None:
    channel, carrier = carrier_of(kind)
    for name in (f.name for f in channel.fields if f.required):
        assert [fault for fault in channel.check({**carrier.settings, name: ""}) if name in fault]
    for name in (f.name for f in channel.fields if f.secret):
        faults = channel.check({**carrier.settings, name: "hush-hush-hush-hush-hush-hush\n"})
        assert faults
        assert "hush" not in "".join(faults)


# send


@pytest.mark.parametrize(("kind", "words"), [(kind, words) for kind in TEXTING for words in (*PLAIN, *(WIDE if CAN[kind].charset == "UCS-2" else ()))])
def test_a_text_reaches_the_carrier_as_it_was_written(kind: str, words: str) -> None:
    channel, carrier = carrier_of(kind)
    body = (PLAIN | WIDE)[words][: channel.capabilities.max_chars]
    assert carrier.reads is not None
    assert carrier.reads(channel.send_request(carrier.settings, outgoing(body))) == (PHONE, body)


@pytest.mark.parametrize("kind", TEXTING)
def test_no_number_text_or_secret_stands_in_an_address_and_our_token_goes_along(kind: str) -> None:
    channel, carrier = carrier_of(kind)
    request = channel.send_request(carrier.settings, outgoing("Canary"))
    assert message_of(request).startswith(f"{request.method} ".encode())
    for told in [PHONE[1:], "Canary", *(carrier.settings[f.name] for f in channel.fields if f.secret and f.name in carrier.settings)]:
        assert told not in request.url
    if kind in REPORTING and kind in HTTP and carrier.bears_token:  # SMPP has no place for it
        assert TOKEN in f"{request.headers} {request.body.decode()}"
    assert request == channel.send_request(carrier.settings, replace(outgoing("Canary"), id=uuid4())), "nothing but what it is told"


@pytest.mark.parametrize("kind", TEXTING)
def test_a_text_that_is_soon_too_late_says_so_where_the_carrier_listens(kind: str) -> None:
    channel, carrier = carrier_of(kind)
    asked = {str(channel.send_request(carrier.settings, replace(outgoing(validity_s=seconds), id=UUID(int=0)))) for seconds in (None, 600, 7200)}
    assert len(asked) == (3 if channel.capabilities.validity else 1)


# answers


@pytest.mark.parametrize("kind", TEXTING)
def test_each_answer_has_its_outcome(kind: str) -> None:
    channel, carrier = carrier_of(kind)
    assert carrier.accepted is not None
    assert channel.read_answer(carrier.accepted).outcome == "accepted"
    for reply, reason in carrier.refusals:
        found = channel.read_answer(reply)
        assert (found.outcome, found.reason) == (base.OUTCOMES[reason], reason), reply
        told = f"{found.code} {found.carrier_id}"
        assert PHONE[1:] not in told


@pytest.mark.parametrize("kind", TEXTING)
def test_every_class_of_error_has_a_sample_or_a_reason_why_not(kind: str) -> None:
    _, carrier = carrier_of(kind)
    sampled = {base.OUTCOMES[reason] for _, reason in carrier.refusals} - OURS_TO_TELL
    assert not sampled & set(carrier.never)
    assert sampled | set(carrier.never) | OURS_TO_TELL == set(base.OUTCOMES.values()) | {"accepted"}


@pytest.mark.parametrize("kind", TEXTING)
def test_what_is_not_fully_understood_is_unknown(kind: str) -> None:
    channel, carrier = carrier_of(kind)
    assert carrier.accepted is not None
    for status in (200, 201, 202):
        for body in (b"", PAGE, b"null", b"[]", b"{}", b'{"id', b"\xff\xfe", b"[" * 100_000, b"OK"):
            assert channel.read_answer(WireReply(status, {}, body)).outcome == "unknown", (status, body[:20])
    for status in (301, 302, 307):
        assert channel.read_answer(WireReply(status, {"location": "https://example.org/"}, PAGE)).outcome == "unknown"
    for status in (500, 502, 503, 504):
        for body in (b"", PAGE, b"{}", carrier.accepted.body):
            assert channel.read_answer(WireReply(status, {}, body)).outcome == "unknown", (status, body[:20])


@pytest.mark.parametrize("kind", HTTP)
def test_too_many_requests_is_throttled_for_as_long_as_it_says(kind: str) -> None:
    channel, _ = carrier_of(kind)
    for header, seconds in (("30", 30), ("", None), ("soon", None), ("999999999", 86_400)):
        found = channel.read_answer(WireReply(429, {"retry-after": header}, b""))
        assert (found.outcome, found.retry_after_s) == ("throttled", seconds)


@pytest.mark.parametrize("kind", TEXTING)
@given(status=st.integers(100, 599), body=st.binary(max_size=200))
def test_reading_an_answer_never_raises_and_never_invents_an_acceptance(kind: str, status: int, body: bytes) -> None:
    assert carrier_of(kind)[0].read_answer(WireReply(status, {}, body)).outcome != "accepted"


@pytest.mark.parametrize("kind", TEXTING)
def test_how_far_a_request_came_decides_before_what_it_says(kind: str) -> None:
    channel, _ = carrier_of(kind)
    assert base.read(channel, "not_sent", None).outcome == "not_sent_retry"
    assert base.read(channel, "sent", None).outcome == "unknown"


# callbacks


@pytest.mark.parametrize("kind", CARRIERS)
def test_the_carrier_is_believed_and_nobody_else(kind: str) -> None:
    channel, carrier = carrier_of(kind)
    good = any_callback(kind)
    assert channel.verify(carrier.settings, good)
    assert not channel.verify(secrets_of(kind, "x"), good), "another channel's secret"
    assert not channel.verify(carrier.settings, any_callback(kind, secrets_of(kind, "x"))), "another's signature"
    bare = CallbackRequest(good.url.partition("?")[0], good.path, "", {}, good.body)
    assert not channel.verify(carrier.settings, bare), "nothing at all"
    assert channel.verify(carrier.settings, replace(good, body=good.body + b"&x=1")) is not carrier.signs_body


@pytest.mark.parametrize("kind", CARRIERS)
def test_an_empty_secret_lets_nobody_in(kind: str) -> None:
    channel, _ = carrier_of(kind)
    empty = secrets_of(kind, None)
    none = {name: value for name, value in empty.items() if value}
    assert not channel.verify(empty, any_callback(kind, empty))
    assert not channel.verify(none, any_callback(kind, empty))
    assert not channel.verify(none, any_callback(kind))


@pytest.mark.parametrize("kind", CARRIERS)
@given(said=st.text(max_size=40), body=st.binary(max_size=60))
def test_verifying_never_raises(kind: str, said: str, body: bytes) -> None:
    channel, carrier = carrier_of(kind)
    good = any_callback(kind)
    headers = dict.fromkeys(good.headers, said)
    for query in (said, f"t={said}", f"bodySHA256={said}", "key=%FF"):
        assert not channel.verify(carrier.settings, CallbackRequest(f"{good.url.partition('?')[0]}?{query}", good.path, query, headers, body))


@pytest.mark.parametrize("words", [*PLAIN, *WIDE, *ODD])
@pytest.mark.parametrize("kind", TWO_WAY)
def test_a_text_that_comes_in_is_kept_as_it_was_typed(kind: str, words: str) -> None:
    channel, carrier = carrier_of(kind)
    text = (PLAIN | WIDE | ODD)[words]
    request = came_in(carrier, text)
    assert channel.verify(carrier.settings, request)
    found = channel.read_inbound(request)
    assert (found.sender_phone, found.text) == (PHONE, text)


@pytest.mark.parametrize("kind", TWO_WAY)
def test_the_same_text_once_more_is_the_same_and_another_is_another(kind: str) -> None:
    channel, carrier = carrier_of(kind)
    first, again, other = (channel.read_inbound(came_in(carrier, "Yes", each)) for each in ("in-1", "in-1", "in-2"))
    assert first == again
    assert first.carrier_id != other.carrier_id


@pytest.mark.parametrize("kind", CARRIERS)
def test_a_callback_cut_short_is_read_or_refused_and_the_refusal_tells_nothing(kind: str) -> None:
    channel, _ = carrier_of(kind)
    whole = any_callback(kind)
    reads = [channel.read_inbound, channel.read_report, channel.read_ussd, channel.read_call]
    for body in [whole.body[:n] for n in range(len(whole.body))] + [b"null", b"[]", b"{}", b"\xff\xfe", PAGE, b"[" * 100_000, b"=&=&&"]:
        for read in reads:
            said = ""
            try:
                read(replace(whole, body=body))
            except BadCallback as refusal:
                said = str(refusal)
            assert PHONE[1:] not in said and "Yes" not in said


@pytest.mark.parametrize("kind", REPORTING)
def test_each_word_of_a_report_has_its_state_and_an_unknown_one_none(kind: str) -> None:
    channel, carrier = carrier_of(kind)
    for word, state in [*carrier.states.items(), (carrier.unknown, None)]:
        request = reported(carrier, word)
        assert channel.verify(carrier.settings, request)
        found = channel.read_report(request)
        assert found == channel.read_report(request)
        assert found.state == state, word
        assert found.token == TOKEN or found.carrier_id == CARRIER_ID
        assert (found.reason is None) or state in ("failed", "expired")


@pytest.mark.parametrize("kind", USSD)
def test_a_step_by_ussd_is_read_with_all_that_was_typed(kind: str) -> None:
    channel, carrier = carrier_of(kind)
    assert carrier.ussd is not None
    for typed in ("", "1", "1*2*ừ"):
        found = channel.read_ussd(carrier.posted(carrier.settings, "ussd", carrier.ussd("s-1", PHONE, typed), ""))
        assert found == base.Dialled("s-1", PHONE, typed)
    for goes_on in (True, False):
        assert b"1 A" in channel.ussd_reply("Chọn:\n1 A", goes_on).body
    assert channel.ussd_reply("x", True).body != channel.ussd_reply("x", False).body


@pytest.mark.parametrize("kind", CARRIERS)
def test_what_it_lacks_is_refused_and_never_asked_for(kind: str) -> None:
    channel, carrier = carrier_of(kind)
    can, callback = channel.capabilities, any_callback(kind)
    for has, read in ((can.ussd, channel.read_ussd), (can.calls, channel.read_call)):
        if not has:
            with pytest.raises(BadCallback):
                read(callback)
    asked = [channel.list_request(carrier.settings, PHONE), channel.inbound_list_request(carrier.settings, OURS)]
    assert [request is not None for request in asked] == [can.can_list, can.can_list]
    assert bool(channel.own_numbers(carrier.settings)) == can.can_list
    for body in (b"", PAGE, b"{}", b"[]"):
        with pytest.raises(base.BadList):
            channel.read_list(WireReply(200, {}, body))


# the whole way, over HTTP and the database


def over_http(callback: CallbackRequest) -> int:
    asked = urllib.request.Request(callback.url, callback.body, dict(callback.headers), method="POST")
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def send(world: builders.World, channel_id: UUID, url: str, body: str, ends: str) -> UUID:
    """Plan a text to a new client and let it leave; its id once it has the state it ends in."""
    message_id = world.planned(world.client(), body, channel_id=channel_id)
    wire = Wire(connect_s=20, read_s=1 if ends == "unknown" else 20, private_hosts=frozenset({"127.0.0.1"})).start()
    recorder = Recorder(world.engine, world.vault)
    try:
        Sender(world.engine, world.vault, wire, recorder, url).due(channel_id)
        until(lambda: world.state(message_id) == ends)
    finally:
        wire.close()
        recorder.close()
    return message_id


def token_of(world: builders.World, message_id: UUID) -> str:
    return str(world.value("SELECT attempt_id FROM outbound WHERE id = :id", id=message_id))


def settle(world: builders.World, message_id: UUID, state: str) -> None:
    until(lambda: world.state(message_id) == state)


@pytest.mark.parametrize("kind", HTTP)
def test_texts_go_out_once_and_reports_raise_them_and_nothing_is_told_to_a_log(
    kind: str, engine: Engine, vault: Vault, redis_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    _, carrier = carrier_of(kind)
    word = {state: word for word, state in carrier.states.items()}
    assert carrier.reads is not None
    with simulated.running(engine, vault, redis_url) as here, far_side(carrier.accepted) as far:
        world, settings, channel_id = _channel(here, carrier, kind, far)
        sent = send(world, channel_id, here.url, "Canary one", "accepted")
        far.answer = None
        lost = send(world, channel_id, here.url, "Canary two", "unknown")
        assert [carrier.reads(request)[1] for request in far.taken] == ["Canary one", "Canary two"], "each is asked for once"
        if kind in REPORTING:
            for message_id in (sent, lost):
                token = token_of(world, message_id)
                delivered = reported(carrier, word["delivered"], token, settings)
                assert [over_http(delivered), over_http(delivered)] == [carrier_status(kind)] * 2
                if token.encode() in delivered.body + delivered.raw_query.encode():
                    settle(world, message_id, "delivered")
            late = [reported(carrier, word[state], token_of(world, sent), settings) for state in ("sent", "accepted", "failed") if state in word]
            assert {over_http(each) for each in late} == {carrier_status(kind)}
            settle(world, sent, "delivered")
    _nothing_told(capfd)


@pytest.mark.parametrize("kind", TWO_WAY)
def test_texts_come_in_once_forged_ones_not_at_all_and_nothing_is_told_to_a_log(
    kind: str, engine: Engine, vault: Vault, redis_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    _, carrier = carrier_of(kind)
    with simulated.running(engine, vault, redis_url) as here, far_side(carrier.accepted) as far:
        world, settings, _ = _channel(here, carrier, kind, far)
        world.client(PHONE)
        yes, stop = came_in(carrier, "Canary yes", "in-1", settings), came_in(carrier, "STOP", "in-2", settings)
        with ThreadPoolExecutor(4) as four:
            assert set(four.map(over_http, [yes] * 4)) == {carrier_status(kind)}
        assert [over_http(stop), over_http(stop)] == [carrier_status(kind)] * 2
        wrong = {**settings, **{name: secrets_of(kind, "x")[name] for name in settings if name not in ("callback_url", "base_url")}}
        assert over_http(came_in(carrier, "Canary", "in-3", wrong)) == 403
        assert over_http(replace(came_in(carrier, "Canary", "in-4", settings), headers={"content-type": "text/plain"}, url=yes.url.partition("?")[0])) == 403
        assert world.value("SELECT count(*) FROM inbound") == 2
        assert world.value("SELECT reason FROM stops") == "stop"
    _nothing_told(capfd)


def carrier_status(kind: str) -> int:
    return carrier_of(kind)[0].inbound_reply().status


def _channel(here: simulated.Simulated, carrier: Carrier, kind: str, far: FarSide) -> tuple[builders.World, Settings, UUID]:
    """A channel of that kind, its carrier being `far`."""
    settings = {name: value for name, value in carrier.at(carrier.settings, far.url).items() if name != "callback_url"}
    channel_id = builders.channel(here.world.engine, here.world.vault, here.world.now, here.world.unit_id, kind, name="tried", settings=settings)
    return here.world, {**settings, "callback_url": f"{here.url}/c/{channel_id}"}, channel_id


def _nothing_told(capfd: pytest.CaptureFixture[str]) -> None:
    told = "".join(capfd.readouterr())
    assert "Canary" not in told
    assert not re.search(r"8491\d{7}", told), "a number"
