"""Staff members: who may do what in which units, and whom to alert."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway import log
from gateway.domain.errors import NotFound, Refused
from gateway.store import units
from gateway.store.base import Actor, Work
from gateway.vault import DataKey, Vault

ROLES = ("case_worker", "reviewer", "supervisor", "administrator", "analyst")


@dataclass(frozen=True, slots=True)
class Member:
    """A staff member as lists show them. `name` is "" where it was not asked for."""

    id: UUID
    unit_id: UUID
    code: str
    role: str
    language: str
    on_duty: bool
    active: bool
    name: str = ""
    phone: str | None = None

    @property
    def actor(self) -> Actor:
        """Who acts when this person does."""
        return Actor(self.id, self.unit_id, self.role)


@dataclass(frozen=True, slots=True)
class Alerted:
    """Somebody to be told at once, on their own phone. `details` and `zone` are their unit's."""

    id: UUID
    unit_id: UUID
    key_id: UUID
    key: DataKey
    phone: str
    language: str
    zone: str
    details: Mapping[str, Any]


_SEES = text("INSERT INTO staff_units (staff_id, unit_id) SELECT :id, unit_id FROM unit_tree WHERE ancestor_id = :unit")


def add(
    work: Work, vault: Vault, *, unit_id: UUID, code: str, name: str, role: str, language: str, phone: str | None = None,
    on_duty: bool = False,
) -> UUID:  # fmt: skip
    """Keep a staff member, who sees their unit and all below. Raises Refused when the code is taken."""
    if work.value(text("SELECT 1 FROM staff WHERE code = :code"), code=code):
        raise Refused("there is a staff member {code!r} already: choose another code", code=code)
    staff_id, key_id = uuid4(), uuid4()
    key, wrapped = vault.new_key(key_id)
    work.insert("keys", [{"id": key_id, "unit_id": unit_id, "wrapped": wrapped}])
    work.insert("staff", [{
        "id": staff_id, "unit_id": unit_id, "key_id": key_id, "code": code, "role": role, "language": language,
        "name_enc": key.encrypt(name, "staff.name", staff_id), "on_duty": on_duty, "active": True,
        "phone_enc": key.encrypt(phone, "staff.phone", staff_id) if phone else None,
        "phone_hash": vault.hash_phone(phone) if phone else None,
    }])  # fmt: skip
    work.execute(_SEES, {"id": staff_id, "unit": unit_id})
    return staff_id


_MEMBER = "s.id, s.unit_id, s.code, s.role, s.language, s.on_duty, s.active"
_BY_CODE = text(f"SELECT {_MEMBER} FROM staff s WHERE s.code = :code")


def by_code(work: Work, code: str) -> Member:
    """The staff member, without name and phone. Raises NotFound."""
    row = work.one(_BY_CODE, code=code)
    if row is None:
        raise NotFound("no staff member {code!r} in your units: `python -m gateway staff list` shows them", code=code)
    return Member(**row._asdict())


_GET = text(f"SELECT {_MEMBER} FROM staff s WHERE s.id = :id")


def get(work: Work, staff_id: UUID) -> Member:
    """The staff member, without name and phone. Raises NotFound."""
    row = work.one(_GET, id=staff_id)
    if row is None:
        raise NotFound("no such staff member in your units")
    return Member(**row._asdict())


_SEALED = f"SELECT {_MEMBER}, s.key_id, s.name_enc, s.phone_enc, k.wrapped FROM staff s JOIN keys k ON k.id = s.key_id"
_LIST = text(f"{_SEALED} ORDER BY s.code")
_NAMED = text(f"{_SEALED} WHERE s.id = :id")


def named(work: Work, vault: Vault, staff_id: UUID) -> Member:
    """The staff member with name and phone. Raises NotFound."""
    row = work.one(_NAMED, id=staff_id)
    if row is None:
        raise NotFound("no such staff member in your units")
    return _open(row, vault)


def list_all(work: Work, vault: Vault) -> list[Member]:
    """The staff members the actor sees, by code, with names and phones."""
    return [_open(row, vault) for row in work.all(_LIST)]


_SEEING = text(f"""
  SELECT {_MEMBER} FROM staff s JOIN staff_units su ON su.staff_id = s.id AND su.unit_id = :unit
  WHERE s.active AND s.role <> 'analyst' ORDER BY s.code""")


def who_see(work: Work, unit_id: UUID) -> list[Member]:
    """The active staff members the actor sees, without names, who work with people of this unit."""
    return [Member(**row._asdict()) for row in work.all(_SEEING, unit=unit_id)]


def _open(row: Any, vault: Vault) -> Member:
    key = vault.open_key(row.wrapped, row.key_id)
    return Member(
        row.id, row.unit_id, row.code, row.role, row.language, row.on_duty, row.active,
        key.decrypt(row.name_enc, "staff.name", row.id),
        key.decrypt(row.phone_enc, "staff.phone", row.id) if row.phone_enc else None,
    )  # fmt: skip


def set_duty(work: Work, staff_id: UUID, on_duty: bool) -> None:
    """On duty: on call at any hour, until they are taken off."""
    work.execute(text("UPDATE staff SET on_duty = :on WHERE id = :id"), {"id": staff_id, "on": on_duty})


_KEY = text("SELECT s.key_id, k.wrapped FROM staff s JOIN keys k ON k.id = s.key_id WHERE s.id = :id")


