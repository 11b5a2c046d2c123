"""The pages of staff put together: routes, guard, assets, and what is shown when something is not there or goes wrong."""

from io import BytesIO
from typing import IO

from flask import Flask, Request, Response, g, request
from werkzeug.exceptions import HTTPException

from gateway import log
from gateway.domain.errors import NotAllowed, NotFound, Refused, TooMany
from gateway.domain.told import N_
from gateway.parts import Gateway
from gateway.web import (
    access,
    admin,
    appointments,
    assets,
    campaigns,
    channels,
    clients,
    flags,
    guard,
    holidays,
    imports,
    loopback,
    maker,
    members,
    oncall,
    page,
    reports,
    safely,
    services,
    settings,
    texts,
    today,
    tour,
    trail,
    units,
)
from gateway.web.roles import OUTSIDE

PAGES = (
    access, settings, today, flags, clients, imports, appointments, campaigns, maker, texts, services, reports,
    admin, members, units, channels, oncall, holidays, trail,
)  # fmt: skip

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


class InMemory(Request):
    """A file that is sent to us is never written to a disk before it is encrypted."""

    def _get_file_stream(self, *_about: object, **_more: object) -> IO[bytes]:
        return BytesIO()


def install(app: Flask, gateway: Gateway) -> None:
    """Add the pages to the application; after every other route, so that the guard knows them all."""
    app.request_class = InMemory
    assets.install(app)
    for each in PAGES:
        app.register_blueprint(each.blueprint(gateway))
    if loopback.is_private(gateway.settings):
        app.register_blueprint(tour.blueprint(gateway))
    app.context_processor(page.context)
    app.jinja_env.finalize = safely.finished
    app.register_error_handler(Exception, _failed)
    app.after_request(_harden)
    guard.install(app, gateway)


def _failed(error: Exception) -> Response | HTTPException | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """A page that says what happened, in the reader's language. The error itself is in the log, without its message."""
    if request.blueprint in OUTSIDE:
        if isinstance(error, HTTPException):
            return error
        raise error
    _ = page.gettext()
    match error:
        case TooMany():
            return (*_page(429, error.told(_)), {"Retry-After": str(round(error.wait_s) + 1)})
        case NotFound():
            _keep_refusal("not there")
            return _page(404, _("There is no such thing here, or it belongs to another unit."))
        case NotAllowed():
            _keep_refusal("role")
            return _page(403, error.told(_))
        case Refused():
            return _page(400, error.told(_))
        case HTTPException(code=code) if code is not None and code < 400:
            return error
        case HTTPException(code=code) if code is not None and code in _SAID:
            return _page(code, _(_SAID[code]))
        case HTTPException(code=code):
            return _page(code or 500, _("This cannot be done."))
    log.error("page_failed", error, page=request.endpoint)
    return _page(500, _("Something went wrong here, and it is in the log. What you typed may not be kept: look before you try again."))


def _keep_refusal(why: str) -> None:
    if "visit" in g:
        guard.refuse(page.gateway(), why)


def _page(code: int, said: str) -> tuple[str, int]:
    return page.render("error.html", said=said, code=code), code


_SAID = {
    400: N_("This form is too old, or was opened in another browser. Go back, reload the page and send it again."),
    403: N_("Your role may not do this."),
    404: N_("There is no such thing here, or it belongs to another unit."),
    405: N_("This address only takes what a form of ours sends."),
    413: N_("This is too large."),
}


def _harden(response: Response) -> Response:
    """No page loads anything from elsewhere, and none is kept by a browser or a proxy."""
    if request.blueprint in OUTSIDE:
        return response
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if request.endpoint != "asset":
        response.headers["Cache-Control"] = "no-store"
        assets.compress(response)
    return response
