"""Our connections to carriers: one row each, its secrets encrypted under a key of its own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain import windows
from gateway.domain.errors import NotFound, Refused
from gateway.store import practice
from gateway.store.base import Work
from gateway.vault import Vault

LONGEST = 255
"""Segments that the longest text can have."""


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
    off: Sequence[str] = ()
    weight: int = 100


_COLUMNS = """c.id, c.unit_id, c.key_id, c.name, c.kind, c.settings_enc, c.prefix, c.rate, c.reserved, c.state,
  c.state_reason, c.backfilled_to, c.replies_cost, c.backfill_rest, c.off, c.weight, k.wrapped FROM channels c JOIN keys k ON k.id = c.key_id"""
_GET = text(f"SELECT {_COLUMNS} WHERE c.id = :id")
_LIST = text(f"SELECT {_COLUMNS} ORDER BY c.name")


def add(
    work: Work, vault: Vault, *, unit_id: UUID, name: str, kind: str, settings: dict[str, Any], prefix: str = "+",
    rate: float | None = None, texts: bool = True, one_way: Sequence[str] = (), limits: tuple[int, bool] = (1600, False),
) -> UUID:  # fmt: skip
    """Keep a channel; its settings are encrypted. `texts`: texts leave through it. `limits`: see set_limits.

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
           "settings_enc": sealed, "prefix": prefix, "rate": rate, "texts": texts,
           "one_way": list(one_way), "longest": limits[0], "gsm_only": limits[1]}  # fmt: skip
    work.insert("channels", [row])
    look_again(work)
    return channel_id


_KEY = text("SELECT k.id, k.wrapped FROM channels c JOIN keys k ON k.id = c.key_id WHERE c.id = :id")


def set_settings(work: Work, vault: Vault, channel_id: UUID, settings: Mapping[str, Any], texts: bool) -> None:
    """Put other settings in the place of a channel's, under its own key."""
    row = work.one(_KEY, id=channel_id)
    assert row is not None
    sealed = vault.open_key(row.wrapped, row.id).encrypt(json.dumps(dict(settings)), "channels.settings", channel_id)
    work.execute(text("UPDATE channels SET settings_enc = :sealed, texts = :texts WHERE id = :id"), {"sealed": sealed, "texts": texts, "id": channel_id})


_LIMITS = text("UPDATE channels SET longest = :longest, gsm_only = :gsm_only WHERE id = :id AND (longest, gsm_only) <> (:longest, :gsm_only)")


def set_limits(work: Work, channel_id: UUID, longest: int, gsm_only: bool) -> None:
    """How many characters its carrier takes, and whether of the GSM alphabet alone."""
    if work.execute(_LIMITS, {"id": channel_id, "longest": longest, "gsm_only": gsm_only}).rowcount:
        look_again(work)


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
                   row.state_reason, row.backfilled_to, row.replies_cost, row.backfill_rest, row.off, row.weight)  # fmt: skip


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
    prices: Mapping[str, float]
    one_way: Sequence[str]
    daily: int | None
    used: int  # of its day's allowance
    off: Sequence[str]
    weight: int
    trouble_at: datetime | None
    well: int  # of the last hour's attempts
    bad: int
    slow: int
    reported: int  # texts of which reports told more in the last hour


_STATES = text("""
  SELECT c.id, c.unit_id, c.name, c.kind, c.state, c.state_reason, c.prefix, c.rate, c.replies_cost, c.prices, c.one_way, c.daily, c.off, c.weight,
    c.trouble_at, c.daily_on, c.daily_used, u.time_zone FROM channels c LEFT JOIN units u ON u.id = c.unit_id ORDER BY c.name""")
_MINUTES = text("""
  SELECT channel_id, sum(well)::int AS well, sum(bad)::int AS bad, sum(slow)::int AS slow, sum(reported)::int AS reported FROM channel_minutes
  WHERE minute > :since GROUP BY channel_id""")


def states(work: Work, measured: bool = False) -> list[State]:
    """Every channel as everybody may see it, by name. `measured`: with how attempts ended lately, which the system alone sees."""
    minutes = {row.channel_id: row for row in work.all(_MINUTES, since=work.now - timedelta(hours=1))} if measured else {}
    return [_state(row, minutes.get(row.id), work.now) for row in work.all(_STATES)]


def _state(row: Any, lately: Any, now: datetime) -> State:
    counts = (lately.well, lately.bad, lately.slow, lately.reported) if lately else (0, 0, 0, 0)
    return State(
        row.id, row.unit_id, row.name, row.kind, row.state, row.state_reason, row.prefix, row.rate, row.replies_cost, row.prices, row.one_way,
        row.daily, used_today(row, now), row.off, row.weight, row.trouble_at, *counts,
    )  # fmt: skip


