"""One open dialogue a client: which one goes first."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from gateway.domain.dialogues.definition import Dialogue
from gateway.domain.errors import Refused


class Live(Protocol):
    """A session that is open or suspended."""

    @property
    def id(self) -> UUID: ...
    @property
    def dialogue(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def urgency(self) -> int: ...


def make_room(dialogue: Dialogue, live: Iterable[Live]) -> dict[UUID, str]:
    """What becomes of a client's sessions when this dialogue begins: suspended or ended, by id.

    A more urgent dialogue suspends one whose question waits; one of equal urgency is not asked over it. A question that a
    person has taken on, and an older run of the same dialogue behind another, make room for good. Raises Refused.
    """
    becoming = {}
    for each in live:
        if each.status == "waiting" and each.urgency <= dialogue.urgency:
            raise Refused("another dialogue is open: {dialogue}", dialogue=each.dialogue)
        if each.status == "waiting":
            becoming[each.id] = "suspended"
        elif each.status == "with_person" or each.dialogue == dialogue.name:
            becoming[each.id] = "ended"
    return becoming


def waits_behind(dialogue: Dialogue, live: Iterable[Live]) -> bool:
    """Whether a question of its own accord is put only once a more urgent one is over, that waits for its answer now."""
    return any(each.status == "waiting" and each.urgency < dialogue.urgency for each in live)


ASKS_NOTHING = frozenset({"crisis", "crisis_in_doubt", "stop_in_doubt", "deciding_failed", "wrong_number"})
"""Why persons look that keeps every question back, for as long as they have not said what came of it."""


def goes_on(open_flags: Iterable[str], left_at: datetime | None, silence: timedelta, now: datetime) -> bool:
    """Whether a suspended dialogue goes on that waits behind one left to a person at `left_at` (None: behind none).

    It does when the person is done with everything about the client, and after `silence` even if nobody ever says so.
    """
    reasons = set(open_flags)
    if reasons & ASKS_NOTHING:
        return False
    return left_at is None or not reasons or now >= left_at + silence
