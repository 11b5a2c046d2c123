"""Keep the score of a questionnaire that staff went through with a client, face to face. The questions are never asked by text."""

from datetime import date

from gateway.domain import scales, windows
from gateway.domain.errors import Refused
from gateway.store import audit, clients, scores
from gateway.store.base import Work
from gateway.vault import Vault


def enter(work: Work, vault: Vault, found: clients.Found, scale: str, value: int, on: date | None = None) -> tuple[date, bool]:
    """The day it is kept for, today where none is given, and whether it is the first of that day. Raises Refused."""
    if scale not in scales.SCALES:
        raise Refused("choose which questionnaire it is")
    scales.checked(scales.SCALES[scale], value)
    today = work.now.astimezone(windows.zone_of(found.zone)).date()
    day = on or today
    if day > today:
        raise Refused("the day of the meeting is still to come")
    new = scores.enter(work, vault, found.id, scale, day, value)
    audit.add(work, "client.score", "client", found.id, found.unit_id, {"scale": scale, "on": day.isoformat()},
              private=audit.private(work, vault, found.id, {scale: value}))  # fmt: skip
    return day, new