def used_today(row: Any, now: datetime) -> int:
    """Of a row of a channel with its unit's `time_zone`: the segments of its day's allowance that left since midnight there."""
    return int(row.daily_used) if row.daily is not None and row.daily_on == today(row.time_zone, now) else 0


def today(zone: str | None, now: datetime) -> date:
    """The day that a clock in the zone shows; in UTC where there is no such zone."""
    return now.astimezone(windows.zone_or(zone, "UTC")[0]).date()


def midnight(zone: str | None, now: datetime) -> datetime:
    """When the day began that a clock in the zone shows."""
    there = windows.zone_or(zone, "UTC")[0]
    return datetime.combine(now.astimezone(there), time(), there)


def look_again(work: Work) -> None:
    """What may leave by which channel has changed: all that waits where it cannot leave is looked at anew, should it move?"""
    work.execute(text("UPDATE channels SET looked_to = NULL WHERE looked_to IS NOT NULL"))


def unit_of(work: Work, channel_id: UUID) -> UUID:
    """Whose channel it is."""
    found: UUID = work.value(text("SELECT unit_id FROM channels WHERE id = :id"), id=channel_id)
    return found


_SET = text("""
  UPDATE channels SET prefix = :prefix, rate = :rate, prices = CAST(:prices AS jsonb), one_way = :one_way, daily = :daily, reserved = :reserved
  WHERE id = :id""")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a channel reaches, at what price, how fast and how much. `reserved`: the share of rate and day kept for urgent texts and answers."""

    prefix: str = "+"
    rate: float | None = None
    prices: Mapping[str, float] = field(default_factory=dict)
    one_way: Sequence[str] = ()
    daily: int | None = None
    reserved: float = 0.2


_TERMS = text("SELECT prefix, rate, prices, one_way, daily, reserved FROM channels WHERE id = :id")


def terms(work: Work, channel_id: UUID) -> Terms:
    """The terms of a channel that there is."""
    return Terms(**work.one(_TERMS, id=channel_id)._asdict())


def set_terms(work: Work, channel_id: UUID, new: Terms) -> None:
    """Write what a channel reaches, at what price, how fast and how much."""
    work.execute(_SET, {
        "id": channel_id, "prefix": new.prefix, "rate": new.rate, "prices": json.dumps(dict(new.prices)), "one_way": list(new.one_way),
        "daily": new.daily, "reserved": new.reserved,
    })  # fmt: skip
    look_again(work)


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


_QUICK = text("""
  SELECT c.kind, c.rate, c.state, c.state_reason, c.paused_until, c.off, c.daily, CASE WHEN c.daily IS NOT NULL THEN (SELECT time_zone FROM units WHERE id = c.unit_id) END AS time_zone
  FROM channels c WHERE c.id = :id""")
_SLOT = text("""
  SELECT rate, reserved, state, paused_until, next_free_at, daily, daily_on, daily_used FROM channels WHERE id = :id FOR NO KEY UPDATE SKIP LOCKED""")


@dataclass(frozen=True, slots=True)
class Room:
    """How many messages may leave in the next second: `all` of them, of which at most `bulk` from the bulk lane.

    `parts` and `bulk_parts` (segments) are what the rate leaves of that second, `left` and `bulk_left` what the day's allowance does; None: of
    any number. `is_idle`: nothing that left before still uses up the rate. `off`: countries that nothing leaves to.
    """

    all: int
    bulk: int
    parts: int | None = None
    bulk_parts: int | None = None
    left: int | None = None
    bulk_left: int | None = None
    is_idle: bool = True
    off: tuple[str, ...] = ()
    today: date | None = None  # with an allowance: the day that is being used up

    def takes(self, segments: int, used: int, is_bulk: bool) -> bool:
        """Whether a message of so many segments may leave after others that used so many.

        Bulk may reach into what is reserved of a second with its last message. One that is longer than all of a second leaves when the
        channel is idle, and the day's allowance may be passed by one.
        """
        left, parts = (self.bulk_left, self.bulk_parts) if is_bulk else (self.left, self.parts)
        if left is not None and used >= left:
            return False
        if parts is None or self.parts is None or (self.is_idle and used == 0):
            return True
        return used < parts and used + segments <= self.parts


def room(work: Work, channel_id: UUID, wanted: int, kinds: Sequence[str]) -> Room:
    """What the channel's rate and day let leave in the next second, at most `wanted`; locks its row when it has either.

    GCRA: the row keeps the instant at which the channel is next free. A share of each second stays reserved for the
    urgent and reply lanes. Nothing when the channel is paused, another claim holds it just now, or it is of none of these kinds.
    At the carrier's own daily limit campaigns alone wait: what it refuses is not processed, and it may have room again at any moment.
    """
    quick = work.one(_QUICK, id=channel_id)
    is_open = quick is not None and _is_open(quick, work.now)
    if quick is None or quick.kind not in kinds or not (is_open or _is_at_limit(quick)):
        return Room(0, 0)
    off, for_bulk = tuple(quick.off), wanted if is_open else 0
    if quick.rate is None and quick.daily is None:
        return Room(wanted, for_bulk, off=off)
    row = work.one(_SLOT, id=channel_id)
    if row is None:
        return Room(0, 0)
    most, bulk, parts, bulk_parts, left, bulk_left, day = wanted, for_bulk, None, None, None, None, None
    if row.rate is not None:
        parts, bulk_parts = _at_rate(row, work.now)
        most, bulk = min(most, parts), min(bulk, bulk_parts)
    if row.daily is not None:
        day = today(quick.time_zone, work.now)
        used = row.daily_used if row.daily_on == day else 0
        left, bulk_left = max(row.daily - used, 0), max(int(row.daily * (1 - row.reserved)) - used, 0)
        most, bulk = min(most, left), min(bulk, bulk_left)
    return Room(most, bulk, parts, bulk_parts, left, bulk_left, _ahead_s(row, work.now) == 0, off, day)


def _ahead_s(row: Any, now: datetime) -> float:
    """For how long what left before still uses up the rate. Longer than one claim can lies only a moment from before the clock was set back."""
    ahead_s = float((row.next_free_at - now).total_seconds())
    return ahead_s if row.rate is not None and 0 < ahead_s <= 1 + LONGEST / row.rate else 0.0


def _at_rate(row: Any, now: datetime) -> tuple[int, int]:
    """Segments of all lanes, and of the bulk lane."""
    ahead_s = _ahead_s(row, now)
    # At least one fits while the channel is free now, however slow it is (a SIM at one message in ten seconds).
    free = int((1 - ahead_s) * row.rate + 1e-9) if row.rate >= 1 else int(ahead_s == 0)
    bulk = int((1 - row.reserved) * row.rate - ahead_s * row.rate + 1e-9) if row.rate > 1 else free
    if ahead_s == 0:
        bulk = max(bulk, 1)  # what is not reserved of a second may be less than one
    return max(free, 0), max(bulk, 0)


def _is_open(row: Any, now: datetime) -> bool:
    return row.state == "active" or (row.state == "paused" and row.paused_until is not None and row.paused_until <= now)


def _is_at_limit(row: Any) -> bool:
    return bool(row.state == "paused" and row.state_reason == "daily_limit")


_SPEND = text("""
  UPDATE channels SET next_free_at = CASE WHEN rate IS NULL THEN next_free_at
      ELSE CASE WHEN :is_idle THEN :now ELSE next_free_at END + make_interval(secs => CAST(:segments AS float8) / rate) END,
    daily_used = CASE WHEN daily_on = CAST(:today AS date) THEN daily_used ELSE 0 END + :segments, daily_on = :today
  WHERE id = :id""")


def spend(work: Work, channel_id: UUID, room: Room, segments: int) -> None:
    """Move the channel's next free instant by so many segments, and count them against its day."""
    work.execute(_SPEND, {"id": channel_id, "segments": segments, "today": room.today, "is_idle": room.is_idle, "now": work.now})


