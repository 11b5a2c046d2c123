"""What the places in the pages' addresses may hold: a thing of a unit that exists. A page with a new kind of place adds a line.

The tests that walk every route as every role, and every page in every language, find their addresses here.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

from gateway.domain import campaigns as rules
from gateway.domain.services import Service
from gateway.store import drafts, routes, services
from gateway.store.base import SYSTEM, Actor, unit_of_work
from gateway.usecases import launch_campaign, run_imports
from tests import builders
from tests.builders import CONTENT
from tests.web.office import Office


def _flag(office: Office, unit_id: UUID) -> int:
    return office.flag(office.world.client(unit_id=unit_id), unit_id=unit_id)


def _by(office: Office, unit_id: UUID) -> Actor:
    return Actor(office.member("supervisor", unit_id=unit_id), unit_id, "supervisor")


def _campaign(office: Office, unit_id: UUID) -> UUID:
    spec = rules.read({"name": f"Campaign {uuid4()}", "kind": "one_off", "steps": [{"template": "check_in"}]})
    with unit_of_work(office.world.engine, _by(office, unit_id), office.world.now) as work:
        return launch_campaign.create(work, CONTENT, spec).id


def _draft(office: Office, unit_id: UUID) -> UUID:
    draft = uuid4()
    with unit_of_work(office.world.engine, _by(office, unit_id), office.world.now) as work:
        drafts.add(work, draft, unit_id, {"name": "In the making", "kind": "one_off"})
    return draft


def _appointment(office: Office, unit_id: UUID) -> UUID:
    return office.world.appointment(office.world.client(unit_id=unit_id), office.world.now + timedelta(days=1))


def _service(office: Office, unit_id: UUID) -> UUID:
    made = Service(uuid4(), f"S-{uuid4()}", "food", "Com trua", "Com trua", [unit_id], checked_on=date(2025, 1, 1))
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        services.add(work, made, None)
    return made.id


def _client(office: Office, unit_id: UUID) -> UUID:
    """With a flag, so that a reviewer of the unit sees them."""
    client = office.world.client(unit_id=unit_id)
    office.flag(client, unit_id=unit_id)
    return client


def _register(office: Office, unit_id: UUID) -> UUID:
    with unit_of_work(office.world.engine, Actor(office.member(unit_id=unit_id), unit_id, "case_worker"), office.world.now) as work:
        return run_imports.keep(work, office.world.vault, "clients", b"code,name,phone\nA1,Canary,0912345678\n")


def _channel(office: Office, unit_id: UUID) -> UUID:
    return builders.channel(office.world.engine, office.world.vault, office.world.now, unit_id, name=f"C-{uuid4()}")


def _rule(office: Office, unit_id: UUID) -> int:
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        return routes.add(work, _channel(office, unit_id), unit_id=unit_id, prefix="+84", language=None, purpose=None)


SAMPLES: dict[str, Callable[[Office, UUID], Any]] = {
    "flag": _flag,
    "campaign": _campaign,
    "draft": _draft,
    "appointment": _appointment,
    "service": _service,
    "client": _client,
    "register": _register,
    "member": lambda office, unit_id: office.member(unit_id=unit_id),
    "unit": lambda office, unit_id: unit_id,
    "channel": _channel,
    "rule": _rule,
}
"""Name of the place ("/flags/<int:flag>/take") -> makes one in the unit, and gives what stands in the address."""


def one_of_each(office: Office, unit_id: UUID) -> dict[str, Any]:
    """For pages that only look, and for deeds that are refused: nothing of it changes."""
    return {place: make(office, unit_id) for place, make in SAMPLES.items()}
