"""One text to one client at a worker's wish. Says at once why it cannot reach them, so that somebody calls instead."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from gateway.content import Content
from gateway.domain import messages as lanes
from gateway.domain.errors import Refused
from gateway.domain.routing import Asked
from gateway.domain.told import N_
from gateway.store import clients, consents, inbound, routes
from gateway.store.base import Work
from gateway.usecases import compose, current_texts, send_text
from gateway.vault import Vault

# A text within a day of the client's own is an answer to it: it goes ahead of campaigns and needs no consent.
ANSWERS_WITHIN = timedelta(days=1)


def tell(
    work: Work, vault: Vault, content: Content, client_id: UUID, purpose: str, values: Mapping[str, str | datetime], *,
    dedupe_key: str, send_before: datetime, lane: int = lanes.BULK, about_id: UUID | None = None,
) -> str | None:  # fmt: skip
    """Queue the text; None, or the reason why the client is not told. Nothing is queued then.

    A text that answers the client (lane REPLY) needs no consent; a stop holds back every text.
    """
    content = current_texts.now(work, content)
    person = clients.recipients(work, vault, [client_id]).get(client_id)
    needed = next((t.about.consent for (known, _), t in content.templates.items() if known == purpose), "")
    reason = why_not(work, vault, person, needed, lane)
    if person is None or person.phone is None or reason is not None:
        return reason
    try:
        send_text.queue(work, vault, content, as_recipient(person), purpose, values, lane=lane, dedupe_key=dedupe_key,
                        send_before=send_before, about_id=about_id, channel_id=_wrote_to(work, vault, person, lane))  # fmt: skip
    except (compose.Unsendable, Refused) as error:
        return str(error)
    return None


def _wrote_to(work: Work, vault: Vault, person: clients.Person, lane: int) -> UUID | None:
    """Where an answer leaves: the channel that the client wrote to, for as long as it texts."""
    if lane != lanes.REPLY or person.phone is None:
        return None
    who = vault.hash_phone(person.phone)
    wrote_to = inbound.last_channel(work, who, work.now - ANSWERS_WITHIN)
    return wrote_to and routes.answering(work, wrote_to, Asked(person.phone, who, person.unit_id, person.language, "", bulk=False))


def as_recipient(person: clients.Person) -> compose.Recipient:
    """A client as texts are composed for; they must have a phone."""
    assert person.phone is not None
    return compose.Recipient(
        unit_id=person.unit_id, key_id=person.key_id, key=person.key, phone=person.phone, language=person.language,
        zone=person.zone, client_id=person.id, unit_language=person.unit_language, tones=person.tones,
        discreet=person.discreet, name=person.name, details=person.details,
    )  # fmt: skip


def why_not(work: Work, vault: Vault, person: clients.Person | None, consent: str, lane: int) -> str | None:
    """Why a client cannot be told what needs this consent ("" for none); None when they can.

    An answer goes to a number in doubt only where it wrote itself: who wrote from another one is not known to have it.
    """
    if person is None or person.phone is None:
        return N_("no phone on file")
    if stopped := consents.stopped(work, [vault.hash_phone(person.phone)]):
        return N_("wants no texts ({why})").format(why=next(iter(stopped.values())))
    if lane == lanes.REPLY:
        doubted = person.to_verify and not inbound.wrote(work, vault.hash_phone(person.phone), work.now - ANSWERS_WITHIN)
        return N_("number to be verified") if doubted else None
    if person.status != "active":
        return N_("client paused") if person.status == "paused" else N_("client closed")
    if person.to_verify:
        return N_("number to be verified")
    granted = {each.purpose for each in consents.current(work, person.id) if each.granted}
    return N_("no consent for {consent}").format(consent=consent) if consent and consent not in granted else None
