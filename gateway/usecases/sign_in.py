"""Let staff in: by code and password, then by the second factor; and set both. Passwords are argon2id.

A guesser is slowed down by code and network, and by network. A device that somebody signed in from before is known by
a cookie, and counted by itself: the failures of others slow nobody down who has one. An unknown code costs the
same time and gets the same words as a wrong password.
"""

import base64
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import argon2
import pyotp
from sqlalchemy import Engine

from gateway import log
from gateway.domain import access
from gateway.domain.errors import Refused, TooMany
from gateway.store import audit, credentials, logins, practice, staff, units
from gateway.store.base import Actor, Work, unit_of_work
from gateway.store.credentials import Credentials, Try
from gateway.vault import Vault

INVITED_FOR = timedelta(hours=72)
RECOVERY_CODES = 8
DEVICES = 8
"""How many staff members one browser remembers: a shared machine in an office."""
HALF_MINUTE = 30

# One of the settings that OWASP names.
_HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=47_104, parallelism=1)
# Costs what a real one does, and no password has it: salt and digest are zeros.
_NOBODYS = f"$argon2id$v=19$m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}${'A' * 22}${'A' * 43}"
# Two passwords at a time, and two more wait: a flood of tries must not take the memory, nor the threads that carriers' posts need.
_TURNS, _ROOM = threading.BoundedSemaphore(2), threading.BoundedSemaphore(4)


@dataclass(frozen=True, slots=True)
class Door:
    """Where somebody stands when they try: the network they come from, their browser's name, and its cookie of known devices."""

    network: str
    device: str = ""
    known: str = ""


@dataclass(frozen=True, slots=True)
class In:
    """Somebody came in, so far as `stage` says; `token` goes into the cookie, and nowhere else."""

    token: str
    stage: str
    known: str


@dataclass(frozen=True, slots=True)
class House:
    """Where sign-ins are kept, and the clock they go by (None: the database's)."""

    engine: Engine
    vault: Vault
    now: datetime | None = None

    def work(self) -> AbstractContextManager[Work]:
        """A transaction of the system: staff have no rights on what proves who they are."""
        return unit_of_work(self.engine, now=self.now)


# --- code and password --------------------------------------------------------------------------------------------------


def by_password(house: House, door: Door, code: str, password: str) -> In:
    """Sign in by code and password. Raises Refused, the same for a wrong code and a wrong password, and TooMany."""
    with _turn():
        with house.work() as work:
            found = credentials.by_code(work, house.vault, code)
            own, others = _counted(house.vault, door, code, found)
            tried = _count(work, {own: access.ONE_PERSON, **dict.fromkeys(others, access.ONE_NETWORK)})
        if not _fits(found, password) or found is None:
            _failed(house, door, None if found is None else found.staff_id, tried, "password")
            raise Refused("The code or the password is wrong.")
    with house.work() as work:
        credentials.forgive(work, own, others)
        return _let_in(work, house.vault, door, found)


@contextmanager
def _turn() -> Iterator[None]:
    """Room to look at a password. Raises TooMany at once when there is none, and nothing was counted then."""
    if not _ROOM.acquire(blocking=False):
        raise TooMany(1)
    try:
        with _TURNS:
            yield
    finally:
        _ROOM.release()


def _count(work: Work, limits: Mapping[bytes, access.Limit]) -> Try:
    """Raises TooMany when a try is not looked at yet."""
    tried = credentials.count_try(work, limits)
    if tried.wait_s:
        raise TooMany(tried.wait_s)
    return tried


def _failed(house: House, door: Door, staff_id: UUID | None, tried: Try, at: str) -> None:
    """A wrong try goes to the log. With the last free one somebody guesses: that is in the trail, once for the person and the network.

    A network has no name there but the word that it is counted under, and where no person is known the line is of every topmost unit.
    """
    log.info("login_refused", at=at, staff=staff_id)
    if not tried.used_up:
        return
    network = house.vault.hash_access(f"try:{door.network}").hex()
    with house.work() as work:
        if access.ONE_NETWORK in tried.used_up:
            for unit_id in units.topmost(work):
                audit.add(work, "network.guessed", "network", network, unit_id, {"at": at})
        if staff_id is not None and {access.ONE_PERSON, access.SECOND} & {*tried.used_up}:
            audit.add(work, "staff.guessed", "staff", staff_id, staff.get(work, staff_id).unit_id, {"at": at, "network": network})


