"""Today: what waits for a person, the gravest first."""

from flask import Blueprint

from gateway.domain import flags as rules
from gateway.parts import Gateway
from gateway.store import flags
from gateway.web import page

MOST = 50


def blueprint(gateway: Gateway) -> Blueprint:
    """The first page after signing in."""
    routes = Blueprint("today", __name__)

    @routes.get("/")
    def show() -> str:
        with page.work() as work:
            found = flags.list_open(work, most=MOST)
            return page.render("today.html", flags=found, rules=rules.RULES, now=work.now, most=MOST)

    return routes
