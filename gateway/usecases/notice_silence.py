"""Nobody answered: put the question once more, then call a person. Everything is in PostgreSQL, so a killed clock loses nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from gateway import log
from gateway.content import Content
from gateway.domain import dialogues, touch
from gateway.domain import messages as lanes
from gateway.domain.dialogues import Dialogue, State
from gateway.domain.effects import RaiseFlag
from gateway.domain.routing import Asked, Table
from gateway.store import clients, flags, messages, routes, sessions
from gateway.store.base import SYSTEM, Work, unit_of_work
from gateway.store.clients import Person
from gateway.usecases import read_sessions, send_text, tell_client
from gateway.vault import Vault

BATCH = 200
STILL_TO_LEAVE, PAUSED, CAMPAIGN_PAUSED = timedelta(hours=1), timedelta(days=1), timedelta(hours=1)
REMINDER_LIVES = timedelta(hours=12)
NEVER_LEFT = frozenset({"cancelled", "suppressed", "expired"})


@dataclass(slots=True)
class _Batch:
    """What one transaction gathers: channels with texts to send, and those who fell silent."""

    work: Work
    vault: Vault
    content: Content
    sealed: dict[UUID, Any]  # clients
    roads: Table
    behind: dict[UUID, Any]  # suspended session -> what it waits for
    channels: set[UUID] = field(default_factory=set)
    silent: dict[UUID, UUID] = field(default_factory=dict)  # client -> session of a check-in

    def person(self, client_id: UUID) -> Person:
        """The client, opened. Raises for one who cannot be read."""
        return clients.as_person(self.sealed[client_id], self.vault)

    def flag(self, client_id: UUID, reason: str, about_id: UUID, key: str) -> None:
        """Have somebody look at the client; they need not be opened for that."""
        row = self.sealed[client_id]
        flags.put(self.work, unit_id=row.unit_id, reason=reason, client_id=client_id, about_id=about_id, dedupe_key=f"{reason}:{about_id}{key}",
                  clock=clients.clock_of(row))  # fmt: skip


def notice(engine: Engine, vault: Vault, content: Content, ring: Callable[[UUID], None], now: datetime | None = None, limit: int = BATCH) -> int:
    """Step the sessions whose silence is due; how many. Rings the channels that have a reminder to send."""
    with unit_of_work(engine, SYSTEM, now) as work:
        rows = sessions.due(work, limit)
        if not rows:
            return 0
        sealed = clients.sealed(work, {row.client_id for row in rows})
        suspended = sessions.behind(work, [row.id for row in rows if row.status == "suspended"])
        batch = _Batch(work, vault, content, sealed, routes.table(work), suspended)
        for row in rows:
            try:
                with work.attempt():
                    _look(batch, row)
            except (OperationalError, InterfaceError):  # the database is away or busy: all of it again at the next tick
                raise
            except Exception as error:  # one bad row must not hold up the batch, nor be forgotten
                log.error("silence_not_noticed", error, session=row.id)
                batch.silent.pop(row.client_id, None)
                _leave_to_person(batch, row)
        for channel_id in batch.channels:
            work.after_commit(partial(ring, channel_id))
        _look_for_the_lost(batch)
    return len(rows)


def _leave_to_person(batch: _Batch, row: Any) -> None:
    """What became of the session cannot be read any more: somebody calls."""
    batch.flag(row.client_id, "no_reply", row.id, ":not_read")
    if row.status == "suspended":  # another one is open, or next
        sessions.close(batch.work, row.id, row.client_id, "stopped")
    else:
        sessions.leave_to_person(batch.work, row.id)


def _look(batch: _Batch, row: Any) -> None:
    """Judge one silence: is it one at all? Then remind, or call a person."""
    work = batch.work
    if row.client_status == "closed" or not row.consented or row.campaign_state == "cancelled" or row.left_programme:
        sessions.close(work, row.id, row.client_id, "stopped")
    elif row.status == "suspended":
        _look_behind(batch, row)
    elif row.prompt_id is not None and (row.prompt_state is None or row.prompt_state in NEVER_LEFT):
        sessions.close(work, row.id, row.client_id, "not_asked")  # whoever counts on the text was told when it expired
    elif row.asked_state == "planned":
        sessions.look_again(work, row.id, work.now + STILL_TO_LEAVE)
    elif row.client_status == "paused":
        sessions.look_again(work, row.id, work.now + PAUSED)
    elif row.campaign_state == "paused":
        sessions.look_again(work, row.id, work.now + CAMPAIGN_PAUSED)
    else:
        person = batch.person(row.client_id)
        dialogue = read_sessions.dialogue_at(work, batch.content, row.dialogue, row.version)
        state = read_sessions.state_of(row, dialogue, person)
        # Silence counts from the moment the question left, not from when it was planned.
        asked_at = max(state.asked_at, row.left_at) if row.left_at else state.asked_at
        _step(batch, person, dialogue, replace(state, asked_at=asked_at), row)


def _look_behind(batch: _Batch, row: Any) -> None:
    """Put a suspended question once more, if what it waited for is over; it was another one's turn until then."""
    work, waits = batch.work, batch.behind[row.id]
    is_held = row.client_status == "paused" or row.campaign_state == "paused" or not clients.may_be_texted(batch.sealed[row.client_id])
    if is_held or not waits.is_next or waits.status == "waiting" or not _goes_on(batch, waits):
        sessions.look_again(work, row.id, work.now + sessions.LOOK_BEHIND)
        return
    if waits.before_id is not None:
        sessions.give_way(work, {waits.before_id: "ended"})
    person = batch.person(row.client_id)
    dialogue = read_sessions.dialogue_at(work, batch.content, row.dialogue, row.version)
    turn = dialogues.resume(dialogue, read_sessions.state_of(row, dialogue, person), work.now)
    asked_id = _ask(batch, person, dialogue, turn, row)
    sessions.move(work, dialogue, turn.state, person.key, asked_id=asked_id, prompt_id=asked_id)


