"""On a gateway for practice: let hours pass within a second, so that a week of check-ins can be lived through in minutes."""

import time
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time

from sqlalchemy import Engine

from gateway.domain import windows
from gateway.domain.errors import Refused
from gateway.store import practice
from gateway.store.base import SYSTEM, unit_of_work

STEP = timedelta(hours=1)
PAUSE_SECONDS = 0.5
"""Between two steps: what is planned anew each second is then some two hours late at most."""
MOST = timedelta(days=31)
LENGTHS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
MORNING = clock_time(9)
NOTHING = practice.Unsent(0, 0)


def step(engine: Engine, by: timedelta = STEP, patience_s: float = 3.0) -> datetime:
    """Move the clock by an hour at most; what it shows then.

    First what is due is done, as long as less of it is left every `patience_s`, and the carrier's answers come in. Raises Refused where a
    channel leads to real phones, or when the carrier does not answer.
    """
    if not timedelta(0) < by <= STEP:
        raise Refused("The clock moves on by an hour at a time.")
    least: int | None = None
    until = time.monotonic() + patience_s
    while True:
        is_long = time.monotonic() > until
        with unit_of_work(engine, SYSTEM) as work:
            if practice.reaches_people(work):
                raise Refused("The clock can be moved only where every channel is a simulator: here a text may reach a real phone.")
            unsent = practice.unsent(work)
            if unsent == NOTHING or (is_long and not unsent.handed_over):
                practice.move(work, by)
                return work.now + by
        if is_long:
            raise Refused("A text is still on its way: try again when it has arrived.")
        left = unsent.due + unsent.handed_over
        if least is None or left < least:
            least, until = left, time.monotonic() + patience_s
        time.sleep(0.1)


def moment(engine: Engine, name: str, zone: str) -> datetime:
    """The moment that lies an "hour", a "day" or a "week" ahead, or the next "morning" in this zone. Raises Refused for another name."""
    with unit_of_work(engine, SYSTEM) as work:
        now = work.now
    if name == "morning":
        tomorrow = now.astimezone(windows.zone_of(zone)).date() + timedelta(days=1)
        return datetime.combine(tomorrow, MORNING, windows.zone_of(zone)).astimezone(UTC)
    if name not in LENGTHS:
        raise Refused("The clock moves on by an hour, a day or a week, or to the next morning.")
    return now + LENGTHS[name]


def towards(engine: Engine, until: datetime, for_s: float) -> datetime:
    """Move the clock towards a moment, as far as it comes in so many seconds, by a step at least; what it shows then. Raises Refused as `step` does."""
    ends = time.monotonic() + for_s
    while True:
        with unit_of_work(engine, SYSTEM) as work:
            at = work.now
        if at >= until:
            return at
        at = step(engine, min(STEP, until - at))
        if at >= until or time.monotonic() + PAUSE_SECONDS > ends:
            return at
        time.sleep(PAUSE_SECONDS)


def steps(length: timedelta) -> list[timedelta]:
    """A length of time in steps of an hour, and the rest. Raises Refused."""
    if not timedelta(0) < length <= MOST:
        raise Refused("How long? Up to 31 days, such as 90m, 36h or 7d.")
    whole, rest = divmod(length, STEP)
    return [STEP] * whole + [rest] * bool(rest)
