"""One entry of the directory: added, corrected, checked, or gone."""

from collections.abc import Iterable, Mapping
from datetime import date

from gateway.content import Content
from gateway.domain import cells, service_rows, services
from gateway.domain.errors import NotAllowed, Refused
from gateway.domain.service_rows import Rejected, Row
from gateway.store import audit, units
from gateway.store import services as rows
from gateway.store.base import Work
from gateway.store.services import Entry
from gateway.usecases.import_services import Keeper

FIELDS = ("category", "name", "short_name", "units", "languages", "address", "hours", "phone", "who", "cost")
"""What is typed of an entry, beside its code."""


def typed(entry: Entry) -> dict[str, str]:
    """The entry's fields as they would be typed."""
    s = entry.service
    return {
        "code": s.code, "category": s.category, "name": s.name, "short_name": s.short_name, "units": "; ".join(entry.units),
        "languages": ", ".join(s.languages), "address": s.address, "hours": str(s.hours or ""), "phone": s.phone, "who": s.who, "cost": s.cost,
    }  # fmt: skip


def add(work: Work, content: Content, fields: Mapping[str, str]) -> Entry:
    """Add a service that the actor checked today. Raises Refused with what is wrong."""
    keeper = Keeper(work, content)
    row = _read(keeper, fields, keeper.today)
    if rows.by_codes(work, [row.code]):
        raise Refused("there is a service {code!r} already: change that one", code=row.code)
    keeper.keep(row, None)
    entry = rows.by_code(work, row.code)
    _audit(work, "service.add", entry)
    return entry


def save(work: Work, content: Content, entry: Entry, fields: Mapping[str, str]) -> None:
    """Correct an entry; when it was checked stays. Raises Refused with what is wrong, or when another unit keeps it."""
    keeper = Keeper(work, content)
    row = _read(keeper, {**fields, "code": entry.service.code}, entry.service.checked_on, entry.checked_by or "")
    if keeper.keep(row, entry) == "updated":
        _audit(work, "service.change", entry)


def _read(keeper: Keeper, fields: Mapping[str, str], checked_on: date | None, by: str = "") -> Row:
    clean = {name: cells.clean(fields.get(name, "")) for name in ("code", *FIELDS)}
    checked = {"checked_on": checked_on.isoformat() if checked_on else "", "checked_by": by}
    row = service_rows.check({**clean, **checked}, keeper.today, keeper.forbidden)
    if isinstance(row, Rejected):
        raise Refused("the service was not kept:", *row.reasons)
    return row


def check(work: Work, entry: Entry, today: date, gone: bool) -> None:
    """The actor looked today: all of it still holds, or it is gone. Raises NotAllowed when another unit keeps it."""
    if not rows.check(work, entry.service.id, today, work.actor.staff_id, gone):
        raise NotAllowed("service {code!r} is kept by another unit: ask its staff to check it", code=entry.service.code)
    _audit(work, "service.gone" if gone else "service.check", entry)


def due(entries: Iterable[Entry], today: date) -> list[Entry]:
    """Those of the entries that nobody has checked for six months, the longest ago first."""
    found = [each for each in entries if each.gone_on is None and services.is_due(each.service.checked_on, today)]
    return sorted(found, key=lambda each: (each.service.checked_on or date.min, each.service.code))


def may_change(work: Work, entry: Entry) -> bool:
    """Whether the actor's units keep it."""
    return units.is_seen(work, entry.unit_id)


def _audit(work: Work, action: str, entry: Entry) -> None:
    audit.add(work, action, "service", entry.service.id, entry.unit_id, {"code": entry.service.code})
