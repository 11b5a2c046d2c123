"""Which channel carries which texts, how well each works, and the texts that move from one to another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain.dialogues import name_of
from gateway.domain.errors import NotFound, Refused
from gateway.domain.health import MANY, REPORTS_TAKE, SILENCE, WINDOW, Seen, Verdict
from gateway.domain.messages import BULK, REPLY, URGENT
from gateway.domain.routing import ALL, UNREACHED, Asked, Road, Rule, Table
from gateway.store import channels
from gateway.store.base import Work
from gateway.vault import Vault

_OPEN = "(c.state = 'active' OR (c.state = 'paused' AND coalesce(c.paused_until <= :now, false)))"
_ROADS = text(f"""
  SELECT c.id, c.name, c.prefix, c.prices, c.one_way, c.off, c.weight, c.daily, c.daily_on, c.daily_used, c.reserved, c.replies_cost,
    c.longest, c.gsm_only, {_OPEN} AS is_open, u.time_zone
  FROM channels c LEFT JOIN units u ON u.id = c.unit_id WHERE c.state <> 'disabled' AND c.texts ORDER BY c.name""")
_RULES = text("""
  SELECT r.channel_id, r.prefix, r.language, r.purpose,
    (SELECT jsonb_object_agg(t.unit_id, t.distance) FROM unit_tree t WHERE t.ancestor_id = r.unit_id) AS units
  FROM routes r ORDER BY r.number""")


def table(work: Work) -> Table:
    """All channels that texts leave by, and the rules, as they are now: for choosing channels of many texts."""
    roads, rules = work.together((_ROADS, {"now": work.now}), (_RULES, {}))
    return Table([_road(row, work.now) for row in roads], [_rule(row) for row in rules])


def _road(row: Any, now: datetime) -> Road:
    used = channels.used_today(row, now)
    return Road(
        row.id, row.name, row.prefix, row.prices, row.one_way, row.off,
        row.is_open and (row.daily is None or used < row.daily), row.daily is None or used < int(row.daily * (1 - row.reserved)), row.weight, row.daily, row.replies_cost,
        row.longest, row.gsm_only,
    )  # fmt: skip


def _rule(row: Any) -> Rule:
    units = None if row.units is None else {UUID(unit_id): distance for unit_id, distance in row.units.items()}
    return Rule(row.channel_id, units, row.prefix, row.language, row.purpose)


def best(known: Table, asked: Asked) -> Road | None:
    """The channel for one text: one that loses the answer rather than none; for alerts and answers one that may not hold their words rather than none."""
    unanswered = replace(asked, answers=False)
    ways = (asked, unanswered) if asked.bulk else (asked, unanswered, asked.anyhow(), unanswered.anyhow())
    return next((road for each in ways if (road := known.choose(each)) is not None), None)


def why_not(known: Table, asked: Asked) -> str:
    """Why there is no channel for one text."""
    return known.why_not(replace(asked, answers=False))


def for_text(work: Work, asked: Asked) -> UUID:
    """The best channel for one text. Raises Refused when there is none."""
    known = table(work)
    if (road := best(known, asked)) is not None:
        return road.id
    reason = why_not(known, asked)
    raise Refused("no channel reaches this phone: add one with `python -m gateway channel add`" if reason == UNREACHED else reason)


def answering(work: Work, channel_id: UUID, asked: Asked) -> UUID | None:
    """The channel that answers a phone which came through this one: itself, unless it has menus alone, or works badly and another does not.

    Another one is taken that is open, works well and brings answers back. None when none texts this phone.
    """
    known = table(work)
    own = known.roads.get(channel_id)
    if own is None:
        road = known.choose(asked)
        return None if road is None else road.id
    if own.is_open and own.weight >= (ALL if asked.urgent else 1):
        return own.id
    other = known.choose(replace(asked, answers=True))
    return other.id if other is not None and other.is_open and other.weight == ALL else own.id


# --- rules ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """A rule as staff see it; `number` is what they call it by."""

    number: int
    channel_id: UUID
    channel: str
    unit: str | None
    prefix: str | None
    language: str | None
    purpose: str | None


_LISTED = text("""
  SELECT r.number, r.channel_id, c.name AS channel, u.code AS unit, r.prefix, r.language, r.purpose
  FROM routes r JOIN channels c ON c.id = r.channel_id LEFT JOIN units u ON u.id = r.unit_id ORDER BY c.name, r.number""")
_ADD = text("""
  INSERT INTO routes (id, channel_id, unit_id, prefix, language, purpose) VALUES (:id, :channel, :unit, :prefix, :language, :purpose)
  ON CONFLICT DO NOTHING RETURNING number""")
_REMOVE = text("DELETE FROM routes WHERE number = :number RETURNING channel_id")


def list_all(work: Work) -> list[Listed]:
    """Every rule, by channel."""
    return [Listed(**row._asdict()) for row in work.all(_LISTED)]


def add(work: Work, channel_id: UUID, *, unit_id: UUID | None, prefix: str | None, language: str | None, purpose: str | None) -> int:
    """Keep a rule; its number. Raises Refused when there is the same one already."""
    number = work.value(_ADD, id=uuid4(), channel=channel_id, unit=unit_id, prefix=prefix, language=language, purpose=purpose)
    if number is None:
        raise Refused("there is this rule already")
    channels.look_again(work)
    return int(number)


def remove(work: Work, number: int) -> UUID:
    """Drop a rule; the channel it was of. Raises NotFound."""
    found: UUID | None = work.value(_REMOVE, number=number)
    if found is None:
        raise NotFound("there is no rule {number}: `python -m gateway route list` shows them", number=number)
    channels.look_again(work)
    return found


# --- how well channels work -----------------------------------------------------------------------------------------

_COUNT = text("""
  INSERT INTO channel_minutes (channel_id, minute, well, bad, slow) VALUES (:channel, date_trunc('minute', CAST(:now AS timestamptz)), :well, :bad, :slow)
  ON CONFLICT (channel_id, minute) DO UPDATE SET well = channel_minutes.well + :well, bad = channel_minutes.bad + :bad, slow = channel_minutes.slow + :slow""")


def count(work: Work, counts: Mapping[UUID, Sequence[int]]) -> None:
    """Add how attempts ended, as (well, bad, slow) by channel, to this minute's; with the other writes of the transaction."""
    for channel_id, (well, bad, slow) in sorted(counts.items()):  # in one order, so that no two wait for each other
        work.later(_COUNT, channel=channel_id, well=well, bad=bad, slow=slow, now=work.now)


