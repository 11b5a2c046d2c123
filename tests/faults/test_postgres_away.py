"""PostgreSQL is restarted or killed under running processes: nobody restarts them by hand, and nothing leaves twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest

from tests.faults.processes import until
from tests.faults.stage import FULL, SETTLED_WITHIN_S, Stage

AWAY_S = 60 if FULL else 1


@contextmanager
def away(stage: Stage, how: str) -> Iterator[None]:
    """PostgreSQL is not there for the block."""
    getattr(stage.servers, how)()
    try:
        yield
    finally:
        stage.servers.start()
        stage.engine.dispose()


def pids(stage: Stage) -> list[int]:
    return [stage.processes.pid(name) for name in ("web", "send", "clock")]


def beats(stage: Stage, since: datetime) -> int:
    """How many of worker and clock have said since then that they live."""
    return int(stage.world.value("SELECT count(*) FROM heartbeats WHERE beat_at > :since", since=since))


@pytest.mark.parametrize("how", ["stop_postgres", "kill_postgres"])
def test_in_mid_campaign_outcomes_wait_for_it_and_all_texts_are_accepted_once(stage: Stage, how: str) -> None:
    stage.carrier.carrier.latency_ms = 400
    before = pids(stage)
    stage.plan(700)
    stage.until_accepted(100)
    with away(stage, how):
        until(lambda: "outcomes_wait_for_database" in stage.processes.log("send"), what="the notice that outcomes wait")
        stage.wait(AWAY_S)
    back = stage.world.value("SELECT now()")
    stage.figures["campaign done after (s)"] = stage.until_done(SETTLED_WITHIN_S)
    until(lambda: beats(stage, back) == 2, 30, "the return of worker and clock")
    assert pids(stage) == before
    assert len(stage.accepted()) == 700
    assert stage.world.value("SELECT max(attempts) FROM outbound WHERE id = ANY(:ids)", ids=stage.planned) == 1
