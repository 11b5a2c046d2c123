"""From a text to tokens: each word in every way it can be read.

In this order: as spelt in the lists, as typed, without repeated letters, with figures for letters, as Telex or VNI
typed raw, as words run together, as a slip of the finger. The first that gives known words is taken.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from gateway.domain import folding
from gateway.domain.interpret import slips, telex
from gateway.domain.interpret.lexicons import Lexicon
from gateway.domain.interpret.phrases import Token

EMOJI = "\u2600-\u27bf\u2b50\u2b55\U0001f300-\U0001faff"
_TOKEN = re.compile(
    r"(?P<figure>\d+(?:[.,:/]\d+)+)"
    r"|(?P<word>(?:[^\W_]|[@$](?=\w)|(?<=[^\W\d_])[@$*!|](?=[^\W\d_]))+(?:'[^\W_]+)*)"
    rf"|(?P<emoji>[{EMOJI}])"
    r"|(?P<end>[.!?;]+(?=\s|$)|\n+)"
)
_LEET = str.maketrans("0134578@$!|", "oieastbasii")
_REPEATS = re.compile(r"(.)\1{2,}")
_DOUBLES = re.compile(r"(.)\1")
_FIGURE_FIRST = re.compile(r"(\d{1,2})([^\W\d_]{2,})|([^\W\d_]{2,})(\d{1,2})")
LONGEST_WORD = 40
_LETTERS = ("i", "e")  # one-letter words that are run together with others: English "i", Vietnamese "e" (em)

Readings = tuple[tuple[str, str], ...]
Part = tuple[Readings, bool]
UNKNOWN = ("~", "~")
"""The reading of a word that is in no list: it may be a name."""


def read(cleaned: str, lexicon: Lexicon, most: int = 1200) -> list[Token]:
    """The tokens of a text that went through folding.clean, at most `most` of them."""
    tokens: list[Token] = []
    sentence = 0
    previous: tuple[Part, ...] = ()
    for found in _TOKEN.finditer(cleaned.replace("'", lexicon.apostrophe)):
        if found.lastgroup == "end":
            sentence += 1
            continue
        word = found[0][:LONGEST_WORD]
        if found.lastgroup == "figure":
            tokens.append(Token(((word, word),), word, sentence))
        elif found.lastgroup == "word" or word in lexicon.vocabulary:
            parts = _readings(lexicon, word)
            if previous and parts[0][0] == previous[-1][0] and len(previous) > 1:
                parts = parts[1:]  # "c'est", where "c" alone is short for "c est" as well
            tokens += (Token(readings, word, sentence, negates) for readings, negates in parts)
            previous = parts
        if len(tokens) > most:
            break
    return _join_letters(tokens, lexicon)


def _join_letters(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """Put "s t o p" together, where that gives a known word."""
    if sum(len(token.word) == 1 for token in tokens) < 3:
        return tokens
    joined: list[Token] = []
    run: list[Token] = []
    for token in [*tokens, None]:
        if token is not None and len(token.word) == 1:
            run.append(token)
            continue
        word = "".join(letter.word for letter in run)
        whole = _as_known(lexicon, word) if 3 <= len(word) <= 12 else None
        joined += [Token(whole, word, run[0].sentence)] if whole else run
        run = []
        if token is not None:
            joined.append(token)
    return joined


@lru_cache(maxsize=16384)
def _readings(lexicon: Lexicon, word: str) -> tuple[tuple[Readings, bool], ...]:
    """The tokens a written word stands for, mostly one, with whether they are known."""
    if word in lexicon.spellings:
        return _as_spelt(lexicon, word)
    if word.isdigit():
        return ((((word, word),), True),)
    if known := _as_known(lexicon, word):
        return ((known, True),)
    for guess in _guesses(lexicon, word):
        if guess in lexicon.spellings:
            return _as_spelt(lexicon, guess)
        if known := _as_known(lexicon, guess):
            return ((known, True),)
    if parts := _split(lexicon, word):
        return tuple(tokens for part in parts for tokens in _readings(lexicon, part))
    if meant := _slip(lexicon, folding.fold(word)):
        return ((((meant, meant), *_stems(lexicon, meant)), True),)
    return ((((folding.fold(word), folding.key(word)),), False),)


def _as_spelt(lexicon: Lexicon, word: str) -> tuple[tuple[Readings, bool], ...]:
    """What the spelling list says, and the word itself if it is one too."""
    meanings = [meant.split() for meant in lexicon.spellings[word]]
    longest = max(meanings, key=len)
    if len(longest) > 1:
        return tuple((((folding.fold(part), folding.key(part)), *_stems(lexicon, part)), True) for part in longest)
    readings = [(folding.fold(meant[0]), folding.key(meant[0])) for meant in meanings]
    if folded := _as_known(lexicon, word):
        readings += folded
    return ((tuple(dict.fromkeys(readings)), True),)


def _as_known(lexicon: Lexicon, word: str) -> Readings | None:
    folded = folding.fold(word)
    readings: list[tuple[str, str]] = []
    if folded in lexicon.vocabulary:
        readings.append((folded, folding.key(word)))
    readings += _stems(lexicon, folded)
    if lexicon.accents_count and (decoded := telex.decode(word)) and folding.fold(decoded) in lexicon.vocabulary:
        readings.append((folding.fold(decoded), folding.key(decoded)))
    return tuple(readings) or None


def _stems(lexicon: Lexicon, folded: str) -> list[tuple[str, str]]:
    return [(stem + "*", stem + "*") for stem in lexicon.stems if folded.startswith(stem)]


def _guesses(lexicon: Lexicon, word: str) -> Iterator[str]:
    squeezed = _REPEATS.sub(r"\1", word)
    yield squeezed
    yield _REPEATS.sub(r"\1\1", word)
    if any(c in "0134578@$!|" for c in word):
        yield squeezed.translate(_LEET)
        yield squeezed.replace("1", "l").translate(_LEET)
    if not word.isascii() or not word.isalpha():
        return
    once = _DOUBLES.sub(r"\1", squeezed)
    if len(once) > 2 or once in ("no", "ok", "co", "ui"):
        yield once


def _split(lexicon: Lexicon, word: str) -> list[str] | None:
    """Words run together, or a figure stuck to a word. Every part must be known."""
    if found := _FIGURE_FIRST.fullmatch(word):
        parts = [part for part in found.groups() if part]
        if all(part.isdigit() or _is_word(lexicon, part) for part in parts):
            return parts
    if not 5 <= len(word) <= 30 or (lexicon.accents_count and telex.is_syllable(folding.fold(word))):
        return None
    ways: list[list[str] | None] = [[]] + [None] * len(word)
    for end in range(2, len(word) + 1):
        for start in range(max(0, end - 12), end):
            before, part = ways[start], word[start:end]
            if before is None or not _is_word(lexicon, part) or (len(part) == 1 and part not in _LETTERS):
                continue
            best = ways[end]
            if best is None or len(before) + 1 < len(best):
                ways[end] = [*before, part]
    return ways[-1]


def _is_word(lexicon: Lexicon, part: str) -> bool:
    return folding.fold(part) in lexicon.vocabulary or (len(part) > 1 and part in lexicon.spellings)


def _slip(lexicon: Lexicon, folded: str) -> str | None:
    if lexicon.accents_count and telex.is_syllable(folded):
        return None
    return slips.nearest(folded, lexicon.slips, lexicon.long_words)
