"""How well a channel works, and what share of its clients it keeps: down in steps at once, up in steps after a quiet while.

A channel in trouble gives up clients only to one that is well: when all are, nothing moves, and a person is told.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gateway.domain.routing import ALL

WINDOW = timedelta(minutes=5)
"""What is looked at: of the outcomes since then, and since the weight last moved."""
FEWEST = 10
"""Outcomes below which nothing is said of a channel."""
TROUBLE = 0.2
"""The share of bad outcomes, or of slow ones, from which a channel is in trouble."""
STEP, STEEP = 25, 50
"""Points down at once, and where half or more is bad."""
DOWN_EVERY = timedelta(minutes=1)
QUIET = timedelta(minutes=15)
"""Without trouble for so long, a channel gets a step back; and another after each UP_EVERY."""
UP_EVERY = timedelta(minutes=5)
SLOW_SECONDS = 5.0
"""A carrier that takes longer over an answer is slow."""

REPORTS_TAKE, SILENCE = timedelta(minutes=10), timedelta(minutes=30)
"""Of texts that left longer ago than the one, reports are to be there; it is looked at what left, and what came, within the other."""
UNHELD, SURE = timedelta(seconds=20), timedelta(seconds=10)
"""When no process that holds lines was heard of for so long, nothing leaves by them; it is seen twice, so far apart, since after an
outage or a night all processes have been silent and the clock may be the first to speak."""
MANY, USUAL = 50, 0.5
"""Only of a channel is silence trouble that, the day before, brought this share of reports for so many texts: phones that are off explain the rest."""

WELL, BAD = "well", "bad"


def kind(outcome: str) -> str | None:
    """What an outcome (channels.base lists them) says of its channel: that it works, that it does not, or (None) nothing."""
    if outcome in ("not_sent_retry", "channel_down", "unknown"):
        return BAD
    return None if outcome == "throttled" else WELL


@dataclass(frozen=True, slots=True)
class Seen:
    """A channel and how its attempts ended lately. `spares`: the channels that reach phones which it reaches."""

    id: UUID
    weight: int
    moved_at: datetime | None  # the weight
    trouble_at: datetime | None
    well: int
    bad: int
    slow: int  # of those that went well
    is_open: bool
    spares: Collection[UUID]
    awaited: int = 0  # texts taken long enough ago that reports of them should be there
    reported: int = 0  # reports that came since the first of those left
    usually: float = 0.0  # reports for a text, the day before; 0: not known

    @property
    def is_troubled(self) -> bool:
        """Whether too much goes wrong, or too slowly, or what was taken lies there."""
        of_all = self.well + self.bad
        return self.is_silent or (of_all >= FEWEST and max(self.bad, self.slow) >= TROUBLE * of_all)

    @property
    def is_silent(self) -> bool:
        """Whether hardly any reports come of what was taken, where they used to."""
        return self.awaited >= FEWEST and self.usually >= USUAL and self.reported < TROUBLE * self.usually * self.awaited


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a channel: its weight before and from now on, whether it is in trouble now, and whether no other could help."""

    id: UUID
    was: int
    weight: int
    is_troubled: bool
    is_alone: bool


def judge(seen: Iterable[Seen], now: datetime) -> list[Verdict]:
    """The channels in trouble, and those whose weight changes."""
    by_id = {each.id: each for each in seen}
    found = []
    for each in by_id.values():
        helpers = [by_id[spare] for spare in each.spares if spare in by_id and _is_well(by_id[spare])]
        weight = _lowered(each, now) if each.is_troubled and helpers else each.weight if each.is_troubled else _raised(each, now)
        if each.is_troubled or weight != each.weight:
            found.append(Verdict(each.id, each.weight, weight, each.is_troubled, each.is_troubled and not helpers and bool(each.spares)))
    return found


def _is_well(each: Seen) -> bool:
    return each.is_open and each.weight == ALL and not each.is_troubled


def _lowered(each: Seen, now: datetime) -> int:
    pace = REPORTS_TAKE if each.is_silent else DOWN_EVERY  # silence tells of what left a while ago, not of the last step
    if each.moved_at is not None and now - each.moved_at < pace:
        return each.weight
    return max(each.weight - (STEEP if 0 < each.well + each.bad <= each.bad * 2 else STEP), 0)


def _raised(each: Seen, now: datetime) -> int:
    if each.weight == ALL or (each.trouble_at is not None and now - each.trouble_at < QUIET):
        return each.weight
    if each.moved_at is not None and now - each.moved_at < UP_EVERY:
        return each.weight
    return min(each.weight + STEP, ALL)
