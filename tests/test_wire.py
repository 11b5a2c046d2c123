"""The pipeline against a carrier that fails in every way it can, and against raw bytes."""

import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.channels import twilio
from gateway.channels.base import Outgoing, WireRequest
from gateway.wire import Error, Wire, WireClosed, WireResult, awake_s
from tests.carrier import FakeCarrier
from tests.rawserver import RawServer, busy_port, certificate

SETTINGS = {
    "account_sid": "AC" + "1" * 32,
    "auth_token": "token",
    "sender": "+15550001111",
    "callback_url": "https://gateway.example/c/one",
}
OK = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def carrier() -> Iterator[FakeCarrier]:
    with FakeCarrier(reports=()) as started:
        yield started


@pytest.fixture
def wire() -> Iterator[Wire]:
    started = Wire(max_open=50, connect_s=1, read_s=0.5).start()
    yield started
    started.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Wire]:
    started = Wire(max_open=5, connect_s=2, read_s=5).start()
    yield started
    started.close()


def message(carrier: FakeCarrier, to: str = "+84900000001") -> WireRequest:
    outgoing = Outgoing(uuid4(), "token-1", to, "Hen gap ngay mai luc 9 gio")
    return twilio.send_request(SETTINGS | {"base_url": carrier.url}, outgoing)


def get(url: str) -> WireRequest:
    return WireRequest("GET", url, {})


class Results:
    """Collects results of many requests."""

    def __init__(self, count: int) -> None:
        self.all: list[WireResult] = []
        self._count, self._done = count, threading.Event()

    def add(self, result: WireResult) -> None:
        self.all.append(result)
        if len(self.all) == self._count:
            self._done.set()

    def wait(self) -> list[WireResult]:
        assert self._done.wait(30)
        return self.all


def test_a_message_is_posted_and_its_answer_returned(carrier: FakeCarrier, wire: Wire) -> None:
    result = wire.call(message(carrier))
    assert (result.phase, result.error) == ("answered", None)
    assert result.reply is not None
    assert twilio.read_answer(result.reply).carrier_id == carrier.messages[0].sid
    assert carrier.messages[0].body == "Hen gap ngay mai luc 9 gio"
    assert carrier.messages[0].token == "token-1"


def test_requests_one_after_the_other_share_a_connection(carrier: FakeCarrier, wire: Wire) -> None:
    for _ in range(5):
        wire.call(message(carrier))
    assert len(carrier.carrier.connections) == 1


def test_more_than_max_open_wait_in_line_and_are_all_answered(carrier: FakeCarrier) -> None:
    carrier.script("ok", delay_ms=5)
    wire = Wire(max_open=3).start()
    results = Results(40)
    wire.submit_many([(message(carrier), results.add) for _ in range(40)])
    assert {r.phase for r in results.wait()} == {"answered"}
    assert carrier.posts == 40
    assert len(carrier.carrier.connections) == 3
    assert wire.drain(5) == []
    assert wire.free() == 3
    wire.close()


@pytest.mark.parametrize(
    "mode", ["429", "500", "503", "accept_500", "html", "empty", "wrong_json", "no_sid", "error"]
)
def test_any_whole_answer_is_answered(carrier: FakeCarrier, wire: Wire, mode: str) -> None:
    carrier.script(mode)
    assert wire.call(message(carrier)).phase == "answered"


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("close", "closed"),
        ("accept_close", "closed"),
        ("hang", "timeout"),
        ("accept_hang", "timeout"),
        ("trickle", "timeout"),
    ],
)
def test_a_request_without_a_whole_answer_was_sent(
    carrier: FakeCarrier, wire: Wire, mode: str, error: Error
) -> None:
    carrier.script(mode)
    assert wire.call(message(carrier)) == WireResult(None, "sent", error)


@pytest.mark.parametrize(
    "mode", ["429", "accept_500", "close", "accept_close", "accept_hang", "close_reused", "html"]
)
def test_no_request_is_ever_written_twice(carrier: FakeCarrier, wire: Wire, mode: str) -> None:
    wire.call(message(carrier, "+84911111111"))
    carrier.script(mode, next=10)
    results = Results(30)
    wire.submit_many([(message(carrier, f"+8490000{n:04d}"), results.add) for n in range(30)])
    results.wait()
    assert carrier.posts == 31
    assert max(carrier.accepted_count(f"+8490000{n:04d}") for n in range(30)) == 1


