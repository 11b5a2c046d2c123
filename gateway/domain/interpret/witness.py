"""The second witness: a small network learnt from labelled replies (bench/understanding.py), kept in
locales/<language>/weights.tsv.

For each feature of a text the file has a weight for each outcome and one for each hidden unit. They are added up; what is
positive in a hidden unit then speaks for and against each outcome as well, and the sums are made into chances. So "stop" and
"bus" together may mean something else than each by itself. All the weights of a feature are packed into one whole number, a
lane of bits for each, so that adding them is one addition.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from gateway.domain.interpret import features
from gateway.domain.interpret.answer import MEANINGS, Expecting, Meaning
from gateway.domain.interpret.evidence import Evidence
from gateway.domain.interpret.features import Classes
from gateway.domain.interpret.phrases import Text, Token

LANGUAGES = ("vi", "en", "fr")
OUTCOMES = (
    *(meaning for meaning in MEANINGS if meaning != "language"),
    *(f"language {each}" for each in LANGUAGES),
    "?crisis",
    "?stop",
)
"""What a text may come to: a meaning, a language asked for, or one of the doubts."""

HIDDEN = 16
SPEAKS = "="
"""The lines of weights.tsv that say what a hidden unit says of each outcome."""
ZERO, MOST = 79, 46
"""A weight is written as one sign: chr(79) is none, 46 up or down the strongest."""
STEP, HIDDEN_STEP = 0.04, 0.012
"""How much a sign is worth: for an outcome, and in a hidden unit."""
FINE = 0.0001
"""How exactly it is kept what a hidden unit says, by each of its steps, of an outcome."""
_LANE, _WIDE_LANE = 20, 40
_ASKED_FOR = {
    "yes": ("yes_no", "appointment", "ready"), "no": ("yes_no", "appointment"), "reschedule": ("appointment",),
    "number": ("scale", "menu"),
}  # fmt: skip
_MOST_KEPT = 16384
_MOST_TOLD = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Learnt:
    """`weights`: feature -> its weights, packed. `speaks`: what each hidden unit says of the outcomes, packed as well."""

    weights: Mapping[str, int]
    speaks: tuple[int, ...]


class Witness:
    """What was learnt for one language, read when it is first asked for, and the language's classes of words."""

    def __init__(self, classes: Classes, read: Callable[[], Iterable[str]]) -> None:
        """`read` gives the lines of a weights.tsv."""
        self.classes = classes
        self._read = read
        self.words: dict[tuple[Token, str], int] = {}  # the sum for each word met and what was asked then

    @cached_property
    def learnt(self) -> _Learnt:
        """Raises ValueError when the file is not one this program wrote."""
        weights, speaks = {}, []
        for line in self._read():
            feature, _, signs = line.partition("\t")
            if feature == SPEAKS:
                each = (round(float(value) * HIDDEN_STEP / FINE) for value in signs.split())
                speaks.append(_packed(each, _WIDE_LANE))
            elif line and not line.startswith("!"):
                weights[feature] = int(signs[::-1].translate(_DIGITS), 16) - _NONE
        if len(speaks) != HIDDEN:
            raise ValueError("a weights.tsv has not as many hidden units as this program: learn it anew")
        return _Learnt(weights, tuple(speaks))


def add_up(
    witness: Witness, text: Text, own: Evidence, rules: Meaning, expecting: Expecting, asks: bool
) -> int:
    """The weights of all features of a text together, packed."""
    known, kind = witness.learnt.weights, features.kind_of(expecting)
    total = known.get("", 0)
    for feature in features.of_text(text, own, rules, expecting, asks):
        total += known.get(feature, 0)
    for token in features.words_of(text):
        total += _of_word(witness, token, kind)
    return total


def chances(witness: Witness, total: int, expecting: Expecting) -> dict[str, float]:
    """How likely each outcome is that what was asked leaves possible; together 1. `total` is from `add_up`."""
    possible = [at for at, outcome in enumerate(OUTCOMES) if expecting.kind in _ASKED_FOR.get(outcome, (expecting.kind,))]
    sums = _sums(witness.learnt, total, possible)
    top = max(sums)
    powers = [math.exp(each - top) for each in sums]
    whole = sum(powers)
    return {OUTCOMES[at]: power / whole for at, power in zip(possible, powers, strict=True)}


def _sums(learnt: _Learnt, total: int, outcomes: Iterable[int]) -> list[float]:
    """What speaks for each outcome: by itself, and by the hidden units that are positive."""
    lanes = total + _HALVES
    hidden = 0
    for speaks in learnt.speaks:
        lane = (lanes & _FULL) - _HALF
        lanes >>= _LANE
        if lane > 0:
            hidden += lane * speaks
    hidden += _WIDE_HALVES
    return [
        STEP * (((lanes >> (_LANE * at)) & _FULL) - _HALF)
        + FINE * (((hidden >> (_WIDE_LANE * at)) & _WIDE_FULL) - _WIDE_HALF)
        for at in outcomes
    ]


def reasons(witness: Witness, total: int, text: Text, meaning: Meaning) -> str:
    """The words of the text without which least would speak for a meaning: only such as are in the weights, never a
    name or number.
    """
    outcome = f"language {meaning.value}" if meaning.meaning == "language" else meaning.meaning
    learnt, at = witness.learnt, OUTCOMES.index(outcome)
    (whole,) = _sums(learnt, total, [at])
    weighed = {}
    for feature, words in features.readable(text):
        if feature in learnt.weights:
            (without,) = _sums(learnt, total - learnt.weights[feature], [at])
            weighed[words] = whole - without
    strongest = sorted(weighed, key=lambda words: (-weighed[words], words))[:_MOST_TOLD]
    return ", ".join(f"“{words}”" for words in strongest)


def _of_word(witness: Witness, token: Token, kind: str) -> int:
    found = witness.words.get((token, kind))
    if found is None:
        if len(witness.words) >= _MOST_KEPT:
            witness.words.clear()
        known = witness.learnt.weights
        found = sum(known.get(feature, 0) for feature in features.of_word(witness.classes, token, kind))
        witness.words[token, kind] = found
    return found


def _packed(weights: Iterable[int], lane: int) -> int:
    """The weights as one number, the first in its lowest bits."""
    return sum(weight << (lane * at) for at, weight in enumerate(weights))


# A sign as the digits of its lane: a hundred thousand lines are read at each start, and this is ten times as fast as `_packed`.
_DIGITS = {sign: f"{sign:0{_LANE // 4}x}" for sign in range(ZERO - MOST, ZERO + MOST + 1)}
_NONE = _packed([ZERO] * (HIDDEN + len(OUTCOMES)), _LANE)
_HALF, _FULL = 1 << (_LANE - 1), (1 << _LANE) - 1
_WIDE_HALF, _WIDE_FULL = 1 << (_WIDE_LANE - 1), (1 << _WIDE_LANE) - 1
# Added before a lane is read, so that no lane borrows from the next.
_HALVES = _packed([_HALF] * (HIDDEN + len(OUTCOMES)), _LANE)
_WIDE_HALVES = _packed([_WIDE_HALF] * len(OUTCOMES), _WIDE_LANE)