def _counted(vault: Vault, door: Door, code: str, found: Credentials | None) -> tuple[bytes, list[bytes]]:
    """What a try is counted under: the device's own when it is known for this person, else the code and the network."""
    device = _device(door.known)
    if found is not None and _knows(vault, door.known, found.staff_id):
        return vault.hash_access(f"try:{found.staff_id}:{device}"), []
    return vault.hash_access(f"try:{code}:{door.network}"), [vault.hash_access(f"try:{door.network}")]


def _fits(found: Credentials | None, password: str) -> bool:
    """Whether the password is theirs; takes as long when there is nobody, or no password yet."""
    typed = access.composed_password(password[: access.LONGEST * 4])
    try:
        _HASHER.verify(found.password if found and found.password else _NOBODYS, typed)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return found is not None and found.password is not None


def _let_in(work: Work, vault: Vault, door: Door, found: Credentials) -> In:
    """A new token, whatever the browser had before: nobody can have planted it."""
    stage = access.stage(found.role, found.confirmed)
    token = secrets.token_urlsafe(32)
    logins.add(work, token, found.staff_id, stage, door.device)
    return In(token, stage, _came_in(work, vault, door, found, "password") if stage == "in" else door.known)


def _came_in(work: Work, vault: Vault, door: Door, found: Credentials, by: str) -> str:
    """The cookie of known devices, now that they are all the way in."""
    audit.add(work, "staff.signed_in", "staff", found.staff_id, found.unit_id, {"by": by}, by=_as_themselves(found))
    return _remember(vault, door.known, found.staff_id)


# --- the second factor -------------------------------------------------------------------------------------------------


def by_second(house: House, door: Door, login_id: UUID, staff_id: UUID, typed: str) -> In:
    """The six digits, or a recovery code, after the password. Raises Refused, and TooMany."""
    vault = house.vault
    with house.work() as work:
        known = _knows(vault, door.known, staff_id)
        own = vault.hash_access(f"second:{staff_id}:{_device(door.known) if known else door.network}")
        others = [] if known else [vault.hash_access(f"second:{staff_id}")]
        tried = _count(work, {own: access.ONE_PERSON, **dict.fromkeys(others, access.SECOND)})
    try:
        with house.work() as work:
            found = _theirs(work, vault, staff_id)
            by = _taken(work, vault, found, typed)
            credentials.forgive(work, own, others)
            token = secrets.token_urlsafe(32)
            logins.renew(work, login_id, token, "in")
            return In(token, "in", _came_in(work, vault, door, found, by))
    except Refused:
        _failed(house, door, staff_id, tried, "second factor")
        raise


def _taken(work: Work, vault: Vault, found: Credentials, typed: str) -> str:
    """By what they proved themselves. Raises Refused."""
    plain = _plain(typed)
    if plain.isdecimal() and (step := _step(found.secret, plain, practice.outside(work))) and credentials.use_step(work, found.staff_id, step):
        return "second factor"
    if not plain.isdecimal() and credentials.use_recovery(work, vault, found.staff_id, plain):
        return "recovery code"
    raise Refused("This is not the number that the app shows now: wait for the next one and type that.")


def _step(secret: str | None, typed: str, now: datetime) -> int:
    """The half minute whose code was typed, of the present one and its neighbours; 0 for none."""
    if not secret:
        return 0
    totp = pyotp.TOTP(secret)
    current = int(now.timestamp()) // HALF_MINUTE
    steps = (step for step in (current, current - 1, current + 1) if secrets.compare_digest(totp.generate_otp(step).encode(), typed.encode("utf-8", "replace")))
    return next(steps, 0)


def begin_second(house: House, staff_id: UUID) -> str:
    """The secret that an app is to take over; the same until it is confirmed. Raises Refused when one counts already."""
    with house.work() as work:
        found = _theirs(work, house.vault, staff_id)
        _refuse_confirmed(found)
        if found.secret is None:
            credentials.set_secret(work, house.vault, staff_id, secret := pyotp.random_base32())
            return secret
        return found.secret


