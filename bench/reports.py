"""`make bench-reports`: delivery reports, three a message (queued, sent, delivered; some late), signed and posted like Twilio's."""

import argparse
import time
from uuid import UUID

from sqlalchemy import text
from twilio.request_validator import RequestValidator

from bench import ground, load
from bench.ground import Ground
from bench.inbound import free_port, wait_listening
from gateway.channels.base import Report
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import record_reports, send_due

STATUSES = ("queued", "sent", "delivered")


def submitted(here: Ground, count: int) -> tuple[UUID, list[tuple[str, str]]]:
    """Messages that were just handed to the carrier: their channel, and (token, carrier id) of each."""
    settings = {"account_sid": ground.ACCOUNT, "auth_token": "token", "sender": "+15005550006", "base_url": "http://127.0.0.1:9"}
    unit_id, channel_id, ids = ground.people(here, count, settings=settings)
    with unit_of_work(here.engine, SYSTEM) as work:
        now = work.now
    ground.plan(here, unit_id, channel_id, ids, now, "Chao ban, tuan nay ban the nao? Tra loi 1 neu on, 2 neu can goi lai.")
    tokens = []
    while sends := send_due.claim(here.engine, here.vault, channel_id, 500).sends:
        tokens += [(str(sent.token), f"SM{sent.token.hex}") for sent in sends]
    return channel_id, tokens


def posts(base: str, tokens: list[tuple[str, str]]) -> list[load.WireRequest]:
    """Three reports a message, each round of them shuffled by its place, so that a fifth come before an earlier one."""
    validator = RequestValidator("token")
    order = [(n + 5 * len(STATUSES) * (n % 5 == 0) * place, place, n) for n in range(len(tokens)) for place in range(len(STATUSES))]
    made = []
    for _, place, n in sorted(order):
        token, carrier_id = tokens[n]
        form = {"MessageSid": carrier_id, "MessageStatus": STATUSES[place], "AccountSid": ground.ACCOUNT, "To": ground.number(n)}
        made.append(load.twilio_post(f"{base}/report?t={token}", form, validator))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5_000, help="messages; three reports each")
    given = parser.parse_args()
    port = free_port()
    settings = {"GATEWAY_PUBLIC_URL": f"http://127.0.0.1:{port}", "GATEWAY_WEB_THREADS": "32"}
    with ground.ground(**settings) as here:
        channel_id, tokens = submitted(here, given.count)
        with ground.process(here, "-m", "gateway", "web", GATEWAY_PORT=str(port)) as web:
            wait_listening(port)
            requests = posts(f"http://127.0.0.1:{port}/c/{channel_id}", tokens)
            before = ground.cpu_seconds(web.pid) + ground.cpu_seconds(here.postgres_pid())
            did = load.run(requests, at_once=64)
            cpu = ground.cpu_seconds(web.pid) + ground.cpu_seconds(here.postgres_pid()) - before
            megabytes = max(ground.peak_mb(pid) for pid in [web.pid, *ground.children(web.pid)])
        with unit_of_work(here.engine, SYSTEM) as work:
            states = {row.state: row.count for row in work.all(text("SELECT state, count(*) AS count FROM outbound GROUP BY state"))}
        assert states == {"delivered": given.count}, f"{states}, {did.failed} posts failed"
        kept = ground.value(here, "SELECT count(*) FROM reports")
        in_bulk = bulk(here, given.count)
    print(
        f"reports over HTTP: {did.rate:,.0f}/s applied, p50 {did.p50_ms:.1f} ms, p99 {did.p99_ms:.1f} ms, {did.failed} failed, "
        f"{cpu / len(requests) * 1000:.2f} CPU-s per 1,000 with PostgreSQL; {kept} kept; peak {megabytes:.0f} MB\n"
        f"  the same use case in batches of 500, without HTTP: {in_bulk[0]:,.0f}/s; one report a transaction: {in_bulk[1]:,.0f}/s"
        f" -> bulk is {in_bulk[0] / in_bulk[1]:.0f} times as fast"
    )


def bulk(here: Ground, count: int) -> tuple[float, float]:
    """Reports a second in batches of 500, and one by one: what the batching gives."""
    channel_id, tokens = submitted(here, count)
    reports = [(channel_id, Report(token, carrier_id, state)) for state in ("accepted", "sent", "delivered") for token, carrier_id in tokens]
    alone = reports[:300]
    began = time.perf_counter()
    for report in alone:
        record_reports.record(here.engine, [report])
    one_by_one = len(alone) / (time.perf_counter() - began)
    began = time.perf_counter()
    for start in range(300, len(reports), 500):
        record_reports.record(here.engine, reports[start : start + 500])
    return (len(reports) - 300) / (time.perf_counter() - began), one_by_one


if __name__ == "__main__":
    main()
