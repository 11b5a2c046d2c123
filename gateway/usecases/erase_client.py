"""Forget a person at their wish: nothing that names them can be read again, in backups too once their keys age out."""

from gateway.store import audit, clients, erasure
from gateway.store.base import Actor, Work
from gateway.vault import Vault


def erase(work: Work, vault: Vault, client: clients.Found, by: Actor) -> None:
    """Erase a client the actor was shown. Runs as the system: only it may destroy keys. See `store.erasure`."""
    erasure.erase(work, vault, client.id, by.staff_id)
    audit.add(work, "client.erase", "client", client.id, client.unit_id, by=by)
