"""Appointments: the week of a unit or a worker; book, move, cancel, attended or missed; a worker's day away."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway.domain import cells, windows
from gateway.domain.errors import Refused
from gateway.parts import Gateway
from gateway.store import appointments, clients, staff, units
from gateway.store.appointments import Appointment
from gateway.store.base import Work
from gateway.usecases import book_appointment, clinic_day, current_texts
from gateway.web import guard, page
from gateway.web.maker import read_uuid

MOST = 250


def blueprint(gateway: Gateway) -> Blueprint:
    """The week, one appointment, and what is done with it."""
    routes = Blueprint("appointments", __name__, url_prefix="/appointments")

    @routes.get("/")
    def show() -> str:
        with page.work() as work:
            return _week(work, request.args.get("week", ""), request.args.get("worker", ""), request.args.get("unit", ""))

    @routes.get("/<uuid:appointment>")
    def look(appointment: UUID) -> str:
        with page.work() as work:
            return _one(work, appointments.get(work, appointment))

    @routes.get("/new")
    def new() -> str:
        with page.work() as work:
            client = request.args.get("client", "")
            code = clients.get(work, read_uuid(client)).code if client else ""
            return _form(work, {"client": code, "day": request.args.get("day", ""), "at": "", "worker": "", "id": str(uuid4())})

    @routes.post("/new")
    def book() -> Response | tuple[str, int]:
        _ = page.gettext()
        typed = {name: request.form.get(name, "").strip() for name in ("client", "day", "at", "worker", "id")}
        booked = read_uuid(typed["id"])
        try:
            with page.work() as work:
                if not _is_there(work, booked):  # a second click finds what the first one booked
                    found = clients.by_code(work, cells.clean(typed["client"]))
                    at = _moment(typed["day"], typed["at"], units.get(work, found.unit_id).time_zone)
                    book_appointment.book(work, found, at, _worker(work, typed["worker"]), appointment_id=booked)
        except Refused as refused:
            with page.work() as work:
                return _form(work, typed, refused.told(_)), 400
        page.tell(_("It is booked. Reminders follow by themselves."))
        return page.go("appointments.look", appointment=booked)

    _deeds(routes, gateway)
    _away(routes, gateway)
    return routes


# --- one ------------------------------------------------------------------------------------------------------------


def _deeds(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/<uuid:appointment>/move")
    def move(appointment: UUID) -> Response | tuple[str, int]:
        """To another time, and perhaps to another worker."""
        _ = page.gettext()

        def do(work: Work, found: Appointment) -> str:
            at = _moment(request.form.get("day", ""), request.form.get("at", ""), found.zone)
            worker = _worker(work, request.form.get("worker", ""))
            if worker is not None and worker != found.worker_id:
                appointments.set_worker(work, found.id, worker)
            if at == found.starts_at:
                return _("It is kept.")
            if "tell" in request.form:
                return _("It is moved.") + _said(clinic_day.move_one(work, gateway.vault, gateway.content, found.id, at))
            book_appointment.move(work, found.id, at)
            return _("It is moved. Its reminders follow by themselves.")

        return _do(appointment, do)

    @routes.post("/<uuid:appointment>/cancel")
    def cancel(appointment: UUID) -> Response | tuple[str, int]:
        _ = page.gettext()

        def do(work: Work, found: Appointment) -> str:
            if "tell" in request.form:
                return _("It is cancelled.") + _said(clinic_day.cancel_one(work, gateway.vault, gateway.content, found.id))
            book_appointment.cancel(work, found.id)
            return _("It is cancelled.")

        return _do(appointment, do)

    @routes.post("/<uuid:appointment>/close")
    def close(appointment: UUID) -> Response | tuple[str, int]:
        _ = page.gettext()
        status = "attended" if request.form.get("status") == "attended" else "missed"

        def do(work: Work, found: Appointment) -> str:
            book_appointment.close(work, found.id, status)
            return _("The client came.") if status == "attended" else _("The client did not come.")

        return _do(appointment, do)


def _do(appointment_id: UUID, deed: Any) -> Response | tuple[str, int]:
    """Do it if the appointment is still as its form showed it; else show how it is now."""
    said: list[str] = []

    def act(work: Work) -> None:
        found = appointments.get(work, appointment_id)
        if request.form.get("seen") != _seen(found):
            raise Refused(_changed(found))
        said.append(deed(work, found))

    return page.do(act, lambda why: _again(appointment_id, why), lambda: said[0], "appointments.look", appointment=appointment_id)


def _again(appointment_id: UUID, refused: Refused) -> str:
    with page.work() as work:
        return _one(work, appointments.get(work, appointment_id), refused.told(page.gettext()))


def _seen(found: Appointment) -> str:
    """What a form of an appointment was made from."""
    return f"{found.revision} {found.status}"


def _changed(found: Appointment) -> str:
    _ = page.gettext()
    return _("it has changed since the page was opened: it is now {status}, {at}").format(status=page.retold()(found.status), at=page.when(found.starts_at))


def _said(told: clinic_day.Told) -> str:
    _ = page.gettext()
    if told.reason is None:
        return " " + _("The client is told by text.")
    return " " + _("NOT told by text, please call: {reason}").format(reason=page.retold()(told.reason))


def _one(work: Work, found: Appointment, error: str = "") -> str:
    local = found.starts_at.astimezone(windows.zone_of(found.zone))
    return page.render("appointments/one.html", appointment=found, local=local, seen=_seen(found), workers=sorted(staff.codes(work)),
                       begun=found.starts_at <= work.now, error=error)  # fmt: skip


def _form(work: Work, typed: dict[str, str], error: str = "") -> str:
    return page.render("appointments/new.html", typed=typed, workers=sorted(staff.codes(work)), error=error)


def _is_there(work: Work, appointment_id: UUID) -> bool:
    return appointments.starts_at(work, appointment_id) is not None


def _worker(work: Work, code: str) -> UUID | None:
    return staff.by_code(work, code).id if code else None


def _moment(day: str, at: str, zone: str) -> datetime:
    """The moment that was typed, on the clock of the place. Raises Refused."""
    try:
        return windows.instant(datetime.combine(cells.read_date(day), cells.read_time(at)), zone)
    except Refused as why:
        raise Refused("the time cannot be read: {why}", why=why) from None


# --- a week ---------------------------------------------------------------------------------------------------------


def _week(work: Work, day: str, worker: str, unit: str) -> str:
    """The week of a day, for one worker or unit or all that are seen, day by day on the clock of the member's unit."""
    assert work.actor.unit_id is not None
    zone = units.get(work, work.actor.unit_id).time_zone
    today = work.now.astimezone(windows.zone_of(zone)).date()
    monday = _day(day, today) - timedelta(days=_day(day, today).weekday())
    known, places = staff.codes(work), units.names(work)
    chosen = next((each for each in places if each.code == unit), None)
    found = appointments.list_between(
        work, windows.instant(datetime.combine(monday, time()), zone), windows.instant(datetime.combine(monday + timedelta(days=7), time()), zone),
        worker_id=known.get(worker), unit_id=chosen.id if chosen else None, most=MOST,
    )  # fmt: skip
    days = [monday + timedelta(days=n) for n in range(7)]
    by_day: dict[date, list[tuple[str, Appointment]]] = {each: [] for each in days}
    for each in found:
        local = each.starts_at.astimezone(windows.zone_of(each.zone))
        by_day.setdefault(local.date(), []).append((f"{local:%H:%M}", each))
    return page.render(
        "appointments/week.html", by_day=by_day, monday=monday, today=today, worker=worker if worker in known else "", workers=sorted(known),
        unit=chosen.code if chosen else "", units=places, before=monday - timedelta(days=7), after=monday + timedelta(days=7),
        most=MOST if len(found) == MOST else 0, now=work.now,
    )  # fmt: skip


