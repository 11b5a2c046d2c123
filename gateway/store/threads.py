"""What was said with clients, for staff to read: the inbox, a client's messages, one message with all that became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.domain import phone
from gateway.domain.errors import NotFound
from gateway.store.base import Work
from gateway.vault import Vault


@dataclass(frozen=True, slots=True)
class Received:
    """A text that came in. `text` is None where its key was destroyed or belongs to a unit above."""

    id: UUID
    unit_id: UUID
    client_id: UUID | None
    client_code: str | None  # None: an unknown or shared phone
    received_at: datetime
    text: str | None
    meaning: str | None  # None: not handled yet
    value: str | None
    doubt: str | None
    late: bool
    called: bool  # a missed call, without words
    flags: Sequence[str]  # "12 crisis (open)"


_INBOX = text("""
  SELECT i.id, i.unit_id, i.client_id, c.code, i.received_at, i.key_id, k.wrapped, i.body_enc, i.meaning, i.value, i.doubt, i.late, i.called,
    ARRAY(SELECT f.number || ' ' || f.reason || ' (' || f.state || ')' FROM flags f WHERE f.inbound_id = i.id ORDER BY f.number)
      AS flags
  FROM inbound i LEFT JOIN clients c ON c.id = i.client_id LEFT JOIN keys k ON k.id = i.key_id
  WHERE (CAST(:client AS uuid) IS NULL OR i.client_id = :client) ORDER BY i.received_at DESC, i.id LIMIT :most""")


def inbox(work: Work, vault: Vault, client_id: UUID | None = None, most: int = 20) -> list[Received]:
    """The latest texts of the actor's units (or of one client), the newest first."""
    return [
        Received(
            row.id, row.unit_id, row.client_id, row.code, row.received_at, _open(row, vault, "inbound.body"), row.meaning, row.value,
            row.doubt, row.late, row.called, row.flags,
        )
        for row in work.all(_INBOX, client=client_id, most=most)
    ]  # fmt: skip


_RECEIVED = text("""
  SELECT i.id, i.key_id, k.wrapped, i.body_enc, i.called FROM inbound i LEFT JOIN keys k ON k.id = i.key_id WHERE i.id = :id""")


def received(work: Work, vault: Vault, inbound_id: UUID) -> tuple[str | None, bool]:
    """The words of one text that came in (None where they cannot be read), and whether it is none but a missed call."""
    row = work.one(_RECEIVED, id=inbound_id)
    return (None, False) if row is None else (_open(row, vault, "inbound.body"), row.called)


_SENDER = text("SELECT i.id, i.key_id, k.wrapped, i.from_enc FROM inbound i JOIN keys k ON k.id = i.key_id WHERE i.id = :id")


def sender(work: Work, vault: Vault, inbound_id: UUID) -> str | None:
    """The phone that a text came from; None where it cannot be read. A person who sees it is to be in the audit trail."""
    row = work.one(_SENDER, id=inbound_id)
    if row is None or not row.from_enc:
        return None
    return vault.open_key(row.wrapped, row.key_id).decrypt(row.from_enc, "inbound.from", row.id)


def _open(row: Any, vault: Vault, place: str) -> str | None:
    if row.wrapped is None or not row.body_enc:
        return None
    return vault.open_key(row.wrapped, row.key_id).decrypt(row.body_enc, place, row.id)


@dataclass(frozen=True, slots=True)
class Said:
    """One text of a conversation, theirs or ours. `text` is None where it cannot be read."""

    id: UUID
    incoming: bool
    at: datetime
    text: str | None
    # Of theirs.
    meaning: str | None = None
    called: bool = False
    late: bool = False
    # Of ours.
    purpose: str = ""
    state: str = ""
    reason: str | None = None
    code: str | None = None
    state_at: datetime | None = None
    send_after: datetime | None = None
    send_before: datetime | None = None
    waits: bool = False  # for the client's answer to "you have a message"
    about_id: UUID | None = None
    segments: int = 0
    channel_id: UUID | None = None
    channel_kind: str = ""
    country: str = ""  # how the phones begin of the country it went to


_HEARD = text("""
  SELECT i.id, i.received_at AS at, i.key_id, k.wrapped, i.body_enc, i.meaning, i.called, i.late
  FROM inbound i LEFT JOIN keys k ON k.id = i.key_id
  WHERE i.client_id = :client AND i.received_at < :before ORDER BY i.received_at DESC, i.id LIMIT :most""")
