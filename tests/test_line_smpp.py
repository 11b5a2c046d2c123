"""A bind: its window, its answers, its ends, and what it hands in. The SMSC is not ours (tests/smsc)."""

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import smpp34

from gateway.channels import base, smpp
from gateway.channels.base import Outgoing, WireReply, WireRequest
from gateway.wire import Wire, WireResult, lines
from tests.faults.processes import free_port, until
from tests.rawserver import certificate
from tests.smsc import HANG, FakeSmsc
from tests.smsc.relay import Relay

THROTTLED, QUEUE_FULL, BAD_NUMBER = 0x58, 0x14, 0x0B
KEPT, TRY_AGAIN, NEVER = 0, 0x64, 0x65
SETTINGS = {
    "host": "127.0.0.1", "system_id": "gateway", "password": "s3cret", "sender": "+84900000001", "tls": "no", "window": "4",
    "secret": "signed", "callback_url": "http://127.0.0.1:9/c/smpp",
}  # fmt: skip


class OurSide:
    """What the posts of a line meet: gives `statuses` and then 204."""

    def __init__(self) -> None:
        self.posted: list[WireRequest] = []
        self.statuses: list[int] = []
        self.seconds = 0.0

    def submit(self, request: WireRequest, callback: Callable[[WireResult], None]) -> None:
        self.posted.append(request)
        status = self.statuses.pop(0) if self.statuses else 204
        result = WireResult(WireReply(status, {}), "answered") if status else WireResult(None, "sent", "closed")
        threading.Timer(self.seconds, callback, [result]).start()


@pytest.fixture
def smsc() -> Iterator[FakeSmsc]:
    started = FakeSmsc(free_port()).start()
    yield started
    started.stop()


@pytest.fixture
def ours() -> OurSide:
    return OurSide()


@contextmanager
def bound(smsc: FakeSmsc, ours: OurSide, read_s: float = 5, **settings: str) -> Iterator[Wire]:
    """A line to the SMSC, once it is open."""
    hold = smpp.hold_request({**SETTINGS, "port": str(smsc.port), **settings})
    line = lines.opened("smpp", hold, ours, lambda: True, 2, read_s)  # type: ignore[arg-type]
    try:
        until(lambda: line.wire.is_open, what="the bind")
        yield line.wire
    finally:
        line.wire.close()


def text(body: str = "Canary body") -> WireRequest:
    return smpp.send_request(SETTINGS, Outgoing(uuid4(), "token", "+84912345678", body))


def send(wire: Wire, *requests: WireRequest) -> list[WireResult]:
    """The results, as they come."""
    results: list[WireResult] = []
    wire.submit_many([(request, results.append) for request in requests])
    return results


def outcome(result: WireResult) -> base.SendResult:
    return base.read(smpp, result.phase, result.reply)  # type: ignore[arg-type]


def test_every_text_gets_the_id_of_its_own_last_part(smsc: FakeSmsc, ours: OurSide) -> None:
    with bound(smsc, ours, window="100") as wire:
        results = send(wire, *(text(f"{n} " + "x" * (200 * (n % 2))) for n in range(60)))
        until(lambda: len(results) == 60)
    last = [taken.carrier_id for taken in smsc.taken if taken.registered]
    assert sorted(outcome(result).carrier_id or "" for result in results) == sorted(last)
    assert len(smsc.taken) == 90


def test_no_more_wait_for_their_answer_than_the_window_lets(smsc: FakeSmsc, ours: OurSide) -> None:
    smsc.next_statuses.extend([HANG] * 20)
    with bound(smsc, ours) as wire:
        results = send(wire, *(text(str(n)) for n in range(9)))
        until(lambda: len(smsc.taken) == 4)
        time.sleep(0.3)
        assert len(smsc.taken) == 4
        smsc.next_statuses.clear()
        smsc.release()
        until(lambda: len(results) == 9)
    assert {outcome(result).outcome for result in results} == {"accepted"}


