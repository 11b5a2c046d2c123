"""A language's word lists, made ready for looking up. The lists themselves: locales/<language>/words.toml."""

import functools
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.domain import folding
from gateway.domain.errors import Refused
from gateway.domain.interpret import phrases, slips
from gateway.domain.interpret.features import Classes
from gateway.domain.interpret.phrases import Anchored, Phrase, Words
from gateway.domain.interpret.witness import Witness

UNSIGNED = "not signed by a native clinician yet"
_NOT_PHRASES = {"reading", "spellings", "words", "polite", "negation", "numbers", "pairs"}
_LISTS = {
    "crisis": {"phrases", "whole", "doubt", "doubt_whole", "together"},
    "stop": {"whole", "starts", "phrases", "doubt", "doubt_whole", "unless_asked"},
    "start": {"whole", "phrases"},
    "help": {"whole", "phrases"},
    "yes": {"whole", "starts"},
    "no": {"whole", "starts"},
    "callback": {"whole", "phrases"},
    "info": {"whole", "phrases", "keywords"},
    "wrong_number": {"whole", "phrases"},
    "appointment": {"yes", "no", "reschedule", "cancel"},
    "idioms": {
        "crisis",
        "stop",
        "answer",
        "callback",
        "info",
        "help",
        "wrong_number",
        "appointment",
        "start",
    },
}


@dataclass(frozen=True, slots=True, eq=False)
class Lexicon:
    """The lists of one language. `signatures` says of each list which clinician signed it."""

    language: str
    accents_count: bool
    apostrophe: str
    spellings: Mapping[str, tuple[str, ...]]
    pairs: Mapping[tuple[str, str], str]
    vocabulary: frozenset[str]
    glue: frozenset[str]
    endings: tuple[tuple[str, str], ...]
    beginnings: frozenset[str]
    stems: tuple[str, ...]
    answers: Mapping[str, str]
    answer_slips: slips.Index
    by_anchor: Mapping[str, tuple[Anchored, ...]]
    marks: Mapping[str, int]  # word of a phrase -> its bit
    skeletons: slips.Index
    slips: slips.Index
    long_words: tuple[str, ...]
    kinds: Mapping[str, tuple[tuple[str, str], ...]]
    signatures: Mapping[str, str]
    classes: Classes
    witness: Witness | None
    asks_who: frozenset[str]


def bare(text: str) -> str:
    """A text as `asks_who` is compared: its words without accents, marks and capitals."""
    return " ".join(re.findall(r"\w+", folding.fold(folding.clean(text)).casefold().replace("'", "")))


def lexicon(
    language: str, data: Mapping[str, Any], weights: Callable[[], Iterable[str]] | None = None
) -> Lexicon:
    """Compile a parsed words.toml; `weights` gives the lines of weights.tsv if there is one.

    Raises Refused with the list and phrase that can't be read.
    """
    reading, classes = data.get("reading", {}), data.get("words", {})
    accents_count = reading.get("accents") == "count"
    found = list(_phrases(data, classes, accents_count))
    marks = _marks(found)
    kinds = _kinds(data)
    # What a service is called changes nothing in how other texts are read.
    spelt = [phrase for phrase in found if phrase.meaning != "services"]
    words = {word for phrase in spelt for element in phrase.elements for word in element.words} | set(kinds)
    vocabulary = {word for word in words if "*" not in word}
    correctable = frozenset(vocabulary)
    vocabulary |= {folding.fold(word) for word in reading.get("common", "").split()}
    vocabulary |= {folding.fold(word) for many in classes.values() for word in many}
    spellings = _spellings(data.get("spellings", {}))
    answers = {word: p.meaning for p in found if p.meaning in ("yes", "no") for word in _single_word(p)}
    return Lexicon(
        language=language,
        accents_count=accents_count,
        apostrophe=" " if reading.get("apostrophe") == "split" else "",
        spellings=spellings,
        vocabulary=frozenset(vocabulary),
        pairs={_two(typed): meant for meant, typed in data.get("pairs", {}).items()},
        glue=frozenset(reading.get("glue", "").split()),
        endings=tuple(_two(each) for each in reading.get("endings", ())),
        beginnings=frozenset(word[:3] for word in (*vocabulary, *spellings)),
        stems=tuple(sorted(word[:-1] for word in words if word.endswith("*"))),
        answers=answers,
        answer_slips=slips.index(answers, shortest=3),
        by_anchor=_by_anchor(found, marks),
        marks=marks,
        slips=slips.index(correctable),
        skeletons=slips.skeletons(correctable),
        long_words=tuple(sorted(word for word in correctable if len(word) >= slips.LONG and word.isascii())),
        kinds=kinds,
        signatures={
            name: table.get("signed", UNSIGNED) for name, table in data.items() if name not in _UNSIGNABLE
        },
        classes=_classes(classes),
        witness=Witness(_classes(classes), weights) if weights else None,
        asks_who=frozenset(bare(each) for each in reading.get("asks_who", ())),
    )


