"""Clients: the people reached. Names, phones and own fields are ciphertext; they are found by keyed hashes."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain import segments, windows
from gateway.domain.errors import NotFound, Refused
from gateway.domain.phone import Phone
from gateway.domain.windows import Window
from gateway.store import units
from gateway.store.base import Work
from gateway.store.units import Clock
from gateway.vault import DataKey, Vault


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a text goes to, with what its wording depends on. `zone` and `tones` are the unit's where the client has none."""

    id: UUID
    unit_id: UUID
    key_id: UUID
    key: DataKey
    name: str
    phone: str | None  # the one we text
    language: str
    unit_language: str
    zone: str
    tones: str
    discreet: int
    status: str
    details: Mapping[str, Any]  # of the unit
    unit_clock: Clock
    to_verify: bool = False  # whether a person is to ask first whose phone it is


@dataclass(frozen=True, slots=True)
class Found:
    """A client without anything personal: enough to act on, and to list."""

    id: UUID
    unit_id: UUID
    code: str
    language: str
    status: str
    status_reason: str | None
    discreet: int
    groups: Sequence[str]
    worker_id: UUID | None
    last_inbound_at: datetime | None
    zone: str
    unit_code: str


@dataclass(frozen=True, slots=True)
class Number:
    """One phone of a client; `to_verify` says why a person should ask whether it is still theirs."""

    e164: str
    to_verify: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """All that is kept about a client, in the clear."""

    found: Found
    name: str
    phones: Sequence[Number]
    fields: Mapping[str, str]
    hours: Window | None
    time_zone: str | None
    tones: str | None
    texts_a_day: int | None = None  # of our own accord, at most; None: as the unit
    texts_a_week: int | None = None


@dataclass(frozen=True, slots=True)
class New:
    """A client to be kept."""

    unit_id: UUID
    code: str
    name: str
    phones: Sequence[Phone]
    language: str
    time_zone: str | None = None
    hours: Window | None = None
    tones: str | None = None
    discreet: int = 1
    groups: Sequence[str] = ()
    worker_id: UUID | None = None
    texts_a_day: int | None = None
    texts_a_week: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    id: UUID = field(default_factory=uuid4)


def add(work: Work, vault: Vault, new: New) -> UUID:
    """Keep a client with a data key of their own. Raises Refused when the code is taken (in whatever unit)."""
    key_id = uuid4()
    key, wrapped = vault.new_key(key_id)
    work.insert("keys", [{"id": key_id, "unit_id": new.unit_id, "wrapped": wrapped}])
    added = work.insert("clients", [client_row(new, key_id, key, work.now)], "ON CONFLICT (code) DO NOTHING")
    if not added:
        raise Refused("there is a client {code!r} already (perhaps in another unit): nothing was changed", code=new.code)
    _insert_phones(work, vault, new.id, new.unit_id, key, new.phones)
    _insert_words(work, vault, new.id, new.unit_id, new.name, [phone.e164 for phone in new.phones])
    return new.id


def client_row(new: New, key_id: UUID, key: DataKey, now: datetime) -> dict[str, Any]:
    """The row of `clients`, encrypted."""
    return {
        "id": new.id, "unit_id": new.unit_id, "key_id": key_id, "code": new.code,
        "name_enc": key.encrypt(new.name, "clients.name", new.id), "fields_enc": seal_fields(new.fields, key, new.id),
        "language": new.language, "time_zone": new.time_zone, "opens": new.hours.opens if new.hours else None,
        "closes": new.hours.closes if new.hours else None, "tones": new.tones, "discreet": new.discreet,
        "groups": list(new.groups), "worker_id": new.worker_id, "texts_a_day": new.texts_a_day, "texts_a_week": new.texts_a_week,
        "created_at": now, "updated_at": now,
    }  # fmt: skip


