"""Nobody is texted at night, whatever held the text up; in the morning texts leave at the channel's rate, cries for help at once.

Case 27 of the fault table.
"""

import math
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from itertools import count
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from gateway.domain.messages import REPLY
from gateway.domain.windows import Window
from gateway.store.base import unit_of_work
from gateway.usecases import send_due
from gateway.usecases.record_outcomes import Sent
from gateway.vault import Vault
from tests import builders
from tests.builders import World
from tests.faults.processes import until
from tests.faults.stage import FULL, Stage

VIETNAM, LONDON = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/London")
DAY = Window(time(7), time(22))
SECOND = timedelta(seconds=1)
BACKLOG, RATE = (50_000, 500) if FULL else (400, 100)
_guards = count(1)


def at(clock: str, zone: ZoneInfo = VIETNAM, day: int = 10) -> datetime:
    """A moment in a winter month."""
    return datetime.combine(datetime(2026, 2, day), time.fromisoformat(clock), zone)


@pytest.fixture
def here(engine: Engine, vault: Vault) -> World:
    """A unit in Vietnam that may text from 7 to 22, on a clock that a test moves."""
    now = at("09:00")
    unit_id = builders.unit(engine, now, hours=DAY)
    return World(engine, vault, unit_id, builders.channel(engine, vault, now, unit_id), now)


def due(here: World, clock: str, **changes: object) -> UUID:
    fields = {"send_after": at(clock), "send_before": at(clock) + timedelta(days=1), **changes}
    return here.planned(here.client(), **fields)


def claim(here: World, when: datetime) -> list[Sent]:
    """What leaves at a moment; the carrier takes it."""
    sends = send_due.claim(here.engine, here.vault, here.channel_id, 100, when).sends
    here.run("UPDATE outbound SET state = 'accepted' WHERE state = 'submitting'")
    return sends


def test_a_text_due_two_seconds_before_the_night_and_held_up_for_seven_waits_for_the_morning(here: World) -> None:
    text = due(here, "21:59:58")
    assert claim(here, at("22:00:05")) == []
    (row,) = here.rows("SELECT state, reason, send_after FROM outbound WHERE id = :id", id=text)
    assert (row.state, row.reason, row.send_after) == ("planned", "quiet hours", at("07:00", day=11))
    assert claim(here, at("06:59:59.999999", day=11)) == []
    assert [sent.message_id for sent in claim(here, at("07:00", day=11))] == [text]


def test_at_the_last_moment_of_the_day_it_still_leaves(here: World) -> None:
    text = due(here, "21:59:58")
    assert [sent.message_id for sent in claim(here, at("21:59:59.999999"))] == [text]


def test_a_text_that_is_worth_nothing_in_the_morning_expires_instead_of_waiting(here: World) -> None:
    text = due(here, "21:59:58", send_before=at("23:30"))
    assert claim(here, at("22:00:05")) == []
    (row,) = here.rows("SELECT state, reason FROM outbound WHERE id = :id", id=text)
    assert (row.state, row.reason) == ("expired", "quiet hours; its time passes before then")


@settings(max_examples=500 if FULL else 40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zone=st.sampled_from(["Asia/Ho_Chi_Minh", "Europe/London", "America/St_Johns", "Asia/Kathmandu", "nowhere", None]),
    due_at=st.datetimes(datetime(2026, 3, 28), datetime(2026, 3, 30)), held_up_s=st.integers(0, 100_000),
)  # fmt: skip
def test_whatever_held_it_up_no_text_leaves_at_night_on_the_client_s_own_clock(
    here: World, zone: str | None, due_at: datetime, held_up_s: int
) -> None:
    client, moment = here.client(), due_at.replace(tzinfo=VIETNAM)
    here.run("UPDATE clients SET time_zone = :zone WHERE id = :id", zone=zone, id=client)
    text = here.planned(client, send_after=moment, send_before=moment + timedelta(days=4))
    now = moment + held_up_s * SECOND
    left = text in [sent.message_id for sent in claim(here, now)]
    clock = now.astimezone(ZoneInfo(zone) if zone and zone != "nowhere" else VIETNAM).time()
    assert left == (time(7) <= clock < time(22))
    here.run("UPDATE outbound SET state = 'cancelled' WHERE state = 'planned'")


