"""The rules' verdict and the second witness put together: who is believed about what, and from which chance on.

What the rules call danger stays at least in doubt, whatever the witness says. The chances are chosen on replies of
writers the weights were not learnt from (bench/understanding.py).
"""

from collections.abc import Mapping
from dataclasses import replace

from gateway.domain.interpret import numbers
from gateway.domain.interpret.answer import Expecting, Meaning
from gateway.domain.interpret.phrases import Text

SURE_CRISIS, KEPT_CRISIS, WORRY = 0.8, 0.6, 0.06
SURE_STOP, KEPT_STOP, MAY_STOP = 0.9, 0.75, 0.15
SURE, KEPT = 0.85, 0.8
"""From which chance on: a meaning the rules did not find, one they did find, and one that is left in doubt."""
MAY_STOP_BESIDE = 0.3
"""The same for a stop beside a meaning that is sure."""
MAY_STOP_DENIED = 0.5
"""The same for a stop where the rules read that something else is stopped, or nothing."""

_ANSWERS = ("number", "yes", "no")
_REQUESTS = ("callback", "info")

Chances = Mapping[str, float]


def settle(rules: Meaning, chances: Chances, text: Text, expecting: Expecting, denies_stop: bool) -> Meaning:
    """One meaning, and what is left in doubt. `denies_stop`: the text says "don't stop", or stops something else."""
    danger, ending = chances["crisis"], chances["stop"]
    meaning = (
        _danger(rules, danger, ending)
        or _stop(rules, ending, denies_stop)
        or _rest(rules, chances, text, expecting)
    )
    if meaning.meaning == "crisis":
        return meaning
    said = {rules.meaning, *rules.also}
    worry, stop = danger + chances["?crisis"], ending + chances["?stop"]
    doubts = []
    if "crisis" in said or worry >= WORRY:
        doubts.append(("crisis", worry))
    least = MAY_STOP_DENIED if denies_stop else MAY_STOP if meaning.meaning == "other" else MAY_STOP_BESIDE
    if meaning.meaning != "stop" and ("stop" in said or stop >= least):
        doubts.append(("stop", stop))
    if doubts and meaning.meaning == "help":  # a person will look: no automatic answer
        meaning = Meaning("other", why=meaning.why)
    reasons = [rules.why if doubt in (rules.doubt, *said) else _why(f"may mean {doubt}", chance) for doubt, chance in doubts]
    why = "; ".join(dict.fromkeys([meaning.why, *reasons]))
    names = [doubt for doubt, _ in doubts]
    return replace(
        meaning, doubt=names[0] if names else None, also_doubt="stop" if len(names) > 1 else None, why=why
    )


def _danger(rules: Meaning, danger: float, ending: float) -> Meaning | None:
    """A crisis, with what else was said: "STOP I want to die" is a stop as well."""
    if rules.meaning == "crisis":
        if danger + ending < KEPT_CRISIS:
            return None
        stops = ending >= SURE_STOP and "stop" not in rules.also
        return replace(rules, also=(*rules.also, "stop")) if stops else rules
    if danger < SURE_CRISIS:
        return None
    also = tuple(each for each in (rules.meaning, *rules.also) if each in ("stop", "callback", "number"))
    return Meaning("crisis", rules.value if "number" in also else None, also, why=_why("crisis", danger))


def _stop(rules: Meaning, ending: float, denied: bool) -> Meaning | None:
    if rules.meaning == "stop":
        return rules if ending >= KEPT_STOP else None
    if ending < SURE_STOP or (denied and rules.doubt != "stop"):
        return None
    also = tuple(each for each in (rules.meaning, *rules.also) if each in (*_ANSWERS, "wrong_number"))
    return Meaning("stop", rules.value if "number" in also else None, also, why=_why("stop", ending))


def _rest(rules: Meaning, chances: Chances, text: Text, expecting: Expecting) -> Meaning:
    """The likeliest of the meanings nobody is hurt by; an answer the rules read stays one if it comes with a request."""
    left = {
        each: chance for each, chance in chances.items() if each not in ("crisis", "stop", "?crisis", "?stop")
    }
    doubtful = chances["?crisis"] + chances["?stop"]  # either may stand beside an answer
    best = max(left, key=lambda outcome: left[outcome])
    said = f"language {rules.value}" if rules.meaning == "language" else rules.meaning
    if rules.meaning in _ANSWERS and best in _REQUESTS and left[best] + left[said] + doubtful >= KEPT:
        return rules if best in rules.also else replace(rules, also=(*rules.also, best))
    beside = doubtful if rules.meaning in (*_ANSWERS, "reschedule") else 0.0
    if left.get(said, 0) + beside >= KEPT:
        return rules
    if best == "other" or left[best] < SURE:
        return Meaning("other", why="nothing here is certain")
    meaning, _, language = best.partition(" ")
    if meaning != "number":
        return Meaning(meaning, language or None, why=_why(meaning, left[best]))
    number = numbers.only(text, expecting.low, expecting.high)
    return (
        Meaning("other", why="no clear number")
        if number is None
        else Meaning("number", number, why=_why("number", left[best]))
    )


def _why(meaning: str, chance: float) -> str:
    return f"{meaning} by what other replies meant ({chance:.0%})"
