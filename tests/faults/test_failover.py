"""One of two channels fails: what has not left goes by the other, nothing that may have left does, and nothing moves when both fail.

Cases 38 and 39 of the fault table. The second channel has a carrier of its own.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from gateway.store import channels
from gateway.store.base import unit_of_work
from tests import builders
from tests.carrier import FakeCarrier
from tests.faults.processes import until
from tests.faults.stage import SETTLED_WITHIN_S, Stage

LOOKS_WITHIN_S = 60
"""The clock looks at the channels every five seconds; a machine with much else to do takes its time."""


@dataclass(frozen=True, slots=True)
class Spare:
    """The other channel of the case's unit."""

    id: UUID
    carrier: FakeCarrier

    def accepted(self) -> list[str]:
        """What its carrier took, by what clients read."""
        return [message.body for message in self.carrier.messages if message.direction != "inbound"]


@pytest.fixture
def spare(stage: Stage) -> Iterator[Spare]:
    with FakeCarrier(reports=()) as carrier:
        settings = {"account_sid": "AC" + "0" * 32, "auth_token": "token", "sender": "+15005559999", "base_url": carrier.url}
        world = stage.world
        name = f"spare of {stage.number}"
        made = builders.channel(stage.engine, stage.vault, world.now, world.unit_id, kind="twilio", name=name, settings=settings)
        yield Spare(made, carrier)
        with unit_of_work(stage.engine) as work:
            channels.set_state(work, made, "disabled")


def weight(stage: Stage) -> int:
    return int(stage.world.value("SELECT weight FROM channels WHERE id = :c", c=stage.world.channel_id))


def flags(stage: Stage, reason: str) -> int:
    return int(stage.world.value("SELECT count(*) FROM flags WHERE unit_id = :u AND reason = :r", u=stage.world.unit_id, r=reason))


def each_once(stage: Stage, spare: Spare) -> Counter[str]:
    """How often clients read each text, by whichever channel."""
    return Counter([*(message.body for message in stage.accepted()), *spare.accepted()])


def test_in_a_storm_of_server_errors_unsent_texts_move_and_unknown_ones_never_do(stage: Stage, spare: Spare) -> None:
    stage.set_rate(15)
    stage.carrier.script("500", on="list")  # so that what is unknown stays so
    stage.carrier.script("accept_500")
    stage.plan(300)
    until(lambda: weight(stage) < 100, LOOKS_WITHIN_S, "the loss of weight")
    until(lambda: len(spare.accepted()) > 50, LOOKS_WITHIN_S, "the move of what has not left")
    unknown = stage.world.rows("SELECT id, channel_id FROM outbound WHERE state = 'unknown' AND id = ANY(:ids)", ids=stage.planned)
    assert unknown and {row.channel_id for row in unknown} == {stage.world.channel_id}
    stage.carrier.script("ok")
    stage.carrier.script("ok", on="list")
    stage.figures["moved of 300"] = len(spare.accepted())
    stage.until_done(SETTLED_WITHIN_S + 60)
    assert stage.states() == {"accepted": 300}
    counts = each_once(stage, spare)
    assert len(counts) == 300 and set(counts.values()) == {1}
    two_roads = "SELECT outbound_id FROM attempts WHERE state IN ('accepted', 'unknown') GROUP BY outbound_id HAVING count(DISTINCT channel_id) > 1"
    assert stage.world.rows(two_roads) == []


def test_a_channel_slow_for_a_quarter_gives_up_some_of_its_clients_and_keeps_the_others(stage: Stage, spare: Spare) -> None:
    stage.set_rate(15)
    ids = stage.plan(300)
    for message_id in ids[::4]:
        stage.carrier.script("accept_hang", to=stage.phone_of(message_id))
    until(lambda: weight(stage) < 100, LOOKS_WITHIN_S * 2, "the loss of weight")
    assert weight(stage) in (50, 75)
    stage.until_done(SETTLED_WITHIN_S + 60)
    assert 0 < len(spare.accepted()) < 200
    counts = each_once(stage, spare)
    assert len(counts) == 300 and set(counts.values()) == {1}


def test_when_both_fail_nothing_moves_and_a_person_is_told(stage: Stage, spare: Spare) -> None:
    for carrier in (stage.carrier, spare.carrier):
        carrier.script("500", on="list")
        carrier.script("500")
    stage.processes.stop("clock")  # it sees both at its first look: of one that failed before the other some texts would move
    stage.plan(30, channel_id=spare.id)
    stage.plan(30)
    until(lambda: stage.states() == {"unknown": 60}, what="60 unknown")
    stage.processes.start("clock")
    until(lambda: flags(stage, "channels_troubled") == 2, LOOKS_WITHIN_S, "the flags")
    assert weight(stage) == 100
    later = stage.plan(5, send_after=stage.world.now + timedelta(hours=1))
    stage.wait(6)
    where = stage.world.rows("SELECT DISTINCT channel_id FROM outbound WHERE id = ANY(:ids)", ids=later)
    assert [row.channel_id for row in where] == [stage.world.channel_id]
    stage.world.run("UPDATE outbound SET state = 'cancelled' WHERE id = ANY(:ids)", ids=later)
    for carrier in (stage.carrier, spare.carrier):
        carrier.script("ok", on="list")
        carrier.script("ok")
    stage.until_done(SETTLED_WITHIN_S + 30)


