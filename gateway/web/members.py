"""Staff: who works here, in which unit and role, and how they come in."""

from uuid import UUID

from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway.domain.errors import Refused
from gateway.parts import Gateway
from gateway.store import staff, units
from gateway.store.base import Work
from gateway.usecases import change_staff, sign_in
from gateway.web import page


def blueprint(gateway: Gateway) -> Blueprint:
    """The list, each of them, and what an administrator does about them."""
    routes = Blueprint("members", __name__, url_prefix="/staff")
    _add_pages(routes, gateway)
    _add_deeds(routes, gateway)
    return routes


def _add_pages(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("")
    def show() -> str:
        with page.work() as work:
            codes = {unit.id: unit.code for unit in units.names(work)}
            return page.render("members/list.html", members=staff.list_all(work, gateway.vault), codes=codes)

    @routes.get("/new")
    def new() -> str:
        return _form({})

    @routes.post("/new")
    def add() -> Response | tuple[str, int]:
        _ = page.gettext()
        form = {name: request.form.get(name, "").strip() for name in ("code", "name", "role", "unit", "phone", "language")}
        try:
            with page.work() as work:
                home = units.by_code(work, form["unit"])
            if not form["code"] or not form["name"] or form["role"] not in staff.ROLES:
                raise Refused("code, name and role are needed")
            with page.system() as work:
                member = change_staff.add(
                    work, gateway.vault, home, page.member().actor, code=form["code"], name=form["name"], role=form["role"],
                    phone=form["phone"] or None, language=form["language"] or None, languages=gateway.content.languages,
                )  # fmt: skip
        except Refused as refused:
            return _form(form, refused.told(_)), 400
        page.tell(_("{code} was added. Invite them now, so that they can come in."), code=form["code"])
        return page.go("members.look", member=member)

    @routes.get("/<uuid:member>")
    def look(member: UUID) -> str:
        with page.work() as work:
            return _look(work, staff.get(work, member))


def _form(given: dict[str, str], error: str = "") -> str:
    with page.work() as work:
        return page.render("members/new.html", given=given, error=error, roles=staff.ROLES, units=units.names(work))


def _look(work: Work, member: staff.Member, error: str = "", invitation: str = "") -> str:
    return page.render("members/look.html", member=staff.named(work, page.gateway().vault, member.id), error=error, invitation=invitation, roles=staff.ROLES, units=units.names(work))


def _add_deeds(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/<uuid:member>")
    def edit(member: UUID) -> Response | tuple[str, int]:
        _ = page.gettext()
        given = {name: request.form.get(name, "").strip() for name in ("unit", "role", "language", "name", "phone")}
        phone = "" if "no_phone" in request.form else given["phone"] or None
        with page.work() as work:
            found = staff.get(work, member)
        try:
            if given["role"] not in ("", *staff.ROLES):
                raise Refused("there is no such role")
            with page.work() as work:
                home = units.by_code(work, given["unit"]) if given["unit"] else None
            with page.system() as work:
                change_staff.edit(
                    work, gateway.vault, gateway.content, found, page.member().actor, language=given["language"] or None, role=given["role"] or None,
                    home=home, name=given["name"] or None, phone=phone,
                )  # fmt: skip
        except Refused as refused:
            with page.work() as work:
                return _look(work, found, refused.told(_)), 400
        page.tell(_("{code} was changed."), code=found.code)
        return page.go("members.look", member=member)

    @routes.post("/<uuid:member>/duty")
    def duty(member: UUID) -> Response:
        _ = page.gettext()
        with page.work() as work:
            found, on = staff.get(work, member), request.form.get("duty") == "on"
            change_staff.set_duty(work, found, on)
        page.tell(_("{code} is on duty") if on else _("{code} is off duty"), code=found.code)
        return page.go("members.show")

    @routes.post("/<uuid:member>/deactivate")
    def deactivate(member: UUID) -> Response:
        _ = page.gettext()
        with page.work() as work:
            found = staff.get(work, member)
        with page.system() as work:
            change_staff.deactivate(work, gateway.vault, gateway.content, found, page.member().actor)
        page.tell(_("{code} can do nothing any more"), code=found.code)
        return page.go("members.show")

    @routes.post("/<uuid:member>/reactivate")
    def reactivate(member: UUID) -> str:
        with page.work() as work:
            found = staff.get(work, member)
        with page.system() as work:
            code = change_staff.reactivate(work, gateway.vault, found, page.member().actor)
        with page.work() as work:
            return _look(work, found, invitation=sign_in.invitation_address(gateway.settings.public_url, code))

    @routes.post("/<uuid:member>/invite")
    def invite(member: UUID) -> str:
        with page.work() as work:
            found = staff.get(work, member)
        with page.system() as work:
            code = change_staff.invite(work, gateway.vault, found, page.member().actor, "reset_second" in request.form)
        with page.work() as work:
            return _look(work, found, invitation=sign_in.invitation_address(gateway.settings.public_url, code))
