"""What we say: a text with named places, what is known about it, and which language a client gets.

A place is written `{day}`, and only names that the template itself lists may stand there. Values are put in
once and never read again, so nothing a client or a worker typed can act as a template.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self, get_args

from gateway.domain.errors import Refused
from gateway.domain.told import N_, Word

Kind = Literal["reminder", "prompt", "notice", "answer", "staff"]
Semantics = Literal["at_most_once", "once_more", "at_least_once"]
Policy = Literal["dont_send", "campaign_default", "unit_default"]

Bodies = Mapping[str, tuple[str, str | None]]
"""By language: the text, and the one that names the service where there is one."""

_PLACE = re.compile(r"\{([a-z_]+)\}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class TemplateError(Refused):
    """A template, or a value for it, is not fit to be sent. Names template and place, never the value."""


@dataclass(frozen=True, slots=True)
class About:
    """What `about.toml` says of a purpose; the same for all its languages."""

    kind: Kind  # before an appointment, by campaign, after an event, to the client's own text, to staff
    semantics: Semantics
    consent: str  # the purpose a client must have consented to; "" for answers and alerts
    expects: str = "none"  # as `interpret.Expecting` writes it
    placeholders: tuple[str, ...] = ()
    open_placeholders: tuple[str, ...] = ()  # only where the client lets us name the service
    segments: int = 1  # at most, in GSM-7
    open_segments: int = 1
    keywords: tuple[str, ...] = ()  # meanings of the words in CAPITALS that the text teaches
    advertising: bool = False  # counts as advertising until counsel says otherwise; said for people, no rule reads it
    asks: bool = False  # for a reply that a dialogue reads

    @property
    def wants_reply(self) -> bool:
        """Whether the client is to write back."""
        return self.asks or self.expects != "none"


@dataclass(frozen=True, slots=True)
class Template:
    """One purpose in one language. `body` is for discreet levels 1 and 2, `open_body` for level 0."""

    purpose: str
    language: str
    body: str
    about: About
    version: str
    open_body: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it, so that a campaign keeps the text it started with."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The template that `to_dict` gave."""
        return cls(**{**data, "about": read_about(data["purpose"], data["about"])})


def _one_of(*words: str) -> tuple[Callable[[Any], bool], str]:
    return lambda value: value in words, N_("one of {words}").format(words=", ".join(map(repr, words)))


_WORDS = (
    lambda value: isinstance(value, list | tuple) and all(isinstance(word, str) for word in value),
    N_("a list of words"),
)
_COUNT = (lambda value: type(value) is int and value > 0, N_("a whole number from 1"))
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "kind": _one_of(*get_args(Kind)),
    "semantics": _one_of(*get_args(Semantics)),
    "consent": _one_of("reminder", "check_in", "service_information", "study", ""),
    "expects": (lambda value: isinstance(value, str), N_("what a reply may be, such as 'yes_no'")),
    "asks": (lambda value: isinstance(value, bool), N_("true or false")),
    "placeholders": _WORDS,
    "open_placeholders": _WORDS,
    "segments": _COUNT,
    "open_segments": _COUNT,
    "keywords": _WORDS,
    "advertising": (lambda value: isinstance(value, bool), N_("true or false")),
}


def read_about(purpose: str, data: Mapping[str, Any]) -> About:
    """Check what `about.toml` holds; TemplateError names the key that is wrong."""
    for key in sorted(set(data) - set(_RULES) | {"kind", "semantics", "consent"} - set(data)):
        wrong = N_("unknown") if key in data else N_("missing")
        raise TemplateError(
            "{purpose}/about.toml: {key} is {wrong}; known: {known}.", purpose=purpose, key=key, wrong=Word(wrong), known=[*_RULES]
        )
    for key, value in data.items():
        fits, rule = _RULES[key]
        if not fits(value):
            raise TemplateError("{purpose}/about.toml: {key} must be {rule}.", purpose=purpose, key=key, rule=Word(rule))
    known: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
    }
    return About(**known)


def reworded(library: Mapping[tuple[str, str], Template], purpose: str, version: str, texts: Bodies) -> dict[tuple[str, str], Template]:
    """The purpose's templates in these languages with other words. All of its languages share the version."""
    return {
        (purpose, code): replace(library[purpose, code], body=texts[code][0], open_body=texts[code][1], version=version)
        for known, code in library if known == purpose and code in texts
    }  # fmt: skip


def places(body: str) -> list[str]:
    """The names of the places in a text, each once, in their order."""
    return list(dict.fromkeys(_PLACE.findall(body)))


def without_places(body: str) -> str:
    """The fixed words alone."""
    return _PLACE.sub(" ", body)


def render(template: Template, values: Mapping[str, str], discreet: int = 1) -> str:
    """Put the values in. Discreet level 0 takes the open text, unless a value that only it needs is missing.

    Values that the text does not use are ignored. Raises TemplateError on a place that the template does not
    list, on a missing or empty value, and on a line break or control character in one.
    """
    body, allowed = template.body, template.about.placeholders
    if (
        discreet == 0
        and template.open_body
        and all(values.get(name) for name in template.about.open_placeholders)
    ):
        body, allowed = template.open_body, allowed + template.about.open_placeholders

    def value(match: re.Match[str]) -> str:
        name = match[1]
        text = values.get(name)
        if name not in allowed:
            wrong = N_("{{{name}}} is not among its placeholders").format(name=name)
        elif not text:
            wrong = N_("no value for {{{name}}}").format(name=name)
        elif _CONTROL.search(text):
            wrong = N_("the value for {{{name}}} holds a line break or control character").format(name=name)
        else:
            return text
        raise TemplateError(
            "{purpose}, {language}: {wrong}.", purpose=template.purpose, language=template.language, wrong=Word(wrong)
        )

    return _PLACE.sub(value, body)


_INSTEAD = {"campaign_default": N_("the campaign's language"), "unit_default": N_("the unit's language")}


def choose_language(
    wanted: str, available: Collection[str], policy: Policy, campaign_default: str, unit_default: str
) -> tuple[str | None, str]:
    """The language to send in (None: don't), and a note for staff whenever it is not the one wanted."""
    if wanted in available:
        return wanted, ""
    instead = {"dont_send": None, "campaign_default": campaign_default, "unit_default": unit_default}[policy]
    if instead in available:
        return instead, N_("no text in {wanted}; sent in {instead} ({rule})").format(wanted=wanted, instead=instead, rule=_INSTEAD[policy])
    if instead is None:
        return None, N_("no text in {wanted}; not sent, as the campaign says").format(wanted=wanted)
    return None, N_("no text in {wanted}, nor in {rule}; not sent").format(wanted=wanted, rule=_INSTEAD[policy])
