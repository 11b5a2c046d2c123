"""A menu on any phone: where the phone is in it and what was pressed -> where it is now, and what follows. Pure.

Figures walk the menu; whoever types words is heard as a text would be, wherever they are. What a place shows is composed
by the use case: it knows the appointment, the services and the dialogue.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from gateway.domain import services
from gateway.domain.interpret import Meaning

RESUME_WITHIN = timedelta(minutes=10)
MOST_TRIES = 5
ITEMS = ("appointment", "check_in", "services", "callback", "language", "stop", "help")
PERSONAL = frozenset({"appointment", "check_in"})
BACK, MORE = "0", "98"
_PLACES = {"appointment": "appointment", "check_in": "check_in", "services": "topics", "language": "language", "help": "helplines"}
_SAID = {"callback": "called", "stop": "stopped", "start": "started"}


@dataclass(frozen=True, slots=True)
class State:
    """Where a phone is. `at`: the place, as its text is called; `pages`: what it shows, `page` the one on the screen.

    `then`: the place behind the PIN; `right`: the PIN was given; `chosen`: a keyed hash of the PIN typed the first time.
    `about`: the appointment shown; `language`: chosen just now. After a cut `at` is "resume" and `then` where it was.
    """

    at: str = "menu"
    pages: tuple[str, ...] = ()
    page: int = 0
    then: str = ""
    right: bool = False
    chosen: str = ""
    topic: int = 0
    about: str = ""
    language: str = ""
    ended: bool = False

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The state that `to_dict` gave."""
        return cls(**{**data, "pages": tuple(data["pages"])})


@dataclass(frozen=True, slots=True)
class Pin:
    """A PIN as it is kept, and how often it was given wrongly since it was last right."""

    salt: bytes
    hash: bytes
    tries: int = 0
    locked: bool = False

    def fits(self, secret: bytes) -> bool:
        """Whether this is the one."""
        return hmac.compare_digest(hash_pin(secret, self.salt), self.hash)


def hash_pin(secret: bytes, salt: bytes) -> bytes:
    """What is kept of a PIN. `secret` is its keyed hash: without the key, which lies elsewhere, ten thousand guesses find nothing."""
    return hashlib.scrypt(secret, salt=salt, n=1 << 10, r=8, p=1, dklen=32)  # others wait meanwhile, and four figures are soon tried anyway


@dataclass(frozen=True, slots=True)
class Seen:
    """What a step depends on: the phone's PIN, whether it wants no texts, and the languages there are."""

    pin: Pin | None
    stopped: bool
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetPin:
    """The phone has this PIN from now on."""

    secret: bytes


@dataclass(frozen=True, slots=True)
class WrongPin:
    """One try less."""


@dataclass(frozen=True, slots=True)
class RightPin:
    """All tries again."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was chosen, as if it had been texted in words."""

    meaning: Meaning


@dataclass(frozen=True, slots=True)
class AnswerVisit:
    """Whether they come to the appointment shown: confirmed or reschedule."""

    answer: str


@dataclass(frozen=True, slots=True)
class TextServices:
    """What is on the screen, by SMS."""

    topic: int


Effect = SetPin | WrongPin | RightPin | Wish | AnswerVisit | TextServices


class Turn(NamedTuple):
    """Where the phone is now and what follows. `shows`: the place is to be composed anew; else `state.pages` stand."""

    state: State
    effects: tuple[Effect, ...] = ()
    shows: bool = True


def items(stopped: bool) -> tuple[str, ...]:
    """What the menu offers, from 1 on."""
    return tuple("start" if item == "stop" and stopped else item for item in ITEMS)


def begin(left: State | None, left_at: datetime | None, now: datetime) -> State:
    """The first screen; where the phone was cut off in something not long ago, it may go on. A PIN is asked again."""
    if left is None or left_at is None or now - left_at > RESUME_WITHIN:
        return State()
    place = left.then or left.at
    if left.ended or place in ("", "menu"):
        return State(language=left.language)
    return State("resume", then=place, topic=left.topic, language=left.language)


def is_words(typed: str) -> bool:
    """Whether it is to be heard as a text."""
    return any(letter.isalpha() for letter in typed)


