"""`make bench-outbound`: texts from "due" to "accepted and recorded", beside one RQ job per message with twilio-python."""

import argparse
import subprocess
import sys
import time
from datetime import timedelta

import redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import text

from bench import ground
from bench.ground import Ground
from gateway.store.base import SYSTEM, unit_of_work

BODY = "Chao ban, tuan nay ban the nao? Tra loi 1 neu on, 2 neu can goi lai."


def gateway(here: Ground, count: int, latency_ms: float) -> dict[str, float]:
    """The real worker against the fake carrier."""
    with ground.fake_carrier(here, latency_ms) as (url, carrier_pid):
        settings = {"account_sid": ground.ACCOUNT, "auth_token": "token", "sender": "+15005550006", "base_url": url}
        unit_id, channel_id, ids = ground.people(here, count, settings=settings)
        with unit_of_work(here.engine, SYSTEM) as work:
            later = work.now + timedelta(hours=1)
        ground.plan(here, unit_id, channel_id, ids, later, BODY)
        with unit_of_work(here.engine, SYSTEM) as work:
            work.execute(text("UPDATE outbound SET send_after = now() + interval '1 second' WHERE channel_id = :c"), {"c": channel_id})
            work.execute(text("UPDATE channels SET state = 'disabled' WHERE id = :c"), {"c": channel_id})
        with ground.process(here, "-m", "workers.main", "send") as worker:
            ground.wait_for(lambda: bool(ground.value(here, "SELECT count(*) FROM heartbeats WHERE beat_at > now() - interval '3 s'")))
            time.sleep(1)
            before = ground.cpu_seconds(worker.pid), ground.cpu_seconds(here.postgres_pid())
            with unit_of_work(here.engine, SYSTEM) as work:
                work.execute(text("UPDATE channels SET state = 'active' WHERE id = :c"), {"c": channel_id})
            began = time.monotonic()
            with here.engine.connect() as watching:
                watching.execute(text("SET ROLE gateway_system"))
                unfinished = text("SELECT EXISTS (SELECT FROM outbound WHERE channel_id = :c AND state IN ('planned', 'submitting'))")
                ground.wait_for(lambda: not watching.execute(unfinished, {"c": channel_id}).scalar(), every=0.1)
            took = time.monotonic() - began
            after = ground.cpu_seconds(worker.pid), ground.cpu_seconds(here.postgres_pid())
            accepted = ground.value(here, "SELECT count(*) FROM outbound WHERE channel_id = :c AND state = 'accepted'", c=channel_id)
            assert accepted == count, f"{accepted} of {count} accepted"
            return {
                "rate": count / took, "worker_cpu": (after[0] - before[0]) / count * 1000,
                "postgres_cpu": (after[1] - before[1]) / count * 1000, "worker_mb": ground.peak_mb(worker.pid),
                "carrier_mb": ground.peak_mb(carrier_pid),
            }  # fmt: skip


def baseline(here: Ground, count: int, latency_ms: float) -> dict[str, float]:
    """One RQ job per message, a forking worker, twilio imported in the job."""
    with ground.fake_carrier(here, latency_ms) as (url, _):
        queue = Queue("baseline", connection=redis.Redis.from_url(here.redis_url), serializer=JSONSerializer)
        for n in range(count):
            queue.enqueue("bench.baseline.send", url, ground.number(n), BODY)
        began = time.monotonic()
        command = [sys.executable, "-m", "rq.cli", "worker", "--burst", "--serializer", "json", "--url", here.redis_url, "baseline"]
        worker = subprocess.Popen(command, env=dict(here.environ), cwd=ground.HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ground.wait_for(lambda: queue.count == 0, 600)
        cpu = ground.cpu_seconds(worker.pid)
        worker.wait(60)
        return {"rate": count / (time.monotonic() - began), "worker_cpu": cpu / count * 1000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40_000)
    parser.add_argument("--baseline", type=int, default=60)
    given = parser.parse_args()
    with ground.ground() as here:
        for latency_ms in (100, 0):
            ours, peer = gateway(here, given.count, latency_ms), baseline(here, given.baseline, latency_ms)
            print(
                f"carrier at {latency_ms} ms: {ours['rate']:,.0f} messages/s, CPU-s per 1,000: worker {ours['worker_cpu']:.3f} + "
                f"PostgreSQL {ours['postgres_cpu']:.3f}; peak {ours['worker_mb']:.0f} MB (worker), {ours['carrier_mb']:.0f} MB (carrier)\n"
                f"  one RQ job a message, twilio-python, forking: {peer['rate']:.1f}/s, {peer['worker_cpu']:.1f} CPU-s per 1,000"
                f" -> {ours['rate'] / peer['rate']:,.0f} times as fast",
                flush=True,
            )


if __name__ == "__main__":
    main()
