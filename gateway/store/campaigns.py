"""Campaigns: what is sent to whom, when, in which words, and how far it has come."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain.campaigns import Kind, Spec
from gateway.domain.errors import NotFound, Refused
from gateway.store.base import Work


@dataclass(frozen=True, slots=True)
class Step:
    """One text of a campaign: its template at a version, and when it is due (as domain.campaigns reads it)."""

    id: UUID
    purpose: str
    version: str
    timing: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Audience:
    """For whom, by ids: clients of the units and those below who fit every list that is not empty."""

    units: Sequence[UUID] = ()
    groups: Sequence[str] = ()
    languages: Sequence[str] = ()
    workers: Sequence[UUID] = ()
    clients: Sequence[UUID] = ()

    def values(self) -> dict[str, Any]:
        """The parameters of COVERED."""
        return {"units": list(self.units), "groups": list(self.groups), "languages": list(self.languages),
                "workers": list(self.workers), "clients": list(self.clients)}  # fmt: skip


# Whether client `c` is in an audience. The one place that says so, for previews, planning and the moment of sending.
OF_UNITS = "c.unit_id IN (SELECT unit_id FROM unit_tree WHERE ancestor_id = ANY(CAST(:units AS uuid[])))"
ON_LISTS = """(CAST(:groups AS text[]) = '{}' OR c.groups && CAST(:groups AS text[]))
    AND (CAST(:languages AS text[]) = '{}' OR c.language = ANY(CAST(:languages AS text[])))
    AND (CAST(:workers AS uuid[]) = '{}' OR c.worker_id = ANY(CAST(:workers AS uuid[])))
    AND (CAST(:clients AS uuid[]) = '{}' OR c.id = ANY(CAST(:clients AS uuid[])))"""
COVERED = f"({OF_UNITS}\n    AND {ON_LISTS})"


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign with its steps in order. `versions` are those of every template it may use, from its start on."""

    id: UUID
    unit_id: UUID
    kind: Kind
    consent_purpose: str
    state: str
    spec: Spec
    audience: Audience
    created_by: UUID | None
    approved_by: UUID | None
    started_at: datetime | None
    to_do: Mapping[str, Any] | None  # expand_at | after (a moment, an appointment) | ends_at | cancel: what planning has left
    versions: Mapping[str, str]
    steps: tuple[Step, ...]

    @property
    def edition(self) -> str:
        """Another one each time the draft is kept."""
        return str(self.steps[0].id)


_CAMPAIGN = """SELECT c.id, c.unit_id, c.kind, c.consent_purpose, c.state, c.spec, c.created_by, c.approved_by, c.started_at,
    (SELECT json_agg(json_build_array(s.id, s.purpose, s.version, s.timing) ORDER BY s.position)
      FROM campaign_steps s WHERE s.campaign_id = c.id) AS steps
  FROM campaigns c"""
_BY_NAME = text(f"{_CAMPAIGN} WHERE c.name = :name")
_BY_ID = text(f"{_CAMPAIGN} WHERE c.id = :id")
_LOCKED = text("SELECT id FROM campaigns WHERE name = :name FOR NO KEY UPDATE")
_LIST = text(f"{_CAMPAIGN} ORDER BY c.created_at DESC, c.name")
_PAGE = text(f"{_CAMPAIGN} ORDER BY c.state IN ('draft', 'running', 'paused') DESC, c.created_at DESC, c.name LIMIT :most OFFSET :skip")
_LIVE = text(f"{_CAMPAIGN} WHERE c.state IN ('running', 'paused') OR (c.state = 'cancelled' AND c.spec ? 'to_do') ORDER BY c.started_at")


def draft(
    work: Work, campaign_id: UUID, unit_id: UUID, spec: Spec, audience: Audience, consent_purpose: str, versions: Mapping[str, str]
) -> Campaign:  # fmt: skip
    """A draft as `add` would keep it: to be looked at before."""
    steps = tuple(Step(uuid4(), step.purpose, versions.get(step.purpose, ""), step.timing) for step in spec.steps)
    return Campaign(
        campaign_id, unit_id, spec.kind, consent_purpose, "draft", spec, audience, work.actor.staff_id, None, None, None, {}, steps
    )  # fmt: skip


