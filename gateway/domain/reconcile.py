"""Which of a carrier's messages are the ones whose outcome we never heard."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

# The carrier's clock and ours may differ, and a request may wait before it is processed.
EARLIER = timedelta(seconds=30)
LATER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Unknown:
    """An attempt that may have been accepted."""

    token: UUID
    body: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """A message that the carrier's list shows and that no attempt of ours claims yet."""

    carrier_id: str
    body: str
    created_at: datetime | None


def match(unknowns: Sequence[Unknown], shown: Sequence[Shown]) -> dict[UUID, str]:
    """Attempt -> carrier id, each message for one attempt at most, all to one phone.

    Same text, made within a quarter of an hour after the attempt began; the earliest attempt takes the earliest message.
    Equal texts are alike to the client, so which attempt takes which message does not matter, only how many do.
    """
    free = sorted(shown, key=lambda s: (s.created_at is None, s.created_at))
    matched: dict[UUID, str] = {}
    for unknown in sorted(unknowns, key=lambda u: u.started_at):
        found = next((s for s in free if s.body == unknown.body and _in_time(unknown, s)), None)
        if found is not None:
            free.remove(found)
            matched[unknown.token] = found.carrier_id
    return matched


def _in_time(unknown: Unknown, shown: Shown) -> bool:
    if shown.created_at is None:
        return True
    return unknown.started_at - EARLIER <= shown.created_at <= unknown.started_at + LATER
