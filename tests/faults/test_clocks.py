"""Wrong clocks, and planners that die or double: nothing early, nothing twice. Cases 25 and 29 of the fault table."""

import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg

from gateway import queues
from gateway.domain import campaigns as rules
from gateway.store import leader
from gateway.store.base import Actor, unit_of_work
from gateway.usecases import launch_campaign, plan_due
from tests.builders import CONTENT
from tests.faults.processes import until
from tests.faults.stage import Stage

TWO_HOURS_S = 7200


def launch(stage: Stage, **changes: Any) -> None:
    """Start a campaign that asks everybody how they are, now unless `changes` say otherwise."""
    staff_id = stage.world.staff("+84919996001", role="supervisor", on_duty=False)
    boss = Actor(staff_id, stage.world.unit_id, "supervisor")
    asked = {"name": f"campaign {uuid4()}", "kind": "one_off", "steps": [{"template": "check_in"}]} | changes
    with unit_of_work(stage.engine, boss) as work:
        launch_campaign.create(work, CONTENT, rules.read(asked))
    launch_campaign.approve(stage.engine, stage.vault, CONTENT, boss, asked["name"])


def fired(stage: Stage) -> list[int]:
    """How many texts each occurrence has led to."""
    rows = stage.world.rows(
        """SELECT count(o.id) FROM occurrences c LEFT JOIN outbound o ON o.occurrence_id = c.id
           WHERE c.unit_id = :u GROUP BY c.id""", u=stage.world.unit_id)  # fmt: skip
    return [row.count for row in rows]


def texts(stage: Stage, state: str = "accepted") -> int:
    sql = "SELECT count(*) FROM outbound WHERE channel_id = :c AND state = :state"
    return int(stage.world.value(sql, c=stage.world.channel_id, state=state))


def test_with_clocks_hours_apart_that_jump_in_mid_batch_nothing_leaves_early_or_twice(stage: Stage) -> None:
    for name in ("send", "clock"):
        stage.processes.kill(name)
    stage.processes.start("clock", skew_s=TWO_HOURS_S)
    stage.processes.start("send-2", skew_s=TWO_HOURS_S)
    stage.processes.start("send-3", skew_s=-90)
    stage.carrier.carrier.latency_ms = 300
    hour = timedelta(hours=1)
    later = stage.plan(50, send_after=stage.world.now + hour, send_before=stage.world.now + 2 * hour)
    now = stage.plan(600, send_before=stage.world.now + hour / 2)
    stage.until_accepted(100)
    for name in ("send-2", "send-3", "clock"):
        stage.processes.send_signal(name, signal.SIGUSR1)
    stage.until_done(ids=now)
    assert stage.states(now) == {"accepted": 600}
    assert stage.states(later) == {"planned": 50}
    assert stage.world.value("SELECT max(attempts) FROM outbound WHERE id = ANY(:ids)", ids=now) == 1
    # What the carrier is told about a text's last moment comes from the database's clock, too.
    assert {m.validity_s for m in stage.accepted()} <= set(range(1740, 1801))


def test_a_planner_whose_clock_is_wrong_plans_what_is_due_and_nothing_else(stage: Stage) -> None:
    stage.processes.kill("clock")
    stage.clients(20)
    in_an_hour = stage.world.now + timedelta(hours=1)
    launch(stage, steps=[{"template": "check_in", "not_before": in_an_hour.isoformat()}])
    launch(stage)
    stage.processes.start("clock", skew_s=TWO_HOURS_S)
    until(lambda: texts(stage) == 20, what="the campaign")
    assert fired(stage) == [1] * 20  # the other campaign has not even gathered its audience


def test_killed_in_the_middle_of_planning_the_next_planner_fires_each_once(stage: Stage) -> None:
    stage.clients(300)
    with stage.locked("outbound"):
        launch(stage)
        stage.until_blocked()
        stage.processes.kill("clock")
    assert texts(stage, "planned") == 0
    stage.processes.start("clock")
    until(lambda: texts(stage) == 300, what="the campaign")
    assert fired(stage) == [1] * 300


def test_killed_between_its_commit_and_its_ring_what_it_planned_leaves_all_the_same(stage: Stage) -> None:
    stage.processes.kill("send")
    stage.servers.stop_redis()  # no ring arrives
    stage.clients(100)
    launch(stage)
    until(lambda: texts(stage, "planned") == 100, what="the planning")
    stage.processes.kill("clock")
    stage.processes.start("send")
    until(lambda: texts(stage) == 100, what="the campaign")
    assert fired(stage) == [1] * 100


def test_when_the_leading_clock_dies_the_waiting_one_takes_over(stage: Stage) -> None:
    stage.processes.start("clock-2", wait=False)
    stage.processes.kill("clock")
    stage.clients(50)
    launch(stage)
    stage.figures["planned and sent after (s)"] = until(lambda: texts(stage) == 50, 30, "the campaign")
    stage.processes.wait_ready("clock-2")


def test_two_clocks_that_both_believe_to_lead_fire_each_once(stage: Stage) -> None:
    stage.processes.start("clock-2", wait=False)
    stage.clients(400)
    with psycopg.connect(stage.servers.start().admin_url, autocommit=True) as admin:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND granted"
        # The first one does not know yet that its connection is gone. Where it led again before the second had come, it is cut once more.
        until(lambda: stage.processes.is_ready("clock-2") or admin.execute(cut, [leader.LOCK]) is None, 60, "the second clock")
    launch(stage)
    until(lambda: texts(stage) == 400, what="the campaign")
    assert fired(stage) == [1] * 400


def test_many_planners_at_once_fire_each_once(stage: Stage) -> None:
    stage.clients(400)
    stage.processes.kill("clock")
    launch(stage)

    def plan(_: int) -> int:
        total = done = plan_due.plan_due(stage.engine, stage.vault, CONTENT, queues.silent, limit=50)
        while done:
            done = plan_due.plan_due(stage.engine, stage.vault, CONTENT, queues.silent, limit=50)
            total += done
        return total

    with ThreadPoolExecutor(6) as crowd:
        stage.processes.start("clock", wait=False)
        assert sum(crowd.map(plan, range(6))) > 0
    until(lambda: texts(stage) == 400, what="the campaign")
    assert fired(stage) == [1] * 400
