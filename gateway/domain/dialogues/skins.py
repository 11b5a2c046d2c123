"""A turn as one SMS, or as USSD screens. A skin only cuts and adds "0 back, 98 more"; what is said is the same."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.domain import segments, wording
from gateway.domain.dialogues.definition import Dialogue, Step

BACK, MORE = "0", "98"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one screen holds: septets, or UTF-16 units where the text needs UCS-2."""

    gsm7: int = 160
    ucs2: int = 70

    def hold(self, text: str) -> bool:
        """Whether the text fits on one screen."""
        counted = segments.count(text)
        return counted.units <= (self.gsm7 if counted.encoding == "GSM-7" else self.ucs2)


SCREEN = Limits()


@dataclass(frozen=True, slots=True)
class Navigation:
    """The two lines in the client's language: "0 back", "98 more"."""

    back: str
    more: str


def sms(dialogue: Dialogue, language: str, says: Sequence[str], values: Mapping[str, str]) -> str:
    """All that is said in a turn as one text; "" when nothing is."""
    return "\n".join(wording.fill(dialogue.text(language, key), values) for key in says)


def screens(text: str, navigation: Navigation, limits: Limits = SCREEN, back: bool = False) -> list[str]:
    """The text as screens that fit, cut between lines where it can be. `back`: there is a question before this one."""
    whole = f"{text}\n{navigation.back}" if back else text
    if limits.hold(whole):
        return [whole]
    pieces = list(_pieces(text, f"\n{navigation.back}\n{navigation.more}", limits))
    pages: list[str] = []
    while pieces:
        foot, taken = f"\n{navigation.back}" if back or pages else "", len(pieces)
        if not limits.hold("\n".join(pieces) + foot):
            foot += f"\n{navigation.more}"
            taken = _most(pieces, foot, limits)
        pages.append("\n".join(pieces[:taken]) + foot)
        pieces = pieces[taken:]
    return pages


def _most(pieces: Sequence[str], foot: str, limits: Limits) -> int:
    """How many of the pieces fit above the foot; one at least."""
    fitting = itertools.takewhile(lambda many: limits.hold("\n".join(pieces[:many]) + foot), range(2, len(pieces)))
    return max(fitting, default=1)


def pressed(typed: str, step: Step, at: int, of: int) -> Literal["more", "screen_before", "back"] | None:
    """What 0 and 98 do on screen `at` (from 0) of `of`; None when the figure, or anything else, is an answer."""
    typed = typed.strip()
    if typed == MORE and at + 1 < of:
        return "more"
    if typed != BACK or (BACK in step.values and not at):
        return None
    return "screen_before" if at else "back"


def _pieces(text: str, foot: str, limits: Limits) -> Iterator[str]:
    """The lines; of a line too long for a screen its words, or parts of a word."""
    for line in text.split("\n"):
        if limits.hold(line + foot):
            yield line
        else:
            yield from _cut(line, foot, limits)


def _cut(line: str, foot: str, limits: Limits) -> Iterator[str]:
    piece = ""
    for word in line.split(" "):
        longer = f"{piece} {word}" if piece else word
        if piece and not limits.hold(longer + foot):
            yield piece
            longer = word
        while len(longer) > 1 and not limits.hold(longer + foot):
            end = next(end for end in range(len(longer) - 1, 0, -1) if end == 1 or limits.hold(longer[:end] + foot))
            yield longer[:end]
            longer = longer[end:]
        piece = longer
    yield piece
