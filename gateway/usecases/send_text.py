"""Queue one text to one person: a message by hand, an answer, an alert. Nothing leaves here; a worker sends it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from gateway.content import Content
from gateway.domain import messages as lanes
from gateway.domain.routing import Asked
from gateway.domain.templates import Policy
from gateway.store import channels, messages, routes
from gateway.store.base import Work
from gateway.usecases import compose
from gateway.vault import Vault


def queue(
    work: Work, vault: Vault, content: Content, person: compose.Recipient, purpose: str, values: Mapping[str, compose.Value], *, lane: int,
    dedupe_key: str, send_before: datetime, about_id: UUID | None = None, inbound_id: UUID | None = None,
    channel_id: UUID | None = None, exempt_for: timedelta | None = None, pinned: compose.Pinned | None = None,
    send_after: datetime | None = None,
) -> list[UUID]:  # fmt: skip
    """Plan one text; the ids of the rows kept, none when `dedupe_key` is known. `pinned`: the templates to write it from.

    A client of discreet level 2 gets "you have a message" first; the text itself waits behind their answer, unless it
    answers their own words. Raises compose.Unsendable with the reason, and Refused when no channel reaches the phone.
    """
    rows = write(
        work, content, person, purpose, values, lane=lane, dedupe_key=dedupe_key, send_before=send_before, about_id=about_id,
        inbound_id=inbound_id, channel_id=channel_id or route(work, vault, content, person, purpose, lane), exempt_for=exempt_for, pinned=pinned,
        send_after=send_after,
    )  # fmt: skip
    if channel_id is None:  # now that its words are known
        rows = [replace(row, channel_id=route(work, vault, content, person, purpose, lane, row.body)) for row in rows]
    if inbound_id is not None:  # the first and only answer of its kind to a text that was just kept
        messages.put(work, vault, rows[-1])
        return [rows[-1].id]
    return [row.id for row in rows if messages.add(work, vault, [row])]


def write(
    work: Work, content: Content, person: compose.Recipient, purpose: str, values: Mapping[str, compose.Value], *, lane: int, dedupe_key: str,
    send_before: datetime, channel_id: UUID, about_id: UUID | None = None, inbound_id: UUID | None = None,
    exempt_for: timedelta | None = None, pinned: compose.Pinned | None = None, send_after: datetime | None = None,
) -> list[messages.New]:  # fmt: skip
    """The rows of one text, itself the last, not kept yet; before it the "you have a message" of a client of discreet level 2."""
    # An answer is better in the unit's language than not at all; a text of ours is not.
    policy: Policy = "dont_send" if lane == lanes.BULK else "unit_default"
    told = compose.compose(content, person, purpose, values, policy=policy, pinned=pinned)
    if (told.asks or person.discreet == 2) and channel_id in channels.costly(work):
        person = replace(person, replies_cost=True)
        told = compose.compose(content, person, purpose, values, policy=policy, pinned=pinned)
    ping = None
    if person.client_id is not None and person.discreet == 2 and lane == lanes.BULK:
        ping = _new(work, person, compose.compose(content, person, "message_waiting", {}), channel_id=channel_id, lane=lane,
                    dedupe_key=f"{dedupe_key}:ping", send_before=send_before, about_id=about_id if pinned else None)  # fmt: skip
    real = _new(
        work, person, told, channel_id=channel_id, lane=lane, dedupe_key=dedupe_key, send_before=send_before, about_id=about_id,
        inbound_id=inbound_id, exempt_until=work.now + exempt_for if exempt_for else None, waits_for=ping.id if ping else None,
        send_after=send_after,
    )  # fmt: skip
    return [real] if ping is None else [ping, real]


def route(work: Work, vault: Vault, content: Content, person: compose.Recipient, purpose: str, lane: int, body: str = "") -> UUID:
    """The channel for a text to one person. Raises Refused when none reaches the phone, or none carries these words."""
    asks = any(template.about.wants_reply for (known, _), template in content.templates.items() if known == purpose)
    who = vault.hash_phone(person.phone)
    return routes.for_text(work, Asked(person.phone, who, person.unit_id, person.language, purpose, asks, lane == lanes.BULK, lane == lanes.URGENT).saying(body))


def put(
    work: Work, vault: Vault, content: Content, person: compose.Recipient, told: compose.Text, *, lane: int, dedupe_key: str, send_before: datetime,
    inbound_id: UUID | None = None, channel_id: UUID | None = None, exempt_for: timedelta | None = None, wait: timedelta = timedelta(0),
) -> None:  # fmt: skip
    """Plan a text that is composed already, to leave after `wait`; nothing when `dedupe_key` is known.

    Raises Refused when no channel reaches the phone.
    """
    new = _new(
        work, person, told, channel_id=channel_id or route(work, vault, content, person, told.purpose, lane, told.body), lane=lane, dedupe_key=dedupe_key,
        send_before=send_before, inbound_id=inbound_id, exempt_until=work.now + exempt_for if exempt_for else None,
    )  # fmt: skip
    messages.add(work, vault, [replace(new, send_after=new.send_after + wait)])


def _new(
    work: Work, person: compose.Recipient, told: compose.Text, *, channel_id: UUID, lane: int, dedupe_key: str, send_before: datetime,
    about_id: UUID | None = None, inbound_id: UUID | None = None, exempt_until: datetime | None = None, waits_for: UUID | None = None,
    send_after: datetime | None = None,
) -> messages.New:  # fmt: skip
    return messages.New(
        unit_id=person.unit_id, key_id=person.key_id, key=person.key, channel_id=channel_id, to=person.phone, body=told.body,
        encoding=told.encoding, segments=told.segments, purpose=told.purpose, language=told.language, lane=lane,
        semantics=told.semantics, dedupe_key=dedupe_key, send_after=send_after or work.now, send_before=send_before,
        client_id=person.client_id, consent_purpose=told.consent_purpose if lane == lanes.BULK else None,
        expects=told.expects, inbound_id=inbound_id, about_id=about_id, exempt_until=exempt_until, waits_for=waits_for,
        reason=told.note,
    )  # fmt: skip
