"""What people are told, in their own language: messages are English with {named} places, and translated when they are shown."""

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from string import Formatter

Gettext = Callable[[str], str]

_WORD = re.compile(r"[A-Za-z]{2}")

# Places of messages that hold texts of ours. In other places stand names, codes and figures, which stay as they are.
_TEXTS = frozenset({"about", "consent", "cost", "fault", "kind", "letters", "reason", "rule", "what", "why", "wrong"})
_LANGUAGES = frozenset({"instead", "wanted"})
"""Those that hold codes of languages."""
_CODE = re.compile(r"[a-z]+(_[a-z]+)+")


def N_(message: str) -> str:
    """The message as it is. Marks for the translators what is kept in English and translated when it is shown."""
    return message


class Word(str):
    """A word of ours as a value of a message, such as a state: translated with it."""

    __slots__ = ()


class Retold:
    """Translates texts that were kept as finished English, such as a reason in the database.

    One without values is a message itself. Of the others the message is found by its fixed words, and texts in its places
    are retold in turn; `tongue` names a language. A text that fits no message stays as it is.
    """

    def __init__(self, translations: Mapping[str, str], tongue: Gettext = str) -> None:
        self._known = translations
        self._tongue = tongue

    def __call__(self, text: str) -> str:
        """The text in the language of the translations."""
        if not text:
            return text
        return self._known.get(text) or self._by_places(text) or self._by_parts(text)

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        """Each message with places, as what it looks like when they are filled; those with the most fixed words first."""
        fixed = {message: "".join(words for words, _name in _parts(message)) for message in self._known if "{" in message}
        longest_first = sorted((message for message in fixed if _WORD.search(fixed[message])), key=lambda m: -len(fixed[m]))
        return [(_looks(message), self._known[message]) for message in longest_first if self._known[message]]

    def _by_places(self, text: str) -> str | None:
        for pattern, translation in self._patterns:
            if found := pattern.fullmatch(text):
                values = {name: self._in_place(name, value) for name, value in found.groupdict().items()}
                return "".join(words + values.get(name or "", "") for words, name in _parts(translation))
        return None

    def _in_place(self, name: str, value: str) -> str:
        return self(value) if name in _TEXTS else self._tongue(value) if name in _LANGUAGES else value

    def _by_parts(self, text: str) -> str:
        """Several reasons of one thing, or what it is about and the reason."""
        first, found, rest = text.partition("; ")
        if found:
            return self(first) + found + self(rest)
        first, found, rest = text.partition(": ")
        return first + found + self(rest)


def plain(message: str) -> str:
    """What whoever reads English is told instead of a code of ours: "wrong number" for "wrong_number"."""
    return message.replace("_", " ") if _CODE.fullmatch(message) else message


def _parts(message: str) -> list[tuple[str, str | None]]:
    """Fixed words, each with the name of the place that follows them."""
    return [(words, name) for words, name, _spec, _conversion in Formatter().parse(message)]


def _looks(message: str) -> re.Pattern[str]:
    """The message with its places filled; a place that comes twice holds the same twice."""
    pattern, seen = "", set()
    for words, name in _parts(message):
        pattern += re.escape(words)
        if name is not None:
            pattern += f"(?P={name})" if name in seen else f"(?P<{name}>.+?)"
            seen.add(name)
    return re.compile(pattern, re.DOTALL)
