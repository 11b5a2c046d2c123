"""The lines there are, by road."""

from collections.abc import Callable

from gateway.channels.base import Road, WireRequest
from gateway.wire import Wire
from gateway.wire.smpp import Bind

IN_LINE = 350
"""Requests that may wait beside those the carrier takes at once: what one claim may bring (usecases/send_due.py)."""


def opened(
    road: Road, hold: WireRequest, http: Wire, outcomes_written: Callable[[], object], connect_s: float, read_s: float
) -> Wire:
    """A wire over the line that `hold` describes; it opens by itself, again and again. Close it at the end.

    `http` carries what comes in to our own callbacks. Raises OSError when a file of certificates cannot be read.
    """
    assert road == "smpp"
    return Wire(
        IN_LINE, connect_s, read_s, over=lambda loop, limits: Bind(loop, limits, hold, http, outcomes_written)
    ).start()
