"""Units: the tree, hours, words for texts, and how many texts a client gets at most."""

from collections import Counter
from typing import Any
from uuid import UUID

from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway.domain import cells
from gateway.domain.errors import NotFound, Refused
from gateway.domain.windows import Window
from gateway.parts import Gateway
from gateway.store import units
from gateway.store.base import Work
from gateway.store.units import Unit
from gateway.usecases import change_unit
from gateway.web import page

NEW_DETAILS = 3
"""Empty lines to type details into."""
MOST_A_DAY, MOST_A_WEEK = 3, 21


def blueprint(gateway: Gateway) -> Blueprint:
    """The tree, and each unit."""
    routes = Blueprint("units", __name__, url_prefix="/units")
    _add_new(routes, gateway)

    @routes.get("")
    def show() -> str:
        with page.work() as work:
            return page.render("units/list.html", **_branch(units.list_seen(work), request.args.get("under", "")))

    @routes.get("/<uuid:unit>")
    def look(unit: UUID) -> str:
        with page.work() as work:
            return _look(units.by_id(work, unit))

    @routes.post("/<uuid:unit>")
    def edit(unit: UUID) -> Response | tuple[str, int]:
        _ = page.gettext()
        with page.work() as work:
            old = units.by_id(work, unit)
        given = request.form.get

        def act(work: Work) -> None:
            change_unit.edit(
                work, old, page.member().actor, gateway.content.languages, name=given("name"), zone=given("zone"), language=given("language"),
                region=given("region"), tones=_one_of(change_unit.TONES, given("tones")), hours=_hours(given("opens", ""), given("closes", "")),
                details=change_unit.read_details(change_unit.unwritten_details(old.details), _details()), texts_a_day=_cap(given("texts_a_day", ""), MOST_A_DAY),
                texts_a_week=_cap(given("texts_a_week", ""), MOST_A_WEEK),
            )  # fmt: skip

        said = _("{code} was changed.").format(code=old.code)
        return page.do(act, lambda why: _look(old, why.told(_)), said, "units.look", opened=page.system, unit=unit)

    return routes


def _add_new(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("/new")
    def new() -> str:
        return _form({})

    @routes.post("/new")
    def add() -> Response | tuple[str, int]:
        _ = page.gettext()
        form = {name: request.form.get(name, "").strip() for name in ("code", "name", "kind", "parent")}
        try:
            with page.work() as work:
                parent = units.by_code(work, form["parent"])
            if not form["code"] or not form["name"] or form["kind"] not in units.KINDS:
                raise Refused("code, name and kind are needed")
            with page.system() as work:
                unit = change_unit.add(
                    work, page.member().actor, gateway.content.languages, code=form["code"], name=form["name"], kind=form["kind"],
                    parent_id=parent.id, zone=parent.time_zone, language=parent.language, region=parent.region, hours=parent.hours, tones=parent.tones,
                )  # fmt: skip
        except Refused as refused:
            return _form(form, refused.told(_)), 400
        page.tell(_("{code} was added, with the hours, zone and language of the unit above it."), code=form["code"])
        return page.go("units.look", unit=unit)


def _branch(found: list[Unit], code: str) -> dict[str, Any]:
    """A unit, the way down to it, the units just below it, and how many are below each of those. Raises NotFound."""
    known = {unit.id: unit for unit in found}
    here = next((unit for unit in found if unit.code == code or (not code and unit.parent_id not in known)), None)
    if here is None:
        raise NotFound("no such unit")
    way = [here]
    while above := known.get(way[0].parent_id) if way[0].parent_id else None:
        way.insert(0, above)
    return {"way": way, "below": [unit for unit in found if unit.parent_id == here.id], "counts": Counter(unit.parent_id for unit in found)}


def _form(given: dict[str, str], error: str = "") -> str:
    with page.work() as work:
        return page.render("units/new.html", given=given, error=error, kinds=units.KINDS, units=units.names(work))


def _look(unit: Unit, error: str = "") -> str:
    details = [*change_unit.written_details(unit.details), *([("", "")] * NEW_DETAILS)]
    return page.render("units/look.html", unit=unit, error=error, details=details, tones=change_unit.TONES,
                       most_a_day=MOST_A_DAY, most_a_week=MOST_A_WEEK)  # fmt: skip


def _details() -> dict[str, str]:
    """Names and values as typed; a line without a value is left out."""
    typed = zip(request.form.getlist("detail"), request.form.getlist("value"), strict=False)
    return {name.strip(): value.strip() for name, value in typed if name.strip() and value.strip()}


def _hours(opens: str, closes: str) -> Window | None:
    """Both empty: always. Raises Refused."""
    return None if not opens and not closes else cells.read_window(f"{opens}-{closes}")


def _cap(typed: str, most: int) -> int:
    """So many texts at most; empty: as the units above. Raises Refused."""
    count = cells.read_count(typed) if typed.strip() else 0
    if count > most:
        raise Refused("not more than {most}", most=most)
    return count


def _one_of(choices: tuple[str, ...], typed: str | None) -> str | None:
    return typed if typed in choices else None
