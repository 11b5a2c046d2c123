"""A cry for help is answered once, whichever half of the system still reaches PostgreSQL; and what left has an attempt row."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from time import sleep, time
from uuid import UUID, uuid4

import pytest

from gateway.channels.base import Inbound, Part
from gateway.spool import DEPUTY, LAPSES_SECONDS, LATER, WORKER, Spool
from gateway.store.base import Work, unit_of_work
from gateway.usecases import escalate, send_due
from gateway.usecases.adopt import NOTHING, Already, Said
from gateway.usecases.outage import Outage
from gateway.usecases.receive_message import receive
from gateway.usecases.record_outcomes import Recorder
from gateway.usecases.send_due import Sender
from gateway.usecases.turns import Turns
from gateway.wire import Wire
from tests.builders import CONTENT
from tests.faults.processes import until
from tests.usecases.test_outage import CRY, Machine, machine, renewed
from tests.usecases.test_outage_more import channel, settled

__all__ = ["machine"]
GUARD = "+84919990001"


@pytest.fixture
def worker(machine: Machine) -> Iterator[Callable[..., Sender]]:
    """Makes send workers of the machine."""
    with ExitStack() as ends:

        def made(**options: float) -> Sender:
            wire, recorder = Wire(connect_s=1, read_s=1).start(), Recorder(machine.world.engine, machine.world.vault)
            ends.callback(recorder.close)
            ends.callback(wire.close)
            turns = Turns(Spool(machine.folder, machine.world.vault, 0), machine.world.vault, **options)
            return Sender(machine.world.engine, machine.world.vault, wire, recorder, "http://127.0.0.1:1", turns=turns)

        yield made


@pytest.fixture
def crying(machine: Machine) -> str:
    machine.world.staff(GUARD)
    phone = machine.world.phone_of(machine.world.client())
    renewed(machine)
    return phone


def kept(machine: Machine, phone: str) -> str:
    """A cry for help that the database keeps, though the carrier never heard so; its id."""
    sid = f"SM{uuid4().hex}"
    receive(machine.world.engine, machine.world.vault, CONTENT, channel(machine), Inbound(sid, phone, "+15005550001", CRY), lambda _: None)
    return sid


def read(machine: Machine, phone: str) -> int:
    return sum(message.to == phone for message in machine.carrier.messages)


def deputised(machine: Machine, process: Outage, texts: int, after: float = 10) -> None:
    """The deputy does what cannot wait, until the carrier has so many texts more."""
    before = machine.carrier.accepted_count()
    process.look(time() + after)
    until(lambda: machine.carrier.accepted_count() == before + texts and settled(process), 10, "the deputy's texts")


def served(machine: Machine, sender: Sender) -> None:
    """A worker sends all that is due, also what it put off for a moment."""
    machine.world.run("UPDATE outbound SET send_after = now() WHERE state = 'planned'")
    sender.due(machine.world.channel_id)
    until(lambda: machine.world.value("SELECT count(*) FROM outbound WHERE state = 'submitting' AND attempt_id IS NOT NULL "
                                      "AND NOT EXISTS (SELECT FROM attempts a WHERE a.id = attempt_id AND a.state <> 'submitting')") == 0, 10, "outcomes")  # fmt: skip


def flushed(machine: Machine) -> None:
    machine.process(machine.world.engine).look()


def all_told(machine: Machine) -> None:
    """Whatever the carrier has, the database knows that it left, and of which text."""
    tokens = {UUID(message.token) for message in machine.carrier.messages}
    attempts = machine.world.rows("SELECT a.id, o.id AS message FROM attempts a JOIN outbound o ON o.id = a.outbound_id WHERE a.state = 'accepted'")
    assert tokens == {row.id for row in attempts}
    assert len({row.message for row in attempts}) == len(attempts)


def test_what_a_worker_that_still_reaches_the_database_has_answered_the_deputy_does_not(
    machine: Machine, worker: Callable[..., Sender], crying: str
) -> None:
    sid = kept(machine, crying)
    away = machine.process()
    machine.say(away, crying, CRY, sid)
    served(machine, worker())
    assert read(machine, crying) == 1
    deputised(machine, away, 1)
    assert read(machine, crying) == 1
    assert read(machine, GUARD) == 2  # staff rather hear twice
    away.spool.release()
    flushed(machine)
    all_told(machine)


def test_what_the_deputy_has_answered_no_worker_does_that_reaches_the_database_before_the_spool_is_emptied(
    machine: Machine, worker: Callable[..., Sender], crying: str
) -> None:
    sid = kept(machine, crying)
    away = machine.process()
    machine.say(away, crying, CRY, sid)
    deputised(machine, away, 2)
    sender = worker(wait_s=0)
    served(machine, sender)
    assert read(machine, crying) == 1
    away.spool.release()
    flushed(machine)
    served(machine, sender)
    assert read(machine, crying) == 1
    all_told(machine)


def test_an_answer_that_waits_for_another_channel_is_not_given_there_after_the_deputy_gave_it(
    machine: Machine, worker: Callable[..., Sender], crying: str
) -> None:
    sid = kept(machine, crying)
    away = machine.process()
    machine.say(away, crying, CRY, sid)
    deputised(machine, away, 2)
    machine.world.run("INSERT INTO channels SELECT (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid(), 'name', 'other'))).* FROM channels c")
    with unit_of_work(machine.world.engine) as work:
        later = work.now + timedelta(minutes=1)
    escalate.escalate(machine.world.engine, machine.world.vault, CONTENT, lambda _: None, later)
    beside = "SELECT count(*) FROM outbound WHERE purpose = 'crisis_answer' AND state = 'planned'"
    assert machine.world.value(beside) == 2
    away.spool.release()
    flushed(machine)
    assert machine.world.value(beside) == 0


def test_a_text_whose_copy_comes_out_of_the_spool_first_brings_what_was_said_about_it(machine: Machine, crying: str) -> None:
    away = machine.process()
    sid = machine.say(away, crying, CRY)
    deputised(machine, away, 2)
    (file,) = away.spool.waiting()
    file.rename(file.with_name(file.name + LATER))  # it could not be kept just then
    machine.say(away, crying, CRY, sid)  # the carrier posts again
    away.spool.release()
    flushed(machine)
    states = machine.world.rows("SELECT state FROM outbound WHERE purpose IN ('crisis_answer', 'staff_alert')")
    assert {row.state for row in states} == {"accepted"}
    all_told(machine)


def test_a_claim_in_doubt_that_is_withdrawn_after_the_spool_was_emptied_gives_no_second_answer(
    machine: Machine, worker: Callable[..., Sender], crying: str
) -> None:
    sid = kept(machine, crying)
    doubtful = send_due.claim(machine.world.engine, machine.world.vault, machine.world.channel_id, 10)  # its commit's answer was lost
    away = machine.process()
    machine.say(away, crying, CRY, sid)
    deputised(machine, away, 2)
    away.spool.release()
    flushed(machine)
    send_due.withdraw(machine.world.engine, doubtful.sends)
    served(machine, worker())
    assert read(machine, crying) == 1


def test_what_the_carrier_did_not_take_from_the_worker_the_deputy_says(machine: Machine, worker: Callable[..., Sender], crying: str) -> None:
    sid = kept(machine, crying)
    machine.carrier.script("429")
    served(machine, worker())
    machine.carrier.script("ok")
    away = machine.process()
    machine.say(away, crying, CRY, sid)
    deputised(machine, away, 2)
    assert read(machine, crying) == 1


def test_what_the_carrier_did_not_take_from_the_deputy_the_worker_says(machine: Machine, worker: Callable[..., Sender], crying: str) -> None:
    sid = kept(machine, crying)
    away = machine.process()
    machine.say(away, crying, CRY, sid)
    machine.carrier.script("429")
    before = machine.carrier.posts
    away.look(time() + 10)
    until(lambda: machine.carrier.posts >= before + 2 and settled(away), 10, "the refusals")
    machine.carrier.script("ok")
    served(machine, worker())
    assert read(machine, crying) == 1


def test_nobody_waits_for_a_deputy_that_is_no_more(machine: Machine, worker: Callable[..., Sender], crying: str) -> None:
    kept(machine, crying)
    sender, gone = worker(wait_s=0.2), machine.process()
    with unit_of_work(machine.world.engine) as work:
        (message_id,) = [row.id for row in machine.world.rows("SELECT id FROM outbound WHERE purpose = 'crisis_answer'")]
        names = sender._turns._names(work, [message_id])[message_id]  # type: ignore[union-attr]
    assert gone.spool.claim(names, "deputy")
    assert gone.spool.hold()
    for _ in range(2):
        served(machine, sender)
        sleep(0.2)
    assert read(machine, crying) == 0
    gone.spool.release()
    sleep(0.2)
    served(machine, sender)
    assert read(machine, crying) == 1


def test_what_the_database_took_over_the_deputy_begins_no_more(machine: Machine, crying: str) -> None:
    away = machine.process()
    machine.say(away, crying, CRY)
    away._listen(time())
    ((about, case),) = away._deputy._cases.items()
    copy = away.copy()
    assert copy is not None
    assert away._deputy.hand_over(about).answer is None
    away._deputy._answer(f"{about}:answer", copy, case.heard)
    assert read(machine, crying) == 0
    away._deputy.handed_over(about, kept=False)
    away._deputy._answer(f"{about}:answer", copy, case.heard)
    assert read(machine, crying) == 1


def names_of(machine: Machine, sender: Sender) -> tuple[UUID, list[UUID]]:
    """The answer that is planned, and what it is claimed by."""
    (answer,) = [row.id for row in machine.world.rows("SELECT id FROM outbound WHERE purpose = 'crisis_answer'")]
    assert sender._turns is not None
    with unit_of_work(machine.world.engine) as work:
        return answer, sender._turns._names(work, [answer])[answer]


def test_what_a_worker_that_was_killed_had_claimed_and_not_said_the_deputy_says(
    machine: Machine, worker: Callable[..., Sender], crying: str
) -> None:
    sid = kept(machine, crying)
    away = machine.process()
    _, (name,) = names_of(machine, worker())
    assert away.spool.claim([name], WORKER)
    machine.say(away, crying, CRY, sid)
    deputised(machine, away, 1)
    assert read(machine, crying) == 0
    long_ago = time() - LAPSES_SECONDS
    os.utime(machine.folder / f"{name}.{WORKER}", (long_ago, long_ago))
    deputised(machine, away, 1)
    assert read(machine, crying) == 1


def test_what_a_worker_said_long_ago_the_deputy_does_not_say(machine: Machine, worker: Callable[..., Sender], crying: str) -> None:
    sid = kept(machine, crying)
    sender, away = worker(), machine.process()
    _, (name,) = names_of(machine, sender)
    served(machine, sender)
    machine.say(away, crying, CRY, sid)
    long_ago = time() - LAPSES_SECONDS
    os.utime(machine.folder / f"{name}.{WORKER}", (long_ago, long_ago))
    deputised(machine, away, 1)
    away.look(time() + 10)
    until(lambda: settled(away), what="its try")
    assert read(machine, crying) == 1


@pytest.mark.parametrize("first_left", [False, True])
def test_an_answer_that_one_channel_refused_is_still_the_workers_while_another_channel_has_it(
    machine: Machine, worker: Callable[..., Sender], crying: str, first_left: bool
) -> None:
    kept(machine, crying)
    sender, deputy = worker(), machine.process()
    answer, names = names_of(machine, sender)
    turns, beside = sender._turns, uuid4()
    assert turns is not None and turns._claim(answer, names) and turns._claim(beside, names)
    turns.ended(answer, lambda: first_left)
    assert not deputy.spool.claim(names, DEPUTY)
    turns.ended(beside, lambda: False)
    assert deputy.spool.claim(names, DEPUTY) is not first_left


def test_answers_that_are_claimed_beside_one_that_the_deputy_has_are_given_back_when_the_database_goes_away(
    machine: Machine, worker: Callable[..., Sender], crying: str
) -> None:
    class Gone(Exception): ...

    class GoesAway:
        """A transaction whose database is there for the first question alone."""

        def __init__(self, work: Work) -> None:
            self.all, self.now = work.all, work.now

        def execute(self, *_: object) -> None:
            raise Gone

    other = machine.world.phone_of(machine.world.client())
    kept(machine, crying)
    sender, deputy = worker(), machine.process()
    answer, names = names_of(machine, sender)
    assert deputy.spool.claim(names, DEPUTY)
    kept(machine, other)
    both = [row.id for row in machine.world.rows("SELECT id FROM outbound WHERE purpose = 'crisis_answer'")]
    turns = sender._turns
    assert turns is not None
    with unit_of_work(machine.world.engine) as work:
        of_all = turns._names(work, both)
        with pytest.raises(Gone):
            turns.take(GoesAway(work), both)  # type: ignore[arg-type]
    (others,) = [of_all[each] for each in both if each != answer]
    assert deputy.spool.claim(others, DEPUTY)


def test_what_the_deputy_answered_in_the_second_part_of_a_text_is_not_answered_for_the_first_after_it(
    machine: Machine, worker: Callable[..., Sender], crying: str
) -> None:
    """The database had the first part, and went away before the second and before a worker came."""

    def part(number: int, words: str, already: Already = NOTHING) -> None:
        text = Inbound(f"part {number}", crying, "+15005550001", words, part=Part("7", number, 2))
        receive(machine.world.engine, machine.world.vault, CONTENT, channel(machine), text, lambda _: None, already=already)

    part(1, f"{CRY} ")
    said = Said(uuid4(), machine.world.channel_id, crying, "call 115", "crisis_answer", "vi", accepted=True, carrier_id="SM1")
    part(2, CRY, Already(said))
    served(machine, worker())
    assert read(machine, crying) == 0
    assert machine.world.value("SELECT count(*) FROM outbound WHERE purpose = 'crisis_answer' AND state = 'accepted'") == 1
