"""Slips of the finger: which known word a misspelt one was meant to be.

A slip is one letter missing, doubled, swapped with its neighbour, or replaced by a key beside it (QWERTY) or on the
same key (a keypad of a basic phone). Long words may hold two. Anything further off is another word.
"""

import itertools
from collections.abc import Iterable, Mapping

from rapidfuzz import process
from rapidfuzz.distance import OSA

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_PAD = ("abc", "def", "ghi", "jkl", "mno", "pqrs", "tuv", "wxyz")
_MOST = 6
"""More words than this that one slip may have meant say nothing."""
LONG = 8
"""Words of so many letters may hold two slips."""


def _pairs() -> Iterable[str]:
    for key in _PAD:
        yield from (a + b for a in key for b in key)
    for row in _ROWS:
        for a, b in itertools.pairwise(row):
            yield from (a + b, b + a)
    for above, below in itertools.pairwise(_ROWS):
        for at, letter in enumerate(below):
            for other in above[at : at + 2]:
                yield from (letter + other, other + letter)


_NEIGHBOURS = frozenset(_pairs())

Index = Mapping[str, tuple[str, ...]]
"""A word with one letter left out -> the words that gives it."""


def index(words: Iterable[str], shortest: int = 4) -> Index:
    """Make the look-up `nearest` needs, of words of at least `shortest` letters."""
    found: dict[str, set[str]] = {}
    for word in words:
        if len(word) >= shortest and word.isalpha() and word.isascii():
            for form in _shorter(word):
                found.setdefault(form, set()).add(word)
    return {form: tuple(sorted(meant)) for form, meant in found.items()}


def _shorter(word: str) -> list[str]:
    return [word, *(word[:at] + word[at + 1 :] for at in range(len(word)))]


def nearest(word: str, words: Index, long_words: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The words this may be a slip for; none when there are more than a reader would weigh."""
    if not 3 <= len(word) <= 24:
        return ()
    candidates = {meant for form in _shorter(word) for meant in words.get(form, ()) if is_slip(word, meant)}
    if len(candidates) > 1:  # the first letter is seldom wrong
        candidates = {meant for meant in candidates if meant[0] == word[0]}
    if not candidates and len(word) >= LONG - 1:
        near = process.extractOne(word, long_words, scorer=OSA.distance, score_cutoff=2)
        return (near[0],) if near and near[0][0] == word[0] else ()
    return tuple(sorted(candidates)) if len(candidates) <= _MOST else ()


def skeletons(words: Iterable[str]) -> Index:
    """A word without its vowels -> the words that gives it: "wnt" may be want and wont."""
    found: dict[str, set[str]] = {}
    for word in words:
        if len(word) >= 4 and word.isalpha() and len(bare := _bare(word)) >= 3:
            found.setdefault(bare, set()).add(word)
    return {bare: tuple(sorted(meant)) for bare, meant in found.items() if len(meant) <= _MOST}


def _bare(word: str) -> str:
    return word[0] + "".join(letter for letter in word[1:] if letter not in "aeiou")


def is_slip(typed: str, meant: str) -> bool:
    """Whether `typed` is one slip away from `meant`."""
    if len(typed) != len(meant):
        return abs(len(typed) - len(meant)) == 1 and OSA.distance(typed, meant) == 1
    wrong = [at for at in range(len(typed)) if typed[at] != meant[at]]
    if len(wrong) == 1:
        pair = typed[wrong[0]] + meant[wrong[0]]
        return pair[0] == "*" or pair in _NEIGHBOURS
    return len(wrong) == 2 and OSA.distance(typed, meant) == 1
