"""The carrier repeats itself, reports come in any order, machines answer machines. Cases 20, 21 and 30 of the fault table."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from gateway.domain.decide import AUTOMATIC_AN_HOUR, IDENTICAL_AN_HOUR
from tests.faults.processes import until
from tests.faults.stage import FULL, Stage


def kept(stage: Stage) -> int:
    return int(stage.world.value("SELECT count(*) FROM inbound WHERE channel_id = :c", c=stage.world.channel_id))


def answers(stage: Stage) -> list[str]:
    """The purposes of the automatic answers so far, in their order."""
    rows = stage.world.rows(
        "SELECT purpose FROM outbound WHERE channel_id = :c AND inbound_id IS NOT NULL ORDER BY created_at", c=stage.world.channel_id
    )
    return [row.purpose for row in rows]


def quiet(stage: Stage) -> bool:
    """Whether nothing is on its way out."""
    return not stage.world.value(
        "SELECT count(*) FROM outbound WHERE channel_id = :c AND state IN ('planned', 'submitting')", c=stage.world.channel_id
    )


def flags(stage: Stage) -> list[str]:
    return [row.reason for row in stage.world.rows("SELECT reason FROM flags WHERE unit_id = :u ORDER BY number", u=stage.world.unit_id)]


def test_one_text_posted_twenty_times_at_once_is_one_row_and_one_answer(stage: Stage) -> None:
    phone = stage.world.phone_of(stage.world.client())
    sid, _ = stage.say(phone, "HELP", withhold=True)
    with ThreadPoolExecutor(20) as crowd:
        statuses = list(crowd.map(lambda _: stage.say(phone, "", sid=sid)[1], range(20)))
    assert statuses == [200] * 20
    until(lambda: quiet(stage), what="the answer")
    assert kept(stage) == 1
    assert answers(stage) == ["help"]
    assert len(stage.received(phone)) == 1


def test_the_same_words_under_a_new_id_are_a_possible_repeat_and_ten_minutes_later_a_new_text(stage: Stage) -> None:
    phone = stage.world.phone_of(stage.world.client())
    stage.say(phone, "HELP")
    stage.say(phone, "HELP")
    first, second = stage.world.rows("SELECT id, repeat_of FROM inbound WHERE channel_id = :c ORDER BY received_at",
                                     c=stage.world.channel_id)  # fmt: skip
    assert (first.repeat_of, second.repeat_of) == (None, first.id)
    assert answers(stage) == ["help"]
    if FULL:
        stage.wait(600)
    else:
        stage.world.run("UPDATE inbound SET received_at = received_at - interval '10 minutes' WHERE channel_id = :c",
                        c=stage.world.channel_id)  # fmt: skip
    stage.say(phone, "HELP")
    until(lambda: quiet(stage), what="the second answer")
    assert answers(stage) == ["help", "help"]
    assert kept(stage) == 3


@pytest.mark.parametrize(
    ("reported", "final", "history"),
    [
        (("delivered", "sent", "queued"), "delivered", ["accepted", "delivered", "sent"]),
        (("sent", "delivered", "failed"), "delivered", ["delivered", "failed", "sent"]),
        (("undelivered", "delivered"), "delivered", ["delivered", "failed"]),
        (("sent", "sent", "delivered", "delivered"), "delivered", ["delivered", "sent"]),
    ],
)  # fmt: skip
def test_whatever_the_order_of_reports_the_status_never_falls_and_all_are_kept(
    stage: Stage, reported: tuple[str, ...], final: str, history: list[str]
) -> None:
    stage.plan(10)
    stage.until_done()
    for message in stage.accepted():
        assert stage.carrier.report(message.to, *reported) == 200
    assert stage.states() == {final: 10}
    rows = stage.world.rows(
        "SELECT state, count(*) FROM reports WHERE channel_id = :c AND matched GROUP BY state ORDER BY state", c=stage.world.channel_id
    )
    assert [(row.state, row.count) for row in rows] == [(state, 10) for state in history]


def test_reports_that_come_before_the_answer_count(stage: Stage) -> None:
    stage.carrier.carrier.reports = ("sent", "delivered")
    stage.carrier.script("report_first")
    stage.plan(30)
    until(lambda: stage.states() == {"delivered": 30}, what="the delivery of all")
    assert stage.world.value("SELECT count(*) FROM attempts WHERE channel_id = :c AND state = 'accepted'", c=stage.world.channel_id) == 30


def test_a_delivered_that_comes_after_we_gave_up_waiting_still_counts(stage: Stage) -> None:
    stage.plan(1)
    stage.until_done()
    stage.processes.kill("clock")
    aged = "SELECT now() - state_at > interval '4 seconds' FROM outbound WHERE id = :id"
    until(lambda: stage.world.value(aged, id=stage.planned[0]), what="the time-out")
    stage.processes.start("clock", GATEWAY_REPORT_TIMEOUT_HOURS="0.001")
    until(lambda: stage.states() == {"failed": 1}, 90, "the giving up")
    assert stage.carrier.report(stage.phone_of(stage.planned[0]), "delivered") == 200
    assert stage.states() == {"delivered": 1}


def test_an_autoresponder_is_answered_a_few_times_then_muted_and_flagged_and_a_cry_for_help_in_it_still_alerts(stage: Stage) -> None:
    guard = "+84919999001"
    stage.world.staff(guard)
    phone = stage.world.phone_of(stage.world.client())
    for words in ("HELP", "help", "Help", "HELp", "call me", "info", "HeLP", "hELP"):
        stage.say(phone, words)
    until(lambda: quiet(stage), what="the last answer")
    assert len(answers(stage)) <= AUTOMATIC_AN_HOUR
    assert all(answers(stage).count(purpose) <= IDENTICAL_AN_HOUR for purpose in answers(stage))
    assert "loop" in flags(stage)
    before = len(stage.received(phone))
    stage.say(phone, "toi muon chet")
    until(lambda: stage.received(guard) and len(stage.received(phone)) == before + 1, 5, "the alert and the answer")
    assert "crisis" in flags(stage)


def test_a_phone_that_echoes_all_we_send_comes_to_rest(stage: Stage) -> None:
    client = stage.world.client()
    phone = stage.world.phone_of(client)
    stage.plan_for(client)
    stage.until_done()
    echoed = 0
    while echoed < len(stage.received(phone)):
        stage.say(phone, stage.received(phone)[echoed])
        echoed += 1
        until(lambda: quiet(stage), what="the end of the round")
    assert len(answers(stage)) <= AUTOMATIC_AN_HOUR
    assert kept(stage) == echoed


def test_two_of_our_gateways_that_text_each_other_come_to_rest(stage: Stage) -> None:
    other = stage.beside()
    stage.say(other.number, "hello, who is this")  # somebody pretends: a text of the other gateway
    passed = {id(stage): 0, id(other): 0}
    busy = True
    while busy:
        busy = False
        for here, there in ((stage, other), (other, stage)):
            until(partial(quiet, here), what="the end of the round")
            for body in here.received(there.number)[passed[id(here)] :]:
                there.say(here.number, body)
                passed[id(here)] += 1
                busy = True
    assert max(len(answers(stage)), len(answers(other))) <= AUTOMATIC_AN_HOUR
