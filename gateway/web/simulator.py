"""A basic phone on a page, and the door of the simulator's network: /simulator.

There is no login. So it is there only for the user of this machine, on the embedded database with its synthetic
persons (`may_be_shown`), and each request is looked at again (`_refuse_strangers`). Phones and texts travel in bodies,
never in addresses. The page works without JavaScript; with it, texts appear by themselves.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from flask import Blueprint, Response, abort, jsonify, render_template, request

from gateway.config import Settings
from gateway.content import Content
from gateway.domain import phone, segments
from gateway.domain.errors import NotFound, Refused
from gateway.parts import Gateway
from gateway.store import clients, handset
from gateway.store.base import unit_of_work
from gateway.web.network import LONGEST, Busy, Network, Rejected, no_channel

KEYS = "123456789*0#"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_BUSY = "The simulator is busy: try again. (It needs GATEWAY_WEB_THREADS to be at least 2.)"
_FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")


def may_be_shown(settings: Settings) -> bool:
    """Whether nobody but the users of this machine can come here, and nobody's data but the examples are."""
    public_host = urlsplit(settings.public_url).hostname or settings.host
    return settings.embedded and _is_loopback(settings.host) and _is_loopback(public_host)


def blueprint(gateway: Gateway) -> Blueprint:
    """The page, what its script asks for, and where our channel hands its texts over."""
    routes = Blueprint(
        "simulator", __name__, url_prefix="/simulator", static_folder="static", static_url_path="/static",
        template_folder="templates",
    )  # fmt: skip
    network = Network(gateway)
    routes.before_request(_refuse_strangers)
    routes.after_request(_harden)
    _add_page(routes, gateway, network)
    _add_questions(routes, gateway, network)

    @routes.post("/carrier/messages")
    def carry() -> tuple[Response, int]:
        try:
            return jsonify(id=str(network.carry(_json()))), 201
        except Rejected as rejected:
            return jsonify(error=rejected.reason), 400

    @routes.errorhandler(Busy)
    def busy(_: Busy) -> tuple[Response, int, dict[str, str]]:
        return jsonify(error=_BUSY), 429, {"Retry-After": "1"}

    @routes.errorhandler(Refused)
    def refused(error: Refused) -> tuple[Response, int]:
        return jsonify(error=str(error)), 404 if isinstance(error, NotFound) else 400

    return routes


def _add_questions(routes: Blueprint, gateway: Gateway, network: Network) -> None:
    """What the page's script and the handset in the terminal ask; JSON both ways."""

    @routes.post("/texts")
    def texts() -> Response:
        asked = _json()
        return jsonify(_texts(gateway, _phone(gateway, asked.get("phone")), _since(asked.get("since"))))

    @routes.post("/reply")
    def reply() -> tuple[Response, int]:
        asked = _json()
        text_id = _uuid(asked["id"]) if "id" in asked else uuid4()
        status = network.reply(_phone(gateway, asked.get("phone")), str(asked.get("text", "")), text_id)
        answer = {"id": str(text_id), "status": status}
        return (jsonify(answer), 200) if 200 <= status < 300 else (jsonify(answer, error=_undelivered(status)), 502)

    @routes.post("/count")
    def count() -> Response:
        return jsonify(asdict(segments.count(str(_json().get("text", "")))))


def _add_page(routes: Blueprint, gateway: Gateway, network: Network) -> None:
    @routes.get("")
    def look() -> str:
        return _page(gateway, {})

    @routes.post("")
    def press() -> str:
        """A button of the page was pressed. Pressed again by a reload, it sends nothing twice: the form has the text's id."""
        shown: dict[str, Any] = {"draft": request.form.get("text", "").replace("\r\n", "\n"), "find": request.form.get("find", "")}
        try:
            shown |= _owner(gateway, request.form)
            shown |= _pressed(network, shown, request.form)
        except Busy:
            shown["error"] = _BUSY
        except Refused as refused:
            shown["error"] = str(refused)
        return _page(gateway, shown)


def _owner(gateway: Gateway, form: Mapping[str, str]) -> dict[str, Any]:
    """The phone that was chosen, typed or is already in use, and the code of its client."""
    if form.get("client"):
        client_id = _uuid(form["client"])
        with unit_of_work(gateway.engine) as work:
            person = clients.recipients(work, gateway.vault, [client_id]).get(client_id)
            found = clients.get(work, client_id)
        return {"phone": person.phone if person else None, "code": found.code, "draft": ""}
    if form.get("typed"):
        return {"phone": _phone(gateway, form["typed"]), "draft": ""}
    return {"phone": _phone(gateway, form["phone"]), "code": form.get("code")} if form.get("phone") else {}


