"""How staff prove who they are: passwords, second factors, invitations, and failed tries. The system alone reads and writes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.engine import Row

from gateway.domain import access
from gateway.store.base import Work
from gateway.vault import DataKey, Vault


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a staff member proves themselves by. `secret` is the second factor's; without `confirmed` it does not count yet."""

    staff_id: UUID
    code: str
    role: str
    unit_id: UUID
    password: str | None
    secret: str | None
    confirmed: bool
    step: int


_SELECT = """
  SELECT s.id, s.code, s.role, s.unit_id, s.key_id, k.wrapped, c.password, c.secret_enc, c.secret_at, coalesce(c.step, 0) AS step
  FROM staff s JOIN keys k ON k.id = s.key_id LEFT JOIN credentials c ON c.staff_id = s.id WHERE s.active AND """
_BY_CODE = text(_SELECT + "s.code = :code")
_BY_ID = text(_SELECT + "s.id = :id")
_BY_INVITATION = text(_SELECT + "s.id = (SELECT i.staff_id FROM invitations i WHERE i.hash = :hash AND i.expires_at > :now)")


def by_code(work: Work, vault: Vault, code: str) -> Credentials | None:
    """Those of an active staff member."""
    return _one(work, vault, _BY_CODE, code=code)


def get(work: Work, vault: Vault, staff_id: UUID) -> Credentials | None:
    """Those of an active staff member."""
    return _one(work, vault, _BY_ID, id=staff_id)


def by_invitation(work: Work, vault: Vault, code: str) -> Credentials | None:
    """Those of whoever was invited by this code, while it is good."""
    return _one(work, vault, _BY_INVITATION, hash=_hash_invitation(vault, code), now=work.now)


_LACKING = text("""
  SELECT s.id, s.unit_id, s.code FROM staff s LEFT JOIN credentials c ON c.staff_id = s.id
  WHERE s.active AND c.password IS NULL AND s.code = ANY(:codes) ORDER BY array_position(:codes, s.code)""")


def lacking(work: Work, codes: Sequence[str]) -> Sequence[Row[Any]]:
    """Id, unit and code of those among these who have no password yet, in this order."""
    return work.all(_LACKING, codes=list(codes))


def _one(work: Work, vault: Vault, sql: TextClause, **values: object) -> Credentials | None:
    row = work.one(sql, **values)
    if row is None:
        return None
    secret = None
    if row.secret_enc is not None:
        secret = vault.open_key(row.wrapped, row.key_id).decrypt(row.secret_enc, "credentials.secret", row.id)
    return Credentials(row.id, row.code, row.role, row.unit_id, row.password, secret, row.secret_at is not None, row.step)


_SET_PASSWORD = text("""
  INSERT INTO credentials (staff_id, password, password_at) VALUES (:id, :password, :now)
  ON CONFLICT (staff_id) DO UPDATE SET password = :password, password_at = :now""")


def set_password(work: Work, staff_id: UUID, hashed: str) -> None:
    """Another password: every browser of theirs is signed out, and the invitation is used up."""
    work.execute(_SET_PASSWORD, {"id": staff_id, "password": hashed, "now": work.now})
    work.execute(text("DELETE FROM invitations WHERE staff_id = :id"), {"id": staff_id})


def set_secret(work: Work, vault: Vault, staff_id: UUID, secret: str) -> None:
    """The second factor to be, until a code confirms it."""
    row = work.one(text("SELECT s.key_id, k.wrapped FROM staff s JOIN keys k ON k.id = s.key_id WHERE s.id = :id"), id=staff_id)
    assert row is not None
    key: DataKey = vault.open_key(row.wrapped, row.key_id)
    work.execute(text("UPDATE credentials SET secret_enc = :secret, secret_at = NULL, step = 0 WHERE staff_id = :id"),
                 {"id": staff_id, "secret": key.encrypt(secret, "credentials.secret", staff_id)})  # fmt: skip


def use_step(work: Work, staff_id: UUID, step: int) -> bool:
    """Take the code of this half minute; False when it, or a later one, was taken before."""
    used = work.execute(text("UPDATE credentials SET step = :step WHERE staff_id = :id AND step < :step"), {"id": staff_id, "step": step})
    return bool(used.rowcount)


def confirm_secret(work: Work, vault: Vault, staff_id: UUID, recovery: Sequence[str]) -> None:
    """The second factor counts from now on; these codes stand in for it, once each."""
    work.execute(text("UPDATE credentials SET secret_at = :now WHERE staff_id = :id"), {"id": staff_id, "now": work.now})
    set_recovery(work, vault, staff_id, recovery)


