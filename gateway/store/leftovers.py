"""Messages that something must still be done about: their time passed, no report came, the carrier keeps a copy."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.store.base import Work

_EXPIRE = text("""
  WITH late AS (SELECT id FROM outbound WHERE state = 'planned' AND send_before <= :now
    ORDER BY send_before LIMIT :most FOR UPDATE SKIP LOCKED)
  UPDATE outbound o SET state = 'expired', state_at = :now,
    reason = CASE WHEN o.waits_for IS NOT NULL THEN 'no answer to the first text'
                  ELSE coalesce(o.reason || '; ', '') || 'its time passed' END
  FROM late WHERE o.id = late.id RETURNING o.id""")
_UNREPORTED = text("""
  WITH silent AS (SELECT id FROM outbound WHERE state IN ('accepted', 'sent') AND state_at < :before
    ORDER BY state_at LIMIT :most FOR UPDATE SKIP LOCKED)
  UPDATE outbound o SET state = 'failed', state_at = :now, reason = 'no delivery report in time'
  FROM silent WHERE o.id = silent.id""")
_FINAL = text("""
  SELECT o.* FROM channels c, LATERAL (
    SELECT id, channel_id, carrier_id FROM outbound WHERE channel_id = c.id AND redacted_at IS NULL AND carrier_id IS NOT NULL
      AND state IN ('delivered', 'failed', 'expired') ORDER BY state_at LIMIT :most) o""")


# Texts of one-off campaigns are counted there; what nobody would act on is no flag.
_MISSED = text("""
  SELECT id, unit_id, client_id FROM outbound WHERE id = ANY(:ids) AND state = 'expired'
    AND purpose NOT IN ('message_waiting', 'staff_alert') AND (about_id IS NOT NULL OR inbound_id IS NOT NULL OR purpose = 'manual')""")


def expire(work: Work, most: int) -> Sequence[UUID]:
    """Close texts whose time passed before they could leave; which."""
    return list(work.execute(_EXPIRE, {"now": work.now, "most": most}).scalars())


def missed(work: Work, message_ids: Sequence[UUID]) -> Sequence[Any]:
    """Those of the messages that expired and that a client or worker counts on: rows of id, unit_id, client_id."""
    return work.all(_MISSED, ids=list(message_ids))


def fail_unreported(work: Work, before: datetime, most: int) -> int:
    """Call messages failed that were accepted before then and have no final report; how many."""
    return int(work.execute(_UNREPORTED, {"now": work.now, "before": before, "most": most}).rowcount)


def unredacted(work: Work, most: int) -> Sequence[Any]:
    """Messages whose fate is final and whose text the carrier may still hold, up to so many of each channel.

    Rows of id, channel_id, carrier_id.
    """
    return work.all(_FINAL, most=most)


def mark_redacted(work: Work, message_ids: list[UUID]) -> None:
    """The carrier's copies are blank."""
    work.execute(text("UPDATE outbound SET redacted_at = :now WHERE id = ANY(:ids)"), {"ids": message_ids, "now": work.now})
