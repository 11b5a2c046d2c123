"""Rehearsals of campaigns that were asked for: worked out by the clock, looked at by whoever asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.store.base import Actor, Work


@dataclass(frozen=True, slots=True)
class Asked:
    """One that was asked for: how far it has come, and what it found (None: not done yet, or `refused`)."""

    campaign_id: UUID
    asked_at: datetime
    days: int
    seen: int
    of_all: int
    settled_at: datetime | None
    found: Mapping[str, Any] | None
    refused: str | None


_ASK = text("""
  INSERT INTO rehearsals (campaign_id, unit_id, asked_by, asked_at, days, of_all) VALUES (:campaign, :unit, :by, :now, :days, :of_all)
  ON CONFLICT (campaign_id, asked_by) DO UPDATE SET asked_at = :now, days = :days, of_all = :of_all, seen = 0, settled_at = NULL, found = NULL,
    refused = NULL""")
_OF = text("""
  SELECT campaign_id, asked_at, days, seen, of_all, settled_at, found, refused FROM rehearsals WHERE campaign_id = :id AND asked_by = :by""")
_NEXT = text("""
  SELECT r.campaign_id, r.days, r.asked_at, r.asked_by, s.unit_id, s.role, s.active FROM rehearsals r
    JOIN staff s ON s.id = r.asked_by
  WHERE r.settled_at IS NULL ORDER BY r.asked_at LIMIT 1""")


def ask(work: Work, campaign_id: UUID, unit_id: UUID, days: int, of_all: int) -> None:
    """Have the clock work out for the actor what the campaign would send in so many days; an older answer goes."""
    work.execute(_ASK, {"campaign": campaign_id, "unit": unit_id, "by": work.actor.staff_id, "now": work.now, "days": days, "of_all": of_all})


def of(work: Work, campaign_id: UUID) -> Asked | None:
    """The actor's latest, done or not."""
    row = work.one(_OF, id=campaign_id, by=work.actor.staff_id)
    return None if row is None else Asked(**row._asdict())


@dataclass(frozen=True, slots=True)
class Next:
    """One to be done, for whoever asked."""

    campaign_id: UUID
    days: int
    asked_at: datetime
    actor: Actor
    active: bool


def next_asked(work: Work) -> Next | None:
    """What was asked for first and is not done. Runs as the system."""
    row: Any = work.one(_NEXT)
    if row is None:
        return None
    return Next(row.campaign_id, row.days, row.asked_at, Actor(row.asked_by, row.unit_id, row.role), row.active)


_THIS = "campaign_id = :campaign AND asked_by = :by AND asked_at = :asked_at AND settled_at IS NULL"
_PROGRESS = text(f"UPDATE rehearsals SET seen = :seen WHERE {_THIS}")
_SETTLE = text(f"UPDATE rehearsals SET settled_at = :now, found = CAST(:found AS jsonb), refused = :refused WHERE {_THIS}")


def progress(work: Work, asked: Next, seen: int) -> None:
    """So many people were gone through."""
    work.execute(_PROGRESS, _this(asked) | {"seen": seen})


def settle(work: Work, asked: Next, found: Mapping[str, Any] | None, refused: str | None = None) -> None:
    """What it found, or why nothing. Asked for anew meanwhile, it stays to be done."""
    kept = None if found is None else json.dumps(found)
    work.execute(_SETTLE, _this(asked) | {"found": kept, "refused": refused, "now": work.now})


def _this(asked: Next) -> dict[str, Any]:
    return {"campaign": asked.campaign_id, "by": asked.actor.staff_id, "asked_at": asked.asked_at}
