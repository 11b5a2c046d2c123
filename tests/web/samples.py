"""What the places in the pages' addresses may hold: a thing of a unit that exists. A page with a new kind of place adds a line.

The tests that walk every route as every role, and every page in every language, find their addresses here.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from tests.web.office import Office


def _flag(office: Office, unit_id: UUID) -> int:
    return office.flag(office.world.client(unit_id=unit_id), unit_id=unit_id)


def _client(office: Office, unit_id: UUID) -> UUID:
    """With a flag, so that a reviewer of the unit sees them."""
    client = office.world.client(unit_id=unit_id)
    office.flag(client, unit_id=unit_id)
    return client


SAMPLES: dict[str, Callable[[Office, UUID], Any]] = {
    "flag": _flag,
    "client": _client,
}
"""Name of the place ("/flags/<int:flag>/take") -> makes one in the unit, and gives what stands in the address."""
