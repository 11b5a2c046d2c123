"""The second witness: weights learnt from labelled replies (bench/understanding.py), kept in locales/<language>/weights.tsv.

For each feature of a text the file has one weight for each outcome. They are added up, and the sums made into chances.
All the weights of a feature are packed into one whole number, a lane of bits for each, so that adding them is one addition.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

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

ZERO, MOST = 79, 46
"""A weight is written as one sign: chr(79) is none, 46 up or down the strongest."""
STEP = 0.05
_LANE = 20
_HALF, _FULL = 1 << (_LANE - 1), (1 << _LANE) - 1
_HALVES = sum(_HALF << (_LANE * at) for at in range(len(OUTCOMES)))
"""Added before a lane is read, so that no lane borrows from the next."""
_ASKED_FOR = {
    "yes": ("yes_no", "appointment", "ready"), "no": ("yes_no", "appointment"), "reschedule": ("appointment",),
    "number": ("scale", "menu"),
}  # fmt: skip
_MOST_KEPT = 16384
_MOST_TOLD = 3


@dataclass(frozen=True, slots=True, eq=False)
class Witness:
    """The weights of one language, packed, and its classes of words; `words` remembers the sum for each word met."""

    classes: Classes
    weights: Mapping[str, int]
    words: dict[Token, int] = field(default_factory=dict)


def witness(classes: Classes, lines: Iterable[str]) -> Witness:
    """Read a weights.tsv: a feature and its weights on each line; lines that start with "!" are remarks."""
    weights = {}
    for line in lines:
        if line and not line.startswith("!"):
            feature, signs = line.split("\t")
            weights[feature] = sum((ord(sign) - ZERO) << (_LANE * at) for at, sign in enumerate(signs))
    return Witness(classes, weights)


def chances(
    witness: Witness, text: Text, own: Evidence, rules: Meaning, expecting: Expecting, asks: bool
) -> dict[str, float]:
    """How likely each outcome is that what was asked leaves possible; together 1."""
    known = witness.weights
    total = known.get("", 0)
    for feature in features.of_text(text, own, rules, expecting, asks):
        total += known.get(feature, 0)
    for token in features.words_of(text):
        total += _of_word(witness, token)
    powers = {
        outcome: math.exp(STEP * _lane(total, at))
        for at, outcome in enumerate(OUTCOMES)
        if expecting.kind in _ASKED_FOR.get(outcome, (expecting.kind,))
    }
    whole = sum(powers.values())
    return {outcome: power / whole for outcome, power in powers.items()}


def reasons(witness: Witness, text: Text, meaning: Meaning) -> str:
    """The words of the text that spoke most for a meaning: only such as are in the weights, never a name or number."""
    outcome = f"language {meaning.value}" if meaning.meaning == "language" else meaning.meaning
    lane, known = OUTCOMES.index(outcome), witness.weights
    weighed = {words: _lane(known[each], lane) for each, words in features.readable(text) if each in known}
    strongest = sorted(weighed, key=lambda words: (-weighed[words], words))[:_MOST_TOLD]
    return ", ".join(f"“{words}”" for words in strongest)


def _of_word(witness: Witness, token: Token) -> int:
    found = witness.words.get(token)
    if found is None:
        if len(witness.words) >= _MOST_KEPT:
            witness.words.clear()
        known = witness.weights
        found = sum(known.get(feature, 0) for feature in features.of_word(witness.classes, token))
        witness.words[token] = found
    return found


def _lane(total: int, at: int) -> int:
    return (((total + _HALVES) >> (_LANE * at)) & _FULL) - _HALF
