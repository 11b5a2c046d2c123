"""Where each phone is in the menu, and the PINs of phones."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain.ussd import MOST_TRIES, Kept, Pin, State, hash_pin
from gateway.store import clients, forgotten
from gateway.store.base import Work
from gateway.store.clients import Person, as_person
from gateway.vault import DataKey, Vault

KEPT_FOR = timedelta(days=1)

# The dialogue itself, else the latest one before it.
_DIALLED = text("""
  SELECT q.n, s.session_hash = q.session AS same, s.key_id, k.wrapped, s.state_enc, s.session_hash, s.changed_at
  FROM unnest(CAST(:channels AS uuid[]), CAST(:phones AS bytea[]), CAST(:sessions AS bytea[])) WITH ORDINALITY q(channel, phone, session, n),
    LATERAL (SELECT * FROM ussd_sessions WHERE channel_id = q.channel AND phone_hash = q.phone
      ORDER BY session_hash = q.session DESC, changed_at DESC LIMIT 1) s JOIN keys k ON k.id = s.key_id""")
_PHONES = text("""
  SELECT q.phone, (SELECT reason FROM stops WHERE phone_hash = q.phone) AS stopped,
    (SELECT true FROM phones WHERE phone_hash = q.phone AND to_verify IS NOT NULL LIMIT 1) AS doubtful,
    p.client_id, p.salt, p.hash, p.tries, p.locked_at
  FROM unnest(CAST(:phones AS bytea[])) q(phone) LEFT JOIN ussd_pins p ON p.phone_hash = q.phone""")

_FORGOTTEN = text(f"""
  SELECT q.n FROM unnest(CAST(:channels AS uuid[]), CAST(:phones AS bytea[]), CAST(:sessions AS bytea[]))
    WITH ORDINALITY q(channel_id, phone_hash, session_hash, n) JOIN forgotten f ON f.hash = {forgotten.MENU.format(row="q.")}""")


@dataclass(frozen=True, slots=True)
class Sought:
    """A post, by what it is known by: phones are different ones."""

    channel_id: UUID
    phone_hash: bytes
    session_hash: bytes


@dataclass(frozen=True, slots=True)
class Dialled:
    """A dialogue as it was left. `kept`: every post of it, the last one last."""

    state: State
    kept: Sequence[Kept]
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """Who may be at a phone. `doubtful`: a person should ask first whose it is; `forgotten`: this dialogue was long ago."""

    people: Sequence[Person]
    stopped: bool
    doubtful: bool
    pin: Pin | None
    dialled: Dialled | None
    before: Dialled | None  # the latest other dialogue, where this one is not known
    forgotten: bool


def look(work: Work, vault: Vault, posts: Sequence[Sought]) -> list[Caller]:
    """All that a turn of the menu depends on, for several phones, in one round trip."""
    phones = [post.phone_hash for post in posts]
    asked = {"channels": [post.channel_id for post in posts], "phones": phones, "sessions": [post.session_hash for post in posts]}
    rows, dialled, known, old = work.together(
        (clients.ON_PHONES, {"phones": phones}), (_DIALLED, asked), (_PHONES, {"phones": phones}), (_FORGOTTEN, asked)
    )
    people: dict[bytes, list[Person]] = defaultdict(list)
    for row in rows:
        people[bytes(row.phone)].append(as_person(row, vault))
    left = {(row.n, row.same): _open(row, vault, posts[row.n - 1].channel_id) for row in dialled}
    at, gone = {bytes(row.phone): row for row in known}, {row.n for row in old}
    return [
        Caller(people[phone], at[phone].stopped is not None, bool(at[phone].doubtful), _pin(at[phone], people[phone]),
               left.get((number, True)), left.get((number, False)), number in gone)
        for number, phone in enumerate(phones, 1)
    ]  # fmt: skip


def _pin(row: Any, people: Sequence[Person]) -> Pin | None:
    """The PIN that was chosen by whoever has the phone now."""
    if row.salt is None or row.client_id != owner(people):
        return None
    return Pin(bytes(row.salt), bytes(row.hash), row.tries, row.locked_at is not None)


def owner(people: Sequence[Person]) -> UUID | None:
    """The client, where the phone is one person's alone."""
    return people[0].id if len(people) == 1 else None


