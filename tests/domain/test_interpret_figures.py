"""How much of the labelled replies is understood, printed for both halves; the figures may not fall.

`heldout_*` is the half put aside: looked at only for its figures. Whoever looks into it replaces it.
"""

import csv
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.domain import interpret
from gateway.domain.interpret import Expecting, Meaning

ROOT = Path(__file__).parents[2]
LEXICONS = {
    language: interpret.lexicon(
        language, tomllib.loads((ROOT / "locales" / language / "words.toml").read_text("utf-8"))
    )
    for language in ("en", "vi", "fr")
}
LEAST_RIGHT = {"replies": 0.99, "heldout": 0.975}
LEAST_FOUND = {"replies": {"stop": 1.0, "crisis": 1.0}, "heldout": {"stop": 0.95, "crisis": 0.95}}


@dataclass(frozen=True, slots=True)
class Reply:
    wanted: Meaning
    got: Meaning

    @property
    def is_right(self) -> bool:
        """The number of an `info` is not in the tables."""
        same_value = self.got.meaning == "info" or self.wanted.value == str(self.got.value or "")
        same = (self.wanted.meaning, self.wanted.also, self.wanted.doubt)
        return same_value and same == (self.got.meaning, self.got.also, self.got.doubt)


def read(half: str, language: str) -> list[Reply]:
    path = ROOT / "tests" / "data" / f"{half}_{language}.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        Reply(
            Meaning(
                row["meaning"],
                row["value"],
                tuple(filter(None, row["also"].split(","))),
                row["doubt"] or None,
            ),
            interpret.interpret(row["text"], LEXICONS, language, Expecting.parse(row["expecting"])),
        )
        for row in rows
    ]


def found(replies: list[Reply], meaning: str) -> float:
    """The share of replies of a meaning that are noticed: a crisis may be in doubt."""
    wanted = [r for r in replies if meaning in (r.wanted.meaning, *r.wanted.also)]
    noticed = [
        r
        for r in wanted
        if meaning in (r.got.meaning, *r.got.also) or (meaning == "crisis" and r.got.doubt == "crisis")
    ]
    return len(noticed) / len(wanted)


def table(half: str, language: str, replies: list[Reply]) -> str:
    wanted = Counter(r.wanted.meaning for r in replies)
    got = Counter(r.got.meaning for r in replies)
    right = Counter(r.got.meaning for r in replies if r.got.meaning == r.wanted.meaning)
    lines = [
        f"{half} {language}: {sum(r.is_right for r in replies) / len(replies):.1%} right of {len(replies)}"
    ]
    for meaning in sorted(wanted):
        recall, precision = right[meaning] / wanted[meaning], right[meaning] / max(got[meaning], 1)
        lines.append(f"  {meaning:13} {wanted[meaning]:4}  recall {recall:6.1%}  precision {precision:6.1%}")
    return "\n".join(lines)


@pytest.mark.parametrize("half", ["replies", "heldout"])
@pytest.mark.parametrize("language", ["en", "vi", "fr"])
def test_the_figures_do_not_fall(half: str, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    replies = read(half, language)
    with capsys.disabled():
        print("\n" + table(half, language, replies))
    ordinary = [r for r in replies if "crisis" not in (r.wanted.meaning, r.wanted.doubt)]
    assert sum(r.is_right for r in replies) / len(replies) >= LEAST_RIGHT[half]
    for meaning, least in LEAST_FOUND[half].items():
        assert found(replies, meaning) >= least
    assert sum(r.got.meaning == "crisis" for r in ordinary) <= 0.005 * len(ordinary)
    assert sum(r.got.doubt == "crisis" for r in ordinary) <= 0.02 * len(ordinary)
    assert sum(r.got.meaning not in ("other", r.wanted.meaning) for r in replies) <= 0.01 * len(replies)
