"""Seal the audit trail, batch by batch, and verify it.

A row gets its number in the chain when it is sealed, not when it is written: transactions commit in another order than they
took their ids, so a row may appear with a smaller id than others that are sealed already, and is sealed then, after them.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from gateway import log
from gateway.domain import trail
from gateway.domain.trail import Fault, Seal
from gateway.store import audit
from gateway.store.base import SYSTEM, unit_of_work

BATCH = 1000
_ONE_AT_A_TIME = [b"audit"]


def seal(engine: Engine, now: datetime | None = None, at_most: int = BATCH) -> int:
    """Seal what was written since the last time, up to 1,000 rows; how many. Its hash goes to the log, out of this database's reach."""
    with unit_of_work(engine, SYSTEM, now, lock=_ONE_AT_A_TIME) as work:
        last = audit.last_seal(work)
        number, end, previous = (last.number, last.last, last.hash) if last else (0, 0, trail.ROOT)
        entries = audit.unsealed(work, end, at_most)
        if not entries:
            return 0
        made = trail.seal(number + 1, previous, entries, work.now)
        audit.add_seal(work, made, entries)
        work.after_commit(lambda: log.info("audit_sealed", seal=made.number, rows=made.last, hash=made.hash.hex()))
    return len(entries)


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of a look at the whole chain. `kept` None: no hash was given to look for."""

    fault: Fault | None
    last: Seal | None
    waiting: int
    waiting_since: datetime | None
    kept: bool | None


def verify(engine: Engine, kept_hash: bytes | None = None) -> Verified:
    """Read every seal and row; sealing waits meanwhile. `kept_hash` is one written down elsewhere: a seal must still have it."""
    with unit_of_work(engine, SYSTEM, lock=_ONE_AT_A_TIME) as work:
        fault = trail.first_fault(audit.seals(work), audit.numbered(work))
        kept = None if kept_hash is None else audit.has_seal(work, kept_hash)
        return Verified(fault, audit.last_seal(work), *audit.waiting(work), kept)
