"""Holidays: days on which texts that come again stay away or move."""

from datetime import date

from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway.domain import cells
from gateway.domain.errors import Refused
from gateway.parts import Gateway
from gateway.store import holidays, units
from gateway.store.base import Work
from gateway.usecases import change_holidays, seed_holidays
from gateway.web import page

SEEDED_YEARS = 3


def blueprint(_gateway: Gateway) -> Blueprint:
    """What a unit knows of two years, and what staff say of a day."""
    routes = Blueprint("holidays", __name__, url_prefix="/holidays")

    @routes.get("")
    def show() -> str:
        return _page(request.args.get("unit", ""))

    @routes.post("/add")
    def add() -> Response | tuple[str, int]:
        _ = page.gettext()
        code = request.form.get("unit", "")
        try:
            day, name = cells.read_date(request.form.get("day", "")), request.form.get("name", "").strip()
            if not name:
                raise Refused("a name is needed")
            with page.work() as work:
                change_holidays.add(work, _unit(work, code), day, name)
        except Refused as refused:
            return _page(code, refused.told(_)), 400
        page.tell(_("{day} is a holiday."), day=day)
        return page.go("holidays.show", unit=code or None)

    @routes.post("/remove")
    def remove() -> Response:
        _ = page.gettext()
        code = request.form.get("unit", "")
        day = cells.read_date(request.form.get("day", ""))
        with page.work() as work:
            change_holidays.remove(work, _unit(work, code), day)
        page.tell(_("{day} is a working day."), day=day)
        return page.go("holidays.show", unit=code or None)

    @routes.post("/seed")
    def seed() -> Response | tuple[str, int]:
        _ = page.gettext()
        code, part = request.form.get("unit", ""), request.form.get("part", "").strip().upper()
        try:
            with page.work() as work:
                unit = _unit(work, code)
                country = (request.form.get("country", "").strip() or unit.region).upper()
                years = range(work.now.year, work.now.year + SEEDED_YEARS)
                added = seed_holidays.seed(work, unit.id, country, part or None, years, unit.language)
        except Refused as refused:
            return _page(code, refused.told(_)), 400
        page.tell(_("{count} holidays added."), count=added)
        return page.go("holidays.show", unit=code or None)

    return routes


def _unit(work: Work, code: str) -> units.Unit:
    return units.by_code(work, code) if code else units.get(work, page.member().unit_id)


def _page(code: str, error: str = "") -> str:
    with page.work() as work:
        unit = _unit(work, code)
        found = holidays.list_for(work, unit.id, date(work.now.year, 1, 1), date(work.now.year + 1, 12, 31))
        today = work.now.astimezone(page.zone()).date()
        return page.render("holidays/list.html", unit=unit, units=units.names(work), holidays=found, today=today, error=error)
