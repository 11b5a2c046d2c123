"""How commands show and read things: tables, masked numbers, local times."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

import click

from gateway.cli.language import _
from gateway.domain import cells, phone, windows
from gateway.domain.errors import Refused
from gateway.domain.told import N_, Word
from gateway.domain.windows import Window


def say(message: str, **values: object) -> None:
    """Print a message in the reader's language; values stand in its {named} places."""
    click.echo(_(message).format(**values))


def warn(message: str, **values: object) -> None:
    """The same on standard error."""
    click.echo(_(message).format(**values), err=True)


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print columns of equal width; "-" for what is not there."""
    shown = [tuple(headings), *(tuple("-" if cell is None or cell == "" else str(cell) for cell in row) for row in rows)]
    widths = [max(len(row[place]) for row in shown) for place in range(len(headings))]
    for row in shown:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def number(e164: str | None, reveal: bool = False) -> str:
    """A phone with all but its last two digits hidden, unless revealed."""
    if e164 is None:
        return "-"
    return e164 if reveal else "…" + e164[-2:]


def local(at: datetime | None, zone: str) -> str:
    """A moment as a clock in the zone shows it."""
    return "-" if at is None else at.astimezone(windows.zone_of(zone)).strftime("%Y-%m-%d %H:%M")


def moment(typed: str, zone: str) -> datetime:
    """The moment a clock in `zone` shows what was typed, "2026-12-01 09:30" or "1/12/2026 9h30". Raises Refused."""
    try:
        day, at = cells.read_day_and_time(typed)
    except Refused as refused:
        raise Refused("the time cannot be read: {why}", why=refused) from None
    if at is None:
        raise Refused("the time of day is missing: write it as 2026-12-01 09:30")
    return windows.instant(datetime.combine(day, at), zone)


def day(typed: str) -> date:
    """The day that was typed. Raises Refused."""
    try:
        return cells.read_date(typed)
    except Refused as refused:
        raise Refused("the day cannot be read: {why}", why=refused) from None


_WEEKDAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))


def weekday(on: date) -> str:
    """The day of the week, in short."""
    return _(_WEEKDAYS[on.weekday()])


def hours(typed: str) -> Window | None:
    """Allowed hours: "08:00-20:00", or None for "always". Raises Refused."""
    try:
        return None if typed.strip().casefold() == "always" else cells.read_window(typed)
    except Refused as refused:
        raise Refused("the allowed hours cannot be read: {why}", why=refused) from None


def span(opens: time | None, closes: time | None) -> str:
    """Hours as they are typed."""
    return _("always") if opens is None or closes is None else f"{opens:%H:%M}-{closes:%H:%M}"


def phones(typed: Sequence[str], region: str) -> list[phone.Phone]:
    """The numbers, each once, the one to text first. Raises Refused with the reason."""
    return list(dict.fromkeys(phone.parse(each, region) for each in typed))


def pairs(typed: Sequence[str], what: str) -> dict[str, str]:
    """NAME=VALUE options as a dict. Raises Refused."""
    found = dict(each.partition("=")[::2] for each in typed)
    if not all(found) or any("=" not in each for each in typed):
        raise Refused("{what} is written as NAME=VALUE", what=Word(what))
    return found


def price(typed: str) -> float:
    """A price as it is typed. Raises Refused."""
    try:
        return float(typed)
    except ValueError:
        raise Refused("a price is a number, such as +84=450") from None


def text_of(path: str) -> str:
    """What a file holds. Raises Refused."""
    try:
        return Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise Refused("{path} cannot be read: a text file in UTF-8 is wanted", path=path) from None


def one_line(text: str) -> str:
    """A text as it may be shown in a terminal: no control characters, so that nobody can write over the screen."""
    return "".join(c if c.isprintable() else " " for c in text)


def words(text: str | None, called: bool = False) -> str:
    """A client's words on one line, or why there are none."""
    if called:
        return _("(a missed call)")
    return _("(cannot be read from here)") if text is None else one_line(text)


def begin_of(on: date, zone: str) -> datetime:
    """The beginning of a day in the zone."""
    return windows.instant(datetime.combine(on, time()), zone)


def end_of(on: date, zone: str) -> datetime:
    """The end of a day in the zone."""
    return begin_of(on + timedelta(days=1), zone)


def midnight(at: datetime, zone: str) -> datetime:
    """The beginning of the day that a clock in the zone shows."""
    return begin_of(at.astimezone(windows.zone_of(zone)).date(), zone)
