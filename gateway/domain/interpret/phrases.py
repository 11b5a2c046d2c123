"""The small language the word lists are written in, and finding such phrases among tokens.

word        the word, in any spelling that is read as it
a|b|c_d     one of them; "c_d" is c and then d: a|b c|d, with a space, is (a or b) and then (c or d)
word?       may be missing        stem*   any word that starts so
@name       any of the class `[words] name`; also inside a|b
..          up to two words between       ...   up to five
~           a word that is in no list, such as a name
!tự         only if typed with exactly these accents (in languages where accents make another word)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.domain import folding
from gateway.domain.errors import Refused

_GAPS = {"..": 2, "...": 5}
_NEAR = 12
"""How many words apart the words of a `together` list may stand."""


Readings = tuple[tuple[str, str], ...]
"""Each way to read a word: without accents, and with accents in one order (folding.key)."""

Words = dict[str, tuple[tuple[str, bool], ...]]
"""Word without accents -> the accented keys it may stand for, each with "exactly so"; empty: accents don't count."""


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """One place of a phrase: the words that fit, whether it may be missing, how many words may come before."""

    words: Words
    optional: bool
    gap: int


@dataclass(frozen=True, slots=True, eq=False)
class Phrase:
    """A phrase of a list: what it is evidence of, and as what (`whole`, `phrases`, `doubt`, `idioms`, …)."""

    meaning: str
    list_name: str
    text: str
    elements: tuple[Element, ...]

    @property
    def words(self) -> int:
        """How many words it takes at least."""
        return sum(not element.optional for element in self.elements)


