"""One transaction: what fails in it fails it whole, and costs the next one nothing."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from gateway.store.base import Work, unit_of_work, untangled

NOW = datetime(2026, 3, 2, tzinfo=UTC)
BAD = text("SELECT 1 / CAST(:zero AS int)")
SWITCH = {"name": "test", "is_on": True, "changed_at": NOW}


def switches(engine: Engine) -> int:
    with unit_of_work(engine) as work:
        return int(work.value(text("SELECT count(*) FROM switches WHERE name = 'test'")))


def put_and_fail(work: Work) -> None:
    """Nothing of this is sent before the commit."""
    work.put("heartbeats", {"name": "test", "process": "x", "beat_at": NOW})
    work.later(BAD, zero=0)


def insert_and_catch(work: Work) -> None:
    work.insert("switches", [SWITCH])
    with pytest.raises(DBAPIError):
        work.execute(BAD, {"zero": 0})


@pytest.mark.parametrize("fault", [put_and_fail, insert_and_catch])
def test_what_fails_or_was_caught_fails_the_transaction_and_costs_the_next_one_nothing(
    engine: Engine, fault: Callable[[Work], None]
) -> None:
    with pytest.raises(DBAPIError), unit_of_work(engine) as work:
        fault(work)
    assert switches(engine) == 0


def test_an_attempt_that_fails_undoes_its_own_part_alone(engine: Engine) -> None:
    with unit_of_work(engine) as work:
        work.put("switches", SWITCH)
        with pytest.raises(DBAPIError), work.attempt():
            put_and_fail(work)
        assert work.value(text("SELECT count(*) FROM heartbeats WHERE name = 'test'")) == 0
    assert switches(engine) == 1


def test_a_lock_that_is_held_fails_whoever_would_not_wait(engine: Engine) -> None:
    name = uuid4().bytes
    with unit_of_work(engine, lock=[name]), pytest.raises(DBAPIError), unit_of_work(engine, lock=[name], wait_s=0.05):
        pass


def test_what_a_deadlock_undid_is_done_after_all(engine: Engine) -> None:
    with unit_of_work(engine) as work:
        work.insert("switches", [SWITCH | {"name": name} for name in ("one", "other")])
    both_hold, failed = threading.Barrier(2, timeout=10), list[Exception]()
    flip = text("UPDATE switches SET is_on = NOT is_on WHERE name = :name")

    def cross(first: str, second: str) -> None:
        met = iter([both_hold.wait])  # only the first try waits for the other

        def write() -> None:
            with unit_of_work(engine) as work:
                work.execute(flip, {"name": first})
                next(met, lambda: 0)()
                work.execute(flip, {"name": second})

        try:
            untangled(write)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=cross, args=names) for names in (("one", "other"), ("other", "one"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    with unit_of_work(engine) as work:  # each was flipped twice
        assert work.value(text("SELECT count(*) FROM switches WHERE name IN ('one', 'other') AND is_on")) == 2
