"""Approvals of campaigns that were asked for: done by the clock, looked at by whoever asked."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.domain.errors import Refused
from gateway.store.base import Actor, Work


@dataclass(frozen=True, slots=True)
class Approval:
    """How far it has come. `refused`: why the campaign was not started, one reason a line."""

    campaign_id: UUID
    asked_by: str
    asked_at: datetime
    seen: int
    of_all: int
    settled_at: datetime | None
    refused: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """One to be done: by whom it was asked, and the campaign."""

    campaign_id: UUID
    name: str
    actor: Actor
    active: bool


_ASK = text("""
  INSERT INTO approvals (campaign_id, unit_id, asked_by, asked_at, of_all) VALUES (:campaign, :unit, :by, :now, :of_all)
  ON CONFLICT (campaign_id) DO UPDATE SET asked_by = :by, asked_at = :now, of_all = :of_all, seen = 0, settled_at = NULL, refused = NULL
  WHERE approvals.settled_at IS NOT NULL""")
_OF = text("""
  SELECT a.campaign_id, s.code AS asked_by, a.asked_at, a.seen, a.of_all, a.settled_at, a.refused
  FROM approvals a JOIN staff s ON s.id = a.asked_by WHERE a.campaign_id = :id""")
_NEXT = text("""
  SELECT a.campaign_id, c.name, a.asked_by, s.unit_id, s.role, s.active FROM approvals a
    JOIN campaigns c ON c.id = a.campaign_id JOIN staff s ON s.id = a.asked_by
  WHERE a.settled_at IS NULL ORDER BY a.asked_at LIMIT 1""")


def under_way() -> Refused:
    """Why nothing else is done with the campaign meanwhile."""
    return Refused("its approval is under way already: wait for what comes of it")


def ask(work: Work, campaign_id: UUID, unit_id: UUID, of_all: int) -> None:
    """Have the clock start the campaign as the actor. Raises Refused while somebody's approval is under way."""
    values = {"campaign": campaign_id, "unit": unit_id, "by": work.actor.staff_id, "now": work.now, "of_all": of_all}
    if not work.execute(_ASK, values).rowcount:
        raise under_way()


def waits(work: Work, campaign_id: UUID) -> bool:
    """Whether one is under way."""
    found = of(work, campaign_id)
    return found is not None and found.settled_at is None


def of(work: Work, campaign_id: UUID) -> Approval | None:
    """The campaign's latest approval, done or not."""
    row = work.one(_OF, id=campaign_id)
    return None if row is None else Approval(**row._asdict())


def next_asked(work: Work) -> Asked | None:
    """What was asked for first and is not done. Runs as the system."""
    row: Any = work.one(_NEXT)
    if row is None:
        return None
    return Asked(row.campaign_id, row.name, Actor(row.asked_by, row.unit_id, row.role), row.active)


def progress(work: Work, campaign_id: UUID, seen: int) -> None:
    """So many people were gone through."""
    work.execute(text("UPDATE approvals SET seen = :seen WHERE campaign_id = :id"), {"id": campaign_id, "seen": seen})


def settle(work: Work, campaign_id: UUID, refused: str | None = None) -> None:
    """It runs, or this is why not."""
    sql = "UPDATE approvals SET settled_at = :now, refused = :refused WHERE campaign_id = :id AND settled_at IS NULL"
    work.execute(text(sql), {"id": campaign_id, "refused": refused, "now": work.now})
