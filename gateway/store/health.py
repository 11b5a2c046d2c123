"""Whether the gateway is alive: heartbeats of workers and clock, and how much waits."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from gateway.store import escalations
from gateway.store.base import SYSTEM, Work, unit_of_work

STALE = timedelta(seconds=30)

_BEAT = text("""INSERT INTO heartbeats (name, process, beat_at) VALUES (:name, :process, :now)
  ON CONFLICT (name) DO UPDATE SET process = :process, beat_at = :now""")
_LATE = text("SELECT count(*) FROM outbound WHERE state = 'planned' AND waits_for IS NULL AND lane = ANY(:lanes) AND send_after < :late")


def beat(work: Work, name: str, process: str) -> None:
    """Say that this process is alive."""
    work.execute(_BEAT, {"name": name, "process": process, "now": work.now})


def forget(work: Work, name: str) -> None:
    """Nothing is expected of such a process any more."""
    work.execute(text("DELETE FROM heartbeats WHERE name = :name"), {"name": name})


# One that nobody ever heard of is expected from now on.
_EXPECT = text("INSERT INTO heartbeats (name, process, beat_at) VALUES (:name, '', :now) ON CONFLICT (name) DO NOTHING")
_SILENT = text("""
  UPDATE heartbeats SET told_at = :now
  WHERE name = :name AND beat_at < :before AND (told_at IS NULL OR told_at < beat_at OR told_at <= :told_before)
  RETURNING CAST(extract(epoch FROM :now - beat_at) AS double precision)""")


def silent(work: Work, name: str, after: timedelta, again: timedelta) -> float | None:
    """For how many seconds a process has been silent, if that is longer than `after` and the caller is to tell people.

    Of several who ask, one is: then nobody else for the time of `again`.
    """
    work.execute(_EXPECT, {"name": name, "now": work.now})
    found: float | None = work.value(_SILENT, name=name, now=work.now, before=work.now - after, told_before=work.now - again)
    return found


def not_told(work: Work, name: str) -> None:
    """Telling people failed: whoever asks next is to."""
    work.execute(text("UPDATE heartbeats SET told_at = NULL WHERE name = :name"), {"name": name})


def look(engine: Engine) -> dict[str, Any]:
    """What an administrator or a monitor asks first. Counts only; never raises."""
    try:
        with unit_of_work(engine, SYSTEM) as work:
            heard = work.all(text("SELECT name, beat_at FROM heartbeats WHERE process <> ''"))
            beats = {row.name: row.beat_at > work.now - STALE for row in heard}
            late = work.value(_LATE, lanes=[0, 1], late=work.now - timedelta(seconds=30))
            open_urgent = work.value(text("SELECT count(*) FROM flags WHERE state <> 'closed' AND severity = 'urgent'"))
            not_taken = work.value(text("SELECT count(*) FROM flags WHERE state = 'open' AND severity = 'urgent'"))
            uncovered = len(escalations.uncovered(work, work.now))
    except SQLAlchemyError:
        return {"ok": False, "database": False}
    expected = ["clock", "send", *(["lines"] if "lines" in beats else [])]  # lines: only where a channel needs one
    alive = {name: beats.get(name, False) for name in expected}
    return {
        "ok": all(alive.values()), "database": True, **alive, "urgent_or_replies_late": late, "urgent_flags_open": open_urgent,
        "urgent_flags_not_taken": not_taken, "units_with_nobody_to_alert": uncovered,
    }
