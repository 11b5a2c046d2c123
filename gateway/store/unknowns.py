"""Messages whose outcome nobody heard."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.store.base import Work

_LAPSE = text("""
  WITH lapsed AS (
    SELECT id, attempt_id FROM outbound
    WHERE state = 'submitting' AND state_at < CASE semantics WHEN 'at_least_once' THEN :urgent_before ELSE :before END
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED LIMIT 1000),
  closed AS (UPDATE attempts a SET state = 'unknown', reason = 'lapsed' FROM lapsed l
    WHERE a.id = l.attempt_id AND a.state = 'submitting')
  UPDATE outbound o SET state = 'unknown', reason = 'the worker ended before an answer came', state_at = :now
  FROM lapsed l WHERE o.id = l.id""")


def lapse(work: Work, before: datetime, urgent_before: datetime) -> int:
    """Move what was left in `submitting` since before then to `unknown`; how many. Alerts and crisis answers: the second."""
    return int(work.execute(_LAPSE, {"before": before, "urgent_before": urgent_before, "now": work.now}).rowcount)


# A person was told of those with reason 'for a person': they are settled by a report, or by that person.
FOR_A_PERSON = "for a person: "
_WAITING = text(f"""
  SELECT w.* FROM channels c, LATERAL (
    SELECT o.id, o.attempt_id, o.channel_id, o.unit_id, o.client_id, o.key_id, k.wrapped, o.to_hash, o.to_enc, o.body_enc,
      o.semantics, o.attempts, o.send_before, a.started_at
    FROM outbound o JOIN attempts a ON a.id = o.attempt_id JOIN keys k ON k.id = o.key_id
    WHERE o.channel_id = c.id AND o.state = 'unknown'
      AND a.started_at < CASE o.semantics WHEN 'at_least_once' THEN :urgent_before ELSE :before END
      AND coalesce(o.reason, '') NOT LIKE '{FOR_A_PERSON}%'
    ORDER BY o.lane, o.state_at LIMIT 500) w""")


def waiting(work: Work, before: datetime, urgent_before: datetime) -> Sequence[Any]:
    """Unknown attempts begun before then that no person was told of yet, urgent first: up to 500 of each channel.

    For alerts and crisis answers it is the second moment.
    """
    return work.all(_WAITING, before=before, urgent_before=urgent_before)


_LOCK = text("SELECT id, attempt_id FROM outbound WHERE id = ANY(:ids) AND state || '' = 'unknown' ORDER BY id FOR NO KEY UPDATE")


def lock(work: Work, message_ids: list[UUID]) -> Sequence[Any]:
    """Take those that are still unknown: a report may have settled some meanwhile."""
    return work.all(_LOCK, ids=message_ids)


def taken(work: Work, channel_id: UUID, carrier_ids: list[str]) -> set[str]:
    """The carrier's ids that an attempt of ours claims already."""
    rows = work.all(text("SELECT carrier_id FROM attempts WHERE channel_id = :channel AND carrier_id = ANY(:ids)"),
                    channel=channel_id, ids=carrier_ids)  # fmt: skip
    return {row.carrier_id for row in rows}


def leave_to_person(work: Work, message_id: UUID, why: str) -> None:
    """Ask the carrier no more about it."""
    work.execute(text("UPDATE outbound SET reason = :why WHERE id = :id"), {"id": message_id, "why": FOR_A_PERSON + why})
