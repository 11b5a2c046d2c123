"""Before each request: who it is, whether their role may, and whether a form is one of ours.

A browser has one cookie, a random token. Signed in or not, its forms carry a hash made with that token, so that no other
site can post them (docs/decisions/0012-forms-are-bound-to-the-cookie.md). Signing in gives it another token.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from gateway import log
from gateway.domain.errors import Refused
from gateway.parts import Gateway
from gateway.store import audit, logins
from gateway.store.base import unit_of_work
from gateway.usecases.sign_in import Door, House, In
from gateway.web import roles

FRESH = timedelta(minutes=1)
"""How exactly it is known when a browser was last used."""
YEAR_SECONDS = 365 * 24 * 3600


@dataclass(slots=True)
class Visit:
    """A request of a browser. `token` is its cookie's; `found` who is behind it, if anybody; `notice` what the page is to say."""

    token: str
    found: logins.Found | None
    notice: str = ""

    @property
    def form_token(self) -> str:
        """What a form of this browser must carry; different each time it is shown, so that its compressed length tells nothing."""
        salt = secrets.token_hex(8)
        return salt + _bound(self.token, salt)

    def is_ours(self, form_token: str) -> bool:
        """Whether the form was shown to this browser by us."""
        return hmac.compare_digest(_bound(self.token, form_token[:16]).encode(), form_token[16:].encode("utf-8", "replace"))


def _bound(token: str, salt: str) -> str:
    return hmac.digest(token.encode(), f"form:{salt}".encode("utf-8", "replace"), hashlib.sha256).hex()


def install(app: Flask, gateway: Gateway) -> None:
    """Guard every route but those outside. Raises LookupError for a route that no line of `roles.MAY` speaks of."""
    unlisted = {rule.endpoint for rule in app.url_map.iter_rules() if not _is_outside(rule.endpoint)} - roles.MAY.keys()
    if unlisted:
        raise LookupError(f"gateway/web/roles.py does not say who may open: {', '.join(sorted(unlisted))}")
    app.before_request(lambda: _admit(gateway))
    app.after_request(lambda response: _keep_cookie(gateway, response))


def _is_outside(endpoint: str) -> bool:
    return endpoint.partition(".")[0] in roles.OUTSIDE


def _admit(gateway: Gateway) -> AnyResponse | None:
    """None when the page may go on; else where to go instead. Aborts with 400 for a form of others, 403 for another role."""
    endpoint = request.endpoint
    if endpoint in ("asset", "health", "metrics") or endpoint is not None and _is_outside(endpoint):
        return None
    g.visit = _visit(gateway)
    if endpoint is None:
        return None  # 404 or 405, in the reader's language
    may, found = roles.MAY[endpoint], g.visit.found
    if may is not roles.ANYBODY and found is None:
        return _to(url_for("access.login", next=_return_path()))
    if found is not None and found.login.stage != "in" and endpoint not in roles.STAGES[found.login.stage]:
        return _to(url_for("access.second" if found.login.stage == "second" else "access.second_factor"))
    if may is not roles.ANYBODY and found is not None and found.member.role not in may:
        if request.path == "/":  # the first page of those who have another one
            return _to(url_for(roles.home(found.member.role)))
        refuse(gateway, "role")
        abort(403)
    request.max_content_length = roles.LARGE.get(endpoint, request.max_content_length)
    if request.method == "POST" and not (_is_same_site() and g.visit.is_ours(request.form.get("form_token", ""))):
        refuse(gateway, "form")
        abort(400)
    if any("\0" in typed for sent in (request.args, request.form) for _name, typed in sent.items(multi=True)):
        raise Refused("what was sent holds a character that cannot be kept: type it anew")  # NUL: PostgreSQL keeps none
    return None


def refuse(gateway: Gateway, why: str) -> None:
    """Keep in the trail that somebody who is signed in asked for what is not theirs; of anybody else the log alone tells.

    `why`: "role", "form" (not one of ours, or too old) or "not there" (or of another unit).
    """
    found: logins.Found | None = g.visit.found
    log.info("page_refused", page=request.endpoint, why=why, staff=found and found.member.id)
    if found is None:
        return
    asked = request.view_args or {}
    subject, asked_id = next(iter(asked.items()), ("page", request.endpoint))
    with unit_of_work(gateway.engine, found.member.actor, now()) as work:
        audit.add(work, "page.refused", subject, str(asked_id), found.member.unit_id, {"page": request.endpoint, "why": why})


