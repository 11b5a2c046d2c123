"""Whether the gateway is alive: heartbeats of workers and clock, and how much waits."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from gateway.store.base import SYSTEM, Work, unit_of_work

STALE = timedelta(seconds=30)

_BEAT = text("""INSERT INTO heartbeats (name, process, beat_at) VALUES (:name, :process, now())
  ON CONFLICT (name) DO UPDATE SET process = :process, beat_at = now()""")
# A heart beats in real time, like a lease, whatever the clock of a practice gateway shows.
_ALIVE = text("SELECT name, beat_at > now() - CAST(:stale AS interval) AS alive FROM heartbeats")
_LATE = text("SELECT count(*) FROM outbound WHERE state = 'planned' AND waits_for IS NULL AND lane = ANY(:lanes) AND send_after < :late")


def beat(work: Work, name: str, process: str) -> None:
    """Say that this process is alive."""
    work.execute(_BEAT, {"name": name, "process": process})


def look(engine: Engine) -> dict[str, Any]:
    """What an administrator or a monitor asks first. Counts only; never raises."""
    try:
        with unit_of_work(engine, SYSTEM) as work:
            beats = {row.name: row.alive for row in work.all(_ALIVE, stale=STALE)}
            late = work.value(_LATE, lanes=[0, 1], late=work.now - timedelta(seconds=30))
            open_urgent = work.value(text("SELECT count(*) FROM flags WHERE state <> 'closed' AND severity = 'urgent'"))
    except SQLAlchemyError:
        return {"ok": False, "database": False}
    alive = {name: beats.get(name, False) for name in ("clock", "send")}
    return {
        "ok": all(alive.values()), "database": True, **alive, "urgent_or_replies_late": late, "urgent_flags_open": open_urgent
    }
