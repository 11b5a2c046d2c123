"""Whether a client is being lost: from which of their check-ins were answered."""

from collections.abc import Sequence

LOOKED_AT = 16
"""Check-ins that are looked at."""
SILENT_IN_A_ROW = 3
# A drop from the client's own rhythm: of the latest few hardly one answered, by someone who used to answer most.
LATELY, STILL = 4, 1
USED_TO, RHYTHM = 6, 0.75


def is_losing(answered: Sequence[bool]) -> bool:
    """Whether a person should look, after a check-in went unanswered; `answered` has the newest first."""
    if len(answered) >= SILENT_IN_A_ROW and not any(answered[:SILENT_IN_A_ROW]):
        return True
    lately, before = answered[:LATELY], answered[LATELY:]
    return not answered[0] and len(before) >= USED_TO and sum(lately) <= STILL and sum(before) >= RHYTHM * len(before)
