"""`make bench-rehearse`: a year of a weekly programme with Tết, rehearsed for 10,000 clients. To stay under 60 seconds."""

import argparse
import time
from datetime import timedelta

from sqlalchemy import text

from bench import ground
from bench.plan import _MIX
from gateway.content import load
from gateway.domain import campaigns
from gateway.store import campaigns as rows
from gateway.store import staff
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import launch_campaign, rehearse_campaign, seed_holidays

LIMIT_S = 60
PROGRAMME = {
    "name": "year", "kind": "programme", "steps": [{"template": "check_in", "day": 1, "every": 7, "times": 53}],
    "schedule": {"at": "09:00", "spread": "2h", "holidays": "after", "weekdays": ["mo", "tu", "we", "th", "fr"]},
}  # fmt: skip


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clients", type=int, default=10_000)
    clients = options.parse_args().clients
    with ground.ground() as here:
        unit_id, _, _ = ground.people(here, clients, kind="simulator", settings={"secret": "bench", "sender": "+84900000000"})
        with unit_of_work(here.engine, SYSTEM) as work:
            work.execute(_MIX)
            work.execute(text("UPDATE units SET opens = '08:00', closes = '20:00'"))
            seed_holidays.seed(work, unit_id, "VN", None, range(work.now.year, work.now.year + 3), "vi")
            staff.add(work, here.vault, unit_id=unit_id, code="BENCH", name="Bench", role="supervisor", language="en")
            actor = staff.by_code(work, "BENCH").actor
        with unit_of_work(here.engine, actor) as work:
            launch_campaign.create(work, load(), campaigns.read(PROGRAMME))
            began, own = time.perf_counter(), time.process_time()
            seen = rehearse_campaign.rehearse(work, here.vault, load(), rows.by_name(work, "year"), work.now + timedelta(days=365))
            seconds, own = time.perf_counter() - began, time.process_time() - own
        sent = sum(day.sent for day in seen.days.values())
        held = sum((day.held for day in seen.days.values()), start=type(next(iter(seen.days.values())).held)())
        print(f"rehearsed:               {sent:9,} texts for {seen.reached:,} clients in {seconds:.1f} s ({sent / seconds:,.0f} texts/s)")
        print(f"CPU seconds:             {own:9.1f}")
        print(f"held or moved:           {held.total():9,} ({dict(held)})")
        print(f"peak memory:             {ground.own_peak_mb():9.0f} MB")
        if seconds > LIMIT_S and clients >= 10_000:
            raise SystemExit(f"a rehearsal may take {LIMIT_S} s")


if __name__ == "__main__":
    main()