def _day(typed: str, today: date) -> date:
    try:
        found = date.fromisoformat(typed)
    except ValueError:
        return today
    return found if 1990 < found.year < 2200 else today


# --- a worker is away -----------------------------------------------------------------------------------------------


def _away(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("/away")
    def away() -> str:
        with page.work() as work:
            return page.render("appointments/away.html", workers=sorted(staff.codes(work)), typed={})

    @routes.post("/away")
    def clear() -> Response | str | tuple[str, int]:
        """First whom it concerns and what they are told, then, on the button below that, do it."""
        _ = page.gettext()
        typed = {name: request.form.get(name, "").strip() for name in ("worker", "day", "to", "seen", "do")}
        try:
            return _clear(gateway, typed)
        except Refused as refused:
            with page.work() as work:
                return page.render("appointments/away.html", workers=sorted(staff.codes(work)), typed=typed, error=refused.told(_)), 400


def _clear(gateway: Gateway, typed: dict[str, str]) -> Response | str:
    _ = page.gettext()
    with page.work() as work:
        member = staff.by_code(work, typed["worker"])
        zone = units.get(work, member.unit_id).time_zone
        day, to = cells.read_date(typed["day"]), cells.read_date(typed["to"]) if typed["to"] else None
        codes = sorted(staff.codes(work))
    actor = page.member().actor
    told = clinic_day.preview(gateway.engine, actor, gateway.vault, gateway.content, member.id, day, to, zone, guard.now())
    seen = " ".join(f"{each.appointment.id}:{each.appointment.revision}" for each in told)
    if typed["do"] != "clear":
        with page.work() as work:
            samples = _samples(work, gateway, told, zone, day, to)
        return page.render("appointments/away.html", workers=codes, typed=typed, told=told, seen=seen, samples=samples, zone=zone)
    if typed["seen"] != seen:
        raise Refused("the day has changed since the page was opened: look at it again first")
    with page.work() as work:
        done = (
            clinic_day.cancel(work, gateway.vault, gateway.content, member.id, day, zone) if to is None
            else clinic_day.move(work, gateway.vault, gateway.content, member.id, day, to, zone)
        )  # fmt: skip
    return page.render("appointments/away.html", workers=codes, typed={}, done=done)


def _samples(work: Work, gateway: Gateway, told: Sequence[clinic_day.Told], zone: str, day: date, to: date | None) -> dict[str, str]:
    """What clients read, by language, with the time of the first of them."""
    if not told:
        return {}
    content = current_texts.now(work, gateway.content)
    wall = told[0].appointment.starts_at.astimezone(windows.zone_of(zone)).time()
    at = windows.instant(datetime.combine(to or day, wall), zone)
    purpose = "appointment_moved" if to else "appointment_cancelled"
    spoken = {found.language for each in told if (found := clients.get(work, each.appointment.client_id))}
    return {code: content.sample(purpose, code, at, zone) for code in sorted(spoken) if (purpose, code) in content.templates}
