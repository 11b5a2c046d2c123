"""The chain over the audit trail: seals, each over the one before it and a run of rows, and what shows that any of it was changed."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from gateway.domain.told import N_

ROOT = bytes(32)
"""What stands before the first seal."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the trail as it is kept: values are ciphertext, `detail` is PostgreSQL's own text of it."""

    number: int
    id: int
    unit_id: UUID
    staff_id: UUID | None
    action: str
    subject: str
    subject_id: str
    detail: str
    client_id: UUID | None
    at: datetime
    key_id: UUID | None
    values_id: UUID | None
    values_enc: bytes | None


@dataclass(frozen=True, slots=True)
class Seal:
    """The `number`-th seal, over the rows numbered `first` to `last`."""

    number: int
    first: int
    last: int
    sealed_at: datetime
    hash: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing in the trail that is not as it was sealed. `what` is English, with places for the numbers."""

    what: str
    seal: int
    first: int
    last: int


MISSING = N_("row {first} is missing from seal {seal}")
TWICE = N_("row {first} is in the trail twice")
CHANGED = N_("seal {seal} does not fit its rows, {first} to {last}: one of them, or the seal, was changed")
GAP = N_("seal {seal} does not follow the one before it: a seal was taken out, added or changed")
UNSEALED = N_("row {first} has a number, yet no seal covers it: a seal was taken out, or the row put in")


def seal(number: int, previous: bytes, entries: Sequence[Entry], sealed_at: datetime) -> Seal:
    """The seal that follows the one with the hash `previous`, over these rows in order."""
    first, last = entries[0].number, entries[-1].number
    return Seal(number, first, last, sealed_at, _hash(previous, number, first, last, sealed_at, entries))


def first_fault(seals: Iterable[Seal], entries: Iterable[Entry]) -> Fault | None:
    """The first thing that is not as it was sealed; None when all is.

    `seals` come by number, `entries` (those with a number) by theirs. What was cut off the end, seals and rows, is not to be
    seen from the rest: the hash of the last seal, kept elsewhere, shows it.
    """
    rows = iter(entries)
    previous, expected, at = ROOT, 1, 0
    for each in seals:
        at += 1
        if (each.number, each.first) != (at, expected) or each.last < each.first:
            return Fault(GAP, at, each.first, each.last)
        found: list[Entry] = []
        for number in range(each.first, each.last + 1):
            entry = next(rows, None)
            if entry is None or entry.number > number:
                return Fault(MISSING, at, number, number)
            if entry.number < number:
                return Fault(TWICE, at, entry.number, entry.number)
            found.append(entry)
        if _hash(previous, each.number, each.first, each.last, each.sealed_at, found) != each.hash:
            return Fault(CHANGED, at, each.first, each.last)
        previous, expected = each.hash, each.last + 1
    left = next(rows, None)
    if left is None:
        return None
    return Fault(TWICE if left.number < expected else UNSEALED, at, left.number, left.number)


def _hash(previous: bytes, number: int, first: int, last: int, sealed_at: datetime, entries: Iterable[Entry]) -> bytes:
    """SHA-256 over the hash before, a line for the seal, and a line for each row: JSON, so that no two contents write the same."""
    whole = hashlib.sha256(previous)
    whole.update(_line([number, first, last, _instant(sealed_at)]))
    for entry in entries:
        whole.update(_line([
            entry.number, entry.id, str(entry.unit_id), _text(entry.staff_id), entry.action, entry.subject, entry.subject_id,
            entry.detail, _text(entry.client_id), _instant(entry.at), _text(entry.key_id), _text(entry.values_id),
            None if entry.values_enc is None else entry.values_enc.hex(),
        ]))  # fmt: skip
    return whole.digest()


def _line(values: Sequence[object]) -> bytes:
    return json.dumps(values, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
