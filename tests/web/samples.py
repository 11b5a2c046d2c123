"""What the places in the pages' addresses may hold: a thing of a unit that exists. A page with a new kind of place adds a line.

The tests that walk every route as every role, and every page in every language, find their addresses here.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from tests import builders
from tests.web.office import Office


def _flag(office: Office, unit_id: UUID) -> int:
    return office.flag(office.world.client(unit_id=unit_id), unit_id=unit_id)


def _channel(office: Office, unit_id: UUID) -> UUID:
    return builders.channel(office.world.engine, office.world.vault, office.world.now, unit_id, name=f"C-{uuid4()}")


SAMPLES: dict[str, Callable[[Office, UUID], Any]] = {
    "flag": _flag,
    "member": lambda office, unit_id: office.member(unit_id=unit_id),
    "unit": lambda office, unit_id: unit_id,
    "channel": _channel,
}
"""Name of the place ("/flags/<int:flag>/take") -> makes one in the unit, and gives what stands in the address."""