def _pressed(network: Network, shown: Mapping[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
    """What the button did to the draft."""
    if form.get("key") and form["key"] in KEYS:
        return {"draft": shown["draft"] + form["key"], "id": form.get("id")}
    if form.get("do") == "clear":
        return {"draft": ""}
    if form.get("do") == "send" and shown.get("phone"):
        status = network.reply(shown["phone"], shown["draft"], _uuid(form.get("id")))
        return {"draft": ""} if 200 <= status < 300 else {"error": _undelivered(status), "id": form["id"]}
    return {"id": form.get("id")}


def _page(gateway: Gateway, shown: Mapping[str, Any]) -> str:
    language = _language(gateway.content)
    with unit_of_work(gateway.engine) as work:
        if handset.channel_of(work) is None:
            abort(Response(str(no_channel()) + "\n", 404, content_type="text/plain"))
        owners = handset.list_owners(work, shown.get("find", ""))
    when = gateway.content.when
    return render_template(
        "simulator.html",
        _=gateway.content.gettext(language), language=language, languages=gateway.content.languages, keys=KEYS, longest=LONGEST,
        owners=[(owner, owner.next_at and when(owner.next_at, owner.zone, language)) for owner in owners],
        texts=_texts(gateway, shown["phone"])["texts"] if shown.get("phone") else [],
        counted=segments.count(shown.get("draft", "")), shown={"id": uuid4(), **{k: v for k, v in shown.items() if v}},
    )  # fmt: skip


def _texts(gateway: Gateway, e164: str, since: datetime | None = None) -> dict[str, Any]:
    """Texts of a handset, oldest first, as they are shown; `next` is the `since` to ask with next time."""
    with unit_of_work(gateway.engine) as work:
        found = handset.list_since(work, gateway.vault, e164, since)
    language = _language(gateway.content)
    texts = [
        {
            "id": str(text.id), "incoming": text.incoming, "text": text.body, "at": text.at.isoformat(),
            **gateway.content.when(text.at, text.zone, language), **asdict(segments.count(text.body)),
        }  # fmt: skip
        for text in found
    ]
    return {"texts": texts, "next": texts[-1]["at"] if texts else since and since.isoformat()}


def _language(content: Content) -> str:
    chosen = request.args.get("language", "")
    return chosen if chosen in content.languages else request.accept_languages.best_match(content.languages) or "en"


def _undelivered(status: int) -> str:
    return f"The gateway answered {status}: the text did not arrive." if status else "The gateway did not answer: send it again."


def _json() -> Mapping[str, Any]:
    asked = request.get_json(silent=True)
    if not isinstance(asked, dict):
        raise Refused("The request has no JSON object.")
    return asked


def _phone(gateway: Gateway, typed: object) -> str:
    return phone.parse(str(typed or ""), gateway.settings.region).e164


def _uuid(typed: object) -> UUID:
    try:
        return UUID(str(typed))
    except ValueError:
        raise Refused("The id is not readable: reload the page.") from None


def _since(typed: object) -> datetime | None:
    if typed is None:
        return None
    try:
        since = datetime.fromisoformat(str(typed))
    except ValueError:
        since = datetime.min
    if since.tzinfo is None:
        raise Refused("`since` is not a time with its zone.")
    return since


def _refuse_strangers() -> None:
    """Nobody from elsewhere: not through a name that leads here, not through a proxy, not from another site's page."""
    host = request.headers.get("Host", "")
    direct = not any(name in request.headers for name in _FORWARDED)
    if not (direct and _is_loopback(request.remote_addr) and _is_loopback(_name(host))):
        abort(404)
    origin = request.headers.get("Origin")
    if request.method == "POST" and origin not in (None, f"{request.scheme}://{host}"):
        abort(403)


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_loopback(host: str | None) -> bool:
    if host is None or host == "localhost":
        return host is not None
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _harden(response: Response) -> Response:
    """`same-origin`: under `no-referrer` a browser would hide from us where a form was posted from."""
    response.headers.update({"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin", "Cache-Control": "no-store"})
    return response
