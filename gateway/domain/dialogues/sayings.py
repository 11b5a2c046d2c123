"""What a turn says, as a text like every other: with places to fill, a consent it needs, a wording for each language."""

from collections.abc import Sequence

from gateway.domain import templates
from gateway.domain.dialogues.definition import Dialogue
from gateway.domain.templates import About, Template

PLACE = "dialogues/"
_ANY = 99
"""Segments: `lint` counts screens."""


def purpose(name: str) -> str:
    """What the texts of a dialogue are kept under: its folder below templates_sms/."""
    return PLACE + name


def name_of(purpose: str) -> str | None:
    """The dialogue that a purpose names; None for a template."""
    return purpose.removeprefix(PLACE) if purpose.startswith(PLACE) else None


def say(dialogue: Dialogue, says: Sequence[str]) -> dict[tuple[str, str], Template]:
    """All that is said in a turn as one text, in every language the dialogue is written in."""
    found = {}
    asks = any(dialogue.steps[key.partition(".")[0]].kind != "end" for key in says)
    for language in dialogue.texts:
        body = "\n".join(dialogue.text(language, key) for key in says)
        about = About("prompt", "once_more", dialogue.consent, asks=asks, placeholders=tuple(templates.places(body)), segments=_ANY)
        found[purpose(dialogue.name), language] = Template(purpose(dialogue.name), language, body, about, dialogue.version)
    return found
