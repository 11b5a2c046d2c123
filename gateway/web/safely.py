"""What others wrote, shown so that it can neither run, nor reorder the page, nor hide anything."""

import re
import unicodedata

from markupsafe import Markup, escape

LONG = 700  # characters that are shown at once
_REORDERS = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_EMOJI_FROM = "\u2190"


def said(text: str) -> Markup:
    """A text in its own direction, with marks where characters are that cannot be seen; what is long is folded away.

    HTML in it is letters. A mark that reorders or joins (right-to-left override, zero-width space) is shown as its code.
    """
    text = text.replace("\r\n", "\n")
    if len(text) <= LONG:
        return Markup('<p class="said" dir="auto">{}</p>').format(_marked(text))
    head, rest = text[:LONG], text[LONG:]
    return Markup('<p class="said" dir="auto">{}…</p><details><summary>+{}</summary><p class="said" dir="auto">{}</p></details>').format(
        _marked(head), len(rest), _marked(rest))  # fmt: skip


def word(text: object) -> Markup:
    """A name or another short text within a line of ours."""
    return Markup('<bdi dir="auto">{}</bdi>').format(_marked(str(text)))


def _marked(text: str) -> Markup:
    return Markup("").join(_shown(text, at) for at in range(len(text))) if _is_odd(text) else escape(text)


def _is_odd(text: str) -> bool:
    return any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Cn", "Co") and c != "\n" for c in text)


def _shown(text: str, at: int) -> Markup:
    """One character; a joiner between two pictures stays a joiner."""
    c = text[at]
    if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Cn", "Co"):
        return escape(c)
    if c == "\t":
        return Markup(" ")
    if c == "\u200d" and 0 < at < len(text) - 1 and text[at - 1] >= _EMOJI_FROM and text[at + 1] >= _EMOJI_FROM:
        return escape(c)
    return Markup('<span class="unseen">U+{:04X}</span>').format(ord(c))


def finished(value: object) -> object:
    """What a template fills in, without marks that reorder or hide what stands beside it; what is marked up already stays."""
    return _REORDERS.sub("", value) if isinstance(value, str) and not isinstance(value, Markup) and not value.isprintable() else value