_TOLD = text("""
  SELECT o.id, o.created_at AS at, o.key_id, k.wrapped, o.body_enc, o.purpose, o.state, o.reason, o.code, o.state_at, o.send_after,
    o.send_before, o.waits_for IS NOT NULL AND o.state = 'planned' AS waits, o.about_id, o.segments, o.channel_id, c.kind AS channel_kind, o.to_enc
  FROM outbound o JOIN channels c ON c.id = o.channel_id LEFT JOIN keys k ON k.id = o.key_id
  WHERE o.client_id = :client AND o.created_at < :before ORDER BY o.created_at DESC, o.id LIMIT :most""")


def conversation(work: Work, vault: Vault, client_id: UUID, before: datetime, most: int) -> list[Said]:
    """The latest texts with a client before a moment, in the order they were said. A person who sees it is to be in the trail."""
    asked = {"client": client_id, "before": before, "most": most}
    heard = [Said(row.id, True, row.at, _open(row, vault, "inbound.body"), row.meaning, row.called, row.late) for row in work.all(_HEARD, **asked)]
    told = [
        Said(row.id, False, row.at, _open(row, vault, "outbound.body"), purpose=row.purpose, state=row.state, reason=row.reason,
             code=row.code, state_at=row.state_at, send_after=row.send_after, send_before=row.send_before, waits=row.waits,
             about_id=row.about_id, segments=row.segments, channel_id=row.channel_id, channel_kind=row.channel_kind, country=_country(row, vault))
        for row in work.all(_TOLD, **asked)
    ]  # fmt: skip
    return sorted([*heard, *told], key=lambda said: (said.at, not said.incoming))[-most:]


def _country(row: Any, vault: Vault) -> str:
    if row.wrapped is None:
        return ""
    return phone.country(vault.open_key(row.wrapped, row.key_id).decrypt(row.to_enc, "outbound.to", row.id))


@dataclass(frozen=True, slots=True)
class Sent:
    """A text of ours, without its words."""

    id: UUID
    unit_id: UUID
    client_id: UUID | None
    client_code: str | None
    purpose: str
    language: str
    lane: int
    state: str
    reason: str | None
    code: str | None
    segments: int
    send_after: datetime
    send_before: datetime
    created_at: datetime
    state_at: datetime


_SENT = """o.id, o.unit_id, o.client_id, c.code AS client_code, o.purpose, o.language, o.lane, o.state, o.reason, o.code, o.segments, o.send_after,
  o.send_before, o.created_at, o.state_at"""
_LIST = text(f"""
  SELECT {_SENT} FROM outbound o LEFT JOIN clients c ON c.id = o.client_id
  WHERE (CAST(:client AS uuid) IS NULL OR o.client_id = :client) AND (CAST(:state AS text) IS NULL OR o.state = :state)
  ORDER BY o.created_at DESC, o.id LIMIT :most""")


def list_sent(work: Work, client_id: UUID | None = None, state: str | None = None, most: int = 50) -> list[Sent]:
    """The latest texts of ours in the actor's units, the newest first."""
    return [_sent(row) for row in work.all(_LIST, client=client_id, state=state, most=most)]


_ONE = text(f"""
  SELECT {_SENT}, o.key_id, k.wrapped, o.body_enc FROM outbound o LEFT JOIN clients c ON c.id = o.client_id
    LEFT JOIN keys k ON k.id = o.key_id WHERE o.id = :id""")
_ATTEMPTS = text("""
  SELECT number, state, reason, code, started_at, settled_at FROM attempts WHERE outbound_id = :id ORDER BY number""")


def _sent(row: Any) -> Sent:
    return Sent(**{field: getattr(row, field) for field in Sent.__slots__})


def read_sent(work: Work, vault: Vault, message_id: UUID) -> tuple[Sent, str | None, Sequence[Any]]:
    """One text of ours with its words (None: its key was destroyed) and its attempts. Raises NotFound."""
    row = work.one(_ONE, id=message_id)
    if row is None:
        raise NotFound("no such message in your units: `python -m gateway message list` shows the latest")
    return _sent(row), _open(row, vault, "outbound.body"), work.all(_ATTEMPTS, id=message_id)
