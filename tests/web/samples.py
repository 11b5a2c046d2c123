"""What the places in the pages' addresses may hold: a thing of a unit that exists. A page with a new kind of place adds a line.

The tests that walk every route as every role, and every page in every language, find their addresses here.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from gateway.store.base import Actor, unit_of_work
from gateway.usecases import run_imports
from tests.web.office import Office


def _flag(office: Office, unit_id: UUID) -> int:
    return office.flag(office.world.client(unit_id=unit_id), unit_id=unit_id)


def _client(office: Office, unit_id: UUID) -> UUID:
    """With a flag, so that a reviewer of the unit sees them."""
    client = office.world.client(unit_id=unit_id)
    office.flag(client, unit_id=unit_id)
    return client


def _register(office: Office, unit_id: UUID) -> UUID:
    with unit_of_work(office.world.engine, Actor(office.member(unit_id=unit_id), unit_id, "case_worker"), office.world.now) as work:
        return run_imports.keep(work, office.world.vault, b"code,name,phone\nA1,Canary,0912345678\n")


SAMPLES: dict[str, Callable[[Office, UUID], Any]] = {
    "flag": _flag,
    "client": _client,
    "register": _register,
}
"""Name of the place ("/flags/<int:flag>/take") -> makes one in the unit, and gives what stands in the address."""
