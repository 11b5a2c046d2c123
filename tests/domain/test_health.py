from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import health
from gateway.domain.health import Seen

NOW = datetime(2026, 2, 10, 3, tzinfo=UTC)
A, B = UUID(int=1), UUID(int=2)
MINUTE = timedelta(minutes=1)


def seen(id_: UUID, **changes: object) -> Seen:
    fields = {"id": id_, "weight": 100, "moved_at": None, "trouble_at": None, "well": 100, "bad": 0, "slow": 0, "is_open": True, "spares": {A, B} - {id_}}
    return Seen(**(fields | changes))  # type: ignore[arg-type]


def weights(*channels: Seen, now: datetime = NOW) -> dict[UUID, int]:
    return {each.id: each.weight for each in channels} | {verdict.id: verdict.weight for verdict in health.judge(channels, now)}


def test_a_channel_slow_for_a_fifth_gives_up_a_step() -> None:
    assert weights(seen(A, slow=20), seen(B)) == {A: 75, B: 100}


def test_a_storm_of_errors_takes_two_steps_at_once() -> None:
    assert weights(seen(A, well=10, bad=40), seen(B)) == {A: 50, B: 100}


def test_little_trouble_or_few_attempts_say_nothing() -> None:
    assert health.judge([seen(A, bad=19), seen(B, well=0, bad=9)], NOW) == []


def test_a_channel_of_which_no_reports_come_any_more_gives_up_a_step_where_they_used_to_come() -> None:
    assert weights(seen(A, awaited=20, reported=3, usually=0.9), seen(B)) == {A: 75, B: 100}
    for well in ({"awaited": 20, "reported": 4}, {"awaited": 9}, {"awaited": 500, "usually": 0.4}, {"awaited": 500, "usually": 0.0}):
        assert health.judge([seen(A, **{"usually": 0.9, "reported": 0, **well}), seen(B)], NOW) == []


def test_silence_after_the_last_text_left_costs_one_step_as_silence_among_others_does() -> None:
    assert weights(seen(A, well=0, awaited=20, reported=0, usually=0.9), seen(B)) == {A: 75, B: 100}


def test_when_no_channels_reports_come_any_more_it_is_our_own_door_and_nothing_moves() -> None:
    verdicts = health.judge([seen(A, awaited=50, usually=1.0), seen(B, awaited=50, usually=1.0)], NOW)
    assert [(each.weight, each.is_alone) for each in verdicts] == [(100, True), (100, True)]


def test_when_both_are_slow_nothing_moves_and_a_person_is_told() -> None:
    verdicts = health.judge([seen(A, slow=50), seen(B, bad=60)], NOW)
    assert [(each.weight, each.is_alone) for each in verdicts] == [(100, True), (100, True)]


def test_a_single_channel_never_loses_weight_and_nobody_is_told_twice() -> None:
    (verdict,) = health.judge([seen(A, bad=60, spares=())], NOW)
    assert (verdict.weight, verdict.is_alone) == (100, False)


def test_a_paused_channel_is_no_help() -> None:
    assert weights(seen(A, bad=60), seen(B, is_open=False))[A] == 100


def test_it_moves_once_a_minute_at_most() -> None:
    channels = seen(A, weight=50, bad=60, moved_at=NOW - MINUTE / 2), seen(B)
    assert weights(*channels)[A] == 50
    assert weights(*channels, now=NOW + MINUTE)[A] == 25


def test_it_comes_back_in_steps_after_a_quiet_while() -> None:
    a = seen(A, weight=0, well=0, moved_at=NOW, trouble_at=NOW)
    assert weights(a, seen(B), now=NOW + 14 * MINUTE)[A] == 0
    assert weights(a, seen(B), now=NOW + 15 * MINUTE)[A] == 25
    assert weights(replace(a, weight=25, moved_at=NOW + 15 * MINUTE), seen(B), now=NOW + 19 * MINUTE)[A] == 25
    assert weights(replace(a, weight=25, moved_at=NOW + 15 * MINUTE), seen(B), now=NOW + 20 * MINUTE)[A] == 50


def test_a_channel_that_flaps_each_minute_goes_down_and_stays_down() -> None:
    a, moves = seen(A), 0
    for minute in range(60):
        now = NOW + minute * MINUTE
        is_bad = minute % 2 == 0
        a = replace(a, well=0 if is_bad else 50, bad=50 if is_bad else 0)
        for verdict in health.judge([a, seen(B)], now):
            if verdict.id == A:
                moves += verdict.weight != a.weight
                a = replace(a, weight=verdict.weight, moved_at=now if verdict.weight != a.weight else a.moved_at,
                            trouble_at=now if verdict.is_troubled else a.trouble_at)  # fmt: skip
    assert (a.weight, moves) == (0, 2)


counts = st.integers(0, 200)
some = st.builds(
    lambda id_, weight, well, bad, slow, is_open: seen(id_, weight=weight, well=well, bad=bad, slow=min(slow, well), is_open=is_open),
    st.just(A), st.sampled_from((0, 25, 50, 75, 100)), counts, counts, counts, st.booleans(),
)  # fmt: skip


@given(some, some)
def test_weights_stay_in_bounds_and_never_fall_on_all_at_once(a: Seen, b: Seen) -> None:
    b = replace(b, id=B, spares={A})
    found = weights(a, b)
    assert all(0 <= weight <= 100 for weight in found.values())
    assert not (found[A] < a.weight and found[B] < b.weight)
