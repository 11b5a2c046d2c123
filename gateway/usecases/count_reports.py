"""Count what happened, a week or a month in each transaction, for as long as late news may still change it."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from sqlalchemy import Engine

from gateway.domain.reports import Period, periods
from gateway.store import reports
from gateway.store.base import SYSTEM, unit_of_work

AGAIN_AFTER = timedelta(hours=3)
"""The week that is under way; longer and older periods change little in a day, and are the dearest to count."""
REST_AGAIN_AFTER = timedelta(days=1)
SETTLED_AFTER = timedelta(days=14)
"""After its end a period is counted for so long: visits are closed and reports come late. Then its figures stay."""
LONGEST_AGO = timedelta(days=3653)
"""A register may hold a visit of the year 1900; nobody asks for reports of it."""
_FOR_EVER = 100_000


def count_next(engine: Engine, now: datetime | None = None) -> int:
    """Count the one week or month that waits longest; 0 when none is due."""
    with unit_of_work(engine, SYSTEM, now) as work:
        known = reports.counted(work)
        begun = reports.first_visit(work) if known else reports.first_moment(work)
        first = min([*(period.starts_on for period in known), *([begun.date()] if begun else [])], default=None)
        if first is None:
            return 0
        waiting = _due(known, max(first, work.now.date() - LONGEST_AGO), work.now)
        due = min(waiting, key=lambda period: (period in known, period.starts_on), default=None)
        if due is None:
            return 0
        reports.count(work, due)
        return 1


def _due(known: Mapping[Period, datetime], first: date, now: datetime) -> list[Period]:
    """Those never counted, and those counted too long ago, before they were settled."""

    def again(period: Period) -> bool:
        counted = known[period]
        running = period.grain == "week" and counted.date() < period.ends_before + timedelta(days=1)
        return counted < now - (AGAIN_AFTER if running else REST_AGAIN_AFTER) and counted.date() < period.ends_before + SETTLED_AFTER

    every = [period for grain in ("week", "month") for period in periods(first, now.date(), grain, _FOR_EVER)]
    return [period for period in every if period not in known or again(period)]
