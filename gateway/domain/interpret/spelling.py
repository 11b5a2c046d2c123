"""What a written word may stand for.

In this order: as spelt in the lists, as typed (Telex and VNI among it), without repeated letters, with figures for
letters, as words run together, as a slip of the finger. The first that gives a known word is taken.
"""

import re
from collections.abc import Iterable, Iterator

from gateway.domain import folding
from gateway.domain.interpret import slips, telex
from gateway.domain.interpret.lexicons import Lexicon
from gateway.domain.interpret.phrases import Readings

UNKNOWN = ("~", "~")
"""The reading of a word that is in no list: it may be a name."""

_LEET = str.maketrans("0134578@$!|", "oieastbasii")
_REPEATS = re.compile(r"(.)\1{2,}")
_DOUBLES = re.compile(r"(.)\1")
_WITH_FIGURE = re.compile(r"(\d{1,2})([^\W\d_]{2,})|([^\W\d_]{2,})(\d{1,2})")
_SHORT = ("no", "ok", "co", "ui")  # what "noo" and "okk" may be; other words this short are left alone
_LONGEST_PART = 12


def readings(lexicon: Lexicon, word: str) -> tuple[Readings, ...]:
    """The readings of the words that `word` stands for: mostly of one, of several when they are run together."""
    if found := as_listed(lexicon, word):
        return found
    if held := _held_down(lexicon, word):
        return held
    for guess in _guesses(word, lexicon.endings):
        if found := as_listed(lexicon, guess):
            return found
    if parts := _split(lexicon, word):
        return tuple(each for part in parts for each in readings(lexicon, part))
    if meant := _slips(lexicon, folding.fold(word)):
        read = [each for one in meant for each in ((one, one), *_stems(lexicon, one))]
        return ((*read, UNKNOWN) if len(meant) > 1 else tuple(read),)
    return as_it_stands(word)


def as_it_stands(word: str) -> tuple[Readings, ...]:
    """The readings of a word that no list knows."""
    return ((_reading(word), UNKNOWN),)


def as_listed(lexicon: Lexicon, word: str, decode: bool = True) -> tuple[Readings, ...] | None:
    """The readings of a word the lists know, or know a spelling of."""
    if word.isdigit():
        return (((word, word),),)
    known = _as_known(lexicon, word, decode)
    if word not in lexicon.spellings:
        return (known,) if known else None
    meant = [meaning.split() for meaning in lexicon.spellings[word]]
    one_word = [words[0] for words in meant if len(words) == 1]
    if one_word:
        read = [each for one in one_word for each in (_reading(one), *_stems(lexicon, folding.fold(one)))]
        return (tuple(dict.fromkeys([*read, *known])),)
    return tuple((_reading(part), *_stems(lexicon, part)) for part in meant[0])


def _reading(word: str) -> tuple[str, str]:
    return folding.fold(word), folding.key(word)


def _as_known(lexicon: Lexicon, word: str, decode: bool) -> Readings:
    folded = folding.fold(word)
    found = [_reading(word)] if folded in lexicon.vocabulary else []
    found += _stems(lexicon, folded)
    decoded = telex.decode(word) if decode and lexicon.accents_count else None
    if decoded and folding.fold(decoded) in lexicon.vocabulary:
        found.append(_reading(decoded))
        found += [_reading(meant) for meant in lexicon.spellings.get(decoded, ()) if " " not in meant]
    return tuple(found)


def _stems(lexicon: Lexicon, folded: str) -> list[tuple[str, str]]:
    return [(stem + "*", stem + "*") for stem in lexicon.stems if folded.startswith(stem)]


def _held_down(lexicon: Lexicon, word: str) -> tuple[Readings, ...] | None:
    """A key held down: "cuuu" may be "cu" and may be "cuu"."""
    if not _REPEATS.search(word):
        return None
    read = [as_listed(lexicon, _REPEATS.sub(letters, word)) for letters in (r"\1", r"\1\1")]
    known = [each for each in read if each]
    if len(known) == 2 and len(known[0]) == len(known[1]) == 1:
        return (tuple(dict.fromkeys((*known[0][0], *known[1][0]))),)
    return known[0] if known else None


def _guesses(word: str, endings: Iterable[tuple[str, str]]) -> Iterator[str]:
    squeezed = _REPEATS.sub(r"\1", word)
    for typed, meant in endings:
        if word.endswith(typed):
            yield word.removesuffix(typed) + meant
    if not word.isalpha() and any(c in "0134578@$!|" for c in word):
        yield squeezed.translate(_LEET)
        yield squeezed.replace("1", "l").translate(_LEET)
    once = _DOUBLES.sub(r"\1", squeezed)
    if once != squeezed and (len(once) > 2 or once in _SHORT):
        yield once


def _split(lexicon: Lexicon, word: str) -> list[str] | None:
    """Words run together, or a figure stuck to a word. Every part must be known; the fewest parts are taken."""
    if found := _WITH_FIGURE.fullmatch(word):
        parts = [part for part in found.groups() if part]
        if all(part.isdigit() or _is_part(lexicon, part) for part in parts):
            return parts
    folded = folding.fold(word)
    if (
        not 5 <= len(folded) <= 30
        or not folded.isalpha()
        or (lexicon.accents_count and telex.is_syllable(folded))
    ):
        return None
    ways: list[list[str] | None] = [[]] + [None] * len(folded)
    for start in range(len(folded)):
        before = ways[start]
        if before is None or not _may_begin(lexicon, folded[start : start + 3]):
            continue
        for end in range(start + 1, min(len(folded), start + _LONGEST_PART) + 1):
            known = ways[end]
            if (known is None or len(before) + 1 < len(known)) and _is_part(lexicon, folded[start:end]):
                ways[end] = [*before, folded[start:end]]
    return ways[-1]


def _may_begin(lexicon: Lexicon, three: str) -> bool:
    return (
        three in lexicon.beginnings or three[0] in lexicon.glue or three[:2] in lexicon.glue or len(three) < 3
    )


def _is_part(lexicon: Lexicon, part: str) -> bool:
    if len(part) < 3:
        return part in lexicon.glue
    return part in lexicon.vocabulary or part in lexicon.spellings


def _slips(lexicon: Lexicon, folded: str) -> tuple[str, ...]:
    if lexicon.accents_count and telex.is_syllable(folded):
        return ()
    return slips.nearest(folded, lexicon.slips, lexicon.long_words) or lexicon.skeletons.get(folded, ())
