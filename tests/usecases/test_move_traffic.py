"""A channel fails: what has not left goes by another one, and nothing that may have left goes twice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text

from gateway.channels.base import Report, SendResult, refused
from gateway.domain import health
from gateway.store import channels, routes
from gateway.store import health as health_rows
from gateway.store.base import unit_of_work
from gateway.usecases import move_traffic, record_outcomes, record_reports, send_due
from gateway.usecases.record_outcomes import Ended
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World, channel, world
from tests.faults.processes import until

MINUTE = timedelta(minutes=1)


@pytest.fixture
def here(engine: Engine, vault: Vault, now: datetime) -> World:
    return world(engine, vault, now, name="a")


@pytest.fixture
def other(here: World) -> UUID:
    return channel(here.engine, here.vault, here.now, here.unit_id, name="b")


def claim(here: World, channel_id: UUID | None = None, after: timedelta = timedelta(0), wanted: int = 250) -> list[record_outcomes.Sent]:
    return send_due.claim(here.engine, here.vault, channel_id or here.channel_id, wanted, here.now + after).sends


def end(here: World, sends: list[record_outcomes.Sent], result: SendResult, after: timedelta = timedelta(0), took_s: float = 0.1) -> None:
    record_outcomes.record(here.engine, here.vault, [Ended(here.channel_id, sent, result, took_s=took_s) for sent in sends], here.now + after)


def move(here: World, after: timedelta = timedelta(0)) -> list[UUID]:
    rung: list[UUID] = []
    move_traffic.move_traffic(here.engine, here.vault, CONTENT, rung.append, here.now + after)
    return rung


def plan(here: World, number: int, **changes: object) -> list[UUID]:
    return [here.planned(here.client(), body=f"Canary {n} {uuid4()}", **changes) for n in range(number)]


def on(here: World, ids: list[UUID]) -> list[UUID]:
    """By which channel each text leaves."""
    found = {row.id: row.channel_id for row in here.rows("SELECT id, channel_id FROM outbound WHERE id = ANY(:ids)", ids=ids)}
    return [found[each] for each in ids]


def weight(here: World, channel_id: UUID | None = None) -> int:
    return int(here.value("SELECT weight FROM channels WHERE id = :id", id=channel_id or here.channel_id))


def flags(here: World, reason: str) -> int:
    return int(here.value("SELECT count(*) FROM flags WHERE reason = :reason", reason=reason))


_WAITING = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.datname = current_database()"
ACCEPTED = SendResult("accepted", "id")


def test_a_storm_of_server_errors_moves_half_of_what_has_not_left_and_nothing_that_may_have(here: World, other: UUID) -> None:
    ids = plan(here, 60)
    end(here, claim(here, wanted=20), refused("server_error"))
    unknown = [each for each in ids if here.state(each) == "unknown"]
    assert len(unknown) == 20
    assert other in move(here)
    assert weight(here) == 50
    left = [each for each in ids if each not in unknown]
    assert 8 <= on(here, left).count(other) <= 32
    assert on(here, unknown) == [here.channel_id] * 20


def test_in_the_end_all_of_it_has_moved_and_comes_back_only_when_it_was_quiet_for_a_while(here: World, other: UUID) -> None:
    for minute in range(3):
        plan(here, 12)
        end(here, claim(here, after=minute * MINUTE), refused("no_answer"), after=minute * MINUTE)
        move(here, after=minute * MINUTE)
    assert weight(here) == 0
    late = plan(here, 12, send_after=here.now + 4 * MINUTE)
    move(here, after=4 * MINUTE)
    assert set(on(here, late)) == {other}
    move(here, after=10 * MINUTE)
    assert weight(here) == 0
    for minute in range(17, 40):
        move(here, after=minute * MINUTE)
    assert weight(here) == 100


def test_answers_that_take_too_long_cost_a_step_and_answers_to_clients_stay(here: World, other: UUID) -> None:
    plan(here, 20)
    sends = claim(here)
    end(here, sends[:4], ACCEPTED, took_s=health.SLOW_SECONDS + 1)
    end(here, sends[4:], ACCEPTED)
    replies = plan(here, 20, lane=1)
    move(here)
    assert weight(here) == 75
    assert set(on(here, replies)) == {here.channel_id}


def test_a_carrier_that_takes_texts_and_reports_none_any_more_gives_up_a_step_every_ten_minutes(here: World, other: UUID) -> None:
    def minute_of(after: int, left: int, heard: int) -> None:
        with unit_of_work(here.engine, now=here.now + after * MINUTE) as work:
            routes.count(work, {here.channel_id: (left, 0, 0), other: (left, 0, 0)})
            routes.count_reports(work, {here.channel_id: heard, other: left})

    for minute in range(-120, -30, 10):
        minute_of(minute, 20, 18)
    weights = []
    for minute in range(-29, 40):
        minute_of(minute, 2, 0)
        move(here, after=minute * MINUTE)
        weights.append(weight(here))
    steps = [minute for minute, (was, now) in enumerate(pairwise(weights), -28) if now != was]
    assert -15 < steps[0] < 0
    assert steps == [steps[0], steps[0] + 10, steps[0] + 20, steps[0] + 30]
    assert weights[-1] == 0
    for minute in range(40, 100):
        minute_of(minute, 2, 2)
        move(here, after=minute * MINUTE)
    assert weight(here) == 100
    assert weight(here, other) == 100


def test_reports_are_counted_by_channel(here: World) -> None:
    plan(here, 2)
    sends = claim(here)
    end(here, sends, ACCEPTED)
    for state in ("sent", "delivered", "delivered"):
        record_reports.record(here.engine, [(here.channel_id, Report(str(sent.token), "id", state)) for sent in sends], here.now)
    assert here.value("SELECT sum(reported) FROM channel_minutes") == 4


def test_a_report_and_an_outcome_that_both_stop_a_channel_do_not_stand_in_each_others_way(here: World) -> None:
    plan(here, 1)
    sends = claim(here)
    end(here, sends, ACCEPTED)
    report = Report(str(sends[0].token), "id", "failed", reason="suspended")
    with ThreadPoolExecutor(1) as others, unit_of_work(here.engine, now=here.now) as work:
        channels.pause(work, here.channel_id, "suspended", None)
        told = others.submit(record_reports.record, here.engine, [(here.channel_id, report)], here.now)
        until(lambda: here.value(_WAITING) == 1, 10, "the report")
        routes.count(work, {here.channel_id: (0, 1, 0)})
        work.value(text("SELECT true"))
    assert told.result() == 1


def test_both_in_trouble_nothing_moves_and_a_person_hears_of_it(here: World, other: UUID) -> None:
    with unit_of_work(here.engine, now=here.now) as work:
        routes.count(work, {here.channel_id: (10, 40, 0), other: (10, 40, 0)})
    waiting = plan(here, 5)
    assert move(here) == []
    assert (weight(here), weight(here, other)) == (100, 100)
    assert set(on(here, waiting)) == {here.channel_id}
    assert flags(here, "channels_troubled") == 2


def test_a_single_channel_is_never_weighed_down(here: World) -> None:
    plan(here, 20)
    end(here, claim(here), refused("server_error"))
    move(here)
    assert weight(here) == 100


def test_what_a_suspended_account_refused_leaves_by_the_other_channel_once(here: World, other: UUID) -> None:
    here.staff("+84900000001")
    ids = plan(here, 6)
    end(here, claim(here, wanted=2), refused("suspended"))
    assert here.value("SELECT state FROM channels WHERE id = :id", id=here.channel_id) == "paused"
    rung = move(here)
    assert set(on(here, ids)) == {other} and other in rung
    assert len(claim(here, other, after=MINUTE)) == 6 + 1  # and the alert to whoever is on call
    assert claim(here, after=MINUTE) == []
    assert flags(here, "channel_stopped") == 1
    move(here, after=MINUTE)
    assert flags(here, "channel_stopped") == 1


def test_what_a_carrier_asked_to_send_more_slowly_stays_with_it(here: World, other: UUID) -> None:
    ids = plan(here, 20)
    end(here, claim(here), refused("rate_limited"))
    move(here, after=MINUTE)
    assert weight(here) == 100
    assert set(on(here, ids)) == {here.channel_id}


def test_a_text_that_once_may_have_left_stays_though_the_carrier_shows_none(here: World, other: UUID) -> None:
    (once, never) = plan(here, 2)
    (sent,) = [each for each in claim(here) if each.message_id == once]
    here.run("UPDATE attempts SET state = 'carrier_shows_none' WHERE id = :id", id=sent.token)
    here.run("UPDATE outbound SET state = 'planned' WHERE id = :id", id=once)
    here.run("UPDATE attempts SET state = 'not_sent' WHERE outbound_id = :id", id=never)
    here.run("UPDATE outbound SET state = 'planned' WHERE id = :id", id=never)
    with unit_of_work(here.engine, now=here.now) as work:
        channels.pause(work, here.channel_id, "suspended", None)
    move(here)
    assert on(here, [once, never]) == [here.channel_id, other]


def test_a_country_that_is_off_stops_that_country_alone(here: World) -> None:
    viet = here.planned(here.client(), body="Canary vn")
    end(here, claim(here), refused("country_off"))
    british = here.planned(here.client(phone="+447700900123"), body="Canary gb")
    assert here.value("SELECT off FROM channels") == ["+84"]
    later = timedelta(minutes=6)
    assert [each.message_id for each in claim(here, after=later)] == [british]
    assert here.value("SELECT reason FROM outbound WHERE id = :id", id=viet) == "country_off"
    move(here, after=later)
    assert flags(here, "channel_stopped") == 1


def test_the_country_leaves_by_another_channel_until_a_person_uses_it_again(here: World, other: UUID) -> None:
    ids = plan(here, 3)
    end(here, claim(here, wanted=1), refused("country_off"))
    move(here)
    assert set(on(here, ids)) == {other}
    with unit_of_work(here.engine, now=here.now) as work:
        channels.set_state(work, here.channel_id, "active")
    assert here.value("SELECT off FROM channels WHERE id = :id", id=here.channel_id) == []


def test_a_days_allowance_keeps_its_share_for_answers_and_begins_anew_at_midnight(here: World) -> None:
    here.run("UPDATE channels SET daily = 10")
    plan(here, 20)
    assert len(claim(here)) == 8
    assert claim(here) == []
    plan(here, 5, lane=1)
    assert len(claim(here)) == 2
    here.run("UPDATE outbound SET send_before = send_before + interval '1 day' WHERE state = 'planned'")
    assert len(claim(here, after=timedelta(hours=24))) == 3 + 5  # answers first; of eight for campaigns five are left


def test_a_long_text_counts_its_segments(here: World) -> None:
    here.run("UPDATE channels SET daily = 10, reserved = 0")
    plan(here, 5, segments=4)
    assert len(claim(here)) == 3  # the third is begun with two left
    assert here.value("SELECT daily_used FROM channels") == 12


@pytest.mark.parametrize("result", [refused("rate_limited"), refused("not_reached"), refused("bad_number"), refused("suspended")])
def test_what_did_not_leave_is_given_back_to_the_days_allowance_once(here: World, result: SendResult) -> None:
    here.run("UPDATE channels SET daily = 100")
    plan(here, 3, segments=4)
    sends = claim(here)
    assert here.value("SELECT daily_used FROM channels") == 12
    end(here, sends[:1], result)
    assert here.value("SELECT daily_used FROM channels") == 8
    end(here, sends[:1], result)
    assert here.value("SELECT daily_used FROM channels") == 8
    end(here, sends[1:2], ACCEPTED)
    end(here, sends[2:], refused("no_answer"))
    assert here.value("SELECT daily_used FROM channels") == 8


def test_what_this_process_kept_from_leaving_is_given_back_to_the_days_allowance(here: World) -> None:
    here.run("UPDATE channels SET daily = 100")
    plan(here, 2, segments=4)
    sends = claim(here)
    record_outcomes.record(here.engine, here.vault, [Ended(here.channel_id, sends[0], refused("not_reached"), is_ours=True)], here.now)
    assert here.value("SELECT daily_used FROM channels") == 4
    send_due.withdraw(here.engine, [*sends, *sends], here.now)
    assert here.value("SELECT daily_used FROM channels") == 0


def test_what_was_taken_from_yesterdays_allowance_is_not_given_back_to_todays(here: World) -> None:
    here.run("UPDATE channels SET daily = 100")
    evening = datetime(here.now.year, here.now.month, here.now.day, 16, 59, tzinfo=here.now.tzinfo) + timedelta(days=1)  # 23:59 there
    plan(here, 2, lane=0, send_before=evening + timedelta(days=1))
    yesterday = send_due.claim(here.engine, here.vault, here.channel_id, 1, evening).sends
    today = send_due.claim(here.engine, here.vault, here.channel_id, 1, evening + 2 * MINUTE).sends
    assert here.value("SELECT daily_used FROM channels") == 1
    record_outcomes.record(here.engine, here.vault, [Ended(here.channel_id, yesterday[0], refused("queue_full"))], evening + 2 * MINUTE)
    assert here.value("SELECT daily_used FROM channels") == 1
    record_outcomes.record(here.engine, here.vault, [Ended(here.channel_id, today[0], refused("queue_full"))], evening + 3 * MINUTE)
    assert here.value("SELECT daily_used FROM channels") == 0


def test_a_full_sim_hands_its_campaigns_to_the_next_and_keeps_answers(here: World, other: UUID) -> None:
    here.run("UPDATE channels SET daily = 10 WHERE id = :id", id=here.channel_id)
    ids = plan(here, 12)
    assert len(claim(here)) == 8
    reply = plan(here, 1, lane=1)
    move(here)
    assert on(here, ids).count(other) == 4
    assert on(here, reply) == [here.channel_id]


def test_what_waits_for_its_own_midnight_leaves_at_that_of_the_spare(here: World, other: UUID) -> None:
    far = builders.unit(here.engine, here.now, code="P02", time_zone="Pacific/Auckland")  # midnight at 11:00 UTC, eight hours from now
    here.run("UPDATE channels SET unit_id = :far WHERE id = :id", far=far, id=other)
    here.run("UPDATE channels SET daily = 10, daily_used = 9, daily_on = (:now AT TIME ZONE 'Pacific/Auckland')::date", now=here.now)
    ids = plan(here, 2)
    for after in (0, 5, 475):
        move(here, after=after * MINUTE)
    assert set(on(here, ids)) == {here.channel_id}
    move(here, after=481 * MINUTE)
    assert set(on(here, ids)) == {other}


def test_alerts_and_answers_leave_a_sim_whose_whole_day_is_used_up(here: World, other: UUID) -> None:
    here.run("UPDATE channels SET daily = 2 WHERE id = :id", id=here.channel_id)
    urgent = plan(here, 4, lane=0)
    assert len(claim(here)) == 2
    answer = plan(here, 1, lane=1)
    move(here)
    assert on(here, urgent).count(other) == 2
    assert on(here, answer) == [other]


@pytest.mark.parametrize("lane", [0, 1])
def test_an_alert_or_answer_that_meets_the_carriers_daily_limit_takes_the_spare_at_once(here: World, other: UUID, lane: int) -> None:
    ids = plan(here, 2, lane=lane)
    end(here, claim(here, wanted=1), refused("daily_limit"))
    assert on(here, ids).count(other) == 1  # before the clock has looked
    assert len(claim(here, other)) == 1
    move(here)
    assert set(on(here, ids)) == {other}
    assert flags(here, "channel_stopped") == 1


def test_of_a_channel_that_works_badly_alerts_leave_too_and_answers_only_when_it_is_given_up_and_answers_come_back(here: World, other: UUID) -> None:
    alert, answer = plan(here, 1, lane=0), plan(here, 1, lane=1)
    here.run("UPDATE channels SET weight = 75, weight_at = :now, trouble_at = :now WHERE id = :id", now=here.now, id=here.channel_id)
    move(here)
    assert (on(here, alert), on(here, answer)) == ([other], [here.channel_id])
    here.run("UPDATE channels SET weight = 0 WHERE id = :id", id=here.channel_id)
    here.run("UPDATE channels SET looked_to = NULL, one_way = CASE WHEN id = :id THEN '{+84}' ELSE one_way END", id=other)
    move(here)
    assert on(here, answer) == [here.channel_id]
    here.run("UPDATE channels SET looked_to = NULL, one_way = '{}'")
    move(here)
    assert on(here, answer) == [other]


def test_an_answer_stays_where_the_client_wrote_though_another_country_is_off_there(here: World, other: UUID) -> None:
    here.run("UPDATE channels SET off = '{+44}' WHERE id = :id", id=other)
    answer = plan(here, 1, lane=1, channel_id=other)
    move(here)
    assert on(here, answer) == [other]


def test_a_disabled_channel_gives_up_what_is_planned(here: World, other: UUID) -> None:
    ids = plan(here, 3)
    with unit_of_work(here.engine, now=here.now) as work:
        channels.set_state(work, here.channel_id, "disabled")
    move(here)
    assert set(on(here, ids)) == {other}


def test_what_waited_where_nothing_could_help_leaves_as_soon_as_there_is_another_channel(here: World) -> None:
    ids = plan(here, 3)
    with unit_of_work(here.engine, now=here.now) as work:
        channels.pause(work, here.channel_id, "suspended", None)
    move(here, after=5 * MINUTE)
    assert set(on(here, ids)) == {here.channel_id}
    added = channel(here.engine, here.vault, here.now, here.unit_id, name="c")
    move(here, after=6 * MINUTE)
    assert set(on(here, ids)) == {added}


def test_a_text_that_asks_waits_rather_than_leave_where_its_answer_is_lost(here: World, other: UUID) -> None:
    here.run("UPDATE channels SET one_way = '{+84}' WHERE id = :id", id=other)
    asking, telling = plan(here, 1, expects="yes_no"), plan(here, 1)
    with unit_of_work(here.engine, now=here.now) as work:
        channels.pause(work, here.channel_id, "suspended", None)
    move(here)
    assert on(here, asking + telling) == [here.channel_id, other]


def test_a_daily_limit_of_the_carrier_ends_by_itself_and_then_only_the_rest_leaves(here: World) -> None:
    plan(here, 5)
    end(here, claim(here, wanted=2), ACCEPTED)
    end(here, claim(here, wanted=1), refused("daily_limit"))
    assert claim(here, after=MINUTE) == []
    move(here, after=MINUTE)
    assert flags(here, "channel_stopped") == 1
    move(here, after=timedelta(minutes=61))
    assert here.value("SELECT state FROM channels") == "active"
    assert len(claim(here, after=timedelta(minutes=61))) == 3


@pytest.mark.parametrize("lane", [0, 1])
def test_at_the_carriers_daily_limit_without_a_spare_an_alert_or_answer_is_tried_on_while_campaigns_wait(here: World, lane: int) -> None:
    ids = plan(here, 2)
    end(here, claim(here, wanted=1), refused("daily_limit"))
    pressing = plan(here, 1, lane=lane)
    with unit_of_work(here.engine, now=here.now + MINUTE) as work:
        assert channels.due(work, ["simulator"]) == [here.channel_id]
    sends = claim(here, after=MINUTE)
    assert [each.message_id for each in sends] == pressing
    end(here, sends, refused("daily_limit"), after=MINUTE)
    assert claim(here, after=MINUTE) == []
    with unit_of_work(here.engine, now=here.now + MINUTE) as work:
        assert channels.due(work, ["simulator"]) == []
    end(here, claim(here, after=2 * MINUTE), ACCEPTED, after=2 * MINUTE)
    assert here.value("SELECT state FROM outbound WHERE id = :id", id=pressing[0]) == "accepted"
    assert here.rows("SELECT DISTINCT state FROM outbound WHERE id = ANY(:ids)", ids=ids)[0].state == "planned"
    move(here, after=timedelta(minutes=60, seconds=1))
    assert here.value("SELECT state FROM channels") == "active", "what was tried meanwhile did not make the hour longer"


def test_when_the_process_that_holds_the_lines_is_gone_their_texts_leave_by_another_channel(here: World) -> None:
    bind = channel(here.engine, here.vault, here.now, here.unit_id, kind="smpp", name="z")
    ids = plan(here, 1, channel_id=bind)
    with unit_of_work(here.engine, now=here.now) as work:
        health_rows.beat(work, "lines", "lines-1")
    for seconds in (15, 21, 30):
        move(here, after=timedelta(seconds=seconds))
        assert on(here, ids) == [bind]
    move(here, after=timedelta(seconds=31))
    assert on(here, ids) == [here.channel_id]
    assert here.value("SELECT state_reason FROM channels WHERE id = :id", id=bind) == "line_shut"
    assert flags(here, "channel_stopped") == 1


def test_after_a_night_the_clock_may_be_the_first_to_speak_and_nobody_is_told(here: World) -> None:
    bind = channel(here.engine, here.vault, here.now, here.unit_id, kind="smpp", name="z")
    ids = plan(here, 1, channel_id=bind)
    for night in (0, 1):
        for seconds, beats in ((0, True), (9 * 3600, False), (9 * 3600 + 5, True), (9 * 3600 + 20, False)):
            after = timedelta(days=night, seconds=seconds)
            if beats:
                with unit_of_work(here.engine, now=here.now + after) as work:
                    health_rows.beat(work, "lines", "lines-1")
            move(here, after=after)
    assert on(here, ids) == [bind]
    assert flags(here, "channel_stopped") == 0


def test_a_fault_that_ends_by_itself_does_not_reopen_an_account_that_is_suspended(here: World) -> None:
    plan(here, 2)
    first, second = claim(here)
    end(here, [first], refused("suspended"))
    end(here, [second], refused("daily_limit"))
    move(here, after=timedelta(hours=2))
    assert [(row.state, row.state_reason) for row in here.rows("SELECT state, state_reason FROM channels")] == [("paused", "suspended")]


def test_a_channel_that_flaps_each_minute_for_an_hour_moves_each_text_once_at_most(here: World, other: UUID) -> None:
    before: dict[UUID, UUID] = {}
    ids: list[UUID] = []
    for minute in range(60):
        after = minute * MINUTE
        with unit_of_work(here.engine, now=here.now + after) as work:
            routes.count(work, {here.channel_id: (0, 30, 0) if minute % 2 else (30, 0, 0), other: (30, 0, 0)})
        ids += plan(here, 2, send_after=here.now + after) if minute < 10 else []
        move(here, after=after)
        for each, at in zip(ids, on(here, ids), strict=True):
            assert before.get(each) != other or at == other
            before[each] = at
    assert weight(here) == 0
    assert set(before.values()) == {other}


def test_what_a_failed_channel_holds_moves_also_after_the_clock_was_set_back(here: World, other: UUID) -> None:
    here.run("UPDATE channels SET state = 'disabled', looked_to = :later WHERE id = :id", id=here.channel_id, later=here.now + timedelta(hours=1))
    (alert,) = plan(here, 1, lane=0)
    move(here)
    assert on(here, [alert]) == [other]
