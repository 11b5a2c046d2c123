"""What has to be known while PostgreSQL is away: the channels with their settings, who is on call where, whose phones there are."""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.domain.escalation import Candidate
from gateway.store import channels, escalations, staff, units
from gateway.store.base import Work
from gateway.vault import Vault

_TEXTING = text("SELECT id FROM channels WHERE texts AND state <> 'disabled' ORDER BY length(prefix) DESC, name")
_UNITS = text(f"SELECT u.id, u.language, u.time_zone, u.region, u.tones, {units.KNOWN} AS known FROM units u")
_PHONES = text("""
  SELECT n.phone_hash, array_agg(DISTINCT c.unit_id) FILTER (WHERE c.id IS NOT NULL) AS units,
    array_agg(DISTINCT c.language) FILTER (WHERE c.id IS NOT NULL) AS languages
  FROM (SELECT DISTINCT phone_hash FROM phones WHERE phone_hash > :after ORDER BY phone_hash LIMIT :most) n
    JOIN phones p ON p.phone_hash = n.phone_hash LEFT JOIN clients c ON c.id = p.client_id AND c.status <> 'closed'
  GROUP BY n.phone_hash ORDER BY n.phone_hash""")


def read(work: Work, vault: Vault) -> dict[str, Any]:
    """All of it but clients' phones, as JSON can say it. Staff's phones and channels' secrets are in the clear."""
    candidates = escalations.all_candidates(work)
    people = staff.alerted(work, vault, {each.staff_id for near in candidates.values() for each in near})
    return {
        "channels": {str(c.id): _channel(c) for c in channels.list_all(work, vault) if c.state != "disabled"},
        "texting": [str(row.id) for row in work.all(_TEXTING)],
        "units": {str(row.id): {"language": row.language, "zone": row.time_zone, "region": row.region, "tones": row.tones, "known": row.known}
                  for row in work.all(_UNITS)},
        "candidates": {str(unit_id): [_candidate(each) for each in near] for unit_id, near in candidates.items()},
        "staff": {str(p.id): {"unit": str(p.unit_id), "phone": p.phone, "language": p.language, "zone": p.zone, "details": dict(p.details)}
                  for p in people.values()},
    }  # fmt: skip


Phones = dict[str, tuple[list[str], list[str]]]
"""Clients' phones, as keyed hashes, with the units and languages of those who have them."""


def phones(work: Work, after: bytes, most: int) -> tuple[Phones, bytes | None]:
    """Up to so many phones behind one, in their order, and the last of them; None when there was none."""
    rows = work.all(_PHONES, after=after, most=most)
    found: Phones = {bytes(row.phone_hash).hex(): ([str(each) for each in row.units], row.languages) for row in rows if row.units}
    return found, bytes(rows[-1].phone_hash) if rows else None


def _channel(channel: channels.Channel) -> dict[str, Any]:
    return {"unit": str(channel.unit_id), "name": channel.name, "kind": channel.kind, "settings": dict(channel.settings), "prefix": channel.prefix}


def channel_of(channel_id: str, kept: dict[str, Any]) -> channels.Channel:
    """A channel as it was then."""
    return channels.Channel(UUID(channel_id), UUID(kept["unit"]), kept["name"], kept["kind"], kept["settings"], kept["prefix"],
                            None, 0, "active", None, None)  # fmt: skip


def _candidate(each: Candidate) -> list[Any]:
    return [str(each.staff_id), each.distance, each.role, each.position, each.hours, each.zone, each.on_duty]


def candidate_of(kept: list[Any]) -> Candidate:
    """Somebody who may have to hear, as it was then."""
    staff_id, *rest = kept
    return Candidate(UUID(staff_id), *rest)
