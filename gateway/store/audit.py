"""Who did what to what, and why. Written in the transaction of the deed; never changed, by anybody."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.store.base import Actor, Work

_ADD = text("""
  INSERT INTO audit (unit_id, staff_id, action, subject, subject_id, detail, at)
  VALUES (:unit, :staff, :action, :subject, :id, CAST(:detail AS jsonb), :now)""")


def add(
    work: Work, action: str, subject: str, subject_id: UUID | str, unit_id: UUID, detail: Mapping[str, Any] | None = None,
    by: Actor | None = None,
) -> None:  # fmt: skip
    """Keep what was done: "client.show", "client", its id. `detail` holds ids, codes and reasons, no name, number or text.

    `by` is who asked, where the transaction runs as the system for them (a stop reaches beyond the actor's units).
    """
    staff_id = (by or work.actor).staff_id
    work.execute(_ADD, {
        "unit": unit_id, "staff": staff_id, "action": action, "subject": subject, "id": str(subject_id),
        "detail": json.dumps(dict(detail or {}), default=str), "now": work.now,
    })  # fmt: skip


_OF = text("SELECT id, at, staff_id, action, detail FROM audit WHERE subject_id = :id ORDER BY id")


def of(work: Work, subject_id: UUID | str) -> Sequence[Any]:
    """All that was done to one thing, in order."""
    return work.all(_OF, id=str(subject_id))
