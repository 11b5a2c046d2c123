"""Simulated clients: what each does with a text, and when. All chance is each client's own, by the seed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from tests.year import words

QUESTION = re.compile(r"\b1\b\D.*\b2\b", re.DOTALL)
"""What asks for a figure; of an appointment when it offers a 3 too."""
THREE = re.compile(r"\b3\b")
HOUR = timedelta(hours=1)
VIETNAM, ENGLAND = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/London")


@dataclass(frozen=True, slots=True)
class Habit:
    """`answers`: the share of questions; `within_h`: from the quickest to the slowest answer. Others are shares, or each week's chance."""

    name: str
    share: float
    answers: float = 0.0
    within_h: tuple[float, float] = (0.05, 3)
    unwell: float = 0.03
    slips: float = 0.03
    chats: float = 0.01
    calls: float = 0.005
    crisis: float = 0.0005
    stops: float = 0.001
    off: float = 0.005  # the phone is off for a while
    moves: float = 0.0  # the number goes to somebody else


HABITS = (
    Habit("prompt", 0.36, 0.95),
    Habit("late", 0.16, 0.8, (6, 70)),
    Habit("now and then", 0.2, 0.55, (0.2, 40)),
    Habit("never", 0.1, 0.0),
    Habit("clumsy", 0.07, 0.85, (0.05, 8), slips=0.5),
    Habit("chatty", 0.04, 0.9, chats=0.5, calls=0.03),
    Habit("troubled", 0.03, 0.75, (0.1, 20), unwell=0.35, crisis=0.02, calls=0.03),
    Habit("leaver", 0.02, 0.6, stops=0.05),
    Habit("phone off", 0.01, 0.7, off=0.15),
    Habit("moved on", 0.01, 0.6, moves=0.03),
)
LANGUAGES = {"vi": 0.88, "en": 0.08, "fr": 0.04}


@dataclass(slots=True)
class Person:
    """A client and their phone."""

    number: int
    phone: str
    zone: ZoneInfo
    language: str
    habit: Habit
    chance: Random
    shares_with: int | None = None
    id: UUID = field(default_factory=uuid4)
    stopped: bool = False
    off_until: datetime | None = None
    stranger: bool = False
    """Somebody else has the number now."""

    @property
    def code(self) -> str:
        return f"Y{self.number:05d}"

    @property
    def name(self) -> str:
        return f"Canary Person{self.number}"

    def is_off(self, now: datetime) -> bool:
        return self.off_until is not None and now < self.off_until

    def hears(self, body: str, now: datetime) -> Iterator[tuple[datetime, str, str]]:
        """What they write upon a text: (when, words, what is meant)."""
        if self.stranger:
            if self.chance.random() < 0.5:
                yield self._soon(now, 4), self._say(words.STRANGER), "stranger"
            return
        if not QUESTION.search(body):
            if self.chance.random() < self.habit.chats / 4:
                yield self._soon(now, 2), self._say(words.CHATTER), "chatter"
            return
        if self.chance.random() >= self.habit.answers:
            return
        at = self._awake(now + HOUR * self.chance.uniform(*self.habit.within_h))
        if self.chance.random() < self.habit.slips:
            yield at, self._say(words.SLIPS), "slip"
        elif THREE.search(body):
            answer = self.chance.random()
            yield at, self._say(words.YES if answer < 0.85 else words.NO if answer < 0.95 else words.THREE), "appointment"
        else:
            yield at, self._say(words.NO if self.chance.random() < self.habit.unwell else words.YES), "answer"

    def lives(self, monday: datetime) -> Iterator[tuple[datetime, str, str]]:
        """What a week brings by itself, whatever we text: (when, words or "", what is meant)."""
        habit = self.habit
        for odds, said, meant in (
            (habit.crisis, words.CRISIS, "crisis"), (habit.calls, words.CALL, "call"), (habit.chats / 3, words.CHATTER, "chatter"),
            (habit.calls, words.INFO, "info"), (habit.stops, words.STOP, "stop"),
        ):  # fmt: skip
            if self.chance.random() < odds and not self.stranger:
                at = monday + HOUR * self.chance.uniform(0, 7 * 24)
                yield at, self._say(said), meant
                if meant == "stop" and self.chance.random() < 0.5:
                    yield at + timedelta(days=self.chance.uniform(0.5, 40)), self._say(words.START), "start"
        if self.chance.random() < habit.off:
            yield monday + HOUR * self.chance.uniform(0, 7 * 24), "", "off"
        if self.chance.random() < habit.moves:
            yield monday + HOUR * self.chance.uniform(0, 7 * 24), "", "moves"

    def _soon(self, now: datetime, hours: float) -> datetime:
        return self._awake(now + HOUR * self.chance.uniform(0.02, hours))

    def _awake(self, at: datetime) -> datetime:
        """Whoever reads it at night answers in the morning, mostly."""
        return at if 6 <= at.astimezone(self.zone).hour < 23 or self.chance.random() < 0.1 else at + 8 * HOUR

    def _say(self, said: words.Said) -> str:
        return words.one_of(said, self.language, self.chance)


def people(count: int, seed: int) -> list[Person]:
    """The town. Each person is the same in a town of any size, but for who shares a phone with whom."""
    found: list[Person] = []
    for number in range(count):
        chance = Random(f"{seed}:{number}")
        habit = chance.choices(HABITS, [each.share for each in HABITS])[0]
        language = chance.choices(list(LANGUAGES), list(LANGUAGES.values()))[0]
        abroad = language == "en" and chance.random() < 0.5  # clients of the English service
        phone, shares = (f"+4477{number:08d}" if abroad else f"+8491{number:07d}"), None
        if number and chance.random() < 0.03 and found[-1].shares_with is None:
            phone, shares = found[-1].phone, number - 1
            abroad = found[-1].zone is ENGLAND
        found.append(Person(number, phone, ENGLAND if abroad else VIETNAM, language, habit, chance, shares))
    return found
