"""Bringing what people type to one form, so that two spellings of a word compare equal.

`clean` is for whole texts (look-alikes, invisible marks, quotes), `fold` drops every accent, and `key` keeps
Vietnamese accents but in an order of their own: letters first, the tone last, so that "huỷ" and "hủy" are one word.
"""

import re
import unicodedata
from functools import lru_cache

from gateway.domain import segments

_LOOKALIKES = str.maketrans(
    dict(zip("авекмнорстухіјѕԁӏԛԝгп", "abekmhopctyxijsdlqwrn", strict=True))
    | dict(zip("αβεικνορτυχωηγμ", "abeikvoptuxwnyu", strict=True))
    | dict.fromkeys("’‘ʼ`´′ʹ＇‛", "'")
    | dict.fromkeys("“”„«»‟″", '"')
    | dict.fromkeys("‐‑‒–—―−", "-")
    | dict(zip("ıłøœæß…ðɗ", ("i", "l", "o", "oe", "ae", "ss", ".", "đ", "đ"), strict=True))
)
# Control and format characters, variation selectors, skin tones, key caps; the bare joiner as well.
_INVISIBLE = re.compile(
    "[\xad\x00-\x08\x0b-\x1f\x7f-\x9f\u034f\u061c\u115f\u1160\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u20e3\ufe00-\ufe0f\ufeff\U0001f3fb-\U0001f3ff\U000e0000-\U000e01ef\ud800-\udfff]"
)
_TONES = {
    "\u0300": "2",
    "\u0301": "1",
    "\u0303": "4",
    "\u0309": "3",
    "\u0323": "5",
}  # the digits VNI gives them
_TONE_MARKS = re.compile("[\u0300\u0301\u0303\u0309\u0323]")
_MANY_MARKS = re.compile(r"([\u0300-\u036f]{2})[\u0300-\u036f]+")  # "zalgo": no letter carries more than two


_LONGEST = 6_000
"""One ligature may stand for eighteen letters: of what that makes, so much is kept."""


def clean(text: str) -> str:
    """The text in lower case and NFC, without what can't be seen, look-alike letters made Latin."""
    if text.isascii():
        return _INVISIBLE.sub("", text.replace("\r", "\n")).lower().replace("`", "'")
    text = _INVISIBLE.sub("", text.replace("\r", "\n"))
    text = _MANY_MARKS.sub(r"\1", unicodedata.normalize("NFKD", text)[:_LONGEST])
    return unicodedata.normalize("NFC", text.lower()).translate(_LOOKALIKES)


fold = lru_cache(maxsize=8192)(segments.fold)
"""A word without its accents, remembered."""


@lru_cache(maxsize=8192)
def key(word: str) -> str:
    """The word with its accents in one order, the tone as a last digit: "hủy" and "huỷ" -> "huy3"."""
    if word.isascii():
        return word
    marks_apart = unicodedata.normalize("NFD", word)
    tones = _TONE_MARKS.findall(marks_apart)
    letters = unicodedata.normalize("NFC", _TONE_MARKS.sub("", marks_apart))
    return letters + (_TONES[tones[-1]] if tones else "")


@lru_cache(maxsize=8192)
def fits(typed: str, meant: str) -> bool:
    """Whether somebody who means the one key may have typed the other: accents may be missing, never different."""
    letters, tone = _split(typed)
    meant_letters, meant_tone = _split(meant)
    if tone not in ("", meant_tone) or len(letters) != len(meant_letters):
        return False
    return all(a in (b, fold(b)) for a, b in zip(letters, meant_letters, strict=True))


def _split(key_: str) -> tuple[str, str]:
    return (key_[:-1], key_[-1]) if key_[-1:].isdigit() and not key_.isdigit() else (key_, "")
