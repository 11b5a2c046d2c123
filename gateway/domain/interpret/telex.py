"""Vietnamese typed with the input method switched off: Telex ("muoons cheets") and VNI ("muo61n che61t")."""

import re
import unicodedata
from functools import lru_cache

_SYLLABLE = re.compile(
    r"(?:ngh|ng|nh|gh|gi|kh|ph|th|tr|ch|qu|[bcdghklmnprstvx])?"
    r"(?:uye|uyu|ieu|yeu|uoi|uou|oai|oay|oao|oeo|uay|uya|ia|ie|ye|iu|ua|ue|uo|ui|uy|uu|oa|oe|oi|oo|ai|ao|au|ay|eo|eu|[aeiouy])"
    r"(?:ng|nh|ch|[cmnpt])?"
)
_TELEX_TONES = {"f": "\u0300", "s": "\u0301", "x": "\u0303", "r": "\u0309", "j": "\u0323"}
_VNI_TONES = {"2": "\u0300", "1": "\u0301", "4": "\u0303", "3": "\u0309", "5": "\u0323"}
_TELEX_LETTERS = (("uow", "ươ"), ("uo7", "ươ"), ("dd", "đ"), ("aa", "â"), ("ee", "ê"), ("oo", "ô"))
_VNI_LETTERS = {"a6": "â", "e6": "ê", "o6": "ô", "a8": "ă", "o7": "ơ", "u7": "ư", "d9": "đ"}
_VNI = re.compile(r"(?=[a-z]*\d)[a-z]+[a-z0-9]*")
_LATE_VNI = re.compile(r"([aeoud])([a-z]*)([6-9])")
_TONE_ORDER = re.compile(r"ươ|ơ|ê|ô|â|ă|ư|oa(?=.)|oe(?=.)|uy(?=.)|[aeiouy]")


def is_syllable(word: str) -> bool:
    """Whether the word without accents could be a Vietnamese syllable."""
    return _SYLLABLE.fullmatch(word) is not None


@lru_cache(maxsize=8192)
def decode(word: str) -> str | None:
    """The accented syllable that was meant, or None when the word is not typed that way."""
    if len(word) > 9 or not word.isascii():
        return None
    if _VNI.fullmatch(word):
        return _vni(word)
    return _telex(word) if word.isalpha() else None


def _vni(word: str) -> str | None:
    tones = [c for c in word if c in _VNI_TONES]
    letters = "".join(c for c in word if c not in _VNI_TONES)
    while found := _LATE_VNI.search(letters):  # the mark may stand at the end: "muon61"
        letters = _put_mark(letters, found[3])
    if len(tones) > 1 or not letters.isalpha():
        return None
    return _finish(letters, _VNI_TONES[tones[0]] if tones else "")


def _put_mark(letters: str, digit: str) -> str:
    body = letters.replace(digit, "", 1)
    if digit == "7" and "uo" in body:
        return body.replace("uo", "ươ", 1)
    for pair, marked in _VNI_LETTERS.items():
        if pair[1] == digit and pair[0] in body:
            return body.replace(pair[0], marked, 1)
    return body


def _telex(word: str) -> str | None:
    tone = ""
    found = re.search(r"(?<=[aeiouyw])([a-z]*)", word)
    tail = found.start() if found else len(word)
    for at in range(len(word) - 1, tail - 1, -1):  # a tone key stands anywhere behind the first vowel
        if word[at] in _TELEX_TONES and _looks_like_tone(word, at):
            tone, word = _TELEX_TONES[word[at]], word[:at] + word[at + 1 :]
            break
    for typed, meant in _TELEX_LETTERS:
        word = word.replace(typed, meant, 1)
    if word.startswith("d") and word.endswith("d"):
        word = "đ" + word[1:-1]
    word = _late_double(word)
    word = word.replace("aw", "ă").replace("ow", "ơ").replace("uw", "ư")
    if word.endswith("w"):  # "muonw"
        word = word[:-1].replace("uo", "ươ") if "uo" in word else re.sub("[uoa]", _horn, word[:-1], count=1)
    return _finish(word, tone)


def _looks_like_tone(word: str, at: int) -> bool:
    return not (word[at] == "r" and word[at - 1] == "t")


def _late_double(word: str) -> str:
    """Telex takes the second letter late as well: "muono" is "muôn"."""
    found = re.search(r"([aeo])(n|m|t|p|c|i|u|ng|nh|ch)\1$", word)
    if not found:
        return word
    return word[: found.start()] + {"a": "â", "e": "ê", "o": "ô"}[found[1]] + found[2]


def _horn(found: re.Match[str]) -> str:
    return {"u": "ư", "o": "ơ", "a": "ă"}[found[0]]


def _finish(letters: str, tone: str) -> str | None:
    plain = unicodedata.normalize("NFD", letters.replace("đ", "d"))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    if not is_syllable(plain) or (letters.isascii() and not tone):
        return None
    if tone:
        vowel = _TONE_ORDER.search(letters)
        at = vowel.end() if vowel else len(letters)
        letters = letters[:at] + tone + letters[at:]
    return unicodedata.normalize("NFC", letters)
