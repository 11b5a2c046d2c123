"""What must not be forgotten: expired texts, attempts without an answer, messages without a report, texts not decided about.

Looks for "older than", never for a window of time, so that an outage of any length leaves nothing behind.
"""

from datetime import datetime, timedelta

from sqlalchemy import Engine, text

from gateway.store.base import SYSTEM, unit_of_work

BATCH = 1000

_EXPIRE = text("""
  WITH late AS (SELECT id FROM outbound WHERE state = 'planned' AND send_before <= :now
    ORDER BY send_before LIMIT :batch FOR UPDATE SKIP LOCKED)
  UPDATE outbound o SET state = 'expired', state_at = :now,
    reason = CASE WHEN o.waits_for IS NOT NULL THEN 'no answer to the first text'
                  ELSE coalesce(o.reason || '; ', '') || 'its time passed' END
  FROM late WHERE o.id = late.id""")
_UNREPORTED = text("""
  WITH silent AS (SELECT id FROM outbound WHERE state IN ('accepted', 'sent') AND state_at < :before
    ORDER BY state_at LIMIT :batch FOR UPDATE SKIP LOCKED)
  UPDATE outbound o SET state = 'failed', state_at = :now, reason = 'no delivery report in time'
  FROM silent WHERE o.id = silent.id""")


def expire(engine: Engine, now: datetime | None = None) -> int:
    """Close texts whose time passed before they could leave; how many."""
    with unit_of_work(engine, SYSTEM, now) as work:
        return int(work.execute(_EXPIRE, {"now": work.now, "batch": BATCH}).rowcount)


def give_up_on_reports(engine: Engine, timeout: timedelta, now: datetime | None = None) -> int:
    """Call accepted messages without a final report failed after `timeout`; a late "delivered" still raises them."""
    with unit_of_work(engine, SYSTEM, now) as work:
        values = {"now": work.now, "before": work.now - timeout, "batch": BATCH}
        return int(work.execute(_UNREPORTED, values).rowcount)
