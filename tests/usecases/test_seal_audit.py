"""The trail is sealed in batches, loses nothing that commits late, and shows whatever was done to it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from gateway.domain import trail
from gateway.store import audit, clients
from gateway.store.base import Actor, unit_of_work
from gateway.usecases import erase_client, seal_audit
from tests import builders
from tests.builders import World


@pytest.fixture
def world(engine, vault, now) -> World:
    return builders.world(engine, vault, now)


def write(world: World, count: int, subject: UUID | None = None) -> None:
    """So many deeds, in a transaction each."""
    for n in range(count):
        with unit_of_work(world.engine, now=world.now + timedelta(seconds=n)) as work:
            audit.add(work, "client.show", "client", subject or uuid4(), world.unit_id, {"n": n})


def sealed(world: World, rows: int = 12, batch: int = 4) -> seal_audit.Verified:
    """A trail of so many rows, sealed batch by batch."""
    write(world, rows)
    while seal_audit.seal(world.engine, world.now, batch):
        pass
    return seal_audit.verify(world.engine)


@contextmanager
def owner(database) -> Iterator[psycopg.Connection]:
    """Whoever owns the database, above all policies."""
    with psycopg.connect(database.admin_url) as connection:
        yield connection


def test_every_row_is_sealed_once_and_nothing_is_sealed_twice(world: World) -> None:
    found = sealed(world)
    assert (found.fault, found.waiting) == (None, 0)
    assert found.last is not None and (found.last.number, found.last.last) == (3, 12)
    assert seal_audit.seal(world.engine, world.now) == 0
    write(world, 1)
    assert seal_audit.verify(world.engine).waiting == 1
    assert seal_audit.seal(world.engine, world.now) == 1


def test_an_empty_trail_is_in_order(world: World) -> None:
    assert seal_audit.verify(world.engine) == seal_audit.Verified(None, None, 0, None, None)


def test_a_row_that_commits_after_later_ones_were_sealed_is_sealed_next(world: World) -> None:
    with unit_of_work(world.engine, now=world.now) as slow:
        audit.add(slow, "unit.edit", "unit", world.unit_id, world.unit_id)
        write(world, 3)
        assert seal_audit.seal(world.engine, world.now) == 3
    assert seal_audit.seal(world.engine, world.now) == 1
    rows = world.rows("SELECT id, action FROM audit ORDER BY number")
    assert rows[-1].action == "unit.edit" and rows[-1].id == min(row.id for row in rows)
    assert seal_audit.verify(world.engine).fault is None


def test_writers_and_sealers_at_once_lose_nothing(world: World) -> None:
    done = threading.Event()

    def keep_sealing() -> None:
        while not done.is_set():
            seal_audit.seal(world.engine, world.now, 7)

    writers = [threading.Thread(target=write, args=(world, 40)) for _ in range(3)]
    sealers = [threading.Thread(target=keep_sealing) for _ in range(2)]
    for thread in [*writers, *sealers]:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in sealers:
        thread.join()
    while seal_audit.seal(world.engine, world.now):
        pass
    found = seal_audit.verify(world.engine)
    assert (found.fault, found.waiting) == (None, 0)
    assert found.last is not None and found.last.last == 120 == world.value("SELECT count(DISTINCT number) FROM audit")


TAMPERED = {
    "UPDATE audit SET action = 'client.edit' WHERE number = 6": (trail.CHANGED, 2, 5),
    "UPDATE audit SET detail = '{\"n\": 99}' WHERE number = 12": (trail.CHANGED, 3, 9),
    "UPDATE audit SET staff_id = gen_random_uuid() WHERE number = 1": (trail.CHANGED, 1, 1),
    "UPDATE audit SET at = at + interval '1 microsecond' WHERE number = 5": (trail.CHANGED, 2, 5),
    "UPDATE audit SET values_enc = '\\x00' WHERE number = 5": (trail.CHANGED, 2, 5),
    "DELETE FROM audit WHERE number = 7": (trail.MISSING, 2, 7),
    "DELETE FROM audit WHERE number = 12": (trail.MISSING, 3, 12),
    "UPDATE audit SET number = NULL WHERE number = 3": (trail.MISSING, 1, 3),
    "UPDATE audit SET number = 13 WHERE number = 12": (trail.MISSING, 3, 12),
    "INSERT INTO audit (number, unit_id, action, subject, subject_id, at) SELECT 13, unit_id, 'x', 'x', 'x', now() FROM audit LIMIT 1":
        (trail.UNSEALED, 3, 13),
    "INSERT INTO audit (number, unit_id, action, subject, subject_id, at) SELECT 0, unit_id, 'x', 'x', 'x', now() FROM audit LIMIT 1":
        (trail.TWICE, 1, 0),
    "UPDATE audit SET id = id + 100 WHERE number = 2": (trail.CHANGED, 1, 1),
    "DELETE FROM audit_seals WHERE number = 2": (trail.GAP, 2, 9),
    "DELETE FROM audit_seals WHERE number = 3": (trail.UNSEALED, 2, 9),
    "UPDATE audit_seals SET sealed_at = sealed_at - interval '1 day' WHERE number = 2": (trail.CHANGED, 2, 5),
    "DELETE FROM audit WHERE number BETWEEN 5 AND 8; DELETE FROM audit_seals WHERE number = 2": (trail.GAP, 2, 9),
}  # fmt: skip


@pytest.mark.parametrize("deed", TAMPERED)
def test_what_an_owner_does_behind_our_back_is_found_and_named(world: World, database, deed: str) -> None:
    assert sealed(world).fault is None
    with owner(database) as connection:
        connection.execute("ALTER TABLE audit ALTER id DROP IDENTITY")
        connection.execute("CREATE SEQUENCE s START 1000; ALTER TABLE audit ALTER id SET DEFAULT nextval('s')")
        connection.execute(deed.encode())
    fault = seal_audit.verify(world.engine).fault
    assert fault is not None and (fault.what, fault.seal, fault.first) == TAMPERED[deed]


def test_two_rows_of_one_number_are_found(world: World, database) -> None:
    sealed(world)
    with owner(database) as connection:
        connection.execute("ALTER TABLE audit DROP CONSTRAINT audit_number_key")
        connection.execute(b"INSERT INTO audit (number, unit_id, action, subject, subject_id, at) SELECT 5, unit_id, 'x', 'x', 'x', now() FROM audit LIMIT 1")
    fault = seal_audit.verify(world.engine).fault
    assert fault is not None and (fault.what, fault.first) == (trail.TWICE, 5)


def test_an_end_that_was_cut_off_shows_by_the_hash_that_was_kept_elsewhere(world: World, database) -> None:
    last = sealed(world).last
    assert last is not None
    assert seal_audit.verify(world.engine, last.hash).kept is True
    with owner(database) as connection:
        connection.execute("DELETE FROM audit WHERE number > 8; DELETE FROM audit_seals WHERE number = 3")
    found = seal_audit.verify(world.engine, last.hash)
    assert (found.fault, found.kept) == (None, False)


@pytest.mark.parametrize("deed", ["UPDATE audit SET action = 'x'", "UPDATE audit SET number = NULL, at = now()", "DELETE FROM audit",
                                  "UPDATE audit_seals SET hash = ''", "DELETE FROM audit_seals"])  # fmt: skip
def test_the_gateway_itself_may_not_touch_what_is_sealed(world: World, deed: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        world.run(deed)


def test_the_gateway_itself_gives_no_sealed_row_another_number(world: World) -> None:
    before = sealed(world)
    world.run("UPDATE audit SET number = 99 WHERE number = 1")
    world.run("UPDATE audit SET number = NULL")
    assert seal_audit.verify(world.engine) == before


def test_values_of_an_erased_client_are_unreadable_and_the_trail_is_in_order(world: World) -> None:
    client = world.client()
    staff = Actor(world.staff("+84900000009"), world.unit_id, "supervisor")
    with unit_of_work(world.engine, now=world.now) as work:
        audit.add(work, "client.edit", "client", client, world.unit_id,
                  private=audit.private(work, world.vault, client, {"name": ["Canary Before", "Canary After"]}))  # fmt: skip
    seal_audit.seal(world.engine, world.now)
    assert b"Canary" not in bytes(world.value("SELECT values_enc FROM audit"))
    with unit_of_work(world.engine, staff, world.now) as work:
        (line,) = audit.listed(work, audit.Asked(action="client.edit"), vault=world.vault)
        assert line.values == {"name": ["Canary Before", "Canary After"]}
    with unit_of_work(world.engine, now=world.now) as work:
        erase_client.erase(work, world.vault, clients.get(work, client), staff)
    seal_audit.seal(world.engine, world.now)
    with unit_of_work(world.engine, staff, world.now) as work:
        (line,) = audit.listed(work, audit.Asked(action="client.edit"), vault=world.vault)
        assert (line.has_values, line.values) == (True, None)
    assert seal_audit.verify(world.engine).fault is None
