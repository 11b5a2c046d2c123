"""Turn a purpose and values into the text one person gets: language, wording for their discreet level, tones, segments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.content import Content
from gateway.domain import segments, templates, wording
from gateway.domain.templates import Policy, Template, TemplateError
from gateway.domain.told import N_
from gateway.vault import DataKey

Value = str | datetime | Mapping[str, str]
"""What a place may be filled with: words, words by language, or (`starts_at`) a moment that gives day, date and time."""

Pinned = Mapping[tuple[str, str], Template]
"""Templates by purpose and language, as they were when a campaign started."""

# What we say of our own accord is checked for length and words; an answer to a cry for help always leaves.
CHECKED = frozenset({"reminder", "prompt", "notice"})

# Where the given name is written last.
GIVEN_NAME_LAST = frozenset({"vi"})


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a text goes to: a client, a staff member or an unknown phone, with what its wording depends on."""

    unit_id: UUID
    key_id: UUID
    key: DataKey
    phone: str
    language: str
    zone: str
    client_id: UUID | None = None
    unit_language: str = "en"
    tones: str = "saves"  # when to fold: never | saves | always
    discreet: int = 1
    name: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)  # of the unit: service name, call-back number, helplines
    replies_cost: bool = False  # on the channel that reaches them


@dataclass(frozen=True, slots=True)
class Text:
    """A finished text with its price in segments; `note` says what a fall-back of language did."""

    purpose: str
    language: str
    body: str
    encoding: str
    segments: int
    expects: str
    semantics: str
    consent_purpose: str | None
    note: str | None = None
    asks: bool = False  # for a reply


class Unsendable(Exception):
    """No text can be made for this person; the message is the reason that staff read."""


class NoLanguage(Unsendable):
    """The purpose is not written in the person's language, and the policy allows no other."""


def compose(
    content: Content, recipient: Recipient, purpose: str, values: Mapping[str, Value], *, pinned: Pinned | None = None,
    policy: Policy = "dont_send", campaign_default: str | None = None,
) -> Text:  # fmt: skip
    """The text for one person, in their language or the one that `policy` chooses, which `note` then says.

    `values` win over what is known of the unit (service, phone, helplines) and the person (first name). Segments are
    counted on the finished text. Raises NoLanguage, or Unsendable with what is wrong: a value that is missing, holds a
    line break, a forbidden word or a brace, or makes the text longer than its template allows. The reason repeats no value.
    """
    template, note = _choose(content, recipient, purpose, pinned or content.templates, policy, campaign_default)
    said = _words(content, recipient, template.language, values)
    try:
        rendered = templates.render(template, said, recipient.discreet)
    except TemplateError as error:
        raise Unsendable(str(error)) from None
    about = template.about
    if recipient.replies_cost and about.wants_reply:
        body = with_cost(content, template.language, rendered, recipient.tones, about.segments)
    else:
        body = segments.cheapest(rendered, recipient.tones)  # type: ignore[arg-type]
    counted = segments.count(body)
    if about.kind in CHECKED:
        _check(content, template, said, counted, recipient.discreet)
    return Text(
        purpose, template.language, body, counted.encoding, counted.segments, about.expects, about.semantics, about.consent or None,
        note or None, about.wants_reply,
    )  # fmt: skip


def with_cost(content: Content, language: str, said: str, tones: str, most: int) -> str:
    """A text that asks for a reply, and behind it that replying costs the client money, in as many segments as without.

    Where even the short words need one more, they are added only if the text may take that many; `most` is for GSM-7.
    """
    plain = segments.cheapest(said, tones)  # type: ignore[arg-type]
    needed = segments.count(plain).segments
    texts = [plain]
    for purpose in ("replies_cost", "replies_cost_short"):
        if (note := content.templates.get((purpose, language))) is not None:
            texts.append(segments.cheapest(f"{said} {note.body}", tones))  # type: ignore[arg-type]
            if segments.count(texts[-1]).segments <= needed:
                return texts[-1]
    counted = segments.count(texts[-1])
    extra = content.languages[language].extra_segments if counted.encoding == "UCS-2" else 0
    return texts[-1] if counted.segments <= most + extra else plain


def _choose(
    content: Content, recipient: Recipient, purpose: str, library: Pinned, policy: Policy, campaign_default: str | None
) -> tuple[Template, str]:
    available = [code for code in content.languages if (purpose, code) in library]
    if not available:
        raise Unsendable(N_("there is no template {purpose!r}").format(purpose=purpose))
    unit_default = recipient.unit_language
    language, note = templates.choose_language(recipient.language, available, policy, campaign_default or unit_default, unit_default)
    if language is None:
        raise NoLanguage(note)
    return library[purpose, language], note


def _words(content: Content, recipient: Recipient, language: str, values: Mapping[str, Value]) -> dict[str, str]:
    """All values as words of one language. Dates are said in the language of the text, on the person's own clock."""
    said = {"first_name": first_name(recipient.name, recipient.language), "helplines": content.helplines(recipient.phone)}
    for name, value in (*recipient.details.items(), *values.items()):
        if isinstance(value, datetime):
            said |= content.when(value, recipient.zone, language)
        elif isinstance(value, Mapping):
            said[name] = str(value.get(language, ""))
        else:
            said[name] = str(value)
    return said


def first_name(name: str, language: str) -> str:
    """The name a person is called by; "" when there is none."""
    parts = name.split()
    return parts[-1 if language in GIVEN_NAME_LAST else 0] if parts else ""


def _check(content: Content, template: Template, said: Mapping[str, str], counted: segments.Segments, discreet: int) -> None:
    """The fixed words were checked by `template lint`; a value may carry in what they may not."""
    about, language = template.about, content.languages[template.language]
    is_open = discreet == 0 and template.open_body is not None and all(said.get(name) for name in about.open_placeholders)
    for name in about.placeholders + (about.open_placeholders if is_open else ()):
        value = said.get(name, "")
        if wording.forbidden_in(value, language.forbidden):
            raise _unsendable(template, N_("the value for {{{name}}} holds a forbidden word").format(name=name))
        if "{" in value or "}" in value:
            raise _unsendable(template, N_("the value for {{{name}}} holds a brace: nothing in it is filled in").format(name=name))
    allowed = about.open_segments if is_open else about.segments
    allowed += language.extra_segments if counted.encoding == "UCS-2" else 0
    if counted.segments > allowed:
        too_long = N_("takes {segments} segments, {allowed} are allowed")
        raise _unsendable(template, too_long.format(segments=counted.segments, allowed=allowed))


def _unsendable(template: Template, why: str) -> Unsendable:
    return Unsendable(N_("{purpose}, {language}: {why}").format(purpose=template.purpose, language=template.language, why=why))