_TAKEN = text("SELECT EXISTS (SELECT FROM campaigns WHERE name = :name AND id <> :id)")
_REPLACE = text("""
  UPDATE campaigns SET name = :name, kind = :kind, consent_purpose = :consent_purpose, spec = CAST(:spec AS jsonb), created_by = :created_by
  WHERE id = :id AND state = 'draft'""")


def add(work: Work, made: Campaign) -> None:
    """Keep a draft, in place of one of its id. Raises Refused when the name is taken, in whatever unit, or it is no draft any more."""
    ids = {name: [str(value) for value in values] for name, values in made.audience.values().items()}
    row = {
        "id": made.id, "unit_id": made.unit_id, "name": made.spec.name, "kind": made.kind, "consent_purpose": made.consent_purpose,
        "spec": json.dumps({"asked": made.spec.to_dict(), "audience": ids}), "created_by": made.created_by, "created_at": work.now,
    }  # fmt: skip
    if work.value(_TAKEN, name=made.spec.name, id=made.id):
        raise _name_taken(made.spec.name)
    if work.execute(_REPLACE, row).rowcount:
        work.execute(text("DELETE FROM campaign_steps WHERE campaign_id = :id"), {"id": made.id})
    elif not work.insert("campaigns", [row], "ON CONFLICT DO NOTHING"):
        raise _name_taken(made.spec.name)
    for position, step in enumerate(made.steps):
        work.insert("campaign_steps", [{
            "id": step.id, "campaign_id": made.id, "unit_id": made.unit_id, "position": position, "purpose": step.purpose,
            "version": step.version, "timing": json.dumps(dict(step.timing)),
        }])  # fmt: skip


def _name_taken(name: str) -> Refused:
    return Refused("there is a campaign {name!r} already: choose another name", name=name)


def by_name(work: Work, name: str, lock: bool = False) -> Campaign:
    """The campaign, its row held until the end of the transaction if `lock`. Raises NotFound."""
    if lock:
        work.all(_LOCKED, name=name)
    row = work.one(_BY_NAME, name=name)
    if row is None:
        raise NotFound("no campaign {name!r} in your units: `python -m gateway campaign list` shows them", name=name)
    return _open(row)


def by_id(work: Work, campaign_id: UUID) -> Campaign:
    """The campaign of this id. Raises NotFound."""
    row = work.one(_BY_ID, id=campaign_id)
    if row is None:
        raise NotFound("no such campaign in your units")
    return _open(row)


def list_all(work: Work) -> list[Campaign]:
    """The actor's campaigns, the newest first."""
    return [_open(row) for row in work.all(_LIST)]


def page(work: Work, most: int, skip: int = 0) -> list[Campaign]:
    """Some of them: those that are not over come first."""
    return [_open(row) for row in work.all(_PAGE, most=most, skip=skip)]


def live(work: Work) -> list[Campaign]:
    """Campaigns that planning has to do with: running, paused, or cancelled with something left to cancel."""
    return [_open(row) for row in work.all(_LIVE)]


def _open(row: Any) -> Campaign:
    spec = row.spec
    asked = spec["audience"]
    ids = {name: [UUID(value) for value in asked[name]] for name in ("units", "workers", "clients")}
    audience = Audience(ids["units"], asked["groups"], asked["languages"], ids["workers"], ids["clients"])
    steps = tuple(Step(UUID(step_id), purpose, version, timing) for step_id, purpose, version, timing in row.steps or ())
    return Campaign(
        row.id, row.unit_id, row.kind, row.consent_purpose, row.state, Spec.from_dict(spec["asked"]), audience,
        row.created_by, row.approved_by, row.started_at, spec.get("to_do"), spec.get("versions", {}), steps,
    )  # fmt: skip


_START = text("""
  UPDATE campaigns SET state = 'running', approved_by = :by, started_at = :now, state_reason = NULL,
    spec = spec || jsonb_build_object('versions', CAST(:versions AS jsonb), 'to_do', CAST(:to_do AS jsonb)) WHERE id = :id""")