def turn_page(state: State, typed: str) -> Turn | None:
    """What 98 and 0 do between the screens of one place, and 0 on its first one; None where it is an answer."""
    if typed == MORE and state.page + 1 < len(state.pages):
        return Turn(replace(state, page=state.page + 1), shows=False)
    if typed == BACK and state.page:
        return Turn(replace(state, page=state.page - 1), shows=False)
    if typed == BACK:
        return Turn(replace(_go(state, "topics" if state.at == "found" else "menu"), then=""))
    return None


def step(state: State, typed: str, secret: bytes, seen: Seen) -> Turn:
    """What follows on figures. `secret`: the keyed hash of what was typed. What fits nothing shows the same screen again."""
    if (turned := turn_page(state, typed)) is not None:
        return turned
    chosen = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 4 else 0
    match state.at:
        case "menu":
            return _item(state, chosen, seen)
        case "resume" if chosen in (1, 2):
            return _open(state, state.then, seen) if chosen == 1 else Turn(State(language=state.language))
        case "language" if 0 < chosen <= len(seen.languages):
            language = seen.languages[chosen - 1]
            return Turn(State(language=language, right=state.right), (Wish(Meaning("language", language)),))
        case "topics" if 0 < chosen <= len(services.TOPICS):
            return Turn(replace(_go(state, "found"), topic=chosen - 1))
        case "found" if chosen == 1 and state.about:
            return _end(state, "texted", TextServices(state.topic))
        case "appointment" if chosen in (1, 2) and state.about:
            answer, said = (("confirmed", "confirmed"), ("reschedule", "another_time"))[chosen - 1]
            return _end(state, said, AnswerVisit(answer))
        case "pin" | "pin_wrong" | "pin_new" | "pin_again" | "pin_differs" if len(typed) == 4 and typed.isascii() and typed.isdigit():
            return _pin(state, secret, seen)
    return Turn(state, shows=False)


def _item(state: State, chosen: int, seen: Seen) -> Turn:
    offered = items(seen.stopped)
    if not 0 < chosen <= len(offered):
        return Turn(state, shows=False)
    item = offered[chosen - 1]
    if item in _SAID:
        return _end(state, _SAID[item], Wish(Meaning(item, why="chosen from the menu")))
    return _open(state, _PLACES[item], seen)


def _open(state: State, place: str, seen: Seen) -> Turn:
    """A place; what is personal lies behind the PIN."""
    if place not in PERSONAL or state.right:
        return Turn(replace(_go(state, place), then=""))
    if seen.pin is None:
        return Turn(replace(_go(state, "pin_new"), then=place))
    return _end(state, "locked") if seen.pin.locked else Turn(replace(_go(state, "pin"), then=place))


def _pin(state: State, secret: bytes, seen: Seen) -> Turn:
    if seen.pin is not None and seen.pin.locked:
        return _end(state, "locked")
    if seen.pin is not None and state.at in ("pin", "pin_wrong"):
        if seen.pin.fits(secret):
            return Turn(replace(_go(state, state.then), right=True, then=""), (RightPin(),))
        return _end(state, "locked", WrongPin()) if seen.pin.tries + 1 >= MOST_TRIES else Turn(_go(state, "pin_wrong"), (WrongPin(),))
    if seen.pin is not None:  # chosen meanwhile
        return Turn(_go(state, "pin"))
    if state.at in ("pin_new", "pin_differs"):
        return Turn(replace(_go(state, "pin_again"), chosen=secret.hex()))
    if state.at == "pin_again" and hmac.compare_digest(state.chosen, secret.hex()):
        return Turn(replace(_go(state, state.then), right=True, then="", chosen=""), (SetPin(secret),))
    return Turn(replace(_go(state, "pin_differs"), chosen=""))


def _go(state: State, place: str) -> State:
    return replace(state, at=place, pages=(), page=0, about="")


def _end(state: State, said: str, *effects: Effect) -> Turn:
    return Turn(replace(state, at=said, pages=(), page=0, ended=True), effects)


# --- what was typed --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kept:
    """One post that was answered: the keyed hash and length of all that was typed until then, and the screen it got."""

    hash: str
    length: int
    screen: str
    goes_on: bool


def added(text: str, kept: Kept) -> str | None:
    """What was typed since, whatever `*` it holds. The caller has compared the beginning; None where the text does not go on from it."""
    if not kept.length:
        return text or None
    return text[kept.length + 1 :] if text[kept.length : kept.length + 1] == "*" else None
