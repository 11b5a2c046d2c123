"""Whose a phone is while PostgreSQL is away: written apart from the copy, now and then, in pieces."""

import os
import time
from uuid import uuid4

import pytest

from gateway.channels.base import Inbound
from gateway.spool import Spool
from gateway.store import outage
from gateway.store.base import unit_of_work
from gateway.usecases.deputise import Heard
from gateway.usecases.outage import PHONES_SECONDS, Outage
from tests import builders
from tests.usecases.test_outage import CRY, Machine, machine, renewed

__all__ = ["machine"]


def heard(machine: Machine, process: Outage, phone: str) -> Heard:
    copy = process.copy()
    assert copy is not None
    entry = {"id": str(uuid4()), "at": 1.0, "channel": str(machine.world.channel_id)}
    return process._deputy.hear(copy, entry, Inbound(str(uuid4()), phone, "", CRY), 1.0)


def age(machine: Machine, name: str, seconds: float) -> None:
    os.utime(machine.folder / name, (time.time() - seconds,) * 2)


def test_a_cry_for_help_belongs_to_the_unit_of_whoever_has_the_phone_and_is_answered_in_their_language(machine: Machine) -> None:
    phone = machine.world.phone_of(machine.world.client(language="fr"))
    other = builders.unit(machine.world.engine, machine.world.now, code="other")
    machine.world.run("UPDATE clients SET unit_id = :other", other=other)
    renewed(machine)
    about = heard(machine, machine.process(), phone)
    assert (about.unit, about.languages[0]) == (str(other), "fr")


def test_a_client_who_was_added_since_is_one_nobody_knows_until_the_phones_are_written_again(machine: Machine) -> None:
    machine.world.client(language="fr")
    process = machine.process(machine.world.engine)
    process.renew()
    later = machine.world.phone_of(machine.world.client(language="fr"))
    age(machine, "copy", 120)
    process.look()
    assert heard(machine, process, later).languages[0] != "fr"
    age(machine, "copy", 120)
    age(machine, "phones", PHONES_SECONDS + 1)
    for _ in range(4):
        process.look()
    process._deputy.finish()
    assert heard(machine, process, later).languages[0] == "fr"


@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_pieces_of_any_size_hold_all_phones_and_each_with_everybody_on_it(machine: Machine, most: int) -> None:
    phones = [machine.world.phone_of(machine.world.client()) for _ in range(3)]
    machine.world.client(phones[0], language="fr")
    gone = machine.world.client()
    machine.world.run("UPDATE clients SET status = 'closed' WHERE id = :gone", gone=gone)
    found: outage.Phones = {}
    after: bytes | None = b""
    while after is not None:
        with unit_of_work(machine.world.engine) as work:
            piece, after = outage.phones(work, after, most)
        assert len(piece) <= most
        found |= piece
    assert set(found) == {machine.world.vault.hash_phone(phone).hex() for phone in phones}
    assert sorted(found[machine.world.vault.hash_phone(phones[0]).hex()][1]) == ["fr", "vi"]


def test_the_old_phones_stay_until_the_last_piece_is_written_and_none_can_be_read_on_disk(machine: Machine) -> None:
    spool = Spool(machine.folder, machine.world.vault, 2**20, floor=0)
    spool.open()
    list(spool.save_phones([{"secret": 1}]))
    writing = spool.save_phones([{"a": 2}, {"b": 3}])
    next(writing), next(writing)
    assert list(spool.phones()) == [{"secret": 1}]
    assert b"secret" not in (machine.folder / "phones").read_bytes()
    list(writing)
    assert list(spool.phones()) == [{"a": 2}, {"b": 3}]
    assert [each.name for each in machine.folder.iterdir()] == ["phones"]


@pytest.mark.parametrize("line", [b"c29tZQ==\n", b"no base64\n", b"A"])
def test_phones_that_cannot_be_read_hold_up_no_cry_for_help(machine: Machine, line: bytes) -> None:
    phone = machine.world.phone_of(machine.world.client())
    renewed(machine)
    (machine.folder / "phones").write_bytes(line)
    assert "crisis" in heard(machine, machine.process(), phone).wants