def set_recovery(work: Work, vault: Vault, staff_id: UUID, codes: Sequence[str]) -> None:
    """These codes and no others."""
    work.execute(text("DELETE FROM recovery_codes WHERE staff_id = :id"), {"id": staff_id})
    work.insert("recovery_codes", [{"staff_id": staff_id, "hash": _hash_recovery(vault, staff_id, code)} for code in codes])


def use_recovery(work: Work, vault: Vault, staff_id: UUID, code: str) -> bool:
    """Take a recovery code; False when there is no such one, or not any more."""
    used = work.execute(text("DELETE FROM recovery_codes WHERE staff_id = :id AND hash = :hash"),
                        {"id": staff_id, "hash": _hash_recovery(vault, staff_id, code)})  # fmt: skip
    return bool(used.rowcount)


def recovery_left(work: Work, staff_id: UUID) -> int:
    """How many recovery codes are left."""
    return int(work.value(text("SELECT count(*) FROM recovery_codes WHERE staff_id = :id"), id=staff_id))


def drop_second(work: Work, staff_id: UUID) -> None:
    """No second factor any more."""
    work.execute(text("UPDATE credentials SET secret_enc = NULL, secret_at = NULL WHERE staff_id = :id"), {"id": staff_id})
    work.execute(text("DELETE FROM recovery_codes WHERE staff_id = :id"), {"id": staff_id})


def forget(work: Work, staff_id: UUID) -> None:
    """No password, second factor, invitation or signed-in browser is left of them."""
    for table in ("credentials", "recovery_codes", "invitations", "logins"):
        work.execute(text(f"DELETE FROM {table} WHERE staff_id = :id"), {"id": staff_id})


_INVITE = text("""
  INSERT INTO invitations (staff_id, hash, expires_at) VALUES (:id, :hash, :expires)
  ON CONFLICT (staff_id) DO UPDATE SET hash = :hash, expires_at = :expires""")


def invite(work: Work, vault: Vault, staff_id: UUID, code: str, expires_at: datetime) -> None:
    """Whoever shows this code until then may choose the password; an earlier code is void."""
    work.execute(_INVITE, {"id": staff_id, "hash": _hash_invitation(vault, code), "expires": expires_at})


def _hash_invitation(vault: Vault, code: str) -> bytes:
    return vault.hash_access(f"invitation:{code}")


def _hash_recovery(vault: Vault, staff_id: UUID, code: str) -> bytes:
    return vault.hash_access(f"recovery:{staff_id}:{code}")


_COUNT = text("""
  INSERT INTO login_tries (hash, failures, tried_at) VALUES (:hash, 1, :now)
  ON CONFLICT (hash) DO UPDATE SET tried_at = :now,
    failures = CASE WHEN login_tries.tried_at <= :forgotten THEN 1 ELSE login_tries.failures + 1 END
  RETURNING failures""")
_TRIED = text("SELECT hash, failures, tried_at FROM login_tries WHERE hash = ANY(:hashes) ORDER BY hash FOR UPDATE")


@dataclass(frozen=True, slots=True)
class Try:
    """A try that is looked at now, or (`wait_s`) not yet. `used_up`: the limits whose last free try it is."""

    wait_s: float
    used_up: Sequence[access.Limit] = ()


def count_try(work: Work, limits: Mapping[bytes, access.Limit]) -> Try:
    """Count a try as failed under each of these hashes, until `forgive` says otherwise. When one of them must still wait, nothing is counted."""
    tried = work.all(_TRIED, hashes=sorted(limits))
    waits = [access.wait(limits[bytes(row.hash)], row.failures, row.tried_at, work.now) for row in tried]
    longest = max((each.total_seconds() for each in waits), default=0.0)
    if longest > 0:
        return Try(longest)
    counted = {
        hashed: work.value(_COUNT, hash=hashed, now=work.now, forgotten=work.now - access.FORGOTTEN_AFTER) for hashed in sorted(limits)
    }
    return Try(0.0, [limit for hashed, limit in limits.items() if counted[hashed] == limit.free])


# Of those that are not counted any more none that somebody is just adding to: nobody waits for anybody here.
_FORGIVE = text("""
  DELETE FROM login_tries WHERE hash = :own
    OR hash IN (SELECT hash FROM login_tries WHERE tried_at <= :forgotten FOR UPDATE SKIP LOCKED)""")


def forgive(work: Work, own: bytes, others: Sequence[bytes] = ()) -> None:
    """The try went well: who made it starts anew, and it does not count for the others."""
    work.all(_TRIED, hashes=sorted([own, *others]))  # taken in the order in which `count_try` takes them
    work.execute(_FORGIVE, {"own": own, "forgotten": work.now - access.FORGOTTEN_AFTER})
    for hashed in sorted(others):
        work.execute(text("UPDATE login_tries SET failures = greatest(failures - 1, 0) WHERE hash = :hash"), {"hash": hashed})
