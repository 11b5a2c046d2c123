"""The carrier throttles, lies, breaks off or blocks: nothing leaves twice, nothing is given up in silence.

Cases 12 to 14 and 18 of the fault table, and the fault that leaves 300 texts unknown.
"""

import json

import pytest

from tests.faults.processes import until
from tests.faults.stage import FULL, READ_S, SETTLED_WITHIN_S, Stage

RETRY_AFTER_S = 30 if FULL else 2


def attempts(stage: Stage) -> list[tuple[str, int]]:
    """How many attempts ended how."""
    rows = stage.world.rows("SELECT state, count(*) FROM attempts WHERE channel_id = :c GROUP BY state ORDER BY state",
                            c=stage.world.channel_id)  # fmt: skip
    return [(row.state, row.count) for row in rows]


def gaps(stage: Stage) -> list[float]:
    """Seconds between the first attempt and the second of each text that had two."""
    rows = stage.world.rows(
        """SELECT extract(epoch FROM b.started_at - a.started_at) AS gap FROM attempts a JOIN attempts b USING (outbound_id)
           WHERE a.channel_id = :c AND a.number = 1 AND b.number = 2""", c=stage.world.channel_id)  # fmt: skip
    return sorted(float(row.gap) for row in rows)


def test_throttled_with_a_time_texts_wait_for_it_and_leave_on_the_same_channel(stage: Stage) -> None:
    other = stage.beside()
    stage.carrier.script("429", retry_after=RETRY_AFTER_S)
    stage.plan(30)
    until(lambda: attempts(stage) == [("not_sent", 30)], 10, "the refusal of all")
    stage.carrier.script("ok")
    stage.until_done(RETRY_AFTER_S * 2 + 30)
    waits = gaps(stage)
    assert waits[0] >= RETRY_AFTER_S
    assert waits[-1] - waits[0] > RETRY_AFTER_S / 10, "no jitter"
    assert attempts(stage) == [("accepted", 30), ("not_sent", 30)]
    assert not other.accepted()


def test_throttled_without_a_time_texts_back_off_for_seconds(stage: Stage) -> None:
    stage.carrier.script("429", next=10)
    stage.plan(10)
    stage.until_done(60)
    assert 5 <= gaps(stage)[0] <= gaps(stage)[-1] < 15
    assert attempts(stage) == [("accepted", 10), ("not_sent", 10)]


def test_what_is_throttled_is_not_overtaken_by_a_later_text_to_the_same_client(stage: Stage) -> None:
    client = stage.world.client()
    stage.carrier.script("429", next=1, retry_after=RETRY_AFTER_S)
    stage.plan_for(client, body="Canary body one")
    until(lambda: attempts(stage) == [("not_sent", 1)], what="the refusal")
    stage.plan_for(client, body="Canary body two")
    stage.until_done(RETRY_AFTER_S * 2 + 30)
    assert stage.received(stage.world.phone_of(client)) == ["Canary body one", "Canary body two"]


@pytest.mark.parametrize("mode", ["accept_500", "accept_503", "accept_close", "accept_hang", "trickle", "close_reused"])
def test_what_the_carrier_took_without_saying_so_is_found_there_and_not_sent_again(stage: Stage, mode: str) -> None:
    stage.plan(5)
    stage.until_done()  # connections are open now
    stage.carrier.script(mode)
    stage.plan(15)
    stage.until_accepted(20)
    stage.until_done(SETTLED_WITHIN_S)
    assert stage.states() == {"accepted": 20}
    assert attempts(stage) == [("accepted", 20)]
    assert len(stage.accepted()) == 20


@pytest.mark.parametrize("mode", ["html", "empty", "wrong_json", "no_sid"])
def test_an_answer_that_is_none_is_neither_sent_nor_failed_and_five_of_them_raise_an_alarm(stage: Stage, mode: str) -> None:
    stage.carrier.script("500", on="list")
    stage.carrier.script(mode)
    stage.plan(6)
    until(lambda: stage.states() == {"unknown": 6}, what="the notice of what nobody knows")
    alarm = f'"event": "channel_answers_unreadable", "channel": "{stage.world.channel_id}"'
    until(lambda: alarm in stage.processes.log("send"), what="the alarm")
    stage.carrier.script("ok", on="list")
    stage.until_done(SETTLED_WITHIN_S)
    assert len(stage.accepted()) == 6


def test_300_unknown_after_one_fault_three_of_them_to_one_number_settle_right(stage: Stage) -> None:
    stage.carrier.script("500", on="list")
    stage.carrier.script("accept_500")
    shared = "+84929999999"
    family = [stage.world.client(phone=shared) for _ in range(3)]
    stage.plan(200)
    taken = [stage.plan_for(client, body="Canary body for the family") for client in family[:2]]
    stage.until_accepted(202)
    stage.carrier.script("500")
    lost = [*stage.plan(97), stage.plan_for(family[2], body="Canary body for the family")]
    until(lambda: stage.states() == {"unknown": 300}, 10 + READ_S, "300 unknown")
    stage.carrier.script("ok")
    stage.carrier.script("ok", on="list")
    stage.figures["300 unknown settled after (s)"] = stage.until_done(SETTLED_WITHIN_S)
    assert stage.states() == {"accepted": 300}
    assert len(stage.accepted()) == 300
    assert len(stage.received(shared)) == 3
    again = stage.world.rows("SELECT id FROM outbound WHERE id = ANY(:ids) AND attempts = 2", ids=stage.planned)
    # Equal texts to one phone are alike: which of the three counts as the lost one does not matter, that it is one does.
    assert len(again) == 98
    assert {row.id for row in again} - set(taken) <= set(lost)


