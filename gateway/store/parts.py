"""Parts of long texts in, as they come, until the text is whole and for a day after: a carrier may bring one again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.domain.parts import Kept
from gateway.store import forgotten
from gateway.store.base import Work
from gateway.store.inbound import Arrived
from gateway.vault import Vault

KEPT = timedelta(days=1)

_LIKE = text("""
  SELECT p.inbound_id, p.number, p.carrier_id, p.body_hash, p.received_at, i.handled_at IS NULL AS open
  FROM inbound_parts p JOIN inbound i ON i.id = p.inbound_id
  WHERE p.from_hash = :phone AND p.received_at > :since AND p.channel_id = :channel AND p.reference = :reference AND p.total = :total""")


def like(work: Work, channel_id: UUID, phone_hash: bytes, reference: str, total: int) -> Sequence[Kept]:
    """Parts that may belong to the same text, or to an earlier one with the same reference."""
    rows = work.all(_LIKE, phone=phone_hash, since=work.now - KEPT, channel=channel_id, reference=reference, total=total)
    return [Kept(row.inbound_id, row.number, row.carrier_id, bytes(row.body_hash), row.received_at, row.open) for row in rows]


_BEGUN = text("""
  SELECT i.unit_id, i.client_id, i.key_id, i.carrier_id, k.wrapped FROM inbound i JOIN keys k ON k.id = i.key_id WHERE i.id = :id""")
_BODIES = text("SELECT number, body_enc FROM inbound_parts WHERE inbound_id = :id")


@dataclass(frozen=True, slots=True)
class Begun:
    """A text of which parts are here: its row of `inbound` as far as it stays the same, and what came."""

    row: Any
    bodies: dict[int, str]


def begun(work: Work, vault: Vault, inbound_id: UUID) -> Begun:
    """What is here of a text that waits for more."""
    row = work.one(_BEGUN, id=inbound_id)
    key = vault.open_key(row.wrapped, row.key_id)
    return Begun(row, {each.number: key.decrypt(each.body_enc, "inbound_parts.body", inbound_id) for each in work.all(_BODIES, id=inbound_id)})


def add(work: Work, arrived: Arrived, *, reference: str, number: int, total: int, carrier_id: str, body: str, body_hash: bytes) -> None:
    """Keep a part with the other writes of the transaction."""
    work.put("inbound_parts", {
        "inbound_id": arrived.id, "number": number, "key_id": arrived.key_id, "channel_id": arrived.channel_id,
        "from_hash": arrived.phone_hash, "reference": reference, "total": total, "carrier_id": carrier_id,
        "body_enc": arrived.key.encrypt(body, "inbound_parts.body", arrived.id), "body_hash": body_hash, "received_at": work.now,
    })  # fmt: skip


_GROWN = text("UPDATE inbound SET body_enc = :body_enc, body_hash = :body_hash WHERE id = :id")


def grow(work: Work, arrived: Arrived) -> None:
    """The text says what all its parts say by now."""
    work.execute(_GROWN, {"id": arrived.id, "body_enc": arrived.key.encrypt(arrived.body, "inbound.body", arrived.id), "body_hash": arrived.body_hash})


_FORGET = forgotten.forgetting("inbound_parts", forgotten.PART, "received_at < :before")


def forget_old(work: Work) -> int:
    """Drop parts of more than a day ago, and know them if they are brought again; how many. The texts they made stay."""
    return len(work.all(_FORGET, before=work.now - KEPT))
