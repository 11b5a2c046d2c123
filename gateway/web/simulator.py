"""A basic phone on a page, and the door of the simulator's network: /simulator.

There is no login, so it is there only for the users of this machine, on the embedded database with its synthetic
persons. Phones and texts travel in bodies, never in addresses. The page works without JavaScript; with it, texts appear
by themselves.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, Response, jsonify, render_template, request

from gateway.content import Content
from gateway.domain import phone, segments
from gateway.domain.errors import NotFound, Refused
from gateway.parts import Gateway
from gateway.store import clients, handset
from gateway.store.base import unit_of_work
from gateway.usecases import let_time_pass
from gateway.web import loopback
from gateway.web.network import LONGEST, Answer, Busy, Network, Rejected, no_channel

KEYS = tuple("123456789*0#")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class _Hand:
    """The phone in the user's hand and what is typed on it; `code` is its client's. The page's forms carry all of it."""

    phone: str = ""
    code: str = ""
    draft: str = ""
    draft_id: UUID = field(default_factory=uuid4)
    find: str = ""
    error: str = ""


def may_be_shown(site: loopback.Site) -> bool:
    """Whether the page and the network may be there at all: they have no login."""
    return loopback.is_private(site)


def blueprint(gateway: Gateway) -> Blueprint:
    """The page, what its script and the handset in the terminal ask for, and where our channel hands over its texts."""
    routes = Blueprint(
        "simulator", __name__, url_prefix="/simulator", static_folder="static", static_url_path="/static",
        template_folder="templates",
    )  # fmt: skip
    network = Network(gateway)
    routes.before_request(loopback.refuse_strangers)
    routes.after_request(_harden)
    _add_page(routes, gateway, network)
    _add_questions(routes, gateway, network)

    @routes.errorhandler(Busy)
    def busy(_: Busy) -> tuple[Response, int, dict[str, str]]:
        return jsonify(error=_busy(gateway.content)), 429, {"Retry-After": "1"}

    @routes.errorhandler(Refused)
    def refused(error: Refused) -> tuple[Response, int]:
        return jsonify(error=error.told(_gettext(gateway.content))), 404 if isinstance(error, NotFound) else 400

    return routes


# --- JSON both ways -------------------------------------------------------------------------------------------------


def _add_questions(routes: Blueprint, gateway: Gateway, network: Network) -> None:
    @routes.post("/carrier/messages")
    def carry() -> tuple[Response, int]:
        try:
            return jsonify(id=str(network.carry(_json()))), 201
        except Rejected as rejected:
            return jsonify(error=rejected.reason), 400

    @routes.post("/texts")
    def texts() -> Response:
        asked = _json()
        return jsonify(_texts(gateway, _phone(gateway, asked.get("phone")), _since(asked.get("since"))))

    @routes.post("/reply")
    def reply() -> tuple[Response, int]:
        asked = _json()
        draft_id = _uuid(asked["id"]) if "id" in asked else uuid4()
        got = network.reply(_phone(gateway, asked.get("phone")), str(asked.get("text", "")), draft_id)
        answer = {"id": str(got.text_id), "status": got.status}
        return (jsonify(answer), 200) if got.arrived else (jsonify(answer | {"error": _lost(gateway.content, got)}), 502)

    @routes.post("/call")
    def call() -> tuple[Response, int]:
        got = network.call(_phone(gateway, _json().get("phone")))
        answer = {"id": str(got.text_id), "status": got.status}
        return (jsonify(answer), 200) if got.arrived else (jsonify(answer | {"error": _lost(gateway.content, got)}), 502)

    @routes.post("/dial")
    def dial() -> Response:
        asked = _json()
        return jsonify(network.dial(_phone(gateway, asked.get("phone")), str(asked.get("session", "")), str(asked.get("text", ""))))

    @routes.post("/clock")
    def clock() -> Response:
        asked = _json()
        at = let_time_pass.step(gateway.engine, timedelta(minutes=_number(asked.get("minutes"))))
        return jsonify(gateway.content.when(at, network.zone_of(_phone(gateway, asked.get("phone"))), _language(gateway.content)))

    @routes.post("/count")
    def count() -> Response:
        return jsonify(asdict(segments.count(str(_json().get("text", "")))))


def _texts(gateway: Gateway, e164: str, since: datetime | None = None) -> dict[str, Any]:
    """Texts of a handset, oldest first, as they are shown; `next` is the `since` to ask with next time."""
    with unit_of_work(gateway.engine) as work:
        found = handset.list_since(work, gateway.vault, e164, since)
    texts = [_shown(gateway.content, text) for text in found]
    return {"texts": texts, "next": texts[-1]["at"] if texts else since and since.isoformat()}


def _shown(content: Content, text: handset.Text) -> dict[str, Any]:
    when = content.when(text.at, text.zone, _language(content))
    about = {"id": str(text.id), "incoming": text.incoming, "text": text.body, "at": text.at.isoformat()}
    return about | when | asdict(segments.count(text.body))


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


