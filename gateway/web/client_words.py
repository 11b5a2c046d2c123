"""What a client's page gathers and reads from its forms, apart from how it is shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import request
from markupsafe import Markup

from gateway.domain import windows
from gateway.domain.errors import NotFound, Refused
from gateway.domain.scales import Scale
from gateway.domain.told import N_, Gettext
from gateway.parts import Gateway
from gateway.store import appointments, clients, consents, sessions, threads, units
from gateway.store.base import Work
from gateway.store.clients import Found
from gateway.store.scores import Score
from gateway.usecases import book_appointment, change_client, clinic_day, reply_to_client
from gateway.web import charts, forms, page


def zone_of_unit(work: Work, found: Found) -> str:
    """On whose clock appointments are."""
    return units.get(work, found.unit_id).time_zone


def others_on_phones(work: Work, found: Found) -> list[Found]:
    """Clients of the reader's units who share a phone with this one."""
    shared = {each.id: each for hashed in clients.phone_hashes(work, found.id) for each in clients.by_phone_hash(work, hashed)}
    return [each for each in shared.values() if each.id != found.id]


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop on one of a client's phones. `word` is what they texted; None where somebody else wrote it down, or it cannot be read."""

    reason: str
    source: str
    at: datetime
    by: str | None
    word: str | None


def stops(work: Work, gateway: Gateway, found: Found) -> list[Stop]:
    """Who stopped, when, and by which word."""
    rows = consents.stops(work, clients.phone_hashes(work, found.id))
    return [
        Stop(row.reason, row.source, row.stopped_at, row.by,
             threads.received(work, gateway.vault, row.source_id)[0] if row.source == "inbound" and row.source_id else None)
        for row in rows
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class CheckIn:
    """One check-in: what was answered, None for silence, and how tall and of what kind its bar is."""

    at: datetime
    what: str
    answer: str | None
    height: float | None
    kind: str


def check_ins(single: Sequence[Any], runs: Sequence[sessions.Run], most: int = 24) -> list[CheckIn]:
    """The latest, the oldest first: those of one question, and dialogues with what was answered in them."""
    found = [_check_in(row.at, row.purpose, row.value) for row in single]
    for run in runs:
        answers = [value for _, value in run.answers or ()]
        first = _check_in(run.started_at, run.dialogue, answers[0] if answers else None)
        found.append(CheckIn(first.at, first.what, ", ".join(answers) or None, first.height, first.kind))
    return sorted(found, key=lambda each: each.at)[-most:]


def _check_in(at: datetime, what: str, value: str | None) -> CheckIn:
    if value is None:
        return CheckIn(at, what, None, None, "silence")
    if value in ("yes", "no"):
        return CheckIn(at, what, value, 1.0 if value == "yes" else 0.3, "good" if value == "yes" else "bad")
    figure = int(value) if value.isascii() and value.isdigit() and len(value) < 3 else None
    return CheckIn(at, what, value, 0.6 if figure is None else min(figure / 5, 1.0), "plain")


def score_chart(scale: Scale, kept: Sequence[Score], _: Gettext) -> Markup:
    """How a score goes over time, with the line from which on a recovery that lasts is likelier."""
    size = scale.high - scale.low
    points = [((each.value - scale.low) / size, f"{each.on}: {each.value}") for each in kept if each.value is not None]
    return charts.line(points, _("{scale} over time").format(scale=scale.name), (scale.cut_off - scale.low) / size)


def change_appointment(work: Work, gateway: Gateway, found: Found) -> str | None:
    """What the form about one appointment wants. The reason why the client was not told, where they were to be."""
    try:
        kept = appointments.get(work, UUID(forms.field("appointment", 40)))
    except ValueError:
        raise Refused("This form is too old, or was opened in another browser. Go back, reload the page and send it again.") from None
    if kept.client_id != found.id:
        raise NotFound("no such appointment in your units")
    wanted, tell = forms.field("do"), forms.field("tell") == "yes"
    if wanted in ("attended", "missed"):
        book_appointment.close(work, kept.id, wanted)
        return None
    if kept.revision != forms.whole("revision"):
        raise Refused("this appointment has changed while the page was open: look when it is now")
    if wanted == "cancel":
        if tell:
            return clinic_day.cancel_one(work, gateway.vault, gateway.content, kept.id).reason
        book_appointment.cancel(work, kept.id)
        return None
    starts_at = forms.moment("starts_at", kept.zone)
    if tell:
        return clinic_day.move_one(work, gateway.vault, gateway.content, kept.id, starts_at).reason
    book_appointment.move(work, kept.id, starts_at)
    return None


def draft(gateway: Gateway, find: Callable[[Work], Found], shown: Callable[..., str]) -> str:
    """What is typed to a client, counted as it would be sent; or a text of the library, put into the field of the page that `shown` gives."""
    is_fill = request.form.get("do") == "fill"
    with page.work() as work:
        found = find(work)
        words = reply_to_client.canned(work, gateway.vault, gateway.content, found).get(forms.field("canned")) if is_fill else None
        typed = words or forms.field("text")
        made = reply_to_client.draft(work, gateway.vault, gateway.content, found, typed)
    if "HX-Request" in request.headers and not is_fill:
        return page.render("clients/count.html", draft_of=made)
    return shown(draft=typed, draft_of=made)


def set_date(work: Work, gateway: Gateway, found: Found) -> None:
    """Keep a day of a client that programmes count from, or forget it."""
    name = forms.field("name", 61)
    change_client.set_date(work, gateway.vault, found, name, forms.day("day") if forms.field("day") else None)


def local(at: datetime, zone: str) -> str:
    """A moment as the field for one takes it."""
    return at.astimezone(windows.zone_of(zone)).strftime("%Y-%m-%dT%H:%M")



_SOURCES = {
    "inbound": N_("by their own text"), "staff": N_("written down by {by}"), "import": N_("from a register"), "carrier": N_("by the carrier"),
}  # fmt: skip
_STOPS = {
    "stop": N_("wants no texts"), "in_doubt": N_("perhaps wants no texts; somebody should ask"), "wrong_number": N_("somebody else may have the phone"),
    "carrier": N_("the carrier says so"),
}  # fmt: skip


def source(row: Any) -> str:
    """Where a change of consent came from: a row with `source` and `by`."""
    _ = page.gettext()
    return _(_SOURCES.get(row.source, row.source)).format(by=row.by or _("somebody above your unit"))


def stop(row: Stop) -> str:
    """Why, since when and through whom a phone is stopped."""
    return f"{page.gettext()(_STOPS.get(row.reason, row.reason))}, {page.when(row.at)}, {source(row)}"