def _goes_on(batch: _Batch, waits: Any) -> bool:
    if waits.before_id is None:
        return dialogues.goes_on(waits.open_flags, None, timedelta(0), batch.work.now)
    before = read_sessions.dialogue_at(batch.work, batch.content, waits.dialogue, waits.version)
    silence = before.steps[waits.step].silence
    return dialogues.goes_on(waits.open_flags, waits.changed_at, timedelta(hours=silence.hours if silence else 0), batch.work.now)


def _step(batch: _Batch, person: Person, dialogue: Dialogue, state: State, row: Any) -> None:
    turn = dialogues.step(dialogue, state, None, batch.work.now)
    if turn.says:
        _ask(batch, person, dialogue, turn, row)
    for effect in turn.effects:
        if isinstance(effect, RaiseFlag):
            batch.flag(person.id, effect.reason, state.session_id, f":{state.asked_at.isoformat()}")
    if turn.state.status == "with_person" and row.consent_purpose == "check_in":
        batch.silent[person.id] = state.session_id
    sessions.move(batch.work, dialogue, turn.state, person.key)


def _ask(batch: _Batch, person: Person, dialogue: Dialogue, turn: dialogues.Turn, row: Any) -> UUID | None:
    """Queue what a turn says, as a text of the session's campaign; the text's id, None where the person cannot be texted."""
    news = [replace(new, campaign_id=row.campaign_id) for new in _reminder(batch, person, dialogue, turn)]
    messages.add(batch.work, batch.vault, news)
    batch.channels |= {new.channel_id for new in news}
    return news[-1].id if news else None


def _reminder(batch: _Batch, person: Person, dialogue: Dialogue, turn: dialogues.Turn) -> list[messages.New]:
    """The question once more, as long as it makes sense: until the next step of silence, in the hours of unit and client.

    Nothing where no channel carries it: silence goes on counting.
    """
    due_at = dialogues.due_at(dialogue, turn.state)
    now = batch.work.now
    if person.phone is None or person.to_verify:
        return []
    purpose = dialogues.purpose(dialogue.name)
    asked = Asked(person.phone, batch.vault.hash_phone(person.phone), person.unit_id, turn.state.language, purpose, answers=True)
    road = batch.roads.choose(asked)
    if road is None:
        return []
    rows = send_text.write(
        batch.work, batch.content, replace(tell_client.as_recipient(person), language=turn.state.language), purpose, {}, lane=lanes.BULK,
        dedupe_key=f"session:{turn.state.session_id}:{turn.state.asked_at.isoformat()}:{turn.state.reminded}", channel_id=road.id,
        send_before=min(due_at or now + REMINDER_LIVES, now + REMINDER_LIVES), about_id=turn.state.session_id,
        pinned=dialogues.say(dialogue, turn.says),
    )  # fmt: skip
    carried = [(row, batch.roads.choose(asked.saying(row.body))) for row in rows]  # now that its words are known
    found = [replace(row, channel_id=road.id) for row, road in carried if road is not None]
    return found if len(found) == len(rows) else []


def _look_for_the_lost(batch: _Batch) -> None:
    """Three silent check-ins in a row, or a drop from the client's own rhythm."""
    if not batch.silent:
        return
    for client_id, answered in sessions.check_ins(batch.work, batch.silent, touch.LOOKED_AT).items():
        if touch.is_losing(answered):
            batch.flag(client_id, "losing_touch", batch.silent[client_id], "")
