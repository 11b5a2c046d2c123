"""Our connections to carriers: one row each, its secrets encrypted under a key of its own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain.errors import NotFound, Refused
from gateway.store import practice
from gateway.store.base import Work
from gateway.vault import Vault


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel with its settings in the clear: keep it in memory only."""

    id: UUID
    unit_id: UUID
    name: str
    kind: str
    settings: dict[str, Any]
    prefix: str
    rate: float | None
    reserved: float
    state: str
    state_reason: str | None
    backfilled_to: datetime | None
    replies_cost: bool = False
    backfill_rest: Mapping[str, Any] | None = None


_COLUMNS = """c.id, c.unit_id, c.key_id, c.name, c.kind, c.settings_enc, c.prefix, c.rate, c.reserved, c.state,
  c.state_reason, c.backfilled_to, c.replies_cost, c.backfill_rest, k.wrapped FROM channels c JOIN keys k ON k.id = c.key_id"""
_GET = text(f"SELECT {_COLUMNS} WHERE c.id = :id")
_LIST = text(f"SELECT {_COLUMNS} ORDER BY c.name")


def add(
    work: Work, vault: Vault, *, unit_id: UUID, name: str, kind: str, settings: dict[str, Any], prefix: str = "+",
    rate: float | None = None, texts: bool = True,
) -> UUID:  # fmt: skip
    """Keep a channel; its settings are encrypted. `texts`: texts leave through it.

    Raises Refused when the name is taken, or when it would reach people and the clock was moved for practice.
    """
    if kind != "simulator" and practice.is_ahead(work):
        raise Refused("the clock of this gateway was moved for practice: start an empty one with `make reset` before it reaches people")
    if work.value(text("SELECT 1 FROM channels WHERE name = :name"), name=name):
        raise Refused("there is a channel {name!r} already: choose another name, or disable that one first", name=name)
    channel_id, key_id = uuid4(), uuid4()
    key, wrapped = vault.new_key(key_id)
    work.insert("keys", [{"id": key_id, "unit_id": unit_id, "wrapped": wrapped}])
    sealed = key.encrypt(json.dumps(settings), "channels.settings", channel_id)
    row = {"id": channel_id, "unit_id": unit_id, "key_id": key_id, "name": name, "kind": kind,
           "settings_enc": sealed, "prefix": prefix, "rate": rate, "texts": texts}  # fmt: skip
    work.insert("channels", [row])
    return channel_id


def get(work: Work, vault: Vault, channel_id: UUID) -> Channel:
    """The channel. Raises NotFound."""
    row = work.one(_GET, id=channel_id)
    if row is None:
        raise NotFound("no such channel")
    return _open(row, vault)


def list_all(work: Work, vault: Vault) -> list[Channel]:
    """Every channel, by name."""
    return [_open(row, vault) for row in work.all(_LIST)]


def _open(row: Any, vault: Vault) -> Channel:
    key = vault.open_key(row.wrapped, row.key_id)
    settings = json.loads(key.decrypt(row.settings_enc, "channels.settings", row.id))
    return Channel(row.id, row.unit_id, row.name, row.kind, settings, row.prefix, row.rate, row.reserved, row.state,
                   row.state_reason, row.backfilled_to, row.replies_cost, row.backfill_rest)  # fmt: skip


def for_phone(work: Work, e164: str) -> UUID:
    """The active channel whose prefix fits the phone best. Raises Refused when none does."""
    found = reaching(work, e164)
    if found is None:
        raise Refused("no channel reaches this phone: add one with `python -m gateway channel add`")
    return found


_REACHING = text("""
  SELECT id FROM channels WHERE state <> 'disabled' AND texts AND :phone LIKE prefix || '%'
  ORDER BY length(prefix) DESC, name LIMIT 1""")


def reaching(work: Work, e164: str) -> UUID | None:
    """The same; None when no channel reaches the phone."""
    found: UUID | None = work.value(_REACHING, phone=e164)
    return found


_TEXTS = text("SELECT id FROM channels WHERE id = :id AND texts AND state <> 'disabled'")


def texting(work: Work, channel_id: UUID, e164: str) -> UUID | None:
    """The channel that texts a phone which came through this one: itself, unless it has menus alone. None when none does."""
    found: UUID | None = work.value(_TEXTS, id=channel_id)
    return found or reaching(work, e164)


_PREFIXES = text("SELECT id, prefix FROM channels WHERE state <> 'disabled' AND texts ORDER BY length(prefix) DESC, name")


def prefixes(work: Work) -> list[tuple[str, UUID]]:
    """All (prefix, channel), the best match first: for choosing channels of many phones at once."""
    return [(row.prefix, row.id) for row in work.all(_PREFIXES)]


@dataclass(frozen=True, slots=True)
class State:
    """How a channel is, without its secrets."""

    id: UUID
    unit_id: UUID
    name: str
    kind: str
    state: str
    state_reason: str | None
    prefix: str
    rate: float | None
    replies_cost: bool


_STATES = text("SELECT id, unit_id, name, kind, state, state_reason, prefix, rate, replies_cost FROM channels ORDER BY name")


def states(work: Work) -> list[State]:
    """Every channel as everybody may see it, by name."""
    return [State(**row._asdict()) for row in work.all(_STATES)]


_COSTLY = text("SELECT id FROM channels WHERE replies_cost")


def names(work: Work) -> dict[UUID, str]:
    """What every channel is called."""
    return {row.id: row.name for row in work.all(text("SELECT id, name FROM channels"))}