def _number(typed: object) -> int:
    if not isinstance(typed, int):
        raise Refused("How many minutes? A whole number.")
    return max(-1, min(typed, 10**6))


def _since(typed: object) -> datetime | None:
    if typed is None:
        return None
    try:
        return datetime.fromisoformat(str(typed)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("`since` is not a time.") from None


# --- the page -------------------------------------------------------------------------------------------------------


def _add_page(routes: Blueprint, gateway: Gateway, network: Network) -> None:
    @routes.get("")
    def look() -> str:
        return _page(gateway, _Hand())

    @routes.post("")
    def press() -> str:
        """A button was pressed. A reload presses it again and sends nothing twice: the form has the draft's id."""
        form = request.form
        hand = _Hand(find=form.get("find", ""), draft=form.get("text", "").replace("\r\n", "\n"))
        try:
            return _page(gateway, _pressed(gateway, network, _taken(gateway, hand, form), form))
        except Refused as refused:
            return _page(gateway, replace(hand, error=refused.told(_gettext(gateway.content))))

    @routes.errorhandler(_NoChannel)
    def no_simulator(_: _NoChannel) -> Response:
        return Response(f"{no_channel()}\n", 404, content_type="text/plain")


class _NoChannel(Exception):
    """There is nothing to show."""


def _taken(gateway: Gateway, hand: _Hand, form: Mapping[str, str]) -> _Hand:
    """With the phone in it that was chosen, typed or is in use already."""
    if form.get("client"):
        client_id = _uuid(form["client"])
        with unit_of_work(gateway.engine) as work:
            found = clients.get(work, client_id)
            person = clients.recipients(work, gateway.vault, [client_id])[client_id]
        return _Hand(phone=_phone(gateway, person.phone), code=found.code, find=hand.find)
    if form.get("typed"):
        return _Hand(phone=_phone(gateway, form["typed"]), find=hand.find)
    if form.get("phone"):
        in_use = _phone(gateway, form["phone"])
        return replace(hand, phone=in_use, code=form.get("code", ""), draft_id=_uuid(form.get("id")))
    return hand


def _pressed(gateway: Gateway, network: Network, hand: _Hand, form: Mapping[str, str]) -> _Hand:
    """What the button did."""
    if form.get("key") in KEYS:
        return replace(hand, draft=hand.draft + form["key"])
    if form.get("do") == "clear":
        return replace(hand, draft="")
    if form.get("do") == "send" and hand.phone:
        return _sent(gateway, lambda: network.reply(hand.phone, hand.draft, hand.draft_id), replace(hand, draft=""), hand)
    if form.get("do") == "call" and hand.phone:
        return _sent(gateway, lambda: network.call(hand.phone), hand, hand)
    return hand


def _sent(gateway: Gateway, post: Callable[[], Answer], then: _Hand, hand: _Hand) -> _Hand:
    try:
        got = post()
    except Busy:
        return replace(hand, error=_busy(gateway.content))
    except Refused as refused:
        return replace(hand, error=refused.told(_gettext(gateway.content)))
    if not got.arrived:
        return replace(hand, error=_lost(gateway.content, got))
    return replace(then, draft_id=uuid4())


def _page(gateway: Gateway, hand: _Hand) -> str:
    with unit_of_work(gateway.engine) as work:
        if handset.channel_of(work) is None:
            raise _NoChannel
        owners = handset.list_owners(work, hand.find)
    content, language = gateway.content, _language(gateway.content)
    return render_template(
        "simulator.html",
        _=content.gettext(language), language=language, languages=content.languages, keys=KEYS, longest=LONGEST,
        owners=[(owner, owner.next_at and content.when(owner.next_at, owner.zone, language)) for owner in owners],
        hand=hand, counted=segments.count(hand.draft), texts=_texts(gateway, hand.phone)["texts"] if hand.phone else [],
    )  # fmt: skip


def _language(content: Content) -> str:
    chosen = request.args.get("language", "")
    return chosen if chosen in content.languages else request.accept_languages.best_match(content.languages) or "en"


def _gettext(content: Content) -> Callable[[str], str]:
    return content.gettext(_language(content))


def _busy(content: Content) -> str:
    _ = _gettext(content)
    return _("The simulator is busy: send again. If this stays, set GATEWAY_WEB_THREADS to at least 2.")


def _lost(content: Content, got: Answer) -> str:
    _ = _gettext(content)
    if not got.status:
        return _("The gateway did not answer: send again.")
    return _("The gateway answered {status}: send again.").format(status=got.status)


def _harden(response: Response) -> Response:
    """`same-origin`: under `no-referrer` a browser would hide from us where a form was posted from."""
    response.headers.update({"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin", "Cache-Control": "no-store"})
    return response
