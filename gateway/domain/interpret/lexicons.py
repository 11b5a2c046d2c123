"""A language's word lists, made ready for looking up. The lists themselves: locales/<language>/words.toml."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.domain import folding
from gateway.domain.errors import Refused
from gateway.domain.interpret import phrases, slips
from gateway.domain.interpret.phrases import Phrase

UNSIGNED = "not signed by a native clinician yet"
_NOT_PHRASES = {"reading", "spellings", "words", "polite", "negation", "numbers"}
_LISTS = {
    "crisis": {"phrases", "doubt", "doubt_whole"},
    "stop": {"whole", "phrases", "doubt", "doubt_whole", "unless_asked"},
    "start": {"whole", "phrases"},
    "help": {"whole", "phrases"},
    "yes": {"whole", "starts"},
    "no": {"whole", "starts"},
    "callback": {"whole", "phrases"},
    "info": {"whole", "phrases", "keywords"},
    "wrong_number": {"whole", "phrases"},
    "language": {"en", "vi", "fr"},
    "appointment": {"yes", "no", "reschedule", "cancel"},
    "idioms": {"crisis", "stop", "answer", "callback", "info", "help", "wrong_number", "appointment", "start"},
}


@dataclass(frozen=True, slots=True)
class Anchored:
    """A phrase filed under its rarest word, and how many words may come before that one."""

    phrase: Phrase
    before: int
    at_most_before: int


@dataclass(frozen=True, slots=True, eq=False)
class Lexicon:
    """The lists of one language. `signatures` says of each list which clinician signed it."""

    language: str
    accents_count: bool
    apostrophe: str
    spellings: Mapping[str, tuple[str, ...]]
    vocabulary: frozenset[str]
    stems: tuple[str, ...]
    by_anchor: Mapping[str, tuple[Anchored, ...]]
    slips: slips.Index
    long_words: tuple[str, ...]
    particles: phrases.Words
    courtesies: phrases.Words
    negators: phrases.Words
    negators_after: phrases.Words
    through: phrases.Words
    number_words: Mapping[str, int]
    number_company: phrases.Words
    number_of: phrases.Words
    number_units: phrases.Words
    signatures: Mapping[str, str]


def lexicon(language: str, data: Mapping[str, Any]) -> Lexicon:
    """Compile a parsed words.toml. Raises Refused with the list and phrase that can't be read."""
    reading, classes = data.get("reading", {}), data.get("words", {})
    accents_count = reading.get("accents") == "count"
    found = list(_phrases(data, classes, accents_count))
    listed = {name: _one_by_one(data, *path, classes=classes, accents=accents_count) for name, path in _WORDS.items()}
    numbers = data.get("numbers", {}).get("words", {})
    words = {w for p in found for e in p.elements for w in e.words} | {w for ws in listed.values() for w in ws}
    fit_to_correct = {w for w in words if "*" not in w}
    words |= {folding.fold(word) for word in reading.get("common", "").split()}
    words |= {folding.fold(word) for many in classes.values() for word in many}
    return Lexicon(
        language=language,
        accents_count=accents_count,
        apostrophe=" " if reading.get("apostrophe") == "split" else "",
        spellings=_spellings(data.get("spellings", {})),
        vocabulary=frozenset(w for w in words if "*" not in w),
        stems=tuple(sorted(w[:-1] for w in words if w.endswith("*"))),
        by_anchor=_by_anchor(found),
        slips=slips.index(fit_to_correct),
        long_words=tuple(sorted(w for w in fit_to_correct if len(w) >= 8 and w.isascii())),
        number_words={folding.key(word): int(digit) for digit, many in numbers.items() for word in many},
        signatures={name: table.get("signed", UNSIGNED) for name, table in data.items() if name not in _UNSIGNABLE},
        **listed,
    )


_UNSIGNABLE = {"reading", "words", "spellings"}
_WORDS = {
    "particles": ("polite", "particles"),
    "courtesies": ("polite", "courtesies"),
    "negators": ("negation", "before"),
    "negators_after": ("negation", "after"),
    "through": ("negation", "through"),
    "number_company": ("numbers", "company"),
    "number_of": ("numbers", "of"),
    "number_units": ("numbers", "units"),
}


def _one_by_one(
    data: Mapping[str, Any], table: str, name: str, classes: Mapping[str, Sequence[str]], accents: bool
) -> phrases.Words:
    words = " ".join(data.get(table, {}).get(name, [])).split()
    return phrases.parse("|".join(words), classes, accents)[0].words if words else {}


def _spellings(table: Mapping[str, str | list[str]]) -> dict[str, tuple[str, ...]]:
    """Typed -> meant; as a rule "a b c" = "word" lists several spellings of one word."""
    found: dict[str, tuple[str, ...]] = {}
    for meant, typed in table.items():
        for one in typed.split() if isinstance(typed, str) else typed:
            found[one] = (*found.get(one, ()), meant)
    return found


def _phrases(data: Mapping[str, Any], classes: Mapping[str, Sequence[str]], accents: bool) -> Iterator[Phrase]:
    for meaning, table in data.items():
        if meaning in _NOT_PHRASES or meaning == "signed":
            continue
        if meaning not in _LISTS:
            raise Refused(f"[{meaning}] is no list this program knows. Known: {', '.join(sorted(_LISTS))}.")
        for name, texts in table.items():
            if name == "signed":
                continue
            if name not in _LISTS[meaning]:
                raise Refused(f"[{meaning}] has no list “{name}”. Known: {', '.join(sorted(_LISTS[meaning]))}.")
            for text in texts:
                for variant in phrases.variants(text):
                    yield Phrase(meaning, name, text, phrases.parse(variant, classes, accents))


def _by_anchor(found: list[Phrase]) -> dict[str, tuple[Anchored, ...]]:
    """File each phrase under the required place whose words the fewest phrases use."""
    uses = Counter(word for phrase in found for element in phrase.elements for word in element.words)
    filed: dict[str, list[Anchored]] = {}
    for phrase in found:
        required = [at for at, element in enumerate(phrase.elements) if not element.optional]
        anchor = min(required, key=lambda at: sum(uses[w] for w in phrase.elements[at].words))
        before = phrase.elements[:anchor]
        least = sum(not element.optional for element in before)
        most = len(before) + sum(element.gap for element in phrase.elements[: anchor + 1])
        for word in phrase.elements[anchor].words:
            filed.setdefault(word, []).append(Anchored(phrase, least, most))
    return {word: tuple(many) for word, many in filed.items()}
