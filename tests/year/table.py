"""What a run prints: the weekly check-in after WelTel, month by month, and what it took."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, text

from gateway.domain import dialogues
from gateway.store.base import unit_of_work

COLUMNS = ("month", "asked", "answered", "in 48 h", "late", "not well", "calls asked", "silent", "calls made", "losing touch")


def weltel(engine: Engine) -> list[str]:
    """Responses, problems, calls and silence of the weekly check-in. Calls are the flags that a person was to close by calling."""
    with unit_of_work(engine) as work:
        rows = work.all(_WELTEL, purpose=dialogues.purpose("weekly_check_in"))
        flags = {row.month: row for row in work.all(_FLAGS)}
    lines: list[list[Any]] = []
    for row in rows:
        flag = flags.get(row.month)
        calls = [getattr(flag, name, 0) for name in ("not_well", "callback", "no_reply", "losing_touch")]
        lines.append([row.month, row.asked, row.answered, row.in_time, row.answered - row.in_time, calls[0], calls[1],
                      row.asked - row.answered, calls[2], calls[3]])  # fmt: skip
    total = ["in all", *(sum(line[n] for line in lines) for n in range(1, len(COLUMNS)))]
    asked = max(total[1], 1)
    share = ["% of asked", *(f"{100 * value / asked:.1f}" for value in total[1:])]
    return aligned([COLUMNS, *lines, total, share])


def totals(engine: Engine) -> list[str]:
    """Texts by state, what they cost in segments, texts in by what was understood, flags by reason."""
    with unit_of_work(engine) as work:
        found = [(title, work.all(sql)) for title, sql in _TOTALS]
    return [line for title, rows in found for line in counted(title, {row.name: row.many for row in rows})]


def counted(title: str, counts: Mapping[str, int], unit: str = "") -> list[str]:
    """A heading with the sum, and a line for each, the most first."""
    rows = [(f"  {name}", f"{count:,}{unit}") for name, count in sorted(counts.items(), key=lambda item: -item[1])]
    return ["", *aligned([(title, f"{sum(counts.values()):,}{unit}"), *rows])]


def aligned(rows: Iterable[Sequence[Any]]) -> list[str]:
    """Columns, the first to the left and the others to the right."""
    cells = [[str(value) for value in row] for row in rows]
    widths = [max(len(row[n]) for row in cells) for n in range(len(cells[0]))]
    return ["  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]).rstrip()
            for row in cells]  # fmt: skip


_WELTEL = text("""
  SELECT to_char(s.started_at AT TIME ZONE 'Asia/Ho_Chi_Minh', 'YYYY-MM') AS month, count(*) AS asked, count(s.heard_at) AS answered,
    count(*) FILTER (WHERE s.heard_at <= a.started_at + interval '48 hours') AS in_time
  FROM outbound o JOIN sessions s ON s.prompt_id = o.id JOIN attempts a ON a.id = o.attempt_id
  WHERE o.purpose = :purpose AND o.state IN ('accepted', 'sent', 'delivered', 'failed', 'unknown')
  GROUP BY 1 ORDER BY 1""")
_FLAGS = text("""
  SELECT to_char(opened_at AT TIME ZONE 'Asia/Ho_Chi_Minh', 'YYYY-MM') AS month, count(*) FILTER (WHERE reason = 'not_well') AS not_well,
    count(*) FILTER (WHERE reason = 'callback') AS callback, count(*) FILTER (WHERE reason = 'no_reply') AS no_reply,
    count(*) FILTER (WHERE reason = 'losing_touch') AS losing_touch
  FROM flags GROUP BY 1""")
_TOTALS = [
    ("texts out", text("SELECT state AS name, count(*) AS many FROM outbound GROUP BY 1")),
    ("segments that left, by encoding", text("""SELECT encoding AS name, sum(segments) AS many FROM outbound
       WHERE state IN ('accepted', 'sent', 'delivered', 'failed', 'unknown') AND attempts > 0 GROUP BY 1""")),
    ("texts that did not leave, by reason", text("""SELECT state || ': ' || coalesce(reason, '-') AS name, count(*) AS many FROM outbound
       WHERE state IN ('suppressed', 'cancelled', 'expired', 'unknown') GROUP BY 1 ORDER BY 2 DESC LIMIT 25""")),
    ("occurrences", text("SELECT state AS name, count(*) AS many FROM occurrences GROUP BY 1")),
    ("texts in, as understood", text("SELECT coalesce(meaning, 'nothing') AS name, count(*) AS many FROM inbound GROUP BY 1")),
    ("flags", text("SELECT reason AS name, count(*) AS many FROM flags GROUP BY 1")),
]
