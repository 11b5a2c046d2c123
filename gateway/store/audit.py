"""Who did what to what, and why. Written in the transaction of the deed; never changed, by anybody.

What says something about a client (values before and after, reasons that staff typed) is ciphertext under the client's own
key: once they are erased nobody can read it, while the chain over it (`domain.trail`) can be verified as before.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain.trail import Entry, Seal
from gateway.store.base import Actor, Work
from gateway.vault import Vault


@dataclass(frozen=True, slots=True)
class Private:
    """Values about a client, under their key."""

    key_id: UUID
    values_id: UUID
    values_enc: bytes


_KEY = text("SELECT k.id, k.wrapped FROM clients c JOIN keys k ON k.id = c.key_id WHERE c.id = :id")


def private(work: Work, vault: Vault, client_id: UUID, values: Mapping[str, Any]) -> Private:
    """What `add` may keep about a client besides ids and codes: {"name": [before, after]}, {"reason": "..."}."""
    row = work.one(_KEY, id=client_id)
    assert row is not None
    values_id, said = uuid4(), json.dumps(dict(values), default=_as_json, ensure_ascii=False)
    return Private(row.id, values_id, vault.open_key(row.wrapped, row.id).encrypt(said, "audit.values", values_id))


def _as_json(value: Any) -> str:
    match value:
        case UUID():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be kept in the trail")


_ADD = text("""
  INSERT INTO audit (unit_id, staff_id, action, subject, subject_id, detail, client_id, at, key_id, values_id, values_enc)
  VALUES (:unit, :staff, :action, :subject, :id, CAST(:detail AS jsonb), :client, :now, :key_id, :values_id, :values_enc)""")


def add(
    work: Work, action: str, subject: str, subject_id: UUID | str, unit_id: UUID, detail: Mapping[str, Any] | None = None,
    by: Actor | None = None, client_id: UUID | None = None, private: Private | None = None,
) -> None:  # fmt: skip
    """Keep what was done: "client.show", "client", its id. `detail` holds ids and codes, no name, number or text.

    `client_id` is whom another subject is about (a flag, a text), so that all that was done about a client is found.
    `by` is who asked, where the transaction runs as the system for them (a stop reaches beyond the actor's units).
    """
    staff_id = (by or work.actor).staff_id
    work.execute(_ADD, {
        "unit": unit_id, "staff": staff_id, "action": action, "subject": subject, "id": str(subject_id),
        "detail": json.dumps(dict(detail or {}), default=str), "client": subject_id if subject == "client" else client_id, "now": work.now, "key_id": private and private.key_id,
        "values_id": private and private.values_id, "values_enc": private and private.values_enc,
    })  # fmt: skip


# --- reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows are wanted; None: any. `action` may end in a star: "client.*"."""

    since: datetime | None = None
    until: datetime | None = None
    staff_id: UUID | None = None
    unit_id: UUID | None = None  # and those below it
    client_id: UUID | None = None
    action: str | None = None

    def given(self) -> dict[str, Any]:
        """What was asked for, by name."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, slots=True)
class Line:
    """One row for a person to read. Codes are None where the actor does not see what they belong to."""

    id: int
    number: int | None  # None: not sealed yet
    at: datetime
    staff_id: UUID | None  # None: the system
    staff_code: str | None
    unit_id: UUID
    unit_code: str
    action: str
    subject: str
    subject_id: str
    client_code: str | None
    detail: Mapping[str, Any]
    has_values: bool
    values: Mapping[str, Any] | None  # None: there are none, they were not asked for, or they can no longer be read


_LISTED = text("""
  SELECT a.id, a.number, a.at, a.staff_id, s.code AS staff_code, a.unit_id, u.code AS unit_code, a.action, a.subject, a.subject_id,
    c.code AS client_code, a.detail, a.key_id, a.values_id, a.values_enc, k.wrapped
  FROM audit a JOIN units u ON u.id = a.unit_id LEFT JOIN staff s ON s.id = a.staff_id LEFT JOIN keys k ON k.id = a.key_id
    LEFT JOIN clients c ON c.id = a.client_id
  WHERE (CAST(:since AS timestamptz) IS NULL OR a.at >= :since) AND (CAST(:until AS timestamptz) IS NULL OR a.at < :until)
    AND (CAST(:staff AS uuid) IS NULL OR a.staff_id = :staff)
    AND (CAST(:unit AS uuid) IS NULL OR a.unit_id IN (SELECT unit_id FROM unit_tree WHERE ancestor_id = :unit))
    AND (CAST(:action AS text) IS NULL OR a.action = :action) AND (CAST(:like AS text) IS NULL OR a.action LIKE :like)
    AND (CAST(:client AS uuid) IS NULL OR a.client_id = :client)
    AND (CAST(:before AS bigint) IS NULL OR a.id < :before)
  ORDER BY a.id DESC LIMIT :most""")


def listed(work: Work, asked: Asked, most: int = 100, before: int | None = None, vault: Vault | None = None) -> list[Line]:
    """The latest rows of the actor's units, the newest first; `before` is the last id of the page before this one.

    Values are opened where a vault is given.
    """
    many = "*" in (asked.action or "")  # one is found by its index; which they are is for no index to say under the policies
    found = work.all(
        _LISTED, since=asked.since, until=asked.until, staff=asked.staff_id, unit=asked.unit_id, action=None if many else asked.action,
        like=_pattern(asked.action) if many else None, client=asked.client_id, before=before, most=most,
    )  # fmt: skip
    return [_line(row, vault) for row in found]


_OF = text("""
  SELECT a.at, s.code AS staff_code, a.staff_id, a.action, a.detail FROM audit a LEFT JOIN staff s ON s.id = a.staff_id
  WHERE a.subject_id = :id AND a.subject = :subject AND a.action <> ALL(:but) ORDER BY a.id DESC LIMIT :most""")


def of(work: Work, subject: str, subject_id: UUID, but: Sequence[str] = (), most: int = 50) -> Sequence[Any]:
    """The latest that was done to one thing, the newest first, without the actions in `but`."""
    return work.all(_OF, subject=subject, id=str(subject_id), but=list(but), most=most)


def _pattern(action: str | None) -> str | None:
    return action and action.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_").replace("*", "%")


def _line(row: Any, vault: Vault | None) -> Line:
    values = None
    if vault is not None and row.values_enc is not None and row.wrapped:  # a restored backup has keys that are empty
        values = json.loads(vault.open_key(row.wrapped, row.key_id).decrypt(row.values_enc, "audit.values", row.values_id))
    return Line(
        row.id, row.number, row.at, row.staff_id, row.staff_code, row.unit_id, row.unit_code, row.action, row.subject, row.subject_id,
        row.client_code, row.detail, row.values_enc is not None, values,
    )  # fmt: skip


# --- the chain ------------------------------------------------------------------------------------------------------

_ENTRY = "id, unit_id, staff_id, action, subject, subject_id, CAST(detail AS text) AS detail, client_id, at, key_id, values_id, values_enc"
_UNSEALED = text(f"SELECT {_ENTRY} FROM audit WHERE number IS NULL ORDER BY id LIMIT :most")
_NUMBER = text("""
  UPDATE audit a SET number = n.number FROM unnest(CAST(:ids AS bigint[]), CAST(:numbers AS bigint[])) n(id, number) WHERE a.id = n.id""")
_LAST = text("SELECT number, first, last, sealed_at, hash FROM audit_seals ORDER BY number DESC LIMIT 1")


def unsealed(work: Work, after: int, most: int) -> list[Entry]:
    """Committed rows that no seal covers, numbered on from `after` in the order of their ids. Nothing is written."""
    rows = work.all(_UNSEALED, most=most)
    return [_entry(row, number) for number, row in enumerate(rows, after + 1)]


def last_seal(work: Work) -> Seal | None:
    """The newest seal."""
    row = work.one(_LAST)
    return None if row is None else _seal(row)


def add_seal(work: Work, seal: Seal, entries: Sequence[Entry]) -> None:
    """Keep a seal, and the numbers of the rows it covers."""
    work.execute(_NUMBER, {"ids": [entry.id for entry in entries], "numbers": [entry.number for entry in entries]})
    work.insert("audit_seals", [{"number": seal.number, "first": seal.first, "last": seal.last, "sealed_at": seal.sealed_at, "hash": seal.hash}])


def has_seal(work: Work, hash: bytes) -> bool:
    """Whether a seal has this hash."""
    return bool(work.value(text("SELECT EXISTS (SELECT FROM audit_seals WHERE hash = :hash)"), hash=hash))


_SEALS = text("SELECT number, first, last, sealed_at, hash FROM audit_seals WHERE number > :after ORDER BY number LIMIT :most")
# By id too, and from the first of all: a row that was put in has whatever number it was given.
_NUMBERED = text(f"""
  SELECT number, {_ENTRY} FROM audit WHERE number IS NOT NULL AND (number, id) > (:number, :id) ORDER BY number, id LIMIT :most""")
_LEAST = -(2**63)


def seals(work: Work, at_once: int = 5000) -> Iterator[Seal]:
    """All seals in order, read page by page."""
    after = _LEAST
    while page := work.all(_SEALS, after=after, most=at_once):
        yield from map(_seal, page)
        after = page[-1].number


def numbered(work: Work, at_once: int = 5000) -> Iterator[Entry]:
    """All rows that have a number, in the order of their numbers, read page by page."""
    number = row_id = _LEAST
    while page := work.all(_NUMBERED, number=number, id=row_id, most=at_once):
        yield from (_entry(row, row.number) for row in page)
        number, row_id = page[-1].number, page[-1].id


_WAITING = text("SELECT count(*) AS many, min(at) AS since FROM audit WHERE number IS NULL")


def waiting(work: Work) -> tuple[int, datetime | None]:
    """How many rows no seal covers yet, and since when the oldest of them waits."""
    row = work.one(_WAITING)
    assert row is not None
    return row.many, row.since


def _entry(row: Any, number: int) -> Entry:
    values = None if row.values_enc is None else bytes(row.values_enc)
    return Entry(number, row.id, row.unit_id, row.staff_id, row.action, row.subject, row.subject_id, row.detail, row.client_id, row.at, row.key_id,
                 row.values_id, values)  # fmt: skip


def _seal(row: Any) -> Seal:
    return Seal(row.number, row.first, row.last, row.sealed_at, bytes(row.hash))