def test_a_reused_connection_that_dies_after_reading_leaves_one_message(
    carrier: FakeCarrier, wire: Wire
) -> None:
    wire.call(message(carrier))
    carrier.script("close_reused")
    assert wire.call(message(carrier, "+84900000002")) == WireResult(None, "sent", "closed")
    assert carrier.accepted_count("+84900000002") == 1
    assert wire.call(message(carrier, "+84900000003")).phase == "answered"


def test_a_refused_connection_sent_nothing(carrier: FakeCarrier, wire: Wire) -> None:
    wire.call(message(carrier))
    carrier.refuse(60)
    assert wire.call(message(carrier)) == WireResult(None, "not_sent", "connect")
    assert carrier.posts == 1


def test_a_carrier_that_comes_back_is_used_again(carrier: FakeCarrier, wire: Wire) -> None:
    carrier.refuse(0.05)
    phases = [wire.call(message(carrier)).phase]
    while phases[-1] != "answered":
        phases.append(wire.call(message(carrier)).phase)
    assert phases[-1] == "answered"


def test_a_name_that_does_not_resolve_sent_nothing(wire: Wire) -> None:
    result = wire.call(get("http://carrier.invalid/"))
    assert (result.phase, result.error in ("dns", "connect_timeout")) == ("not_sent", True)


def test_a_connection_that_does_not_open_in_time_sent_nothing(wire: Wire) -> None:
    with busy_port() as port:
        assert wire.call(get(f"http://127.0.0.1:{port}/")) == WireResult(None, "not_sent", "connect_timeout")


def test_a_request_whose_sender_stood_still_since_it_took_the_right_to_send_is_not_sent(carrier: FakeCarrier, wire: Wire) -> None:
    results = Results(2)
    wire.submit_many([(message(carrier), results.add)], since=awake_s() - 1.1)
    wire.call(message(carrier))  # a connection is open and idle now
    wire.submit_many([(message(carrier), results.add)], since=awake_s() - 1.1)
    assert {(result.phase, result.error) for result in results.wait()} == {("not_sent", "too_late")}
    assert carrier.posts == 1


def test_a_request_that_waits_in_line_too_long_is_not_sent(carrier: FakeCarrier) -> None:
    carrier.script("hang")
    wire = Wire(max_open=1, connect_s=0.2, read_s=2).start()
    results = Results(2)
    wire.submit_many([(message(carrier), results.add), (message(carrier), results.add)])
    assert {(r.phase, r.error) for r in results.wait()} == {
        ("not_sent", "connect_timeout"),
        ("sent", "timeout"),
    }
    assert carrier.posts == 1
    wire.close()


@pytest.mark.parametrize(
    "bad",
    [
        WireRequest("GET", "http://127.0.0.1:1/", {"X": "a\r\nY: b"}),
        WireRequest("GET", "http://127.0.0.1:1/a b", {}),
        WireRequest("GET", "http://127.0.0.1:1/\u00e9", {}),
        WireRequest("GET", "http://user:secret@127.0.0.1:1/", {}),
        WireRequest("GET", "http://127.0.0.1:99999/", {}),
        WireRequest("GET", "ftp://127.0.0.1/", {}),
        WireRequest("GET", "/path", {}),
    ],
)
def test_a_request_that_would_not_arrive_as_meant_is_not_sent(wire: Wire, bad: WireRequest) -> None:
    assert wire.call(bad) == WireResult(None, "not_sent", "bad_request")


def _fail(result: WireResult) -> None:
    raise RuntimeError(result.phase)


def test_a_callback_that_raises_harms_no_other(carrier: FakeCarrier, wire: Wire) -> None:
    results = Results(1)
    wire.submit_many([(message(carrier), _fail), (message(carrier), results.add)])
    assert results.wait()[0].phase == "answered"


def test_closing_gives_every_request_its_result(carrier: FakeCarrier) -> None:
    carrier.script("accept_hang")
    wire = Wire(max_open=2).start()
    results = Results(5)
    requests = [message(carrier) for _ in range(5)]
    wire.submit_many([(request, results.add) for request in requests])
    while carrier.posts < 2:
        assert wire.free() == -3
    assert sorted(map(id, wire.drain(0.01))) == sorted(map(id, requests))
    wire.close()
    assert sorted(r.phase for r in results.all) == ["not_sent"] * 3 + ["sent"] * 2
    assert {r.error for r in results.all} == {"shutdown"}
    with pytest.raises(WireClosed):
        wire.submit(requests[0], results.add)


