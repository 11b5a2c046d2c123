"""A send worker dies, is stopped or stands still at any moment: every text is still accepted once, none is lost.

Cases 1 to 4 of the fault table, and a worker that wakes up after others took it for dead.
"""

import random
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.processes import until
from tests.faults.stage import FULL, LEASE_S, SETTLED_WITHIN_S, Stage

SEEDS = range(10) if FULL else range(2)


@contextmanager
def silence() -> Iterator[str]:
    """The address of a machine that answers no knock: its line is full, so connections neither open nor fail."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        knocks = [socket.socket() for _ in range(4)]
        for knock in knocks:
            knock.setblocking(False)
            knock.connect_ex(listener.getsockname())
        yield "http://127.0.0.1:{1}".format(*listener.getsockname())
        for knock in knocks:
            knock.close()


def test_killed_before_its_claim_commits_a_worker_leaves_nothing_behind(stage: Stage) -> None:
    with stage.locked("attempts"):
        stage.plan(500)
        stage.until_blocked()
        stage.processes.kill("send")
        assert stage.states() == {"planned": 500}
    stage.processes.start("send")
    stage.until_done()
    assert stage.world.value("SELECT max(attempts) FROM outbound WHERE id = ANY(:ids)", ids=stage.planned) == 1
    assert len(stage.accepted()) == 500


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_random_points_of_a_campaign_all_texts_are_accepted_once(stage: Stage, seed: int) -> None:
    chance = random.Random(seed)
    stage.carrier.carrier.latency_ms = 150
    stage.plan(500)
    for _ in range(3):
        stage.until_accepted(chance.randrange(0, 500))
        time.sleep(chance.random() / 5)
        stage.processes.kill("send")
        stage.processes.start("send")
    stage.until_done(SETTLED_WITHIN_S)
    assert len(stage.accepted()) == 500


def test_killed_between_its_claim_and_its_requests_low_risk_leaves_again_once_and_sensitive_waits_for_a_person(stage: Stage) -> None:
    with silence() as nobody:
        stage.point_at(nobody)
        reminders, sensitive = stage.plan(40), stage.plan(20, semantics="at_most_once")
        until(lambda: stage.states() == {"submitting": 60}, what="the claim")
        stage.processes.kill("send")
    stage.point_at(stage.carrier.url)
    assert not stage.accepted()
    stage.processes.start("send")
    stage.until_done(SETTLED_WITHIN_S, ids=reminders)
    assert stage.states(reminders) == {"accepted": 40}
    asked = "SELECT count(*) FROM flags WHERE reason = 'delivery_unknown' AND about_id = ANY(:ids) AND state = 'open'"
    until(lambda: stage.world.value(asked, ids=sensitive) == 20, SETTLED_WITHIN_S, "a flag for each sensitive text")
    assert stage.states(sensitive) == {"unknown": 20}
    assert len(stage.accepted()) == 40


def test_killed_while_the_carrier_has_the_requests_what_it_took_is_adopted_and_the_rest_leaves_once_more(stage: Stage) -> None:
    stage.carrier.script("hang")
    before = stage.carrier.posts
    lost = stage.plan(20)
    until(lambda: stage.carrier.posts == before + 20, what="the arrival of the requests")
    stage.carrier.script("accept_hang")
    taken = stage.plan(20)
    stage.until_accepted(20)
    stage.processes.kill("send")
    stage.carrier.script("ok")
    stage.processes.start("send")
    stage.until_done(SETTLED_WITHIN_S)
    counts = stage.world.rows("SELECT id, attempts FROM outbound WHERE id = ANY(:ids)", ids=stage.planned)
    assert {row.attempts for row in counts if row.id in taken} == {1}
    assert {row.attempts for row in counts if row.id in lost} == {2}
    assert len(stage.accepted()) == 40


def test_a_deploy_in_mid_batch_ends_in_time_and_leaves_no_lease_behind(stage: Stage) -> None:
    stage.carrier.carrier.latency_ms = 300
    stage.plan(500)
    stage.until_accepted(50)
    assert stage.processes.stop("send") < 30
    assert set(stage.states()) <= {"planned", "accepted"}
    stage.processes.start("send")
    stage.until_done()
    assert len(stage.accepted()) == 500


def test_a_deploy_in_the_middle_of_a_claim_leaves_nothing_claimed_and_unsent(stage: Stage) -> None:
    with stage.locked("attempts"):
        stage.plan(500, semantics="at_most_once")
        stage.until_blocked()
    until(lambda: "planned" not in stage.states(), what="the claim")
    stage.processes.send_signal("send", signal.SIGTERM)
    stage.processes.wait_ended("send")
    assert set(stage.states()) <= {"planned", "accepted"}
    stage.processes.start("send")
    stage.until_done()
    assert len(stage.accepted()) == 500


def test_a_deploy_while_the_carrier_hangs_writes_down_what_is_unknown(stage: Stage) -> None:
    stage.carrier.script("accept_hang")
    stage.plan(30)
    stage.until_accepted(30)
    assert stage.processes.stop("send") < 30
    assert set(stage.states()) <= {"unknown", "accepted"}
    stage.carrier.script("ok")
    stage.processes.start("send")
    stage.until_done(SETTLED_WITHIN_S)
    assert len(stage.accepted()) == 30


def test_a_worker_that_stands_still_in_the_middle_of_its_claim_keeps_its_clients_from_nobody(stage: Stage) -> None:
    client = stage.world.client()
    with stage.locked("attempts"):
        stage.plan(20)
        stage.plan_for(client)
        stage.until_blocked()
        stage.processes.send_signal("send", signal.SIGSTOP)
    stage.processes.start("send-2")
    stage.figures["others claim after (s)"] = stage.until_done(SETTLED_WITHIN_S)
    assert stage.say(stage.world.phone_of(client), "STOP")[1] == 200
    stage.processes.send_signal("send", signal.SIGCONT)
    more = stage.plan(20)
    stage.processes.stop("send-2")
    stage.until_done(ids=more)  # the one that stood still works again
    assert len(stage.accepted()) == 42  # with the confirmation


def test_a_worker_that_stood_still_past_its_lease_sends_nothing_when_it_goes_on(stage: Stage) -> None:
    stage.carrier.carrier.latency_ms = 20
    stage.plan(1000)
    stage.until_accepted(1)
    stage.processes.send_signal("send", signal.SIGSTOP)
    stage.processes.start("send-2")
    stage.until_done(SETTLED_WITHIN_S + LEASE_S)
    posts = stage.carrier.posts
    stage.processes.send_signal("send", signal.SIGCONT)
    until(lambda: stage.processes.stop("send") > 0)
    assert stage.carrier.posts == posts
    assert len(stage.accepted()) == 1000
