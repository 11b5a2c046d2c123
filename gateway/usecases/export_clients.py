"""The actor's clients as a table that a spreadsheet takes, with the headings that an import knows.

It holds names and numbers: the clock writes it for whoever asked, they alone take it away, and within an hour it is gone.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from gateway.domain.errors import NotAllowed, Refused
from gateway.store import audit, clients, consents, exports, staff
from gateway.store.base import SYSTEM, Work, unit_of_work
from gateway.store.clients import Wanted
from gateway.store.exports import Details, Next
from gateway.usecases import asked, sheets
from gateway.vault import Vault

MAY_EXPORT = frozenset({"case_worker", "supervisor", "administrator"})
HEADINGS = (
    "code", "name", "phone", "phone 2", "unit", "language", "hours from", "hours to", "discreet level", "status", "group", "worker",
    "opted out", *(f"consent {purpose.replace('_', ' ')}" for purpose in consents.PURPOSES),
)  # fmt: skip
AT_ONCE = 500


def ask(work: Work, wanted: Wanted, reason: str) -> None:
    """Have it written for the actor, and write down why. Raises Refused without a reason."""
    assert work.actor.unit_id is not None
    if not reason.strip():
        raise Refused("an export takes its reason, which is written down")
    chosen = {name: value for name in wanted.__slots__ if (value := getattr(wanted, name)) is not None}
    exports.ask(work, chosen)
    audit.add(work, "client.export", "unit", work.actor.unit_id, work.actor.unit_id, {**chosen, "reason": reason.strip()[:200]})


def take(work: Work, vault: Vault) -> str | None:
    """The actor's file, if it is there, which is written down each time."""
    assert work.actor.unit_id is not None
    file = exports.read(work, vault)
    if file is not None:
        audit.add(work, "client.download", "unit", work.actor.unit_id, work.actor.unit_id)
    return file


def write_next(engine: Engine, vault: Vault, now: datetime | None = None, at_once: int = AT_ONCE) -> int:
    """Write the file that was asked for first; 0 when there is none. Killed in between it is written again from the beginning."""
    with unit_of_work(engine, SYSTEM, now) as work:
        exports.forget(work)
        following = exports.next_asked(work)
    if following is None:
        return 0
    file, refused = asked.come_to(lambda: _write(engine, vault, following, at_once), "export_failed", staff=following.actor.staff_id)
    with unit_of_work(engine, SYSTEM, now) as work:
        exports.settle(work, vault, following, file, refused)
    return 1


def _write(engine: Engine, vault: Vault, following: Next, at_once: int) -> str:
    """As whoever asked, some hundred clients in each transaction: what is taken from them meanwhile is not in it."""
    if not following.active or following.actor.role not in MAY_EXPORT:
        raise NotAllowed("whoever asked for this may not any more")
    return "".join(sheets.lines(HEADINGS, _rows(engine, vault, following, at_once)))


def _rows(engine: Engine, vault: Vault, following: Next, at_once: int) -> Iterator[list[str]]:
    """A row for each client, by code."""
    chosen: dict[str, Any] = {name: UUID(value) if name.endswith("_id") else value for name, value in following.wanted.items()}
    wanted = Wanted(**chosen)
    with unit_of_work(engine, following.actor) as work:
        workers, of_all = {id_: code for code, id_ in staff.codes(work).items()}, clients.count(work, wanted)
    after, seen = "", 0
    while True:
        with unit_of_work(engine, following.actor) as work:
            found = clients.page(work, wanted, at_once, after)
            details = exports.details(work, vault, [each.id for each in found])
        if not found:
            return
        yield from (_row(each, details[each.id], workers.get(each.worker_id, "") if each.worker_id else "") for each in found if each.id in details)
        after, seen = found[-1].code, seen + len(found)
        with unit_of_work(engine, SYSTEM) as work:
            exports.progress(work, following, seen, of_all)


def _row(found: clients.Found, details: Details, worker: str) -> list[str]:
    phones = [*details.phones, "", ""]
    return [
        found.code, details.name, phones[0], phones[1], found.unit_code, found.language, details.opens, details.closes, str(found.discreet),
        found.status, ", ".join(found.groups), worker, "yes" if details.stopped else "",
        *(details.agreed.get(purpose, "") for purpose in consents.PURPOSES),
    ]  # fmt: skip
