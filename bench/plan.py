"""`make bench-plan`: due reminders to written, encrypted, deduplicated texts, and what a tick costs when nothing is due.

The baseline is the same work in the same run with one transaction for each occurrence.
"""

import argparse
import json
import time
from datetime import datetime, timedelta
from statistics import median
from uuid import UUID

from sqlalchemy import text

from bench import ground
from bench.ground import Ground
from gateway.content import load
from gateway.domain import campaigns
from gateway.queues import silent
from gateway.store import staff
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
_EXPLAIN = text("""
  EXPLAIN (ANALYZE, FORMAT JSON) SELECT id FROM occurrences
  WHERE state = 'waiting' AND due_at <= :now AND CAST(campaign_id AS text) = ANY(:ids) ORDER BY due_at LIMIT 2000""")


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


def tick(here: Ground, limit: int = 2000) -> int:
    return plan_due.plan_due(here.engine, here.vault, load(), silent, limit=limit)


def idle_ms(here: Ground, campaign_id: UUID, now: datetime) -> tuple[float, str]:
    """What a tick takes when nothing is due, and how PostgreSQL finds that out."""
    with unit_of_work(here.engine, SYSTEM) as work:
        plan = work.value(_EXPLAIN, now=now, ids=[str(campaign_id)])
    took = []
    for _ in range(200):
        began = time.perf_counter()
        assert tick(here) == 0
        took.append((time.perf_counter() - began) * 1000)
    node = (plan if isinstance(plan, list) else json.loads(plan))[0]
    inner = node["Plan"].get("Plans", [node["Plan"]])[0]
    return median(took), f"{inner['Node Type']} {inner.get('Index Name', '')}, {node['Execution Time']:.2f} ms"


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clients", type=int, default=100_000, help="as many are due, and ten times as many wait")
    clients = options.parse_args().clients
    with ground.ground() as here:
        unit_id, _, _ = ground.people(here, clients, kind="simulator", settings={"secret": "bench", "sender": "+84900000000"})
        with unit_of_work(here.engine, SYSTEM) as work:
            work.execute(_MIX)
            work.execute(_CONSENT)
            now = work.now
        campaign_id = campaign(here, unit_id)
        book(here, now + timedelta(days=3), clients // 10)
        few, few_plan = idle_ms(here, campaign_id, now)
        print(f"a tick with nothing due,   {clients // 10:>9,} waiting: {few:6.2f} ms  ({few_plan})")
        for day in range(4, 14):
            book(here, now + timedelta(days=day), clients)
        many, many_plan = idle_ms(here, campaign_id, now)
        waiting = ground.value(here, "SELECT count(*) FROM occurrences WHERE state = 'waiting'")
        print(f"a tick with nothing due,   {waiting:>9,} waiting: {many:6.2f} ms  ({many_plan})  ratio {many / few:.2f}")
        book(here, now + timedelta(hours=12), clients)
        began, alone = time.perf_counter(), 1000
        for _ in range(alone):
            assert tick(here, limit=1) == 1
        baseline = alone / (time.perf_counter() - began)
        began, cpu, postgres, done = time.perf_counter(), time.process_time(), ground.cpu_seconds(here.postgres_pid()), 0
        while batch := tick(here):
            done += batch
        seconds = time.perf_counter() - began
        cpu, postgres = time.process_time() - cpu, ground.cpu_seconds(here.postgres_pid()) - postgres
        texts = ground.value(here, "SELECT count(*) FROM outbound")
        print(f"one transaction each:      {baseline:9,.0f} occurrences/s")
        print(f"in batches of 2,000:       {done / seconds:9,.0f} occurrences/s ({done:,} of {waiting + clients:,}; {texts:,} texts in all)"
              f"  ratio {done / seconds / baseline:.0f}")  # fmt: skip
        print(f"CPU per 1,000:             {cpu / done * 1000:9.3f} s planner, {postgres / done * 1000:.3f} s PostgreSQL")
        print(f"peak memory of the planner:{ground.own_peak_mb():9.0f} MB")


if __name__ == "__main__":
    main()
