"""The states of an outbound message, the lanes, and what an answer or report of the carrier makes of it.

    planned -> submitting -> accepted -> sent -> delivered | failed | expired
    also: unknown (it may have been accepted), cancelled and suppressed (never left)

A state only rises. `submitting` and `unknown` go back to `planned` only when it is proved that nothing was sent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

URGENT, REPLY, BULK = 0, 1, 2
LANES = {URGENT: "urgent", REPLY: "reply", BULK: "bulk"}

# By their rank: `outbound_rank` in the database holds it, and a trigger there lets no state fall.
STATES = ("planned", "submitting", "unknown", "accepted", "sent", "failed", "expired", "delivered", "cancelled", "suppressed")
FINAL = frozenset({"failed", "expired", "delivered", "cancelled", "suppressed"})

# How long after each temporary refusal we try again, bounded by the message's expiry.
RETRY_AFTER = (timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=30))
# Doubling: for a carrier that asks us to slow down, and for answers and alerts, which somebody waits for.
SOON = timedelta(seconds=5)
# Before a carrier is asked about an unknown outcome, its own books must have settled.
SETTLE_DELAY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Settled:
    """What an outcome makes of the message and its attempt; `again_at` when it is planned again."""

    state: str
    attempt: str
    again_at: datetime | None = None


def settle(
    outcome: str, attempts: int, send_before: datetime, now: datetime, *, lane: int = BULK, retry_after_s: int | None = None,
    spread: float = 0.0,
) -> Settled:  # fmt: skip
    """What becomes of a message whose attempt ended with `outcome` (channels.base lists them).

    Only what provably never reached the carrier (`not_sent_retry`), or was refused without processing (`throttled`,
    `channel_down`), is planned again, and only while it can still leave before `send_before`; else it expires.
    `spread` (0..1, from the message's id) is the jitter.
    """
    if outcome == "accepted":
        return Settled("accepted", "accepted")
    if outcome == "unknown":
        return Settled("unknown", "unknown")
    if outcome in ("permanent", "opted_out", "filtered"):
        return Settled("failed", "refused")
    again_at = now + _delay(outcome, attempts, lane, retry_after_s) * (1 + spread / 2)
    return Settled("planned", "not_sent", again_at) if again_at < send_before else Settled("expired", "not_sent")


def _delay(outcome: str, attempts: int, lane: int, retry_after_s: int | None) -> timedelta:
    if retry_after_s is not None:
        return timedelta(seconds=min(retry_after_s, 3600))
    if outcome == "throttled" or lane != BULK:
        return SOON * min(1 << max(attempts - 1, 0), 64 if lane == BULK else 12)
    if outcome == "channel_down":
        return timedelta(minutes=5)
    return RETRY_AFTER[min(max(attempts - 1, 0), len(RETRY_AFTER) - 1)]


def reconcile(semantics: str, attempts: int) -> str:
    """What to do with an unknown message that the carrier, asked, does not show: "again", "wait" (a person decides).

    Sensitive texts leave at most once, since a second copy can expose the client. A reminder gets one more attempt. A
    crisis answer leaves at least once: a second helpline text harms less than silence.
    """
    if semantics == "at_least_once" or (semantics == "once_more" and attempts < 2):
        return "again"
    return "wait"
