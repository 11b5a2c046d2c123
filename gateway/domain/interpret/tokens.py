"""From a text to tokens. What a word of a language is and does is worked out once and remembered."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from gateway.domain import folding
from gateway.domain.interpret import phrases, slips, spelling
from gateway.domain.interpret.lexicons import Lexicon
from gateway.domain.interpret.phrases import Anchored, Readings, Text, Token

ABROAD = {"stop", "start", "crisis", "callback", "wrong_number", "language", "help", "idioms"}
"""What is understood in another language than the client's, where it takes several words to say."""

_EMOJI = "\u2600-\u27bf\u2b50\u2b55\U0001f300-\U0001faff"
_PIECE = re.compile(
    r"(?P<figure>\d+(?:[.,:/]\d+)+|(?<!\S)[-\u2212]\d+)"
    r"|(?P<word>(?:[^\W_]|[@$](?=\w)|(?<=[^\W\d_])[@$*!|](?=[^\W\d_]))+(?:'[^\W_]+)*)"
    rf"|(?P<emoji>[{_EMOJI}])"
    r"|(?P<end>[.,!?;]+(?=\s|$)|\n+)"
)
_LONGEST_WORD = 40
_MOST_CORRECTED = 25
"""So many unknown words of a text are corrected: more are no message, and correcting takes time."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text cut at its spaces and marks: its words, the sentence of each, and whether it ends in a question."""

    words: tuple[str, ...]
    sentences: tuple[int, ...]
    asks: bool


