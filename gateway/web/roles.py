"""Which role may open which route. A page's route that is not listed here stops the program when it starts.

What a role sees on a page is PostgreSQL's to say, by row-level security: this table only says which doors are there.
"""

from gateway.domain.told import N_

ANYBODY = frozenset({"anybody"})  # signed in or not
EVERYONE = frozenset({"case_worker", "reviewer", "supervisor", "administrator", "analyst"})
PEOPLE = EVERYONE - {"analyst"}
"""Who works with people: an analyst sees figures, never persons."""
CARE = PEOPLE - {"reviewer"}
LEAD = frozenset({"supervisor", "administrator"})
ADMIN = frozenset({"administrator"})

MAY: dict[str, frozenset[str]] = {
    "asset": ANYBODY,
    "health": ANYBODY,
    # Access.
    "access.login": ANYBODY,
    "access.enter": ANYBODY,
    "access.invitation": ANYBODY,
    "access.accept": ANYBODY,
    "access.logout": EVERYONE,
    "access.second": EVERYONE,
    "access.prove": EVERYONE,
    "access.second_factor": EVERYONE,
    "access.confirm": EVERYONE,
    "settings.show": EVERYONE,
    "settings.language": EVERYONE,
    "settings.end": EVERYONE,
    "settings.password": EVERYONE,
    "settings.drop_second": EVERYONE,
    "settings.recovery": EVERYONE,
    # Today.
    "today.show": PEOPLE,
    # Flags.
    "flags.take": PEOPLE,
    # Reports.
    "reports.show": EVERYONE,
    "reports.table": EVERYONE,
    # Administration: a supervisor looks, and does what the commands let them do; the rest is an administrator's.
    "admin.show": LEAD,
    "admin.words": LEAD,
    "admin.kept": LEAD,
    "admin.sending": ADMIN,
    "members.show": LEAD,
    "members.duty": LEAD,
    **dict.fromkeys(("members.new", "members.add", "members.look", "members.edit", "members.deactivate", "members.invite"), ADMIN),
    **dict.fromkeys(("oncall.show", "oncall.look", "oncall.save", "oncall.test"), LEAD),
    **dict.fromkeys(("holidays.show", "holidays.add", "holidays.remove", "holidays.seed"), LEAD),
    **dict.fromkeys(("trail.show", "trail.search", "trail.table"), LEAD),
    "trail.verify": ADMIN,  # it reads the whole trail
    "units.show": LEAD,
    **dict.fromkeys(("units.new", "units.add", "units.look", "units.edit"), ADMIN),
    "channels.show": LEAD,
    **dict.fromkeys(
        ("channels.new", "channels.add", "channels.look", "channels.ask", "channels.text", "channels.state", "channels.replies"), ADMIN
    ),
}
"""Endpoint ("blueprint.function") -> the roles that may open it."""

NAV = (("today.show", N_("Today")), ("reports.show", N_("Reports")), ("admin.show", N_("Administration")))
"""Endpoint and label of what the bar at the top leads to, for those whose role may."""


def home(role: str) -> str:
    """The endpoint of the first page of a role."""
    return next((endpoint for endpoint, _label in NAV if role in MAY[endpoint]), "settings.show")


STAGES: dict[str, frozenset[str]] = {
    "second": frozenset({"access.second", "access.prove", "access.logout"}),
    "set_up": frozenset({"access.second_factor", "access.confirm", "access.logout"}),
}
"""Where a browser may go that is not all the way in."""

LARGE: dict[str, int] = {}
"""Endpoint -> the bytes that its forms may have, where a file is sent; the others have what a carrier's post may have."""

OUTSIDE = frozenset({"webhooks", "simulator"})
"""Blueprints that are no pages of staff, and guard themselves."""
