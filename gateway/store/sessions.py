"""Where each client is in a dialogue, what they answered, and the dialogues' own texts by version."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.domain import dialogues
from gateway.domain import messages as lanes
from gateway.domain.dialogues import Dialogue, State
from gateway.store.base import Work
from gateway.store.enrolments import ALL_DONE
from gateway.vault import DataKey, Vault

# --- dialogues by version -------------------------------------------------------------------------------------------

_PIN = text("""
  INSERT INTO dialogues (name, version, files) VALUES (:name, :version, CAST(:files AS jsonb)) ON CONFLICT DO NOTHING""")
_PINNED = text("SELECT files FROM dialogues WHERE name = :name AND version = :version")


def pin(work: Work, dialogue: Dialogue) -> None:
    """Keep a dialogue as it is now, for the sessions that begin with it. Runs as the system."""
    work.execute(_PIN, {"name": dialogue.name, "version": dialogue.version, "files": json.dumps(dict(dialogue.files))})


def pinned(work: Work, name: str, version: str) -> Dialogue:
    """A dialogue as it was. Raises Refused for one that this program can no longer read, LookupError for one never kept."""
    files = work.value(_PINNED, name=name, version=version)
    if files is None:
        raise LookupError(name)
    return dialogues.read(name, files)


# --- one client's run -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class New:
    """A session that begins. `prompt_id` is its first text, None where it was asked on a screen; `key` the client's."""

    state: State
    unit_id: UUID
    key_id: UUID
    key: DataKey
    dialogue: Dialogue
    prompt_id: UUID | None
    started_by: UUID | None = None


def add(work: Work, news: Sequence[New]) -> int:
    """Keep sessions that begin; one that is known changes nothing. The number kept."""
    rows = []
    for new in news:
        state = new.state
        rows.append({
            "id": state.session_id, "client_id": state.client_id, "unit_id": new.unit_id, "key_id": new.key_id,
            "dialogue": state.dialogue, "version": state.version, "consent_purpose": new.dialogue.consent,
            "urgency": new.dialogue.urgency, "status": state.status, "step": state.step, "state_enc": seal(state, new.key),
            "prompt_id": new.prompt_id, "asked_id": new.prompt_id, "asked_at": state.asked_at,
            "due_at": dialogues.due_at(new.dialogue, state), "started_by": new.started_by, "started_at": work.now, "changed_at": work.now,
        })  # fmt: skip
    return work.insert("sessions", rows, "ON CONFLICT (id) DO NOTHING")


def seal(state: State, key: DataKey) -> bytes:
    """The state as it is kept."""
    return key.encrypt(json.dumps(state.to_dict()), "sessions.state", state.session_id)


def open_state(row: Any, key: DataKey) -> State:
    """The state of a row of id, state_enc, status and asked_at; what its columns say was written later."""
    kept = State.from_dict(json.loads(key.decrypt(row.state_enc, "sessions.state", row.id)))
    return replace(kept, status=row.status, asked_at=row.asked_at)


# For how many seconds the question of a suspended session had been out when it made room; NULL: it never left by text.
_WAITED = """(SELECT extract(epoch FROM s.changed_at - greatest(s.asked_at, t.started_at)) FROM outbound o JOIN attempts t ON t.id = o.attempt_id
    WHERE o.id = s.asked_id AND s.status = 'suspended') AS waited"""

# Beside the other look-ups for a text in, in the same round trip. Held, so that neither silence nor another dialogue steps it meanwhile.
# A lateral part that locks is never planned the other way round: it begins with the phones, however few sessions there were then.
_LEFT = "('submitting', 'unknown', 'accepted', 'sent', 'delivered', 'failed')"
ON_PHONES = text(f"""
  SELECT q.phone, s.id, s.client_id, s.dialogue, s.version, s.status, s.urgency, s.state_enc, s.asked_at, {_WAITED},
    coalesce((SELECT state IN {_LEFT} FROM outbound WHERE id = s.asked_id), true) AS was_asked,  -- without a text: on a screen
    (SELECT max(t.started_at) FROM outbound o JOIN attempts t ON t.id = o.attempt_id
      WHERE o.to_hash = q.phone AND o.created_at >= s.started_at AND o.about_id = s.id AND o.state IN {_LEFT}) AS left_at
  FROM unnest(CAST(:phones AS bytea[])) q(phone), LATERAL (
    SELECT * FROM sessions WHERE client_id IN (SELECT client_id FROM phones WHERE phone_hash = q.phone)
      AND status IN ('waiting', 'with_person', 'suspended') ORDER BY id FOR UPDATE) s""")

