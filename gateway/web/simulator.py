"""Basic phones on a page, side by side, and the door of the simulator's network: /simulator.

There is no login, so it is there only for the users of this machine, on the embedded database with its synthetic
persons. Phones and texts travel in bodies, never in addresses. The page works without JavaScript; with it, texts appear
by themselves.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, Response, current_app, jsonify, render_template, request
from werkzeug.datastructures import MultiDict

from gateway.content import Content
from gateway.domain import phone, segments
from gateway.domain.errors import NotFound, Refused
from gateway.parts import Gateway
from gateway.store import clients, handset, practice, staff
from gateway.store.base import unit_of_work
from gateway.usecases import let_time_pass
from gateway.web import loopback
from gateway.web.network import CODE, LONGEST, Answer, Busy, Network, Rejected, dialled_behind, no_channel

KEYS = tuple("123456789*0#")
MOST_PHONES = 6
WAIT_SECONDS = 20.0
"""How long a browser without a script is left waiting while the clock moves."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class _Phone:
    """A phone on the table, what is typed on it, and its menu by USSD, if one is open. The page's form carries all of it."""

    number: str
    draft: str = ""
    draft_id: UUID = field(default_factory=uuid4)
    session: str = ""
    pressed: str = ""  # in the menu until now, with stars between
    screen: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Table:
    """All that the page shows. `until` is where the clock is on its way to; `at` the place of the phone in the user's hand."""

    phones: tuple[_Phone, ...] = ()
    find: str = ""
    until: datetime | None = None
    error: str = ""
    at: int = -1


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
        return jsonify(_texts(gateway, _phone(gateway, asked.get("phone")), _moment(asked.get("since"))))

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
        """Move the clock on: by "minutes", or by a step "to" a moment by its name, or "until" that very moment."""
        asked, until = _json(), None
        zone = network.zone_of(_phone(gateway, asked["phone"]) if "phone" in asked else "")
        if "minutes" in asked:
            at = let_time_pass.step(gateway.engine, timedelta(minutes=_number(asked["minutes"])))
        else:
            until = _moment(asked.get("until")) or let_time_pass.moment(gateway.engine, str(asked.get("to")), zone)
            at = let_time_pass.towards(gateway.engine, until, 0)
        about = {"until": until.isoformat() if until and at < until else None}
        return jsonify(gateway.content.when(at, zone, _language(gateway.content)) | about)

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


