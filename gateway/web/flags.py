"""Flags: reasons for a person to look."""

from flask import Blueprint
from werkzeug.wrappers import Response

from gateway.domain.errors import Refused
from gateway.parts import Gateway
from gateway.store import audit, flags
from gateway.web import page


def blueprint(gateway: Gateway) -> Blueprint:
    """What staff do with a flag."""
    routes = Blueprint("flags", __name__, url_prefix="/flags")

    @routes.post("/<int:flag>/take")
    def take(flag: int) -> Response:
        _ = page.gettext()
        with page.work() as work:
            found = flags.by_number(work, flag)
            if found.owner_id not in (None, page.member().id):
                raise Refused("{owner} has taken flag {number} already.", owner=found.owner_code or _("somebody above your unit"), number=flag)
            flags.assign(work, found.id, page.member().id)
            audit.add(work, "flag.assign", "flag", found.id, found.unit_id, {"number": flag, "to": page.member().code})
        page.tell(_("Flag {number} is with you."), number=flag)
        return page.go("today.show")

    return routes
