"""What became of a text of ours, and what was done with a flag, in words that need no training."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.channels import registry
from gateway.domain.told import N_, Gettext
from gateway.store.threads import Said
from gateway.web import page

_STATES = {
    "submitting": N_("is being sent"), "unknown": N_("nobody knows whether it went out"), "accepted": N_("passed to the carrier"),
    "sent": N_("passed to the network"), "failed": N_("could not be delivered"), "expired": N_("not sent: its time passed"),
    "cancelled": N_("cancelled before it was sent"), "suppressed": N_("held back, not sent"),
}  # fmt: skip


def state(said: Said, now: datetime, _: Gettext) -> str:
    """The state of a text of ours, with the moment or the reason that matters; "" of theirs."""
    if said.incoming:
        return ""
    why = page.shown(said.reason) if said.reason else ""
    if said.state == "planned":
        words = _planned(said, now, why, _)
    elif said.state == "delivered":
        receipts = registry.by_kind(said.channel_kind).capabilities.receipts_of(said.country)
        words = _("delivered to the phone") if receipts == "handset" else _("passed to the network")
        why = ""
    else:
        words = _(_STATES[said.state])
    if said.state in ("failed", "expired", "cancelled", "suppressed", "unknown") and why:
        return f"{words} ({why})"
    return words


def _planned(said: Said, now: datetime, why: str, _: Gettext) -> str:
    if said.waits:
        return _("waits until the client answers “you have a message”")
    if said.send_after is not None and said.send_after > now:
        held = _("held until {time}") if why else _("planned for {time}")
        return held.format(time=page.clock(said.send_after)) + (f" ({why})" if why else "")
    return _("about to leave") + (f" ({why})" if why else "")


_DEEDS = {
    "flag.take": N_("taken"), "flag.assign": N_("assigned to {to}"), "flag.label": N_("label changed"), "flag.note": N_("note written"),
    "flag.snooze": N_("put off until {until}"), "flag.reply": N_("client answered by text"), "flag.call": N_("number shown for a call"),
    "flag.close": N_("closed: {outcome}"), "flag.overdue": N_("overdue, and now with the supervisors too"),
}  # fmt: skip


def deed(action: str, detail: Mapping[str, Any], outcomes: Mapping[str, str], _: Gettext) -> str:
    """A line of a flag's history."""
    values = {"to": detail.get("to", "?"), "outcome": _(outcomes.get(detail.get("outcome", ""), "?")), "until": ""}
    if "until" in detail:
        values["until"] = page.when(datetime.fromisoformat(detail["until"]))
    return _(_DEEDS.get(action, action)).format(**values)
