"""One phone posts as fast as it can, or many posts never end: others' texts have their turn, and memory stays where it was."""

import http.client
import socket
import threading
import time
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from gateway import bodies, webhooks
from tests import builders
from tests.faults.posting import FORM, form, post, sign
from tests.faults.processes import until
from tests.faults.stage import FULL, Stage

FLOOD_S = 60 if FULL else 6
FLOODERS = 48


def text(stage: Stage, phone: str, words: str, sid: str = "") -> int:
    """A signed text; the status of our answer."""
    body = form({"MessageSid": sid or f"SM{uuid4().hex}", "From": phone, "To": stage.number, "Body": words, "NumMedia": "0"})
    return post(stage.inbound_url, body, [("Content-Type", FORM), ("X-Twilio-Signature", sign(stage.inbound_url, body))]).status


def megabytes(stage: Stage) -> float:
    """What the web process and its children have in memory."""
    main = stage.processes.pid("web")
    pids = [main, *(int(pid) for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split())]
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * 4096 / 2**20


def others_meanwhile(stage: Stage, seconds: float, within_s: float) -> None:
    """For so long, one after the other, texts of another client are answered 2xx, each within so many seconds."""
    other, waits, ends = stage.world.phone_of(stage.world.client()), [0.0], time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.monotonic()
        assert text(stage, other, f"Canary other {len(waits)}") == 200
        waits.append(time.monotonic() - began)
    stage.figures["texts of the other"], stage.figures["longest wait of the other (s)"] = len(waits) - 1, max(waits)
    assert max(waits) < within_s


@pytest.mark.parametrize("one_text", [False, True], ids=["many texts", "one text"])
def test_a_flood_from_one_phone_blocks_nobody_and_fills_no_memory(stage: Stage, one_text: bool) -> None:
    flooder = stage.world.phone_of(stage.world.client())
    before, over = megabytes(stage), threading.Event()
    statuses: list[int] = []
    numbers, sid = count(), f"SM{uuid4().hex}"

    def flood() -> None:
        while not over.is_set():
            n = next(numbers)
            statuses.append(text(stage, flooder, "Canary flood" if one_text else f"Canary flood {n}", sid if one_text else ""))

    threads = [threading.Thread(target=flood) for _ in range(FLOODERS)]
    for thread in threads:
        thread.start()
    try:
        others_meanwhile(stage, FLOOD_S, 5)
        stop = text(stage, flooder, "STOP")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    stage.figures["posts of the flood"] = len(statuses)
    stage.figures["memory before (MB)"], stage.figures["memory after (MB)"] = before, megabytes(stage)
    assert stop == 200
    assert set(statuses) == ({200} if one_text else {200, 503})
    assert megabytes(stage) < before + 100
    sql = "SELECT count(*) FROM stops WHERE phone_hash = :p"
    until(lambda: stage.world.value(sql, p=stage.vault.hash_phone(flooder)) == 1, what="the stop")