def seal_fields(fields: Mapping[str, str], key: DataKey, client_id: UUID) -> bytes | None:
    """A client's own fields, encrypted; None when there are none."""
    return key.encrypt(json.dumps(dict(fields)), "clients.fields", client_id) if fields else None


def phone_rows(vault: Vault, client_id: UUID, unit_id: UUID, key: DataKey, phones: Iterable[Phone]) -> list[dict[str, Any]]:
    """The rows of `phones`; the first is the one we text."""
    rows = []
    for rank, phone in enumerate(phones):
        phone_id = uuid4()
        rows.append({
            "id": phone_id, "client_id": client_id, "unit_id": unit_id, "rank": rank,
            "phone_enc": key.encrypt(phone.e164, "phones.phone", phone_id), "phone_hash": vault.hash_phone(phone.e164),
            "to_verify": phone.changed,
        })  # fmt: skip
    return rows


def search_words(name: str, phones: Iterable[str]) -> set[str]:
    """What a client is found by: each word of the name without tones, the last four digits of each phone."""
    return {*words(name), *(phone[-4:] for phone in phones)}


def words(name: str) -> list[str]:
    """The words of a name in small letters without tones."""
    return re.findall(r"\w+", segments.fold(name).casefold())


def _insert_phones(work: Work, vault: Vault, client_id: UUID, unit_id: UUID, key: DataKey, phones: Iterable[Phone]) -> None:
    for row in phone_rows(vault, client_id, unit_id, key, phones):
        work.insert("phones", [row | {"verified_at": work.now}])  # whoever gives a number has asked for it


def _insert_words(work: Work, vault: Vault, client_id: UUID, unit_id: UUID, name: str, phones: Iterable[str]) -> None:
    for word in search_words(name, phones):
        work.insert("client_words", [{"client_id": client_id, "unit_id": unit_id, "word_hash": vault.hash_word(word)}])


# --- reading --------------------------------------------------------------------------------------------------------

_FOUND = """c.id, c.unit_id, c.code, c.language, c.status, c.status_reason, c.discreet, c.groups, c.worker_id,
  (SELECT max(i.received_at) FROM inbound i WHERE i.client_id = c.id) AS last_inbound_at,
  coalesce(c.time_zone, u.time_zone) AS zone, u.time_zone AS unit_zone, u.code AS unit_code"""
_FROM = "FROM clients c JOIN units u ON u.id = c.unit_id"
_BY_CODE = text(f"SELECT {_FOUND} {_FROM} WHERE c.code = :code")


def _found(row: Any) -> Found:
    said = dict(row._asdict())
    return Found(**said | {"zone": _zone(row.zone, said.pop("unit_zone"))})


@lru_cache(maxsize=1024)
def _zone(own: str, of_unit: str) -> str:
    """Theirs, or the unit's where theirs does not exist."""
    return of_unit if windows.zone_or(own, of_unit)[1] else own


def by_code(work: Work, code: str) -> Found:
    """The client of this code. Raises NotFound, for one of another unit too."""
    row = work.one(_BY_CODE, code=code)
    if row is None:
        raise NotFound(
            "no client {code!r} in your units: `python -m gateway client search` finds them by name or number", code=code
        )
    return _found(row)


_BY_ID = text(f"SELECT {_FOUND} {_FROM} WHERE c.id = :id")


def get(work: Work, client_id: UUID) -> Found:
    """The client. Raises NotFound."""
    row = work.one(_BY_ID, id=client_id)
    if row is None:
        raise NotFound("no such client in your units")
    return _found(row)


_PRIVATE = text("""
  SELECT c.key_id, k.wrapped, c.name_enc, c.fields_enc, c.opens, c.closes, c.time_zone, c.tones, c.texts_a_day, c.texts_a_week
  FROM clients c JOIN keys k ON k.id = c.key_id WHERE c.id = :id""")
_PHONES = text("SELECT id, phone_enc, to_verify FROM phones WHERE client_id = :id ORDER BY rank")