_MOVE = text("""
  UPDATE sessions SET status = :status, step = :step, state_enc = :state, asked_at = :asked_at, due_at = :due_at, changed_at = :now,
    heard_at = coalesce(:heard_at, heard_at), asked_id = coalesce(:asked_id, asked_id), prompt_id = coalesce(:prompt_id, prompt_id)
  WHERE id = :id""")


def move(
    work: Work, dialogue: Dialogue, state: State, key: DataKey, *, heard: bool = False, asked_id: UUID | None = None,
    prompt_id: UUID | None = None,
) -> None:  # fmt: skip
    """Write where a held session is now, with the other writes of the transaction.

    `heard`: because of what the client wrote. `asked_id`: the text that first puts its question; `prompt_id`: the first one anew.
    """
    work.later(
        _MOVE, id=state.session_id, status=state.status, step=state.step, state=seal(state, key), asked_at=state.asked_at,
        due_at=dialogues.due_at(dialogue, state), now=work.now, asked_id=asked_id, prompt_id=prompt_id,
        heard_at=work.now if heard else None,
    )  # fmt: skip


_HEARD = text("UPDATE sessions SET heard_at = greatest(heard_at, :at) WHERE id = ANY(CAST(:ids AS uuid[])) AND started_at <= :at")


def hear(work: Work, rows: Iterable[Any], at: datetime) -> None:
    """Whoever writes at all, though it be no answer, is not silent. Takes rows of ON_PHONES, and when the text came."""
    ids = [row.id for row in rows if row.was_asked and row.status != "suspended"]
    if ids:
        work.later(_HEARD, ids=ids, at=at)


def keep_answer(work: Work, session_id: UUID, step: str, value: str, client_id: UUID, unit_id: UUID, inbound_id: UUID, key: DataKey) -> None:
    """Keep what was answered at a step; a later answer takes its place."""
    row = {
        "session_id": session_id, "step": step, "client_id": client_id, "unit_id": unit_id, "inbound_id": inbound_id,
        "value_enc": key.encrypt(value, f"session_answers.{step}", session_id), "answered_at": work.now,
    }  # fmt: skip
    work.put("session_answers", row, """ON CONFLICT (session_id, step) DO UPDATE SET inbound_id = EXCLUDED.inbound_id,
      value_enc = EXCLUDED.value_enc, answered_at = EXCLUDED.answered_at""")  # fmt: skip


# --- beginning ------------------------------------------------------------------------------------------------------

# What another transaction holds is just being answered: `held` is false then, and the client is left for the next time.
_LIVE = text("""
  SELECT s.id, s.client_id, coalesce(l.dialogue, s.dialogue) AS dialogue, coalesce(l.status, s.status) AS status, s.urgency,
    l.id IS NOT NULL AS held
  FROM unnest(CAST(:clients AS uuid[])) c(id) JOIN sessions s ON s.client_id = c.id AND s.status IN ('waiting', 'with_person', 'suspended')
    LEFT JOIN LATERAL (SELECT id, dialogue, status FROM sessions WHERE id = s.id FOR UPDATE SKIP LOCKED) l ON true""")


def live(work: Work, client_ids: Iterable[UUID]) -> Sequence[Any]:
    """Sessions of these (held) clients that are open or suspended, held: rows of id, client_id, dialogue, status, urgency, held."""
    return work.all(_LIVE, clients=list(client_ids))


_LIVE_OF = text("""
  SELECT s.id, s.client_id, s.dialogue, s.version, s.status, s.state_enc, s.asked_at, s.key_id, k.wrapped FROM sessions s JOIN keys k ON k.id = s.key_id
  WHERE s.client_id = ANY(CAST(:clients AS uuid[])) AND s.status IN ('waiting', 'with_person', 'suspended')""")


