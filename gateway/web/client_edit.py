"""Add a client, and change what is kept about one."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway.domain import cells, phone, windows
from gateway.domain.errors import NotFound, Refused
from gateway.domain.told import N_
from gateway.domain.windows import Window
from gateway.parts import Gateway
from gateway.store import clients, consents, staff, units
from gateway.store.base import Work
from gateway.store.units import Unit
from gateway.usecases import change_client, look_at_client
from gateway.web import forms, page

TONES = {"never": N_("always written"), "saves": N_("left out where that saves money"), "always": N_("never written")}
DISCREET = (N_("0: texts name the service"), N_("1: texts name no service"), N_("2: texts wait until the client says that they can read"))
"""By level."""

Answer = Response | str | tuple[str, int]


def add(routes: Blueprint, gateway: Gateway) -> None:
    """The routes of forms about a client."""
    _add_new(routes, gateway)
    _add_edit(routes, gateway)


def _add_new(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("/new")
    def new() -> str:
        with page.work() as work:
            home = units.get(work, page.member().unit_id)
        return _form(None, {"language": home.language})

    @routes.post("/new")
    def keep() -> Answer:
        _ = page.gettext()
        try:
            with page.work() as work:
                assert work.actor.unit_id is not None
                home = units.by_code(work, code) if (code := forms.field("unit")) else units.get(work, work.actor.unit_id)
                changes = _changes(work, home)
                if not changes.get("phones"):
                    raise Refused("a client has one or more phones: give one")
                code = change_client.checked_code(forms.field("code"))
                made = clients.New(unit_id=home.id, code=code, **changes)
                basis = forms.field("basis", 200)
                if (agreed := [each for each in request.form.getlist("consent") if each in consents.PURPOSES]) and not basis:
                    raise Refused("a consent needs its basis, and a revocation its reason, such as \"signed form\" or \"said on the phone\"")
                change_client.add(work, gateway.vault, made, dict.fromkeys(agreed, basis))
        except Refused as refused:
            return _form(None, request.form.to_dict(), refused.told(page.shown)), 400
        page.tell(_("The client is kept."))
        return page.go("clients.show", client=made.id)


def _add_edit(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("/<uuid:client>/edit")
    def edit(client: UUID) -> str:
        with page.work() as work:
            record = look_at_client.record(work, gateway.vault, clients.get(work, client))
            version = clients.changed_at(work, client)
        return _form(record, _filled(record, version))

    @routes.post("/<uuid:client>/edit")
    def change(client: UUID) -> Answer:
        _ = page.gettext()
        with page.work() as work:
            record = look_at_client.record(work, gateway.vault, clients.get(work, client))
        try:
            with page.work() as work:
                found = clients.get(work, client)
                clients.lock(work, [found.id])
                if clients.changed_at(work, client).isoformat() != forms.field("version", 60):
                    raise Refused("somebody changed this client while your form was open: open it again and look what is new")
                change_client.edit(work, gateway.vault, found, _changes(work, units.get(work, found.unit_id)))
        except NotFound:
            raise
        except Refused as refused:
            return _form(record, request.form.to_dict(), refused.told(page.shown)), 400
        page.tell(_("The changes are kept."))
        return page.go("clients.show", client=client)


def _filled(record: clients.Record, version: datetime) -> dict[str, str]:
    """What the form shows first. Phones stay masked: who leaves their field empty keeps them."""
    found, hours = record.found, record.hours
    return {
        "version": version.isoformat(), "name": record.name, "language": found.language, "discreet": str(found.discreet),
        "opens": f"{hours.opens:%H:%M}" if hours else "", "closes": f"{hours.closes:%H:%M}" if hours else "", "zone": record.time_zone or "",
        "tones": record.tones or "", "groups": ", ".join(found.groups), "worker_id": str(found.worker_id or ""),
        "fields": "\n".join(f"{name}={value}" for name, value in record.fields.items()),
    }  # fmt: skip


def _form(record: clients.Record | None, filled: dict[str, str], error: str = "") -> str:
    _ = page.gettext()
    with page.work() as work:
        return page.render(
            "clients/edit.html", discreet_levels=[(level, _(words)) for level, words in enumerate(DISCREET)], record=record,
            tone_words={each: _(words) for each, words in TONES.items()}, masked_phones=", ".join(page.masked(each.e164) for each in record.phones) if record else "",
            filled=filled, error=error, units=units.names(work), tones=TONES,
            workers=staff.who_see(work, record.found.unit_id if record else page.member().unit_id), purposes=consents.PURPOSES,
        )  # fmt: skip


def _changes(work: Work, home: Unit) -> dict[str, Any]:
    """What the form says, as columns. Raises Refused."""
    numbers = [each for each in forms.field("phones", 400).replace("\r", "\n").replace(";", "\n").replace(",", "\n").split("\n") if each.strip()]
    changes: dict[str, Any] = {
        "name": change_client.checked_name(forms.field("name")), "language": change_client.checked_language(forms.field("language")),
        "discreet": forms.whole("discreet") if forms.whole("discreet") in (0, 1, 2) else 1, "hours": _hours(),
        "time_zone": windows.zone_of(zone).key if (zone := forms.field("zone", 60)) else None,
        "tones": tones if (tones := forms.field("tones")) in TONES else None,
        "groups": list(dict.fromkeys(filter(None, map(cells.clean, forms.field("groups", 400).split(","))))),
        "worker_id": _worker(work, home), "fields": _fields(),
    }  # fmt: skip
    if numbers:
        changes["phones"] = list(dict.fromkeys(phone.parse(each, home.region) for each in numbers))
    return changes


def _hours() -> Window | None:
    opens, closes = forms.field("opens", 10), forms.field("closes", 10)
    if not opens and not closes:
        return None
    try:
        return Window(cells.read_time(opens), cells.read_time(closes))
    except Refused as refused:
        raise Refused("the allowed hours cannot be read: {why}", why=refused) from None


def _worker(work: Work, home: Unit) -> UUID | None:
    wanted = forms.field("worker_id", 40)
    return next((each.id for each in staff.who_see(work, home.id) if str(each.id) == wanted), None)


def _fields() -> dict[str, str]:
    """Own fields, one NAME=VALUE a line."""
    found: dict[str, str] = {}
    for each in filter(None, map(str.strip, forms.field("fields", 4000).split("\n"))):
        name, sign, value = each.partition("=")
        if not sign or not name.strip():
            raise Refused("own fields are written as NAME=VALUE, one a line")
        if value.strip():
            found[cells.clean(name)] = cells.clean(value)
    return found