def test_a_carrier_that_cannot_be_asked_holds_up_no_other(stage: Stage) -> None:
    other = stage.beside()
    stage.carrier.script("accept_500")
    for message_id in stage.plan(600):
        stage.carrier.script("500", to=stage.phone_of(message_id), on="list")
    stage.until_accepted(600)
    other.plan(5)
    other.until_done(SETTLED_WITHIN_S)
    assert other.states() == {"accepted": 5}
    for scripts in stage.carrier.carrier.scripts.values():
        scripts.by_recipient.clear()
    stage.until_done(SETTLED_WITHIN_S)


def blocked(stage: Stage) -> object:
    """The reason in the ledger of stops for the stage's only client."""
    return stage.world.value(
        "SELECT s.reason FROM stops s JOIN phones p USING (phone_hash) WHERE p.unit_id = :u", u=stage.world.unit_id
    )


@pytest.mark.parametrize("source", ["answer", "report", "webhook"])
def test_an_opt_out_at_the_carrier_is_ours_too_unconfirmed_and_not_routed_around(stage: Stage, source: str) -> None:
    other = stage.beside()
    client = stage.world.client()
    phone = stage.world.phone_of(client)
    later = stage.plan_for(client, body="Canary body later", send_after=stage.world.now.replace(year=2099),
                           send_before=stage.world.now.replace(year=2100))  # fmt: skip
    if source == "answer":
        stage.carrier.script("error", code=21610, to=phone)
    elif source == "report":
        stage.carrier.script("undelivered", report_code=21610, to=phone)
    if source == "webhook":
        assert stage.say(phone, "STOP", opt_out="STOP")[1] == 200
    else:
        stage.plan_for(client)
    until(lambda: blocked(stage) == "carrier", 15, "the stop")
    until(lambda: stage.states([later]) == {"cancelled": 1}, what="the cancelling of what was planned")
    stage.carrier.script("ok", to=phone)
    more = stage.plan_for(client)
    stage.until_done(ids=[more])
    assert stage.states([more]) == {"suppressed": 1}
    assert len(stage.received(phone)) == (source == "report")
    assert not other.accepted()


def test_a_suspended_account_stops_the_channel_and_what_waits_leaves_when_a_person_resumes_it(stage: Stage) -> None:
    stage.carrier.script("error", code=30002, next=1)
    stage.plan(1)
    paused = "SELECT state FROM channels WHERE id = :c"
    until(lambda: stage.world.value(paused, c=stage.world.channel_id) == "paused", what="the pause of the channel")
    assert json.loads(stage.processes.health())["ok"] is True
    stage.world.run("UPDATE channels SET state = 'active', paused_until = NULL WHERE id = :c", c=stage.world.channel_id)
    stage.world.run("UPDATE outbound SET send_after = now() WHERE id = ANY(:ids)", ids=stage.planned)
    stage.until_done()
    assert len(stage.accepted()) == 1


def test_an_account_that_is_suspended_after_the_fact_loses_a_few_texts_not_the_campaign(stage: Stage) -> None:
    """The carrier takes texts and reports each as failed: the channel stops at the first report, and the rest is there to be sent."""
    stage.set_rate(10)
    stage.carrier.script("undelivered", report_code=30002)
    stage.plan(60)
    paused = "SELECT state_reason FROM channels WHERE id = :c AND state = 'paused'"
    until(lambda: stage.world.value(paused, c=stage.world.channel_id) == "suspended", what="the pause")
    until(lambda: set(stage.states()) == {"failed", "planned"}, what="the reports of what was on its way")
    lost = stage.states().get("failed", 0)
    assert 0 < lost < 40
    stage.carrier.script("ok")
    stage.world.run("UPDATE channels SET paused_until = now() WHERE id = :c", c=stage.world.channel_id)
    stage.until_done(60)
    assert stage.states() == {"failed": lost, "accepted": 60 - lost}


def test_a_carrier_that_is_away_holds_up_the_blanking_of_no_other(stage: Stage) -> None:
    other = stage.beside()
    stage.carrier.carrier.reports = ("delivered",)
    stage.plan(300)
    blank = "SELECT count(*) FROM outbound WHERE channel_id = :c AND redacted_at IS NOT NULL"
    until(lambda: stage.states() == {"delivered": 300}, what="the delivery of all")
    stage.point_at("http://127.0.0.1:9")
    stage.world.run("UPDATE outbound SET redacted_at = NULL WHERE channel_id = :c", c=stage.world.channel_id)
    other.plan(5)
    until(lambda: stage.world.value(blank, c=other.world.channel_id) == 5, 30, "the blanking")
    assert [m.body for m in other.accepted()] == [""] * 5
    assert stage.world.value(blank, c=stage.world.channel_id) == 0
    stage.point_at(stage.carrier.url)
