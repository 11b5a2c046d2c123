"""What a client said aloud or on paper about being texted, entered by a worker: it counts the same as their own text."""

from collections.abc import Sequence
from uuid import UUID

from gateway.domain.errors import Refused
from gateway.store import clients, consents
from gateway.store.base import Work
from gateway.usecases import apply_effects


def stop(work: Work, client_id: UUID, by: UUID | None, source: str = "staff") -> int:
    """Stop every phone of a client, and everyone on those phones; the number of planned texts cancelled.

    Runs as the system, since a shared phone may be of several units. Raises Refused when the client has no phone.
    """
    phones = _phones(work, client_id)
    return sum(apply_effects.stop_phone(work, phone_hash, "stop", source, by) for phone_hash in phones)


def start(work: Work, client_id: UUID, basis: str, by: UUID | None) -> bool:
    """Take a client's phones off the stop ledger; False when none was on it. Runs as the system, as `stop` does.

    `basis` is the client's own wish as it can be proved (a signed form). Nothing is granted that was not before.
    """
    started = [consents.start_phone(work, phone_hash, "staff", by, basis) for phone_hash in _phones(work, client_id)]
    return any(started)


def _phones(work: Work, client_id: UUID) -> Sequence[bytes]:
    phones = clients.phone_hashes(work, client_id)
    if not phones:
        raise Refused("this client has no phone on file, so there is nothing to stop or start: add one with `client edit --phone`")
    clients.lock(work, [found.id for phone_hash in phones for found in clients.by_phone_hash(work, phone_hash)])
    return phones


def change(work: Work, client_id: UUID, purpose: str, granted: bool, basis: str, by: UUID | None, source: str = "staff") -> bool:
    """Grant or revoke one purpose; a revocation cancels what is planned for it. False when it held already."""
    if not basis.strip():
        raise Refused("a consent needs its basis, and a revocation its reason, such as \"signed form\" or \"said on the phone\"")
    clients.lock(work, [client_id])
    return consents.change(work, client_id, purpose, granted, basis.strip(), source, by)
