"""Whatever dies between a question and its silence: nothing is asked twice, and every silence reaches a person once."""

import random
import time
from datetime import timedelta
from uuid import UUID

from gateway.store import clients
from gateway.store.base import Actor, unit_of_work
from gateway.usecases import start_dialogue
from tests.builders import CONTENT
from tests.faults.processes import until
from tests.faults.stage import Stage


def ask(stage: Stage, number: int, dialogue: str) -> list[UUID]:
    """So many clients are asked, and the question is with the carrier."""
    world = stage.world
    asked = [world.client(language="en") for _ in range(number)]
    actor = Actor(world.staff(f"+8498{random.randrange(10**7):07d}"), world.unit_id, "case_worker")
    with unit_of_work(stage.engine) as work:
        codes = [clients.get(work, each).code for each in asked]
    for code in codes:
        start_dialogue.start(stage.engine, stage.vault, CONTENT, actor, dialogue, code)
    until(lambda: world.value("SELECT count(*) FROM outbound WHERE client_id = ANY(:ids) AND state = 'accepted'", ids=asked) == number, 60, "the asking")
    return asked


def let_pass(stage: Stage, asked: list[UUID], gone: timedelta) -> None:
    """It is so much later."""
    stage.world.run("UPDATE attempts SET started_at = started_at - :gone WHERE outbound_id IN (SELECT asked_id FROM sessions WHERE client_id = ANY(:ids))",
                    gone=gone, ids=asked)  # fmt: skip
    stage.world.run("UPDATE sessions SET asked_at = asked_at - :gone, due_at = due_at - :gone WHERE client_id = ANY(:ids)", gone=gone, ids=asked)


def flagged(stage: Stage, asked: list[UUID]) -> list[UUID]:
    return [row.client_id for row in stage.world.rows("SELECT client_id FROM flags WHERE client_id = ANY(:ids) AND reason = 'no_reply'", ids=asked)]


def test_a_clock_killed_in_the_middle_of_noticing_silence_leaves_it_to_the_next(stage: Stage) -> None:
    asked = ask(stage, 30, "weekly_check_in")
    with stage.locked("flags"):
        let_pass(stage, asked, timedelta(hours=50))
        stage.until_blocked()
        stage.processes.kill("clock")
        assert flagged(stage, asked) == []
    stage.processes.start("clock")
    until(lambda: len(flagged(stage, asked)) == len(asked), 30, "the flags")
    assert sorted(flagged(stage, asked)) == sorted(asked)


def test_clock_and_sender_killed_at_random_remind_and_call_once(stage: Stage) -> None:
    asked, chance = ask(stage, 30, "after_discharge_welcome"), random.Random(4)
    for gone, texts in ((timedelta(hours=9), 2), (timedelta(hours=20), 2)):
        let_pass(stage, asked, gone)
        for name in ("clock", "send", "clock"):
            time.sleep(chance.random())
            stage.processes.kill(name)
            stage.processes.start(name)
        sent = "SELECT count(*) FROM outbound WHERE client_id = ANY(:ids) AND state = 'accepted'"
        until(lambda texts=texts, sent=sent: stage.world.value(sent, ids=asked) == texts * len(asked), 60, "the reminders")  # type: ignore[misc]
    until(lambda: len(flagged(stage, asked)) == len(asked), 30, "the flags")
    assert sorted(flagged(stage, asked)) == sorted(asked)
    assert stage.world.value("SELECT max(n) FROM (SELECT count(*) AS n FROM outbound WHERE client_id = ANY(:ids) GROUP BY client_id) q", ids=asked) == 2
