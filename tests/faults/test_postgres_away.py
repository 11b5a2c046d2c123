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


def test_a_webhook_is_refused_so_that_the_carrier_tries_again_and_kept_as_soon_as_it_can_be(stage: Stage) -> None:
    client = stage.world.client()
    phone = stage.world.phone_of(client)
    assert stage.say(phone, "HELP")[1] == 200  # the channel is known to the web process now
    with away(stage, "stop_postgres"):
        sid, status = stage.say(phone, "Canary words")
        assert status == 503
        assert '"database":false' in stage.processes.health().replace(" ", "")
    until(lambda: stage.say(phone, "", sid=sid)[1] == 200, 30, "the acceptance of the repeated text")
    assert stage.world.value("SELECT count(*) FROM inbound WHERE carrier_id = :sid", sid=sid) == 1


def test_reports_that_came_while_it_was_away_are_posted_again_and_counted(stage: Stage) -> None:
    stage.carrier.carrier.reports = ("delivered",)
    stage.plan(20)
    until(lambda: stage.states() == {"delivered": 20}, what="the delivery of all")
    with away(stage, "kill_postgres"):
        (late,) = {m.to for m in stage.accepted()[:1]}
        assert stage.carrier.report(late, "delivered") == 503
    until(lambda: stage.carrier.report(late, "delivered") == 200, 30, "the acceptance of the repeated report")