def test_in_a_storm_of_faults_each_text_has_one_result_and_one_copy_at_most(carrier: FakeCarrier) -> None:
    modes = ["ok", "ok", "429", "accept_500", "close", "accept_close", "close_reused", "html", "accept_hang"]
    wire = Wire(max_open=40, connect_s=5, read_s=1).start()
    results: dict[str, list[WireResult]] = {f"+8490000{n:04d}": [] for n in range(600)}
    for n, to in enumerate(results):
        carrier.script(modes[n % len(modes)], to=to)
        wire.submit(message(carrier, to), results[to].append)
        if n in (200, 400):
            carrier.refuse(0.05)
    assert wire.drain(30) == []
    wire.close()
    assert {len(each) for each in results.values()} == {1}
    copies = {to: carrier.accepted_count(to) for to in results}
    assert max(copies.values()) == 1
    assert not [to for to, (result,) in results.items() if result.phase == "not_sent" and copies[to]]
    assert carrier.posts <= sum(result.phase != "not_sent" for (result,) in results.values())


def test_a_pipeline_that_never_started_can_be_closed(carrier: FakeCarrier) -> None:
    results = Results(1)
    wire = Wire()
    wire.submit(message(carrier), results.add)
    wire.close()
    assert len(results.wait()) == 1


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", b""),
        (OK + b"HTTP/1.1 500 X\r\nContent-Length: 3\r\n\r\nbad", b"{}"),
        (OK + b"garbage", b"{}"),
    ],
)
def test_whole_answers_of_every_shape_are_read(wire: Wire, answer: bytes, body: bytes) -> None:
    with RawServer(answer) as server:
        result = wire.call(get(server.url))
    assert result.phase == "answered"
    assert result.reply is not None
    assert result.reply.body == body


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "closed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", "closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "closed"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "closed"),
        (b"", "closed"),
        (b"SSH-2.0-OpenSSH\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", "malformed"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" + b"x" * 5_000_000, "too_large"),
    ],
)
def test_an_answer_that_is_not_whole_is_no_answer(wire: Wire, answer: bytes, error: Error) -> None:
    with RawServer(answer) as server:
        assert wire.call(get(server.url)) == WireResult(None, "sent", error)


def test_an_answer_nobody_asked_for_is_not_taken_for_the_next_one(wire: Wire) -> None:
    with RawServer(OK, then=b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n") as server:
        for _ in range(5):
            result = wire.call(get(server.url))
            server.wait_until_closed()
            assert result.reply is not None
            assert result.reply.status == 201


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.binary(max_size=40), st.sampled_from([OK, OK[:30], b"\r\n", b"0\r\n\r\n"])), max_size=4
    )
)
def test_no_answer_however_odd_breaks_the_pipeline(shared: Wire, parts: list[bytes]) -> None:
    with RawServer(b"".join(parts)) as server:
        assert shared.call(get(server.url)).phase in ("answered", "sent")


def test_a_certificate_nobody_vouches_for_sends_nothing(wire: Wire, tmp_path: Path) -> None:
    with FakeCarrier(tls=_server_tls(tmp_path)) as carrier:
        assert wire.call(message(carrier)) == WireResult(None, "not_sent", "tls")
        assert carrier.posts == 0


def test_a_carrier_that_speaks_no_tls_is_sent_nothing(carrier: FakeCarrier, wire: Wire) -> None:
    result = wire.call(get(carrier.url.replace("http:", "https:")))
    assert (result.phase, result.reply) == ("not_sent", None)


def test_an_own_certificate_file_is_trusted(tmp_path: Path) -> None:
    tls = _server_tls(tmp_path)
    wire = Wire(ca_file=str(tmp_path / "certificate.pem")).start()
    with FakeCarrier(tls=tls, reports=()) as carrier:
        results = Results(20)
        wire.submit_many([(message(carrier), results.add) for _ in range(20)])
        assert {r.phase for r in results.wait()} == {"answered"}
    wire.close()


def _server_tls(folder: Path) -> ssl.SSLContext:
    file, key = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return context
