"""What must not be forgotten: texts whose time passed, messages without a report.

Looks for "older than", never for a window of time, so that an outage of any length leaves nothing behind.
"""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from gateway.store import leftovers, parts, units, ussd
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import tell_worker

BATCH = 1000


def expire(engine: Engine, now: datetime | None = None) -> int:
    """Close up to 1,000 texts whose time passed before they could leave, and tell a person; how many."""
    with unit_of_work(engine, SYSTEM, now) as work:
        expired = leftovers.expire(work, BATCH)
        tell_worker.not_sent(work, expired)
        return len(expired)


def give_up_on_reports(engine: Engine, timeout: timedelta, now: datetime | None = None) -> int:
    """Call accepted messages without a final report failed after `timeout`; a late "delivered" still raises them."""
    with unit_of_work(engine, SYSTEM, now) as work:
        return leftovers.fail_unreported(work, work.now - timeout, BATCH)


def forget_parts(engine: Engine, now: datetime | None = None) -> int:
    """Drop the parts of long texts that came more than a day ago; how many. The texts are kept."""
    with unit_of_work(engine, SYSTEM, now) as work:
        return parts.forget_old(work)


def forget_groups(engine: Engine, now: datetime | None = None) -> int:
    """Drop names of groups that nobody in a unit is in any more; how many. While a register is being taken over it raises, and waits for the next time."""
    with unit_of_work(engine, SYSTEM, now, wait_s=1) as work:
        return units.forget_groups(work)


def forget_menus(engine: Engine, now: datetime | None = None) -> int:
    """Drop menus that were dialled more than a day ago; how many. Nobody comes back to them, and what they led to is kept elsewhere."""
    with unit_of_work(engine, SYSTEM, now) as work:
        return ussd.forget_old(work)
