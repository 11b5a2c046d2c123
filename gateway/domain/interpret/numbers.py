"""The one number of an answer to a scale or a menu, when it is clear."""

from collections.abc import Sequence

from gateway.domain import folding
from gateway.domain.interpret import phrases
from gateway.domain.interpret.lexicons import Lexicon
from gateway.domain.interpret.phrases import Token

Found = tuple[int, int]
"""Place among the tokens, and value."""


def read(tokens: Sequence[Token], lexicon: Lexicon, low: int, high: int) -> int | None:
    """The number meant, if there is one only, in range, and not a count of something else ("3 kids", "at 4")."""
    figures = _figures(tokens, lexicon, high)
    found = _words(tokens, lexicon) if figures == [] else figures
    if found is None or len({value for _, value in found}) != 1 or not low <= found[0][1] <= high:
        return None
    places = {place for place, _ in found}
    rest = [token for place, token in enumerate(tokens) if place not in places and not phrases.fits(token, lexicon.number_of)]
    rest = [token for token in rest if not (len(found) == 1 and _is_total(token, high))]
    if all(_in_company(token, lexicon) for token in rest):
        return found[0][1]
    return found[0][1] if figures and _stands_apart(tokens, found[0][0], lexicon) else None


def _figures(tokens: Sequence[Token], lexicon: Lexicon, high: int) -> list[Found] | None:
    """Numbers in figures; None when there is a figure that is no plain number, such as 3.5 or 9:30."""
    found: list[Found] = []
    for place, token in enumerate(tokens):
        if token.word.isdecimal():
            between = tokens[found[-1][0] + 1 : place] if found else []
            if not (between and _is_total(token, high) and all(phrases.fits(t, lexicon.number_of) for t in between)):
                found.append((place, int(token.word)))
        elif token.word[0].isdecimal() and not token.word.isalnum():
            part, _, whole = token.word.partition("/")
            if not part.isdecimal() or whole != str(high):
                return None
            found.append((place, int(part)))
    return found


def _words(tokens: Sequence[Token], lexicon: Lexicon) -> list[Found] | None:
    found = []
    for place, token in enumerate(tokens):
        for _, typed in token.readings:
            value = next((n for word, n in lexicon.number_words.items() if _same(typed, word)), None)
            if value is not None:
                found.append((place, value))
                break
    return found or None


def _same(typed: str, word: str) -> bool:
    return typed == word or folding.fits(typed, word)


def _is_total(token: Token, high: int) -> bool:
    return token.word == str(high)


def _in_company(token: Token, lexicon: Lexicon) -> bool:
    lists = (lexicon.number_company, lexicon.particles, lexicon.courtesies)
    return any(phrases.fits(token, words) for words in lists) or not token.word.isalnum()


def _stands_apart(tokens: Sequence[Token], place: int, lexicon: Lexicon) -> bool:
    """First in the text with no unit after it ("3 bit tired"), or a sentence of its own at the end ("so so. 3")."""
    if place == len(tokens) - 1:
        return tokens[place].sentence != tokens[place - 1].sentence
    first = all(_in_company(token, lexicon) for token in tokens[:place])
    return first and not phrases.fits(tokens[place + 1], lexicon.number_units)