def test_what_goes_first_overtakes_all_that_waits_in_line_even_parts_of_a_text_that_is_being_written(smsc: FakeSmsc, ours: OurSide) -> None:
    smsc.next_statuses.append(HANG)
    with bound(smsc, ours, window="1") as wire:
        results = send(wire, text("long " + "x" * 200), *(text(f"bulk {n}") for n in range(5)))
        until(lambda: len(smsc.taken) == 1)
        wire.submit_many([(text(f"alert {n}"), results.append) for n in range(2)], first=True)
        until(lambda: len(wire.drain(0)) == 8)
        smsc.release()
        until(lambda: len(results) == 8)
    assert [taken.text.split(" x")[0] for taken in smsc.taken[1:3]] == ["alert 0", "alert 1"]
    assert [taken.text for taken in smsc.taken[4:]] == [f"bulk {n}" for n in range(5)]
    assert {outcome(result).outcome for result in results} == {"accepted"}


def test_a_refusal_is_read_and_throttling_slows_us_down(smsc: FakeSmsc, ours: OurSide) -> None:
    smsc.next_statuses.extend([BAD_NUMBER, THROTTLED])
    with bound(smsc, ours, window="1") as wire:
        results = send(wire, text("a"), text("b"), text("c"))
        until(lambda: len(results) == 2)
        began = time.monotonic()
        until(lambda: len(results) == 3)
        assert time.monotonic() - began > 0.8
    assert [outcome(result).outcome for result in results] == ["permanent", "throttled", "accepted"]


def test_a_part_refused_as_too_fast_is_sent_again_so_that_the_text_is_whole(smsc: FakeSmsc, ours: OurSide) -> None:
    smsc.next_statuses.extend([0, QUEUE_FULL])
    with bound(smsc, ours) as wire:
        results = send(wire, text("long " * 70))
        until(lambda: len(results) == 1)
    assert outcome(results[0]).outcome == "accepted"
    assert [taken.status for taken in smsc.taken] == [0, QUEUE_FULL, 0, 0]
    assert smsc.taken[1].octets == smsc.taken[3].octets


def test_a_text_of_which_a_part_was_refused_for_good_is_unknown_and_nothing_is_repeated(smsc: FakeSmsc, ours: OurSide) -> None:
    smsc.next_statuses.extend([0, 0x45])
    with bound(smsc, ours) as wire:
        results = send(wire, text("long " * 70))
        until(lambda: len(results) == 1)
        time.sleep(0.3)
    assert outcome(results[0]).outcome == "unknown"
    assert len(smsc.taken) == 3


def test_a_submit_without_an_answer_is_unknown_and_never_written_again(smsc: FakeSmsc, ours: OurSide) -> None:
    smsc.next_statuses.append(HANG)
    with bound(smsc, ours, read_s=1) as wire:
        results = send(wire, text())
        until(lambda: len(results) == 1)
        assert results == [WireResult(None, "sent", "timeout")]
        smsc.release()  # too late: nobody waits for it
        assert outcome(send_one(wire)).outcome == "accepted"
    assert len(smsc.taken) == 2


def send_one(wire: Wire) -> WireResult:
    results = send(wire, text())
    until(lambda: len(results) == 1)
    return results[0]


def test_a_connection_that_is_lost_makes_what_was_written_unknown_and_is_made_again(smsc: FakeSmsc, ours: OurSide) -> None:
    smsc.next_statuses.extend([HANG] * 4)
    with Relay(smsc.port) as relay, bound(smsc, ours, port=str(relay.port)) as wire:
        results = send(wire, *(text(str(n)) for n in range(6)))
        until(lambda: len(smsc.taken) == 4)
        relay.cut()
        until(lambda: len(results) >= 4)
        assert results[:4] == [WireResult(None, "sent", "closed")] * 4
        until(lambda: len(results) == 6)  # those that never left: by the new bind, or given back
        assert {(result.phase, result.error) for result in results[4:]} <= {("answered", None), ("not_sent", "too_late")}
        until(lambda: wire.is_open)
        assert outcome(send_one(wire)).outcome == "accepted"
    written = [taken.text for taken in smsc.taken]
    assert len(written) == len(set(written))