# Channels in one order, so that no two wait for each other.
_TAKEN = text("""
  SELECT a.channel_id, a.started_at, u.time_zone, sum(o.segments)::int AS segments
  FROM attempts a JOIN outbound o ON o.id = a.outbound_id JOIN channels c ON c.id = a.channel_id LEFT JOIN units u ON u.id = c.unit_id
  WHERE a.id = ANY(:tokens) AND a.state IN ('submitting', 'unknown') AND c.daily IS NOT NULL
  GROUP BY a.channel_id, a.started_at, u.time_zone ORDER BY a.channel_id, a.started_at""")
_GIVE_BACK = text("UPDATE channels SET daily_used = greatest(daily_used - :segments, 0) WHERE id = :id AND daily_on = :day")


def give_back(work: Work, tokens: Sequence[UUID]) -> None:
    """Attempts that surely did not leave cost nothing of their day; one of a day that is over, or that is closed already, changes nothing.

    Their messages' rows are locked, and they are closed afterwards in the same transaction: so each is given back once.
    """
    for row in work.all(_TAKEN, tokens=list(tokens)):
        day = today(row.time_zone, row.started_at)
        work.execute(_GIVE_BACK, {"id": row.channel_id, "segments": row.segments, "day": day})


_PAUSE = text("""
  UPDATE channels SET state = 'paused', state_reason = :reason, paused_until = CAST(:until AS timestamptz), looked_to = NULL
  WHERE id = :id AND state <> 'disabled' AND (state <> 'paused' OR (paused_until IS NOT NULL
    AND (state_reason IS DISTINCT FROM :reason OR paused_until <= :now OR CAST(:until AS timestamptz) IS NULL)))""")


