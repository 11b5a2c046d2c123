"""On a gateway for practice the clock can be set ahead, hour by hour; nowhere else."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from gateway.domain.errors import Refused
from gateway.store import channels, credentials, health, logins
from gateway.store import practice as practice_clock
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import let_time_pass
from gateway.usecases.let_time_pass import MOST, STEP
from gateway.vault import Vault
from tests import builders
from tests.builders import World


@pytest.fixture
def practice(engine: Engine, vault: Vault) -> World:
    """A gateway whose only channel is the simulator, on the database's clock."""
    unit_id = builders.unit(engine, shown(engine), hours=None)
    settings = {"secret": "s3cret", "sender": "+84900000000"}
    return World(engine, vault, unit_id, builders.channel(engine, vault, shown(engine), unit_id, settings=settings), shown(engine))


def shown(engine: Engine) -> datetime:
    """What the clock shows."""
    with unit_of_work(engine, SYSTEM) as work:
        return work.now


def test_every_transaction_sees_the_new_time_and_it_runs_on_from_there(practice: World) -> None:
    before = shown(practice.engine)
    at = let_time_pass.step(practice.engine, STEP)
    assert STEP <= at - before < STEP + timedelta(seconds=10)
    assert shown(practice.engine) >= at
    assert let_time_pass.step(practice.engine, timedelta(minutes=5)) >= at + timedelta(minutes=5)


def test_no_process_seems_to_have_been_silent_meanwhile(practice: World) -> None:
    with unit_of_work(practice.engine, SYSTEM) as work:
        health.beat(work, "clock", "clock-1")
    let_time_pass.step(practice.engine)
    assert health.look(practice.engine)["clock"] is True


def test_nobody_is_signed_out_by_it_nor_their_invitation_lost(practice: World) -> None:
    staff_id = practice.staff("+84912345670")
    with unit_of_work(practice.engine, SYSTEM) as work:
        credentials.set_password(work, staff_id, "none fits")
        credentials.invite(work, practice.vault, staff_id, "a code", work.now + timedelta(minutes=50))
        logins.add(work, "token", staff_id, "in", "a test")
    let_time_pass.step(practice.engine)
    with unit_of_work(practice.engine, SYSTEM) as work:
        assert logins.find(work, "token") is not None
        assert credentials.by_invitation(work, practice.vault, "a code") is not None


def test_phones_of_staff_keep_the_time_outside(practice: World) -> None:
    let_time_pass.step(practice.engine)
    with unit_of_work(practice.engine, SYSTEM) as work:
        assert abs(practice_clock.outside(work) - datetime.now(UTC)) < timedelta(minutes=1)


def test_it_goes_towards_a_moment_as_far_as_it_may_take(practice: World) -> None:
    until = let_time_pass.moment(practice.engine, "morning", "Asia/Ho_Chi_Minh")
    assert until.astimezone(ZoneInfo("Asia/Ho_Chi_Minh")).strftime("%H:%M") == "09:00"
    assert timedelta(hours=9) <= until - shown(practice.engine) <= timedelta(hours=33)
    near = shown(practice.engine) + timedelta(minutes=90)
    assert let_time_pass.towards(practice.engine, near, 0) < near
    assert near <= let_time_pass.towards(practice.engine, near, 0) < near + timedelta(minutes=1)
    assert let_time_pass.towards(practice.engine, near, 0) - near < timedelta(minutes=1)
    with pytest.raises(Refused, match="a day or a week"):
        let_time_pass.moment(practice.engine, "year", "Asia/Ho_Chi_Minh")


def test_it_waits_for_what_is_on_its_way_and_says_so(practice: World) -> None:
    message = practice.planned(practice.client())
    practice.run("UPDATE outbound SET state = 'submitting' WHERE id = :id", id=message)
    before = shown(practice.engine)
    with pytest.raises(Refused, match="still on its way"):
        let_time_pass.step(practice.engine, patience_s=0.2)
    assert shown(practice.engine) - before < STEP


def test_a_text_that_cannot_leave_does_not_stop_the_clock(practice: World) -> None:
    practice.planned(practice.client(), send_before=practice.now + timedelta(days=2))
    before = shown(practice.engine)
    assert let_time_pass.step(practice.engine, patience_s=0.2) - before >= STEP


def test_where_a_text_may_reach_a_real_phone_the_clock_stays(practice: World, engine: Engine, vault: Vault) -> None:
    before = shown(engine)
    builders.channel(engine, vault, before, practice.unit_id, kind="twilio", name="real")
    with pytest.raises(Refused, match="every channel is a simulator"):
        let_time_pass.step(engine)
    assert shown(engine) - before < STEP


def test_a_gateway_whose_clock_was_moved_gets_no_channel_to_real_phones(practice: World, engine: Engine, vault: Vault) -> None:
    let_time_pass.step(engine, timedelta(minutes=1))
    with pytest.raises(Refused, match="moved for practice"), unit_of_work(engine, SYSTEM) as work:
        channels.add(work, vault, unit_id=practice.unit_id, name="real", kind="twilio", settings={})


def test_a_channel_to_real_phones_that_is_being_added_keeps_the_clock_where_it_is(practice: World, engine: Engine, vault: Vault) -> None:
    with ThreadPoolExecutor(1) as other:
        with unit_of_work(engine, SYSTEM) as work:
            channels.add(work, vault, unit_id=practice.unit_id, name="real", kind="twilio", settings={})
            moving = other.submit(let_time_pass.step, engine)
            with suppress(TimeoutError):
                moving.result(0.3)
        with pytest.raises(Refused, match="every channel is a simulator"):
            moving.result()


@given(st.timedeltas(min_value=timedelta(minutes=1), max_value=MOST))
def test_steps_add_up_to_the_whole(length: timedelta) -> None:
    made = let_time_pass.steps(length)
    assert sum(made, timedelta()) == length and all(timedelta(0) < step <= STEP for step in made)


@pytest.mark.parametrize("length", [timedelta(0), timedelta(hours=-1), MOST + timedelta(seconds=1)])
def test_a_length_that_makes_no_sense_is_refused(length: timedelta) -> None:
    with pytest.raises(Refused):
        let_time_pass.steps(length)
