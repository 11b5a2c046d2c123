"""Late is not due: what was not sent in time is never sent, the carrier is told until when, and so is a person.

Case 28 of the fault table.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine

from gateway.channels.base import SendResult
from gateway.domain.messages import REPLY
from gateway.store.base import unit_of_work
from gateway.usecases import record_outcomes, send_due, sweep
from gateway.usecases.record_outcomes import Ended
from gateway.vault import Vault
from tests import builders
from tests.builders import World
from tests.faults.processes import until
from tests.faults.stage import FULL, Stage

REMINDER = {"purpose": "appointment_reminder_1d", "consent_purpose": "reminder", "expects": "appointment"}
OUTAGE = timedelta(hours=6)


def told_about(world: World) -> set[UUID]:
    """The texts that a person was told of, because they expired."""
    rows = world.rows("SELECT about_id FROM flags WHERE reason = 'not_sent_in_time' AND unit_id = :u", u=world.unit_id)
    assert len(rows) == len({row.about_id for row in rows})
    return {row.about_id for row in rows}


@pytest.fixture
def here(engine: Engine, vault: Vault, now: datetime) -> World:
    """A unit that is open at any hour, on a clock that a test moves."""
    unit_id = builders.unit(engine, now, hours=None)
    return World(engine, vault, unit_id, builders.channel(engine, vault, now, unit_id), now)


def minutes(here: World, last: timedelta) -> Iterator[datetime]:
    """Each minute from now on."""
    yield from (here.now + timedelta(minutes=n) for n in range(int(last / timedelta(minutes=1)) + 1))


def reminded(here: World, starts_in: timedelta) -> UUID:
    """A reminder that is due, of an appointment so far ahead."""
    client = here.client()
    starts_at = here.now + starts_in
    return here.planned(client, about_id=here.appointment(client, starts_at), send_before=starts_at, **REMINDER)


def test_six_hours_without_the_carrier_expire_what_is_past_and_let_the_rest_leave_once(here: World) -> None:
    past = [reminded(here, timedelta(minutes=n)) for n in (1, 20, 90, 300, 359)]
    ahead = [reminded(here, timedelta(minutes=n)) for n in (480, 2000)]
    left: list[tuple[datetime, UUID]] = []
    for at in minutes(here, OUTAGE + timedelta(hours=1)):
        sends = send_due.claim(here.engine, here.vault, here.channel_id, 100, at).sends
        away = at - here.now < OUTAGE
        left += [] if away else [(at, sent.message_id) for sent in sends]
        result = SendResult("not_sent_retry", reason="not_reached") if away else SendResult("accepted", str(at))
        if sends:
            record_outcomes.record(here.engine, here.vault, [Ended(here.channel_id, sent, result) for sent in sends], at)
        sweep.expire(here.engine, at)
    assert {here.state(message) for message in past} == {"expired"}
    assert sorted(message for _, message in left) == sorted(ahead)
    assert told_about(here) == set(past)


def test_a_reminder_of_an_appointment_that_is_past_is_not_sent_and_its_worker_is_told(here: World) -> None:
    missed, other = reminded(here, timedelta(hours=1)), here.planned(here.client(), send_before=here.now + timedelta(hours=1))
    assert send_due.claim(here.engine, here.vault, here.channel_id, 100, here.now + timedelta(hours=2)).sends == []
    assert {here.state(missed), here.state(other)} == {"expired"}
    assert told_about(here) == {missed}


def test_a_text_that_nobody_claims_expires_by_itself_and_its_worker_is_told(here: World) -> None:
    missed = reminded(here, timedelta(hours=1))
    behind = here.planned(here.client(discreet=2), waits_for=here.planned(here.client()), about_id=missed, send_before=here.now)
    sweep.expire(here.engine, here.now + timedelta(hours=2))
    assert told_about(here) == {missed, behind}


# --- with real processes --------------------------------------------------------------------------------------------


def soon(stage: Stage, seconds: float) -> datetime:
    with unit_of_work(stage.engine) as work:
        return work.now + timedelta(seconds=seconds)


def test_texts_that_expire_while_the_carrier_is_away_never_leave_and_the_others_do(stage: Stage) -> None:
    outage_s = 60 if FULL else 4
    clients = stage.clients(6)
    stage.carrier.refuse(outage_s)
    visit = stage.world.appointment(clients[0], soon(stage, 3600))
    late = [stage.plan_for(client, lane=REPLY, about_id=visit, send_before=soon(stage, outage_s / 2)) for client in clients[:3]]
    rest = [stage.plan_for(client, lane=REPLY) for client in clients[3:]]
    stage.until_done(outage_s + 60)
    assert (stage.states(late), stage.states(rest)) == ({"expired": 3}, {"accepted": 3})
    assert told_about(stage.world) == set(late)
    assert len(stage.accepted()) == 3


def test_the_carrier_is_told_until_when_a_text_is_worth_delivering(stage: Stage) -> None:
    lives_s = (90, 3600, 35_000, 100_000)
    texts = [stage.plan_for(client, send_before=soon(stage, s)) for client, s in zip(stage.clients(4), lives_s, strict=True)]
    stage.until_done()
    validity = {stage.phone_of(text): s for text, s in zip(texts, lives_s, strict=True)}
    for message in stage.accepted():
        most = min(validity[message.to], 36_000)
        assert most - 60 < message.validity_s <= most


def test_what_expires_at_the_carrier_is_expired_here_not_failed_and_its_worker_is_told(stage: Stage) -> None:
    client = stage.world.client()
    text = stage.plan_for(client, about_id=stage.world.appointment(client, soon(stage, 3600)))
    stage.until_done()
    stage.carrier.report(stage.phone_of(text), "undelivered", code=30036)
    assert stage.states() == {"expired": 1}
    assert told_about(stage.world) == {text}


def test_an_unknown_text_whose_time_passes_before_it_is_settled_is_not_sent_again(stage: Stage) -> None:
    client = stage.world.client()
    stage.carrier.script("500")
    stage.carrier.script("500", on="list")
    text = stage.plan_for(client, about_id=stage.world.appointment(client, soon(stage, 3600)), send_before=soon(stage, 3))
    until(lambda: stage.states() == {"unknown": 1}, what="the loss of the answer")
    until(lambda: stage.world.value("SELECT send_before < now() FROM outbound WHERE id = :id", id=text), what="the end of its time")
    stage.carrier.script("ok")
    stage.carrier.script("ok", on="list")
    stage.until_done(90)
    assert stage.states() == {"expired": 1}
    assert (stage.accepted(), told_about(stage.world)) == ([], {text})