@dataclass(frozen=True, slots=True, eq=False)
class Anchored:
    """A phrase filed under its rarest place, and how many words come before that one, at least and at most.

    `others` are its other places that may not be missing, each as the marks of its words (one bit a word): where none of the
    marks of one is in a text, the phrase isn't.
    """

    phrase: Phrase
    anchor: Words
    others: tuple[int, ...]
    before: int
    at_most_before: int


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """A word of a text: how it can be read, what kind of word it is, and the phrases it is the rarest word of.

    `marks`: the bits of the words of phrases that it can be read as.
    """

    word: str
    readings: Readings
    marks: int
    kinds: frozenset[str]
    negates: bool
    negates_after: bool
    is_polite: bool
    number: int | None
    slip_of: str | None
    anchored: tuple[Anchored, ...]
    danger: tuple[Anchored, ...]
    abroad: tuple[Anchored, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A text as tokens, and of each the number of its sentence."""

    tokens: Sequence[Token]
    sentences: Sequence[int]


@dataclass(slots=True, eq=False)
class Hit:
    """A phrase found at tokens[start:end]."""

    phrase: Phrase
    start: int
    end: int
    text: "Text"

    def words(self) -> str:
        """The words of the lists that were found, "…" for what lies between: nothing else of what was written."""
        said = [
            next((folded for folded, _ in token.readings if self._has(folded)), "…")
            for token in self.text.tokens[self.start : self.end]
        ]
        return " ".join(said)

    def _has(self, folded: str) -> bool:
        return any(folded in element.words for element in self.phrase.elements)

    def places(self) -> set[int]:
        """Where its own words stand, without what lies in its gaps."""
        return {
            at
            for at in range(self.start, self.end)
            if any(self._has(folded) for folded, _ in self.text.tokens[at].readings)
        }

    def overlaps(self, other: "Hit") -> bool:
        """Whether the two have a word in common."""
        return self.start < other.end and other.start < self.end

    def covers(self, other: "Hit") -> bool:
        """Whether the other lies within this one."""
        return self.start <= other.start and other.end <= self.end


def variants(text: str) -> list[str]:
    """The phrase once for each way its word pairs ("c_d") may be taken: "a|c_d e" -> "a e", "c d e"."""
    for part in text.split():
        if "_" in part:
            ways = [way for way in part.rstrip("?").split("|") if "_" in way]
            plain = "|".join(way for way in part.rstrip("?").split("|") if "_" not in way)
            optional = [""] if part.endswith("?") else []
            choices = [plain] * bool(plain) + [way.replace("_", " ") for way in ways] + optional
            return [
                v for choice in choices for v in variants(" ".join(text.replace(part, choice, 1).split()))
            ]
    return [text]


def parse(
    text: str, classes: Mapping[str, Sequence[str]], accents_count: bool, known: dict[str, Words]
) -> tuple[Element, ...]:
    """The elements of a phrase; `known` keeps the words of each place, which are often the same.

    Raises Refused when it names an unknown class or ends in a gap.
    """
    elements: list[Element] = []
    gap = 0
    for part in text.split():
        if part in _GAPS:
            gap = _GAPS[part]
            continue
        optional = part.endswith("?")
        place = part.rstrip("?")
        words = known.get(place)
        if words is None:
            words = known[place] = _words(place, classes, accents_count, text)
        elements.append(Element(words, optional, gap))
        gap = 0
    if gap or not elements or elements[0].gap or all(element.optional for element in elements):
        raise Refused(f"The phrase “{text}” has no words, or a gap at an end: gaps stand between words.")
    while elements[0].optional:  # where a phrase starts makes no difference to what it means
        elements.pop(0)
    return tuple(elements)


def _words(part: str, classes: Mapping[str, Sequence[str]], accents_count: bool, text: str) -> Words:
    words: dict[str, set[tuple[str, bool]]] = {}
    for one in part.split("|"):
        if not one.lstrip("!"):
            raise Refused(f"The phrase “{text}” has an empty place.")
        if one.startswith("@") and one[1:] not in classes:
            raise Refused(f"The phrase “{text}” names the class {one}, which [words] does not have.")
        for word in classes[one[1:]] if one.startswith("@") else [one]:
            keys = words.setdefault(folding.fold(word.lstrip("!")), set())
            if accents_count:
                keys.add((folding.key(word.lstrip("!")), word.startswith("!")))
    return {word: tuple(keys) for word, keys in words.items()}


def find(phrase: Phrase, text: Text, first: int, last: int) -> Hit | None:
    """The phrase at the first place it starts within tokens[first:last]."""
    for start in range(first, last):
        end = _match(phrase.elements, 0, text, start)
        if end is not None:
            return Hit(phrase, start, end, text)
    return None


def find_together(phrase: Phrase, text: Text, place: int) -> Hit | None:
    """The words of the phrase in any order, each near tokens[place]."""
    near = range(max(0, place - _NEAR), min(len(text.tokens), place + _NEAR + 1))
    places: list[int] = []
    for element in phrase.elements:
        fitting = (at for at in near if at not in places and fit(text.tokens[at].readings, element.words))
        at = next(fitting, None)
        if at is None:
            return None
        places.append(at)
    return Hit(phrase, min(places), max(places) + 1, text)


def _match(elements: tuple[Element, ...], at: int, text: Text, place: int) -> int | None:
    tokens = text.tokens
    while at < len(elements):
        element = elements[at]
        if element.optional or element.gap:
            return _match_loosely(elements, at, text, place)
        if place >= len(tokens) or not fit(tokens[place].readings, element.words):
            return None
        at, place = at + 1, place + 1
    return place


def _match_loosely(elements: tuple[Element, ...], at: int, text: Text, place: int) -> int | None:
    """A place that may be missing or has a gap before it. A gap holds no "not" and ends with the sentence."""
    element, tokens, sentences = elements[at], text.tokens, text.sentences
    for here in range(place, min(place + element.gap + 1, len(tokens))):
        if here > place and (tokens[here - 1].negates or sentences[here - 1] != sentences[place - 1]):
            break
        if fit(tokens[here].readings, element.words):
            end = _match(elements, at + 1, text, here + 1)
            if end is not None:
                return end
    return _match(elements, at + 1, text, place) if element.optional else None


def fit(readings: Readings, words: Words) -> bool:
    """Whether one of the readings is one of the words."""
    for folded, typed in readings:
        keys = words.get(folded)
        if keys is None:
            continue
        if not keys:
            return True
        for meant, exactly in keys:
            if typed == meant or (not exactly and (typed == folded or folding.fits(typed, meant))):
                return True
    return False
