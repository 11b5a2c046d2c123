"""Why a person should look: the closed list of reasons, how grave each is, by when, and how it may end."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from gateway.domain import windows
from gateway.domain.told import N_
from gateway.domain.windows import Window, Zone

Severity = Literal["low", "medium", "high", "urgent"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "urgent")
"""In rising order."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`within`: service hours until it is due; of urgent ones, clock time. `what` is said to staff."""

    severity: Severity
    within: timedelta
    what: str


def _rule(severity: Severity, hours: int, what: str) -> Rule:
    return Rule(severity, timedelta(hours=hours), what)


# The supervisor is called when nobody has taken an urgent flag by then.
AT_ONCE = timedelta(minutes=5)

RULES: dict[str, Rule] = {
    # Somebody may be in danger, or nobody knows what was written: whoever is on duty is alerted at once.
    "crisis": Rule("urgent", AT_ONCE, N_("words that may mean danger to life")),
    "deciding_failed": Rule("urgent", AT_ONCE, N_("a text that the program could not handle; nobody has read it yet")),
    "alert_failed": Rule("urgent", AT_ONCE, N_("an alert to the person on duty did not get through")),
    "channel_stopped": Rule("urgent", AT_ONCE, N_("a channel was stopped by a fault, and sends nothing, or nothing to some country: see Channels")),
    # Today: a person waits, or texting is paused until a person decides.
    "channels_troubled": _rule("high", 2, N_("a channel works badly, and so do all that could help it out: see Channels")),
    "crisis_in_doubt": _rule("high", 2, N_("words that may, or may not, mean danger to life")),
    "callback": _rule("high", 4, N_("asks to be called")),
    "low_mood": _rule("high", 4, N_("answered that they feel low or can hardly cope")),
    "losing_touch": _rule("high", 8, N_("answers less and less, or not any more; call, or go and see")),
    "not_well": _rule("high", 4, N_("answered that they are not well")),
    "stop_in_doubt": _rule("high", 4, N_("may want no more texts; sending is paused")),
    "wrong_number": _rule("high", 8, N_("somebody else may have this phone; sending is paused")),
    "zone_unknown": _rule("high", 8, N_("this unit's time zone was not known; that of the unit above is used now: see whether it is right")),
    # Within a working day or so.
    "reschedule": _rule("medium", 8, N_("asks for another appointment time")),
    "declined": _rule("medium", 8, N_("will not come to the appointment")),
    "meant_the_visit": _rule("medium", 4, N_("cancelled: the visit, or the texts?")),
    "no_reply": _rule("medium", 8, N_("did not answer; call and ask how they are")),
    "which_person": _rule("medium", 4, N_("several people share the phone; whose answer is it?")),
    "other_text": _rule("medium", 8, N_("wrote something that no rule understands")),
    "info": _rule("medium", 8, N_("asks for information")),
    "referral": _rule("medium", 16, N_("wants to be put in touch with a service; ask for their consent first")),
    "loop": _rule("medium", 8, N_("too many texts back and forth; automatic answers are muted")),
    "cannot_reach": _rule("medium", 8, N_("texts do not reach this phone")),
    "not_sent_in_time": _rule(
        "medium", 4, N_("a text was not sent in time, or the client did not ask for it after “you have a message”")
    ),
    "delivery_unknown": _rule(
        "medium", 8, N_("nobody knows whether a text went out; it is not sent again by itself")
    ),
    "language_missing": _rule("medium", 8, N_("there is no text in the client's language")),
    "no_open_hours": _rule(
        "medium", 8, N_("the hours of unit and client have nothing in common; nothing can be sent")
    ),
    # When there is time.
    "day_not_confirmed": _rule("low", 16, N_("did not say whether the daily visit took place")),
    "unknown_sender": _rule("low", 16, N_("a text from a phone that nobody is registered with")),
    "number_to_verify": _rule("low", 24, N_("somebody else may have the number by now; sending is paused, ask the client whether it is theirs")),
    "report_not_understood": _rule("low", 24, N_("the carrier reported something that is not in its documents")),
}

SILENT = ("losing_touch", "no_reply")
"""Reasons to call somebody who does not answer."""

OUTCOMES: dict[str, str] = {
    "spoke_to_client": N_("spoke to the client"),
    "client_safe": N_("the client is safe"),
    "emergency_called": N_("emergency help was called"),
    "handed_on": N_("handed on to another service or colleague"),
    "answered_by_text": N_("answered by text"),
    "rescheduled": N_("appointment changed"),
    "texts_stopped": N_("the client wants no texts"),
    "details_corrected": N_("number, hours or language corrected"),
    "not_reached": N_("tried, could not reach the client"),
    "no_action": N_("nothing to do"),
    "raised_by_mistake": N_("raised by mistake"),
}
"""How a flag may end; closing one takes one of these."""


def rank(severity: Severity) -> int:
    """0 for low to 3 for urgent, to sort by."""
    return SEVERITIES.index(severity)


def due_at(reason: str, opened_at: datetime, hours: Window | None, zone: Zone) -> datetime:
    """When the flag is overdue: after its time in the unit's service hours, which stand still over night.

    Urgent flags, and those of a unit that never opens, go by the clock. An unknown reason is a KeyError.
    """
    rule = RULES[reason]
    if rule.severity == "urgent" or windows.never_opens(hours):
        return opened_at + rule.within
    opens_at, left = windows.next_open(hours, zone, opened_at), rule.within
    while opens_at + left > (closes_at := windows.last_moment(hours, zone, opens_at)):
        left -= closes_at - opens_at
        opens_at = windows.next_open(hours, zone, closes_at)
    return opens_at + left


def reads_at(now: datetime, hours: Window | None, zone: Zone, holidays: Collection[date] = ()) -> datetime | None:
    """When somebody is there to read: None if the unit is open now, or never closes; else when it opens on a day that is no
    holiday, as far as those are known."""
    if hours is None or windows.never_opens(hours):
        return None
    opens_at, clock = windows.next_open(hours, zone, now), windows.zone_of(zone)
    while (day := opens_at.astimezone(clock).date()) in holidays:
        opens_at = windows.next_open(hours, zone, windows.instant(datetime.combine(day + windows.DAY, time()), zone))
    return None if opens_at <= now else opens_at


def left(severity: str, due_at: datetime, now: datetime, hours: Window | None, zone: Zone) -> timedelta:
    """The time until it is due, as it is counted: service hours, or of an urgent one clock time. Below zero: overdue since."""
    if severity == "urgent" or due_at <= now:
        return due_at - now
    return windows.open_time(hours, zone, now, due_at)
