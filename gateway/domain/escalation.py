"""Who hears of an urgent flag, when, until somebody takes it; and what a reply to such an alert says.

A round: whoever is on call first hears at once, the next after two minutes, the supervisor after five. Nobody took it: it
begins anew, every ten minutes in the first hour, since people sleep; then every half hour, since by then something else is
wrong, and a phone that rings all day is switched off. It never ends by itself.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Literal
from uuid import UUID

from gateway.domain import opening
from gateway.domain.errors import Refused
from gateway.domain.flags import AT_ONCE
from gateway.domain.windows import Zone

NEXT = timedelta(minutes=2)
ANSWER = timedelta(seconds=15)  # for a carrier to take the answer to a cry for help
AGAIN, AGAIN_LATER, OFTEN = timedelta(minutes=10), timedelta(minutes=30), 6
LEADS = ("supervisor", "administrator")

Way = Literal["text", "answer", "second", "again"]
"""A text to one person; the client's answer, over another channel; e-mail and webhook; the next round."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A staff member with a phone, `distance` units above the flag's. `hours` and `zone`: of their place in a list."""

    staff_id: UUID
    distance: int
    role: str
    position: int | None = None  # in the on-call list of that unit
    hours: str = opening.ALWAYS
    zone: Zone = "UTC"
    on_duty: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """Something to be done about a flag, unless somebody took it before."""

    way: Way
    due_at: datetime
    staff_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Alerted:
    """A flag that the holder of a phone was alerted about lately."""

    flag_id: UUID
    number: int
    staff_id: UUID
    is_open: bool


def is_on(hours: str, zone: Zone, now: datetime) -> bool:
    """Whether a place in an on-call list counts at this moment. One that cannot be read does: rather one text too many."""
    try:
        return opening.look(opening.read(hours), zone, now).is_open
    except Refused:
        return True


def lasts(round: int) -> timedelta:
    """How long a round takes. Its texts are of use until the next one says the same again."""
    return AGAIN if round < OFTEN - 1 else AGAIN_LATER


def on_call(candidates: Sequence[Candidate], now: datetime) -> list[list[UUID]]:
    """Who is on call now, one turn after the other, the nearest unit first: its list in order, then all on duty by hand."""
    turns: list[list[UUID]] = []
    for _, near in groupby(sorted(candidates, key=_distance), key=_distance):
        here = list(near)
        listed = sorted((c for c in here if c.position is not None and is_on(c.hours, c.zone, now)), key=lambda c: c.position or 0)
        turns += [[c.staff_id] for c in listed]
        turns.append([c.staff_id for c in here if c.position is None and c.on_duty])
    return _each_once(turns)


def steps(candidates: Sequence[Candidate], now: datetime, round: int = 0, answered: bool = False) -> list[Step]:
    """One round, from now on; `answered`: the client is, which the first round looks after. Where nobody is on call the supervisors hear first, else the administrators; with nobody at
    all there is the second way, at once."""
    turns = on_call(candidates, now)
    leads = [_nearest(candidates, role) for role in LEADS]
    by_rank = [group for groups in leads for group in groups]
    if turns:
        above = next((group for group in by_rank if not set(group) <= {each for turn in turns for each in turn}), [])
        ladder = [turns[0], turns[1] if len(turns) > 1 else [], [each for turn in [*turns[2:], above] for each in turn]]
    else:
        ladder = by_rank[:3]
    told = [Step("text", now + after, each) for after, turn in zip((timedelta(0), NEXT, AT_ONCE), _filled(ladder), strict=False) for each in turn]
    second = Step("second", now + NEXT if told else now)
    answer = [Step("answer", now + ANSWER)] if answered and round == 0 else []
    return [*told, *answer, second, Step("again", now + lasts(round))]


def _distance(candidate: Candidate) -> int:
    return candidate.distance


def _nearest(candidates: Sequence[Candidate], role: str) -> list[list[UUID]]:
    """All of a role, unit by unit going up."""
    found = sorted((c for c in candidates if c.role == role), key=_distance)
    return _each_once([[c.staff_id for c in group] for _, group in groupby(found, key=_distance)])


def _each_once(turns: Sequence[Sequence[UUID]]) -> list[list[UUID]]:
    return [turn for turn in _filled(turns) if turn]


def _filled(turns: Sequence[Sequence[UUID]]) -> Iterator[list[UUID]]:
    """The turns without those who had one before."""
    told: set[UUID] = set()
    for turn in turns:
        yield [each for each in dict.fromkeys(turn) if each not in told]
        told |= set(turn)


_TAKES = re.compile(r"ok(?:ay)?\W*(?P<after>\d{1,18})?\W*|(?P<before>\d{1,18})\W*ok(?:ay)?\W*")


def taken(text: str, alerted: Collection[Alerted]) -> Alerted | None:
    """The flag that a reply to an alert takes: "OK 12", or "OK" where only one is open. Nothing else is read into it.

    A phone that was not alerted about the flag takes nothing.
    """
    said = _TAKES.fullmatch(unicodedata.normalize("NFKC", text).strip().casefold())
    if said is None:
        return None
    number = said["after"] or said["before"]
    if number is not None:
        return next((each for each in alerted if each.number == int(number)), None)
    waiting = {each.number: each for each in alerted if each.is_open}
    return next(iter(waiting.values())) if len(waiting) == 1 else None