_COUNT_REPORTS = text("""
  INSERT INTO channel_minutes (channel_id, minute, well, bad, slow, reported)
  VALUES (:channel, date_trunc('minute', CAST(:now AS timestamptz)), 0, 0, 0, :reported)
  ON CONFLICT (channel_id, minute) DO UPDATE SET reported = channel_minutes.reported + :reported""")


def count_reports(work: Work, counts: Mapping[UUID, int]) -> None:
    """Add how many texts reports told more of, by channel, to this minute's; with the other writes of the transaction."""
    for channel_id, reported in sorted(counts.items()):
        work.later(_COUNT_REPORTS, channel=channel_id, reported=reported, now=work.now)


# A minute that had begun when the weight moved counts for what was before.
_SEEN = text(f"""
  SELECT c.id, c.prefix, c.weight, c.weight_at, c.trouble_at, {_OPEN} AS is_open, m.well, m.bad, m.slow, r.awaited, r.reported, r.well_before, r.reported_before
  FROM channels c, LATERAL (
    SELECT coalesce(sum(well), 0)::int AS well, coalesce(sum(bad), 0)::int AS bad, coalesce(sum(slow), 0)::int AS slow
    FROM channel_minutes WHERE channel_id = c.id AND minute > :since AND minute > coalesce(c.weight_at, '-infinity')) m, LATERAL (
    SELECT coalesce(sum(well) FILTER (WHERE is_new AND minute <= :due), 0)::int AS awaited, coalesce(sum(reported) FILTER (WHERE is_new), 0)::int AS reported,
      coalesce(sum(well) FILTER (WHERE minute <= :silent_since), 0)::int AS well_before,
      coalesce(sum(reported) FILTER (WHERE minute <= :silent_since), 0)::int AS reported_before
    FROM (SELECT *, minute > :silent_since AS is_new FROM channel_minutes WHERE channel_id = c.id) every) r
  WHERE c.state <> 'disabled' AND c.texts""")


def seen(work: Work) -> list[Seen]:
    """Every channel, how its attempts ended lately, and what became of them as far as reports tell."""
    now = work.now
    rows = work.all(_SEEN, since=now - WINDOW, due=now - REPORTS_TAKE, silent_since=now - SILENCE, now=now)
    return [
        Seen(row.id, row.weight, row.weight_at, row.trouble_at, row.well, row.bad, row.slow, row.is_open,
             frozenset(other.id for other in rows if other.id != row.id and _meet(row.prefix, other.prefix)),
             row.awaited, row.reported, row.reported_before / row.well_before if row.well_before >= MANY else 0.0)
        for row in rows
    ]  # fmt: skip


def _meet(one: str, other: str) -> bool:
    """Whether some phone begins with both."""
    return one.startswith(other) or other.startswith(one)