_VERSIONS = text("""
  UPDATE campaign_steps SET version = CAST(:versions AS jsonb) ->> purpose WHERE campaign_id = :id""")


def start(work: Work, campaign_id: UUID, versions: Mapping[str, str], to_do: Mapping[str, Any]) -> None:
    """A draft begins to run, approved by the actor, with the versions of its templates and what is to be planned first."""
    values = {"id": campaign_id, "versions": json.dumps(dict(versions))}
    work.execute(_VERSIONS, values)
    work.execute(_START, values | {"by": work.actor.staff_id, "now": work.now, "to_do": json.dumps(dict(to_do))})


_SET_STATE = text("UPDATE campaigns SET state = :state, state_reason = :reason WHERE id = :id")


def set_state(work: Work, campaign_id: UUID, state: str, reason: str | None = None) -> None:
    """running, paused, cancelled or done: senders and planners look at it each time."""
    work.execute(_SET_STATE, {"id": campaign_id, "state": state, "reason": reason})


_FINISH = text("UPDATE campaigns SET state = 'done', spec = spec - 'to_do' WHERE id = :id AND state = 'running'")


def finish(work: Work, campaign_id: UUID) -> None:
    """A running campaign has nothing left to send."""
    work.execute(_FINISH, {"id": campaign_id})


_TO_DO = text("""
  UPDATE campaigns SET spec = CASE WHEN CAST(:to_do AS jsonb) IS NULL THEN spec - 'to_do'
    ELSE jsonb_set(spec, '{to_do}', CAST(:to_do AS jsonb)) END WHERE id = :id""")


def set_to_do(work: Work, campaign_id: UUID, to_do: Mapping[str, Any] | None) -> None:
    """What planning has left to do; None: nothing."""
    work.execute(_TO_DO, {"id": campaign_id, "to_do": None if to_do is None else json.dumps(dict(to_do))})


def hold(work: Work, campaign_id: UUID) -> bool:
    """Whether this transaction may plan the campaign's start: one at a time, without its row being locked for long."""
    lock = text("SELECT pg_try_advisory_xact_lock(hashtextextended(CAST(:id AS text), 3))")
    return bool(work.value(lock, id=campaign_id))


# --- counting -------------------------------------------------------------------------------------------------------

# An occurrence is where its text is; without one it waits, was skipped for a reason, or cancelled. Pings are not counted.
_COUNTS = text("""
  SELECT state, reason, sum(n)::int AS n, sum(delivered)::int AS delivered FROM (
    SELECT CASE state WHEN 'waiting' THEN 'pending' WHEN 'skipped' THEN 'suppressed' ELSE state END AS state, reason, count(*) AS n, 0 AS delivered
    FROM occurrences WHERE campaign_id = :id AND state <> 'planned' GROUP BY 1, 2
    UNION ALL
    SELECT CASE WHEN state IN ('planned', 'submitting') THEN 'pending' WHEN state IN ('sent', 'delivered') THEN 'accepted'
        ELSE state END, reason, count(*), count(*) FILTER (WHERE state = 'delivered')
    FROM outbound WHERE campaign_id = :id AND occurrence_id IS NOT NULL GROUP BY 1, 2) every
  GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2""")
_KEPT = text("SELECT campaign_id, counts, counted_at FROM campaign_counts WHERE campaign_id = ANY(:ids)")
_TO_COUNT = text("""
  SELECT c.id, c.unit_id, c.state, k.counts, k.counted_at FROM campaigns c LEFT JOIN campaign_counts k ON k.campaign_id = c.id
  WHERE c.started_at IS NOT NULL AND (k.campaign_id IS NULL OR k.look_at <= :now) ORDER BY k.look_at NULLS FIRST LIMIT 1""")
_KEEP = text("""
  INSERT INTO campaign_counts (campaign_id, unit_id, counted_at, look_at, counts) VALUES (:id, :unit, :now, :look_at, CAST(:counts AS jsonb))
  ON CONFLICT (campaign_id) DO UPDATE SET unit_id = EXCLUDED.unit_id, counted_at = EXCLUDED.counted_at, look_at = EXCLUDED.look_at, counts = EXCLUDED.counts""")
