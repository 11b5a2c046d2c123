"""What a client said aloud or on paper about being texted, entered by a worker: it counts the same as their own text."""

from collections.abc import Sequence
from uuid import UUID

from gateway.domain.errors import Refused
from gateway.store import audit, clients, consents
from gateway.store.base import Actor, Work
from gateway.usecases import apply_effects
from gateway.vault import Vault


def stop(work: Work, found: clients.Found, by: Actor) -> int:
    """Stop every phone of a client, and everyone on those phones; the number of planned texts cancelled.

    Runs as the system, since a shared phone may be of several units. Raises Refused when the client has no phone.
    """
    phones = _phones(work, found.id)
    cancelled = sum(apply_effects.stop_phone(work, phone_hash, "stop", "staff", by.staff_id) for phone_hash in phones)
    audit.add(work, "client.stop", "client", found.id, found.unit_id, {"cancelled": cancelled}, by=by)
    return cancelled


def start(work: Work, vault: Vault, found: clients.Found, basis: str, by: Actor) -> bool:
    """Take a client's phones off the stop ledger; False when none was on it. Runs as the system, as `stop` does.

    `basis` is the client's own wish as it can be proved (a signed form). Nothing is granted that was not before.
    """
    started = [consents.start_phone(work, phone_hash, "staff", by.staff_id, basis) for phone_hash in _phones(work, found.id)]
    audit.add(work, "client.start", "client", found.id, found.unit_id, by=by,
              private=audit.private(work, vault, found.id, {"basis": basis}))  # fmt: skip
    return any(started)


def _phones(work: Work, client_id: UUID) -> Sequence[bytes]:
    phones = clients.phone_hashes(work, client_id)
    if not phones:
        raise Refused("this client has no phone on file, so there is nothing to stop or start: add one with `client edit --phone`")
    clients.lock(work, [found.id for phone_hash in phones for found in clients.by_phone_hash(work, phone_hash)])
    return phones


def change(work: Work, vault: Vault, found: clients.Found, purpose: str, granted: bool, basis: str) -> bool:
    """Grant or revoke one purpose; a revocation cancels what is planned for it. False when it held already."""
    if not basis.strip():
        raise Refused("a consent needs its basis, and a revocation its reason, such as \"signed form\" or \"said on the phone\"")
    clients.lock(work, [found.id])
    before = next(([each.granted, each.basis] for each in consents.current(work, found.id) if each.purpose == purpose), None)
    changed = consents.change(work, found.id, purpose, granted, basis.strip(), "staff", work.actor.staff_id)
    audit.add(work, "client.consent", "client", found.id, found.unit_id, {"purpose": purpose, "granted": granted},
              private=audit.private(work, vault, found.id, {purpose: [before, [granted, basis.strip()]]}))  # fmt: skip
    return changed
