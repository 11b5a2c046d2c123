"""The one number of an answer to a scale or a menu, when it is clear."""

import itertools
from collections.abc import Sequence

from gateway.domain.interpret.phrases import Text, Token

Found = tuple[int, int]
"""Place among the tokens, and value."""


def read(text: Text, low: int, high: int) -> int | None:
    """The number meant, if there is one only, in range, and not a count of something else ("3 kids", "at 4")."""
    tokens = text.tokens
    if any("part" in token.kinds for token in tokens):  # "3 and a half"
        return None
    if any(_counts(number, unit) for number, unit in itertools.pairwise(tokens)):
        return None
    found = there(tokens, high)
    if latest := _latest(tokens, found or []):
        return latest[1] if low <= latest[1] <= high else None
    if not found or len({value for _, value in found}) != 1 or not low <= found[0][1] <= high:
        return None
    places = {place for place, _ in found}
    rest = [token for place, token in enumerate(tokens) if place not in places and "of" not in token.kinds]
    if all(_keeps_company(token) or token.word == str(high) for token in rest):
        return found[0][1]
    place, value = found[0]
    apart = _stands_apart(text, place) if is_figure(tokens[place]) else _is_first_sentence(text, place)
    return value if apart else None


def only(text: Text, low: int, high: int) -> int | None:
    """The one number in range that is in the text at all, whatever stands around it."""
    values = {value for _, value in there(text.tokens, high) or []}
    return values.pop() if len(values) == 1 and low <= min(values) <= high else None


def there(tokens: Sequence[Token], high: int) -> list[Found] | None:
    """Every number, in figures or else in words; None when there is a figure that is no plain number, such as 3.5 or 9:30."""
    figures = _figures(tokens, high)
    return _words(tokens) if figures == [] else figures


def is_figure(token: Token) -> bool:
    """Whether a number is written in figures."""
    return token.word[0].isdecimal()


def _latest(tokens: Sequence[Token], found: Sequence[Found]) -> Found | None:
    """The last of two numbers, at the end and behind a word that takes the first back: "was a 1, now a 4"."""
    if len(found) != 2 or found[-1][0] != len(tokens) - 1:
        return None
    between = tokens[found[0][0] + 1 : found[1][0]]
    return found[-1] if any("latest" in token.kinds for token in between[-2:]) else None


def _counts(number: Token, unit: Token) -> bool:
    return number.word.isdecimal() and "unit" in unit.kinds and "of" not in unit.kinds


def _figures(tokens: Sequence[Token], high: int) -> list[Found] | None:
    found: list[Found] = []
    for place, token in enumerate(tokens):
        if token.word.isdecimal():
            between = tokens[found[-1][0] + 1 : place] if found else []
            if not (between and token.word == str(high) and all("of" in each.kinds for each in between)):
                found.append((place, int(token.word[:9])))
        elif is_figure(token) and not token.word.isalnum():
            part, _, whole = token.word.partition("/")
            if not part.isdecimal() or whole != str(high):
                return None
            found.append((place, int(part)))
    return found


def _words(tokens: Sequence[Token]) -> list[Found]:
    found: list[Found] = []
    for place, token in enumerate(tokens):
        if token.number is not None and not (found and "goes_with_number" in token.kinds):  # "the second one"
            found.append((place, token.number))
    return found


def _keeps_company(token: Token) -> bool:
    return "goes_with_number" in token.kinds or token.is_polite or not token.word.isalnum()


def _is_first_sentence(text: Text, place: int) -> bool:
    """Whether the number in words is the first sentence: "zero. had none"."""
    return place == 0 < len(text.tokens) - 1 and text.sentences[0] != text.sentences[1]


def _stands_apart(text: Text, place: int) -> bool:
    """First in the text ("3 bit tired"), or a sentence of its own at the end ("so so. 3")."""
    if place == len(text.tokens) - 1:
        return text.sentences[place] != text.sentences[place - 1]
    return all(_keeps_company(token) for token in text.tokens[:place])