def test_a_clock_killed_while_texts_move_loses_none_and_doubles_none(stage: Stage, spare: Spare) -> None:
    stage.set_rate(1)
    stage.plan(3000)
    stage.carrier.script("error", code=30002, next=1)
    on_spare = "SELECT count(*) FROM outbound WHERE channel_id = :c"
    until(lambda: stage.world.value(on_spare, c=spare.id) > 0, LOOKS_WITHIN_S, "the first page to move")
    stage.processes.kill("clock")
    stage.figures["moved when killed"] = stage.world.value(on_spare, c=spare.id)
    stage.processes.start("clock")
    stage.until_done(120)
    counts = each_once(stage, spare)
    assert set(counts.values()) == {1}
    assert stage.states() == {"accepted": 3000}


def test_a_suspended_account_is_told_to_whoever_is_on_call_by_the_other_channel(stage: Stage, spare: Spare) -> None:
    stage.world.staff("+84929000001")
    stage.set_rate(20)
    stage.plan(40)
    stage.until_accepted(20)
    stage.carrier.script("error", code=30002)
    until(lambda: flags(stage, "channel_stopped") == 1, LOOKS_WITHIN_S, "the flag")
    stage.until_done(60)
    assert stage.states() == {"accepted": 40}
    until(lambda: any(m.to == "+84929000001" for m in spare.carrier.messages), 15, "the alert")
    ours = Counter({body: n for body, n in each_once(stage, spare).items() if "Canary body" in body})
    assert len(ours) == 40 and set(ours.values()) == {1}


def test_at_the_carriers_daily_limit_the_channel_pauses_and_resume_sends_the_rest_only(stage: Stage) -> None:
    stage.set_rate(20)
    stage.plan(40)
    stage.until_accepted(10)
    stage.carrier.script("error", code=63038)
    until(lambda: stage.world.value("SELECT state_reason FROM channels WHERE id = :c", c=stage.world.channel_id) == "daily_limit", what="the pause")
    until(lambda: flags(stage, "channel_stopped") == 1, LOOKS_WITHIN_S, "the flag")
    went = len(stage.accepted())
    assert 10 <= went < 40
    stage.carrier.script("ok")
    with unit_of_work(stage.engine) as work:
        channels.set_state(work, stage.world.channel_id, "active")
    stage.world.run("UPDATE outbound SET send_after = now() WHERE id = ANY(:ids) AND state = 'planned'", ids=stage.planned)
    stage.until_done(60)
    assert len(stage.accepted()) == 40
    assert set(Counter(m.body for m in stage.accepted()).values()) == {1}


def test_a_country_that_is_off_holds_up_no_other(stage: Stage) -> None:
    british = stage.plan_for(stage.world.client(phone="+447700900123"), send_after=stage.world.now + timedelta(seconds=1))
    stage.carrier.script("error", code=21408)
    stage.carrier.script("ok", to="+447700900123")
    viet = stage.plan(5)
    until(lambda: stage.world.value("SELECT off FROM channels WHERE id = :c", c=stage.world.channel_id) == ["+84"], what="the country to be off")
    stage.until_done(30, ids=[british])
    assert stage.states([british]) == {"accepted": 1}
    assert stage.states(viet) == {"planned": 5}
    posts = stage.carrier.posts
    stage.plan(20)
    stage.wait(3)
    assert stage.carrier.posts == posts
    stage.carrier.script("ok")
    with unit_of_work(stage.engine) as work:
        channels.set_state(work, stage.world.channel_id, "active")
    stage.world.run("UPDATE outbound SET send_after = now() WHERE id = ANY(:ids) AND state = 'planned'", ids=stage.planned)
    stage.until_done(60)


def test_what_a_carrier_asks_to_send_more_slowly_waits_for_it_though_another_is_idle(stage: Stage, spare: Spare) -> None:
    stage.carrier.script("429", retry_after=8)
    stage.plan(30)
    refused = "SELECT count(*) FROM attempts WHERE channel_id = :c AND state = 'not_sent'"
    until(lambda: stage.world.value(refused, c=stage.world.channel_id) == 30, 15, "the refusal of all")
    stage.carrier.script("ok")
    stage.until_done(60)
    assert (len(stage.accepted()), spare.accepted(), weight(stage)) == (30, [], 100)
