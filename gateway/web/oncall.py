"""On call: who hears of urgent flags, in which order and hours, and whether somebody would just now."""

from uuid import UUID, uuid4

from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway import parts
from gateway.domain.errors import Refused
from gateway.parts import Gateway
from gateway.store import escalations, staff, units
from gateway.store.base import Work
from gateway.store.units import Unit
from gateway.usecases import second_way, set_on_call
from gateway.web import page

NEW_PLACES = 3
"""Empty lines at the end of a list."""


def blueprint(gateway: Gateway) -> Blueprint:
    """The lists, the list of one unit, and a test of the second way."""
    routes = Blueprint("oncall", __name__, url_prefix="/on-call")

    @routes.get("")
    def show() -> str | Response:
        with page.work() as work:
            if code := request.args.get("unit"):
                return page.go("oncall.look", unit=units.by_code(work, code).id)
            seen, places = units.names(work), escalations.places(work)
        with page.system() as work:
            bare = set(escalations.uncovered(work, work.now)) & {unit.code for unit in seen}
        lists = [(unit, own) for unit in seen if (own := [place for place in places if place.unit_code == unit.code])]
        return page.render("oncall/list.html", lists=lists, uncovered=sorted(bare), units=seen)

    @routes.get("/<uuid:unit>")
    def look(unit: UUID) -> str:
        with page.work() as work:
            return _look(units.by_id(work, unit))

    @routes.post("/<uuid:unit>")
    def save(unit: UUID) -> Response | tuple[str, int]:
        _ = page.gettext()
        with page.work() as work:
            home = units.by_id(work, unit)
        typed = zip(request.form.getlist("staff"), request.form.getlist("hours"), strict=False)
        people = [(code, hours.strip()) for code, hours in typed if code]
        silent: list[str] = []

        def act(work: Work) -> None:
            silent[:] = set_on_call.set_places(work, gateway.vault, home, people, page.member().actor)[1]

        def said() -> str:
            kept = _("The list of {unit} is saved.").format(unit=home.code)
            return kept + (" " + _("No phone on file, so alerts go to the next person: {codes}.").format(codes=", ".join(silent)) if silent else "")

        return page.do(act, lambda why: _look(home, why.told(page.retold()), people), said, "oncall.look", opened=page.system, unit=unit)

    @routes.post("/test")
    def test() -> Response:
        """By the second way: e-mail and webhook, as far as they are set up."""
        _ = page.gettext()
        alarm = second_way.Alarm(uuid4(), "test", second_way.words(gateway.content, "test"))
        told = parts.second_way(gateway.settings).tell(alarm)
        if told is None:
            raise Refused("the second way did not work: the log says why")
        page.tell(_("The second way: {told}."), told=page.retold()(told))
        return page.go("oncall.show")

    return routes


def _look(home: Unit, error: str = "", people: list[tuple[str, str]] | None = None) -> str:
    with page.work() as work:
        places = escalations.places(work, home.id)
        codes = sorted(staff.codes(work))
    with page.system() as work:
        steps = set_on_call.who_hears(work, home.id)
    kept = people if people is not None else [(place.staff_code or "", place.hours) for place in places]
    return page.render("oncall/look.html", unit=home, lines=[*kept, *([("", "")] * NEW_PLACES)], codes=codes, steps=steps, error=error)
