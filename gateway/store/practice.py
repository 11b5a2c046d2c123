"""The clock of a gateway for practice: all its channels lead to simulated phones, and its time may be moved ahead."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from gateway.store.base import Work

_REAL = text("SELECT EXISTS (SELECT FROM channels WHERE kind <> 'simulator')")
_AHEAD = text("SELECT ahead > interval '0' FROM practice_clock FOR SHARE")
_HOLD = text("SELECT FROM practice_clock FOR UPDATE")
_UNSENT = text("""
  SELECT (SELECT count(*) FROM outbound WHERE state = 'submitting') AS handed_over,
    (SELECT count(*) FROM outbound WHERE state = 'planned' AND waits_for IS NULL AND send_after <= :now AND send_before > :now)
    + (SELECT count(*) FROM occurrences o JOIN campaigns c ON c.id = o.campaign_id
      WHERE c.state = 'running' AND o.state = 'waiting' AND o.due_at <= :now)
    + (SELECT count(*) FROM sessions WHERE due_at <= :now) AS due""")
_MOVE = text("UPDATE practice_clock SET ahead = ahead + CAST(:by AS interval)")
# No heart missed a beat meanwhile.
_BEATS = text("UPDATE heartbeats SET beat_at = beat_at + CAST(:by AS interval), told_at = told_at + CAST(:by AS interval)")
# Nor was anybody idle, or an invitation left lying.
_STAFF = (
    text("UPDATE logins SET seen_at = seen_at + CAST(:by AS interval), made_at = made_at + CAST(:by AS interval)"),
    text("UPDATE invitations SET expires_at = expires_at + CAST(:by AS interval)"),
)
_OUTSIDE = text("SELECT CAST(:now AS timestamptz) - ahead FROM practice_clock")


def reaches_people(work: Work) -> bool:
    """Whether any channel could lead to a real phone; until the end of this transaction none that does is added."""
    work.execute(_HOLD)
    return bool(work.value(_REAL))


def is_ahead(work: Work) -> bool:
    """Whether the clock was moved; until the end of this transaction it stays as it is."""
    return bool(work.value(_AHEAD))


@dataclass(frozen=True, slots=True)
class Unsent:
    """Texts that the carrier has not answered for yet; and what is due and not done: texts to plan or hand over, silence to look at."""

    handed_over: int
    due: int


def unsent(work: Work) -> Unsent:
    """What the clock should wait for: of the first, its lease would have lapsed; the second may come too late."""
    row = work.one(_UNSENT, now=work.now)
    assert row is not None
    return Unsent(row.handed_over, row.due)


def move(work: Work, by: timedelta) -> None:
    """Set the clock ahead, for every process, from their next transactions on. It never goes back."""
    work.execute(_MOVE, {"by": by})
    for each in (_BEATS, *_STAFF):
        work.execute(each, {"by": by})


def outside(work: Work) -> datetime:
    """The time that the clock showed if nobody had moved it: what the phones of staff show."""
    found: datetime = work.value(_OUTSIDE, now=work.now)
    return found