def read(work: Work, vault: Vault, client_id: UUID) -> Record:
    """All about a client, in the clear. Every call that a person sees the result of is to be audited."""
    found = get(work, client_id)
    row = work.one(_PRIVATE, id=client_id)
    assert row is not None
    key = vault.open_key(row.wrapped, row.key_id)
    phones = [
        Number(key.decrypt(p.phone_enc, "phones.phone", p.id), p.to_verify) for p in work.all(_PHONES, id=client_id)
    ]
    fields = json.loads(key.decrypt(row.fields_enc, "clients.fields", client_id)) if row.fields_enc else {}
    hours = Window(row.opens, row.closes) if row.opens is not None and row.closes is not None else None
    name = key.decrypt(row.name_enc, "clients.name", client_id)
    return Record(found, name, phones, fields, hours, row.time_zone, row.tones, row.texts_a_day, row.texts_a_week)


_PEOPLE = f"""
  SELECT c.id, c.unit_id, c.key_id, k.wrapped, c.name_enc, p.id AS phone_id, p.phone_enc, c.language, u.language AS unit_language,
    coalesce(c.time_zone, u.time_zone) AS zone, coalesce(c.tones, u.tones) AS tones, c.discreet, c.status,
    {units.KNOWN} AS details, u.opens, u.closes, u.time_zone, p.to_verify
  FROM clients c JOIN keys k ON k.id = c.key_id JOIN units u ON u.id = c.unit_id
    LEFT JOIN phones p ON p.client_id = c.id AND p.rank = 0"""
_RECIPIENTS = text(f"{_PEOPLE} WHERE c.id = ANY(:ids)")
# Everyone on each of the phones who is not closed.
ON_PHONES = text(f"""
  SELECT q.phone, found.* FROM unnest(CAST(:phones AS bytea[])) q(phone), LATERAL (
    {_PEOPLE} WHERE c.id IN (SELECT client_id FROM phones WHERE phone_hash = q.phone) AND c.status <> 'closed') found
  ORDER BY found.id""")


def recipients(work: Work, vault: Vault, client_ids: Iterable[UUID]) -> dict[UUID, Person]:
    """Many clients at once, as those who write texts need them. Ids that are not the actor's to see are left out."""
    return {client_id: as_person(row, vault) for client_id, row in sealed(work, client_ids).items()}


def sealed(work: Work, client_ids: Iterable[UUID]) -> dict[UUID, Any]:
    """The same as rows, which `as_person` opens one by one: name and number are read of nobody who is not texted."""
    return {row.id: row for row in work.all(_RECIPIENTS, ids=list(client_ids))}


def as_person(row: Any, vault: Vault) -> Person:
    """A row of ON_PHONES or `sealed`, opened."""
    key = vault.open_key(row.wrapped, row.key_id)
    return Person(
        row.id, row.unit_id, row.key_id, key, key.decrypt(row.name_enc, "clients.name", row.id),
        key.decrypt(row.phone_enc, "phones.phone", row.phone_id) if row.phone_id else None, row.language,
        row.unit_language, _zone(row.zone, row.time_zone), row.tones, row.discreet, row.status, row.details, clock_of(row),
        row.to_verify is not None,
    )  # fmt: skip


def clock_of(row: Any) -> Clock:
    """The hours of such a client's unit."""
    return Clock(Window(row.opens, row.closes) if row.opens is not None and row.closes is not None else None, row.time_zone)


def may_be_texted(row: Any) -> bool:
    """Whether such a client has a number that nobody doubts."""
    return row.phone_id is not None and row.to_verify is None


_BY_PHONE = text(f"""
  SELECT {_FOUND} {_FROM} WHERE c.id IN (SELECT client_id FROM phones WHERE phone_hash = :phone) ORDER BY c.id""")


