"""Whether a due message may leave now: send it, hold it until a moment, or drop it, and why. Asked on locked rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gateway.domain import messages, windows
from gateway.domain.caps import Cap
from gateway.domain.told import N_
from gateway.domain.windows import Window, Zone

# What a stopped phone may still get: the one confirmation, the one question whether stop was meant, and answers to its own words.
EVEN_WHEN_STOPPED = frozenset({"stop_confirmed", "stop_doubt", "wrong_number_noted", "help", "crisis_answer"})

# To the phones of staff, whatever they texted.
TO_STAFF = frozenset({"staff_alert", "staff_alert_yours", "staff_alert_taken", "staff_phone_changed"})

# A machine that talks to itself: RapidPro stops at 20 equal texts in 5 minutes, the Community Health Toolkit at 5 in 30.
IDENTICAL_IN_HALF_AN_HOUR = 5
AUTOMATIC_IN_AN_HOUR = 20
NO_CAP = Cap()  # beyond the one for all


@dataclass(frozen=True, slots=True)
class Due:
    """A message whose time has come, with what bears on it, read while its row and its client's are locked."""

    id: UUID
    purpose: str
    consent_purpose: str | None
    lane: int
    send_before: datetime
    exempt_until: datetime | None
    to_staff: bool
    client_status: str | None  # None: no client
    stopped: str | None
    consented: bool
    in_flight: bool
    hours: tuple[Window | None, Window | None]  # the unit's, the client's
    zone: Zone
    campaign_state: str | None
    identical_in_half_an_hour: int
    automatic_in_an_hour: int
    bulk_today: int
    bulk_this_week: int = 0
    cap: Cap = NO_CAP


@dataclass(frozen=True, slots=True)
class Verdict:
    """`send`, `hold` (until `until`) or `drop` (into `state`), and the reason that staff read."""

    action: str
    reason: str = ""
    until: datetime | None = None
    state: str = ""


SEND = Verdict("send")


def judge(due: Due, now: datetime, sending_on: bool) -> Verdict:
    """Whether the message leaves now. Urgent texts pass everything but expiry, a person's stop and the loop guard."""
    if now >= due.send_before:
        return Verdict("drop", N_("its time passed"), state="expired")
    if due.stopped and due.purpose not in EVEN_WHEN_STOPPED and not due.to_staff:
        return Verdict("drop", N_("opted out ({why})").format(why=due.stopped), state="suppressed")
    if (looping := _looping(due)) is not None:
        return looping
    if due.lane == messages.URGENT:
        return SEND
    if not sending_on:
        return _hold_or_expire(due, now + timedelta(seconds=30), N_("sending is switched off"))
    return _about_the_client(due, now) or _about_the_hour(due, now) or SEND


def _looping(due: Due) -> Verdict | None:
    """Five equal texts to one phone, or twenty automatic ones in an hour: stop, except a crisis answer or an alert."""
    if due.lane == messages.URGENT:
        return None
    if due.identical_in_half_an_hour >= IDENTICAL_IN_HALF_AN_HOUR:
        return Verdict("drop", N_("loop guard: the same text again and again"), state="suppressed")
    if due.automatic_in_an_hour >= AUTOMATIC_IN_AN_HOUR:
        return Verdict("drop", N_("loop guard: too many texts in an hour"), state="suppressed")
    return None


def _about_the_client(due: Due, now: datetime) -> Verdict | None:
    if due.in_flight:
        return Verdict("hold", N_("another text to this client is on its way"), until=now + timedelta(seconds=2))
    if due.campaign_state == "cancelled":
        return Verdict("drop", N_("campaign cancelled"), state="cancelled")
    if due.campaign_state == "paused":
        return _hold_or_expire(due, now + timedelta(seconds=30), N_("campaign paused"))
    if due.lane == messages.REPLY:
        return None  # answers to the client's own text need no consent and no active status
    if due.client_status == "closed":
        return Verdict("drop", N_("client closed"), state="suppressed")
    if due.client_status == "paused":
        return _hold_or_expire(due, now + timedelta(hours=1), N_("client paused"))
    if due.consent_purpose and not due.consented:
        return Verdict("drop", N_("no consent for {consent}").format(consent=due.consent_purpose), state="suppressed")
    enough = due.cap.reached(due.bulk_today, due.bulk_this_week)
    return _hold_or_expire(due, now + timedelta(hours=1), enough) if enough else None


def _about_the_hour(due: Due, now: datetime) -> Verdict | None:
    if due.to_staff or (due.exempt_until is not None and now < due.exempt_until):
        return None
    window = windows.narrower(*due.hours)
    opens_at = windows.next_open(window, due.zone, now)
    return None if opens_at <= now else _hold_or_expire(due, opens_at, N_("quiet hours"))


def _hold_or_expire(due: Due, until: datetime, reason: str) -> Verdict:
    if until >= due.send_before:
        return Verdict("drop", N_("{reason}; its time passes before then").format(reason=reason), state="expired")
    return Verdict("hold", reason, until=until)

