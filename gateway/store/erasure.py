"""Erasing a client: their key, phones and words are destroyed; what stays names nobody.

The row stays, empty and closed, so that figures still add up. Of its code only a keyed hash is left, by which an import
knows not to bring the person back; of their phones only the stop.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain.errors import Refused
from gateway.store import clients, consents, exports, forgotten
from gateway.store.base import Work
from gateway.vault import Vault

PREFIX = "erased-"


def erased_code(vault: Vault, code: str) -> str:
    """The code an erased client has instead of their own."""
    return PREFIX + vault.hash_word(f"code:{code}").hex()


_ON_ITS_WAY = text("SELECT EXISTS (SELECT FROM outbound WHERE client_id = :id AND state = 'submitting')")
_OPEN_FLAGS = text("SELECT number FROM flags WHERE client_id = :id AND state <> 'closed' ORDER BY number")
# Phones that are nobody else's.
_ALONE = text("""
  SELECT phone_hash FROM phones p WHERE client_id = :id AND NOT EXISTS (
    SELECT FROM phones other WHERE other.phone_hash = p.phone_hash AND other.client_id <> :id)""")


def erase(work: Work, vault: Vault, client_id: UUID, by: UUID | None) -> None:
    """Destroy what names a client. Needs the system's rights; the caller has checked that the actor may.

    Raises Refused while a flag is open (a person may be in need) or a text is on its way (its outcome would be lost).
    """
    clients.lock(work, [client_id])
    if work.value(_ON_ITS_WAY, id=client_id):
        raise Refused("a text to this client is on its way just now: erase again in a minute")
    if numbers := [str(row.number) for row in work.all(_OPEN_FLAGS, id=client_id)]:
        raise Refused(
            "flags are open for this client: close {numbers} first, or someone in need may be missed", numbers=numbers
        )
    alone = [bytes(row.phone_hash) for row in work.all(_ALONE, id=client_id)]
    for phone_hash in alone:
        consents.stop_phone(work, phone_hash, "stop", "staff", by)
    clients.cancel_planned(work, client_id, "client erased")
    exports.forget_of(work, clients.get(work, client_id).unit_id)
    old_key = work.value(text("SELECT key_id FROM clients WHERE id = :id"), id=client_id)
    _empty(work, vault, client_id)
    for statement in (*_KNOWN_AGAIN, *_FORGET):
        work.execute(statement, {"id": client_id, "key": old_key, "alone": alone, "now": work.now})


_EMPTY = text("""
  UPDATE clients c SET code = :code, key_id = :key, name_enc = :name, fields_enc = NULL, language = u.language, time_zone = NULL,
    opens = NULL, closes = NULL, tones = NULL, discreet = 2, status = 'closed', status_reason = 'erased', groups = '{}',
    worker_id = NULL, row_hash = NULL, updated_at = :now
  FROM units u WHERE c.id = :id AND u.id = c.unit_id""")


def _empty(work: Work, vault: Vault, client_id: UUID) -> None:
    found, key_id = clients.get(work, client_id), uuid4()
    key, wrapped = vault.new_key(key_id)
    work.insert("keys", [{"id": key_id, "unit_id": found.unit_id, "wrapped": wrapped}])
    work.execute(_EMPTY, {"id": client_id, "key": key_id, "name": key.encrypt("", "clients.name", client_id), "now": work.now,
                          "code": erased_code(vault, found.code)})  # fmt: skip


_BLANK_OUT = "to_enc = '', to_hash = '', body_enc = '', body_hash = ''"
# The hash of an erased text is its own id: the carrier's id stays known, and two of one id stay apart.
_BLANK_IN = "from_enc = '', from_hash = '', body_enc = '', body_hash = uuid_send(id), value = NULL, also = '{}', doubt = NULL, why_enc = NULL"
# Posted again by a carrier, these bring nobody back.
_KNOWN_AGAIN = (
    forgotten.forgetting("inbound_parts", forgotten.PART, "key_id = :key OR from_hash = ANY(:alone)"),
    forgotten.forgetting("ussd_sessions", forgotten.MENU, "key_id = :key OR phone_hash = ANY(:alone)"),
)
_FORGET: Sequence[Any] = [text(sql) for sql in (
    # Whether it was sent can no longer be asked of the carrier.
    "UPDATE outbound SET state = 'failed', reason = 'client erased', state_at = :now WHERE client_id = :id AND state = 'unknown'",
    f"UPDATE outbound SET {_BLANK_OUT} WHERE client_id = :id",
    f"UPDATE outbound SET {_BLANK_OUT} WHERE to_hash = ANY(:alone) AND client_id IS NULL",
    f"UPDATE inbound SET {_BLANK_IN} WHERE client_id = :id",
    f"UPDATE inbound SET {_BLANK_IN} WHERE from_hash = ANY(:alone) AND client_id IS NULL",
    "UPDATE appointments SET outside_id = NULL WHERE client_id = :id",
    "UPDATE appointments SET status = 'cancelled', updated_at = :now WHERE client_id = :id AND status = 'booked'",
    "DELETE FROM client_dates WHERE client_id = :id",
    "DELETE FROM enrolments WHERE client_id = :id",
    "DELETE FROM answers WHERE client_id = :id",
    "DELETE FROM session_answers WHERE client_id = :id",
    "DELETE FROM sessions WHERE client_id = :id",
    "DELETE FROM scores WHERE client_id = :id",
    "DELETE FROM notes WHERE client_id = :id",
    "DELETE FROM import_rows WHERE client_id = :id",
    "DELETE FROM consents WHERE client_id = :id",
    "DELETE FROM consent_history WHERE client_id = :id",
    "DELETE FROM ussd_pins WHERE client_id = :id OR phone_hash = ANY(:alone)",
    "DELETE FROM handset_texts WHERE key_id = :key OR phone_hash = ANY(:alone)",
    "DELETE FROM client_words WHERE client_id = :id",
    "DELETE FROM phones WHERE client_id = :id",
    "DELETE FROM keys WHERE id = :key OR stranger_hash = ANY(:alone)",
)]  # fmt: skip
