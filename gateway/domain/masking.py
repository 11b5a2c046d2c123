"""Take out of a text what may say whose it is, so that it can be shown to whoever keeps the word lists."""

import re
from collections.abc import Iterable

from gateway.domain import segments

MASK = "…"
# Long numbers, however they are grouped; addresses of mail and pages; handles.
_TRACES = re.compile(r"\+?\d(?:[\s.,/-]?\d){4,}|\S+@\S+|https?://\S+|www\.\S+|@\w{3,}")
_WORD = re.compile(r"[^\W\d_]+")


def mask(text: str, names: Iterable[str] = ()) -> str:
    """The text without numbers of five digits or more, addresses, and the words of `names`, with or without their accents.

    Other people's names stay: a person reads what leaves the house.
    """
    known = {_plain(word) for name in names for word in _WORD.findall(name)}
    return _WORD.sub(lambda word: MASK if _plain(word[0]) in known else word[0], _TRACES.sub(MASK, text))


def _plain(word: str) -> str:
    return segments.fold(word).casefold()