STATES = ("accepted", "failed", "expired", "suppressed", "cancelled", "unknown", "pending")


@dataclass(frozen=True, slots=True)
class Counts:
    """Where everybody's texts are: `planned` is the sum of all states. `reasons` by (state, reason)."""

    planned: int
    by_state: Mapping[str, int]
    reasons: Mapping[tuple[str, str], int]
    delivered: int = 0  # of those accepted
    counted_at: datetime | None = None  # None: just now


# Refused by the carrier for a reason that may have passed, so that it never took the text; and still of use.
_RESEND = text("""
  UPDATE outbound o SET state = 'planned', reason = NULL, code = NULL, send_after = :now, state_at = :now
  WHERE o.campaign_id = :id AND o.state = 'failed' AND o.reason = ANY(:reasons) AND o.send_before > :now
    AND NOT EXISTS (SELECT FROM attempts a WHERE a.outbound_id = o.id AND a.state NOT IN ('refused', 'not_sent', 'carrier_shows_none'))
  RETURNING o.channel_id""")
_MAY_RESEND = text("""
  SELECT count(*) FROM outbound o WHERE o.campaign_id = :id AND o.state = 'failed' AND o.reason = ANY(:reasons) AND o.send_before > :now
    AND NOT EXISTS (SELECT FROM attempts a WHERE a.outbound_id = o.id AND a.state NOT IN ('refused', 'not_sent', 'carrier_shows_none'))""")
MAY_PASS = ("unreachable", "unrecognised", "filtered")
"""Reasons for which a carrier refuses a text, that may be gone when a person tries it again."""


def resend(work: Work, campaign_id: UUID) -> list[UUID]:
    """Plan again what the carrier refused and may now take; the channel of each. What it may have taken is never sent again."""
    return list(work.execute(_RESEND, {"id": campaign_id, "reasons": list(MAY_PASS), "now": work.now}).scalars())


def to_resend(work: Work, campaign_id: UUID) -> int:
    """How many texts `resend` would plan again."""
    return int(work.value(_MAY_RESEND, id=campaign_id, reasons=list(MAY_PASS), now=work.now))


def counts(work: Work, campaign_id: UUID) -> Counts:
    """How far a campaign has come. Nothing vanishes: what was not sent is counted under its reason."""
    return _counts([tuple(row) for row in work.all(_COUNTS, id=campaign_id)])


def _counts(rows: Sequence[Sequence[Any]], counted_at: datetime | None = None) -> Counts:
    by_state = {state: sum(n for of, _, n, _ in rows if of == state) for state in STATES}
    reasons = {(state, reason): n for state, reason, n, _ in rows if reason}
    return Counts(sum(by_state.values()), by_state, reasons, sum(delivered for *_, delivered in rows), counted_at)


def kept_counts(work: Work, campaign_ids: Sequence[UUID]) -> dict[UUID, Counts]:
    """The same as the clock counted last; those it has not come to are missing."""
    return {row.campaign_id: _counts(row.counts, row.counted_at) for row in work.all(_KEPT, ids=list(campaign_ids))}


def count_again(work: Work, campaign_id: UUID) -> None:
    """Have the clock count it soon."""
    work.execute(text("UPDATE campaign_counts SET look_at = :now WHERE campaign_id = :id"), {"id": campaign_id, "now": work.now})


def count_next(work: Work, look_at: Callable[[str, int, timedelta], datetime]) -> bool:
    """Count the campaign that waits longest and keep it; False when none is due. Runs as the system.

    `look_at` says when to count again, by the campaign's state, how many texts it has, and for how long its counts have not changed.
    """
    due = work.one(_TO_COUNT, now=work.now)
    if due is None:
        return False
    found = [list(row) for row in work.all(_COUNTS, id=due.id)]
    same_for = work.now - due.counted_at if due.counts == found else timedelta()
    again = look_at(due.state, sum(n for _, _, n, _ in found), same_for)
    work.execute(_KEEP, {"id": due.id, "unit": due.unit_id, "now": work.now, "look_at": again, "counts": json.dumps(found)})
    return True
