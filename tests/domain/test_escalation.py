"""Who hears when: pure, so every rota and hour can be tried."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import escalation
from gateway.domain.escalation import Alerted, Candidate, steps

NOW = datetime(2026, 2, 10, 3, 0, tzinfo=UTC)  # Tuesday, 10:00 in Vietnam
ZONE = "Asia/Ho_Chi_Minh"
A, B, C, SUPERVISOR, ADMINISTRATOR = (UUID(int=n) for n in range(1, 6))
BOSS, ADMIN = Candidate(SUPERVISOR, 1, "supervisor"), Candidate(ADMINISTRATOR, 2, "administrator")


def listed(who: UUID, position: int, distance: int = 0, hours: str = "24/7") -> Candidate:
    return Candidate(who, distance, "case_worker", position, hours, ZONE)


def duty(who: UUID, distance: int = 0) -> Candidate:
    return Candidate(who, distance, "case_worker", on_duty=True)


def told(*candidates: Candidate, now: datetime = NOW) -> list[tuple[UUID | None, int]]:
    """Who is texted, and after how many minutes."""
    return [(step.staff_id, (step.due_at - now) // timedelta(minutes=1)) for step in steps(candidates, now) if step.way == "text"]


def test_the_first_hears_at_once_the_next_after_two_minutes_the_supervisor_after_five() -> None:
    assert told(listed(A, 1), listed(B, 2), BOSS) == [(A, 0), (B, 2), (SUPERVISOR, 5)]


def test_everybody_else_on_call_hears_with_the_supervisor() -> None:
    assert told(listed(A, 1), listed(B, 2), listed(C, 3), BOSS, ADMIN) == [(A, 0), (B, 2), (C, 5), (SUPERVISOR, 5)]


def test_with_one_on_call_nobody_else_hears_before_the_supervisor() -> None:
    assert told(listed(A, 1), BOSS) == [(A, 0), (SUPERVISOR, 5)]


def test_the_nearest_unit_hears_first_and_its_list_before_those_on_duty_by_hand() -> None:
    assert told(listed(C, 1, distance=1), duty(B), listed(A, 1)) == [(A, 0), (B, 2), (C, 5)]


def test_all_on_duty_in_one_unit_hear_together() -> None:
    assert told(duty(A), duty(B), duty(C, 1)) == [(A, 0), (B, 0), (C, 2)]


def test_a_place_outside_its_hours_is_passed_over() -> None:
    night, day = listed(A, 1, hours="Mon-Sun 18:00-08:00"), listed(B, 2, hours="Mon-Fri 08:00-18:00")
    assert told(night, day, BOSS) == [(B, 0), (SUPERVISOR, 5)]
    assert told(night, day, BOSS, now=NOW + timedelta(hours=12)) == [(A, 0), (SUPERVISOR, 5)]


def test_with_nobody_on_call_supervisors_hear_at_once_then_administrators() -> None:
    assert told(BOSS, ADMIN) == [(SUPERVISOR, 0), (ADMINISTRATOR, 2)]


def test_a_supervisor_who_is_on_call_hears_once_in_a_round_and_the_next_one_up_after_five_minutes() -> None:
    above = Candidate(B, 2, "supervisor")
    assert told(Candidate(SUPERVISOR, 0, "supervisor", on_duty=True), above) == [(SUPERVISOR, 0), (B, 5)]


def test_with_nobody_at_all_the_second_way_goes_at_once_and_it_comes_round_again() -> None:
    assert [(step.way, step.due_at - NOW) for step in steps([], NOW)] == [("second", timedelta(0)), ("again", timedelta(minutes=10))]


def test_it_comes_round_every_ten_minutes_for_an_hour_and_then_every_half_hour() -> None:
    waits = [steps([], NOW, round)[-1].due_at - NOW for round in range(8)]
    assert waits == [timedelta(minutes=10)] * 5 + [timedelta(minutes=30)] * 3


people = st.builds(
    Candidate, st.sampled_from([A, B, C, SUPERVISOR]), st.integers(0, 3), st.sampled_from(["case_worker", "supervisor", "administrator"]),
    st.none() | st.integers(1, 4), st.sampled_from(["24/7", "Mon-Fri 08:00-17:00", "Sat 20:00-06:00"]), st.just(ZONE), st.booleans(),
)  # fmt: skip


@given(st.lists(people, max_size=6), st.integers(0, 40), st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)))
def test_a_round_tells_nobody_twice_begins_at_once_and_always_leads_to_the_next(rota: list[Candidate], round: int, naive: datetime) -> None:
    now = naive.replace(tzinfo=UTC)
    found = steps(rota, now, round)
    texts = [step.staff_id for step in found if step.way == "text"]
    assert len(texts) == len(set(texts))
    assert min(step.due_at for step in found) == now
    assert [step.way for step in found[-2:]] == ["second", "again"]
    assert all(now <= step.due_at < found[-1].due_at for step in found[:-1])
    assert bool(texts) == (bool(escalation.on_call(rota, now)) or any(c.role in escalation.LEADS for c in rota))


TWELVE, OLD = Alerted(A, 12, B, True), Alerted(C, 7, B, False)


@pytest.mark.parametrize("text", ["OK 12", "ok12", " Ok 12. ", "12 ok", "OK", "okay 12", "\uff2f\uff2b \uff11\uff12", "ok!", "OK-12"])
def test_a_plain_ok_takes_the_flag(text: str) -> None:
    assert escalation.taken(text, [TWELVE, OLD]) == TWELVE


@pytest.mark.parametrize("text", ["", "ok 13", "12", "not ok 12", "ok 12 but I cannot come", "ok 12?no", "no 12", "OK 12 13", "yes", "ok" * 300])
def test_nothing_else_is_taken_for_one(text: str) -> None:
    assert escalation.taken(text, [TWELVE, OLD]) is None


def test_ok_without_a_number_takes_none_of_several() -> None:
    assert escalation.taken("ok", [TWELVE, Alerted(C, 13, B, True)]) is None
    assert escalation.taken("ok", [OLD]) is None


def test_a_flag_that_was_taken_is_found_by_its_number() -> None:
    assert escalation.taken("ok 7", [TWELVE, OLD]) == OLD


@given(st.text(max_size=40))
def test_a_phone_that_was_not_alerted_takes_nothing(text: str) -> None:
    assert escalation.taken(text, []) is None
