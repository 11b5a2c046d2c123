"""What people do in the province of `bench.province` beside texts: campaigns, visits, flags, check-ins, notes, imports, the directory."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import text

from bench.ground import Ground
from gateway.content import load
from gateway.domain import campaigns as rules
from gateway.domain import flags as flag_rules
from gateway.domain.dialogues import State
from gateway.domain.services import Service
from gateway.store import campaigns, drafts, imports, services, sessions, staff
from gateway.store.base import SYSTEM, Actor, unit_of_work
from gateway.usecases import launch_campaign

if TYPE_CHECKING:
    from bench.province import Person

ONE_OFF = 5_000  # people of each, on the average
PLACES, REGISTERS = 600, 200
DIALOGUE, STEP = "weekly_check_in", "ask"


def campaigns_of(here: Ground, top: UUID, count: int, each: int) -> list[list[UUID]]:
    """The campaigns of each slice of the texts: reminders of visits, a weekly check-in, one-off ones; drafts for parts and all of the province."""
    with unit_of_work(here.engine) as work:
        boss = staff.by_code(work, "boss").actor
    content = load()

    def made(name: str, kind: str, step: dict[str, str], run: bool = True, **more: object) -> UUID:
        spec = rules.read({"name": name, "kind": kind, "steps": [step], "language": {"missing": "campaign_default", "default": "vi"}, "prices": {"+84": 450, "currency": "VND"},
                           **more})  # fmt: skip
        with unit_of_work(here.engine, boss) as work:
            found = launch_campaign.create(work, content, spec)
            if run:
                campaigns.start(work, found.id, {s.purpose: s.version for s in found.steps}, {})
        return found.id

    weekly = {"schedule": {"every": "FREQ=WEEKLY;BYDAY=MO", "at": "08:30", "lasts": "24h"}}
    steady = [made("Nhắc hẹn", "reminders", {"template": "appointment_reminder_1d", "before": "1d"})] * 3 + [made("Hỏi thăm", "recurring", {"dialogue": DIALOGUE}, **weekly)]
    for name, units in (("xã", ["SV-00-000"]), ("huyện", ["SV-03"]), ("hai huyện", ["SV-01", "SV-02"]), ("tỉnh", ["SV"])):
        made(f"Nháp {name}", "one_off", {"template": "check_in"}, run=False, audience={"units": units})
        made(f"Nháp tuần {name}", "recurring", {"dialogue": DIALOGUE}, run=False, audience={"units": units}, **weekly)
    made("Nháp nhóm", "one_off", {"template": "check_in"}, run=False, audience={"units": ["SV"], "groups": ["sugar"]})
    parts = max(count // ONE_OFF, 1)
    return [
        [made(f"Đợt {n}-{part}", "one_off", {"template": "check_in"}) for part in range(parts)] if n % 5 == 4 else [steady[n % 5]]
        for n in range(each)
    ]  # fmt: skip


# Before the large tables get their indexes back.
OF_TEXTS = (
    """INSERT INTO attempts (id, outbound_id, channel_id, number, state, carrier_id, started_at, settled_at, reason)
       SELECT attempt_id, id, channel_id, 1, CASE state WHEN 'failed' THEN 'refused' ELSE 'accepted' END, carrier_id, created_at, state_at, reason
       FROM outbound WHERE attempt_id IS NOT NULL""",
    """INSERT INTO occurrences (id, unit_id, campaign_id, step_id, client_id, due_at, send_before, state)
       SELECT o.occurrence_id, o.unit_id, o.campaign_id, s.id, o.client_id, o.send_after, o.send_before, 'planned'
       FROM outbound o JOIN campaign_steps s ON s.campaign_id = o.campaign_id""",
)  # fmt: skip

_RECENT = "received_at > now() - interval '14 days'"
_REST = (
    # Four visits a year for each client, in working hours, the last of them still to come.
    """INSERT INTO appointments (id, client_id, unit_id, worker_id, starts_at, status, answer, created_at, updated_at, planned_revision)
       SELECT gen_random_uuid(), c.id, c.unit_id, c.worker_id, at, CASE WHEN at > now() THEN 'booked' WHEN n % 7 = 0 THEN 'missed' WHEN n % 11 = 0 THEN 'cancelled'
         WHEN n % 13 = 0 THEN 'booked' ELSE 'attended' END, (ARRAY['confirmed', 'confirmed', 'declined', 'reschedule', NULL])[1 + n % 5], at, at, 0
       FROM (SELECT id, unit_id, worker_id, row_number() OVER () AS who FROM clients) c, generate_series(0, 8) q,
         LATERAL (SELECT c.who + q AS n, date_trunc('day', now()) - interval '700 days' + q * interval '91 days' + (c.who % 91) * interval '1 day'
           + (1 + c.who % 8) * interval '1 hour' AS at) x""",
    # One of ten texts is for a person; those of two weeks are still open.
    f"""INSERT INTO flags (id, unit_id, client_id, inbound_id, reason, severity, state, owner_id, opened_at, due_at, closed_at, outcome, dedupe_key, handed_up_at)
       SELECT gen_random_uuid(), i.unit_id, i.client_id, i.id, r.reason, r.severity, CASE WHEN NOT {_RECENT} THEN 'closed' WHEN n %% 3 = 0 THEN 'assigned' ELSE 'open' END,
         CASE WHEN n %% 3 = 0 OR NOT {_RECENT} THEN c.worker_id END, received_at, received_at + interval '8 hours',
         CASE WHEN NOT {_RECENT} THEN received_at + interval '3 hours' END, CASE WHEN NOT {_RECENT} THEN 'no_action' END, CAST(i.id AS text),
         CASE WHEN {_RECENT} THEN received_at + interval '8 hours' END
       FROM (SELECT *, row_number() OVER () AS n FROM inbound WHERE random() < 0.1) i JOIN clients c ON c.id = i.client_id
         JOIN unnest(CAST(%(reasons)s AS text[]), CAST(%(severities)s AS text[])) WITH ORDINALITY r(reason, severity, at) ON r.at = 1 + i.n %% %(many)s""",
    """INSERT INTO answers (outbound_id, client_id, unit_id, inbound_id, value, answered_at)
       SELECT id, client_id, unit_id, gen_random_uuid(), 'confirmed', answered_at FROM outbound WHERE answered_at IS NOT NULL""",
    """INSERT INTO consent_history (client_id, unit_id, purpose, granted, basis, source, changed_at)
       SELECT client_id, unit_id, purpose, granted, basis, 'import', changed_at FROM consents""",
    """INSERT INTO stops SELECT phone_hash, 'stop', 'inbound', NULL, now() - interval '90 days' FROM phones WHERE random() < 0.01 ON CONFLICT DO NOTHING""",
    """INSERT INTO audit (unit_id, staff_id, action, subject, subject_id, client_id, at)
       SELECT unit_id, worker_id, 'client.show', 'client', id, id, created_at + q * interval '240 days' FROM clients, generate_series(0, 2) q""",
    # Reminders of the visits to come, and what is left of the three latest one-off campaigns.
    """INSERT INTO occurrences (id, unit_id, campaign_id, step_id, client_id, appointment_id, due_at, send_before)
       SELECT gen_random_uuid(), a.unit_id, c.id, s.id, a.client_id, a.id, a.starts_at - interval '1 day', a.starts_at
       FROM appointments a, campaigns c JOIN campaign_steps s ON s.campaign_id = c.id WHERE c.name = 'Nhắc hẹn' AND a.starts_at > now() + interval '1 day'""",
    """UPDATE campaigns SET state = 'done' WHERE kind = 'one_off' AND state = 'running' AND id NOT IN (
         SELECT id FROM campaigns WHERE kind = 'one_off' AND state = 'running' ORDER BY created_at DESC LIMIT 3)""",
    """UPDATE outbound o SET state = 'planned', attempt_id = NULL, carrier_id = NULL, attempts = 0, redacted_at = NULL, send_before = now() + interval '1 day'
       FROM campaigns c WHERE c.id = o.campaign_id AND c.kind = 'one_off' AND c.state = 'running' AND o.state <> 'failed' AND random() < 0.3""",
)  # fmt: skip


def write(owner: psycopg.Connection, here: Ground, crowd: "Sequence[Person]") -> None:
    """All that follows from clients and texts; `owner` writes past policies and foreign keys."""
    reasons = {"reasons": list(flag_rules.RULES), "severities": [rule.severity for rule in flag_rules.RULES.values()], "many": len(flag_rules.RULES)}
    for statement in _REST:
        owner.execute(statement.encode(), reasons if "reasons" in statement else None)
    _check_ins(owner, crowd)
    owner.commit()
    with unit_of_work(here.engine) as work:
        boss, worker = staff.by_code(work, "boss").actor, staff.by_code(work, "worker").actor
        everywhere = [row.id for row in work.all(text("SELECT id FROM units WHERE kind = 'commune' ORDER BY code"))]
    _directory(here, everywhere)
    _registers(here, [boss, worker])
    for by, name, units in ((worker, "của xã", ["SV-00-000"]), (boss, "huyện", ["SV-03"]), (boss, "tỉnh", ["SV"])):
        with unit_of_work(here.engine, by) as work:
            assert by.unit_id is not None
            drafts.add(work, uuid4(), by.unit_id, {"name": f"Đang soạn {name}", "kind": "one_off", "audience": {"units": units}, "steps": [{"template": "check_in"}]})


def _check_ins(owner: psycopg.Connection, crowd: "Sequence[Person]") -> None:
    """A check-in each three months, one of ten still waiting for its answer, and a note about every fifth client."""
    dice, now, version = random.Random(1), datetime.now(UTC), load().dialogues[DIALOGUE].version
    kept, answers, notes = list[tuple[object, ...]](), list[tuple[object, ...]](), list[tuple[object, ...]]()
    for k, who in enumerate(crowd):
        for back in range(8):
            session, waits = uuid4(), back == 0 and k % 10 == 0
            at = now - timedelta(days=back * 91 + dice.random() * 90)
            state = State(session, who.id, who.language, DIALOGUE, version, STEP, at, "waiting" if waits else "ended")
            kept.append((session, who.id, who.unit_id, who.key_id, DIALOGUE, version, "check_in", 1, state.status, state.step, sessions.seal(state, who.key),
                         uuid4(), uuid4(), at, at, at))  # fmt: skip
            if not waits:
                answers.append((session, STEP, who.id, who.unit_id, uuid4(), who.key.encrypt("well", f"session_answers.{STEP}", session), at))
        if k % 5 == 0:
            note = uuid4()
            notes.append((note, who.unit_id, who.id, who.key_id, who.key.encrypt("Đã gọi, mọi việc ổn.", "notes.body", note), uuid4(), now - timedelta(days=k % 700)))
    for table, rows in (
        ("sessions (id, client_id, unit_id, key_id, dialogue, version, consent_purpose, urgency, status, step, state_enc, prompt_id, asked_id, asked_at, "
         "started_at, changed_at)", kept),
        ("session_answers (session_id, step, client_id, unit_id, inbound_id, value_enc, answered_at)", answers),
        ("notes (id, unit_id, client_id, key_id, body_enc, written_by, written_at)", notes),
    ):  # fmt: skip
        with owner.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)


def _directory(here: Ground, everywhere: Sequence[UUID]) -> None:
    with unit_of_work(here.engine, SYSTEM) as work:
        for n in range(PLACES):
            place = Service(uuid4(), f"S-{n:04d}", ("food", "housing", "clinic")[n % 3], f"Cơ sở {n}", f"Co so {n}", [everywhere[n % len(everywhere)]],
                            checked_on=date.today() - timedelta(days=n))  # noqa: DTZ011
            services.add(work, place, None)


def _registers(here: Ground, actors: Sequence[Actor]) -> None:
    for n in range(REGISTERS):
        with unit_of_work(here.engine, actors[n % len(actors)]) as work:
            imports.add(work, here.vault, b"code,name,phone\n", ["code", "name", "phone"])
    with unit_of_work(here.engine) as work:
        work.execute(text("UPDATE imports SET state = 'done', file_enc = NULL, applied_at = made_at"))
