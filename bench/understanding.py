"""Learn the second witness from labelled replies, and show how good it is on a writer it did not learn from.

    python -m bench.understanding            # figures: learnt from every other writer, tried on writer a, then on b, …
    python -m bench.understanding --write    # learn from all, write locales/<language>/weights.tsv

The dice are loaded: the same labelled replies give the same weights. The sets are tests/data/*.tsv; what is put aside
(`blind_*`, `*_closed`) is never read. A network with one hidden layer, and a linear model beside it, learnt together by
stochastic gradients with AdaGrad steps. Features and hidden units left out at random, few rounds and labels that are never
quite sure keep it from learning the replies by heart.
"""

import argparse
import csv
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gateway import content
from gateway.domain.interpret import Expecting, Lexicon, Meaning, features, understand, witness
from gateway.domain.interpret.understand import Reading
from gateway.domain.interpret.witness import OUTCOMES

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
LANGUAGES = ("en", "vi", "fr")
WRITERS = tuple(f"writer_{each}" for each in "abcdefghijklmnopqrs")
CONTRAST = "contrast"
"""Texts with nearly the same words that mean different things. Nobody writes so many of them: they count half."""
TUNED = ("fresh_open", "replies", "opened")
"""Sets the rules were made on: there they look better than they are, so they count without them as well."""
SETS = (*WRITERS, CONTRAST, *TUNED)
_ROUNDS, _STEP = 7, 0.05
_SPREAD, _PACE = 0.05, 0.1
_LEFT_OUT, _NEVER_SURE = 0.3, 0.02
_OFTEN = 3
_OF_RULES = ("r ", "r+", "h ", "p ", "d ")


@dataclass(frozen=True, slots=True)
class Reply:
    """A labelled reply: what was asked, what it should come to, and what the rules read in it."""

    text: str
    expecting: Expecting
    wanted: Meaning
    reading: Reading
    features: Mapping[str, int]

    @property
    def outcome(self) -> str:
        """What the witness should say."""
        if self.wanted.doubt and self.wanted.meaning not in ("crisis", "stop"):
            return f"?{self.wanted.doubt}"
        asks_language = self.wanted.meaning == "language"
        return f"language {self.wanted.value}" if asks_language else self.wanted.meaning


Taken = tuple[Reply, Meaning]
"""A reply and what it was taken for."""

Example = tuple[int, float, Mapping[str, int]]
"""The place of its outcome, how much it counts, its features."""


def path(name: str, language: str) -> Path:
    """Where a set lies."""
    return DATA / (f"fresh_{language}_open.tsv" if name == "fresh_open" else f"{name}_{language}.tsv")


def read(name: str, language: str) -> list[Reply]:
    """A set, read by the rules; empty when the language has none of this name."""
    if not path(name, language).exists():
        return []
    lexicons = content.load().lexicons
    with path(name, language).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [_reply(row, lexicons, lexicons[language], plain=name in ("replies", "opened")) for row in rows]


def _reply(row: Mapping[str, str], lexicons: Mapping[str, Lexicon], lexicon: Lexicon, plain: bool) -> Reply:
    text = row["text"] if plain else json.loads(row["text"])
    expecting = Expecting.parse(row["expecting"])
    also = tuple(filter(None, (row["also"] or "").split(",")))
    wanted = Meaning(row["meaning"], row["value"] or None, also, (row["doubt"] or "").strip() or None)
    reading = understand.by_rules(text, lexicons, lexicon, expecting)
    return Reply(text, expecting, wanted, reading, _features(lexicon, reading, expecting))


def _features(lexicon: Lexicon, reading: Reading, expecting: Expecting) -> Mapping[str, int]:
    found = Counter(features.of_text(reading.text, reading.own, reading.rules, expecting, reading.asks))
    for token in features.words_of(reading.text):
        found.update(features.of_word(lexicon.classes, token, features.kind_of(expecting)))
    return found