def _visit(gateway: Gateway) -> Visit:
    token = request.cookies.get(cookie_name(gateway, "visit"), "")
    if not 40 <= len(token) <= 50 or not token.isascii():
        return Visit(secrets.token_urlsafe(32), None)
    with house(gateway).work() as work:
        found, g.at = logins.find(work, token), work.now
        # A page that asks for news by itself keeps nobody signed in, and nobody reads what it says.
        if found is None or "X-By-Itself" in request.headers:
            return Visit(token, found)
        if work.now - found.login.seen_at > FRESH:
            logins.touch(work, found.login.id)
        said = found.notice if request.method == "GET" else ""
        if said:
            logins.tell(work, found.login.id, "")
    return Visit(token, found, said)


def _is_same_site() -> bool:
    """Browsers say where a post comes from: another site's is refused, whatever it carries."""
    return request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")


def _to(address: str) -> AnyResponse:
    """Go there; a part of a page that htmx asked for takes the whole page along."""
    if "HX-Request" in request.headers:
        return Response(status=204, headers={"HX-Redirect": address})
    return redirect(address, 303)


def _return_path() -> str | None:
    """Where to go after signing in: to the page, also where htmx asked for a part of it. Our addresses hold ids only."""
    path = _path_of(request.headers.get("HX-Current-URL", "")) or request.path
    return path if request.method == "GET" and path != "/" else None


def _path_of(address: str) -> str:
    try:
        return urlsplit(address).path
    except ValueError:
        return ""


def is_own_path(path: str) -> bool:
    """Whether an address leads to a page of ours, and nowhere else: one slash, and no other behind it, names no host."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()


def house(gateway: Gateway) -> House:
    """Where sign-ins are kept."""
    return House(gateway.engine, gateway.vault, now())


def now() -> datetime | None:
    """The moment that tests set, else None: the database's."""
    moment: datetime | None = current_app.config.get("NOW")
    return moment


def door(gateway: Gateway) -> Door:
    """Where whoever signs in stands."""
    return Door(_network(request.remote_addr or ""), _device(), request.cookies.get(cookie_name(gateway, "known"), ""))


def _network(address: str) -> str:
    """The address itself; of IPv6 what one household or office has."""
    try:
        found = ip_address(address)
    except ValueError:
        return "-"
    return str(found) if found.version == 4 else str(ip_network(f"{found}/64", strict=False))


def _device() -> str:
    """What the browser calls itself, in two words, so that its owner recognises it."""
    agent = request.headers.get("User-Agent", "")
    browsers = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
    systems = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "Mac"), ("Linux", "Linux"))
    names = (next((name for sign, name in signs if sign in agent), "?") for signs in (browsers, systems))
    return " · ".join(names)


def cookie_name(gateway: Gateway, name: str) -> str:
    """With HTTPS the browser itself sees to it that no other host, and no page without HTTPS, sets the cookie."""
    return f"__Host-{name}" if gateway.settings.public_url.startswith("https:") else name


def let_in(came: In, found: logins.Found | None = None) -> None:
    """Give the browser the token that it got for signing in; `found` when a page is shown in the same breath."""
    g.came_in = came
    g.visit = Visit(came.token, found and replace(found, login=replace(found.login, stage=came.stage)))


def forget() -> None:
    """Give the browser a token that means nothing."""
    g.visit = Visit(secrets.token_urlsafe(32), None)


def _keep_cookie(gateway: Gateway, response: Response) -> Response:
    visit: Visit | None = g.get("visit")
    if visit is None:
        return response
    https = gateway.settings.public_url.startswith("https:")
    if request.cookies.get(name := cookie_name(gateway, "visit")) != visit.token:
        response.set_cookie(name, visit.token, httponly=True, samesite="Lax", secure=https)
    if "came_in" in g and g.came_in.known:
        known = cookie_name(gateway, "known")
        response.set_cookie(known, g.came_in.known, max_age=YEAR_SECONDS, httponly=True, samesite="Strict", secure=https)
    return response
