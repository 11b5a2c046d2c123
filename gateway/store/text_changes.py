"""Texts that staff changed: proposed by one, in use from the approval by another on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.domain.errors import NotFound, Refused
from gateway.domain.templates import Bodies
from gateway.store.base import Work


@dataclass(frozen=True, slots=True)
class Change:
    """Other words for a purpose. `base` is the version that was changed; `decision`: approved, refused, or None while it waits."""

    id: UUID
    purpose: str
    base: str
    version: str
    texts: Bodies
    made_by: UUID
    made_at: datetime
    maker: str
    maker_role: str | None  # None: not the actor's to see
    decision: str | None
    decided_at: datetime | None
    decider: str | None


_SELECT = """SELECT t.id, t.purpose, t.base, t.version, t.texts, t.made_by, t.made_at, coalesce(m.code, '?') AS maker, m.role AS maker_role, t.decision, t.decided_at,
    d.code AS decider FROM text_changes t LEFT JOIN staff m ON m.id = t.made_by LEFT JOIN staff d ON d.id = t.decided_by"""
_OF = text(f"{_SELECT} WHERE t.purpose = :purpose ORDER BY t.made_at DESC")
_GET = text(f"{_SELECT} WHERE t.id = :id")
_WAITING = text(f"{_SELECT} WHERE t.decision IS NULL ORDER BY t.made_at")
_APPROVED = text("SELECT purpose, base, version, texts FROM text_changes WHERE decision = 'approved' ORDER BY decided_at, made_at")
_ADD = text("""
  INSERT INTO text_changes (id, unit_id, purpose, base, version, texts, made_by, made_at)
  VALUES (:id, :unit, :purpose, :base, :version, CAST(:texts AS jsonb), :by, :now) ON CONFLICT DO NOTHING""")
_DECIDE = text("""
  UPDATE text_changes SET decision = :decision, decided_by = :by, decided_at = :now WHERE id = :id AND decision IS NULL""")


def approved(work: Work) -> Sequence[tuple[str, str, str, Bodies]]:
    """Purpose, base, version and texts of everything that was approved, in its order."""
    return [(row.purpose, row.base, row.version, _bodies(row.texts)) for row in work.all(_APPROVED)]


def of(work: Work, purpose: str) -> list[Change]:
    """The changes of one purpose, the latest first."""
    return [_open(row) for row in work.all(_OF, purpose=purpose)]


def waiting(work: Work) -> list[Change]:
    """What waits for a second person."""
    return [_open(row) for row in work.all(_WAITING)]


def get(work: Work, change_id: UUID) -> Change:
    """One change. Raises NotFound."""
    row = work.one(_GET, id=change_id)
    if row is None:
        raise NotFound("no such change of a text")
    return _open(row)


def _open(row: Any) -> Change:
    return Change(**{**row._asdict(), "texts": _bodies(row.texts)})


def _bodies(texts: Mapping[str, Any]) -> Bodies:
    return {language: (body, open_body) for language, (body, open_body) in texts.items()}


def add(work: Work, change_id: UUID, unit_id: UUID, purpose: str, base: str, version: str, texts: Bodies) -> None:
    """Propose a change as the actor. Raises Refused while another of the purpose waits."""
    values = {
        "id": change_id, "unit": unit_id, "purpose": purpose, "base": base, "version": version, "texts": json.dumps(texts),
        "by": work.actor.staff_id, "now": work.now,
    }  # fmt: skip
    if not work.execute(_ADD, values).rowcount:
        raise Refused("a change of this text waits for approval already: decide on that one first")


def decide(work: Work, change_id: UUID, decision: str) -> None:
    """Close a change as the actor: "approved" or "refused". Raises Refused when somebody did."""
    values = {"id": change_id, "decision": decision, "by": work.actor.staff_id, "now": work.now}
    if not work.execute(_DECIDE, values).rowcount:
        raise Refused("somebody has decided on this change already: reload the page")