def by_phone_hash(work: Work, phone_hash: bytes) -> list[Found]:
    """Everyone on this phone; it may be shared."""
    return [_found(row) for row in work.all(_BY_PHONE, phone=phone_hash)]


def phone_hashes(work: Work, client_id: UUID) -> list[bytes]:
    """The hashes of a client's phones, the one we text first."""
    rows = work.all(text("SELECT phone_hash FROM phones WHERE client_id = :id ORDER BY rank"), id=client_id)
    return [bytes(row.phone_hash) for row in rows]


# Begins with the word that fewest have: four of ten people in a province may share a family name.
_SEARCH = text(f"""
  WITH asked AS (
    SELECT hash, (SELECT count(*) FROM (SELECT FROM client_words WHERE word_hash = hash LIMIT 1000) x) AS people
    FROM unnest(CAST(:hashes AS bytea[])) hash)
  SELECT {_FOUND} {_FROM} WHERE c.id IN (
    SELECT w.client_id FROM client_words w WHERE w.word_hash = (SELECT hash FROM asked ORDER BY people, hash LIMIT 1) AND NOT EXISTS (
      SELECT FROM asked a WHERE NOT EXISTS (SELECT FROM client_words o WHERE o.word_hash = a.hash AND o.client_id = w.client_id)) LIMIT 100)
  ORDER BY c.code""")


def search(work: Work, vault: Vault, wanted: str) -> list[Found]:
    """Clients whose name holds every word given, or whose phone ends in the four digits given; at most 100."""
    hashes = {vault.hash_word(word) for word in words(wanted)}
    return [_found(row) for row in work.all(_SEARCH, hashes=list(hashes))] if hashes else []


_LIST = text(f"""
  SELECT {_FOUND} {_FROM}
  WHERE (CAST(:status AS text) IS NULL OR c.status = :status) AND (CAST(:grp AS text) IS NULL OR :grp = ANY(c.groups))
    AND (CAST(:unit AS uuid) IS NULL OR c.unit_id IN (SELECT unit_id FROM unit_tree WHERE ancestor_id = :unit))
    AND (NOT :to_verify OR EXISTS (SELECT FROM phones p WHERE p.client_id = c.id AND p.to_verify IS NOT NULL))
  ORDER BY c.code LIMIT :most""")


def list_seen(
    work: Work, *, unit_id: UUID | None = None, status: str | None = None, group: str | None = None, to_verify: bool = False,
    most: int = 100,
) -> list[Found]:  # fmt: skip
    """The actor's clients by code: of a unit and those below it, a status, a group, with a phone to be verified."""
    return [_found(row) for row in work.all(
        _LIST, unit=unit_id, status=status, grp=group, to_verify=to_verify, most=most)]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which clients a list shows; None: any."""

    unit_id: UUID | None = None  # and those below it
    status: str | None = None
    language: str | None = None
    group: str | None = None
    consent: str | None = None  # a purpose that they agreed to
    worker_id: UUID | None = None
    to_verify: bool | None = None  # True: has a phone to be verified


_NARROWER = {
    "unit_id": "c.unit_id IN (SELECT unit_id FROM unit_tree WHERE ancestor_id = :unit_id)", "status": "c.status = :status",
    "language": "c.language = :language", "group": ":group = ANY(c.groups)", "worker_id": "c.worker_id = :worker_id",
    "consent": "EXISTS (SELECT FROM consents k WHERE k.client_id = c.id AND k.purpose = :consent AND k.granted)",
    "to_verify": "c.id IN (SELECT p.client_id FROM phones p WHERE p.to_verify IS NOT NULL)",
}  # fmt: skip


def page(work: Work, wanted: Wanted, most: int, after: str = "") -> list[Found]:
    """The actor's clients that are wanted, by code, those after this one."""
    where, given = _narrower(wanted)
    if few := units.few_seen(work):  # found by their unit, and not by going through all codes of a province
        where, given = f"{where} AND c.unit_id = ANY(:few)", given | {"few": few}
    sql = text(f"SELECT {_FOUND} {_FROM} WHERE c.code > :after{where} ORDER BY c.code LIMIT :most")
    return [_found(row) for row in work.all(sql, after=after, most=most, **given)]


