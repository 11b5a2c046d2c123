"""A text did not leave in time: a person is told, who can still call."""

from collections.abc import Sequence
from uuid import UUID

from gateway.store import flags, leftovers, units
from gateway.store.base import Work


def not_sent(work: Work, message_ids: Sequence[UUID]) -> None:
    """Flag, once, those of the messages that expired and that somebody counts on: about an appointment, by hand, answers."""
    clocks: dict[UUID, units.Clock] = {}
    for row in leftovers.missed(work, message_ids) if message_ids else ():
        if row.unit_id not in clocks:
            clocks[row.unit_id] = units.get(work, row.unit_id).clock
        flags.put(work, unit_id=row.unit_id, reason="not_sent_in_time", client_id=row.client_id, about_id=row.id,
                  dedupe_key=f"not_sent_in_time:{row.id}", clock=clocks[row.unit_id])  # fmt: skip
