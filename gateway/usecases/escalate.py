"""Tell people of an urgent flag, step by step, until somebody takes it. Every step is a row, written with the flag."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from gateway import log
from gateway.content import Content
from gateway.domain import effects as fx
from gateway.domain import escalation
from gateway.domain import messages as lanes
from gateway.store import audit, escalations, flags, messages, staff
from gateway.store.base import SYSTEM, Actor, Work, unit_of_work
from gateway.store.escalations import Due
from gateway.usecases import adopt, compose, crisis_words, second_way, send_text
from gateway.usecases.adopt import NOTHING, Already
from gateway.usecases.second_way import Alarm, SecondWay
from gateway.vault import Vault

TOLD_WITHIN = timedelta(hours=1)  # that a flag is theirs
PATIENCE = timedelta(seconds=30)  # for a carrier to take a text, before the second way is gone
HOLD = timedelta(seconds=60)  # longer than mail and webhook may take


def begin(
    work: Work, vault: Vault, content: Content, unit_id: UUID, flag_id: UUID, number: int, round: int = 0, answered: bool = False,
    already: Already = NOTHING,
) -> bool:  # fmt: skip
    """Keep the steps of a round, and text whoever hears at once; whether a text was queued. `answered`: the client is.

    Who heard of it already, while PostgreSQL was away, is not told again in this round.
    """
    steps = escalation.steps(escalations.candidates(work, unit_id), work.now, round, answered)
    ids = escalations.put(work, flag_id, round, steps)
    if not any(step.way == "text" for step in steps):
        log.warning("nobody_to_alert", flag=flag_id, unit=unit_id)
    heard = _heard(work, vault, flag_id, round, dict(zip(ids, steps, strict=True)), already)
    at_once = [(step_id, step.staff_id) for step_id, step in zip(ids, steps, strict=True)
               if step.way == "text" and step.due_at <= work.now and step_id not in heard]  # fmt: skip
    people = staff.alerted(work, vault, [staff_id for _, staff_id in at_once if staff_id is not None])
    queued = [_text(work, vault, content, Due(step_id, flag_id, number, unit_id, round, "text", staff_id), people)
              for step_id, staff_id in at_once]  # fmt: skip
    return any(queued)


def _heard(work: Work, vault: Vault, flag_id: UUID, round: int, steps: Mapping[UUID, escalation.Step], already: Already) -> set[UUID]:
    """Take what was said while PostgreSQL was away into the database; the steps that it makes needless."""
    people, heard = staff.alerted(work, vault, list(already.alerts)), set[UUID]()
    for staff_id in people.keys() & already.alerts.keys():
        step_id = next((each for each, step in steps.items() if step.staff_id == staff_id), None)
        kept = [adopt.keep(work, vault, recipient(people[staff_id]), said, dedupe_key=f"away:{said.token}", about_id=flag_id,
                           send_before=work.now + escalation.lasts(round)) for said in already.alerts[staff_id]]  # fmt: skip
        if step_id is not None:
            escalations.done(work, step_id, "texted", kept[0])
            heard.add(step_id)
    for step_id, step in steps.items():
        if step.way == "second" and already.second is not None:
            escalations.done(work, step_id, already.second)
    return heard


def _text(work: Work, vault: Vault, content: Content, step: Due, people: dict[UUID, staff.Alerted], beside: UUID | None = None) -> UUID | None:
    """Queue the text of a step, over another channel than `beside` if given; the channel, None where none was queued."""
    person = people.get(step.staff_id) if step.staff_id is not None else None
    try:
        with work.attempt():
            channel_id = escalations.channel(work, person.phone, step.flag_id, PATIENCE, beside) if person else None
            outbound = send_text.queue(
                work, vault, content, recipient(person), "staff_alert", {"flag": str(step.number)}, lane=lanes.URGENT,
                dedupe_key=f"alert:{step.id}:{beside or ''}", send_before=work.now + escalation.lasts(step.round), about_id=step.flag_id, channel_id=channel_id,
            ) if person is not None and channel_id is not None else []  # fmt: skip
    except Exception as error:  # one bad number must not keep the others from hearing
        log.error("alert_not_queued", error, flag=step.flag_id, staff=step.staff_id)
        channel_id, outbound = None, []
    if beside is None:
        escalations.done(work, step.id, "texted" if outbound else "could not be texted", outbound[0] if outbound else None)
    return channel_id if outbound else None


def recipient(person: staff.Alerted) -> compose.Recipient:
    """A staff member as texts reach them."""
    return compose.Recipient(
        unit_id=person.unit_id, key_id=person.key_id, key=person.key, phone=person.phone, language=person.language,
        zone=person.zone, unit_language=person.language, details=person.details,
    )  # fmt: skip


def escalate(engine: Engine, vault: Vault, content: Content, ring: Callable[[UUID], None], now: datetime | None = None) -> int:
    """Take every step by text whose time has come, once; how many."""
    with unit_of_work(engine, SYSTEM, now) as work:
        due = escalations.due(work)
        people = staff.alerted(work, vault, [step.staff_id for step in due if step.staff_id is not None])
        told = [_text(work, vault, content, step, people) for step in due if step.way == "text"]
        told += [_other(work, vault, content, step) for step in due if step.way != "text"]
        _ring_all(work, told, ring)
    return len(due)


def _other(work: Work, vault: Vault, content: Content, step: Due) -> UUID | None:
    """A step that is no text to staff; the channel where a text was queued. One that fails holds up no other, and is tried again."""
    try:
        with work.attempt():
            if step.way == "answer":
                return _answer_beside(work, vault, step)
            _again(work, vault, content, step)
    except (OperationalError, InterfaceError):  # the database is away or busy: all of it again at the next tick
        raise
    except Exception as error:
        log.error("step_not_taken", error, flag=step.flag_id, way=step.way)
        escalations.put_off(work, step.id, work.now + PATIENCE)
    return None


def _answer_beside(work: Work, vault: Vault, step: Due) -> UUID | None:
    """The answer to a cry for help that no carrier took goes over another channel too; that channel, None where there is none."""
    key = f"reply:{step.inbound_id}:{crisis_words.PURPOSE}"
    answer = messages.waiting(work, vault, messages.id_of(key))
    channel_id = escalations.channel(work, answer.to, step.flag_id, PATIENCE, answer.channel_id) if answer is not None else None
    if answer is not None and channel_id is not None:
        messages.add(work, vault, [replace(answer, channel_id=channel_id, dedupe_key=f"{key}:beside")])
    escalations.done(work, step.id, "answered over another channel" if channel_id else "nothing to do")
    return channel_id


def _again(work: Work, vault: Vault, content: Content, step: Due) -> None:
    """Nobody took it in this round: the next begins, with whoever is on call by then."""
    escalations.done(work, step.id, "began again")
    escalations.supersede(work, step.flag_id, step.round + 1)
    begin(work, vault, content, step.unit_id, step.flag_id, step.number, step.round + 1)


def _ring_all(work: Work, told: Iterable[UUID | None], ring: Callable[[UUID], None]) -> None:
    for channel_id in {channel_id for channel_id in told if channel_id is not None}:
        work.after_commit(partial(ring, channel_id))


def go_second_way(
    engine: Engine, vault: Vault, content: Content, second: SecondWay, ring: Callable[[UUID], None], now: datetime | None = None
) -> int:
    """Mail and webhook, at least once, with no transaction open meanwhile; and texts that no carrier took, over another channel.

    Apart from `escalate`: where mail or webhook hang, each flag takes up to half a minute here.
    """
    with unit_of_work(engine, SYSTEM, now) as work:
        steps = escalations.take_second(work, PATIENCE, HOLD)
        told = [channel_id for step in steps for channel_id in _beside(work, vault, content, step)]
        _ring_all(work, told, ring)
    for step in steps:
        ways = second.tell(Alarm(step.id, "flag", second_way.words(content, "flag", number=step.number), step.number))
        if ways is None:
            continue  # tried again when it is free again, or in the next round
        with unit_of_work(engine, SYSTEM, now) as work:
            escalations.done(work, step.id, ways)
    return len(steps)


def _beside(work: Work, vault: Vault, content: Content, step: Due) -> list[UUID | None]:
    stuck = escalations.stuck(work, step.flag_id, step.round)
    people = staff.alerted(work, vault, [row.staff_id for row in stuck])
    again = [(Due(row.id, step.flag_id, step.number, step.unit_id, step.round, "text", row.staff_id), row.channel_id) for row in stuck]
    return [_text(work, vault, content, each, people, channel_id) for each, channel_id in again]


def take(work: Work, vault: Vault, content: Content, effect: fx.TakeFlag, inbound_id: UUID, channel_id: UUID | None) -> bool:
    """The holder of an alerted phone takes a flag by text, and is told so: who did not write it finds out. Whether a text was queued."""
    flag = flags.get(work, effect.flag_id)
    people = staff.alerted(work, vault, [effect.staff_id])
    yours = flag.owner_id == effect.staff_id or (flag.state == "open" and effect.staff_id in people)
    if flag.state == "open" and yours:
        flags.assign(work, flag.id, effect.staff_id)
        audit.add(work, "flag.take", "flag", flag.id, flag.unit_id, {"number": flag.number, "by": "text"}, by=Actor(effect.staff_id))
    if effect.staff_id not in people:
        return False
    return bool(send_text.queue(
        work, vault, content, recipient(people[effect.staff_id]), "staff_alert_yours" if yours else "staff_alert_taken",
        {"flag": str(flag.number)}, lane=lanes.URGENT, dedupe_key=f"taken:{inbound_id}", send_before=work.now + TOLD_WITHIN,
        channel_id=channel_id,
    ))  # fmt: skip