_WEIGH = text("""
  UPDATE channels SET trouble_at = CASE WHEN :troubled THEN :now ELSE trouble_at END,
    weight_at = CASE WHEN weight <> :weight THEN :now ELSE weight_at END, weight = :weight WHERE id = :id""")
_FORGET = text("DELETE FROM channel_minutes WHERE minute < :before")


def weigh(work: Work, verdict: Verdict) -> None:
    """Write what becomes of a channel."""
    work.execute(_WEIGH, {"id": verdict.id, "weight": verdict.weight, "troubled": verdict.is_troubled, "now": work.now})
    if verdict.weight != verdict.was:
        channels.look_again(work)


def forget_minutes(work: Work) -> None:
    """Drop what is older than a day."""
    work.execute(_FORGET, {"before": work.now - timedelta(days=1)})


# --- texts that move ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leaving:
    """A channel that texts may have to leave, of these lanes. `is_stopped`: nothing more leaves by it today, wherever answers come back."""

    id: UUID
    looked_to: datetime | None
    lanes: Sequence[int]
    is_stopped: bool


_LEAVING = text(f"""
  SELECT c.id, c.looked_to, NOT {_OPEN} OR cardinality(c.off) > 0 AS is_stopped, c.weight, c.daily, c.daily_on, c.daily_used, c.reserved, u.time_zone
  FROM channels c JOIN units u ON u.id = c.unit_id WHERE c.texts AND (c.state <> 'active' OR cardinality(c.off) > 0 OR c.weight < 100 OR c.daily IS NOT NULL)
  ORDER BY c.name""")

_ZONES = text("SELECT DISTINCT u.time_zone FROM channels c LEFT JOIN units u ON u.id = c.unit_id WHERE c.daily IS NOT NULL AND c.state <> 'disabled'")


def leaving(work: Work) -> list[Leaving]:
    """Channels that are closed, keep not all their clients, or have used up their day's allowance for campaigns.

    A day that has begun for some channel may have made room for what was looked at before.
    """
    rows, zones = work.together((_LEAVING, {"now": work.now}), (_ZONES, {}))
    midnight = max((channels.midnight(row.time_zone, work.now) for row in zones), default=None)
    found = []
    for row in rows:
        is_stopped = row.is_stopped or (row.daily is not None and channels.used_today(row, work.now) >= row.daily)
        if is_stopped or row.weight < ALL or _is_full(row, work.now):
            lanes = (URGENT, REPLY, BULK) if is_stopped or row.weight == 0 else (URGENT, BULK) if row.weight < ALL else (BULK,)
            # What was looked at in the future was so before the clock was set back.
            is_old = row.looked_to is None or row.looked_to > work.now or (midnight is not None and row.looked_to + LATE < midnight)
            found.append(Leaving(row.id, None if is_old else row.looked_to, lanes, is_stopped))
    return found


def _is_full(row: Any, now: datetime) -> bool:
    """Whether nothing of its day's allowance is left for campaigns."""
    return row.daily is not None and channels.used_today(row, now) >= int(row.daily * (1 - row.reserved))


PUT_OFF = ("country_off", "bad_sender", "suspended", "bad_credentials", "misconfigured", "daily_limit", "not_reached")
"""Why a text waits, though nothing of it was processed: it may leave by another channel at once."""
_DUE = text("""
  SELECT id FROM outbound WHERE channel_id = :channel AND lane = ANY(:lanes) AND state = 'planned' AND waits_for IS NULL
    AND send_after > :after AND send_after <= :horizon AND (send_after <= :now OR reason = ANY(:put_off))
  ORDER BY lane, send_after LIMIT :most""")
# Of what may have reached a carrier nothing moves, whatever that carrier's list says: such a list may come late.
_HELD = text("""
  SELECT o.id, o.unit_id, o.key_id, k.wrapped, o.to_enc, o.to_hash, o.body_enc, o.language, o.purpose, o.lane, o.expects
  FROM outbound o JOIN keys k ON k.id = o.key_id
  WHERE o.id = ANY(:ids) AND o.channel_id = :channel AND o.state || '' = 'planned'
    AND (o.attempts = 0 OR NOT EXISTS (SELECT FROM attempts a WHERE a.outbound_id = o.id AND a.state <> 'not_sent'))
  FOR NO KEY UPDATE OF o SKIP LOCKED""")
_MOVE = text("""
  UPDATE outbound o SET channel_id = u.channel, send_after = least(o.send_after, :now), reason = NULL
  FROM unnest(CAST(:ids AS uuid[]), CAST(:channels AS uuid[])) u(id, channel) WHERE o.id = u.id""")
