"""Scores from a meeting face to face, and how they go over time. The items themselves are never asked by text."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.errors import Refused

_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Scale:
    """A questionnaire's total: what it may be, and from where on it speaks for a recovery that lasts."""

    name: str
    low: int
    high: int
    cut_off: int


# Vilsaint 2017: ten items of 1 to 6, cut-off 47.
SCALES = {"barc10": Scale("BARC-10", 10, 60, 47)}


def checked(scale: Scale, value: int) -> int:
    """The score. Raises Refused for one that the questionnaire cannot give."""
    if not scale.low <= value <= scale.high:
        raise Refused("{scale} is from {low} to {high}", scale=scale.name, low=scale.low, high=scale.high)
    return value


def line(scale: Scale, values: Sequence[int]) -> str:
    """The scores in their order as a line of small bars: the lowest possible is the lowest bar."""
    steps = len(_BARS) - 1
    return "".join(_BARS[round((value - scale.low) / (scale.high - scale.low) * steps)] for value in values)
