"""What became of a text of ours, and what was done with a flag, in words that need no training."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.channels import base, registry
from gateway.domain.told import N_, Gettext
from gateway.store import channels
from gateway.store.threads import Said
from gateway.web import page

_STATES = {
    "submitting": N_("is being sent"), "unknown": N_("nobody knows whether it went out"), "accepted": N_("passed to the carrier"),
    "sent": N_("passed to the network"), "failed": N_("could not be delivered"), "expired": N_("not sent: its time passed"),
    "cancelled": N_("cancelled before it was sent"), "suppressed": N_("held back, not sent"),
}  # fmt: skip


def thread(texts: Sequence[Said], now: datetime, _: Gettext) -> list[tuple[Said, str]]:
    """Texts, each with what became of it."""
    can = _abilities({(said.channel_id, said.channel_kind) for said in texts if said.state == "delivered"})
    return [(said, _state(said, now, can, _)) for said in texts]


def _abilities(of: set[tuple[UUID | None, str]]) -> dict[UUID | None, base.Capabilities]:
    """What channels can do; one of a kind that is no more is left out. Where settings say it they are read, as the system: they are secret."""
    can: dict[UUID | None, base.Capabilities] = {}
    for channel_id, kind in of:
        if channel_id is not None and registry.vary(kind):
            with page.system() as work:
                can[channel_id] = registry.capabilities(kind, channels.get(work, page.gateway().vault, channel_id).settings)
        elif kind in registry.kinds():
            can[channel_id] = registry.by_kind(kind).capabilities
    return can


def _state(said: Said, now: datetime, can: Mapping[UUID | None, base.Capabilities], _: Gettext) -> str:
    """The state of a text of ours, with the moment or the reason that matters; "" of theirs."""
    if said.incoming:
        return ""
    why = page.shown(said.reason) if said.reason else ""
    if said.state == "planned":
        words = _planned(said, now, why, _)
    elif said.state == "delivered":
        is_there = said.channel_id in can and can[said.channel_id].receipts_of(said.country) == "handset"
        words = _("delivered to the phone") if is_there else _("passed to the network")
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
