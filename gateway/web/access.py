"""Access: signing in by code, password and second factor; invitations; one's own settings; signing out."""

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
    _add_invitation(routes, gateway)
    return routes


def _add_login(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("/login")
    def login() -> str:
        return page.render("access/login.html", code="", error="", next=request.args.get("next", ""))

    @routes.post("/login")
    def enter() -> Response | tuple[str, int]:
        code = request.form.get("code", "").strip()
        try:
            came = sign_in.by_password(guard.house(gateway), guard.door(gateway), code, request.form.get("password", ""))
        except Refused as refused:
            said = refused.told(page.gettext())
            status = 429 if isinstance(refused, TooMany) else 400
            return page.render("access/login.html", code=code, error=said, next=request.form.get("next", "")), status
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


def _add_invitation(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("/invitation")
    def invitation() -> str:
        return page.render("access/invitation.html", code=request.args.get("code", ""), error="")

    @routes.post("/invitation")
    def accept() -> Response | tuple[str, int]:
        _, code, password = page.gettext(), request.form.get("code", ""), request.form.get("password", "")
        try:
            if password != request.form.get("again", ""):
                raise Refused("The two passwords differ: type the same one twice.")
            came = sign_in.by_invitation(guard.house(gateway), guard.door(gateway), code, password)
        except Refused as refused:
            return page.render("access/invitation.html", code=code, error=refused.told(_)), 400
        guard.let_in(came)
        return _onward(came.stage, "")


def _onward(stage: str, path: str) -> Response:
    """Where to go after a step of signing in."""
    if stage != "in":
        return page.go("access.second" if stage == "second" else "access.second_factor")
    return redirect(path if guard.is_own_path(path) else url_for("today.show"), 303)