def set_name(work: Work, vault: Vault, staff_id: UUID, name: str) -> None:
    """What colleagues call them."""
    key = _key(work, vault, staff_id)
    work.execute(text("UPDATE staff SET name_enc = :name WHERE id = :id"), {"name": key.encrypt(name, "staff.name", staff_id), "id": staff_id})


def set_phone(work: Work, vault: Vault, staff_id: UUID, phone: str | None) -> None:
    """Where alerts reach them, and whose answers by text are theirs; None: nowhere."""
    sealed = _key(work, vault, staff_id).encrypt(phone, "staff.phone", staff_id) if phone else None
    work.execute(text("UPDATE staff SET phone_enc = :phone, phone_hash = :hash WHERE id = :id"),
                 {"phone": sealed, "hash": vault.hash_phone(phone) if phone else None, "id": staff_id})  # fmt: skip


def _key(work: Work, vault: Vault, staff_id: UUID) -> DataKey:
    row = work.one(_KEY, id=staff_id)
    assert row is not None
    return vault.open_key(row.wrapped, row.key_id)


def set_language(work: Work, staff_id: UUID, language: str) -> None:
    """The language of what they are shown and told."""
    work.execute(text("UPDATE staff SET language = :language WHERE id = :id"), {"id": staff_id, "language": language})


_OFF_CALL = text("DELETE FROM on_call WHERE staff_id = :id")


def set_role(work: Work, staff_id: UUID, role: str) -> None:
    """Another role, at once: every browser of theirs is signed out. An analyst is neither on duty nor on call."""
    work.execute(text("UPDATE staff SET role = :role, on_duty = on_duty AND :role <> 'analyst' WHERE id = :id"), {"id": staff_id, "role": role})
    if role == "analyst":
        work.execute(_OFF_CALL, {"id": staff_id})


_MOVE = (
    text("UPDATE keys SET unit_id = :unit WHERE id = (SELECT key_id FROM staff WHERE id = :id)"),
    text("UPDATE staff SET unit_id = :unit WHERE id = :id"),
    text("DELETE FROM staff_units WHERE staff_id = :id"),
    _SEES,
    text("DELETE FROM on_call o WHERE staff_id = :id AND NOT EXISTS (SELECT FROM staff_units s WHERE s.staff_id = :id AND s.unit_id = o.unit_id)"),
)


def move(work: Work, staff_id: UUID, unit_id: UUID) -> None:
    """To another unit: they see it and all below, and nothing else; off the on-call lists of what they no longer see. As the system."""
    for statement in _MOVE:
        work.execute(statement, {"id": staff_id, "unit": unit_id})


def set_active(work: Work, staff_id: UUID, active: bool) -> None:
    """An inactive staff member can do nothing and is told nothing, at once. Let in again, they are on no list until somebody says so."""
    work.execute(
        text("UPDATE staff SET active = :active, on_duty = on_duty AND :active WHERE id = :id"),
        {"id": staff_id, "active": active},
    )
    if not active:
        work.execute(_OFF_CALL, {"id": staff_id})


def any_there(work: Work) -> bool:
    """Whether there is any staff member at all: the first one is added by nobody."""
    return bool(work.value(text("SELECT EXISTS (SELECT FROM staff)")))


_ALERTED = """
  SELECT s.id, s.unit_id, s.key_id, k.wrapped, s.phone_enc, s.language, u.time_zone, {known} AS details
  FROM staff s JOIN keys k ON k.id = s.key_id JOIN units u ON u.id = s.unit_id
  WHERE {which} AND s.active AND s.phone_enc IS NOT NULL"""
_BY_IDS = text(_ALERTED.format(known=units.KNOWN, which="s.id = ANY(:ids)"))


def alerted(work: Work, vault: Vault, staff_ids: Collection[UUID]) -> dict[UUID, Alerted]:
    """These staff members as an alert reaches them; those who are inactive, or whose phone is not there or cannot be read, are
    left out. Runs as the system."""
    found = {}
    for row in work.all(_BY_IDS, ids=list(staff_ids)) if staff_ids else ():
        try:
            found[row.id] = _alerted(row, vault)
        except Exception as error:  # one bad row must not keep the others from hearing
            log.error("staff_unreadable", error, staff=row.id)
    return found


_ALERT_PHONE = text(_ALERTED.format(known=units.KNOWN, which="s.code = :code"))


def with_phone(work: Work, vault: Vault, code: str) -> Alerted:
    """The staff member as an alert would reach them. Raises NotFound when they are inactive or have no phone on file."""
    row = work.one(_ALERT_PHONE, code=code)
    if row is None:
        raise NotFound(
            "no active staff member {code!r} with a phone on file: `python -m gateway staff list` shows them", code=code
        )
    return _alerted(row, vault)


def _alerted(row: Any, vault: Vault) -> Alerted:
    key = vault.open_key(row.wrapped, row.key_id)
    phone = key.decrypt(row.phone_enc, "staff.phone", row.id)
    return Alerted(row.id, row.unit_id, row.key_id, key, phone, row.language, row.time_zone, row.details)


def codes(work: Work) -> dict[str, UUID]:
    """The active staff members the actor sees: code -> id."""
    return {row.code: row.id for row in work.all(text("SELECT code, id FROM staff WHERE active"))}


def codes_of(work: Work, staff_ids: Collection[UUID]) -> dict[UUID, str]:
    """The codes of these staff members."""
    return {row.id: row.code for row in work.all(text("SELECT id, code FROM staff WHERE id = ANY(:ids)"), ids=list(staff_ids))}
