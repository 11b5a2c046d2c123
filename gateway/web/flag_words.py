"""How flags are spoken of on pages: their lists, the time they have left, and what a client was asked."""

from dataclasses import dataclass
from datetime import datetime

from gateway.domain import flags as rules
from gateway.domain.errors import Refused
from gateway.domain.told import N_
from gateway.parts import Gateway
from gateway.store import sessions
from gateway.store.base import Work
from gateway.store.flags import Flag
from gateway.usecases import read_sessions
from gateway.web import page

SHOW = {
    "open": N_("Open"), "mine": N_("Mine"), "unowned": N_("Nobody's"), "overdue": N_("Overdue"), "handed_up": N_("Gone up"),
    "snoozed": N_("Put off"), "closed": N_("Closed"),
}  # fmt: skip
"""The lists, in their order."""


def time_left(flag: Flag, now: datetime) -> str:
    """The clock to its due time; service hours stand still over night."""
    _ = page.gettext()
    left = rules.left(flag.severity, flag.due_at, now, flag.clock.hours, flag.clock.zone)
    if flag.due_at < now:
        return _("overdue by {time}").format(time=page.span(left))
    said = _("{time} left") if flag.severity == "urgent" or left >= flag.due_at - now else _("{time} of service hours left")
    return said.format(time=page.span(left))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a dialogue asks a client just now, in the words they got, and what they answered before."""

    question: str | None
    answers: list[tuple[str, str]]
    at: datetime


def asked(work: Work, gateway: Gateway, flag: Flag) -> Asked | None:
    """Of a flag about a dialogue; None of any other."""
    run = sessions.find(work, gateway.vault, flag.about_id) if flag.about_id is not None else None
    if run is None:
        return None
    try:
        question = read_sessions.dialogue_at(work, gateway.content, run.dialogue, run.version).text(run.language, run.step)
    except (Refused, LookupError):
        question = None
    return Asked(question, list(run.answers or ()), run.asked_at)
