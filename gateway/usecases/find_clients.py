"""Find clients by whatever staff have at hand: a phone however it is written, its last digits, a code, words of a name."""

from gateway.domain import phone
from gateway.domain.errors import NotFound, Refused
from gateway.store import audit, clients, units
from gateway.store.base import Work
from gateway.store.clients import Found
from gateway.vault import Vault


def find(work: Work, vault: Vault, wanted: str) -> list[Found]:
    """Clients of the actor's units; who was found is in the trail, what was typed is not."""
    assert work.actor.unit_id is not None
    found = {each.id: each for each in (*_by_code(work, wanted), *_by_phone(work, vault, wanted), *clients.search(work, vault, wanted))}
    audit.add(work, "client.search", "unit", work.actor.unit_id, work.actor.unit_id, {"found": [str(each) for each in found]})
    return list(found.values())


def _by_code(work: Work, wanted: str) -> list[Found]:
    try:
        return [clients.by_code(work, wanted.strip())]
    except NotFound:
        return []


def _by_phone(work: Work, vault: Vault, wanted: str) -> list[Found]:
    """As somebody of the actor's unit would write a number."""
    assert work.actor.unit_id is not None
    if sum(c.isdigit() for c in wanted) < 6:
        return []
    try:
        e164 = phone.parse(wanted, units.get(work, work.actor.unit_id).region).e164
    except Refused:
        return []
    return clients.by_phone_hash(work, vault.hash_phone(e164))
