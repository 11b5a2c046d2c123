"""Read the audit trail; reading it is a deed as well, and so is taking it away as a file."""

from collections.abc import Iterator, Mapping

from gateway.domain.errors import Refused
from gateway.store import audit
from gateway.store.audit import Asked, Line
from gateway.store.base import Work
from gateway.vault import Vault

PAGE = 1000


def latest(work: Work, vault: Vault, asked: Asked, most: int, reason: str | None = None) -> list[Line]:
    """The latest rows of the actor's units. With a reason, which is kept, their values in the clear too."""
    _note(work, "audit.list", asked, reason)
    return audit.listed(work, asked, most, vault=vault if reason else None)


def every(work: Work, vault: Vault, asked: Asked, reason: str | None = None) -> Iterator[Line]:
    """All rows that are wanted, the newest first, page by page, to be taken away as a file."""
    _note(work, "audit.export", asked, reason)
    before = None
    while page := audit.listed(work, asked, PAGE, before, vault if reason else None):
        yield from page
        before = page[-1].id


def _note(work: Work, action: str, asked: Asked, reason: str | None) -> None:
    if reason is not None and not reason.strip():
        raise Refused("--reveal takes the reason, which is logged")
    assert work.actor.unit_id is not None
    detail: Mapping[str, object] = {**asked.given(), **({"reason": reason} if reason else {})}
    audit.add(work, action, "unit", work.actor.unit_id, work.actor.unit_id, detail)
