"""What forms carry: moments, ids, figures, read with a message for whoever typed them."""

from datetime import date, datetime
from uuid import UUID

from flask import request

from gateway.domain import cells, windows
from gateway.domain.errors import Refused


def field(name: str, most: int = 20_000) -> str:
    """What stands in a field, without blanks around it."""
    return request.form.get(name, "")[:most].strip()


def whole(name: str) -> int:
    """A whole number; -1 where there is none, which fits nothing."""
    typed = field(name, 20)
    return int(typed) if typed.isascii() and typed.isdigit() else -1


def made_id(name: str) -> UUID:
    """The id that was made when the form was shown: the same form sent twice does one deed. Raises Refused."""
    try:
        return UUID(field(name, 40))
    except ValueError:
        raise Refused("This form is too old, or was opened in another browser. Go back, reload the page and send it again.") from None


def moment(name: str, zone: str) -> datetime:
    """A moment as a clock in the zone shows it. Raises Refused."""
    try:
        day, at = cells.read_day_and_time(field(name, 60).replace("T", " "))
    except Refused as refused:
        raise Refused("the time cannot be read: {why}", why=refused) from None
    if at is None:
        raise Refused("the time of day is missing: write it as 2026-12-01 09:30")
    return windows.instant(datetime.combine(day, at), zone)


def day(name: str) -> date:
    """A day. Raises Refused."""
    try:
        return cells.read_date(field(name, 60))
    except Refused as refused:
        raise Refused("the day cannot be read: {why}", why=refused) from None