def _refuse_confirmed(found: Credentials) -> None:
    """Nobody guesses at digits here, nor gets new recovery codes for them: `by_second` counts tries, `new_recovery` asks for the password."""
    if found.confirmed:
        raise Refused("There is a second factor already: switch it off before you set up another.")


def address(secret: str, code: str) -> str:
    """What an app reads from the picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=code, issuer_name="SMS gateway")


def confirm_second(
    house: House, door: Door, login_id: UUID, staff_id: UUID, typed: str, password: str | None = None,
) -> tuple[In, list[str]]:  # fmt: skip
    """The app shows the right digits: the second factor counts from now on. The recovery codes are told this once. Raises Refused.

    `password`: from who is signed in already, since an unattended browser must not lock its owner out. None right after it was typed.
    """
    if password is not None:
        _proven(house, door, login_id, staff_id, password)
    codes = [_readable(7) for _ in range(RECOVERY_CODES)]
    with house.work() as work:
        found = _theirs(work, house.vault, staff_id)
        _refuse_confirmed(found)
        step = _step(found.secret, _plain(typed), practice.outside(work))
        if not step or not credentials.use_step(work, staff_id, step):
            raise Refused("This is not the number that the app shows now: wait for the next one and type that.")
        credentials.confirm_secret(work, house.vault, staff_id, [_plain(code) for code in codes])
        token = secrets.token_urlsafe(32)
        logins.end_others(work, staff_id, login_id)
        logins.renew(work, login_id, token, "in")
        audit.add(work, "staff.second_factor_on", "staff", staff_id, found.unit_id, by=_as_themselves(found))
        return In(token, "in", _remember(house.vault, door.known, staff_id)), codes


def new_recovery(house: House, door: Door, login_id: UUID, staff_id: UUID, password: str) -> list[str]:
    """Other recovery codes, on one's own password; the old ones are void. Raises Refused without a second factor."""
    found = _proven(house, door, login_id, staff_id, password)
    if not found.confirmed:
        raise Refused("There is no second factor: set one up first.")
    codes = [_readable(7) for _ in range(RECOVERY_CODES)]
    with house.work() as work:
        credentials.set_recovery(work, house.vault, staff_id, [_plain(code) for code in codes])
        audit.add(work, "staff.recovery_codes", "staff", staff_id, found.unit_id, by=_as_themselves(found))
    return codes


def drop_second(house: House, door: Door, login_id: UUID, staff_id: UUID, password: str) -> None:
    """Switch the second factor off, on one's own password. Raises Refused for a role that must have one."""
    found = _proven(house, door, login_id, staff_id, password)
    if found.role in access.MUST_HAVE_SECOND:
        raise Refused("Administrators have a second factor: it cannot be switched off.")
    with house.work() as work:
        credentials.drop_second(work, staff_id)
        audit.add(work, "staff.second_factor_off", "staff", staff_id, found.unit_id, by=_as_themselves(found))


# --- passwords and invitations ----------------------------------------------------------------------------------------


def invite(work: Work, vault: Vault, staff_id: UUID, unit_id: UUID, by: Actor, reset_second: bool = False) -> str:
    """The code by which this person chooses their password, once, within 72 hours; an earlier one is void. As the system.

    `reset_second`: their phone is lost, so their second factor is dropped as well.
    """
    code = _readable(10)
    credentials.invite(work, vault, staff_id, _plain(code), work.now + INVITED_FOR)
    if reset_second:
        credentials.drop_second(work, staff_id)
    audit.add(work, "staff.invite", "staff", staff_id, unit_id, {"reset_second": reset_second}, by=by)
    return code


def invitation_address(public_url: str, code: str) -> str:
    """Where it is used; opening it uses nothing up."""
    return f"{public_url}/invitation?code={code}"