def live_of(work: Work, client_ids: Iterable[UUID]) -> Sequence[Any]:
    """The same sessions to look at, with their sealed states; nothing is held."""
    return work.all(_LIVE_OF, clients=list(client_ids))


_GIVE_WAY = text("""
  UPDATE sessions s SET status = r.status, due_at = CASE r.status WHEN 'suspended' THEN CAST(:look_at AS timestamptz) END, changed_at = :now
  FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[])) r(id, status) WHERE s.id = r.id""")
_CANCEL = text("""
  UPDATE outbound o SET state = 'cancelled', reason = 'another question takes its place', state_at = :now
  FROM sessions s WHERE s.id = ANY(CAST(:ids AS uuid[])) AND o.client_id = s.client_id AND o.about_id = s.id AND o.state || '' = 'planned'
    AND o.lane >= :lane
    -- A "you have a message" stays for as long as any other text waits behind it.
    AND (SELECT true FROM outbound w WHERE w.waits_for = o.id AND w.state || '' = 'planned'
      AND (w.about_id = ANY(CAST(:ids AS uuid[]))) IS NOT TRUE LIMIT 1) IS NULL""")


LOOK_BEHIND = timedelta(hours=1)
"""How often it is looked at whether a suspended session can go on, if nothing that ends says so before."""


def give_way(work: Work, becoming: Mapping[UUID, str]) -> None:
    """Held sessions make room for another: suspended or ended. What is still to be sent of them is cancelled."""
    if becoming:
        work.execute(_GIVE_WAY, {"ids": list(becoming), "statuses": list(becoming.values()), "now": work.now, "look_at": work.now + LOOK_BEHIND})
        work.execute(_CANCEL, {"ids": list(becoming), "now": work.now, "lane": lanes.REPLY})


def cancel_reminder(work: Work, session_id: UUID) -> None:
    """Cancel a reminder that has not left: the client answered."""
    work.later(_CANCEL, ids=[session_id], now=work.now, lane=lanes.BULK)


_ON_SCREEN = text(f"""
  UPDATE sessions s SET prompt_id = CASE WHEN (SELECT state IN {_LEFT} FROM outbound WHERE id = s.prompt_id) THEN s.prompt_id END,
    asked_id = CASE WHEN (SELECT state IN {_LEFT} FROM outbound WHERE id = s.asked_id) THEN s.asked_id END
  WHERE s.id = :id""")


def ask_on_screen(work: Work, session_id: UUID) -> None:
    """The question of a held session was answered on a screen: a text of it that has not left is cancelled, and its silence counts without one."""
    work.later(_ON_SCREEN, id=session_id)
    work.later(_CANCEL, ids=[session_id], now=work.now, lane=lanes.REPLY)


_STOP = text("""
  UPDATE sessions SET status = CASE status WHEN 'suspended' THEN 'stopped' ELSE :status END, due_at = NULL, changed_at = :now
  WHERE client_id IN (SELECT client_id FROM phones WHERE phone_hash = :phone) AND status IN ('waiting', 'with_person', 'suspended')""")


def stop_phone(work: Work, phone_hash: bytes, status: str) -> None:
    """End the sessions of everyone on a phone (`stopped`), or leave them to a person (`with_person`; suspended ones end)."""
    work.later(_STOP, phone=phone_hash, status=status, now=work.now)


_HOLD = text("""
  WITH held AS (
    UPDATE sessions SET status = 'with_person', due_at = NULL, changed_at = :now
    WHERE client_id IN (SELECT client_id FROM phones WHERE phone_hash = :phone) AND status = 'waiting' RETURNING id, client_id)
  UPDATE outbound o SET state = 'cancelled', reason = 'a person is called', state_at = :now
  FROM held WHERE o.client_id = held.client_id AND o.about_id = held.id AND o.state || '' = 'planned' AND o.lane >= :lane""")


def hold_phone(work: Work, phone_hash: bytes) -> None:
    """Leave what anybody on a phone is being asked to a person: no reminder of it leaves any more."""
    work.later(_HOLD, phone=phone_hash, now=work.now, lane=lanes.BULK)


# --- silence --------------------------------------------------------------------------------------------------------

