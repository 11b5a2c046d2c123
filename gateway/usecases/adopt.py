"""What left while PostgreSQL was away, taken into the database as if a worker had sent it: it never leaves a second time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from gateway.domain import messages as lanes
from gateway.domain import segments
from gateway.store import messages
from gateway.store.base import Work
from gateway.usecases.compose import Recipient
from gateway.vault import Vault

TOOK = frozenset({"accepted", "unknown"})
"""Outcomes of a text that the carrier has, or may have: nothing else goes out in its place."""


@dataclass(frozen=True, slots=True)
class Said:
    """A text that may have left. `accepted`: the carrier took it; otherwise it is asked, as after a worker that was killed."""

    token: UUID
    channel_id: UUID
    to: str
    body: str
    purpose: str
    language: str
    accepted: bool
    carrier_id: str | None = None


@dataclass(frozen=True, slots=True)
class Already:
    """All that was said about one text that came in, in its order: the answer, alerts by whom they went to, and by which second way.

    `silent`: a stop from the phone came after it, so that nothing but an answer to a cry for help is said any more.
    """

    answer: Said | None = None
    alerts: Mapping[UUID, Sequence[Said]] = field(default_factory=dict)
    second: str | None = None
    silent: bool = False


    def texts(self) -> list[Said]:
        """All of it that were texts."""
        return [*([self.answer] if self.answer else []), *(said for each in self.alerts.values() for said in each)]


NOTHING = Already()


def about(vault: Vault, channel_id: UUID, carrier_id: str, phone_hash: bytes, body_hash: bytes) -> UUID:
    """What a text is known by before the database has it, in each copy that the carrier posts. It tells nobody whose it is."""
    return UUID(bytes=vault.hash_body(f"about:{channel_id}:{carrier_id}:{phone_hash.hex()}:{body_hash.hex()}"))


def keep(
    work: Work, vault: Vault, person: Recipient, said: Said, *, dedupe_key: str, send_before: datetime, about_id: UUID | None = None,
    inbound_id: UUID | None = None,
) -> UUID:  # fmt: skip
    """Keep a text with the attempt that it left by; its id. One whose dedupe key is known stays as it is."""
    counted, person = segments.count(said.body), replace(person, phone=said.to)
    new = messages.New(
        unit_id=person.unit_id, key_id=person.key_id, key=person.key, channel_id=said.channel_id, to=person.phone, body=said.body,
        encoding=counted.encoding, segments=counted.segments, purpose=said.purpose, language=said.language, lane=lanes.URGENT,
        semantics="at_least_once", dedupe_key=dedupe_key, send_after=work.now, send_before=send_before, client_id=person.client_id,
        inbound_id=inbound_id, about_id=about_id,
    )  # fmt: skip
    if messages.add(work, vault, [new]):
        messages.submit(work, [new.id], [said.token])
        _record(work, new.id, said)
    return new.id


def spare(work: Work, message_id: UUID, said: Said) -> None:
    """What was planned, or claimed by a worker that has not said it, before PostgreSQL went away has left meanwhile: it does not leave again."""
    if messages.left_otherwise(work, message_id, said.token, said.channel_id):
        _record(work, message_id, said)


def _record(work: Work, message_id: UUID, said: Said) -> None:
    if said.accepted:
        messages.record(work, [messages.Outcome(message_id, said.token, "accepted", "accepted", carrier_id=said.carrier_id)])