_UNSIGNABLE = {"reading", "words", "spellings", "pairs"}
_KINDS = {
    "particle": ("polite", "particles"),
    "courtesy": ("polite", "courtesies"),
    "negates": ("negation", "before"),
    "negates_after": ("negation", "after"),
    "lets_through": ("negation", "through"),
    "goes_with_number": ("numbers", "company"),
    "unit": ("numbers", "units"),
    "part": ("numbers", "parts"),
    "of": ("numbers", "of"),
    "latest": ("numbers", "latest"),
}


def _classes(words: Mapping[str, Sequence[str]]) -> Classes:
    found: dict[str, tuple[str, ...]] = {}
    for name, many in words.items():
        for word in dict.fromkeys(folding.fold(word.lstrip("!")) for word in many):
            found[word] = (*found.get(word, ()), name)
    return found


def _two(typed: str) -> tuple[str, str]:
    first, second = typed.split()
    return first, second


def _kinds(data: Mapping[str, Any]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Word without accents -> (key, kind) for the lists of single words; a number word's kind is the number."""
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    listed = [(kind, data.get(table, {}).get(name, [])) for kind, (table, name) in _KINDS.items()]
    for kind, words in (*listed, *data.get("numbers", {}).get("words", {}).items()):
        for word in " ".join(words).split():
            folded = folding.fold(word)
            found[folded] = (*found.get(folded, ()), (folding.key(word), kind))
    return found


def _spellings(table: Mapping[str, str | list[str]]) -> dict[str, tuple[str, ...]]:
    """Typed -> meant; as a rule "a b c" = "word" lists several spellings of one word."""
    found: dict[str, tuple[str, ...]] = {}
    for meant, typed in table.items():
        for one in typed.split() if isinstance(typed, str) else typed:
            found[one] = (*found.get(one, ()), meant)
    return found


def _phrases(
    data: Mapping[str, Any], classes: Mapping[str, Sequence[str]], accents: bool
) -> Iterator[Phrase]:
    places: dict[str, Words] = {}
    for meaning, table in data.items():
        if meaning in _NOT_PHRASES or meaning == "signed":
            continue
        known = _LISTS.get(meaning, set(table) if meaning in ("language", "services") else None)
        if known is None:
            raise Refused(f"[{meaning}] is no list this program knows. Known: {', '.join(sorted(_LISTS))}.")
        for name, texts in table.items():
            if name == "signed":
                continue
            if name not in known:
                raise Refused(f"[{meaning}] has no list “{name}”. Known: {', '.join(sorted(known))}.")
            for text in texts:
                for variant in phrases.variants(text):
                    yield Phrase(meaning, name, text, phrases.parse(variant, classes, accents, places))


def _single_word(phrase: Phrase) -> list[str]:
    return [word for word in phrase.elements[0].words if len(word) >= 3] if len(phrase.elements) == 1 else []


def _marks(found: list[Phrase]) -> dict[str, int]:
    words = dict.fromkeys(word for phrase in found for element in phrase.elements for word in element.words)
    return {word: 1 << at for at, word in enumerate(words)}


def _by_anchor(found: list[Phrase], marks: Mapping[str, int]) -> dict[str, tuple[Anchored, ...]]:
    """File each phrase under the required place whose words the fewest phrases use."""
    uses = Counter(word for phrase in found for element in phrase.elements for word in element.words)
    filed: dict[str, list[Anchored]] = {}
    for phrase in found:
        required = [at for at, element in enumerate(phrase.elements) if not element.optional]
        required.sort(key=lambda at: sum(uses[word] for word in phrase.elements[at].words))
        anchor = required[0]
        others = tuple(_all(marks, phrase.elements[at].words) for at in required[1:])
        before = phrase.elements[:anchor]
        least = sum(not element.optional for element in before)
        most = len(before) + sum(element.gap for element in phrase.elements[: anchor + 1])
        for word in phrase.elements[anchor].words:
            filed.setdefault(word, []).append(
                Anchored(phrase, phrase.elements[anchor].words, others, least, most)
            )
    return {word: tuple(many) for word, many in filed.items()}


def _all(marks: Mapping[str, int], words: Iterable[str]) -> int:
    return functools.reduce(operator.or_, (marks[word] for word in words))
