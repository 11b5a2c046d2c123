"""The audit trail: who did what to what, and whether the trail is as it was sealed. Looking is logged too."""

import json
from datetime import datetime, time, timedelta

from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway.domain import cells
from gateway.domain.errors import Refused
from gateway.parts import Gateway
from gateway.store import clients, staff, units
from gateway.store.audit import Asked, Line
from gateway.store.base import Work
from gateway.usecases import read_audit, seal_audit, sheets
from gateway.web import page

MOST = 50
FIELDS = ("since", "until", "staff", "unit", "client", "action")


def blueprint(gateway: Gateway) -> Blueprint:
    """The list, the same as a file, and the proof. Codes of clients are asked for by POST, so that no address holds one."""
    routes = Blueprint("trail", __name__, url_prefix="/audit")

    @routes.get("")
    def show() -> str:
        return _page(gateway, {})

    @routes.post("")
    def search() -> str | tuple[str, int]:
        try:
            return _page(gateway, _given())
        except Refused as refused:
            return page.render("trail/list.html", given=_given(), error=refused.told(page.gettext()), lines=[], most=MOST, said=_said), 400

    @routes.post("/table")
    def table() -> Response:
        _ = page.gettext()
        with page.work() as work:
            asked = _asked(work, _given())
        found = read_audit.export(gateway.engine, gateway.vault, page.member().actor, asked)
        return page.file("".join(sheets.lines(_headings(), map(_cells, found))), "audit.csv")

    @routes.post("/verify")
    def verify() -> str:
        return page.render("trail/verify.html", verified=seal_audit.verify(gateway.engine))

    return routes


def _given() -> dict[str, str]:
    return {name: request.form.get(name, "").strip() for name in FIELDS}


def _page(gateway: Gateway, given: dict[str, str]) -> str:
    with page.work() as work:
        lines = read_audit.latest(work, gateway.vault, _asked(work, given), MOST)
        return page.render("trail/list.html", given=given, lines=lines, most=MOST, error="", said=_said)


def _asked(work: Work, given: dict[str, str]) -> Asked:
    """Raises Refused."""
    wanted = {name: value for name, value in given.items() if value}
    return Asked(
        since=_midnight(wanted["since"]) if "since" in wanted else None,
        until=_midnight(wanted["until"]) + timedelta(days=1) if "until" in wanted else None,
        staff_id=staff.by_code(work, wanted["staff"]).id if "staff" in wanted else None,
        unit_id=units.by_code(work, wanted["unit"]).id if "unit" in wanted else None, action=wanted.get("action"),
        client_id=clients.by_code(work, wanted["client"]).id if "client" in wanted else None,
    )  # fmt: skip


def _midnight(day: str) -> datetime:
    return datetime.combine(cells.read_date(day), time(), page.zone())


def _said(line: Line) -> str:
    """The details on one line."""
    return ", ".join(f"{name}: {value if isinstance(value, str | int) else json.dumps(value, ensure_ascii=False)}" for name, value in line.detail.items())


def _headings() -> list[str]:
    _ = page.gettext()
    return [_("time (UTC)"), _("number"), _("staff"), _("unit"), _("action"), _("subject"), _("id"), _("client"), _("details")]


def _cells(line: Line) -> list[object]:
    _ = page.gettext()
    who = _("the system") if line.staff_id is None else line.staff_code or str(line.staff_id)[:8]
    return [line.at.strftime("%Y-%m-%d %H:%M:%S"), line.number, who, line.unit_code, line.action, line.subject, line.subject_id,
            line.client_code, json.dumps(line.detail, ensure_ascii=False)]  # fmt: skip