def slow_post(stage: Stage, size: int | None = 600) -> socket.socket:
    """A connection that has told what it will post (None: in chunks, without saying how many), and the beginning of it."""
    url = urlsplit(stage.inbound_url)
    made = socket.create_connection((url.hostname, url.port))
    length = "Transfer-Encoding: chunked\r\n\r\n1\r\nM\r\n" if size is None else f"Content-Length: {size}\r\n\r\nM"
    made.sendall(f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: {FORM}\r\n{length}".encode())
    return made


def slow_post_after_others(stage: Stage) -> socket.socket:
    """The same over a connection that brought more than any body may have before, in posts that were answered."""
    url = urlsplit(stage.inbound_url)
    kept = http.client.HTTPConnection(url.netloc)
    for _ in range(3):
        kept.request("POST", url.path, b"x" * webhooks.MAX_BODY)
        assert kept.getresponse().read() == b"forbidden\n"
    kept.sock.sendall(f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 600\r\n\r\nM".encode())
    made: socket.socket = kept.sock
    return made


def answered(connection: socket.socket) -> bytes:
    """What came over it so far, b"" when nothing did."""
    connection.setblocking(False)
    with suppress(BlockingIOError, ConnectionError):
        return connection.recv(1000)
    return b""


def all_ended(slow: list[socket.socket]) -> bool:
    """Whether all were told that they were too slow; those that were leave the list."""
    slow[:] = [each for each in slow if not answered(each).startswith(b"HTTP/1.1 408")]
    return not slow


@pytest.mark.parametrize(
    ("many", "drip"), [(100, True), (100, False), (400, True)], ids=["a byte a second", "nothing more", "very many"]
)
def test_posts_that_come_slowly_block_nobody_and_are_hung_up_on(stage: Stage, many: int, drip: bool) -> None:
    """A hundred fill the process's 16 places several times."""
    before = megabytes(stage)
    with ExitStack() as all_of_them:
        slow = [all_of_them.enter_context(slow_post(stage)) for _ in range(many)]
        over = threading.Event()

        def write() -> None:
            while drip and not over.wait(1):
                for each in list(slow):
                    with suppress(OSError):
                        each.send(b"x")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            others_meanwhile(stage, 5, 1 if many < bodies.MANY else 5)
            stage.figures["memory before (MB)"], stage.figures["memory meanwhile (MB)"] = before, megabytes(stage)
            assert megabytes(stage) < before + 60
            assert many >= bodies.MANY or not any(answered(each) for each in slow), "they are left their ten seconds"
            until(lambda: all_ended(slow), 20, "the end of all")
        finally:
            over.set()
            writer.join()


def test_a_few_slow_posts_are_left_ten_seconds_and_a_whole_one_counts(stage: Stage) -> None:
    phone = stage.world.phone_of(stage.world.client())
    body = form({"MessageSid": f"SM{uuid4().hex}", "From": phone, "To": stage.number, "Body": "Canary slowly", "NumMedia": "0"})
    url, lines = urlsplit(stage.inbound_url), [("Content-Type", FORM), ("X-Twilio-Signature", sign(stage.inbound_url, body))]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    with (
        socket.create_connection((url.hostname, url.port)) as slow, slow_post(stage) as endless,
        slow_post(stage, size=None) as without_length, slow_post_after_others(stage) as after_others,
    ):  # fmt: skip
        slow.sendall(f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode())
        for at in range(0, len(body), -(-len(body) // 5)):
            stage.wait(1)
            slow.sendall(body[at : at + -(-len(body) // 5)])
        slow.settimeout(5)
        assert slow.recv(100).startswith(b"HTTP/1.1 200")
        rest = [endless, without_length, after_others]
        assert [answered(each) for each in rest] == [b"", b"", b""]
        until(lambda: all_ended(rest), bodies.SECONDS, "the hanging up")
    assert stage.world.value("SELECT count(*) FROM inbound WHERE channel_id = :c", c=stage.world.channel_id) == 1


def test_a_post_in_chunks_counts_as_any_other(stage: Stage) -> None:
    body = form({"MessageSid": f"SM{uuid4().hex}", "From": "+84912345678", "To": stage.number, "Body": "Canary chunks", "NumMedia": "0"})
    url = urlsplit(stage.inbound_url)
    connection = http.client.HTTPConnection(url.netloc, timeout=10)
    headers = {"Content-Type": FORM, "X-Twilio-Signature": sign(stage.inbound_url, body)}
    connection.request("POST", url.path, iter([body[:9], body[9:]]), headers, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert stage.world.value("SELECT count(*) FROM inbound WHERE channel_id = :c", c=stage.world.channel_id) == 1


def test_a_post_that_ends_in_the_middle_is_no_text(stage: Stage) -> None:
    secret, phone = "q7TqYw2nB5mZx0LkVd9sRfAa", stage.world.phone_of(stage.world.client())
    channel = builders.channel(stage.engine, stage.vault, stage.world.now, stage.world.unit_id, "africastalking", name=f"cut{phone}",
                               settings={"secret": secret, "username": "clinic", "api_key": "k", "sender": "22384"})  # fmt: skip
    url, body = urlsplit(stage.processes.url), form({"id": "b9f3", "from": phone, "to": "22384", "text": "I will not STOP"})
    with socket.create_connection((url.hostname, url.port)) as cut:
        cut.sendall(
            f"POST /c/{channel}/inbound?key={secret} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: {FORM}\r\n"
            f"Content-Length: {len(body) + 10}\r\n\r\n".encode() + body
        )
        cut.shutdown(socket.SHUT_WR)
        cut.settimeout(5)
        assert cut.recv(100).startswith(b"HTTP/1.1 408")
    assert stage.world.value("SELECT count(*) FROM inbound WHERE channel_id = :c", c=channel) == 0