def cut(cleaned: str, most: int) -> Pieces:
    """Cut a text that went through folding.clean; of one with more than `most` words, its beginning and end."""
    words: list[str] = []
    sentences: list[int] = []
    sentence = 0
    for found in _PIECE.finditer(cleaned):
        if found.lastgroup == "end":
            sentence += 1
        else:
            words.append(found[0][:_LONGEST_WORD])
            sentences.append(sentence)
    if len(words) > most:
        middle = slice(most * 3 // 4, len(words) - most // 4)
        del words[middle], sentences[middle]
    return Pieces(tuple(words), tuple(sentences), cleaned.rstrip().endswith("?"))


def read(pieces: Pieces, lexicon: Lexicon, correct: bool = True) -> Text:
    """The tokens of a text in one language, spelling corrected or not."""
    found: list[Token] = []
    sentences: list[int] = []
    unknown = 0
    before: tuple[Token, ...] = ()
    for word, sentence in _paired(pieces, lexicon):
        for part in word.split("'") if lexicon.apostrophe else (word.replace("'", ""),):
            now = _tokens(lexicon, part, correct and unknown < _MOST_CORRECTED)
            unknown += bool(now) and spelling.UNKNOWN in now[0].readings
            if len(before) > 1 and now and now[0].readings[0] == before[-1].readings[0]:
                now = now[1:]  # "c'est" and "c" for "c'est": not "est" twice
            found += now
            sentences += [sentence] * len(now)
            before = now
    return _with_letters_joined(Text(found, sentences), lexicon)


def may_speak(pieces: Pieces, lexicon: Lexicon) -> bool:
    """Whether a text can hold anything that is understood abroad in this language: all the words of a phrase."""
    if any(pair in lexicon.pairs for pair in zip(pieces.words, pieces.words[1:], strict=False)):
        return True
    heard = [_heard_abroad(lexicon, word) for word in pieces.words]
    marks = 0
    for _, each in heard:
        marks |= each
    return any(all(needed & marks for needed in anchored.others) for anchors, _ in heard for anchored in anchors)


@lru_cache(maxsize=16384)
def _heard_abroad(lexicon: Lexicon, word: str) -> tuple[tuple[Anchored, ...], int]:
    """The phrases a word is the rarest word of, and the marks of what it can be read as."""
    parts = word.split("'") if lexicon.apostrophe else (word.replace("'", ""),)
    found = [token for part in parts for token in _tokens(lexicon, part, False)]
    anchors = tuple(anchored for token in found for anchored in token.abroad)
    marks = 0
    for token in found:
        marks |= token.marks
    return anchors, marks


def _paired(pieces: Pieces, lexicon: Lexicon) -> Iterable[tuple[str, int]]:
    """The words and their sentences; two that are read as one ("do not") put together."""
    skip = False
    for place, (word, sentence) in enumerate(zip(pieces.words, pieces.sentences, strict=True)):
        if skip:
            skip = False
            continue
        pair = lexicon.pairs.get((word, pieces.words[place + 1])) if place + 1 < len(pieces.words) else None
        skip = pair is not None
        yield pair or word, sentence


@lru_cache(maxsize=16384)
def _tokens(lexicon: Lexicon, word: str, correct: bool) -> tuple[Token, ...]:
    """The tokens a word stands for: none for an emoji that says nothing, several for words run together."""
    if not word or (not word[0].isalnum() and len(word) == 1 and word not in lexicon.vocabulary):
        return ()
    if not correct:
        listed = spelling.as_listed(lexicon, word, decode=False)
        if listed is None and len(word) > 1:
            return (_stranger(lexicon),)
        return tuple(
            _token(lexicon, word, readings, None) for readings in listed or spelling.as_it_stands(word)
        )
    found = spelling.readings(lexicon, word)
    slip_of = _slip_of(lexicon, word) if spelling.UNKNOWN in found[0] else None
    return tuple(_token(lexicon, word, readings, slip_of) for readings in found)


@lru_cache(maxsize=64)
def _stranger(lexicon: Lexicon) -> Token:
    """The one token for all words nobody knows and nobody corrects."""
    return _token(lexicon, "~~", spelling.as_it_stands("~~")[0], None)


def _token(lexicon: Lexicon, word: str, readings: Readings, slip_of: str | None) -> Token:
    kinds = frozenset(kind for folded, typed in readings for kind in _kinds(lexicon, folded, typed))
    anchored = tuple(dict.fromkeys(_anchored(lexicon, readings)))
    marks = 0
    for folded, _ in readings:
        marks |= lexicon.marks.get(folded, 0)
    return Token(
        word=word,
        readings=readings,
        marks=marks,
        kinds=kinds,
        negates="negates" in kinds,
        negates_after="negates_after" in kinds,
        is_polite="particle" in kinds or "courtesy" in kinds,
        number=min((int(kind) for kind in kinds if kind.isdecimal()), default=None),
        slip_of=slip_of,
        anchored=anchored,
        danger=tuple(a for a in anchored if "crisis" in (a.phrase.meaning, a.phrase.list_name)),
        abroad=tuple(a for a in anchored if _is_for_abroad(a)),
    )


def _kinds(lexicon: Lexicon, folded: str, typed: str) -> Iterable[str]:
    for meant, kind in lexicon.kinds.get(folded, ()):
        if not lexicon.accents_count or typed in (meant, folded) or folding.fits(typed, meant):
            yield kind


def _anchored(lexicon: Lexicon, readings: Readings) -> Iterable[Anchored]:
    for folded, _ in readings:
        for anchored in lexicon.by_anchor.get(folded, ()):
            if phrases.fit(readings, anchored.anchor):
                yield anchored


def _is_for_abroad(anchored: Anchored) -> bool:
    phrase = anchored.phrase
    plain = (
        phrase.list_name not in ("whole", "doubt", "doubt_whole", "together", "unless_asked")
        and "~" not in phrase.text
    )
    return phrase.meaning in ABROAD and phrase.words > 1 and plain


def _slip_of(lexicon: Lexicon, word: str) -> str | None:
    """The answer, yes or no, an unknown word is a slip for."""
    meant = slips.nearest(word, lexicon.answer_slips)
    return lexicon.answers[meant[0]] if len(meant) == 1 else None


def _with_letters_joined(text: Text, lexicon: Lexicon) -> Text:
    """Put "s t o p" together, where that gives a known word."""
    single = [len(token.word) == 1 for token in text.tokens]
    if sum(single) < 3:
        return text
    tokens: list[Token] = []
    sentences: list[int] = []
    start = 0
    while start < len(single):
        end = start
        while end < len(single) and single[end]:
            end += 1
        word = "".join(token.word for token in text.tokens[start:end])
        whole = _tokens(lexicon, word, False) if 3 <= len(word) <= 12 and _is_listed(lexicon, word) else ()
        end = max(end, start + 1)
        now = whole or text.tokens[start:end]
        tokens += now
        sentences += [text.sentences[start]] * len(now)
        start = end
    return Text(tokens, sentences)


def _is_listed(lexicon: Lexicon, word: str) -> bool:
    return word.isalpha() and spelling.as_listed(lexicon, word) is not None
