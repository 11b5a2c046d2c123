"""Who is on call for a unit and all below it, in which order and hours; and who would hear of a flag just now."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from gateway.domain import escalation, opening
from gateway.domain.errors import Refused
from gateway.domain.told import N_
from gateway.store import audit, escalations, staff, units
from gateway.store.base import Actor, Work
from gateway.vault import Vault

WAYS = {"text": "text", "answer": "the client's answer", "second": "second way", "again": "next round"}
N_("text"), N_("second way"), N_("next round"), N_("the client's answer")


def set_places(work: Work, vault: Vault, home: units.Unit, people: Sequence[tuple[str, str]], by: Actor) -> tuple[list[str], list[str]]:
    """Make these (code, hours; "" for always) the list of a unit that the actor sees, in this order. Nobody: no list of its own.

    The list as it is kept, and the codes of those who have no phone. Runs as the system. Raises Refused.
    """
    places = [_place(work, home, code, hours) for code, hours in people]
    if len({member.id for member, _hours in places}) < len(places):
        raise Refused("somebody stands in the list twice")
    escalations.set_places(work, home.id, [(member.id, hours) for member, hours in places])
    listed = [f"{member.code} {hours}" for member, hours in places]
    audit.add(work, "oncall.set", "unit", home.id, home.id, {"list": listed}, by=by)
    reached = staff.alerted(work, vault, [member.id for member, _hours in places])
    return listed, [member.code for member, _hours in places if member.id not in reached]


def _place(work: Work, home: units.Unit, code: str, hours: str) -> tuple[staff.Member, str]:
    member = staff.by_code(work, code)
    if not member.active or member.role == "analyst":
        raise Refused("an inactive staff member or an analyst is not put on duty")
    if not units.sees(work, member.id, home.id):
        raise Refused("{code} does not see the unit {unit}, so could not open its flags", code=code, unit=home.code)
    return member, str(opening.read(hours)) if hours else opening.ALWAYS


def who_hears(work: Work, unit_id: UUID) -> list[tuple[int, str, str | None]]:
    """Of an urgent flag that is raised now: after how many minutes, by which way, who. Whoever hears may be of a unit above: runs as the system."""
    steps = escalation.steps(escalations.candidates(work, unit_id), work.now)
    codes = staff.codes_of(work, [step.staff_id for step in steps if step.staff_id is not None])
    return [((step.due_at - work.now) // timedelta(minutes=1), WAYS[step.way], codes.get(step.staff_id) if step.staff_id else None) for step in steps]
