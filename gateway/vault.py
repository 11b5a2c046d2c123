"""Names, phones and texts are ciphertext in the database; this is the only place that reads them.

Each person (client, staff member, unknown phone) has a data key of their own, wrapped by a master key. Destroying the
wrapped key erases the person everywhere. What must be found again (a phone, the last four digits, a word of a name) is
kept beside it as a keyed hash under a key that lies outside the database: Vietnamese and British mobile numbers are so
few that a plain hash is undone in seconds.

AES-256-GCM with the place (table.column.row id) as authenticated data, so a value cannot be moved to another row.
"""

import hashlib
import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.domain.errors import GatewayError

_NONCE = 12


class VaultError(GatewayError):
    """A value could not be decrypted: wrong or missing key, or a value that was moved or altered."""


class DataKey:
    """One person's key, ready to use."""

    __slots__ = ("_cipher",)

    def __init__(self, raw: bytes) -> None:
        self._cipher = AESGCM(raw)

    def encrypt(self, value: str, place: str, row: UUID) -> bytes:
        """Ciphertext of `value` for `place` ("outbound.body") of the row; different each time."""
        nonce = os.urandom(_NONCE)
        clear = value.encode("utf-8", "surrogatepass")
        return nonce + self._cipher.encrypt(nonce, clear, f"{place}.{row}".encode())

    def decrypt(self, sealed: bytes, place: str, row: UUID) -> str:
        """The value. Raises VaultError when it was altered or belongs to another place or row."""
        try:
            clear = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], f"{place}.{row}".encode())
        except InvalidTag:
            raise VaultError(
                "{place} of row {row} cannot be read: it was altered, moved, or has another key", place=place, row=row
            ) from None
        return clear.decode("utf-8", "surrogatepass")


class Vault:
    """Wraps and unwraps data keys, and makes keyed hashes.

    `master` and `index` map key ids to 32-byte keys. The first master key wraps, the others still unwrap; hashes are made
    with the first index key alone. Unwrapped keys are remembered for the latest 10,000 people.
    """

    def __init__(self, master: Mapping[str, bytes], index: Mapping[str, bytes]) -> None:
        if not master or not index:
            raise VaultError("no keys: set GATEWAY_MASTER_KEYS and GATEWAY_INDEX_KEYS, or run with the embedded database")
        self._master = {key_id: AESGCM(key) for key_id, key in master.items()}
        self._current = next(iter(master))
        self._index = next(iter(index.values()))
        self._known: OrderedDict[bytes, DataKey] = OrderedDict()
        self._lock = Lock()

    def new_key(self, row: UUID) -> tuple[DataKey, bytes]:
        """A fresh data key and its wrapped form for the row of `keys`."""
        raw, nonce = os.urandom(32), os.urandom(_NONCE)
        sealed = self._master[self._current].encrypt(nonce, raw, f"keys.wrapped.{row}".encode())
        return DataKey(raw), self._current.encode() + b":" + nonce + sealed

    def open_key(self, wrapped: bytes, row: UUID) -> DataKey:
        """The data key behind `wrapped`. Raises VaultError when no master key fits."""
        with self._lock:
            known = self._known.get(wrapped)
        if known is not None:
            return known
        key_id, _, rest = bytes(wrapped).partition(b":")
        master = self._master.get(key_id.decode())
        if master is None:
            raise VaultError(
                "key {row} is wrapped by master key {master_key!r}, which is not configured",
                row=row, master_key=key_id.decode(),
            )
        try:
            raw = master.decrypt(rest[:_NONCE], rest[_NONCE:], f"keys.wrapped.{row}".encode())
        except InvalidTag:
            raise VaultError("key {row} cannot be unwrapped: the master key is another one", row=row) from None
        key = DataKey(raw)
        with self._lock:
            self._known[wrapped] = key
            if len(self._known) > 10_000:
                self._known.popitem(last=False)
        return key

    def hash_phone(self, e164: str) -> bytes:
        """What a phone is found by."""
        return self._hash("phone", e164)

    def hash_word(self, word: str) -> bytes:
        """What a folded word of a name, or the last four digits of a phone, is found by."""
        return self._hash("word", word)

    def hash_body(self, body: str) -> bytes:
        """What an identical text is known by (loop guard, repeats)."""
        return self._hash("body", body)

    def hash_access(self, value: str) -> bytes:
        """What a code that lets staff in, a device of theirs or a way of trying is known by."""
        return self._hash("access", value)

    def _hash(self, kind: str, value: str) -> bytes:
        data = f"{kind}:{value}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._index, data, hashlib.sha256)[:16]


def parse_keys(setting: str) -> dict[str, bytes]:
    """Keys from "id:base64url,id:base64url", the current one first. Raises VaultError that names no key."""
    keys = {}
    for part in filter(None, setting.split(",")):
        key_id, _, encoded = part.strip().partition(":")
        try:
            key = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        except ValueError:
            key = b""
        if not key_id or len(key) != 32:
            raise VaultError(
                "key {key_id!r} is not 32 bytes of base64url: make one with `python -m gateway key`", key_id=key_id
            )
        keys[key_id] = key
    return keys


def new_setting(key_id: str) -> str:
    """A fresh key in the form that the settings take."""
    return f"{key_id}:{urlsafe_b64encode(os.urandom(32)).decode().rstrip('=')}"