def examples(sets: Mapping[str, Sequence[Reply]]) -> list[Example]:
    """What to learn from."""
    found: list[Example] = []
    for name, replies in sets.items():
        for reply in replies:
            place = OUTCOMES.index(reply.outcome)
            if name not in TUNED:
                found.append((place, 0.5 if name == CONTRAST else 1.0, reply.features))
                continue
            without = {each: n for each, n in reply.features.items() if not each.startswith(_OF_RULES)}
            found += [(place, 2.0, reply.features), (place, 0.5, without)]
    return found


@dataclass(frozen=True, slots=True)
class Learnt:
    """Feature -> its weights, first those of the hidden units; and what each hidden unit says of each outcome."""

    weights: Mapping[str, Sequence[int]]
    speaks: Sequence[Sequence[float]]


def learn(learnt_from: Sequence[Example]) -> Learnt:
    """The weights of each feature that is met often enough, in steps; "" is there in every text."""
    met = Counter(feature for _, _, found in learnt_from for feature in found)
    names = ["", *sorted(feature for feature, n in met.items() if n >= _OFTEN)]
    places = {feature: place for place, feature in enumerate(names)}
    texts = [
        (place, counts, np.array([0, *(places[f] for f, n in found.items() if f in places for _ in range(n))]))
        for place, counts, found in learnt_from
    ]
    dice = np.random.default_rng(1)
    net = _Net(dice, len(names))
    for _ in range(_ROUNDS):
        for at in dice.permutation(len(texts)):
            net.step(*texts[at])
    steps = np.repeat([witness.HIDDEN_STEP, witness.STEP], [witness.HIDDEN, len(OUTCOMES)])
    rounded = np.clip(np.rint(net.weights / steps), -witness.MOST, witness.MOST).astype(int)
    weights = {name: row.tolist() for name, row in zip(names, rounded, strict=True) if row.any()}
    return Learnt(weights, net.speaks.tolist())


class _Net:
    def __init__(self, dice: np.random.Generator, features: int) -> None:
        hidden, outcomes = witness.HIDDEN, len(OUTCOMES)
        self.dice = dice
        self.weights = np.zeros((features, hidden + outcomes), np.float32)
        self.weights[1:, :hidden] = dice.normal(0, _SPREAD, (features - 1, hidden))
        self.paces = np.full_like(self.weights, _PACE)
        self.speaks = dice.normal(0, hidden**-0.5, (hidden, outcomes)).astype(np.float32)
        self.speaks_paces = np.full_like(self.speaks, _PACE)

    def step(self, place: int, counts: float, found: "np.ndarray") -> None:
        """Learn from one text: `place` is the outcome it should come to, `found` its features, the first always kept."""
        hidden = witness.HIDDEN
        kept = self.dice.random(len(found)) >= _LEFT_OUT
        kept[0] = True
        found = found[kept]
        sums = self.weights[found].sum(0)
        heard = (self.dice.random(hidden) >= _LEFT_OUT) / (1 - _LEFT_OUT)
        said = np.maximum(sums[:hidden], 0) * heard
        total = sums[hidden:] + said @ self.speaks
        chances = np.exp(total - total.max())
        chances /= chances.sum()
        wanted = np.full(len(OUTCOMES), _NEVER_SURE / len(OUTCOMES))
        wanted[place] += 1 - _NEVER_SURE
        wrong = counts * (chances - wanted)
        back = (self.speaks @ wrong) * heard * (sums[:hidden] > 0)
        slope = np.concatenate([back, wrong]).astype(np.float32)
        steep = np.outer(said, wrong)
        self.speaks_paces += steep * steep
        self.speaks -= _STEP * steep / np.sqrt(self.speaks_paces)
        paces = self.paces[found] + slope * slope
        self.paces[found] = paces
        self.weights[found] -= _STEP * slope / np.sqrt(paces)


