"""Long texts that come in parts: kept as they come, understood when whole, or after a minute; stop and danger count at once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count, permutations
from uuid import UUID

import pytest
from sqlalchemy import Engine

from gateway.channels.base import Inbound, Part
from gateway.domain.parts import GAP
from gateway.store import channels, erasure
from gateway.store.base import unit_of_work
from gateway.usecases import receive_message, sweep
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World

PHONE = "+84912000001"
_ids = count(1)


@dataclass(slots=True)
class Here:
    world: World
    now: datetime

    def part(self, number: int, total: int, words: str, reference: str = "7", carrier_id: str | None = None, phone: str = PHONE) -> UUID | None:
        """A part comes, a second after the last."""
        self.now += timedelta(seconds=1)
        with unit_of_work(self.world.engine) as work:
            channel = channels.get(work, self.world.vault, self.world.channel_id)
        message = Inbound(carrier_id or f"P{next(_ids)}", phone, "+15005550001", words, part=Part(reference, number, total))
        return receive_message.receive(self.world.engine, self.world.vault, CONTENT, channel, message, lambda _: None, self.now)

    def later(self, **time: float) -> int:
        """The clock looks, so much later."""
        self.now += timedelta(**time)
        return receive_message.retry_unhandled(self.world.engine, self.world.vault, CONTENT, lambda _: None, self.now)

    def texts(self) -> list[tuple[str, str | None]]:
        """What is kept, with what it was understood as."""
        rows = self.world.rows("""SELECT i.id, i.key_id, i.body_enc, i.meaning, k.wrapped FROM inbound i JOIN keys k ON k.id = i.key_id
                                  ORDER BY i.received_at""")  # fmt: skip
        vault = self.world.vault
        return [(vault.open_key(row.wrapped, row.key_id).decrypt(row.body_enc, "inbound.body", row.id), row.meaning) for row in rows]

    def purposes(self) -> list[str]:
        return [row.purpose for row in self.world.rows("SELECT purpose FROM outbound ORDER BY purpose")]


@pytest.fixture
def here(engine: Engine, vault: Vault, now: datetime) -> Here:
    world = builders.world(engine, vault, now)
    world.client(PHONE)
    return Here(world, now)


@pytest.mark.parametrize("order", [*permutations((1, 2, 3))])
def test_parts_in_any_order_are_one_text_understood_once_it_is_whole(here: Here, order: tuple[int, ...]) -> None:
    said = {1: "Chào chị, ", 2: "hôm nay em bận. ", 3: "Canary"}
    for number in order:
        assert here.texts() == [] or here.texts()[0][1] is None
        assert here.part(number, 3, said[number]) is not None
    assert here.texts() == [("Chào chị, hôm nay em bận. Canary", "other")]
    assert here.purposes() == ["not_understood"]


def test_a_part_that_comes_twice_changes_nothing(here: Here) -> None:
    here.part(1, 2, "Canary one ", carrier_id="A")
    assert here.part(1, 2, "Canary one ", carrier_id="A") is None
    assert here.part(1, 2, "Canary one ", carrier_id="B") is None
    here.part(2, 2, "and two", carrier_id="C")
    assert here.part(2, 2, "and two", carrier_id="C") is None
    assert here.texts() == [("Canary one and two", "other")]


def test_a_part_that_is_posted_again_much_later_changes_nothing(here: Here) -> None:
    here.part(1, 2, "Canary one ", carrier_id="A")
    here.part(2, 2, "stop all this", carrier_id="B")
    for hours in (2, 23):  # the second time it is forgotten
        here.now += timedelta(hours=hours)
        sweep.forget_parts(here.world.engine, here.now)
        assert here.part(1, 2, "Canary one ", carrier_id="A") is here.part(2, 2, "stop all this", carrier_id="B") is None
    assert here.part(1, 2, "Canary two ", carrier_id="A") is not None  # a carrier that uses an id again
    assert [body for body, _ in here.texts()] == ["Canary one stop all this", f"Canary two {GAP}"]


def test_after_a_minute_it_is_understood_with_a_mark_where_something_is_missing(here: Here) -> None:
    here.part(3, 4, "Canary end")
    assert here.later(seconds=40) == 0
    assert here.later(seconds=30) == 1
    assert here.texts() == [(f"{GAP}Canary end{GAP}", "other")]
    here.part(1, 4, "Canary late")  # of a text that is closed: not lost
    assert here.later(seconds=90) == 1
    assert here.texts()[1] == (f"Canary late{GAP}", "other")


def test_a_cry_for_help_in_one_part_is_answered_and_told_of_at_once_and_once(here: Here) -> None:
    here.world.staff("+84919990001")
    here.part(2, 3, "toi muon chet ")
    assert here.purposes() == ["crisis_answer", "staff_alert"]
    here.part(1, 3, "Canary ")
    here.part(3, 3, "canary")
    assert here.texts() == [("Canary toi muon chet canary", "crisis")]
    assert here.purposes() == ["crisis_answer", "staff_alert"]
    assert here.world.value("SELECT count(*) FROM flags WHERE reason = 'crisis'") == 1


def test_a_cry_for_help_cut_in_two_is_heard_as_soon_as_both_halves_are_there(here: Here) -> None:
    here.part(1, 3, "toi mu")
    assert here.purposes() == []
    here.part(2, 3, "on chet")
    assert here.purposes() == ["crisis_answer"]


def test_a_stop_in_one_part_stops_at_once_and_is_confirmed_once(here: Here) -> None:
    here.part(2, 2, "STOP")
    assert here.world.value("SELECT reason FROM stops") == "stop"
    assert here.purposes() == ["stop_confirmed"]
    here.part(1, 2, "Canary ")
    assert here.world.value("SELECT reason FROM stops") == "stop"
    assert here.purposes() == ["stop_confirmed"]


def test_a_reference_used_again_hours_later_does_not_mix_two_texts(here: Here) -> None:
    here.part(1, 2, "Canary morning ")
    here.now += timedelta(hours=5)  # and no clock ran meanwhile
    here.part(2, 2, "evening")
    here.part(1, 2, "Canary ")
    assert here.later(seconds=90) == 1
    assert [body for body, _ in here.texts()] == [f"Canary morning {GAP}", "Canary evening"]


def test_two_phones_with_one_reference_do_not_mix(here: Here) -> None:
    here.part(1, 2, "Canary mine ")
    here.part(2, 2, "theirs", phone="+84912000002")
    assert sorted(body for body, _ in here.texts()) == [f"{GAP}theirs", f"Canary mine {GAP}"]


def test_numbers_that_make_no_sense_are_a_text_of_their_own(here: Here) -> None:
    here.part(3, 2, "Canary")
    assert here.texts() == [("Canary", "other")]


def test_an_erased_client_leaves_no_parts(here: Here) -> None:
    client_id = here.world.client("+84912000003")
    here.part(1, 2, "Canary ", phone="+84912000003")
    with unit_of_work(here.world.engine) as work:
        erasure.erase(work, here.world.vault, client_id, None)
    assert here.world.value("SELECT count(*) FROM inbound_parts") == 0


def test_a_part_of_an_erased_client_that_is_posted_again_brings_nobody_back(here: Here) -> None:
    client_id = here.world.client("+84912000003")
    for number, words in ((1, "Canary "), (2, "stop")):
        here.part(number, 2, words, phone="+84912000003", carrier_id=f"E{number}")
    with unit_of_work(here.world.engine) as work:
        erasure.erase(work, here.world.vault, client_id, None)
    assert here.part(2, 2, "stop", phone="+84912000003", carrier_id="E2") is None


def test_parts_are_forgotten_after_a_day_and_the_text_stays(here: Here) -> None:
    here.part(1, 2, "Canary ")
    here.part(2, 2, "canary")
    assert sweep.forget_parts(here.world.engine, here.now + timedelta(hours=23)) == 0
    assert sweep.forget_parts(here.world.engine, here.now + timedelta(hours=25)) == 2
    assert [body for body, _ in here.texts()] == ["Canary canary"]
