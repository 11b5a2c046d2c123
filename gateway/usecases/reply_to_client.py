"""A text that a worker writes to one client: in answer to theirs, or of the worker's own accord."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from gateway.content import Content
from gateway.domain import messages as lanes
from gateway.domain import segments, windows
from gateway.domain.errors import Refused
from gateway.domain.told import N_, Word
from gateway.store import audit, clients, messages
from gateway.store.base import Work
from gateway.usecases import compose, tell_client
from gateway.vault import Vault

# Answers of the library that a person may give as they are; the others speak of what the program just did.
CANNED = ("callback_noted", "info_noted", "answer_noted", "check_in_well", "check_in_not_well", "wrong_number_noted", "help")


@dataclass(frozen=True, slots=True)
class Draft:
    """A text as it would be sent. `reason`: why it cannot be; `leaves_at`: when, where it is not at once."""

    body: str
    counted: segments.Segments
    reason: str | None
    leaves_at: datetime | None


def lane(client: clients.Found, now: datetime) -> int:
    """Whether it answers the client, or is of our own accord."""
    answers = client.last_inbound_at is not None and now - client.last_inbound_at < tell_client.ANSWERS_WITHIN
    return lanes.REPLY if answers else lanes.BULK


def why_not(work: Work, vault: Vault, content: Content, client: clients.Found) -> str | None:
    """Why the client cannot be written to at all; None when they can."""
    person = clients.recipients(work, vault, [client.id]).get(client.id)
    return tell_client.why_not(work, vault, person, _consent(content), lane(client, work.now))


def _consent(content: Content) -> str:
    return next(template.about.consent for (purpose, _), template in content.templates.items() if purpose == "manual")


def draft(work: Work, vault: Vault, content: Content, client: clients.Found, text: str) -> Draft:
    """What would become of the text: its words as sent, its price, what holds it back. Nothing is kept."""
    person = clients.recipients(work, vault, [client.id])[client.id]
    reason = tell_client.why_not(work, vault, person, _consent(content), lane(client, work.now))
    body = segments.cheapest(text, person.tones)  # type: ignore[arg-type]
    if reason is None and not text.strip():
        reason = N_("the text is empty")
    elif reason is None:
        try:
            body = compose.compose(content, tell_client.as_recipient(person), "manual", {"text": text}).body
        except compose.Unsendable as error:
            reason = str(error)
    hours = windows.narrower(person.unit_clock.hours, clients.read(work, vault, client.id).hours)
    leaves_at = windows.next_open(hours, person.zone, work.now)
    return Draft(body, segments.count(body), reason, leaves_at if leaves_at > work.now else None)


def send(
    work: Work, vault: Vault, content: Content, client: clients.Found, text: str, *, message_key: UUID, hours: int = 24,
    about_id: UUID | None = None, ring: Callable[[UUID], None],
) -> None:  # fmt: skip
    """Queue the text, within the client's hours; sent twice under one key it is one text. Raises Refused with the reason."""
    key = f"manual:{message_key}"
    if not text.strip():
        raise Refused("not sent: {reason}", reason=Word(N_("the text is empty")))
    reason = tell_client.tell(
        work, vault, content, client.id, "manual", {"text": text}, lane=lane(client, work.now), dedupe_key=key,
        send_before=work.now + timedelta(hours=hours), about_id=about_id,
    )  # fmt: skip
    if reason is not None:
        raise Refused("not sent: {reason}", reason=Word(reason))
    audit.add(work, "message.send", "client", client.id, client.unit_id, {"dedupe_key": key})
    channel_id = messages.channel_of(work, key)
    if channel_id is not None:
        work.after_commit(partial(ring, channel_id))


def is_known(work: Work, message_key: UUID) -> bool:
    """Whether a text of this key was queued before: the second click on a button."""
    return messages.is_known(work, f"manual:{message_key}")


def canned(work: Work, vault: Vault, content: Content, client: clients.Found) -> dict[str, str]:
    """Answers of the library in the client's language, as they would be said to them: purpose -> words."""
    person = clients.recipients(work, vault, [client.id])[client.id]
    if person.phone is None:
        return {}
    found = {}
    for purpose in CANNED:
        try:
            found[purpose] = compose.compose(content, tell_client.as_recipient(person), purpose, {}).body
        except compose.Unsendable:
            continue
    return found
