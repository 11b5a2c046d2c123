"""Count where campaigns' texts are, so that nobody waits for it: a province's reminders are millions."""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from gateway.store import campaigns
from gateway.store.base import SYSTEM, unit_of_work

SOONEST, LATEST_LIVE, LATEST = timedelta(seconds=10), timedelta(minutes=1), timedelta(days=1)
A_SECOND = 1000
"""Texts for each second until they are counted again: counting takes far less than a hundredth of the time."""


def count_next(engine: Engine, now: datetime | None = None) -> bool:
    """Count the one campaign that waits longest; False when none is due."""
    with unit_of_work(engine, SYSTEM, now) as work:

        def look_at(state: str, texts: int, same_for: timedelta) -> datetime:
            pace = max(SOONEST, timedelta(seconds=texts / A_SECOND))
            latest = LATEST_LIVE if state == "running" else LATEST
            return work.now + max(pace, min(2 * same_for, latest))

        return campaigns.count_next(work, look_at)
