"""Add and change clients. What was before and what is now goes into the audit trail, under the client's own key."""

from collections.abc import Mapping
from typing import Any

from gateway.domain.errors import Refused
from gateway.domain.windows import Window
from gateway.store import audit, clients, units, ussd
from gateway.store.base import Actor, Work
from gateway.usecases import change_consent
from gateway.vault import Vault

ACTIONS = {"active": "resume", "paused": "pause", "closed": "close"}
"""What is done to a client who gets this status."""


def add(work: Work, vault: Vault, new: clients.New, agreed: Mapping[str, str]) -> clients.Found:
    """Keep a client, and what they agreed to: purpose -> basis. Raises Refused when the code is taken."""
    clients.add(work, vault, new)
    found = clients.get(work, new.id)
    audit.add(work, "client.add", "client", new.id, new.unit_id)
    for purpose, basis in agreed.items():
        change_consent.change(work, vault, found, purpose, True, basis)
    return found


def edit(work: Work, vault: Vault, found: clients.Found, changes: Mapping[str, Any]) -> None:
    """Write what is in `changes`; see `clients.edit`."""
    clients.lock(work, [found.id])
    before = _shown(clients.read(work, vault, found.id))
    clients.edit(work, vault, found.id, changes)
    after = _shown(clients.read(work, vault, found.id))
    values = {name: [before[name], after[name]] for name in sorted(changes) if before[name] != after[name]}
    audit.add(work, "client.edit", "client", found.id, found.unit_id, {"changed": sorted(changes)},
              private=audit.private(work, vault, found.id, values))  # fmt: skip


def _shown(record: clients.Record) -> dict[str, Any]:
    """What can be changed of a client, as JSON takes it."""
    found = record.found
    return {
        "name": record.name, "phones": [phone.e164 for phone in record.phones], "fields": dict(record.fields), "hours": _span(record.hours),
        "language": found.language, "time_zone": record.time_zone, "tones": record.tones, "discreet": found.discreet,
        "groups": list(found.groups), "worker_id": found.worker_id,
    }  # fmt: skip


def _span(hours: Window | None) -> str | None:
    return None if hours is None else f"{hours.opens:%H:%M}-{hours.closes:%H:%M}"


def set_status(work: Work, vault: Vault, found: clients.Found, status: str, reason: str | None) -> None:
    """active, paused (only answers and urgent texts go out) or closed (what is planned is cancelled)."""
    if found.status_reason == "erased":
        raise Refused("this client was erased: there is nobody to text")
    clients.lock(work, [found.id])
    clients.set_status(work, found.id, status, reason)
    if status == "closed":
        clients.cancel_planned(work, found.id, "client closed")
    values = {"status": [found.status, status]} | ({"reason": reason} if reason else {})
    audit.add(work, f"client.{ACTIONS[status]}", "client", found.id, found.unit_id, private=audit.private(work, vault, found.id, values))


def move(work: Work, found: clients.Found, home: units.Unit) -> None:
    """Give a client with all that was said to another unit, whose staff see them from now on."""
    clients.lock(work, [found.id])
    clients.move(work, found.id, home.id)
    audit.add(work, "client.move", "client", found.id, home.id, {"from": found.unit_code, "to": home.code})


def reset_pin(work: Work, found: clients.Found, by: Actor) -> int:
    """Let a client choose a new PIN; how many were forgotten. Runs as the system: only it reaches PINs."""
    count = ussd.reset_pin(work, found.id)
    audit.add(work, "client.pin_reset", "client", found.id, found.unit_id, by=by)
    return count
