"""Rules for which channel carries which texts."""

from uuid import UUID

from gateway.content import Content
from gateway.domain import dialogues
from gateway.domain.errors import NotFound, Refused
from gateway.store import audit, channels, routes, units
from gateway.store.base import Actor, Work
from gateway.store.channels import State
from gateway.usecases import change_channel


def add(
    work: Work, content: Content, by: Actor, *, channel: str, unit: str = "", prefix: str = "", language: str = "", purpose: str = "",
) -> int:  # fmt: skip
    """Texts for which all that is given holds leave by the channel; the rule's number. Runs as the system. Raises Refused.

    From then on the channel carries what its rules say and nothing else.
    """
    found = _named(work, channel)
    if not (unit or prefix or language or purpose):
        raise Refused("a rule needs a unit, a beginning of phones, a language or a purpose")
    if prefix and not change_channel.is_prefix(prefix):
        raise Refused("{prefix!r} is no beginning of phones: write + and digits, such as +84", prefix=prefix)
    if language and language not in content.languages:
        raise Refused("there is no language {name!r}; there are {languages}", name=language, languages=", ".join(content.languages))
    if purpose and purpose not in purposes(content):
        raise Refused("there is no template or dialogue {purpose!r}", purpose=purpose)
    unit_id = units.by_code(work, unit).id if unit else None
    number = routes.add(work, found.id, unit_id=unit_id, prefix=prefix or None, language=language or None, purpose=purpose or None)
    given = {"unit": unit, "prefix": prefix, "language": language, "purpose": purpose}
    _audit(work, "route.add", found.id, {"channel": channel, "number": number} | {name: value for name, value in given.items() if value}, by)
    return number


def remove(work: Work, number: int, by: Actor) -> None:
    """Drop a rule. Runs as the system. Raises NotFound."""
    channel_id = routes.remove(work, number)
    _audit(work, "route.remove", channel_id, {"number": number}, by)


def purposes(content: Content) -> list[str]:
    """What a rule may speak of: templates and dialogues."""
    return sorted({purpose for purpose, _language in content.templates} | {dialogues.purpose(name) for name in content.dialogues})


def _named(work: Work, name: str) -> State:
    found = next((each for each in channels.states(work) if each.name == name), None)
    if found is None:
        raise NotFound("no channel {name!r}: `python -m gateway channel list` shows them", name=name)
    return found


def _audit(work: Work, action: str, channel_id: UUID, detail: dict[str, object], by: Actor) -> None:
    audit.add(work, action, "channel", channel_id, channels.unit_of(work, channel_id), detail, by=by)