def costly(work: Work) -> frozenset[UUID]:
    """The channels on which a reply costs the client money."""
    return frozenset(row.id for row in work.all(_COSTLY))


def set_replies_cost(work: Work, channel_id: UUID, cost: bool) -> None:
    """Whether a reply through the channel costs the client money: texts that ask for one say so from now on."""
    work.execute(text("UPDATE channels SET replies_cost = :cost WHERE id = :id"), {"cost": cost, "id": channel_id})


_SLOT = text("SELECT rate, reserved, state, paused_until, next_free_at FROM channels WHERE id = :id FOR NO KEY UPDATE SKIP LOCKED")


@dataclass(frozen=True, slots=True)
class Room:
    """How many messages may leave in the next second: `all` of them, of which at most `bulk` from the bulk lane."""

    all: int
    bulk: int


def room(work: Work, channel_id: UUID, wanted: int, kinds: Sequence[str]) -> Room:
    """What the channel's rate lets leave in the next second, at most `wanted`; locks its row when it has a rate.

    GCRA: the row keeps the instant at which the channel is next free. A share of each second stays reserved for the
    urgent and reply lanes. Nothing when the channel is paused, another claim holds it just now, or it is of none of these kinds.
    """
    quick = work.one(text("SELECT kind, rate, state, paused_until FROM channels WHERE id = :id"), id=channel_id)
    if quick is None or quick.kind not in kinds or not _is_open(quick, work.now):
        return Room(0, 0)
    if quick.rate is None:
        return Room(wanted, wanted)
    row = work.one(_SLOT, id=channel_id)
    if row is None:
        return Room(0, 0)
    ahead_s = max((row.next_free_at - work.now).total_seconds(), 0.0)
    # At least one fits while the channel is free now, however slow it is (a SIM at one message in ten seconds).
    free = int((1 - ahead_s) * row.rate + 1e-9) if row.rate >= 1 else int(ahead_s == 0)
    bulk = int((1 - row.reserved) * row.rate - ahead_s * row.rate + 1e-9) if row.rate > 1 else free
    return Room(max(min(free, wanted), 0), max(min(bulk, wanted), 0))


def _is_open(row: Any, now: datetime) -> bool:
    return row.state == "active" or (row.state == "paused" and row.paused_until is not None and row.paused_until <= now)


def spend(work: Work, channel_id: UUID, count: int) -> None:
    """Move the channel's next free instant by `count` messages."""
    work.execute(
        text("""UPDATE channels SET next_free_at = greatest(next_free_at, :now) + make_interval(secs => :count / rate)
                WHERE id = :id AND rate IS NOT NULL"""),
        {"id": channel_id, "count": float(count), "now": work.now},
    )  # fmt: skip


def pause(work: Work, channel_id: UUID, reason: str, seconds: int | None) -> None:
    """Stop claiming for the channel, for some seconds or until a person resumes it."""
    until = None if seconds is None else work.now + timedelta(seconds=seconds)
    work.execute(
        text("UPDATE channels SET state = 'paused', state_reason = :reason, paused_until = :until WHERE id = :id AND state <> 'disabled'"),
        {"id": channel_id, "reason": reason, "until": until},
    )


def set_state(work: Work, channel_id: UUID, state: str, reason: str | None = None) -> None:
    """active or disabled, by a person."""
    work.execute(
        text("UPDATE channels SET state = :state, state_reason = :reason, paused_until = NULL WHERE id = :id"),
        {"id": channel_id, "state": state, "reason": reason},
    )


_DUE = text("""
  SELECT c.id, (SELECT min(o.lane) FROM outbound o WHERE o.channel_id = c.id AND o.lane = ANY(:lanes) AND o.state = 'planned'
    AND o.waits_for IS NULL AND o.send_after <= :now) AS lane
  FROM channels c WHERE c.kind = ANY(:kinds) AND (c.state = 'active' OR (c.state = 'paused' AND c.paused_until <= :now))""")


def due(work: Work, kinds: Sequence[str]) -> list[UUID]:
    """Channels of these kinds with something due, those with urgent or reply rows first."""
    first: list[UUID] = []
    for lane in (0, 1, 2):
        rows = work.all(_DUE, lanes=[lane], now=work.now, kinds=list(kinds))
        first += [row.id for row in rows if row.lane is not None and row.id not in first]
    return first


def count_unreadable(work: Work, channel_id: UUID, bad: int, reset: bool) -> int:
    """Count answers in a row that were no answer; the count so far."""
    return int(work.value(
        text("UPDATE channels SET unreadable = CASE WHEN :reset THEN 0 ELSE unreadable END + :bad WHERE id = :id RETURNING unreadable"),
        id=channel_id, bad=bad, reset=reset) or 0)  # fmt: skip


def mark_backfilled(work: Work, channel_id: UUID, at: datetime) -> None:
    """All that clients sent before then was listed at the carrier."""
    work.execute(text("UPDATE channels SET backfilled_to = :at, backfill_rest = NULL WHERE id = :id"), {"at": at, "id": channel_id})


def mark_backfilling(work: Work, channel_id: UUID, rest: Mapping[str, Any]) -> None:
    """More is to be listed than one look takes: where the next one goes on."""
    work.execute(text("UPDATE channels SET backfill_rest = CAST(:rest AS jsonb) WHERE id = :id"), {"rest": json.dumps(dict(rest)), "id": channel_id})
