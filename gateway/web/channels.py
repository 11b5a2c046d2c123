"""Channels: how they are, and what an administrator does with them."""

from dataclasses import replace
from uuid import UUID

from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway.channels import registry
from gateway.channels.base import Capabilities
from gateway.domain.errors import NotFound, Refused
from gateway.parts import Gateway
from gateway.store import channels, units
from gateway.store import routes as store
from gateway.store.base import Work
from gateway.store.channels import State, Terms
from gateway.usecases import change_channel, change_routes
from gateway.web import page


def blueprint(gateway: Gateway) -> Blueprint:
    """The list, and each channel."""
    routes = Blueprint("channels", __name__, url_prefix="/channels")
    _add_new(routes, gateway)
    _add_tests(routes, gateway)
    _add_rules(routes, gateway)

    @routes.get("")
    def show() -> str:
        return _list(gateway)

    @routes.get("/<uuid:channel>")
    def look(channel: UUID) -> str:
        return _look(_own(channel))

    @routes.post("/<uuid:channel>/state")
    def state(channel: UUID) -> Response:
        _ = page.gettext()
        found, wanted = _own(channel), request.form.get("state", "")
        if wanted not in ("active", "disabled"):
            raise Refused("a channel is active or disabled")
        with page.system() as work:
            change_channel.set_state(work, found.id, found.unit_id, found.name, wanted, page.member().actor)
        page.tell(_("{name} is used again.") if wanted == "active" else _("{name} is disabled."), name=found.name)
        return page.go("channels.look", channel=channel)

    @routes.post("/<uuid:channel>/terms")
    def terms(channel: UUID) -> Response | tuple[str, int]:
        _ = page.gettext()
        found = _own(channel)
        try:
            with page.system() as work:
                change_channel.set_terms(work, found.id, found.unit_id, found.name, _terms(channels.terms(work, found.id)), page.member().actor)
        except Refused as refused:
            return _look(found, error=refused.told(page.retold())), 400
        page.tell(_("{name} is changed."), name=found.name)
        return page.go("channels.look", channel=channel)

    @routes.post("/<uuid:channel>/replies")
    def replies(channel: UUID) -> Response:
        _ = page.gettext()
        found, cost = _own(channel), request.form.get("replies") == "cost"
        with page.system() as work:
            change_channel.set_replies(work, found.id, found.unit_id, found.name, cost, page.member().actor)
        page.tell(_("channel {name}: replies cost the client") if cost else _("channel {name}: replies are free"), name=found.name)
        return page.go("channels.look", channel=channel)

    return routes


def _list(gateway: Gateway, error: str = "") -> str:
    with page.work() as work:
        codes = {unit.id: unit.code for unit in units.names(work)}
    with page.system() as work:  # figures of traffic, no persons
        found, rules = channels.states(work, measured=True), store.list_all(work)
    return page.render(
        "channels/list.html", channels=found, codes=codes, can=_abilities(), kinds=registry.kinds(), rules=rules, error=error,
        network_of=change_channel.no_handset,
        purposes=change_routes.purposes(gateway.content),
    )  # fmt: skip


