"""Somebody else may have a client's phone: nothing of our own accord is sent to it until a person has asked whose it is."""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from gateway.domain.told import N_
from gateway.store import clients, flags, messages, phones
from gateway.store.base import SYSTEM, Work, unit_of_work

QUIET_FOR = timedelta(days=90)
"""Carriers give a number to somebody else after 45 days or more."""
BATCH = 200
WRONG_NUMBER = N_("whoever has it said that it is a wrong number")
PIN_LOCKED = N_("five wrong PINs were typed on it")
QUIET = N_("nothing was heard of the client for 90 days")


def doubt(work: Work, phone_hash: bytes, why: str) -> None:
    """Cancel what campaigns have planned for the phone, let nothing new be planned, and put it in front of staff, once.

    Takes the clients' rows first, as a stop does: a planner that holds them commits before us, one that comes after sees the doubt.
    """
    clients.lock_on_phone(work, phone_hash)
    doubted = phones.doubt(work, phone_hash, why)
    if doubted:
        messages.cancel_bulk_for_phone(work, phone_hash, N_("number to be verified"))
    for client_id, unit_id in doubted:
        flags.put(work, unit_id=unit_id, reason="number_to_verify", client_id=client_id,
                  dedupe_key=f"number_to_verify:{client_id}:{work.now.isoformat()}")  # fmt: skip


def doubt_quiet(engine: Engine, now: datetime | None = None) -> int:
    """Doubt the phones of clients whom we text and of whom nothing was heard for 90 days, up to 200 of them; how many."""
    with unit_of_work(engine, SYSTEM, now) as work:
        quiet = phones.list_quiet(work, work.now - QUIET_FOR, BATCH)
    for phone_hash in quiet:  # each by itself: nobody waits for the clients of all the others
        with unit_of_work(engine, SYSTEM, now) as work:
            doubt(work, phone_hash, QUIET)
    return len(quiet)