def count(work: Work, wanted: Wanted) -> int:
    """How many of the actor's clients are wanted."""
    where, given = _narrower(wanted)
    found: int = work.value(text(f"SELECT count(*) FROM clients c WHERE true{where}"), **given)
    return found


def _narrower(wanted: Wanted) -> tuple[str, dict[str, Any]]:
    given = {name: value for name in _NARROWER if (value := getattr(wanted, name)) is not None}
    return "".join(f" AND {_NARROWER[name]}" for name in given), given


# From the names that their units know: whether anybody is in it still ends with the first such client, and nobody else is read.
_GROUPS = text("""
  SELECT n.name FROM (SELECT DISTINCT name FROM unit_groups) n
  WHERE (SELECT true FROM unit_groups g, LATERAL (
      SELECT FROM clients c WHERE c.unit_id = g.unit_id AND n.name = ANY(c.groups) LIMIT 1) c
    WHERE g.name = n.name LIMIT 1)
  ORDER BY 1 LIMIT 200""")


def groups(work: Work) -> list[str]:
    """The groups that the actor's clients are in."""
    return [row.name for row in work.all(_GROUPS)]


# --- changing -------------------------------------------------------------------------------------------------------


_LOCK_ON_PHONE = text("""
  SELECT id FROM clients WHERE id IN (SELECT client_id FROM phones WHERE phone_hash = :phone) ORDER BY id FOR NO KEY UPDATE""")


def lock_on_phone(work: Work, phone_hash: bytes) -> None:
    """Take the rows of everyone on a phone until the transaction ends: no text to them is claimed meanwhile."""
    work.execute(_LOCK_ON_PHONE, {"phone": phone_hash})


def lock(work: Work, client_ids: Iterable[UUID]) -> None:
    """Take the clients' rows until the transaction ends, in one order: what is decided next holds against senders and planners."""
    work.execute(text("SELECT id FROM clients WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE"), {"ids": sorted(set(client_ids))})


_KEY = text("SELECT c.key_id, c.unit_id, k.wrapped FROM clients c JOIN keys k ON k.id = c.key_id WHERE c.id = :id")
_COLUMNS = frozenset({"language", "time_zone", "tones", "discreet", "groups", "worker_id", "texts_a_day", "texts_a_week"})


def edit(work: Work, vault: Vault, client_id: UUID, changes: Mapping[str, Any]) -> None:
    """Write what is in `changes`: plain columns, and `hours`, `name`, `fields` (the whole of them), `phones` (all of them)."""
    row = work.one(_KEY, id=client_id)
    if row is None:
        raise NotFound("no such client in your units")
    key = vault.open_key(row.wrapped, row.key_id)
    values = {name: value for name, value in changes.items() if name in _COLUMNS}
    if "hours" in changes:
        hours = changes["hours"]
        values |= {"opens": hours.opens if hours else None, "closes": hours.closes if hours else None}
    if "name" in changes:
        values["name_enc"] = key.encrypt(changes["name"], "clients.name", client_id)
    if "fields" in changes:
        values["fields_enc"] = seal_fields(changes["fields"], key, client_id)
    sets = "".join(f"{column} = :{column}, " for column in values)
    work.execute(text(f"UPDATE clients SET {sets}updated_at = :now WHERE id = :id"), values | {"now": work.now, "id": client_id})
    if "phones" in changes:
        work.execute(text("DELETE FROM phones WHERE client_id = :id"), {"id": client_id})
        _insert_phones(work, vault, client_id, row.unit_id, key, changes["phones"])
    if "name" in changes or "phones" in changes:
        _refresh_words(work, vault, client_id, row.unit_id)


