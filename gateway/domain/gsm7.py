"""The default alphabet of texts, one septet in a byte, as carriers exchange it (3GPP TS 23.038). `segments` counts by it."""

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip
_ESCAPE = 0x1B
_CODES = {letter: bytes([code]) for code, letter in enumerate(_BASIC) if code != _ESCAPE}
_CODES |= {letter: bytes([_ESCAPE, code]) for code, letter in _EXTENDED.items()}


def encode(text: str) -> bytes:
    """The septets of a text. Raises KeyError for a letter the alphabet lacks: ask `segments.count` for its encoding first."""
    return b"".join([_CODES[letter] for letter in text])


def decode(septets: bytes) -> str:
    """The text of septets, all below 128. An escape before what has no meaning shows that letter, as phones do; one at the end shows nothing."""
    letters: list[str] = []
    escaped = False
    for code in septets:
        if code == _ESCAPE and not escaped:
            escaped = True
            continue
        letters.append(_EXTENDED.get(code, _BASIC[code]) if escaped else _BASIC[code])
        escaped = False
    return "".join(letters)
