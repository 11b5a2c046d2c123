"""What a ring does: the dotted path that `gateway.queues` names. Thin: it calls a use case."""

from uuid import UUID

from gateway import log
from gateway.usecases.send_due import Sender

_sender: Sender | None = None


def serve(sender: Sender) -> None:
    """Let rings of this process go to its sender."""
    global _sender
    _sender = sender


def send_due(channel_id: str) -> int:
    """Send what is due on a channel; how many were handed to the wire. Running it twice sends nothing twice.

    Raises nothing: RQ would write the error's words into Redis. The worker polls, so nothing is lost by it.
    """
    assert _sender is not None, "send_due runs in a worker started by `python -m workers.main send`"
    try:
        return _sender.due(UUID(channel_id))
    except Exception as error:
        log.error("claim_failed", error)
        return 0
