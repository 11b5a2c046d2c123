"""The simulator's handsets: the texts they hold, and whose they are. Synthetic persons only.

A text is encrypted under the key of its phone, so that erasing a person erases it too.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.store import inbound
from gateway.store.base import Work
from gateway.vault import Vault


@dataclass(frozen=True, slots=True)
class Text:
    """A text on a handset; `incoming` to the handset. `zone` is its owner's, for showing the time."""

    id: UUID
    incoming: bool
    body: str
    at: datetime
    zone: str


@dataclass(frozen=True, slots=True)
class Owner:
    """A client whose phone may be tried."""

    id: UUID
    code: str
    language: str
    zone: str
    next_at: datetime | None


def add(
    work: Work, vault: Vault, *, text_id: UUID, channel_id: UUID, unit_id: UUID, phone: str, incoming: bool, body: str,
    token: str | None = None,
) -> None:  # fmt: skip
    """Put a text on the handset of this phone; the same id again changes nothing."""
    phone_hash = vault.hash_phone(phone)
    key_id, key = inbound.stranger_key(work, vault, phone_hash, unit_id)
    row = {
        "id": text_id, "channel_id": channel_id, "key_id": key_id, "phone_hash": phone_hash, "incoming": incoming,
        "token": token, "body_enc": key.encrypt(body, "handset_texts.body", text_id), "at": work.now,
    }  # fmt: skip
    work.insert("handset_texts", [row], "ON CONFLICT (id) DO NOTHING")


_ZONE = """coalesce(
      (SELECT coalesce(c.time_zone, cu.time_zone) FROM phones p JOIN clients c ON c.id = p.client_id
         JOIN units cu ON cu.id = c.unit_id WHERE p.phone_hash = :phone ORDER BY c.id LIMIT 1),
      u.time_zone) AS zone"""
# A text carries the time at which its transaction began, so it may appear after a later one was read: 10 s come again.
_SINCE = text(f"""
  SELECT t.id, t.incoming, t.body_enc, t.at, t.key_id, k.wrapped, {_ZONE}
  FROM handset_texts t JOIN keys k ON k.id = t.key_id JOIN channels h ON h.id = t.channel_id JOIN units u ON u.id = h.unit_id
  WHERE t.phone_hash = :phone AND (CAST(:since AS timestamptz) IS NULL OR t.at >= CAST(:since AS timestamptz) - interval '10 s')
  ORDER BY t.at DESC, t.id DESC LIMIT :most""")


def list_since(work: Work, vault: Vault, phone: str, since: datetime | None = None, most: int = 100) -> list[Text]:
    """The newest texts on the handset, oldest first. Some before `since` come again: know them by id."""
    rows = work.all(_SINCE, phone=vault.hash_phone(phone), since=since, most=most)
    return [_open(vault, row) for row in reversed(rows)]


def _open(vault: Vault, row: Any) -> Text:
    body = vault.open_key(row.wrapped, row.key_id).decrypt(row.body_enc, "handset_texts.body", row.id)
    return Text(row.id, row.incoming, body, row.at, row.zone)


_CHANNEL = text("""
  SELECT c.id FROM channels c
    LEFT JOIN LATERAL (SELECT max(at) AS at FROM handset_texts WHERE phone_hash = :phone AND incoming AND channel_id = c.id) t ON true
  WHERE c.kind = 'simulator' AND c.state <> 'disabled' ORDER BY t.at DESC NULLS LAST, c.name LIMIT 1""")


def channel_of(work: Work, phone_hash: bytes = b"") -> UUID | None:
    """The simulator channel that texted this phone last, else any; None when there is none."""
    found = work.value(_CHANNEL, phone=phone_hash)
    return None if found is None else UUID(str(found))


_ZONE_OF = text(f"SELECT {_ZONE} FROM channels h JOIN units u ON u.id = h.unit_id WHERE h.id = :channel")


def zone_of(work: Work, phone_hash: bytes, channel_id: UUID) -> str:
    """The time zone of whoever has the phone; of the channel's unit where nobody is known to."""
    return str(work.value(_ZONE_OF, phone=phone_hash, channel=channel_id))


_OWNERS = text("""
  SELECT c.id, c.code, c.language, coalesce(c.time_zone, u.time_zone), a.starts_at
  FROM clients c JOIN units u ON u.id = c.unit_id
    LEFT JOIN LATERAL (SELECT min(starts_at) AS starts_at FROM appointments
      WHERE client_id = c.id AND status = 'booked' AND starts_at > :now) a ON true
  WHERE c.status <> 'closed' AND strpos(lower(c.code), lower(:code)) > 0
    AND EXISTS (SELECT FROM phones WHERE client_id = c.id)
  ORDER BY a.starts_at NULLS LAST, c.code LIMIT :most""")


def list_owners(work: Work, code: str = "", most: int = 20) -> list[Owner]:
    """Clients with a phone whose code holds `code`, those who are expected soonest first."""
    return [Owner(*tuple(row)) for row in work.all(_OWNERS, code=code, now=work.now, most=most)]


_ON = text("""
  SELECT c.code FROM phones p JOIN clients c ON c.id = p.client_id WHERE p.phone_hash = :phone
  UNION SELECT code FROM staff WHERE phone_hash = :phone AND active ORDER BY 1""")


def codes_on(work: Work, phone_hash: bytes) -> list[str]:
    """Whose phone it is: codes of clients and staff."""
    return [row.code for row in work.all(_ON, phone=phone_hash)]