def _open(row: Any, vault: Vault, channel_id: UUID) -> Dialled:
    key = vault.open_key(row.wrapped, row.key_id)
    data = json.loads(key.decrypt(row.state_enc, f"ussd_sessions.{bytes(row.session_hash).hex()}", channel_id))
    return Dialled(State.from_dict(data["state"]), [Kept(*kept) for kept in data["kept"]], row.changed_at)


_ON_CONFLICT = """ON CONFLICT (channel_id, phone_hash, session_hash) DO UPDATE SET unit_id = EXCLUDED.unit_id, key_id = EXCLUDED.key_id,
  state_enc = EXCLUDED.state_enc, ended = EXCLUDED.ended, changed_at = EXCLUDED.changed_at"""


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a dialogue is after a post of it."""

    channel_id: UUID
    phone_hash: bytes
    session_hash: bytes
    unit_id: UUID
    key_id: UUID
    key: DataKey
    state: State
    kept: Sequence[Kept]


def put(work: Work, moved: Sequence[Moved]) -> None:
    """Write where dialogues are now, with the other writes of the transaction."""
    for each in moved:
        data = json.dumps({"state": each.state.to_dict(), "kept": [(k.hash, k.length, k.screen, k.goes_on) for k in each.kept]})
        sealed = each.key.encrypt(data, f"ussd_sessions.{each.session_hash.hex()}", each.channel_id)
        work.put("ussd_sessions", {
            "channel_id": each.channel_id, "phone_hash": each.phone_hash, "session_hash": each.session_hash, "unit_id": each.unit_id,
            "key_id": each.key_id, "state_enc": sealed, "ended": each.state.ended, "changed_at": work.now,
        }, _ON_CONFLICT)  # fmt: skip


_SET = text("""
  INSERT INTO ussd_pins (phone_hash, client_id, unit_id, salt, hash, set_at) VALUES (:phone, :client, :unit, :salt, :hash, :now)
  ON CONFLICT (phone_hash) DO UPDATE SET client_id = excluded.client_id, unit_id = excluded.unit_id, salt = excluded.salt,
    hash = excluded.hash, tries = 0, locked_at = NULL, set_at = excluded.set_at""")
_WRONG = text("""
  UPDATE ussd_pins SET tries = tries + 1, locked_at = CASE WHEN tries + 1 >= :most THEN :now END WHERE phone_hash = :phone""")
_RIGHT = text("UPDATE ussd_pins SET tries = 0 WHERE phone_hash = :phone AND tries > 0")
_RESET = text("DELETE FROM ussd_pins WHERE phone_hash IN (SELECT phone_hash FROM phones WHERE client_id = :client)")
_FORGET = forgotten.forgetting("ussd_sessions", forgotten.MENU, "changed_at < :before")


def set_pin(work: Work, phone_hash: bytes, client_id: UUID | None, unit_id: UUID, secret: bytes) -> None:
    """Keep a PIN, salted and slow to guess."""
    salt = uuid4().bytes
    work.later(_SET, phone=phone_hash, client=client_id, unit=unit_id, salt=salt, hash=hash_pin(secret, salt), now=work.now)


def count_wrong(work: Work, phone_hash: bytes) -> None:
    """A wrong PIN; the last try locks it until staff reset it."""
    work.later(_WRONG, phone=phone_hash, most=MOST_TRIES, now=work.now)


def count_right(work: Work, phone_hash: bytes) -> None:
    """The right PIN: all tries again."""
    work.later(_RIGHT, phone=phone_hash)


def reset_pin(work: Work, client_id: UUID) -> int:
    """Forget the PINs of a client's phones, locked or not; how many. Needs the system's rights."""
    return int(work.execute(_RESET, {"client": client_id}).rowcount)


def forget_old(work: Work) -> int:
    """Drop dialogues nobody can come back to, and know them if they are posted again; how many."""
    return len(work.all(_FORGET, before=work.now - KEPT_FOR))
