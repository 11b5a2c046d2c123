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


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a text in each way it can be read: (without accents, with accents in one order)."""

    readings: tuple[tuple[str, str], ...]
    word: str
    sentence: int
    negates: bool = False


Words = dict[str, tuple[tuple[str, bool], ...]]
"""Word without accents -> the accented keys it may stand for, each with "exactly so"; empty: accents don't count."""


@dataclass(frozen=True, slots=True)
class Element:
    """One place of a phrase: the words that fit, whether it may be missing, how many words may come before."""

    words: Words
    optional: bool
    gap: int


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Hit:
    """A phrase found at tokens[start:end]."""

    phrase: Phrase
    start: int
    end: int

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
            return [v for choice in choices for v in variants(" ".join(text.replace(part, choice, 1).split()))]
    return [text]


def parse(text: str, classes: Mapping[str, Sequence[str]], accents_count: bool) -> tuple[Element, ...]:
    """The elements of a phrase. Raises Refused when it names an unknown class or ends in a gap."""
    elements: list[Element] = []
    gap = 0
    for part in text.split():
        if part in _GAPS:
            gap = _GAPS[part]
            continue
        optional = part.endswith("?")
        elements.append(Element(_words(part.rstrip("?"), classes, accents_count, text), optional, gap))
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


def find(phrase: Phrase, tokens: Sequence[Token], first: int, last: int) -> Hit | None:
    """The phrase at the first place it starts within tokens[first:last]."""
    for start in range(first, last):
        end = _match(phrase.elements, 0, tokens, start)
        if end is not None:
            return Hit(phrase, start, end)
    return None


def _match(elements: tuple[Element, ...], at: int, tokens: Sequence[Token], place: int) -> int | None:
    while at < len(elements):
        element = elements[at]
        if element.optional or element.gap:
            return _match_loosely(elements, at, tokens, place)
        if place >= len(tokens) or not fits(tokens[place], element.words):
            return None
        at, place = at + 1, place + 1
    return place


def _match_loosely(elements: tuple[Element, ...], at: int, tokens: Sequence[Token], place: int) -> int | None:
    element = elements[at]
    for skipped in range(element.gap + 1):
        here = place + skipped
        if here >= len(tokens) or skipped and not _may_skip(tokens[here - 1], tokens[place - 1]):
            break
        if fits(tokens[here], element.words):
            end = _match(elements, at + 1, tokens, here + 1)
            if end is not None:
                return end
    return _match(elements, at + 1, tokens, place) if element.optional else None


def _may_skip(token: Token, before: Token) -> bool:
    """A gap holds no "not", and ends with the sentence."""
    return not token.negates and token.sentence == before.sentence


def fits(token: Token, words: Words) -> bool:
    """Whether one of the token's readings is one of the words."""
    for folded, typed in token.readings:
        keys = words.get(folded)
        if keys is None:
            continue
        if not keys:
            return True
        if any(typed == meant if exactly else folding.fits(typed, meant) for meant, exactly in keys):
            return True
    return False