def pause(work: Work, channel_id: UUID, reason: str, seconds: int | None) -> None:
    """Stop claiming for the channel, for some seconds or until a person resumes it.

    What waits for a person goes on waiting for them, and the same fault, met again by what was on its way, makes no pause longer.
    """
    until = None if seconds is None else work.now + timedelta(seconds=seconds)
    work.execute(_PAUSE, {"id": channel_id, "reason": reason, "until": until, "now": work.now})


LINE_SHUT = "line_shut"
"""Why a channel is paused whose line is not open; who holds it says when that is over."""
_OVER = text("""
  UPDATE channels SET state = 'active', paused_until = NULL, state_reason = CASE WHEN cardinality(off) > 0 THEN 'country_off' END
  WHERE id = :id AND state = 'paused' AND state_reason = :reason""")


def over(work: Work, channel_id: UUID, reason: str) -> None:
    """A fault that paused the channel is over: it sends again, unless something else has stopped it."""
    if work.execute(_OVER, {"id": channel_id, "reason": reason}).rowcount:
        look_again(work)


def set_state(work: Work, channel_id: UUID, state: str, reason: str | None = None) -> None:
    """active or disabled, by a person. All that held it back is forgotten: it gets all its clients again, and every country."""
    work.execute(
        text("""UPDATE channels SET state = :state, state_reason = :reason, paused_until = NULL, off = '{}', weight = 100,
                weight_at = :now WHERE id = :id"""),
        {"id": channel_id, "state": state, "reason": reason, "now": work.now},
    )
    look_again(work)


_SILENT = text("UPDATE heartbeats SET told_at = :now WHERE name = 'lines' AND beat_at < :before AND (told_at IS NULL OR told_at < beat_at)")
_UNHELD = text("""
  SELECT id FROM channels WHERE kind = ANY(:kinds) AND state = 'active'
    AND EXISTS (SELECT FROM heartbeats WHERE name = 'lines' AND beat_at < :before AND told_at <= :seen_before)""")


def pause_unheld(work: Work, kinds: Sequence[str], silent: timedelta, sure: timedelta) -> None:
    """Pause the channels of these kinds when the processes that hold their lines have been silent so long, and were so `sure` ago."""
    work.execute(_SILENT, {"before": work.now - silent, "now": work.now})
    for row in work.all(_UNHELD, kinds=list(kinds), before=work.now - silent, seen_before=work.now - sure):
        pause(work, row.id, LINE_SHUT, None)


_TURN_OFF = text("""
  UPDATE channels SET off = array_append(off, :prefix), state_reason = :reason, looked_to = NULL WHERE id = :id AND NOT off @> ARRAY[:prefix]""")


def turn_off(work: Work, channel_id: UUID, prefix: str, reason: str) -> None:
    """Nothing leaves through the channel to phones of a country, until a person uses it again."""
    work.execute(_TURN_OFF, {"id": channel_id, "prefix": prefix, "reason": reason})


_DUE = text("""
  SELECT c.id, (SELECT min(o.lane) FROM outbound o WHERE o.channel_id = c.id AND o.lane = ANY(:lanes) AND o.state = 'planned'
    AND o.waits_for IS NULL AND o.send_after <= :now) AS lane
  FROM channels c WHERE c.kind = ANY(:kinds) AND (c.state = 'active' OR (c.state = 'paused' AND (c.paused_until <= :now OR (:pressing AND c.state_reason = 'daily_limit'))))""")


def due(work: Work, kinds: Sequence[str]) -> list[UUID]:
    """Channels of these kinds with something due that `room` lets leave, those with urgent or reply rows first."""
    first: list[UUID] = []
    for lane in (0, 1, 2):
        rows = work.all(_DUE, lanes=[lane], now=work.now, kinds=list(kinds), pressing=lane != 2)
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
