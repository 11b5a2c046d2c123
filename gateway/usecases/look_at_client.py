"""What staff read about a client. Each look is in the audit trail, in the transaction that reads."""

from datetime import datetime

from gateway.domain.errors import Refused
from gateway.store import audit, clients, threads
from gateway.store.base import Work
from gateway.store.threads import Received, Said
from gateway.vault import Vault


def record(work: Work, vault: Vault, found: clients.Found) -> clients.Record:
    """All about one client. Numbers are to be masked: who wants to see them calls `reveal`."""
    audit.add(work, "client.show", "client", found.id, found.unit_id)
    return clients.read(work, vault, found.id)


def reveal(work: Work, vault: Vault, found: clients.Found, reason: str) -> clients.Record:
    """The same, with numbers that may be shown whole. Raises Refused without a reason."""
    if not reason.strip():
        raise Refused("--reveal takes the reason, which is logged")
    audit.add(work, "client.reveal", "client", found.id, found.unit_id,
              private=audit.private(work, vault, found.id, {"reason": reason.strip()}))  # fmt: skip
    return clients.read(work, vault, found.id)


def conversation(work: Work, vault: Vault, found: clients.Found, before: datetime, most: int) -> list[Said]:
    """The latest that was said with one client before a moment."""
    texts = threads.conversation(work, vault, found.id, before, most)
    audit.add(work, "client.conversation", "client", found.id, found.unit_id, {"texts": len(texts)})
    return texts


def inbox(work: Work, vault: Vault, found: clients.Found | None, most: int) -> list[Received]:
    """The latest texts that came in to the actor's units, or from one client."""
    texts = threads.inbox(work, vault, found.id if found else None, most)
    for client_id, unit_id in {(each.client_id, each.unit_id) for each in texts}:
        seen = [str(each.id) for each in texts if (each.client_id, each.unit_id) == (client_id, unit_id)]
        audit.add(work, "inbox.show", "client" if client_id else "unit", client_id or unit_id, unit_id, {"inbound": seen})
    return texts
