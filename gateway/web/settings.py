"""One's own settings: language, password, second factor, and where one is signed in."""

from uuid import UUID

from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway.domain import access
from gateway.domain.errors import NotFound, Refused, TooMany
from gateway.parts import Gateway
from gateway.store import audit, credentials, logins, staff
from gateway.usecases import sign_in
from gateway.web import guard, page


def blueprint(gateway: Gateway) -> Blueprint:
    """The page, and what can be changed on it."""
    routes = Blueprint("settings", __name__, url_prefix="/settings")
    _add_page(routes, gateway)
    _add_proofs(routes, gateway)
    return routes


def _add_page(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("")
    def show() -> str:
        return _page(gateway)

    @routes.post("/language")
    def language() -> Response:
        chosen, member = request.form.get("language", ""), page.member()
        if chosen not in gateway.content.languages:
            raise Refused("there are no texts in {language!r}, only in: {languages}", language=chosen, languages=[*gateway.content.languages])
        with guard.house(gateway).work() as work:  # an analyst may write nothing as themselves
            staff.set_language(work, member.id, chosen)
            audit.add(work, "staff.edit", "staff", member.id, member.unit_id, {"language": chosen}, by=member.actor)
        return page.go("settings.show")

    @routes.post("/end")
    def end() -> Response:
        found = page.signed_in()
        assert found is not None
        with guard.house(gateway).work() as work:
            if "others" in request.form:
                logins.end_others(work, found.member.id, found.login.id)
            elif not logins.end(work, found.member.id, _id(request.form.get("login", ""))):
                raise NotFound("no such login")
        _ = page.gettext()
        page.tell(_("Signed out there."))
        return page.go("settings.show")


def _id(typed: str) -> UUID:
    try:
        return UUID(typed)
    except ValueError:
        raise Refused("The id is not readable: reload the page.") from None


def _add_proofs(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/password")
    def password() -> Response | tuple[str, int]:
        form = request.form
        try:
            if form.get("password", "") != form.get("again", ""):
                raise Refused("The two passwords differ: type the same one twice.")
            came = sign_in.change_password(
                guard.house(gateway), guard.door(gateway), *_who(), form.get("old", ""), form.get("password", "")
            )
        except Refused as refused:
            return _page(gateway, refused), _status(refused)
        _ = page.gettext()
        page.tell(_("The password is changed."))
        guard.let_in(came)
        return page.go("settings.show")

    @routes.post("/second-factor/off")
    def drop_second() -> Response | tuple[str, int]:
        try:
            sign_in.drop_second(guard.house(gateway), guard.door(gateway), *_who(), request.form.get("old", ""))
        except Refused as refused:
            return _page(gateway, refused), _status(refused)
        _ = page.gettext()
        page.tell(_("The second factor is off."))
        return page.go("settings.show")

    @routes.post("/recovery")
    def recovery() -> str | tuple[str, int]:
        try:
            codes = sign_in.new_recovery(guard.house(gateway), guard.door(gateway), *_who(), request.form.get("old", ""))
        except Refused as refused:
            return _page(gateway, refused), _status(refused)
        return page.render("access/recovery.html", codes=codes)


def _who() -> tuple[UUID, UUID]:
    """The browser, and who is signed in at it."""
    found = page.signed_in()
    assert found is not None
    return found.login.id, found.member.id


def _status(refused: Refused) -> int:
    return 429 if isinstance(refused, TooMany) else 400


def _page(gateway: Gateway, refused: Refused | None = None) -> str:
    found, member = page.signed_in(), page.member()
    assert found is not None
    with guard.house(gateway).work() as work:
        own = credentials.get(work, gateway.vault, member.id)
        here = logins.list_of(work, member.id)
        left = credentials.recovery_left(work, member.id)
    return page.render(
        "settings.html", error=refused.told(page.gettext()) if refused else "", logins=here, current=found.login.id,
        has_second=own is not None and own.confirmed, must=member.role in access.MUST_HAVE_SECOND, recovery_left=left,
    )  # fmt: skip
