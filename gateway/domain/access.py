"""Who may come in: how long a guesser waits, and which passwords are good enough."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.errors import Refused

MUST_HAVE_SECOND = frozenset({"administrator"})
"""Roles that do nothing before they have set up a second factor."""

FORGOTTEN_AFTER = timedelta(days=1)
"""Failures this old are not counted any more."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many failures in a row cost nothing, and how long the wait may grow after that, doubling from a second."""

    free: int
    longest: timedelta


ONE_PERSON = Limit(5, timedelta(minutes=15))  # somebody at one code, from one network or one device
ONE_NETWORK = Limit(20, timedelta(minutes=1))  # anybody from one network: an office, or half a town behind one address
SECOND = Limit(10, timedelta(minutes=15))  # the second factor of one person, from devices that they never used


def wait(limit: Limit, failures: int, tried_at: datetime, now: datetime) -> timedelta:
    """How long until the next try is looked at; nothing for the first few."""
    if failures < limit.free or now - tried_at >= FORGOTTEN_AFTER:
        return timedelta(0)
    pause = min(timedelta(seconds=2 ** min(failures - limit.free, 30)), limit.longest)
    return max(tried_at + pause - now, timedelta(0))


SHORTEST, LONGEST, LETTERS = 12, 200, 6


def password(typed: str, code: str) -> str:
    """The password as it is compared, however the keyboard composed its letters. Raises Refused with what is wrong."""
    composed = composed_password(typed)
    if not SHORTEST <= len(composed) <= LONGEST:
        raise Refused("A password has from {least} to {most} characters: several words in a row are good.", least=SHORTEST, most=LONGEST)
    if len(set(composed)) < LETTERS or code.casefold() in composed.casefold() or _runs_on(composed):
        raise Refused("This password is easily guessed: take several words that do not belong together.")
    return composed


def composed_password(typed: str) -> str:
    """What was typed, in one of the several ways in which Unicode writes it."""
    return unicodedata.normalize("NFKC", typed)


def _runs_on(typed: str) -> bool:
    """Whether it is a row of the keyboard or the alphabet, such as 123456789012."""
    rows = ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "passwordpassword")
    low = typed.casefold()
    return any(low in row * 2 or low in (row * 2)[::-1] for row in rows)




def stage(role: str, has_second: bool) -> str:
    """How far a password takes somebody."""
    if has_second:
        return "second"
    return "set_up" if role in MUST_HAVE_SECOND else "in"
