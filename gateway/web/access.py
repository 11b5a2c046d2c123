"""Access: signing in by code, password and second factor; invitations; setting up a second factor; signing out."""

import segno
from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from gateway.domain.errors import Refused, TooMany
from gateway.parts import Gateway
from gateway.store import logins
from gateway.usecases import sign_in
from gateway.web import guard, page


def blueprint(gateway: Gateway) -> Blueprint:
    """The doors."""
    routes = Blueprint("access", __name__)
    _add_login(routes, gateway)
    _add_second(routes, gateway)
    _add_setting_up(routes, gateway)
    _add_invitation(routes, gateway)
    return routes


def _add_login(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("/login")
    def login() -> str | Response:
        found = page.signed_in()
        if found is not None:
            return _onward(found.login.stage, request.args.get("next", ""))
        return page.render("access/login.html", code="", error="", next=request.args.get("next", ""))

    @routes.post("/login")
    def enter() -> Response | tuple[str, int]:
        code = request.form.get("code", "").strip()
        try:
            came = sign_in.by_password(guard.house(gateway), guard.door(gateway), code, request.form.get("password", ""))
        except Refused as refused:
            return _again("access/login.html", refused, code=code, next=request.form.get("next", ""))
        guard.let_in(came)
        return _onward(came.stage, request.form.get("next", ""))

    @routes.post("/logout")
    def logout() -> Response:
        found = page.signed_in()
        assert found is not None
        with guard.house(gateway).work() as work:
            logins.end(work, found.member.id, found.login.id)
        guard.forget()
        return page.go("access.login")


def _add_second(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("/login/second")
    def second() -> str | Response:
        found = page.signed_in()
        assert found is not None
        if found.login.stage != "second":
            return _onward(found.login.stage, "")
        return page.render("access/second.html", error="", next=request.args.get("next", ""))

    @routes.post("/login/second")
    def prove() -> Response | tuple[str, int]:
        found, path = page.signed_in(), request.form.get("next", "")
        assert found is not None
        if found.login.stage != "second":
            return _onward(found.login.stage, path)
        try:
            came = sign_in.by_second(guard.house(gateway), guard.door(gateway), found.login.id, found.member.id, request.form.get("digits", ""))
        except Refused as refused:
            return _again("access/second.html", refused, next=path)
        guard.let_in(came)
        return _onward(came.stage, path)


def _add_setting_up(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("/settings/second-factor")
    def second_factor() -> str:
        return _picture(gateway)

    @routes.post("/settings/second-factor")
    def confirm() -> str | tuple[str, int]:
        found = page.signed_in()
        assert found is not None
        try:
            came, codes = sign_in.confirm_second(
                guard.house(gateway), guard.door(gateway), found.login.id, found.member.id, request.form.get("digits", ""),
                request.form.get("old", "") if found.login.stage == "in" else None,
            )  # fmt: skip
        except Refused as refused:
            return _picture(gateway, refused.told(page.gettext())), 400
        guard.let_in(came, found)
        return page.render("access/recovery.html", codes=codes)


def _picture(gateway: Gateway, error: str = "") -> str:
    """The page with what the app is to read. Raises Refused when a second factor counts already."""
    secret = sign_in.begin_second(guard.house(gateway), page.member().id)
    code = segno.make(sign_in.address(secret, page.member().code), micro=False)
    groups = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return page.render("access/second_factor.html", picture=code.svg_inline(scale=5, border=3, light="#fff", dark="#000"), secret=groups, error=error)


def _add_invitation(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("/invitation")
    def invitation() -> str:
        return page.render("access/invitation.html", code=request.args.get("code", ""), error="")

    @routes.post("/invitation")
    def accept() -> Response | tuple[str, int]:
        code, password = request.form.get("code", ""), request.form.get("password", "")
        try:
            if password != request.form.get("again", ""):
                raise Refused("The two passwords differ: type the same one twice.")
            came = sign_in.by_invitation(guard.house(gateway), guard.door(gateway), code, password)
        except Refused as refused:
            return _again("access/invitation.html", refused, code=code)
        guard.let_in(came)
        return _onward(came.stage, "")


def _again(template: str, refused: Refused, **values: str) -> tuple[str, int]:
    """The form once more, with what was wrong."""
    return page.render(template, error=refused.told(page.gettext()), **values), 429 if isinstance(refused, TooMany) else 400


def _onward(stage: str, path: str) -> Response:
    """Where to go after a step of signing in: at last to the page that was asked for."""
    if stage == "second":
        return page.go("access.second", next=path or None)
    if stage == "set_up":
        return page.go("access.second_factor")
    return redirect(path if guard.is_own_path(path) else url_for("today.show"), 303)
