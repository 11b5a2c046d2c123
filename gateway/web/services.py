"""The directory: places that clients are told of, what of it is to be checked again, and lists of it in and out."""

import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import date, datetime
from uuid import UUID

from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway.domain import opening, windows
from gateway.domain import services as rules
from gateway.domain.errors import Refused
from gateway.parts import Gateway
from gateway.store import services, units
from gateway.store.base import Work
from gateway.store.services import Entry
from gateway.usecases import find_services, import_services, keep_service
from gateway.web import page

AT_ONCE = 100


def blueprint(gateway: Gateway) -> Blueprint:
    """The list, one entry with its form, and what is done with it."""
    routes = Blueprint("services", __name__, url_prefix="/services")

    @routes.get("/")
    def show() -> str:
        category = request.args.get("category", "")
        category = category if category in rules.CATEGORIES else ""
        only_due, at = "due" in request.args, page.at()
        chosen = {name: request.args[name] for name in ("due", "category") if name in request.args}
        with page.work() as work:
            today, zone = _today(work)
            found = services.list_seen(work)
            due = keep_service.due(found, today)
            found = due if only_due else found
            found = [each for each in found if category in ("", each.service.category)]
            count, found = len(found), found[(at - 1) * AT_ONCE : at * AT_ONCE]
            calendars = find_services.calendars(work)
            standing = {each.service.id: _standing(work.now, each, zone, calendars) for each in found}
        return page.render("services/list.html", entries=found, due={each.service.id for each in due}, only_due=only_due, category=category,
                           categories=rules.CATEGORIES, standing=standing, count=count, at=at, more=count > at * AT_ONCE, chosen=chosen)  # fmt: skip

    @routes.get("/<uuid:service>")
    def look(service: UUID) -> str:
        with page.work() as work:
            entry = services.get(work, service)
            return _one(work, entry, keep_service.typed(entry))

    @routes.get("/new")
    def new() -> str:
        with page.work() as work:
            return _form(work, {})

    @routes.post("/new")
    def add() -> Response | tuple[str, int]:
        _ = page.gettext()
        typed = _typed()
        try:
            with page.work() as work:
                entry = keep_service.add(work, gateway.content, typed)
        except Refused as refused:
            with page.work() as work:
                return _form(work, typed, refused.told(_)), 400
        page.tell(_("It is in the directory."))
        return page.go("services.look", service=entry.service.id)

    @routes.post("/<uuid:service>")
    def save(service: UUID) -> Response | tuple[str, int]:
        _ = page.gettext()
        typed = _typed()

        def act(work: Work) -> None:
            keep_service.save(work, gateway.content, _as_seen(work, service), typed)

        return page.do(act, lambda why: _again(service, why, typed), _("It is kept."), "services.look", service=service)

    @routes.post("/<uuid:service>/check")
    def check(service: UUID) -> Response | tuple[str, int]:
        _ = page.gettext()
        gone = request.form.get("gone") == "yes"
        said = _("It is gone: nobody is told of it.") if gone else _("It is checked, as of today.")

        def act(work: Work) -> None:
            keep_service.check(work, _as_seen(work, service), _today(work)[0], gone)

        return page.do(act, lambda why: _again(service, why), said, "services.look", service=service)

    @routes.post("/export")
    def export() -> Response:
        with page.work() as work:
            return page.file("".join(import_services.lines(services.list_seen(work))), "services.csv")

    return routes


def _typed() -> dict[str, str]:
    return {name: request.form.get(name, "") for name in ("code", *keep_service.FIELDS)}


def _seen(entry: Entry) -> str:
    """What a form of an entry was made from."""
    now = [keep_service.typed(entry), str(entry.service.checked_on), str(entry.gone_on)]
    return hashlib.sha256(json.dumps(now).encode()).hexdigest()[:16]


def _as_seen(work: Work, service: UUID) -> Entry:
    """The entry, if it is still what the form was made from. Raises Refused."""
    entry = services.get(work, service)
    if request.form.get("seen") != _seen(entry):
        raise Refused("it has changed since the page was opened: look at it again first")
    return entry


def _again(service: UUID, refused: Refused, typed: dict[str, str] | None = None) -> str:
    """The entry with what was wrong, and what was typed."""
    with page.work() as work:
        entry = services.get(work, service)
        return _one(work, entry, keep_service.typed(entry) if typed is None else typed, refused.told(page.gettext()))


def _today(work: Work) -> tuple[date, str]:
    """The day where whoever looks works, and their time zone."""
    assert work.actor.unit_id is not None
    zone = units.get(work, work.actor.unit_id).time_zone
    return work.now.astimezone(windows.zone_of(zone)).date(), zone


def _standing(now: datetime, entry: Entry, zone: str, calendars: Mapping[str, Collection[date]]) -> opening.Opening | None:
    hours = entry.service.hours
    return opening.look(hours, zone, now, calendars.get(str(entry.unit_id), ())) if hours else None


def _one(work: Work, entry: Entry, typed: dict[str, str], error: str = "") -> str:
    today, zone = _today(work)
    return page.render(
        "services/one.html", entry=entry, typed=typed, error=error, seen=_seen(entry), categories=rules.CATEGORIES,
        due=rules.is_due(entry.service.checked_on, today), ours=keep_service.may_change(work, entry),
        standing=_standing(work.now, entry, zone, find_services.calendars(work)),
        longest=rules.LONGEST_SHORT_NAME,
    )  # fmt: skip


def _form(work: Work, typed: dict[str, str], error: str = "") -> str:
    assert work.actor.unit_id is not None
    typed = typed or {"units": units.get(work, work.actor.unit_id).code}
    return page.render("services/new.html", typed=typed, error=error, categories=rules.CATEGORIES, longest=rules.LONGEST_SHORT_NAME)
