"""What somebody asked for on a page and nobody waits for: the clock does it, and what it came to is kept."""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from gateway import log
from gateway.domain.errors import Refused
from gateway.domain.told import N_

T = TypeVar("T")


def come_to(do: Callable[[], T], event: str, **ids: UUID | None) -> tuple[T | None, str | None]:
    """What `do` returned, or why nothing came of it, for whoever asked. A fault of ours is logged as `event`.

    Raises when the database went away: it is tried again then.
    """
    try:
        return do(), None
    except Refused as why:
        return None, str(why)
    except SQLAlchemyError:
        raise
    except Exception as error:
        log.error(event, error, **ids)
        return None, N_("something went wrong here, and it is in the log ({error})").format(error=type(error).__name__)