def _add_rules(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/rules")
    def add_rule() -> Response | tuple[str, int]:
        _ = page.gettext()
        given = {name: request.form.get(name, "").strip() for name in ("unit", "prefix", "language", "purpose")}
        try:
            with page.work() as work:
                _seen(work, request.form.get("channel", ""), given["unit"])
            with page.system() as work:
                change_routes.add(work, gateway.content, page.member().actor, channel=request.form.get("channel", ""), **given)
        except Refused as refused:
            return _list(gateway, refused.told(page.retold())), 400
        page.tell(_("The rule is kept."))
        return page.go("channels.show")

    @routes.post("/rules/<int:rule>/drop")
    def drop_rule(rule: int) -> Response:
        _ = page.gettext()
        with page.system() as work:
            found = next((each for each in store.list_all(work) if each.number == rule), None)
        if found is None:
            raise NotFound("there is no such rule")
        _own(found.channel_id)
        with page.system() as work:
            change_routes.remove(work, rule, page.member().actor)
        page.tell(_("The rule is gone."))
        return page.go("channels.show")


def _seen(work: Work, channel: str, unit: str) -> None:
    """Raises NotFound, or Refused, for what is not of the units of whoever asks."""
    found = next((each for each in channels.states(work) if each.name == channel), None)
    if found is None or not units.is_seen(work, found.unit_id):
        raise Refused("no such channel")
    if unit:
        units.by_code(work, unit)


def _terms(before: Terms) -> Terms:
    """What the form says. Raises Refused."""
    typed = {name: request.form.get(name, "").strip() for name in ("prefix", "rate", "daily", "prices", "one_way")}
    pairs = [pair.partition("=")[::2] for pair in typed["prices"].replace(",", " ").split()]
    try:
        daily = int(typed["daily"]) if typed["daily"] else None
        prices = {prefix: float(price) for prefix, price in pairs}
    except ValueError:
        raise Refused("an allowance is a whole number of segments, and prices are written as +84=450 +44=0.04") from None
    one_way = typed["one_way"].replace(",", " ").split()
    return replace(before, prefix=typed["prefix"], rate=_rate(typed["rate"]), daily=daily, prices=prices, one_way=one_way)


def _own(channel_id: UUID) -> State:
    """A channel of the units of whoever looks. Raises NotFound."""
    with page.work() as work:
        found = next((each for each in channels.states(work) if each.id == channel_id), None)
        if found is None or not units.is_seen(work, found.unit_id):
            raise NotFound("no such channel")
        return found


def _look(found: State, said: str = "", error: str = "") -> str:
    can = _abilities()[found.id]
    addresses = change_channel.addresses(found.id, can, page.gateway().settings.public_url)
    typed = request.form if request.endpoint == "channels.terms" and error else {
        "prefix": found.prefix, "rate": f"{found.rate:g}" if found.rate else "", "daily": found.daily or "", "one_way": " ".join(found.one_way),
        "prices": " ".join(f"{prefix}={price:g}" for prefix, price in found.prices.items()),
    }  # fmt: skip
    return page.render("channels/look.html", channel=found, can=can, addresses=addresses, said=said, error=error, typed=typed,
                       senders=", ".join(map(page.shown, can.senders)))  # fmt: skip


def _abilities() -> dict[UUID, Capabilities]:
    with page.system() as work:
        return change_channel.abilities(work, page.gateway().vault)


def _add_tests(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/<uuid:channel>/ask")
    def ask(channel: UUID) -> str | tuple[str, int]:
        """Is it there, and does it know us? Changes nothing at the carrier, and sends nothing."""
        _ = page.gettext()
        found = _own(channel)
        with page.system() as work:
            whole = channels.get(work, gateway.vault, channel)
        try:
            asked = change_channel.ask(whole, gateway.settings.public_url)
        except Refused as refused:
            return _look(found, error=refused.told(_)), 400
        said = _("{name}: the carrier answers and knows us") if asked else _("{name} has nothing that can be asked without sending: send a text to yourself.")
        return _look(found, said=said.format(name=found.name))

    @routes.post("/<uuid:channel>/text")
    def text(channel: UUID) -> Response | tuple[str, int]:
        _ = page.gettext()
        found, member = _own(channel), page.member()
        try:
            with page.system() as work:
                whole = channels.get(work, gateway.vault, found.id)
                change_channel.text_staff(work, gateway.vault, gateway.content, whole, member.code, member.actor)
                work.after_commit(lambda: gateway.bell.ring(found.id))
        except NotFound:
            return _look(found, error=_("You have no phone on file: another administrator adds one.")), 400
        page.tell(_("A text to your own phone is on its way: it should be there within seconds."))
        return page.go("channels.look", channel=channel)


def _add_new(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("/new")
    def new() -> str:
        return _form(request.args.get("kind", registry.kinds()[0]), {})

    @routes.post("/new")
    def add() -> Response | tuple[str, int]:
        _ = page.gettext()
        kind = request.form.get("kind", "")
        given = {name: request.form.get(name, "").strip() for name in ("name", "unit", "prefix", "rate")}
        fields = registry.by_kind(kind).fields
        settings = {field.name: value for field in fields if (value := request.form.get(f"set-{field.name}", "").strip())}
        given |= {f"set-{field.name}": settings.get(field.name, "") for field in fields if not field.secret}
        try:
            with page.work() as work:
                home = units.by_code(work, given["unit"])
            if not given["name"]:
                raise Refused("a name is needed")
            with page.system() as work:
                channel = change_channel.add(
                    work, gateway.vault, home.id, page.member().actor, name=given["name"], kind=kind, settings=settings, prefix=given["prefix"] or "+",
                    rate=_rate(given["rate"]), replies_cost="replies_cost" in request.form,
                )  # fmt: skip
        except Refused as refused:
            return _form(kind, given, refused.told(page.retold())), 400
        by_line = registry.capabilities(kind, settings).road != "http"
        page.tell(_("{name} was added.") if by_line else _("{name} was added. Tell the carrier the addresses below."), name=given["name"])
        return page.go("channels.look", channel=channel)


def _form(kind: str, given: dict[str, str], error: str = "") -> str:
    with page.work() as work:
        return page.render("channels/new.html", carrier=registry.by_kind(kind), given=given, error=error, units=units.names(work))


def _rate(typed: str) -> float | None:
    try:
        rate = float(typed.replace(",", ".")) if typed else None
    except ValueError:
        rate = 0.0
    if rate is not None and not 0.01 <= rate <= 10_000:
        raise Refused("the rate is a number of segments a second, such as 1 or 0.5")
    return rate