def by_invitation(house: House, door: Door, code: str, password: str) -> In:
    """Choose a password by an invitation, and sign in with it. Raises Refused, and TooMany."""
    own = house.vault.hash_access(f"invitation:{door.network}")
    with house.work() as work:
        tried = _count(work, {own: access.ONE_NETWORK})
        found = credentials.by_invitation(work, house.vault, _plain(code))
        if found is not None:  # nobody guesses eighty bits: whatever their first password is like, theirs is no failure
            credentials.forgive(work, own)
    if found is None:
        _failed(house, door, None, tried, "invitation")
        raise Refused("This invitation is not good any more: ask an administrator for another.")
    hashed = hash_password(password, found.code)
    with house.work() as work:
        if credentials.by_invitation(work, house.vault, _plain(code)) is None:
            raise Refused("This invitation is not good any more: ask an administrator for another.")
        credentials.set_password(work, found.staff_id, hashed)
        audit.add(work, "staff.password", "staff", found.staff_id, found.unit_id, {"by": "invitation"},
                  by=_as_themselves(found))  # fmt: skip
        return _let_in(work, house.vault, door, found)


def change_password(house: House, door: Door, login_id: UUID, staff_id: UUID, old: str, new: str) -> In:
    """Another password, on the old one; every browser is signed out but this one, which gets a new token. Raises Refused, and TooMany."""
    found = _proven(house, door, login_id, staff_id, old)
    hashed, token = hash_password(new, found.code), secrets.token_urlsafe(32)
    with house.work() as work:
        credentials.set_password(work, staff_id, hashed)
        logins.end_others(work, staff_id, login_id)
        logins.renew(work, login_id, token, "in")
        audit.add(work, "staff.password", "staff", staff_id, found.unit_id, {"by": "themselves"}, by=_as_themselves(found))
    return In(token, "in", _remember(house.vault, door.known, staff_id))


def _proven(house: House, door: Door, login_id: UUID, staff_id: UUID, password: str) -> Credentials:
    """Whoever is signed in types their password again: a stolen browser must not guess it either. Raises Refused, and TooMany.

    Counted for each browser: one that was stolen keeps its owner, at another, from nothing.
    """
    own = house.vault.hash_access(f"again:{login_id}")
    with _turn():
        with house.work() as work:
            tried = _count(work, {own: access.ONE_PERSON})
            found = _theirs(work, house.vault, staff_id)
        if not _fits(found, password):
            _failed(house, door, staff_id, tried, "password again")
            raise Refused("The password is wrong.")
    with house.work() as work:
        credentials.forgive(work, own)
    return found


def hash_password(typed: str, code: str) -> str:
    """The password as it is kept. Raises Refused when it is easily guessed."""
    good = access.password(typed, code)
    with _turn():
        return _HASHER.hash(good)


def _as_themselves(found: Credentials) -> Actor:
    return Actor(found.staff_id, found.unit_id, found.role)


def _theirs(work: Work, vault: Vault, staff_id: UUID) -> Credentials:
    found = credentials.get(work, vault, staff_id)
    if found is None:
        raise Refused("The code or the password is wrong.")
    return found


def _readable(octets: int) -> str:
    """Chance as letters that are not mistaken for each other, in groups of four."""
    letters = base64.b32encode(secrets.token_bytes(octets)).decode().rstrip("=")
    return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def _plain(typed: str) -> str:
    """A code as it was made, however it was typed."""
    return "".join(typed.split()).replace("-", "").upper()


# --- known devices -----------------------------------------------------------------------------------------------------
# The cookie: the device's own id, then for each person who signed in there a hash of both under our key.


def _device(known: str) -> str:
    return known.partition(".")[0]


def _mark(vault: Vault, device: str, staff_id: UUID) -> str:
    return vault.hash_access(f"device:{device}:{staff_id}").hex()


def _knows(vault: Vault, known: str, staff_id: UUID) -> bool:
    """Whether this person came all the way in on this device before."""
    device, *marks = known[:1000].split(".")
    mark = _mark(vault, device, staff_id)
    return bool(device) and any(secrets.compare_digest(mark.encode(), each.encode()) for each in marks)


def _remember(vault: Vault, known: str, staff_id: UUID) -> str:
    """The cookie with this person in it, the latest first."""
    device, *marks = known[:1000].split(".")
    if len(device) != 32 or not device.isalnum() or not device.isascii():
        device, marks = secrets.token_hex(16), []
    mark = _mark(vault, device, staff_id)
    return ".".join([device, mark, *[each for each in marks if each != mark][: DEVICES - 1]])
