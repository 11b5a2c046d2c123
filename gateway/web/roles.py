"""Which role may open which route. A page's route that is not listed here stops the program when it starts.

What a role sees on a page is PostgreSQL's to say, by row-level security: this table only says which doors are there.
"""

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
    # Today.
    "today.show": PEOPLE,
    # Flags.
    "flags.take": PEOPLE,
    # Campaigns: everyone sees how far they are; whoever cares for clients makes them; a lead starts them.
    "campaigns.show": EVERYONE,
    "campaigns.look": EVERYONE,
    "campaigns.calendar": CARE,
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
}
"""Endpoint ("blueprint.function") -> the roles that may open it."""

STAGES: dict[str, frozenset[str]] = {
    "second": frozenset({"access.second", "access.prove", "access.logout"}),
    "set_up": frozenset({"access.second_factor", "access.confirm", "access.logout"}),
}
"""Where a browser may go that is not all the way in."""

OUTSIDE = frozenset({"webhooks", "simulator"})
"""Blueprints that are no pages of staff, and guard themselves."""
