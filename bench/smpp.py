"""`make bench-smpp`: submits a second by one bind with a window of 100, from "due" to "accepted and recorded"; beside smpplib's own client.

Three figures of one run against one SMSC (the server of `smpp34`, in a process of its own): the whole worker with its database; the wire alone;
and a bare loop of smpplib's client that keeps the same window open and records nothing.
"""

import argparse
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import smpplib.client
from smpplib import smpp as pdus
from sqlalchemy import text

from bench import ground
from bench.ground import Ground
from gateway.channels import smpp
from gateway.channels.base import Outgoing
from gateway.store.base import SYSTEM, unit_of_work
from gateway.wire import WireResult, lines
from tests.faults.processes import free_port

BODY = "Chao ban, tuan nay ban the nao? Tra loi 1 neu on, 2 neu can goi lai."
WINDOW = 100
SETTINGS = {
    "host": "127.0.0.1", "system_id": "bench", "password": "bench", "sender": "+84900000001", "tls": "no", "window": str(WINDOW), "secret": "bench",
}  # fmt: skip


@contextmanager
def smsc(here: Ground) -> Iterator[tuple[int, int]]:
    """Its port and its process."""
    port = free_port()
    with ground.process(here, "-m", "tests.smsc", str(port), stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield port, child.pid


def worker(here: Ground, port: int, count: int) -> dict[str, float]:
    """The real process that holds lines, with PostgreSQL."""
    unit_id, channel_id, ids = ground.people(here, count, kind="smpp", settings={**SETTINGS, "port": str(port)})
    with unit_of_work(here.engine, SYSTEM) as work:
        later = work.now + timedelta(hours=1)
    ground.plan(here, unit_id, channel_id, ids, later, BODY)
    with ground.process(here, "-m", "workers.lines") as child:
        ground.wait_for(lambda: bool(ground.value(here, "SELECT count(*) FROM heartbeats WHERE name = 'lines'")))
        time.sleep(3)  # it binds
        before = ground.cpu_seconds(child.pid), ground.cpu_seconds(here.postgres_pid())
        with unit_of_work(here.engine, SYSTEM) as work:
            work.execute(text("UPDATE outbound SET send_after = now() WHERE channel_id = :c"), {"c": channel_id})
        began = time.monotonic()
        unfinished = "SELECT count(*) FROM outbound WHERE channel_id = :c AND state IN ('planned', 'submitting')"
        ground.wait_for(lambda: not ground.value(here, unfinished, c=channel_id), 600)
        took = time.monotonic() - began
        after = ground.cpu_seconds(child.pid), ground.cpu_seconds(here.postgres_pid())
        accepted = ground.value(here, "SELECT count(*) FROM outbound WHERE channel_id = :c AND state = 'accepted'", c=channel_id)
        assert accepted == count, f"{accepted} of {count} accepted"
    return {"rate": count / took, "worker_cpu": (after[0] - before[0]) / count * 1000, "postgres_cpu": (after[1] - before[1]) / count * 1000}


def wire(port: int, count: int) -> float:
    """Submits a second of the bind alone: nothing is claimed or recorded."""
    settings = {**SETTINGS, "port": str(port), "callback_url": "http://127.0.0.1:9/c/bench"}
    line = lines.opened("smpp", smpp.hold_request(settings), None, lambda: True, 5, 60)  # type: ignore[arg-type]
    results: list[WireResult] = []
    ended = threading.Event()

    def heard(result: WireResult) -> None:
        results.append(result)
        if len(results) == count:
            ended.set()

    while not line.wire.is_open:
        time.sleep(0.01)
    began, left = time.monotonic(), count
    while left:
        room = min(line.wire.free(), left)
        requests = [smpp.send_request(settings, Outgoing(uuid4(), "t", ground.number(left - n), BODY)) for n in range(max(room, 0))]
        line.wire.submit_many((request, heard) for request in requests)
        left -= len(requests)
        time.sleep(0 if room else 0.001)
    assert ended.wait(600)
    took = time.monotonic() - began
    line.wire.close()
    assert all(result.phase == "answered" for result in results)
    return count / took


def bare(port: int, count: int) -> float:
    """Submits a second of smpplib's client, as its users write it, with the same window."""
    client: Any = smpplib.client.Client("127.0.0.1", port, allow_unknown_opt_params=True)
    client.connect()
    client.bind_transceiver(system_id="bench", password="bench")
    octets = BODY.encode()
    began, waiting = time.monotonic(), 0
    for n in range(count):
        client.send_pdu(pdus.make_pdu(
            "submit_sm", client=client, source_addr_ton=1, source_addr_npi=1, source_addr="84900000001", dest_addr_ton=1, dest_addr_npi=1,
            destination_addr=ground.number(n)[1:], short_message=octets, data_coding=0, esm_class=0, registered_delivery=1,
        ))  # fmt: skip
        waiting += 1
        if waiting == WINDOW:
            client.read_pdu()
            waiting -= 1
    for _ in range(waiting):
        client.read_pdu()
    took = time.monotonic() - began
    with suppress(smpplib.exceptions.ConnectionError):  # the server closes without a word
        client.unbind()
    client.disconnect()
    return count / took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=30_000)
    given = parser.parse_args()
    with ground.ground() as here, smsc(here) as (port, _):
        whole, alone, peer = worker(here, port, given.count), wire(port, given.count), bare(port, given.count)
        print(
            f"one bind, window {WINDOW}: {whole['rate']:,.0f} submits/s claimed, sent and recorded; CPU-s per 1,000: worker {whole['worker_cpu']:.3f} + "
            f"PostgreSQL {whole['postgres_cpu']:.3f}\n"
            f"  the wire alone: {alone:,.0f}/s; smpplib's own client, nothing recorded: {peer:,.0f}/s\n"
            f"  -> {whole['rate'] / peer:.2f} of it with everything recorded, {alone / peer:.2f} without",
            flush=True,
        )


if __name__ == "__main__":
    main()
