"""Long texts that come in parts, in any order, some twice, some never: which belong together, and what they say."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

GAP = " […] "
"""Stands for parts that did not come."""
WAIT = timedelta(seconds=60)  # for the next part; then the text is understood without it
REPEATED_WITHIN = timedelta(hours=1)
MOST = 255
# Each half alone is nothing that can be kept but as these words (channels.base.well_formed).
_HALVES = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Kept:
    """A part that came, of the text `inbound_id`; `open`: that one is not understood yet."""

    inbound_id: UUID
    number: int
    carrier_id: str
    body_hash: bytes
    came_at: datetime
    open: bool


def is_part(number: int, total: int) -> bool:
    """Whether the numbers make sense; otherwise it is taken for a whole text."""
    return 1 < total <= MOST and 1 <= number <= total


def repeats(number: int, carrier_id: str, body_hash: bytes, kept: Sequence[Kept], now: datetime) -> UUID | None:
    """The text in which this part came before; None when it did not. `kept` are those of its phone, reference and total.

    For an hour its id or its words are enough, then both: phones use a reference again, and some carriers an id.
    """

    def same(each: Kept) -> bool:
        told = (each.carrier_id == carrier_id, each.body_hash == body_hash)
        return any(told) if now - each.came_at < REPEATED_WITHIN else all(told)

    return next((each.inbound_id for each in kept if each.number == number and same(each)), None)


def belongs_to(number: int, kept: Sequence[Kept], now: datetime) -> UUID | None:
    """The text that waits for this part. A phone uses a reference again: what waited for too long, or has the part, is another text."""
    texts: dict[UUID, list[Kept]] = {}
    for each in sorted(kept, key=lambda each: each.came_at):
        texts.setdefault(each.inbound_id, []).append(each)
    for inbound_id, parts in reversed(texts.items()):
        waits = all(each.open for each in parts) and now - max(each.came_at for each in parts) <= WAIT
        if waits and all(each.number != number for each in parts):
            return inbound_id
    return None


def join(bodies: Mapping[int, str], total: int) -> str:
    """What came, in its order, with a mark where something is missing. A letter that a phone cut in two (an emoji) is whole again."""
    said: list[str] = []
    for number in range(1, total + 1):
        piece = bodies.get(number, GAP)
        if piece != GAP or not said or said[-1] != GAP:
            said.append(piece)
    return _HALVES.sub(lambda halves: (chr(int(halves[1], 16)) + chr(int(halves[2], 16))).encode("utf-16", "surrogatepass").decode("utf-16"), "".join(said))
