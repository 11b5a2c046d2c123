"""Browsers that are signed in, and what slows down whoever guesses. Read and written by the system alone."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.store.base import Work
from gateway.store.staff import Member

IDLE = timedelta(minutes=45)
LONGEST = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Login:
    """A browser that is signed in; `stage` says how far."""

    id: UUID
    stage: str
    device: str
    made_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """Who is behind a cookie: the staff member as they are now, their unit's zone, and what their next page is to say."""

    login: Login
    member: Member
    zone: str
    notice: str
    on_tour: bool


_LOGIN = "l.id, l.stage, l.device, l.made_at, l.seen_at"
# What it was given for must hold: whoever was deactivated, moved, given another role or another password is out at once.
_HOLDS = """JOIN staff s ON s.id = l.staff_id AND s.active AND s.role = l.role AND s.unit_id = l.unit_id
  JOIN credentials c ON c.staff_id = l.staff_id AND c.password_at = l.password_at
  WHERE l.seen_at > :idle AND l.made_at > :oldest"""
_FIND = text(f"""
  SELECT {_LOGIN}, l.notice, s.id AS staff_id, s.unit_id, s.code, s.role, s.language, s.on_duty, s.active, s.on_tour, u.time_zone
  FROM logins l JOIN units u ON u.id = l.unit_id {_HOLDS} AND l.hash = :hash""")
_OF = text(f"SELECT {_LOGIN} FROM logins l {_HOLDS} AND l.staff_id = :staff ORDER BY l.seen_at DESC")
_ADD = text("""
  INSERT INTO logins (hash, id, staff_id, role, unit_id, password_at, stage, device, made_at, seen_at)
  SELECT :hash, :id, s.id, s.role, s.unit_id, c.password_at, :stage, :device, :now, :now
  FROM staff s JOIN credentials c ON c.staff_id = s.id WHERE s.id = :staff""")


def _hash(token: str) -> bytes:
    """A token has 256 random bits: its plain hash gives nothing away."""
    return hashlib.sha256(token.encode()).digest()


def _times(work: Work) -> dict[str, Any]:
    return {"idle": work.now - IDLE, "oldest": work.now - LONGEST}


def add(work: Work, token: str, staff_id: UUID, stage: str, device: str) -> UUID:
    """Sign a browser in, so far as `stage` says; what is over is cleared away."""
    work.execute(text("DELETE FROM logins WHERE staff_id = :staff AND (seen_at <= :idle OR made_at <= :oldest)"),
                 {"staff": staff_id, **_times(work)})  # fmt: skip
    login_id = uuid4()
    work.execute(_ADD, {"hash": _hash(token), "id": login_id, "staff": staff_id, "stage": stage, "device": device, "now": work.now})
    return login_id


def find(work: Work, token: str) -> Found | None:
    """Who is behind the cookie; None when nobody, or not any more."""
    row = work.one(_FIND, hash=_hash(token), **_times(work))
    if row is None:
        return None
    member = Member(row.staff_id, row.unit_id, row.code, row.role, row.language, row.on_duty, row.active)
    return Found(Login(row.id, row.stage, row.device, row.made_at, row.seen_at), member, row.time_zone, row.notice, row.on_tour)


def touch(work: Work, login_id: UUID) -> None:
    """Its owner is there: it is not idle."""
    work.execute(text("UPDATE logins SET seen_at = :now WHERE id = :id"), {"id": login_id, "now": work.now})


_RENEW = text("""
  UPDATE logins l SET hash = :hash, stage = :stage, seen_at = :now, password_at = c.password_at
  FROM credentials c WHERE l.id = :id AND c.staff_id = l.staff_id""")


def renew(work: Work, login_id: UUID, token: str, stage: str) -> None:
    """Another token and stage, for the password as it is now: a cookie that somebody saw before is worth nothing after."""
    work.execute(_RENEW, {"id": login_id, "hash": _hash(token), "stage": stage, "now": work.now})


def tell(work: Work, login_id: UUID, notice: str) -> None:
    """Have the next page say this; "" once it was said. It holds no name, number or text of a client."""
    work.execute(text("UPDATE logins SET notice = :notice WHERE id = :id"), {"id": login_id, "notice": notice})


def list_of(work: Work, staff_id: UUID) -> Sequence[Login]:
    """Where a staff member is signed in, the latest used first."""
    return [Login(**row._asdict()) for row in work.all(_OF, staff=staff_id, **_times(work))]


def end(work: Work, staff_id: UUID, login_id: UUID) -> bool:
    """Sign one browser of theirs out; whether it was signed in."""
    ended = work.execute(text("DELETE FROM logins WHERE id = :id AND staff_id = :staff"), {"id": login_id, "staff": staff_id})
    return bool(ended.rowcount)


def end_others(work: Work, staff_id: UUID, login_id: UUID | None = None) -> None:
    """Sign all their browsers out but this one."""
    work.execute(text("DELETE FROM logins WHERE staff_id = :staff AND id IS DISTINCT FROM :id"), {"staff": staff_id, "id": login_id})