_LOOKED = text("UPDATE channels SET looked_to = :to WHERE id = :id")
AHEAD = timedelta(hours=1)
LATE = timedelta(minutes=1)
"""For so long a text may be on its way into the database with a moment that is past already."""


def due(work: Work, channel: Leaving, most: int) -> list[UUID]:
    """Unsent texts of a channel that are due and were not looked at yet, or are put off: the most urgent and earliest first."""
    after = channel.looked_to or work.now - timedelta(days=366)
    rows = work.all(_DUE, channel=channel.id, lanes=list(channel.lanes), after=after, now=work.now, horizon=work.now + AHEAD, put_off=list(PUT_OFF), most=most)
    return [row.id for row in rows]


def held(work: Work, channel_id: UUID, ids: Sequence[UUID]) -> Sequence[Any]:
    """Of these texts those that may move, held until the end of the transaction; what others hold just now is left."""
    return work.all(_HELD, ids=list(ids), channel=channel_id)


def move(work: Work, moves: Mapping[UUID, UUID]) -> None:
    """Let held texts leave by other channels: text -> channel."""
    work.execute(_MOVE, {"ids": list(moves), "channels": list(moves.values()), "now": work.now})


def looked(work: Work, channel_id: UUID) -> None:
    """All that is due on the channel was looked at."""
    work.execute(_LOOKED, {"id": channel_id, "to": work.now - LATE})


def asked_of(row: Any, vault: Vault) -> Asked:
    """A row of `held` as a text that looks for its channel."""
    key = vault.open_key(row.wrapped, row.key_id)
    phone = key.decrypt(row.to_enc, "outbound.to", row.id)
    asks = row.expects != "none" or name_of(row.purpose) is not None
    asked = Asked(phone, bytes(row.to_hash), row.unit_id, row.language, row.purpose, asks, row.lane == BULK, row.lane == URGENT)
    return asked.saying(key.decrypt(row.body_enc, "outbound.body", row.id))


# --- what staff are told --------------------------------------------------------------------------------------------

_FAULTS = text("""
  SELECT id, unit_id, name, state, state_reason, off, told FROM channels
  WHERE told IS NOT NULL OR (state = 'paused' AND state_reason IS NOT NULL) OR cardinality(off) > 0 FOR NO KEY UPDATE SKIP LOCKED""")
_REOPEN = text("""
  UPDATE channels SET state = 'active', paused_until = NULL, state_reason = CASE WHEN cardinality(off) > 0 THEN state_reason END
  WHERE state = 'paused' AND paused_until <= :now""")
_TOLD = text("UPDATE channels SET told = :told WHERE id = :id")


def reopen(work: Work) -> None:
    """Channels that were paused for a while send again, and say so."""
    if work.execute(_REOPEN, {"now": work.now}).rowcount:
        channels.look_again(work)


def faults(work: Work) -> Sequence[Any]:
    """Channels with a fault that staff are to hear of, or heard of."""
    return work.all(_FAULTS)


def tell(work: Work, channel_id: UUID, fault: str | None) -> None:
    """Staff heard of the fault; None: it is over."""
    work.execute(_TOLD, {"id": channel_id, "told": fault})


# --- campaigns ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiting:
    """A channel that sends nothing, and how many of a campaign's texts wait on it. `is_full`: until its day is over, nothing else is wrong."""

    name: str
    reason: str | None
    off: Sequence[str]
    texts: int
    is_full: bool


_STOPPED = text(f"""
  SELECT c.id, c.name, c.state_reason, c.off, NOT {_OPEN} OR cardinality(c.off) > 0 AS is_stopped, c.daily, c.daily_on, c.daily_used, c.reserved, u.time_zone
  FROM channels c LEFT JOIN units u ON u.id = c.unit_id
  WHERE c.texts AND c.state <> 'disabled' AND (NOT {_OPEN} OR cardinality(c.off) > 0 OR c.daily IS NOT NULL)""")
_WAITING = text("""
  SELECT channel_id, count(*) AS n FROM outbound
  WHERE campaign_id = :campaign AND state = 'planned' AND channel_id = ANY(:channels) AND reason IS DISTINCT FROM 'quiet hours' GROUP BY channel_id""")


def stopped_for(work: Work, campaign_id: UUID) -> list[Waiting]:
    """The channels that are stopped, or full for today, on which texts of the campaign wait."""
    stopped = [row for row in work.all(_STOPPED, now=work.now) if row.is_stopped or _is_full(row, work.now)]
    if not stopped:
        return []
    counts = {row.channel_id: row.n for row in work.all(_WAITING, campaign=campaign_id, channels=[row.id for row in stopped])}
    return [Waiting(row.name, row.state_reason, row.off, counts[row.id], not row.is_stopped) for row in stopped if row.id in counts]
