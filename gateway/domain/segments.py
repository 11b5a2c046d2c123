"""How many billed parts a text takes, and how to say it in fewer without harm.

Alphabet: 3GPP TS 23.038, default table and its extension table. Part sizes: TS 23.040, 140 octets, of which a
joined part gives 6 to the header: 160 and 153 septets, 70 and 67 UTF-16 units.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Encoding = Literal["GSM-7", "UCS-2"]
FoldWhen = Literal["never", "saves", "always"]

GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENDED = frozenset("\f^{}\\[~]|€")
"""Sent as an escape and a second septet."""
GSM = GSM_BASIC | GSM_EXTENDED


@dataclass(frozen=True, slots=True)
class Segments:
    """`units` are septets (GSM-7) or UTF-16 units (UCS-2); what a part leaves empty isn't counted."""

    encoding: Encoding
    segments: int
    units: int


def count(text: str) -> Segments:
    """Count the text as it is sent: in NFC, otherwise as given. An empty text is one empty message."""
    text = unicodedata.normalize("NFC", text)
    if GSM.issuperset(text):
        widths = [2 if character in GSM_EXTENDED else 1 for character in text]
        return Segments("GSM-7", _pack(widths, single=160, joined=153), sum(widths))
    widths = [2 if character > "\uffff" else 1 for character in text]
    return Segments("UCS-2", _pack(widths, single=70, joined=67), sum(widths))


def _pack(widths: Sequence[int], single: int, joined: int) -> int:
    return 1 if sum(widths) <= single else len(_cuts(widths, joined))


def _cuts(widths: Iterable[int], joined: int) -> list[int]:
    """Where each part begins when neither an escape nor a surrogate pair may straddle two of them."""
    cuts, free = [0], joined
    for place, width in enumerate(widths):
        if width > free:
            cuts.append(place)
            free = joined
        free -= width
    return cuts


def split(text: str, encoding: Encoding, header_octets: int = 6) -> list[str]:
    """The parts of a text, in NFC, as a carrier is given them, each with a header of so many octets where there are several.

    With the usual header as many as `count` says.
    """
    text = unicodedata.normalize("NFC", text)
    single = 160 if encoding == "GSM-7" else 70
    joined = (140 - header_octets) * 8 // 7 if encoding == "GSM-7" else (140 - header_octets) // 2
    wide = GSM_EXTENDED.__contains__ if encoding == "GSM-7" else "\uffff".__lt__
    widths = [2 if wide(letter) else 1 for letter in text]
    if sum(widths) <= single:
        return [text]
    cuts = _cuts(widths, joined)
    return [text[start:end] for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]


def forcing(text: str) -> list[str]:
    """The characters that force UCS-2, each once, in order of appearance in the NFC text."""
    return list(dict.fromkeys(c for c in unicodedata.normalize("NFC", text) if c not in GSM))


_TYPOGRAPHIC = {
    " ": "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
    "\n": "\r\v\f\x85\u2028\u2029",
    "'": "\u2018\u2019\u201a\u201b\u2032\u2039\u203a\u02bc\u00b4`",
    '"': "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2022\ufe58\ufe63\uff0d",
    "/": "\u2044",
    "...": "\u2026",
    "ff": "\ufb00",
    "fi": "\ufb01",
    "fl": "\ufb02",
    "ffi": "\ufb03",
    "ffl": "\ufb04",
}
_CONTROLS = {code for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r\v\f\x85"}
_UNSEEN = {0x00AD, 0x200B, 0x2060, 0x2061, 0x2062, 0x2063, 0x2064, 0xFEFF}
_SHAPING = {0x200C, 0x200D, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_TIDY: dict[int, str | None] = {ord(c): plain for plain, many in _TYPOGRAPHIC.items() for c in many}
_TIDY |= dict.fromkeys(_CONTROLS | _UNSEEN)
_TIDY_ALL = _TIDY | dict.fromkeys(_SHAPING)
_NEEDS_SHAPING = re.compile("[\u0590-\u1cff\U00010000-\U0010ffff]")


def tidy(text: str) -> str:
    """NFC, with word processors' and Babel's typography made plain, so that nothing turns UCS-2 by accident.

    Spaces, quotes, dashes, bullets, ellipsis, ligatures and line ends become plain; invisible marks and
    control characters go. Letters stay. Joiners and direction marks stay where scripts or emoji need them.
    """
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n")
    table = _TIDY if _NEEDS_SHAPING.search(text) else _TIDY_ALL
    return unicodedata.normalize("NFC", text.translate(table))


# Letters without a decomposition; Ð and Ɖ are what old Vietnamese converters wrote for Đ.
_UNDECOMPOSED = str.maketrans(
    {"đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "ɖ": "d", "Ɖ": "D", "œ": "oe", "Œ": "OE"}
)


def fold(text: str) -> str:
    """Without diacritics: Được -> Duoc. For matching, and for sending only where staff chose it."""
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFD", text.translate(_UNDECOMPOSED))
    return unicodedata.normalize("NFC", "".join(c for c in apart if not unicodedata.combining(c)))


def cheapest(text: str, fold_when: FoldWhen) -> str:
    """The text to send, tidied; folded always, never, or only when GSM-7 then takes fewer parts.

    Folding that doesn't reach GSM-7 would take the tones and save nothing, so "saves" leaves the text whole.
    """
    text = tidy(text)
    if fold_when == "never":
        return text
    folded = fold(text)
    if fold_when == "always":
        return folded
    short = count(folded)
    return folded if short.encoding == "GSM-7" and short.segments < count(text).segments else text
