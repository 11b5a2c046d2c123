"""The lines there are, by road, and how much may wait at each."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from gateway.channels.base import Road, WireRequest
from gateway.wire import Wire
from gateway.wire.files import Folders
from gateway.wire.smpp import Bind

FILES_LEAVE_S, FILES_SENT_S = 20.0, 60.0
"""A modem takes seconds for a text. Together less than the time after which a claim counts as a dead process's."""
WIDE = 50
"""From this window on, enough waits in line to keep it full while the next is claimed."""


@dataclass(frozen=True, slots=True)
class Line:
    """A wire over what is held open, and what one claim for it may bring."""

    wire: Wire
    batch: int
    spare: int


def opened(
    road: Road, hold: WireRequest, http: Wire, outcomes_written: Callable[[], object], connect_s: float, read_s: float
) -> Line:
    """A line as `hold` describes it; it opens by itself, again and again. Close its wire at the end.

    `http` carries what comes in to our own callbacks. Raises OSError when a file of certificates or a folder cannot be used.
    """
    if road == "files":
        return Line(Wire(2, FILES_LEAVE_S, FILES_SENT_S, over=lambda loop, limits: Folders(loop, limits, hold, http)).start(), 1, 1)
    # What waits in line may still be stopped, and alerts overtake it there: no more than leaves soon. Who grants a wide window takes thousands a second.
    window = json.loads(hold.body)["window"]
    batch, spare = min(max(2 * window, 20), 250), min(max(window, 10), 100)
    ahead = 4 * window if window >= WIDE else 0
    wire = Wire(batch + spare + ahead, connect_s, read_s, over=lambda loop, limits: Bind(loop, limits, hold, http, outcomes_written))
    return Line(wire.start(), batch, spare)
