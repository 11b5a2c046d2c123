"""How much of the labelled replies is understood, printed for both halves; the figures may not fall.

`blind_*` and `fresh_*_closed` are put aside: looked at only for their figures. Whoever looks into one replaces it, as
`opened_*` was: that one was put aside once. docs/understanding.md gives the figures and what they mean.
"""

import csv
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import understanding
from gateway import content
from gateway.domain import interpret
from gateway.domain.interpret import Expecting, Meaning

ROOT = Path(__file__).parents[2]
LEXICONS = content.load().lexicons
LEAST_RIGHT = {"replies": 0.99, "opened": 0.975}
LEAST_FOUND = {"replies": {"stop": 1.0, "crisis": 1.0}, "opened": {"stop": 0.95, "crisis": 0.95}}


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


@pytest.mark.parametrize("half", ["replies", "opened"])
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


FRESH = {  # at least: right, stop found, crisis found; at most: ordinary taken for sure crisis, in doubt, acted on wrongly
    ("en", "open"): (0.97, 0.99, 0.99, 0.005, 0.03, 0.02),
    ("vi", "open"): (0.96, 0.99, 0.99, 0.005, 0.03, 0.02),
    ("fr", "open"): (0.97, 0.99, 0.99, 0.005, 0.03, 0.025),
    ("en", "closed"): (0.945, 0.96, 0.98, 0.005, 0.045, 0.0125),
    ("vi", "closed"): (0.91, 0.99, 0.98, 0.005, 0.07, 0.015),
    ("fr", "closed"): (0.90, 0.99, 0.97, 0.005, 0.045, 0.025),
    ("en", "blind"): (0.955, 0.99, 0.99, 0.007, 0.055, 0.021),
    ("vi", "blind"): (0.95, 0.99, 0.99, 0.005, 0.065, 0.01),
    ("fr", "blind"): (0.95, 0.99, 0.99, 0.005, 0.04, 0.01),
}
LEARNT = {  # these the weights were learnt from: they show that nothing broke, not how good it is
    (language, writer): (0.88, 0.97, 0.97, 0.02, 0.06, 0.04)
    for language in ("en", "vi", "fr")
    for writer in ("writer_a", "writer_b", "writer_c")
} | {(language, "contrast"): (0.92, 0.98, 0.99, 0.01, 0.17, 0.03) for language in ("en", "vi", "fr")}


def read_fresh(language: str, half: str) -> list[Reply]:
    name = f"fresh_{language}_{half}" if half in ("open", "closed") else f"{half}_{language}"
    path = ROOT / "tests" / "data" / f"{name}.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    replies = []
    for row in rows:
        also = tuple(filter(None, (row["also"] or "").split(",")))
        wanted = Meaning(row["meaning"], row["value"] or None, also, (row["doubt"] or "").strip() or None)
        expecting = Expecting.parse(row["expecting"])
        replies.append(
            Reply(wanted, interpret.interpret(json.loads(row["text"]), LEXICONS, language, expecting))
        )
    return replies


def share(replies: list[Reply], good: Callable[[Reply], bool]) -> float:
    return sum(map(good, replies)) / len(replies)


def says(reply: Reply, meaning: str) -> bool:
    return meaning in (reply.got.meaning, *reply.got.also, reply.got.doubt, reply.got.also_doubt)


def is_understood(reply: Reply) -> bool:
    wanted, got = reply.wanted, reply.got
    return wanted.meaning == got.meaning and wanted.value in (None, str(got.value))


@pytest.mark.parametrize(("language", "half"), [*FRESH, *LEARNT])
def test_the_figures_of_strangers_replies_do_not_fall(
    language: str, half: str, capsys: pytest.CaptureFixture[str]
) -> None:
    replies = read_fresh(language, half)
    wanted = {m: [r for r in replies if m in (r.wanted.meaning, *r.wanted.also)] for m in ("stop", "crisis")}
    ordinary = [r for r in replies if r not in wanted["crisis"] and r.wanted.doubt != "crisis"]
    figures = (
        share(replies, is_understood),
        share(wanted["stop"], lambda r: says(r, "stop")),
        share(wanted["crisis"], lambda r: says(r, "crisis")),
        share(ordinary, lambda r: "crisis" in (r.got.meaning, *r.got.also)),
        share(ordinary, lambda r: r.got.doubt == "crisis"),
        share(replies, lambda r: r.got.meaning != "other" and not is_understood(r)),
    )
    names = ("right", "stop found", "crisis found", "ordinary: sure crisis", "in doubt", "acted on wrongly")
    with capsys.disabled():
        shown = ", ".join(f"{name} {figure:.1%}" for name, figure in zip(names, figures, strict=True))
        print(f"\n{language} {half}, of {len(replies)}: {shown}")
    limits = (FRESH | LEARNT)[language, half]
    kept = [a >= b for a, b in zip(figures[:3], limits[:3], strict=True)]
    kept += [a <= b for a, b in zip(figures[3:], limits[3:], strict=True)]
    assert all(kept), dict(zip(names, kept, strict=True))


@pytest.mark.parametrize("language", ["en", "vi", "fr"])
def test_the_weights_were_learnt_from_the_replies_as_they_are(language: str) -> None:
    head = (ROOT / "locales" / language / "weights.tsv").read_text("utf-8").split("\n", 2)
    assert understanding.checksum(language) in head[1], "run python -m bench.understanding --write"
