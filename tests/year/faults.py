"""What goes wrong, and when: by the seed alone, so that a run can be had again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from tests.carrier import scripts
from tests.carrier.messages import Message
from tests.carrier.scripts import Script
from tests.year.network import Report

KINDS = (
    "carrier away", "accepted, then 500", "accepted, then cut", "accepted, no answer", "no answer", "nonsense", "slow down",
    "redis wiped", "sender killed", "clock killed", "web away",
)  # fmt: skip
LASTING = {"carrier away": "503", "accepted, then 500": "accept_500", "nonsense": "html", "slow down": "429"}
FEW = {"accepted, then cut": "accept_close", "accepted, no answer": "accept_hang", "no answer": "hang"}
"""For the next few requests only: each waits for its time-out on the wall's clock."""
REPORTS = ("late", "twice", "the wrong way round", "never")


@dataclass(frozen=True, slots=True)
class Fault:
    """`until` is `at` for what happens in a moment."""

    kind: str
    at: datetime
    until: datetime

    @property
    def script(self) -> Script:
        """How the carrier takes what is sent while it lasts."""
        return scripts.make(LASTING.get(self.kind, "ok"))

    @property
    def few(self) -> Sequence[Script]:
        """How it takes the next requests."""
        return [scripts.make(FEW[self.kind])] * 4 if self.kind in FEW else []


def plan(start: datetime, days: int, seed: int, every_days: float) -> list[Fault]:
    """One fault in so many days, all kinds in turn; none at once with another."""
    chance = Random(f"{seed}:faults")
    kinds: list[str] = []
    found: list[Fault] = []
    at = start + timedelta(days=chance.uniform(0.3, every_days))
    while at < start + timedelta(days=days):
        if not kinds:
            kinds = chance.sample(KINDS, len(KINDS))
        kind = kinds.pop()
        began = _busy(at, chance)
        lasts = timedelta(minutes=chance.choice((10, 30, 60, 180))) if kind in LASTING else timedelta(0)
        if all(began > each.until or began + lasts < each.at for each in found):
            found.append(Fault(kind, began, began + lasts))
        at += timedelta(days=chance.uniform(0.5, 1.5) * every_days)
    return sorted(found, key=lambda fault: fault.at)


def _busy(at: datetime, chance: Random) -> datetime:
    """A moment of that day, or of the Monday before it, when many are asked and answer: nothing fails that does nothing."""
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if chance.random() < 0.4:
        return day - timedelta(days=day.weekday()) + timedelta(hours=9.1 + chance.random() * 3)
    return day + timedelta(hours=8 + chance.random() * 14)


class Reporting:
    """How the carrier reports a text: at once, late, twice, the wrong way round, never; and what it says."""

    def __init__(self, seed: int, faulty: bool) -> None:
        self._seed, self._faulty = seed, faulty
        self.played: dict[str, int] = dict.fromkeys(REPORTS, 0)

    def of(self, message: Message, number: int, off: bool, now: datetime) -> Iterator[tuple[datetime, Report]]:
        """The reports of the carrier's `number`-th text, each with its moment."""
        chance = Random(f"{self._seed}:report:{number}")
        end, code = ("undelivered", 30003) if off else ("delivered", None)
        fault = chance.random() if self._faulty else 1.0
        if fault < 0.003:
            self.played["never"] += 1
        elif fault < 0.03:
            self.played["late"] += 1
            yield now + timedelta(hours=chance.uniform(0.5, 90)), Report(message, (end,), code)
        elif fault < 0.05:
            self.played["twice"] += 1
            yield now, Report(message, (end,), code)
            yield now + timedelta(minutes=chance.uniform(0, 600)), Report(message, (end,), code)
        elif fault < 0.07:
            self.played["the wrong way round"] += 1
            yield now, Report(message, (end, "sent", "queued"), code)
        else:
            yield now, Report(message, ("sent", end) if chance.random() < 0.1 else (end,), code)