def _moment(typed: object) -> datetime | None:
    if typed is None:
        return None
    try:
        return datetime.fromisoformat(str(typed)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("This is not a time: reload the page.") from None


# --- the page -------------------------------------------------------------------------------------------------------


def _add_page(routes: Blueprint, gateway: Gateway, network: Network) -> None:
    @routes.get("")
    def look() -> str:
        """With the phones of the clients who are named in the address, by their ids."""
        table = _Table()
        try:
            for client in request.args.getlist("client"):
                table = _with(table, _phone_of(gateway, client))
        except Refused as refused:
            table = replace(table, error=refused.told(_gettext(gateway.content)))
        return _page(gateway, network, table)

    @routes.post("")
    def press() -> str:
        """A button was pressed. A reload presses it again and sends nothing twice: the form has the draft's id."""
        form = request.form
        table = _Table(find=form.get("find", ""))
        try:
            table = replace(table, phones=_phones(gateway, form), until=_moment(form.get("until") or None))
            table = _pressed(gateway, network, table, form)
        except Refused as refused:
            table = replace(table, error=refused.told(_gettext(gateway.content)))
        return _page(gateway, network, table)

    @routes.errorhandler(_NoPhones)
    def no_phones(why: _NoPhones) -> Response:
        return Response(f"{why}\n", 404, content_type="text/plain; charset=utf-8")


class _NoPhones(Exception):
    """There is nothing to show."""


def _phones(gateway: Gateway, form: MultiDict[str, str]) -> tuple[_Phone, ...]:
    """The phones on the table, as the form has them."""
    columns = [form.getlist(name) for name in ("phone", "text", "id", "session", "pressed", "screen")]
    return tuple(
        _Phone(_phone(gateway, number), (text or "").replace("\r\n", "\n"), _uuid(draft_id), session or "", pressed or "", screen or "")
        for number, text, draft_id, session, pressed, screen in zip_longest(*columns)
    )


def _phone_of(gateway: Gateway, client: str) -> str:
    """The phone of a client, by their id."""
    client_id = _uuid(client)
    with unit_of_work(gateway.engine) as work:
        return _phone(gateway, clients.recipients(work, gateway.vault, [clients.get(work, client_id).id])[client_id].phone)


def _with(table: _Table, number: str) -> _Table:
    """With this phone on the table; once, whoever shares it."""
    numbers = [each.number for each in table.phones]
    if number in numbers:
        return replace(table, at=numbers.index(number))
    if len(numbers) == MOST_PHONES:
        raise Refused("{count} phones fit on the page: put one away first.", count=MOST_PHONES)
    return replace(table, phones=(*table.phones, _Phone(number)), at=len(numbers))


def _pressed(gateway: Gateway, network: Network, table: _Table, form: MultiDict[str, str]) -> _Table:
    """What the button did."""
    if form.get("client"):
        return _with(table, _phone_of(gateway, form["client"]))
    if number := form.get("take") or form.get("typed"):
        return _with(table, _phone(gateway, number))
    do, _, about = form.get("do", "").partition(" ")
    if do == "clock":
        until = table.until if about == "on" else let_time_pass.moment(gateway.engine, about, network.zone_of())
        return table if until is None else _later(gateway, replace(table, until=until))
    place, _, key = about.partition(" ")
    if not place.isdecimal() or int(place) >= len(table.phones):
        return table
    before, phone, after = table.phones[: int(place)], table.phones[int(place)], table.phones[int(place) + 1 :]
    if do == "away":
        return replace(table, phones=before + after)
    return replace(table, phones=(*before, _used(gateway, network, phone, do, key), *after), at=int(place))


def _later(gateway: Gateway, table: _Table) -> _Table:
    """The clock on its way for as long as a browser may be left waiting."""
    assert table.until is not None
    try:
        at = let_time_pass.towards(gateway.engine, table.until, WAIT_SECONDS)
    except Refused as refused:
        return replace(table, error=refused.told(_gettext(gateway.content)))
    return replace(table, until=table.until if at < table.until else None)


def _used(gateway: Gateway, network: Network, phone: _Phone, do: str, key: str) -> _Phone:
    """A phone after a button on it."""
    try:
        match do:
            case "key" if key in KEYS:
                return replace(phone, draft=phone.draft + key)
            case "clear":
                return replace(phone, draft="")
            case "hang":
                return replace(phone, session="", pressed="", screen="")
            case "dial":
                return _dialled(network, replace(phone, session=str(uuid4()), pressed=""))
            case "send" if (dialled := dialled_behind(phone.draft)) is not None:
                return _dialled(network, replace(phone, session=str(uuid4()), pressed=dialled, draft=""))
            case "send" if phone.session:
                return _dialled(network, replace(phone, pressed="*".join(filter(None, (phone.pressed, phone.draft.strip()))), draft=""))
            case "send":
                return _sent(gateway, network.reply(phone.number, phone.draft, phone.draft_id), phone, "")
            case "call":
                return _sent(gateway, network.call(phone.number), phone, phone.draft)
    except Busy:
        return replace(phone, error=_busy(gateway.content))
    except Refused as refused:
        return replace(phone, error=refused.told(_gettext(gateway.content)))
    return phone


def _dialled(network: Network, phone: _Phone) -> _Phone:
    """The next screen of the menu."""
    answer = network.dial(phone.number, phone.session, phone.pressed)
    return replace(phone, screen=str(answer["screen"]), session="" if answer["ends"] else phone.session)


def _sent(gateway: Gateway, got: Answer, phone: _Phone, draft: str) -> _Phone:
    if not got.arrived:
        return replace(phone, error=_lost(gateway.content, got))
    return replace(phone, draft=draft, draft_id=uuid4())


def _page(gateway: Gateway, network: Network, table: _Table) -> str:
    content, language = gateway.content, _language(gateway.content)
    with unit_of_work(gateway.engine) as work:
        if handset.channel_of(work) is None:
            raise _NoPhones(no_channel())
        if practice.reaches_people(work):
            raise _NoPhones("A channel here leads to real phones: the simulator is there for practice alone.")
        owners, staffed = handset.list_owners(work, table.find), [each for each in staff.list_all(work, gateway.vault) if each.active and each.phone]
        codes = [handset.codes_on(work, gateway.vault.hash_phone(each.number)) for each in table.phones]
        now = work.now
    zone = network.zone_of()
    return render_template(
        "simulator.html",
        _=content.gettext(language), language=language, languages=content.languages, keys=KEYS, longest=LONGEST, code=CODE, table=table,
        tour="tour.show" in current_app.view_functions, owners=[(owner, owner.next_at and content.when(owner.next_at, owner.zone, language)) for owner in owners], staff=staffed,
        phones=[(each, codes, segments.count(each.draft), _texts(gateway, each.number)["texts"]) for each, codes in zip(table.phones, codes, strict=True)],
        now=content.when(now, zone, language), until=table.until and content.when(table.until, zone, language),
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
