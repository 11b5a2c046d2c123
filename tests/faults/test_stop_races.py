"""STOP races a campaign: committed before a text is `submitting`, nothing leaves; after it, that one text at most.

Case 15 of the fault table. Real transactions are interleaved statement by statement; then real processes race.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from gateway.channels.base import Inbound, SendResult
from gateway.queues import silent
from gateway.store import base, channels, messages
from gateway.store.base import unit_of_work
from gateway.store.messages import Outcome
from gateway.usecases import receive_message, record_outcomes, send_due
from gateway.usecases.record_outcomes import Ended, Sent
from gateway.vault import Vault, parse_keys
from tests import builders, servers
from tests.builders import CONTENT, World
from tests.faults.interleaving import Lane, play
from tests.faults.processes import until
from tests.faults.stage import FULL, SETTLED_WITHIN_S, Stage

NOW = datetime(2026, 2, 10, 3, 0, tzinfo=UTC)
TEXTS = 2  # planned for each client
OUTCOMES = ("accepted", "throttled", "not_sent_retry", "unknown")
_races = count(1)


@dataclass(frozen=True, slots=True)
class Track:
    """A database, a lane for the sender and one for each STOP."""

    world: World
    admin: psycopg.Connection
    sender: Lane
    stops: tuple[Lane, Lane]


@pytest.fixture(scope="module")
def track(keys: dict[str, str]) -> Iterator[Track]:
    vault = Vault(parse_keys(keys["GATEWAY_MASTER_KEYS"]), parse_keys(keys["GATEWAY_INDEX_KEYS"]))
    with servers.new_database() as database, psycopg.connect(database.admin_url, autocommit=True) as admin:
        engine = base.connect(database.url)
        lanes = [Lane(name, database.url) for name in ("send", "stop", "again")]
        unit_id = builders.unit(engine, NOW, hours=None)
        yield Track(World(engine, vault, unit_id, uuid4(), NOW), admin, lanes[0], (lanes[1], lanes[2]))
        for each in (engine, *(lane.engine for lane in lanes)):
            each.dispose()


@dataclass
class Race:
    """Texts due to everyone on one phone, and a STOP from it; `left` is what went to the carrier, in order."""

    track: Track
    people: int = 1
    outcome: str = "accepted"
    left: list[Sent] = field(default_factory=list)
    texts: set[UUID] = field(default_factory=set)

    def __post_init__(self) -> None:
        n, world = next(_races), self.track.world
        self.phone = f"+8492{n:07d}"
        channel_id = builders.channel(world.engine, world.vault, NOW, world.unit_id, name=f"race {n}")
        self.world = World(world.engine, world.vault, world.unit_id, channel_id, NOW)
        for client_id in [self.world.client(self.phone) for _ in range(self.people)]:
            self.texts |= {self.world.planned(client_id, body=f"Canary body {uuid4()}") for _ in range(TEXTS)}
        with unit_of_work(world.engine) as work:
            self.channel = channels.get(work, world.vault, channel_id)

    def send(self, engine: Engine) -> None:
        """What a worker does: claim, let each text leave, record."""
        sends = send_due.claim(engine, self.world.vault, self.channel.id, 10, NOW).sends
        for sent in sends:
            self.track.sender.halt("first byte")
            self.left.append(sent)
        if sends:
            self._record(engine, sends, self.outcome, NOW)

    def stop(self, engine: Engine, sid: str) -> None:
        """What the web process does when STOP comes in."""
        receive_message.receive(engine, self.world.vault, CONTENT, self.channel, Inbound(sid, self.phone, "+84900000000", "STOP"), silent, NOW)

    def go_on(self) -> list[Sent]:
        """What leaves in the next hour, with every unknown text planned again, as if the carrier did not show it."""
        before = len(self.left)
        for minutes in (1, 15, 40):
            at = NOW + timedelta(minutes=minutes)
            self._plan_unknown_again(at)
            sends = send_due.claim(self.world.engine, self.world.vault, self.channel.id, 10, at).sends
            self.left += sends
            if sends:
                self._record(self.world.engine, sends, "accepted", at)
        return self.left[before:]

    def _record(self, engine: Engine, sends: Sequence[Sent], outcome: str, at: datetime) -> None:
        result = SendResult(outcome, str(uuid4()) if outcome == "accepted" else None)  # type: ignore[arg-type]
        record_outcomes.record(engine, self.world.vault, [Ended(self.channel.id, sent, result) for sent in sends], at)

    def _plan_unknown_again(self, at: datetime) -> None:
        unknown = self.world.rows("SELECT id, attempt_id FROM outbound WHERE channel_id = :c AND state = 'unknown'", c=self.channel.id)
        with unit_of_work(self.world.engine, now=at) as work:
            messages.record(work, [Outcome(row.id, row.attempt_id, "planned", "carrier_shows_none", again_at=at) for row in unknown])

    def check(self, steps: list[tuple[str, str]]) -> None:
        """What must hold after the steps of a race, whatever their order."""
        raced = [sent for sent in self.left if sent.message_id in self.texts]
        if steps.index(("stop", "commit")) < steps.index(("send", "commit")):
            assert not raced, "a text left though STOP was committed before its claim"
        assert len(raced) == len({sent.client_id for sent in raced}), "a client had two texts on their way"
        later = [sent.message_id for sent in self.go_on()]
        assert not self.texts & set(later), "a text left after the stop"
        confirmed = self.world.rows("SELECT id, state FROM outbound WHERE channel_id = :c AND purpose = 'stop_confirmed'", c=self.channel.id)
        assert [row.state for row in confirmed] == ["accepted"], "not one confirmation"
        states = {row.state for row in self.world.rows("SELECT state FROM outbound WHERE id = ANY(:ids)", ids=list(self.texts - set(_ids(raced))))}
        assert states <= {"cancelled", "suppressed"}


def _ids(sends: Sequence[Sent]) -> list[UUID]:
    return [sent.message_id for sent in sends]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_stop_that_comes_at_any_step_of_sending_lets_one_text_leave_at_most(track: Track, outcome: str) -> None:
    before = 0
    while True:
        race = Race(track, outcome=outcome)
        track.sender.begin(race.send)
        track.stops[0].begin(lambda engine, race=race: race.stop(engine, str(uuid4())))
        steps = play([track.sender, track.stops[0]], [0] * before + [1] * 60, track.admin)
        race.check(steps)
        before += 1
        if before > sum(lane == "send" for lane, _ in steps):
            break
    assert before > 10, "sending has more steps than that"


@settings(max_examples=1000 if FULL else 40)
@given(
    turns=st.lists(st.integers(0, 5), max_size=80), people=st.integers(1, 2), outcome=st.sampled_from(OUTCOMES),
    again=st.sampled_from(["nothing", "the carrier's repeat", "another STOP"]),
)  # fmt: skip
def test_a_stop_however_interleaved_stops_and_is_confirmed_once(track: Track, turns: list[int], people: int, outcome: str, again: str) -> None:
    race, sid = Race(track, people, outcome), str(uuid4())
    lanes = [track.sender, track.stops[0]]
    track.sender.begin(race.send)
    track.stops[0].begin(lambda engine: race.stop(engine, sid))
    if again != "nothing":
        lanes.append(track.stops[1])
        track.stops[1].begin(lambda engine: race.stop(engine, sid if again == "the carrier's repeat" else str(uuid4())))
    race.check(play(lanes, turns, track.admin))


def test_stops_in_the_middle_of_a_campaign_let_at_most_the_text_on_its_way_arrive(stage: Stage) -> None:
    stage.carrier.carrier.latency_ms = 100
    people = stage.clients(30)
    phones = [stage.world.phone_of(client) for client in people]
    for client in people * TEXTS:
        stage.plan_for(client)
    stage.until_accepted(10)
    arrived = {}
    for phone in phones:
        assert stage.say(phone, "STOP")[1] == 200
        arrived[phone] = len(stage.received(phone))
    stage.until_done()
    confirmed = "SELECT count(*) FROM outbound WHERE channel_id = :c AND purpose = 'stop_confirmed' AND state = 'accepted'"
    until(lambda: stage.world.value(confirmed, c=stage.world.channel_id) == len(phones), what="the confirmations")
    for phone in phones:
        texts = [body for body in stage.received(phone) if "Canary" not in body]
        assert len(texts) == 1, "not one confirmation"
        assert len(stage.received(phone)) - 1 <= arrived[phone] + 1
    assert set(stage.states()) <= {"accepted", "cancelled", "suppressed"}


@pytest.mark.parametrize("mode", ["429", "500", "accept_500"])
def test_what_had_failed_or_was_unknown_when_stop_came_never_leaves_again(stage: Stage, mode: str) -> None:
    stage.carrier.script(mode, **({"retry_after": 2} if mode == "429" else {}))
    stage.plan(5)
    answered = "SELECT count(*) FROM attempts WHERE channel_id = :c AND state <> 'submitting'"
    until(lambda: stage.world.value(answered, c=stage.world.channel_id) == 5, what="the answers")
    there = len(stage.accepted())
    stage.carrier.script("ok")
    phones = [stage.phone_of(message_id) for message_id in stage.planned]
    for phone in phones:
        assert stage.say(phone, "STOP")[1] == 200
    stage.until_done(SETTLED_WITHIN_S)
    until(lambda: len(stage.accepted()) == there + len(phones), what="the confirmations")
    assert not [body for phone in phones for body in stage.received(phone)[there // 5:] if "Canary" in body]
