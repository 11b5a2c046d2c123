"""Campaigns in the making: what was filled in so far, kept between the steps of the page that makes them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.domain.errors import NotFound, Refused
from gateway.store.base import Work


@dataclass(frozen=True, slots=True)
class Draft:
    """`id` is that of the campaign it becomes. `content` is what a campaign file would hold; steps may be missing."""

    id: UUID
    unit_id: UUID
    revision: int
    content: Mapping[str, Any]
    changed_at: datetime
    made_by: str


_SELECT = """SELECT d.id, d.unit_id, d.revision, d.content, d.changed_at, s.code AS made_by
  FROM campaign_drafts d JOIN staff s ON s.id = d.made_by"""


def add(work: Work, draft_id: UUID, unit_id: UUID, content: Mapping[str, Any]) -> None:
    """Begin a draft; one of this id that is there already stays as it is."""
    work.insert("campaign_drafts", [{
        "id": draft_id, "unit_id": unit_id, "made_by": work.actor.staff_id, "content": json.dumps(dict(content)), "changed_at": work.now,
    }], "ON CONFLICT (id) DO NOTHING")  # fmt: skip


def get(work: Work, draft_id: UUID) -> Draft:
    """The draft. Raises NotFound."""
    row = work.one(text(f"{_SELECT} WHERE d.id = :id"), id=draft_id)
    if row is None:
        raise NotFound("no such draft in your units")
    return Draft(**row._asdict())


def list_seen(work: Work) -> Sequence[Draft]:
    """The drafts of the actor's units, the latest first."""
    return [Draft(**row._asdict()) for row in work.all(text(f"{_SELECT} ORDER BY d.changed_at DESC, d.id"))]


_SAVE = text("""
  UPDATE campaign_drafts SET content = CAST(:content AS jsonb), revision = revision + 1, changed_at = :now
  WHERE id = :id AND revision = :revision""")


def save(work: Work, draft_id: UUID, revision: int, content: Mapping[str, Any]) -> None:
    """Write it anew. Raises Refused when somebody else, or another window, did so since `revision`."""
    values = {"id": draft_id, "revision": revision, "content": json.dumps(dict(content)), "now": work.now}
    if not work.execute(_SAVE, values).rowcount:
        raise Refused("this draft was changed in another window: reload the page and look at it first")


def drop(work: Work, draft_id: UUID) -> None:
    """It became a campaign, or nobody wants it."""
    work.execute(text("DELETE FROM campaign_drafts WHERE id = :id"), {"id": draft_id})