def test_a_client_in_another_zone_is_texted_by_their_own_clock(here: World) -> None:
    away, home = here.client(), here.client()
    here.run("UPDATE clients SET time_zone = 'Europe/London' WHERE id = :id", id=away)
    texts = [here.planned(client, send_after=at("22:30"), send_before=at("22:30", day=12)) for client in (away, home)]
    assert [sent.client_id for sent in claim(here, at("22:30"))] == [away]  # 15:30 in London
    assert [sent.message_id for sent in claim(here, at("07:00", day=11))] == [texts[1]]
    later = here.planned(away, send_after=at("07:00", day=12), send_before=at("22:30", day=13))
    assert claim(here, at("07:00", day=12)) == []  # midnight in London
    assert [sent.message_id for sent in claim(here, at("07:00", LONDON, day=12))] == [later]


def test_an_answer_is_exempt_for_ten_minutes_and_then_waits_like_any_text(here: World) -> None:
    exempt = {"lane": REPLY, "consent_purpose": None, "exempt_until": at("02:10")}
    in_time, too_late = due(here, "02:00", **exempt), due(here, "02:09", **exempt)
    assert in_time in [sent.message_id for sent in claim(here, at("02:08"))]
    assert claim(here, at("02:10")) == []
    assert here.value("SELECT send_after FROM outbound WHERE id = :id", id=too_late) == at("07:00")


# --- with real processes --------------------------------------------------------------------------------------------


def close_for_the_night(stage: Stage) -> None:
    """The unit's hours ended with the last whole minute."""
    with unit_of_work(stage.engine) as work:
        closes = work.now.astimezone(VIETNAM).replace(second=0, microsecond=0)
    stage.world.run("UPDATE units SET opens = :opens, closes = :closes WHERE id = :u", u=stage.world.unit_id,
                    opens=(closes - timedelta(hours=3)).time(), closes=closes.time())  # fmt: skip


def test_at_night_campaigns_wait_and_a_cry_for_help_and_a_stop_are_answered(stage: Stage) -> None:
    guard = f"+84919995{next(_guards):03d}"
    stage.world.staff(guard)
    crying, stopping, asking = (stage.world.phone_of(stage.world.client()) for _ in range(3))
    close_for_the_night(stage)
    texts = stage.plan(20)
    held = "SELECT count(*) FROM outbound WHERE id = ANY(:ids) AND reason = 'quiet hours' AND send_after > now() + interval '20 hours'"
    until(lambda: stage.world.value(held, ids=texts) == 20 or stage.states(texts) == {"expired": 20}, what="the holding of all texts")
    for phone, words in ((crying, "toi muon chet"), (stopping, "STOP"), (asking, "HELP")):
        stage.say(phone, words)
    until(lambda: all(map(stage.received, (crying, guard, stopping, asking))), 15, "the answers and the alert")
    assert not {stage.phone_of(text) for text in texts} & {message.to for message in stage.accepted()}


def test_a_backlog_leaves_in_the_morning_at_the_channel_s_rate_and_a_cry_for_help_before_it(stage: Stage) -> None:
    guard = f"+84919995{next(_guards):03d}"
    stage.world.staff(guard)
    crying = stage.world.phone_of(stage.world.client())
    stage.set_rate(RATE)
    with unit_of_work(stage.engine) as work:
        opens_at = work.now + 2 * SECOND
    for _ in range(0, BACKLOG, 2000):
        stage.plan(min(2000, BACKLOG), send_after=opens_at, send_before=opens_at + timedelta(hours=4))
    stage.until_accepted(BACKLOG // 4, BACKLOG)
    stage.say(crying, "toi muon chet")
    stage.figures["answered in the backlog after (s)"] = until(lambda: stage.received(crying) and stage.received(guard), 30, "answer and alert")
    assert "planned" in stage.states()
    stage.until_done(BACKLOG)
    assert stage.states() == {"accepted": BACKLOG}
    claims = stage.world.rows("SELECT started_at, count(*) AS n FROM attempts WHERE channel_id = :c GROUP BY 1 ORDER BY 1", c=stage.world.channel_id)
    assert claims[0].started_at >= opens_at
    stage.figures[f"of {RATE} a second, left"] = BACKLOG / (claims[-1].started_at - opens_at).total_seconds()
    assert busiest(claims) < 1.001, "more left than the rate allows"


def busiest(claims: Sequence[Any]) -> float:
    """The most that was claimed in any stretch of time, as a share of what the rate lets leave in it and in a second more."""
    worst, lowest, total = 0.0, math.inf, 0
    for claim in claims:
        allowed = RATE * (claim.started_at - claims[0].started_at).total_seconds()
        lowest = min(lowest, total - allowed)  # where the worst stretch that ends here begins
        total += claim.n
        worst = max(worst, total - allowed - lowest)
    return worst / RATE
