"""The actor's clients as a table that a spreadsheet takes, with the headings that an import knows."""

from collections.abc import Iterator

from gateway.domain.errors import Refused
from gateway.store import audit, clients, consents, staff
from gateway.store.base import Work
from gateway.store.clients import Wanted
from gateway.vault import Vault

HEADINGS = (
    "code", "name", "phone", "phone 2", "unit", "language", "hours from", "hours to", "discreet level", "status", "group", "worker",
    "opted out", *(f"consent {purpose.replace('_', ' ')}" for purpose in consents.PURPOSES),
)  # fmt: skip
AT_ONCE = 500


def begin(work: Work, wanted: Wanted, reason: str) -> None:
    """Write down that clients are taken away as a file, and why. Raises Refused without a reason."""
    assert work.actor.unit_id is not None
    if not reason.strip():
        raise Refused("an export takes its reason, which is written down")
    detail = {name: value for name in wanted.__slots__ if (value := getattr(wanted, name)) is not None}
    audit.add(work, "client.export", "unit", work.actor.unit_id, work.actor.unit_id, {**detail, "reason": reason.strip()[:200]})


def rows(work: Work, vault: Vault, wanted: Wanted) -> Iterator[list[str]]:
    """A row for each client, by code."""
    workers, after = {id_: code for code, id_ in staff.codes(work).items()}, ""
    while found := clients.page(work, wanted, AT_ONCE, after):
        for each in found:
            yield _row(work, vault, each, workers.get(each.worker_id) if each.worker_id else None)
        after = found[-1].code


def _row(work: Work, vault: Vault, found: clients.Found, worker: str | None) -> list[str]:
    record = clients.read(work, vault, found.id)
    phones = [*(each.e164 for each in record.phones), "", ""]
    agreed = {each.purpose: f"yes ({each.basis})" if each.granted else "no" for each in consents.current(work, found.id)}
    stopped = consents.stopped(work, clients.phone_hashes(work, found.id))
    hours = (f"{record.hours.opens:%H:%M}", f"{record.hours.closes:%H:%M}") if record.hours else ("", "")
    return [
        found.code, record.name, phones[0], phones[1], found.unit_code, found.language, *hours, str(found.discreet), found.status,
        ", ".join(found.groups), worker or "", "yes" if stopped else "", *(agreed.get(purpose, "") for purpose in consents.PURPOSES),
    ]  # fmt: skip
