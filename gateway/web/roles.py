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
    "metrics": ANYBODY,  # of this machine
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
    "flags.listed": PEOPLE,
    "flags.urgent": PEOPLE,
    "flags.show": PEOPLE,
    "flags.take": PEOPLE,
    "flags.assign": PEOPLE,
    "flags.close": PEOPLE,
    "flags.label": PEOPLE,
    "flags.snooze": PEOPLE,
    "flags.note": PEOPLE,
    "flags.reply": CARE,
    "flags.draft": CARE,
    "flags.call": PEOPLE,
    # Clients.
    "clients.listed": PEOPLE,
    "clients.search": PEOPLE,
    "clients.group": CARE,
    **dict.fromkeys(("clients.export", "clients.exported", "clients.download"), CARE),
    "clients.new": CARE,
    "clients.keep": CARE,
    "clients.show": PEOPLE,
    "clients.edit": CARE,
    "clients.change": CARE,
    "clients.reveal": PEOPLE,
    "clients.text": CARE,
    "clients.draft": CARE,
    "clients.note": PEOPLE,
    "clients.consent": CARE,
    "clients.stop": PEOPLE,
    "clients.start": CARE,
    "clients.book": CARE,
    "clients.appointment": CARE,
    "clients.status": CARE,
    "clients.date": CARE,
    "clients.ask": CARE,
    "clients.programme": CARE,
    "clients.score": CARE,
    # Imports; which kind a role may bring is for run_imports.KINDS to say.
    "imports.listed": CARE,
    "imports.upload": CARE,
    "imports.show": CARE,
    "imports.bad": CARE,
    "imports.check": CARE,
    "imports.start": CARE,
    "imports.undo": CARE,
    # Campaigns: all but analysts see how far they are; whoever cares for clients makes them; a lead starts them.
    "campaigns.show": PEOPLE,
    "campaigns.look": PEOPLE,
    "campaigns.calendar": CARE,
    "campaigns.rehearse": CARE,
    "campaigns.approve": LEAD,
    "campaigns.pause": CARE,
    "campaigns.resume": LEAD,
    "campaigns.cancel": CARE,
    "campaigns.resend": LEAD,
    "campaigns.change": CARE,
    "campaigns.copy": CARE,
    **dict.fromkeys(
        ("maker.new", "maker.begin", "maker.who", "maker.set_who", "maker.what", "maker.set_what", "maker.when", "maker.set_when", "maker.drop"), CARE
    ),
    # Texts: who cares for clients may read and count; a lead writes, an administrator who did not write it approves.
    **dict.fromkeys(("texts.show", "texts.look", "texts.count"), PEOPLE),
    "texts.propose": LEAD,
    "texts.decide": LEAD,
    # Appointments.
    **dict.fromkeys(
        ("appointments.show", "appointments.look", "appointments.new", "appointments.book", "appointments.move", "appointments.cancel",
         "appointments.close", "appointments.away", "appointments.clear"), CARE
    ),
    # Directory.
    **dict.fromkeys(("services.show", "services.look", "services.export"), PEOPLE),
    "services.check": CARE,
    **dict.fromkeys(("services.new", "services.add", "services.save"), LEAD),
    # The guided tour, on a gateway for practice.
    **dict.fromkeys(("tour.show", "tour.register", "tour.begin", "tour.leave"), PEOPLE),
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
    **dict.fromkeys(("members.new", "members.add", "members.look", "members.edit", "members.deactivate", "members.reactivate", "members.invite"), ADMIN),
    **dict.fromkeys(("oncall.show", "oncall.look", "oncall.save", "oncall.test"), LEAD),
    **dict.fromkeys(("holidays.show", "holidays.add", "holidays.remove", "holidays.seed"), LEAD),
    **dict.fromkeys(("trail.show", "trail.search", "trail.table"), LEAD),
    "trail.verify": ADMIN,  # it reads the whole trail
    "units.show": LEAD,
    **dict.fromkeys(("units.new", "units.add", "units.look", "units.edit"), ADMIN),
    "channels.show": LEAD,
    **dict.fromkeys(
        ("channels.new", "channels.add", "channels.look", "channels.ask", "channels.text", "channels.state", "channels.replies", "channels.terms", "channels.add_rule",
         "channels.drop_rule"), ADMIN
    ),
}
"""Endpoint ("blueprint.function") -> the roles that may open it."""

NAV = (
    ("today.show", N_("Today")), ("flags.listed", N_("Flags")), ("clients.listed", N_("Clients")),
    ("appointments.show", N_("Appointments")), ("campaigns.show", N_("Campaigns")), ("texts.show", N_("Texts")),
    ("services.show", N_("Directory")), ("reports.show", N_("Reports")), ("admin.show", N_("Administration")),
    ("tour.show", N_("Tour")),
)  # fmt: skip
"""Endpoint and label of what the bar at the top leads to, for those whose role may."""


def home(role: str) -> str:
    """The endpoint of the first page of a role."""
    return next((endpoint for endpoint, _label in NAV if role in MAY[endpoint]), "settings.show")


STAGES: dict[str, frozenset[str]] = {
    "second": frozenset({"access.second", "access.prove", "access.logout"}),
    "set_up": frozenset({"access.second_factor", "access.confirm", "access.logout"}),
}
"""Where a browser may go that is not all the way in."""

LARGE: dict[str, int] = {"imports.upload": 21 * 1024 * 1024}
"""Endpoint -> the bytes that its forms may have, where a file is sent; the others have what a carrier's post may have."""

OUTSIDE = frozenset({"webhooks", "simulator"})
"""Blueprints that are no pages of staff, and guard themselves."""
