"""`make bench-plan`: due reminders to written, encrypted, deduplicated texts, and what a tick costs when nothing is due.

The baseline is the same work in the same run with one transaction for each occurrence. --clients 20000 for a short run.
"""

import argparse
import time
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import text

from bench import ground
from bench.ground import Ground
from gateway import embedded
from gateway.content import load
from gateway.domain import campaigns
from gateway.queues import silent
from gateway.store import occurrences, staff
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import launch_campaign, plan_due

# A mix of languages and discreet levels, as a register has them; everybody agreed to reminders.
_MIX = text("""
  WITH numbered AS (SELECT id, row_number() OVER () AS n FROM clients)
  UPDATE clients c SET language = CASE n % 10 WHEN 0 THEN 'en' WHEN 1 THEN 'fr' ELSE 'vi' END,
    discreet = CASE n % 20 WHEN 0 THEN 0 WHEN 1 THEN 2 ELSE 1 END FROM numbered WHERE numbered.id = c.id""")
_CONSENT = text("""
  INSERT INTO consents (client_id, unit_id, purpose, granted, basis, changed_at)
  SELECT id, unit_id, 'reminder', true, 'bench', now() FROM clients""")
# Appointments every five minutes of eight hours of the day `days` from now, and their reminders of the day before.
_BOOK = text("""
  INSERT INTO appointments (id, client_id, unit_id, starts_at, created_at, updated_at, planned_revision)
  SELECT gen_random_uuid(), id, unit_id, CAST(:at AS timestamptz) + interval '5 minutes' * (row_number() OVER () % 96), now(), now(), 0
  FROM clients ORDER BY id LIMIT :count""")
_STEPS = text("""
  INSERT INTO occurrences (id, unit_id, campaign_id, step_id, client_id, appointment_id, due_at, send_before)
  SELECT gen_random_uuid(), a.unit_id, s.campaign_id, s.id, a.client_id, a.id, a.starts_at - interval '1 day', a.starts_at - interval '1 hour'
  FROM appointments a, campaign_steps s WHERE a.starts_at >= :at AND a.starts_at < CAST(:at AS timestamptz) + interval '1 day'""")
_TEXTS = "SELECT count(*) FROM outbound"
_EXPLAIN = text("EXPLAIN (ANALYZE, FORMAT JSON) " + occurrences._LOCK_DUE.text)


def campaign(here: Ground, unit_id: UUID) -> UUID:
    """A running campaign of reminders."""
    with unit_of_work(here.engine, SYSTEM) as work:
        staff.add(work, here.vault, unit_id=unit_id, code="BENCH", name="Bench", role="supervisor", language="en")
        actor = staff.by_code(work, "BENCH").actor
    spec = campaigns.read({"name": "bench", "kind": "reminders", "steps": [{"template": "appointment_reminder_1d", "before": "1d"}]})
    with unit_of_work(here.engine, actor) as work:
        made = launch_campaign.create(work, load(), spec)
    launch_campaign.approve(here.engine, here.vault, load(), actor, "bench")
    tick(here)
    return made.id


def book(here: Ground, day: datetime, count: int) -> None:
    """One appointment for each client, with its reminder waiting."""
    with unit_of_work(here.engine, SYSTEM) as work:
        work.execute(_BOOK, {"at": day, "count": count})
        work.execute(_STEPS, {"at": day})


def rest(here: Ground) -> None:
    """Let the server be done with what was just poured into it, as it is minutes after an import."""
    with psycopg.connect(embedded.start(here.var).admin_url, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")
        owner.execute("CHECKPOINT")


def tick(here: Ground, limit: int = 2000) -> int:
    return plan_due.plan_due(here.engine, here.vault, load(), silent, limit=limit)


def idle(here: Ground, campaign_id: UUID, now: datetime) -> float:
    """Print what a tick takes when nothing is due, and how PostgreSQL finds that out; its milliseconds."""
    rest(here)
    with unit_of_work(here.engine, SYSTEM) as work:
        found = work.value(_EXPLAIN, now=now, campaigns=[campaign_id], each=2000)[0]
        waiting = work.value(text("SELECT count(*) FROM occurrences WHERE state = 'waiting'"))
    node = scan(found["Plan"])
    took = []
    for _ in range(200):
        began = time.perf_counter()
        assert tick(here) == 0
        took.append((time.perf_counter() - began) * 1000)
    print(f"a tick with nothing due: {median(took):8.2f} ms at {waiting:9,} waiting; of it {found['Execution Time']:.2f} ms in "
          f"an {node['Node Type'].lower()} on {node['Index Name']}")  # fmt: skip
    return median(took)


def scan(node: dict[str, Any]) -> dict[str, Any]:
    """The scan of an index below this node of a plan."""
    below = [scan(child) for child in node.get("Plans", ())]
    return node if "Index Name" in node else next((found for found in below if found), {})


def one_by_one(here: Ground, count: int) -> float:
    """Occurrences a second with a transaction for each."""
    began, done = time.perf_counter(), 0
    while done < count:
        done += tick(here, limit=1)
    return done / (time.perf_counter() - began)


def in_batches(here: Ground) -> float:
    """Occurrences a second as the clock plans them; prints what it costs."""
    postgres = here.postgres_pid()
    began, own, theirs, done = time.perf_counter(), time.process_time(), ground.cpu_seconds(postgres), 0
    while batch := tick(here):
        done += batch
    seconds = time.perf_counter() - began
    own, theirs = time.process_time() - own, ground.cpu_seconds(postgres) - theirs
    print(f"planned and written:     {done / seconds:8,.0f} occurrences/s ({done:,} of them, {ground.value(here, _TEXTS):,} texts)")
    print(f"CPU seconds per 1,000:   {own / done * 1000:8.3f} planner, {theirs / done * 1000:.3f} PostgreSQL")
    return done / seconds


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clients", type=int, default=100_000, help="as many are due; ten times as many wait")
    clients = options.parse_args().clients
    with ground.ground() as here:
        unit_id, _, _ = ground.people(here, clients, kind="simulator", settings={"secret": "bench", "sender": "+84900000000"})
        with unit_of_work(here.engine, SYSTEM) as work:
            work.execute(_MIX)
            work.execute(_CONSENT)
            now = work.now
        campaign_id = campaign(here, unit_id)
        book(here, now + timedelta(days=3), clients // 10)
        few = idle(here, campaign_id, now)
        for day in range(4, 14):
            book(here, now + timedelta(days=day), clients)
        print(f"ratio:                   {idle(here, campaign_id, now) / few:8.2f}")
        book(here, now + timedelta(hours=12), clients)
        rest(here)
        baseline = one_by_one(here, 1000)
        print(f"one transaction for each:{baseline:8,.0f} occurrences/s")
        print(f"ratio:                   {in_batches(here) / baseline:8.1f}")
        print(f"peak memory of planner:  {ground.own_peak_mb():8.0f} MB")


if __name__ == "__main__":
    main()