_LOCK_DUE = text("SELECT id, client_id FROM sessions WHERE due_at <= :now ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED")
# A statement of its own, after the locks are held: it sees what the last holder committed.
_DUE = text(f"""
  SELECT s.id, s.client_id, s.dialogue, s.version, s.status, s.state_enc, s.asked_at, s.consent_purpose, s.prompt_id,
    {_WAITED}, p.state AS prompt_state, a.state AS asked_state, t.started_at AS left_at, c.status AS client_status,
    coalesce(co.granted, false) AS consented, m.campaign_id, ca.state AS campaign_state,
    coalesce(e.end_reason NOT IN ('{ALL_DONE}', 'reply'), false) AS left_programme  -- those who left it in the middle
  FROM unnest(CAST(:ids AS uuid[])) due(id) JOIN sessions s ON s.id = due.id JOIN clients c ON c.id = s.client_id
    LEFT JOIN outbound p ON p.id = s.prompt_id LEFT JOIN outbound a ON a.id = s.asked_id LEFT JOIN attempts t ON t.id = a.attempt_id
    LEFT JOIN consents co ON co.client_id = s.client_id AND co.purpose = s.consent_purpose
    LEFT JOIN LATERAL (  -- not by prompt_id: one that was suspended has gone on with an answer, which is no campaign's
      SELECT campaign_id FROM outbound WHERE client_id = s.client_id AND about_id = s.id AND campaign_id IS NOT NULL LIMIT 1) m ON true
    LEFT JOIN campaigns ca ON ca.id = m.campaign_id
    LEFT JOIN enrolments e ON e.campaign_id = m.campaign_id AND e.client_id = s.client_id AND e.ended_at IS NOT NULL""")


def due(work: Work, most: int) -> Sequence[Any]:
    """Sessions whose silence is to be looked at now, held, with what became of their questions. Those held elsewhere are left."""
    locked = work.all(_LOCK_DUE, now=work.now, most=most)
    # With all else that is live of the same client, which closing one may wake: never waited for, so that no text in waits for us.
    beside = live(work, {row.client_id for row in locked}) if locked else []
    answering = {row.client_id for row in beside if not row.held}
    ids = [row.id for row in locked if row.client_id not in answering]
    return work.all(_DUE, ids=ids) if ids else []


_NEXT = "(SELECT id FROM sessions WHERE client_id = {client} AND status = 'suspended' ORDER BY urgency, started_at LIMIT 1)"
_OPEN = "status IN ('waiting', 'with_person')"
_BEHIND = text(f"""
  SELECT s.id, s.id = {_NEXT.format(client="s.client_id")} AS is_next, b.id AS before_id, b.status, b.dialogue, b.version, b.step, b.changed_at,
    ARRAY(SELECT f.reason FROM flags f
        WHERE f.client_id = s.client_id AND f.state <> 'closed' AND f.opened_at >= coalesce(b.started_at, s.started_at)
      UNION ALL SELECT f.reason FROM phones p JOIN inbound i ON i.from_hash = p.phone_hash JOIN flags f ON f.inbound_id = i.id
        WHERE p.client_id = s.client_id AND i.client_id IS NULL AND i.received_at >= coalesce(b.started_at, s.started_at)
          AND f.unit_id = i.unit_id AND f.state <> 'closed') AS open_flags
  FROM unnest(CAST(:ids AS uuid[])) asked(id) JOIN sessions s ON s.id = asked.id AND s.status = 'suspended'
    LEFT JOIN sessions b ON b.client_id = s.client_id AND b.{_OPEN}""")


def behind(work: Work, ids: Sequence[UUID]) -> dict[UUID, Any]:
    """What suspended sessions wait for: the open one before them, if any, and why persons are to look at the client (or their shared phone)."""
    return {row.id: row for row in work.all(_BEHIND, ids=list(ids))} if ids else {}


_CLOSE = text("UPDATE sessions SET status = :status, due_at = NULL, changed_at = :now WHERE id = :id")
# Its question is not put again: whether it was answered in time is looked at next.
_WAKE = text(f"""
  UPDATE sessions SET status = 'waiting', due_at = :now, changed_at = :now
  WHERE id = {_NEXT.format(client=":client")} AND NOT EXISTS (SELECT FROM sessions WHERE client_id = :client AND {_OPEN})""")
