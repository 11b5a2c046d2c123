"""The folder that stands in for PostgreSQL while it is away: what came in, what was said meanwhile, and a copy of what that needs.

Everything in it is ciphertext under keys that lie outside the machine's disk, or at least outside this folder. A file is written
whole, fsynced, and only then given its name, so that what is there is complete:

    *.in          entries as they came, oldest first by name        journal   what was sent meanwhile, written before it left
    *.in.later    those that could not be kept for another reason   copy      channels, people on call: what was last known; phones: whose they are
    lock          held by the one process that empties it           *.deputy, *.worker   whose an answer to a cry for help is to give
"""

import fcntl
import json
import os
import shutil
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from gateway import log
from gateway.domain.errors import Refused
from gateway.vault import Vault, VaultError

FLOOR = 64 * 2**20
"""Bytes of the disk that are left for the journal and for everybody else."""
LATER = ".later"
UNFINISHED_SECONDS = 60
CLAIM_SECONDS = 86_400
DEPUTY, WORKER = "deputy", "worker"
LAPSES_SECONDS = 90.0
"""A worker gives what it claims within seconds: one that did not say by then that it has was killed before."""
Entry = Mapping[str, Any]
"""What is kept, as JSON can say it."""


class SpoolFull(Exception):
    """Nothing more is kept: the carrier is to try again."""