def _refresh_words(work: Work, vault: Vault, client_id: UUID, unit_id: UUID) -> None:
    record = read(work, vault, client_id)
    work.execute(text("DELETE FROM client_words WHERE client_id = :id"), {"id": client_id})
    _insert_words(work, vault, client_id, unit_id, record.name, [number.e164 for number in record.phones])


def changed_at(work: Work, client_id: UUID) -> datetime:
    """When the client was changed last: what a form was made from."""
    at: datetime = work.value(text("SELECT updated_at FROM clients WHERE id = :id"), id=client_id)
    return at


def set_language(work: Work, client_id: UUID, language: str) -> None:
    """Texts to this client are in `language` from now on."""
    work.execute(
        text("UPDATE clients SET language = :language, updated_at = :now WHERE id = :id"),
        {"id": client_id, "language": language, "now": work.now},
    )


def set_groups(work: Work, client_id: UUID, groups: Sequence[str]) -> None:
    """The groups a client is in, all of them."""
    work.execute(text("UPDATE clients SET groups = :groups, updated_at = :now WHERE id = :id"),
                 {"id": client_id, "groups": list(groups), "now": work.now})  # fmt: skip


def set_status(work: Work, client_id: UUID, status: str, reason: str | None) -> None:
    """active, paused (nothing is sent meanwhile) or closed, with the reason."""
    work.execute(
        text("UPDATE clients SET status = :status, status_reason = :reason, updated_at = :now WHERE id = :id"),
        {"id": client_id, "status": status, "reason": reason, "now": work.now},
    )


_CLASH = text("""
  SELECT EXISTS (SELECT FROM appointments a JOIN appointments b ON b.outside_id = a.outside_id
    WHERE a.client_id = :id AND b.unit_id = :unit AND b.client_id <> :id)""")


def move(work: Work, client_id: UUID, unit_id: UUID) -> None:
    """Give a client, with all that hangs on them, to another unit. Raises Refused when outside ids of appointments clash."""
    if work.value(_CLASH, id=client_id, unit=unit_id):
        raise Refused("an appointment of this client has an outside id that is in use in the other unit: cancel or rename it first")
    work.execute(
        text("UPDATE keys SET unit_id = :unit WHERE id = (SELECT key_id FROM clients WHERE id = :id)"),
        {"id": client_id, "unit": unit_id},
    )
    work.execute(
        text("UPDATE clients SET unit_id = :unit, worker_id = NULL, updated_at = :now WHERE id = :id"),
        {"id": client_id, "unit": unit_id, "now": work.now},
    )


_CANCEL_TEXTS = text("""
  UPDATE outbound SET state = 'cancelled', reason = :reason, state_at = :now WHERE client_id = :id AND state || '' = 'planned'""")
_CANCEL_STEPS = text("UPDATE occurrences SET state = 'cancelled', reason = :reason WHERE client_id = :id AND state || '' = 'waiting'")

_CANCEL_SESSIONS = text("""
  UPDATE sessions SET status = 'stopped', due_at = NULL, changed_at = :now
  WHERE client_id = :id AND status IN ('waiting', 'with_person', 'suspended')""")


def cancel_planned(work: Work, client_id: UUID, reason: str) -> None:
    """Cancel every text, step and dialogue that waits for a client. Take the client's row first (`lock`)."""
    for statement in (_CANCEL_TEXTS, _CANCEL_STEPS, _CANCEL_SESSIONS):
        work.execute(statement, {"id": client_id, "reason": reason, "now": work.now})


_BY_CODES = text(f"SELECT {_FOUND} {_FROM} WHERE c.code = ANY(:codes)")


def by_codes(work: Work, codes: Iterable[str]) -> dict[str, Found]:
    """The clients of these codes that the actor sees."""
    return {row.code: _found(row) for row in work.all(_BY_CODES, codes=list(codes))}
