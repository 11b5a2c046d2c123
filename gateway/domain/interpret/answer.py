"""What was asked, and what was understood."""

import re
from dataclasses import dataclass
from typing import Literal, Self, get_args

from gateway.domain.errors import Refused

Kind = Literal["none", "yes_no", "scale", "menu", "appointment", "ready"]

MEANINGS = (
    "stop", "start", "help", "yes", "no", "number", "reschedule", "callback", "info", "crisis", "wrong_number",
    "language", "other",
)  # fmt: skip

_RANGE = re.compile(r"(scale|menu):(\d{1,3})-(\d{1,3})")


@dataclass(frozen=True, slots=True)
class Expecting:
    """The question that is open: none, yes_no, scale or menu with its range, appointment, ready.

    "ready" is the discreet ping "you have a message, reply 1 when you can read".
    """

    kind: Kind
    low: int = 0
    high: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "none", "yes_no", "appointment", "ready", "scale:1-5" or "menu:1-4". Raises Refused."""
        if found := _RANGE.fullmatch(text):
            low, high = int(found[2]), int(found[3])
            if low < high:
                return cls("scale" if found[1] == "scale" else "menu", low, high)
        elif text in get_args(Kind) and text not in ("scale", "menu"):
            return cls(text)  # type: ignore[arg-type]
        raise Refused(
            f"“{text}” is not something a text can ask for. Use none, yes_no, appointment, ready, "
            "scale:LOW-HIGH or menu:LOW-HIGH."
        )

    def __str__(self) -> str:
        return f"{self.kind}:{self.low}-{self.high}" if self.kind in ("scale", "menu") else self.kind


@dataclass(frozen=True, slots=True)
class Meaning:
    """One meaning (of MEANINGS), its value (the number, the language, or what an INFO asks for), and why.

    `also` must be acted on too. `doubt` is "stop" (pause and ask once) or "crisis" (a person looks the same day);
    where there are both, it is "crisis", and `also_doubt` is "stop".
    """

    meaning: str
    value: int | str | None = None
    also: tuple[str, ...] = ()
    doubt: str | None = None
    why: str = ""
    also_doubt: str | None = None
    asks_who: bool = False  # a `help` that asks who is texting: perhaps it is somebody else than the client