_LOOK_BEHIND = text("UPDATE sessions SET due_at = :now WHERE client_id = :client AND status = 'suspended'")
_LOOK_AGAIN = text("UPDATE sessions SET due_at = :at WHERE id = :id")


def close(work: Work, session_id: UUID, client_id: UUID, status: str) -> None:
    """End a held session without a further word. The one that it had suspended waits again if nothing was asked meanwhile, else it is next."""
    work.later(_CLOSE, id=session_id, status=status, now=work.now)
    work.later(_WAKE if status == "not_asked" else _LOOK_BEHIND, client=client_id, now=work.now)


def look_behind(work: Work, client_id: UUID) -> None:
    """Look at once whether what is suspended can go on: a person is done with something about the client."""
    work.later(_LOOK_BEHIND, client=client_id, now=work.now)


_LEAVE = text("UPDATE sessions SET status = 'with_person', due_at = NULL, changed_at = :now WHERE id = :id")


def leave_to_person(work: Work, session_id: UUID) -> None:
    """A held session that cannot be gone on with is a person's."""
    work.later(_LEAVE, id=session_id, now=work.now)


def look_again(work: Work, session_id: UUID, at: datetime) -> None:
    """Look at a held session's silence later."""
    work.later(_LOOK_AGAIN, id=session_id, at=at)


# A check-in counts once it was asked and either answered or left to a person; the newest first.
_CHECK_INS = text("""
  SELECT c.id, (SELECT array_agg(q.answered ORDER BY q.started_at DESC) FROM (
      SELECT s.heard_at IS NOT NULL AS answered, s.started_at FROM sessions s
      WHERE s.client_id = c.id AND s.consent_purpose = 'check_in' AND s.status IN ('with_person', 'ended')
      ORDER BY s.started_at DESC LIMIT :most) q) AS answered
  FROM unnest(CAST(:clients AS uuid[])) c(id)
  WHERE (SELECT true FROM flags f WHERE f.client_id = c.id AND f.reason = 'losing_touch' AND f.state <> 'closed' LIMIT 1) IS NULL""")


def check_ins(work: Work, client_ids: Iterable[UUID], most: int) -> dict[UUID, list[bool]]:
    """Whether each of a client's latest check-ins was answered, the newest first; of those who are not flagged for it already."""
    rows = work.all(_CHECK_INS, clients=list(client_ids), most=most)
    return {row.id: list(row.answered) for row in rows if row.answered}


# --- for staff ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """A session as staff see it. `answers` are (step, value) in the order they came; None where they cannot be read."""

    id: UUID
    unit_id: UUID
    client_code: str
    dialogue: str
    version: str
    status: str
    language: str
    step: str
    asked_at: datetime
    due_at: datetime | None
    started_at: datetime
    answers: Sequence[tuple[str, str]] | None


_RUN = """
  SELECT s.id, s.unit_id, s.client_id, c.code, s.dialogue, s.version, s.status, s.step, s.asked_at, s.due_at, s.started_at, s.state_enc,
    s.key_id, k.wrapped, c.language
  FROM sessions s JOIN clients c ON c.id = s.client_id LEFT JOIN keys k ON k.id = s.key_id"""
_OF_CLIENT = text(f"{_RUN} WHERE s.client_id = :client ORDER BY s.started_at DESC LIMIT :most")
_ONE = text(f"{_RUN} WHERE s.id = :id")


def of_client(work: Work, vault: Vault, client_id: UUID, most: int = 10) -> list[Run]:
    """A client's sessions, the newest first. Every call that a person sees the result of is to be audited."""
    return [_run(row, vault) for row in work.all(_OF_CLIENT, client=client_id, most=most)]


def find(work: Work, vault: Vault, session_id: UUID) -> Run | None:
    """The session of this id, such as a flag speaks of; None when there is none in the actor's units."""
    row = work.one(_ONE, id=session_id)
    return None if row is None else _run(row, vault)


def _run(row: Any, vault: Vault) -> Run:
    state = None if row.wrapped is None else open_state(row, vault.open_key(row.wrapped, row.key_id))
    return Run(
        row.id, row.unit_id, row.code, row.dialogue, row.version, row.status, state.language if state else row.language, row.step,
        row.asked_at, row.due_at, row.started_at, state.answers if state else None,
    )  # fmt: skip
