"""Counts for reports: made week by week and month by month out of what happened, read by unit, language, channel or period."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.domain.reports import Period
from gateway.store.base import Work

_LEFT = "('accepted', 'sent', 'delivered', 'failed', 'unknown')"


def _in_period(at: str) -> str:
    """The moment lies in the period on the clock of its unit; first by what an index finds."""
    return f"""{at} >= CAST(:since AS date) - 2 AND {at} < CAST(:until AS date) + 2
      AND {at} AT TIME ZONE u.time_zone >= CAST(:since AS date) AND {at} AT TIME ZONE u.time_zone < CAST(:until AS date)"""


def _appointments(part: str, where: str) -> str:
    return f"""
      SELECT a.unit_id, c.language, CAST(NULL AS uuid) AS channel_id, {part} AS part, 1 AS weight, a.client_id
      FROM appointments a JOIN clients c ON c.id = a.client_id JOIN units u ON u.id = a.unit_id
      WHERE {_in_period('a.starts_at')} AND a.starts_at < :now AND {where}"""


_TEXTS = f"FROM outbound o JOIN units u ON u.id = o.unit_id WHERE o.client_id IS NOT NULL AND {_in_period('o.created_at')}"
_SOURCES = {
    "attendance": _appointments("CASE a.status WHEN 'booked' THEN 'open' ELSE a.status END", "true"),
    "confirmations": _appointments("coalesce(a.answer, 'no_answer')", "a.status <> 'cancelled'"),
    "replies": f"""
      SELECT o.unit_id, o.language, CAST(NULL AS uuid) AS channel_id,
        CASE WHEN o.answered_at IS NULL THEN 'not_answered' ELSE 'answered' END AS part, 1 AS weight, o.client_id
      {_TEXTS} AND o.expects <> 'none' AND o.state IN {_LEFT}""",
    "silence": f"""
      SELECT s.unit_id, c.language, CAST(NULL AS uuid) AS channel_id,
        CASE WHEN s.heard_at IS NOT NULL THEN 'answered' WHEN s.due_at > :now THEN 'waiting' ELSE 'silent' END AS part, 1 AS weight, s.client_id
      FROM sessions s JOIN clients c ON c.id = s.client_id JOIN units u ON u.id = s.unit_id
      WHERE s.status <> 'not_asked' AND {_in_period('s.started_at')}""",
    "delivery": f"""
      SELECT o.unit_id, o.language, o.channel_id, CASE WHEN o.state IN ('accepted', 'sent') THEN 'sent'
        WHEN o.state IN ('cancelled', 'suppressed') THEN 'not_sent' WHEN o.state IN ('planned', 'submitting') THEN 'waiting'
        ELSE o.state END AS part, 1 AS weight, o.client_id {_TEXTS}""",
    "first_answer": f"""
      SELECT f.unit_id, c.language, CAST(NULL AS uuid) AS channel_id,
        CASE WHEN least(f.closed_at, said.at) IS NULL THEN 'not_yet'
          WHEN least(f.closed_at, said.at) <= f.opened_at + interval '15 minutes' THEN 'minutes'
          WHEN least(f.closed_at, said.at) <= f.opened_at + interval '1 hour' THEN 'hour'
          WHEN least(f.closed_at, said.at) <= f.opened_at + interval '4 hours' THEN 'half_day'
          WHEN least(f.closed_at, said.at) <= f.opened_at + interval '1 day' THEN 'day' ELSE 'later' END AS part, 1 AS weight, f.client_id
      FROM flags f JOIN clients c ON c.id = f.client_id JOIN units u ON u.id = f.unit_id CROSS JOIN LATERAL (
        SELECT min(o.created_at) AS at FROM outbound o
        WHERE o.client_id = f.client_id AND o.purpose = 'manual' AND o.created_at >= f.opened_at) said
      WHERE f.inbound_id IS NOT NULL AND {_in_period('f.opened_at')}""",
    "opt_outs": f"""
      SELECT h.unit_id, c.language, CAST(NULL AS uuid) AS channel_id, h.basis AS part, 1 AS weight, h.client_id
      FROM consent_history h JOIN clients c ON c.id = h.client_id JOIN units u ON u.id = h.unit_id
      WHERE h.purpose = 'all' AND NOT h.granted AND {_in_period('h.changed_at')}""",
    "cost": _appointments("'visits'", "a.status = 'attended'") + f"""
      UNION ALL
      SELECT a.unit_id, c.language, NULL, 'segments', o.segments, a.client_id
      FROM appointments a JOIN clients c ON c.id = a.client_id JOIN units u ON u.id = a.unit_id
        JOIN outbound o ON o.client_id = a.client_id AND o.about_id = a.id AND o.state IN {_LEFT}
      WHERE {_in_period('a.starts_at')} AND a.starts_at < :now""",
}  # fmt: skip
# Those of all columns together (part '') apart, since one person may stand in several.
_COUNT = {
    name: text(f"""
      INSERT INTO report_counts (report, grain, starts_on, unit_id, language, channel_id, part, count, people)
      SELECT '{name}', :grain, CAST(:since AS date), unit_id, language, channel_id, coalesce(part, ''), sum(weight), count(DISTINCT client_id)
      FROM ({source}) happened
      GROUP BY GROUPING SETS ((unit_id, language, channel_id, part), (unit_id, language, channel_id))""")
    for name, source in _SOURCES.items()
}
_FORGET = text("DELETE FROM report_counts WHERE report = ANY(:reports) AND grain = :grain AND starts_on = :since")
_COUNTED = text("""
  INSERT INTO report_periods (grain, starts_on, counted_at) VALUES (:grain, :since, :now)
  ON CONFLICT (grain, starts_on) DO UPDATE SET counted_at = excluded.counted_at""")
# Unlike the system's other work this reads much at once: PostgreSQL chooses the way.
_FREE = text("SELECT " + ", ".join(
    f"set_config('enable_{way}', 'on', true)" for way in ("hashjoin", "mergejoin", "material", "seqscan", "bitmapscan")
) + ", set_config('plan_cache_mode', 'force_custom_plan', true), set_config('work_mem', '64MB', true)")  # fmt: skip


def count(work: Work, period: Period) -> None:
    """Count a week or a month anew."""
    work.execute(_FREE)
    values = {"grain": period.grain, "since": period.starts_on, "until": period.ends_before, "now": work.now}
    work.execute(_FORGET, {"reports": list(_COUNT), **values})
    for statement in _COUNT.values():
        work.execute(statement, values)
    work.execute(_COUNTED, values)


_FIRST = text("""
  SELECT least((SELECT min(created_at) FROM outbound), (SELECT min(starts_at) FROM appointments), (SELECT min(started_at) FROM sessions),
    (SELECT min(opened_at) FROM flags), (SELECT min(changed_at) FROM consent_history))""")


def first_moment(work: Work) -> datetime | None:
    """When the first thing happened that a report counts. Goes through all texts where none was counted yet."""
    at: datetime | None = work.value(_FIRST)
    return at


def first_visit(work: Work) -> datetime | None:
    """When the first appointment was: those of another system may come in years later."""
    at: datetime | None = work.value(text("SELECT min(starts_at) FROM appointments"))
    return at


def counted(work: Work) -> dict[Period, datetime]:
    """When each week and month was counted last."""
    rows = work.all(text("SELECT grain, starts_on, counted_at FROM report_periods"))
    return {Period(row.grain, row.starts_on): row.counted_at for row in rows}


# --- reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Count:
    """One cell: `key` is the id of a unit or channel, or a language; `people` at least so many."""

    key: UUID | str
    part: str
    count: int
    people: int


# What is kept by unit and language concerns different people; over months and channels they may be the same.
_READ = """
  SELECT key, part, sum(count) AS count, sum(people) AS people FROM (
    SELECT {key} AS key, part, sum(count) AS count, max(people) AS people FROM report_counts
    WHERE report = :report AND grain = :grain AND starts_on >= :since AND starts_on < :until
      AND (CAST(:units AS uuid[]) IS NULL OR unit_id = ANY(:units))
    GROUP BY 1, language, unit_id, part) x
  GROUP BY key, part"""
_BY = {by: text(_READ.format(key=key)) for by, key in (("unit", "unit_id"), ("language", "language"), ("channel", "channel_id"))}


def read(work: Work, report: str, by: str, period: Period, unit_ids: Sequence[UUID] | None = None) -> list[Count]:
    """The counts of a period, of all units or of these. Small groups are among them: they go to `small_numbers` first."""
    work.execute(_FREE)
    grain = "week" if period.grain == "week" else "month"
    rows: Sequence[Any] = work.all(_BY[by], report=report, grain=grain, since=period.starts_on, until=period.ends_before,
                                   units=None if unit_ids is None else list(unit_ids))  # fmt: skip
    return [Count(row.key, row.part, int(row.count), int(row.people)) for row in rows]


def counted_at(work: Work, period: Period) -> datetime | None:
    """When the counts of a period were made, the oldest of them; None when some of it was never counted."""
    pieces = period.parts if period.grain == "quarter" else (period,)
    rows = work.all(text("SELECT counted_at FROM report_periods WHERE grain = :grain AND starts_on = ANY(:days)"),
                    grain=pieces[0].grain, days=[each.starts_on for each in pieces])  # fmt: skip
    return min((row.counted_at for row in rows), default=None) if len(rows) == len(pieces) else None
