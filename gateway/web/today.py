"""Today: what waits for a person, the gravest first; who is silent, who is expected, and whether everything runs."""

from datetime import timedelta
from typing import Any

from flask import Blueprint

from gateway.domain import flags as rules
from gateway.domain import windows
from gateway.parts import Gateway
from gateway.store import appointments, campaigns, channels, escalations, flags, health, switches, units
from gateway.store.base import Work
from gateway.web import page

MOST = 50


def blueprint(gateway: Gateway) -> Blueprint:
    """The first page after signing in."""
    routes = Blueprint("today", __name__)

    @routes.get("/")
    def show() -> str:
        with page.work() as work:
            return page.render(
                "today.html", flags=flags.list_open(work, most=MOST, reasons=rules.SILENT),
                silent=flags.list_open(work, most=MOST, reasons=rules.SILENT, among=True), rules=rules.RULES, now=work.now, most=MOST,
                appointments=_expected(work), campaigns=[each for each in campaigns.live(work) if each.state in ("running", "paused")],
                channels=[each for each in channels.states(work) if each.state != "disabled"], is_sending=switches.is_on(work, "sending"),
                uncovered=_uncovered({unit.code for unit in units.names(work)}), health=health.look(gateway.engine),
            )  # fmt: skip

    return routes


def _expected(work: Work) -> dict[str, Any]:
    """Who is expected today, on the clock of the unit of whoever looks."""
    zone = windows.zone_of(units.get(work, page.member().unit_id).time_zone)
    begins = work.now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    ends, lately = begins + timedelta(days=1), max(begins, work.now - timedelta(hours=1))
    first = appointments.list_between(work, lately, ends, cancelled=False, most=MOST)
    return {"count": appointments.count_expected(work, begins, ends), "first": first}


def _uncovered(seen: set[str]) -> list[str]:
    """Those of the units of which an urgent flag would be texted to nobody just now; people above them may be on call."""
    with page.system() as work:
        return [code for code in escalations.uncovered(work, work.now) if code in seen]