def lines(learnt: Learnt, language: str) -> list[str]:
    """The weights as weights.tsv has them."""
    head = [
        "! What the second witness learnt: python -m bench.understanding --write. Not for editing; see docs/understanding.md.",
        f"! learnt from {checksum(language)}",
    ]
    speaks = [f"{witness.SPEAKS}\t" + " ".join(f"{each:.4f}" for each in row) for row in learnt.speaks]
    signs = {
        f: "".join(chr(witness.ZERO + each) for each in row) for f, row in sorted(learnt.weights.items())
    }
    return head + speaks + [f"{feature}\t{row}" for feature, row in signs.items()]


def checksum(language: str) -> str:
    """Changes with any labelled reply that is learnt from."""
    digest = hashlib.sha256()
    for name in SETS:
        if path(name, language).exists():
            digest.update(path(name, language).read_bytes())
    return digest.hexdigest()[:16]


def _told(lexicon: Lexicon, learnt_from: Sequence[Example], language: str) -> witness.Witness:
    text = lines(learn(learnt_from), language)
    return witness.Witness(lexicon.classes, lambda: text)


def understood(lexicon: Lexicon, replies: Iterable[Reply]) -> list[Taken]:
    """Each reply and what it is taken for, by rules and witness together."""
    return [(reply, understand.decide(reply.reading, lexicon, reply.expecting)) for reply in replies]


def figures(taken: Sequence[Taken]) -> str:
    """One line: how much is right, found, raised for nothing, and acted on wrongly."""
    wanted = {
        m: [t for t in taken if m in (t[0].wanted.meaning, *t[0].wanted.also)] for m in ("stop", "crisis")
    }
    calm = [t for t in taken if t not in wanted["crisis"] and t[0].wanted.doubt != "crisis"]
    shown = {
        "right": _share(taken, _is_right),
        "stop found": _share(wanted["stop"], lambda t: "stop" in _said(t[1])),
        "crisis found": _share(wanted["crisis"], lambda t: "crisis" in _said(t[1])),
        "ordinary: sure crisis": _share(calm, lambda t: "crisis" in (t[1].meaning, *t[1].also)),
        "in doubt": _share(calm, lambda t: t[1].doubt == "crisis"),
        "acted on wrongly": _share(taken, lambda t: t[1].meaning != "other" and not _is_right(t)),
    }
    return ", ".join(f"{name} {share:.1%}" for name, share in shown.items())


def _share(of: Sequence[Taken], good: Callable[[Taken], bool]) -> float:
    return sum(map(good, of)) / max(1, len(of))


def _said(meaning: Meaning) -> tuple[str | None, ...]:
    return (meaning.meaning, *meaning.also, meaning.doubt, meaning.also_doubt)


def _is_right(taken: Taken) -> bool:
    wanted, got = taken[0].wanted, taken[1]
    return wanted.meaning == got.meaning and wanted.value in (None, str(got.value))


def main() -> None:
    """Print the figures writer by writer, or write the weights."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", action="store_true")
    options.add_argument("--language", choices=LANGUAGES)
    options.add_argument("--writer", action="append", choices=WRITERS, help="try on this one only")
    options.add_argument(
        "--without", action="append", choices=SETS, help="do not learn from this one"
    )
    chosen = options.parse_args()
    without = chosen.without or []
    for language in [chosen.language] if chosen.language else LANGUAGES:
        began = time.process_time()
        sets = {name: replies for name in SETS if (replies := read(name, language))}
        lexicon = replace(content.load().lexicons[language], witness=None)
        if chosen.write:
            text = "\n".join(lines(learn(examples(sets)), language)) + "\n"
            (ROOT / "locales" / language / "weights.tsv").write_text(text, "utf-8")
            print(f"{language}: {len(text) // 1000} kB in {time.process_time() - began:.0f} s")
            continue
        for name in chosen.writer or [each for each in sets if each in WRITERS]:
            others = {other: replies for other, replies in sets.items() if other not in (name, *without)}
            print(f"{language} {name}, rules alone: {figures(understood(lexicon, sets[name]))}")
            told = _told(lexicon, examples(others), language)
            taken = understood(replace(lexicon, witness=told), sets[name])
            print(f"{language} {name}, with a witness who never read them: {figures(taken)}", flush=True)


if __name__ == "__main__":
    main()