class Abrupt(threading.Thread):
    """An SMSC by hand that answers the first submit and unbinds in one breath, once a second text waits; `heard`: all that it was told."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.heard: list[int] = []
        self.go = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.start()

    def run(self) -> None:
        connection, _ = self._listener.accept()
        self._listener.close()
        with connection:
            sequence = self._next(connection)
            connection.sendall(struct.pack(">LLLL", 17, 0x80000009, 0, sequence) + b"\0")
            sequence = self._next(connection)
            self.go.wait(5)
            connection.sendall(struct.pack(">LLLL", 18, 0x80000004, 0, sequence) + b"7\0" + struct.pack(">LLLL", 16, 0x6, 0, 1))
            while self._next(connection):
                pass

    def _next(self, connection: socket.socket) -> int:
        head = connection.recv(16, socket.MSG_WAITALL)
        if len(head) < 16:
            return 0
        length, command, _, sequence = struct.unpack(">LLLL", head)
        if length > 16:
            connection.recv(length - 16, socket.MSG_WAITALL)
        self.heard.append(command)
        return int(sequence)


def test_a_text_that_waits_when_the_smsc_unbinds_is_given_back_and_not_taken_for_sent(ours: OurSide) -> None:
    smsc, results = Abrupt(), list[WireResult]()
    line = lines.opened("smpp", smpp.hold_request({**SETTINGS, "port": str(smsc.port), "window": "1"}), ours, lambda: True, 1, 5)  # type: ignore[arg-type]
    try:
        until(lambda: line.wire.is_open, what="the bind")
        line.wire.submit_many([(text("first"), results.append), (text("second"), results.append)])
        until(lambda: 0x4 in smsc.heard)
        smsc.go.set()
        until(lambda: len(results) == 2)
    finally:
        line.wire.close()
    assert (results[0].phase, results[1]) == ("answered", WireResult(None, "not_sent", "too_late"))
    assert smsc.heard.count(0x4) == 1


def test_a_name_that_is_none_is_said_and_tried_again(ours: OurSide, capfd: pytest.CaptureFixture[str]) -> None:
    line = lines.opened("smpp", smpp.hold_request({**SETTINGS, "host": "smsc..example.org"}), ours, lambda: True, 1, 5)  # type: ignore[arg-type]
    try:
        said = ""

        def twice() -> bool:
            nonlocal said
            said += capfd.readouterr().err
            return said.count("bind_failed") == 2

        until(twice)
    finally:
        line.wire.close()


def test_nothing_is_taken_on_while_there_is_no_bind(smsc: FakeSmsc, ours: OurSide) -> None:
    with Relay(smsc.port) as relay, bound(smsc, ours, port=str(relay.port)) as wire:
        assert wire.free() > 0
        relay.fall_silent()
        relay.cut()
        until(lambda: not wire.is_open)
        assert wire.free() == 0
        results = send(wire, text())
        until(lambda: len(results) == 1)
    assert results == [WireResult(None, "not_sent", "too_late")]
    assert smsc.taken == []


def test_an_smsc_that_falls_silent_is_asked_and_then_left(smsc: FakeSmsc, ours: OurSide) -> None:
    with Relay(smsc.port) as relay, bound(smsc, ours, port=str(relay.port), enquire_s="1") as wire:
        time.sleep(2.5)
        assert (wire.is_open, relay.connections) == (True, 1)  # it was asked, and said that it is there
        relay.fall_silent()
        until(lambda: not wire.is_open)
        relay.speak()
        until(lambda: wire.is_open)
        assert outcome(send_one(wire)).outcome == "accepted"


def test_a_bind_is_encrypted_and_an_unknown_certificate_is_no_smsc(smsc: FakeSmsc, ours: OurSide, tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    with Relay(smsc.port, tls) as relay:
        with bound(smsc, ours, port=str(relay.port), tls="yes", ca_file=str(chain)) as wire:
            assert outcome(send_one(wire)).outcome == "accepted"
        hold = smpp.hold_request({**SETTINGS, "port": str(relay.port), "tls": "yes"})
        stranger = lines.opened("smpp", hold, ours, lambda: True, 2, 5).wire  # type: ignore[arg-type]
        time.sleep(1)
        assert not stranger.is_open
        stranger.close()
    assert smsc.binds_made == 1


def test_closing_unbinds_and_gives_every_text_its_result(smsc: FakeSmsc, ours: OurSide) -> None:
    smsc.next_statuses.extend([HANG] * 4)
    with bound(smsc, ours) as wire:
        results = send(wire, *(text(str(n)) for n in range(6)))
        until(lambda: len(smsc.taken) == 4)
    assert sorted((result.phase, result.error) for result in results) == [("not_sent", "shutdown")] * 2 + [("sent", "shutdown")] * 4
    until(lambda: smsc.bound == 0)


# what comes in


def test_a_text_is_acknowledged_only_when_it_is_kept(smsc: FakeSmsc, ours: OurSide) -> None:
    with bound(smsc, ours):
        ours.statuses = [503, 0]
        assert smsc.text_in("84912345678", "84900000001", "Canary") == KEPT
        assert len(ours.posted) == 3
        assert len({json.loads(request.body)["id"] for request in ours.posted}) == 1


def test_what_our_side_can_never_read_is_not_asked_for_again(smsc: FakeSmsc, ours: OurSide) -> None:
    with bound(smsc, ours):
        ours.statuses = [400]
        assert smsc.text_in("84912345678", "84900000001", "Canary") == NEVER
        assert len(ours.posted) == 1


def test_what_is_not_kept_is_to_be_given_again_and_keeps_its_id(smsc: FakeSmsc, ours: OurSide) -> None:
    with bound(smsc, ours):
        ours.statuses = [503] * 6
        assert smsc.text_in("84912345678", "84900000001", "1") == TRY_AGAIN
        assert smsc.text_in("84912345678", "84900000001", "1") == KEPT
        assert smsc.text_in("84912345678", "84900000001", "1") == KEPT
        ids = [json.loads(request.body)["id"] for request in ours.posted]
        assert len(ids) == 8
        assert len(set(ids[:7])) == 1
        assert ids[7] != ids[0], "the same words later are another text"


def test_texts_of_one_person_are_posted_one_after_the_other(smsc: FakeSmsc, ours: OurSide) -> None:
    ours.seconds = 0.05
    with bound(smsc, ours):
        threads = []
        for n in range(6):
            threads.append(threading.Thread(target=smsc.text_in, args=("84912345678", "84900000001", str(n))))
            threads[-1].start()
            time.sleep(0.005)
        for thread in threads:
            thread.join()
    assert [bytes.fromhex(json.loads(request.body)["octets"]).decode() for request in ours.posted] == [str(n) for n in range(6)]


def test_a_report_is_posted_after_the_answers_before_it_are_recorded(smsc: FakeSmsc, ours: OurSide) -> None:
    recorded: list[int] = []
    hold = smpp.hold_request({**SETTINGS, "port": str(smsc.port)})
    line = lines.opened("smpp", hold, ours, lambda: recorded.append(len(ours.posted)), 2, 5)  # type: ignore[arg-type]
    until(lambda: line.wire.is_open)
    try:
        assert smsc.report("17") == KEPT
    finally:
        line.wire.close()
    assert recorded == [0]
    assert ours.posted[0].url.endswith("/report")
    told = smpp.read_report(callback(ours.posted[0]))
    assert (told.carrier_id, told.state) == ("17", "delivered")


def callback(request: WireRequest) -> base.CallbackRequest:
    headers = {name.lower(): value for name, value in request.headers.items()}
    found = base.CallbackRequest(request.url, "", "", headers, request.body)
    assert smpp.verify(SETTINGS, found)
    return found


def test_a_long_text_of_the_payload_parameter_is_read(smsc: FakeSmsc, ours: OurSide) -> None:
    with bound(smsc, ours):
        tlvs = [smpp34.Tlv(smpp34.TLV_MESSAGE_PAYLOAD, b"a long one " * 50), smpp34.Tlv(0x1400, b"of some vendor")]
        assert smsc.deliver(b"", source_addr="84912345678", destination_addr="84900000001", tlvs=tlvs) == KEPT
    assert smpp.read_inbound(callback(ours.posted[0])).text == "a long one " * 50


def test_nothing_of_a_text_stands_in_a_log(smsc: FakeSmsc, ours: OurSide, capfd: pytest.CaptureFixture[str]) -> None:
    ours.statuses = [400]
    smsc.next_statuses.append(BAD_NUMBER)
    with bound(smsc, ours) as wire:
        send_one(wire)
        smsc.text_in("84912345678", "84900000001", "Canary")
        smsc.deliver(b"", source_addr="84912345678", destination_addr="84900000001", data_coding=8)
    told = "".join(capfd.readouterr())
    assert "bound" in told
    assert not any(word in told for word in ("Canary", "84912345678", "s3cret", "43616e617279", b"Canary".hex()))
