"""Days that come again: the rules of RFC 5545, with days that a month does not have clamped to its last one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from heapq import merge
from itertools import chain, islice, takewhile
from typing import Any

from dateutil.rrule import rrule, rrulestr

from gateway.domain.errors import Refused

# What RFC 5545 cannot say, since it knows no holidays: the rule, and which way a day that is no working day moves.
WORKING_DAYS = {
    "last working day": ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "before"),
    "first working day": ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1", "after"),
}
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_KNOWN = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "BYWEEKNO", "BYYEARDAY", "WKST"}
_SHORTEST_MONTH = 28


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as RFC 5545 writes it, checked; `until` is the last day it may give."""

    parts: tuple[tuple[str, str], ...]
    count: int | None
    until: date | None


def read(typed: str) -> Rule:
    """The rule that was typed, such as FREQ=WEEKLY;BYDAY=MO. Raises Refused."""
    parts = dict(part.partition("=")[::2] for part in typed.strip().upper().removeprefix("RRULE:").split(";") if part)
    if unknown := sorted(set(parts) - _KNOWN):
        raise Refused("{key} is not known in a rule of days; the time of day is given as at, the first day as start", key=", ".join(unknown))
    if parts.get("FREQ") not in _FREQUENCIES:
        raise Refused("a rule says how often: FREQ=DAILY, WEEKLY, MONTHLY or YEARLY, such as FREQ=WEEKLY;BYDAY=MO")
    try:
        count, until = parts.pop("COUNT", None), parts.pop("UNTIL", None)
        if count and until:
            raise ValueError
        rule = Rule(tuple(parts.items()), int(count) if count else None, date.fromisoformat(until[:8]) if until else None)
        if not 1 <= int(parts.get("INTERVAL", "1")) <= 1000 or (rule.count is not None and rule.count < 1):
            raise ValueError
        if any(not 1 <= abs(day) <= 31 or day < -_SHORTEST_MONTH for day in _numbers(parts.get("BYMONTHDAY"))):
            raise ValueError
        next(days(rule, date(2024, 1, 1), date(2024, 1, 1), date(2064, 1, 1)))
    except (ValueError, TypeError, AttributeError, KeyError, IndexError):
        raise Refused("the rule {rule!r} cannot be read; write it as FREQ=MONTHLY;BYDAY=2TU or FREQ=MONTHLY;BYMONTHDAY=31", rule=typed) from None
    except StopIteration:
        raise Refused("the rule {rule!r} never gives a day", rule=typed) from None
    return rule


def days(rule: Rule, start: date, first: date, last: date) -> Iterator[date]:
    """The rule's days from `first` to `last`, both included, counted from `start` on."""
    last = min(last, rule.until or last)
    for day in islice(_all(rule, start), rule.count):
        if day > last:
            return
        if day >= first:
            yield day


def ends(rule: Rule, start: date) -> date | None:
    """The rule's last day, None if it goes on for ever; the day before `start` when there is none at all."""
    if rule.count is None and rule.until is None:
        return None
    until = rule.until or date.max
    return max(takewhile(lambda day: day <= until, islice(_all(rule, start), rule.count)), default=start - timedelta(days=1))


def _all(rule: Rule, start: date) -> Iterator[date]:
    """Every day of the rule, each once, in order."""
    before = None
    for found in merge(*(map(datetime.date, each) for each in _rules(rule, start))):
        if found != before:
            yield found
        before = found


@lru_cache(maxsize=256)
def _rules(rule: Rule, start: date) -> tuple[rrule, ...]:
    """The rule as one or more of dateutil's: each day of a month that some months lack is one of its own.

    The 31st is the last of the days 28 to 31 that a month has; so is 29 February among 28 and 29.
    """
    parts = _with_its_day(dict(rule.parts), start)
    month_days = _numbers(parts.get("BYMONTHDAY"))
    late = [day for day in month_days if day > _SHORTEST_MONTH]
    if not late or parts["FREQ"] not in ("MONTHLY", "YEARLY") or {"BYDAY", "BYSETPOS", "BYWEEKNO", "BYYEARDAY"} & set(parts):
        return (_rule(parts, start),)
    months = _numbers(parts.get("BYMONTH")) or range(1, 13)
    clamped = [
        parts | {"BYMONTHDAY": ",".join(map(str, range(_SHORTEST_MONTH, day + 1))), "BYSETPOS": "-1"} | by_month
        for day in late
        for by_month in ([{"BYMONTH": str(month)} for month in months] if parts["FREQ"] == "YEARLY" else [{}])
    ]
    early = [day for day in month_days if day <= _SHORTEST_MONTH]
    plain = [parts | {"BYMONTHDAY": ",".join(map(str, early))}] if early else []
    return tuple(_rule(each, start) for each in chain(plain, clamped))


def _with_its_day(parts: dict[str, str], start: date) -> dict[str, str]:
    """The rule with the day that RFC 5545 takes from the start written out, so that it is clamped like any other."""
    if {"BYDAY", "BYMONTHDAY", "BYWEEKNO", "BYYEARDAY"} & set(parts) or parts["FREQ"] not in ("MONTHLY", "YEARLY"):
        return parts
    month = {} if parts["FREQ"] == "MONTHLY" or "BYMONTH" in parts else {"BYMONTH": str(start.month)}
    return parts | {"BYMONTHDAY": str(start.day)} | month


def _rule(parts: dict[str, str], start: date) -> rrule:
    """dateutil's, of whole days without a zone, remembering what it has counted."""
    typed = ";".join(f"{name}={value}" for name, value in parts.items())
    made: Any = rrulestr(typed, dtstart=datetime.combine(start, time()), cache=True)
    return made  # type: ignore[no-any-return]


def _numbers(typed: str | None) -> list[int]:
    return [int(each) for each in typed.split(",")] if typed else []

