"""Turn campaigns into texts: audiences and appointments into occurrences, occurrences that are due into outbound rows.

Called by the clock, again at once while it returns more than 0. Every part is one transaction of at most `limit` rows;
planning twice plans once, two planners at the same time share the work.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Engine

from gateway import log
from gateway.content import Content
from gateway.domain import campaigns as rules
from gateway.domain import dialogues, reminders, schedules, windows
from gateway.domain import messages as lanes
from gateway.domain.dialogues import Dialogue
from gateway.domain.errors import Refused
from gateway.store import campaigns, messages, occurrences, routes, sessions, templates, units
from gateway.store.base import SYSTEM, Work, unit_of_work
from gateway.store.campaigns import Campaign
from gateway.usecases import plan_rounds, read_sessions
from gateway.usecases.compose import Text, Unsendable
from gateway.usecases.write_texts import Skipped, Writer
from gateway.vault import Vault

PING = "message_waiting"
AT_ONCE, BATCHES = 3, 9
EXPAND_TIMES = 10  # rows that are only made, not written, in one transaction: so many times more
GONE = "appointment moved"


def plan_due(
    engine: Engine, vault: Vault, content: Content, ring: Callable[[UUID], None], now: datetime | None = None, limit: int = 2000
) -> int:  # fmt: skip
    """Plan a batch of each kind; how much was done, 0 when nothing is left for now.

    Rings the channels that have something due after the commit. A row that fails becomes `skipped` with its reason and
    holds up nobody.
    """
    with unit_of_work(engine, SYSTEM, now) as work:
        live = campaigns.live(work)
    done = sum(_begin(engine, campaign, now, limit) for campaign in live if campaign.to_do)
    done += _plan_appointments(engine, [c for c in live if c.kind == "reminders" and c.state != "cancelled"], now, limit)
    running = {campaign.id: campaign for campaign in live if campaign.state == "running"}
    done += _plan_texts(engine, vault, content, running, ring, now, limit) if running else 0
    if not done:
        _finish(engine, running.values(), now)
    return done


# --- at a campaign's start and end ----------------------------------------------------------------------------------


def _begin(engine: Engine, campaign: Campaign, now: datetime | None, limit: int) -> int:
    """What a campaign has left to do once: take its audience, catch up with appointments, cancel the rest."""
    to_do = campaign.to_do or {}
    try:
        with unit_of_work(engine, SYSTEM, now) as work:
            if not campaigns.hold(work, campaign.id):
                return 0
            if campaign.state == "cancelled":
                return _cancel(work, campaign, limit)
            if "expand_at" in to_do and datetime.fromisoformat(to_do["expand_at"]) <= work.now:
                return _expand(work, campaign, to_do, EXPAND_TIMES * limit)
            if "from" in to_do:
                return plan_rounds.plan(work, campaign, limit)
            return _catch_up(work, campaign, to_do["after"], limit) if "after" in to_do else 0
    except Exception as error:  # one campaign must not hold up the others
        log.error("campaign_not_begun", error, campaign=campaign.id)
        return 0


def _cancel(work: Work, campaign: Campaign, limit: int) -> int:
    cancelled = occurrences.cancel_all(work, campaign.id, limit)
    if not cancelled:
        campaigns.set_to_do(work, campaign.id, None)
    return cancelled


def _expand(work: Work, campaign: Campaign, to_do: Mapping[str, Any], limit: int) -> int:
    """Everyone in the audience now, when the first of them is due: recipients are counted when sent, not when scheduled."""
    moments = moments_of(campaign, occurrences.zones(work), campaign.started_at or work.now)
    after = UUID(to_do.get("after_client", str(UUID(int=0))))
    last = occurrences.expand(work, campaign, {zone: (m.due_at, m.send_before) for zone, m in moments.items()}, after, limit)
    ends_at = max((moment.send_before for moment in moments.values()), default=work.now)
    left = {"expand_at": to_do["expand_at"], "after_client": str(last)} if last else {"ends_at": ends_at.isoformat()}
    campaigns.set_to_do(work, campaign.id, left)
    return 1


def moments_of(campaign: Campaign, zones: Iterable[tuple[str, str]], start: datetime) -> dict[tuple[str, str], schedules.Moment]:
    """When a one-off text is due in each of `occurrences.zones`; nobody is dropped for a zone that does not exist."""
    schedule = rules.one_off(campaign.steps[0].timing)
    return {pair: schedules.due(schedule, windows.zone_or(*pair)[0], start) for pair in zones}


def _catch_up(work: Work, campaign: Campaign, after: Sequence[str], limit: int) -> int:
    """Plan appointments that were booked before the campaign started, in the order they begin."""
    rows = occurrences.booked_after(work, datetime.fromisoformat(after[0]), UUID(after[1]), limit)
    occurrences.add(work, _steps(work, [campaign], rows, campaign.started_at or work.now))
    last = [rows[-1].starts_at.isoformat(), str(rows[-1].id)] if rows else None
    campaigns.set_to_do(work, campaign.id, {"after": last} if last else None)
    return len(rows)


def _finish(engine: Engine, running: Iterable[Campaign], now: datetime | None) -> None:
    """Call one-off campaigns done when their texts are no longer worth sending; all have left or say why not by then."""
    ending = {campaign.id: campaign.to_do["ends_at"] for campaign in running if campaign.to_do and "ends_at" in campaign.to_do}
    if not ending:
        return
    with unit_of_work(engine, SYSTEM, now) as work:
        for campaign_id, ends_at in ending.items():
            if datetime.fromisoformat(ends_at) <= work.now:
                campaigns.finish(work, campaign_id)


# --- appointments -> occurrences ------------------------------------------------------------------------------------


def _plan_appointments(engine: Engine, live: Sequence[Campaign], now: datetime | None, limit: int) -> int:
    """Plan what was booked or moved since; what waited for the old time is cancelled unless the new plan has it too."""
    try:
        with unit_of_work(engine, SYSTEM, now) as work:
            rows = occurrences.changed_appointments(work, limit)
            if not rows:
                return 0
            moved = [row for row in rows if row.planned_revision >= 0]
            if moved:
                occurrences.cancel_texts(work, [row.id for row in moved], GONE)
            news = _steps(work, live, rows, work.now)
            occurrences.add(work, news)
            _replace(work, live, moved, news)
            occurrences.mark_planned(work, [row.id for row in rows])
            return len(rows)
    except Exception as error:  # what is due already must still go out
        log.error("appointments_not_planned", error)
        return 0


def _replace(work: Work, live: Sequence[Campaign], moved: Sequence[Any], news: list[occurrences.New]) -> None:
    if not moved:
        return
    ids = [row.id for row in moved]
    occurrences.cancel_others(work, ids, news, GONE)
    # Two appointments at the same moment share an occurrence: what one gave up, the other still needs.
    others = occurrences.others_booked(work, [row.client_id for row in moved], ids)
    occurrences.add(work, _steps(work, live, others, work.now))


def _steps(work: Work, live: Sequence[Campaign], rows: Sequence[Any], since: datetime) -> list[occurrences.New]:
    """Every step of every campaign for these appointments, those in the past as skipped.

    "Past" is past when it was booked (or, at a campaign's start, then): a step that falls due while no planner runs is not lost.
    """
    coming = [row for row in rows if row.status == "booked" and row.starts_at > work.now]
    news = []
    for campaign in live if coming else ():
        covered = occurrences.covered(work, campaign.audience, [row.client_id for row in coming])
        steps = {str(step.id): rules.reminder_step(str(step.id), step.timing) for step in campaign.steps}
        for row in coming:
            try:
                news += _steps_of(campaign, steps, row, min(since, row.updated_at)) if row.client_id in covered else []
            except Exception as error:  # one bad row must not hold up the batch
                log.error("appointment_not_planned", error, appointment=row.id)
    return news


def _steps_of(campaign: Campaign, steps: dict[str, reminders.Step], row: Any, since: datetime) -> list[occurrences.New]:
    zone, _ = windows.zone_or(row.zone, row.unit_zone)
    return [
        occurrences.New(
            row.unit_id, campaign.id, UUID(planned.step_id), row.client_id, row.id,
            _apart(planned.due_at, steps[planned.step_id], row.starts_at), planned.send_before, planned.skipped,
        )
        for planned in reminders.plan(list(steps.values()), row.starts_at, zone, since)
    ]  # fmt: skip


def _apart(due_at: datetime, step: reminders.Step, starts_at: datetime) -> datetime:
    """At a fixed time of day, two appointments of one day would be the same occurrence: keep them microseconds apart."""
    return due_at if step.at is None else due_at + timedelta(microseconds=starts_at.hour * 60 + starts_at.minute)


# --- occurrences -> texts -------------------------------------------------------------------------------------------


class _Scene:
    """What stays the same for all batches of one call: channels, units, and what was written for many."""

    def __init__(self, work: Work, vault: Vault, content: Content, running: Mapping[UUID, Campaign]) -> None:
        known, roads = units.list_seen(work), routes.table(work)
        self.writers = {
            campaign.id: Writer(content, vault, campaign, templates.pinned(work, campaign.versions), known, roads)
            for campaign in running.values()
        }
        self.dialogues = {
            (campaign.id, step.purpose): read_sessions.dialogue_at(work, content, name, step.version)
            for campaign in running.values() for step in campaign.steps if (name := dialogues.name_of(step.purpose)) is not None
        }  # fmt: skip


@dataclass(slots=True)
class _Batch:
    """Texts and outcomes as they are gathered for one transaction."""

    now: datetime
    scene: _Scene
    news: list[messages.New] = field(default_factory=list)
    pings: dict[UUID, messages.New] = field(default_factory=dict)  # by client
    settled: list[tuple[UUID, str, str | None]] = field(default_factory=list)
    channels: set[UUID] = field(default_factory=set)
    live: defaultdict[UUID, list[Any]] = field(default_factory=lambda: defaultdict(list))  # sessions, by client
    begun: dict[UUID, sessions.New] = field(default_factory=dict)  # by client
    giving_way: dict[UUID, str] = field(default_factory=dict)
    behind: dict[UUID, str] = field(default_factory=dict)  # sessions that begin suspended


class _NotNow(Exception):
    """This occurrence waits for the next batch."""


def _plan_texts(
    engine: Engine, vault: Vault, content: Content, running: Mapping[UUID, Campaign], ring: Callable[[UUID], None],
    now: datetime | None, limit: int,
) -> int:  # fmt: skip
    """One batch; behind a full one there are more, which three at a time do: some write while PostgreSQL keeps the others'."""
    scenes: list[_Scene] = []
    each = -(-limit // len(running))

    def plan_batch(_: int = 0) -> int:
        with unit_of_work(engine, SYSTEM, now) as work:
            due = occurrences.lock_due(work, running, each)
            if not due:
                return 0
            scenes.extend([] if scenes else [_Scene(work, vault, content, running)])
            return _plan_batch(work, vault, due, running, _Batch(work.now, scenes[0]), ring)

    done = plan_batch()
    if done < each:
        return done
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return done + sum(pool.map(plan_batch, range(BATCHES)))


def _plan_batch(
    work: Work, vault: Vault, due: dict[UUID, list[str]], running: Mapping[UUID, Campaign], batch: _Batch, ring: Callable[[UUID], None]
) -> int:  # fmt: skip
    for campaign_id, ids in due.items():
        _write(work, running[campaign_id], ids, batch)
    sessions.give_way(work, batch.giving_way)
    messages.add(work, vault, [*batch.pings.values(), *batch.news])
    sessions.add(work, [*batch.begun.values()])
    sessions.give_way(work, batch.behind)
    if batch.pings:
        occurrences.gather_behind(work, {client_id: ping.id for client_id, ping in batch.pings.items()})
    occurrences.settle(work, batch.settled)
    for channel_id in batch.channels:
        work.after_commit(partial(ring, channel_id))
    return len(batch.settled)


def _write(work: Work, campaign: Campaign, ids: list[str], batch: _Batch) -> None:
    writer = batch.scene.writers[campaign.id]
    rows = occurrences.facts(work, ids, campaign)
    if any(dialogues.name_of(step.purpose) for step in campaign.steps):
        for live in sessions.live(work, [row.client_id for row in rows]):
            batch.live[live.client_id].append(live)
    for row in rows:
        if row.moved:
            continue  # its new steps are planned in a moment
        try:
            note = _write_one(writer, campaign, row, batch)
            batch.settled.append((row.id, "planned", note))
        except _NotNow:
            continue
        except (Skipped, Unsendable, Refused) as reason:
            batch.settled.append((row.id, "skipped", str(reason)))
        except Exception as error:  # one bad row must not hold up the batch
            log.error("occurrence_failed", error, occurrence=row.id)
            batch.settled.append((row.id, "skipped", f"could not be written ({type(error).__name__})"))


def _write_one(writer: Writer, campaign: Campaign, row: Any, batch: _Batch) -> str | None:
    """Add the text, and before it the ping at discreet level 2; what moved it or chose its language. Raises the reason if none."""
    if row.appointment_id is not None and row.appointment_status != "booked":
        raise Skipped(f"appointment {row.appointment_status}")
    letter = writer.letter(row, row.step, row.send_before, batch.now)
    told, key, phone = letter.told, letter.key, letter.phone
    notes = "; ".join(filter(None, (row.reason, told.note))) or None
    new = messages.New(
        unit_id=letter.place.unit.id, key_id=row.key_id, key=key, channel_id=letter.road.id, to=phone, body=told.body,
        encoding=told.encoding, segments=told.segments, purpose=told.purpose, language=told.language, lane=lanes.BULK,
        semantics=told.semantics, dedupe_key=f"occurrence:{row.id}", send_after=letter.send_after, send_before=row.send_before,
        client_id=row.client_id, consent_purpose=campaign.consent_purpose, expects=told.expects, campaign_id=campaign.id,
        occurrence_id=row.id, to_hash=row.phone_hash, about_id=row.appointment_id,
        reason=_reason(notes, letter.send_after > batch.now),
    )  # fmt: skip
    ping = writer.text(row, letter.place, PING, key, phone) if row.discreet == 2 else None
    if dialogues.name_of(told.purpose) is not None:
        new = _open_session(new, row, batch.scene.dialogues[campaign.id, told.purpose], batch)
    if ping is not None:
        new = replace(new, waits_for=_ping(new, ping, batch))
    batch.news.append(new)
    if letter.send_after <= batch.now:
        batch.channels.add(letter.road.id)
    return notes


def _open_session(new: messages.New, row: Any, dialogue: Dialogue, batch: _Batch) -> messages.New:
    """The text as the first of a session, which begins with it. Raises Refused when another dialogue goes first.

    While a more urgent question is open the session begins suspended, and its text is cancelled: it is asked when its turn has come.
    """
    live = batch.live[row.client_id]
    if row.client_id in batch.begun or not all(each.held for each in live):
        raise _NotNow
    state = dialogues.begin(dialogue, uuid5(row.id, "session"), row.client_id, new.language, batch.now).state
    if dialogues.waits_behind(dialogue, live):
        live = [each for each in live if each.status == "suspended"]
        state = dialogues.suspend(state, timedelta(0))
        batch.behind[state.session_id] = "suspended"
    batch.giving_way |= dialogues.make_room(dialogue, live)
    batch.begun[row.client_id] = sessions.New(state, new.unit_id, new.key_id, new.key, dialogue, new.id)
    return replace(new, about_id=state.session_id)


def _reason(notes: str | None, is_held: bool) -> str | None:
    return "; ".join(filter(None, ("quiet hours", notes))) if is_held else notes


def _ping(new: messages.New, told: Text, batch: _Batch) -> UUID:
    """The "you have a message" that this client's texts wait behind: one for all of them, for as long as the longest."""
    assert new.client_id is not None
    known = batch.pings.get(new.client_id)
    if known is None or known.send_before < new.send_before:
        batch.pings[new.client_id] = replace(
            new, body=told.body, encoding=told.encoding, segments=told.segments, purpose=told.purpose, language=told.language,
            semantics=told.semantics, expects=told.expects, occurrence_id=None,
            dedupe_key=known.dedupe_key if known else f"{new.dedupe_key}:ping",
        )  # fmt: skip
    return batch.pings[new.client_id].id