class Spool:
    """The folder, shared by all web processes of a machine. `most` is how many bytes may wait in it."""

    def __init__(self, folder: Path, vault: Vault, most: int, floor: int = FLOOR) -> None:
        self.folder, self._vault, self._most, self._floor = folder, vault, most, floor
        self._lock = threading.Lock()
        self._latest = 0
        self._held: int | None = None
        self.size = 0
        """Bytes that wait, as of the latest `look`."""

    def open(self) -> None:
        """Make the folder, for us alone, and try it. Raises Refused when nothing can be written there."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            self._write(f"tried-{os.getpid()}", b"")
            (self.folder / f"tried-{os.getpid()}").unlink()
        except OSError as error:
            raise Refused(
                "GATEWAY_SPOOL: nothing can be written to {folder} ({why}): what comes in while PostgreSQL is away would be lost",
                folder=self.folder, why=error.strerror,
            ) from None  # fmt: skip

    # --- what came in

    def keep(self, entries: Sequence[Entry], share: float = 1) -> None:
        """Keep entries in one file: on disk for good when it returns. Raises SpoolFull beyond a share of its room, and OSError."""
        if self.size > self._most * share or shutil.disk_usage(self.folder).free < self._floor:
            raise SpoolFull
        with self._lock:
            self._latest = max(self._latest + 1, time.time_ns())
            name = f"{self._latest:020d}-{os.getpid()}.in"
        sealed = self._seal("in", list(entries))
        self._write(name, sealed)
        with self._lock:
            self.size += len(sealed)

    def look(self) -> bool:
        """Whether anything waits; measures it. What is kept from now on comes after it, also if the clock is set back."""
        waiting, size, latest = False, 0, 0
        with os.scandir(self.folder) as found:
            for each in found:
                if each.name.endswith((".in", ".in" + LATER)):
                    with suppress(FileNotFoundError, ValueError):  # just emptied by another process; none of ours
                        size += each.stat().st_size
                        waiting = waiting or each.name.endswith(".in")
                        latest = max(latest, int(each.name.partition("-")[0]))
        with self._lock:
            self.size, self._latest = size, max(self._latest, latest)
        return waiting

    def waiting(self, later: bool = False) -> list[Path]:
        """The files of entries, oldest first."""
        return sorted(self.folder.glob("*.in" + LATER if later else "*.in"))

    def read(self, file: Path) -> list[dict[str, Any]]:
        """The entries of a file. Raises VaultError when it was altered or has another key."""
        entries: list[dict[str, Any]] = self._open("in", file.read_bytes())
        return entries

    def drop(self, file: Path) -> None:
        """All of a file is kept elsewhere."""
        file.unlink(missing_ok=True)

    def put_off(self, file: Path) -> None:
        """Something in a file cannot be kept just now, and must not hold up the others."""
        if not file.name.endswith(LATER):
            file.rename(file.with_name(file.name + LATER))

    # --- one process empties it

    def hold(self) -> bool:
        """Whether this process is the one that empties the folder; it becomes so when nobody is."""
        if self._held is None:
            opened = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(opened)
                return False
            self._held = opened
            self._sweep()
        return True

    def _sweep(self) -> None:
        """Take away what processes that were killed did not finish: nobody was told that it was kept."""
        for part in self.folder.glob(".*"):
            with suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > UNFINISHED_SECONDS:
                    part.unlink()

    def release(self) -> None:
        """Let another process empty it."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def is_held(self) -> bool:
        """Whether some process empties it."""
        try:
            opened = os.open(self.folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(opened)
        return False

    # --- who answers

    def is_there(self) -> bool:
        """Whether there is a folder on this machine, and we may look into it."""
        try:
            return self.folder.is_dir()
        except OSError:
            return False

    def claim(self, names: Sequence[UUID], by: str) -> bool:
        """Whether an answer is `by`'s (DEPUTY, WORKER) to give: nobody else's. On disk for good when it returns.

        Each first writes its own name, and then looks for the other's: both may withdraw and try again, but never do both go on.
        """
        for name in names:
            (self.folder / f"{name}.{by}").touch(0o600)
        if any(self._is_claimed(name, DEPUTY if by == WORKER else WORKER) for name in names):
            self.unclaim(names, by)
            return False
        self._settle()
        return True

    def _is_claimed(self, name: UUID, by: str) -> bool:
        """A deputy that takes over after another one knows by the journal what that one gave; of a worker the claim alone tells."""
        try:
            claim = (self.folder / f"{name}.{by}").stat()
        except FileNotFoundError:
            return False
        return by == DEPUTY or claim.st_size > 0 or abs(time.time() - claim.st_mtime) < LAPSES_SECONDS

    def given(self, names: Sequence[UUID]) -> None:
        """A worker's answer left, or may have: from now on nobody else gives it."""
        for name in names:
            (self.folder / f"{name}.{WORKER}").write_bytes(b"given")

    def unclaim(self, names: Sequence[UUID], by: str) -> None:
        """It was surely not given, or the database knows that it was. What was `given` stays so."""
        for name in names:
            claim = self.folder / f"{name}.{by}"
            with suppress(FileNotFoundError):
                if not claim.stat().st_size:
                    claim.unlink()

    def forget_claims(self) -> None:
        """Those of a day ago: a carrier does not post a text again any more."""
        for each in (*self.folder.glob(f"*.{DEPUTY}"), *self.folder.glob(f"*.{WORKER}")):
            with suppress(FileNotFoundError):
                if time.time() - each.stat().st_mtime > CLAIM_SECONDS:
                    each.unlink()

    # --- the journal

    def note(self, line: Entry) -> None:
        """Add a line to the journal: on disk for good when it returns. For whoever holds the folder."""
        sealed = b"\n" + b64encode(self._seal("journal", line)) + b"\n"  # apart from a line before it that was cut off
        is_new = not (self.folder / "journal").exists()
        opened = os.open(self.folder / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            _write_all(opened, sealed)
            os.fsync(opened)
        finally:
            os.close(opened)
        if is_new:
            self._settle()

    def journal(self) -> list[dict[str, Any]]:
        """The lines of the journal but those that cannot be read: what one speaks of that was cut off was not done."""
        lines = []
        with suppress(FileNotFoundError):
            for line in filter(None, (self.folder / "journal").read_bytes().split(b"\n")):
                try:
                    lines.append(self._open("journal", b64decode(line)))
                except (VaultError, ValueError) as error:
                    log.error("journal_unreadable", error)
        return lines

    def close_journal(self) -> None:
        """All that it speaks of is in the database."""
        (self.folder / "journal").unlink(missing_ok=True)

    # --- the copy

    def save(self, copy: Any) -> None:
        """Replace the copy."""
        self._write("copy", self._seal("copy", copy))

    def saved_at(self, name: str = "copy") -> float:
        """When the copy was written, or the phones; 0 when there is none."""
        try:
            return (self.folder / name).stat().st_mtime
        except FileNotFoundError:
            return 0

    def load(self) -> Any:
        """The copy; None when there is none."""
        try:
            return self._open("copy", (self.folder / "copy").read_bytes())
        except FileNotFoundError:
            return None

    def save_phones(self, pieces: Iterable[Any]) -> Iterator[None]:
        """Replace the phones, a piece at each step, so that nobody waits long for the processor; until the last the old ones stay."""
        part = self.folder / f".phones.{os.getpid()}"
        opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            for piece in pieces:
                _write_all(opened, b64encode(self._seal("phones", piece)) + b"\n")
                yield
            os.fsync(opened)
            part.rename(self.folder / "phones")
            self._settle()
        finally:
            os.close(opened)
            part.unlink(missing_ok=True)

    def phones(self) -> Iterator[Any]:
        """The phones, piece by piece; nothing when there are none. Raises VaultError."""
        with suppress(FileNotFoundError), (self.folder / "phones").open("rb") as lines:
            for line in lines:
                yield self._open("phones", b64decode(line))

    # --- inside

    def _write(self, name: str, content: bytes) -> None:
        """A whole file or none: fsynced before it has its name, and its name fsynced after."""
        part = self.folder / f".{name}.{os.getpid()}.{threading.get_ident()}"
        opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            try:
                _write_all(opened, content)
                os.fsync(opened)
            finally:
                os.close(opened)
            part.rename(self.folder / name)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        self._settle()

    def _settle(self) -> None:
        """Have the folder's names on disk."""
        opened = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

    def _seal(self, kind: str, value: Any) -> bytes:
        """A value under a key of its own, wrapped as all are: id, length of the wrapped key, wrapped key, ciphertext."""
        row = uuid4()
        key, wrapped = self._vault.new_key(row)
        return row.bytes + len(wrapped).to_bytes(2, "big") + wrapped + key.encrypt(json.dumps(value), f"spool.{kind}", row)

    def _open(self, kind: str, sealed: bytes) -> Any:
        if len(sealed) < 18:
            raise VaultError("a file of the spool is no file of ours")
        row, length = UUID(bytes=sealed[:16]), int.from_bytes(sealed[16:18], "big")
        key = self._vault.open_key(sealed[18 : 18 + length], row)
        return json.loads(key.decrypt(sealed[18 + length :], f"spool.{kind}", row))


def _write_all(opened: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(opened, rest) :]
