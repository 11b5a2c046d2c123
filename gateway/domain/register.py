"""One row of a client register -> a client as the gateway keeps one, or every reason why not. Nothing is
guessed.

Headings and words are known in English and Vietnamese, with and without tones. A cell that protects the
client and cannot be read is read the careful way (an odd opt-out counts as one, an odd discreet level as the
most discreet); hours that cannot be read refuse the row, since without them a text might come at a bad
moment.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from gateway.domain import cells, columns, phone, windows
from gateway.domain.columns import Columns
from gateway.domain.errors import Refused
from gateway.domain.phone import Phone
from gateway.domain.register_words import (
    BASES,
    DATE_HEADINGS,
    DISCREET,
    HEADINGS,
    LANGUAGES,
    PURPOSE_WORDS,
    PURPOSES,
    STATUSES,
    STOPPED,
    TONES,
)
from gateway.domain.told import N_
from gateway.domain.windows import Window

LONGEST_CODE = 40
LONGEST_NAME = 120
MOST_DISCREET = 2

_DATE = "date of the client: "
_NO_DATES: Mapping[str, str] = {}
_BETWEEN_PURPOSES = re.compile(r"[,;/|+&\n]|\bvà\b|\band\b")


@dataclass(frozen=True, slots=True)
class Consent:
    """What the row says of one purpose: granted with its basis, or refused. On others it is silent."""

    purpose: str
    granted: bool
    basis: str
    given_on: date | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A client as the row has it. None (or empty) means the row says nothing, and what is kept already stays.

    Two rows that say the same are equal, so a repeated row is found by comparing. `warnings` are for staff.
    """

    code: str
    name: str
    phones: tuple[Phone, ...]
    language: str | None
    zone: str | None
    hours: Window | None
    any_hour: bool  # the row says that the whole day is fine
    discreet: int | None
    tones: str | None  # when to fold Vietnamese: never | saves | always
    unit: str | None  # its code, or its name when the register has no codes
    worker: str | None  # the staff member's code
    groups: tuple[str, ...]
    status: str | None  # active | paused | closed
    status_reason: str | None
    opted_out: bool
    consents: tuple[Consent, ...]
    dates: tuple[tuple[str, date], ...]  # days that programmes count from, by name
    own: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot be taken, with all its reasons. An opt-out in it still counts for that code."""

    code: str | None
    opted_out: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the file does not say: the basis of consents without one, the purposes that a bare "yes" means."""

    region: str
    basis: str | None = None
    yes_means: tuple[str, ...] = ()


def find_columns(headings: Sequence[str], own: Sequence[str] = (), dates: Mapping[str, str] = _NO_DATES) -> Columns:
    """The register's columns; `dates`: further headings -> the name of the client's day that they hold.

    Refused without code, name and phone, without one of `dates`, or when two columns claim one field.
    """
    named: dict[str, tuple[str, ...]] = {_DATE + name: listed for name, listed in DATE_HEADINGS.items()}
    for heading, name in dates.items():
        named[_DATE + name] = (*named.get(_DATE + name, ()), heading)
    found = columns.find(headings, HEADINGS | named, required=("code", "name", "phone"), several=("phone",), own=own)
    there = {cells.key(heading) for heading in headings}
    if missing := [heading for heading in dates if cells.key(heading) not in there]:
        raise Refused("no column is named {heading}, which is to hold a date", heading=missing[0])
    return found


def is_blank(row: Sequence[str]) -> bool:
    """Whether the line holds nothing at all: such lines are passed over and counted nowhere."""
    return not any(cell.strip() for cell in row)


def read(row: Sequence[str], found: Columns, reading: Reading) -> Row | Rejected:
    """The client of this row, or why there is none. Takes any text without failing."""
    notes = _Notes([], [])
    code = _code(found.cell(row, "code"), notes)
    status, stopped = _status(found.cell(row, "status"), notes)
    opted_out = stopped or _opted_out(found.cell(row, "opt_out"), notes)
    hours, any_hour = _hours(row, found, notes)
    if len(row) > found.width and not is_blank(row[found.width :]):
        notes.reasons.append(
            N_("there are more cells than headings: probably a comma too many, and cells have shifted")
        )
    client = Row(
        code=code,
        name=_name(found.cell(row, "name"), notes),
        phones=_phones(found.all_cells(row, "phone"), reading.region, notes),
        language=_listed(found.cell(row, "language"), LANGUAGES, N_("language"), notes),
        zone=_zone(found.cell(row, "zone"), notes),
        hours=hours,
        any_hour=any_hour,
        discreet=_discreet(found.cell(row, "discreet"), notes),
        tones=_listed(found.cell(row, "tones"), TONES, N_("tones"), notes),
        unit=found.cell(row, "unit") or found.cell(row, "unit_name") or None,
        worker=found.cell(row, "worker") or None,
        groups=_groups(found.cell(row, "groups")),
        status=status,
        status_reason=(found.cell(row, "status_reason") or None) if status else None,
        opted_out=opted_out,
        consents=tuple(_consents(row, found, reading, notes)),
        dates=tuple(_dates(row, found, notes)),
        own=tuple((name, cells.clean(row[place])) for place, name in found.own if place < len(row)),
        warnings=tuple(notes.warnings),
    )
    return Rejected(code or None, opted_out, tuple(notes.reasons)) if notes.reasons else client


@dataclass(frozen=True, slots=True)
class _Notes:
    reasons: list[str]
    warnings: list[str]


def _code(code: str, notes: _Notes) -> str:
    if not code:
        notes.reasons.append(N_("code: missing, and clients are told apart by it"))
    elif len(code) > LONGEST_CODE:
        notes.reasons.append(N_("code: longer than {most} characters; the columns may have shifted").format(most=LONGEST_CODE))
    return code


def _name(name: str, notes: _Notes) -> str:
    if not name:
        notes.reasons.append(N_("name: missing"))
    elif len(name) > LONGEST_NAME:
        notes.reasons.append(N_("name: longer than {most} characters; the columns may have shifted").format(most=LONGEST_NAME))
    return name


def _phones(found: Sequence[str], region: str, notes: _Notes) -> tuple[Phone, ...]:
    """Every good number once, first come first. One good number is enough; without any the row is refused."""
    good: dict[str, Phone] = {}
    refusals: list[str] = []
    for cell in found:
        phones, refused = phone.parse_cell(cell, region)
        for each in phones:
            good.setdefault(each.e164, each)
        refusals += refused
    if not found:
        notes.reasons.append(N_("phone: missing"))
    (notes.warnings if good else notes.reasons).extend(N_("phone: {why}").format(why=refusal) for refusal in refusals)
    return tuple(good.values())


def _listed(cell: str, listed: Mapping[str, str], what: str, notes: _Notes) -> str | None:
    """The value a known word stands for; an unknown word is a warning and no value, so the unit's holds."""
    if not cell:
        return None
    value = listed.get(_key(cell))
    if value is None:
        notes.warnings.append(N_("{what}: not known, so the unit's is used").format(what=what))
    return value


def _zone(cell: str, notes: _Notes) -> str | None:
    if not cell:
        return None
    warning = _bad_zone(cell)
    if warning is not None:
        notes.warnings.append(N_("time zone: {why}").format(why=warning))
        return None
    return cell


def _hours(row: Sequence[str], found: Columns, notes: _Notes) -> tuple[Window | None, bool]:
    cell = found.cell(row, "hours")
    opens, closes = found.cell(row, "opens"), found.cell(row, "closes")
    if not cell and (opens or closes):
        cell = f"{opens}-{closes}"
    try:
        window = _window(cell) if cell else None
        return window, bool(cell) and window is None
    except Refused as refused:
        notes.reasons.append(N_("allowed hours: {why}").format(why=refused))
        return None, False


def _discreet(cell: str, notes: _Notes) -> int | None:
    if not cell:
        return None
    level = DISCREET.get(_key(cell))
    if level is None:
        notes.warnings.append(N_("discreet level: not known, so the most discreet is used"))
    return int(level or MOST_DISCREET)


def _groups(cell: str) -> tuple[str, ...]:
    names = (part.strip() for part in cell.replace(";", ",").split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def _status(cell: str, notes: _Notes) -> tuple[str | None, bool]:
    """The status, and whether the same cell says that the client wants no texts."""
    if not cell:
        return None, False
    if _key(cell) in STOPPED:
        return None, True
    status = STATUSES.get(_key(cell))
    if status is None:
        notes.reasons.append(N_("status: not known; use active, paused or closed"))
    return status, False


def _opted_out(cell: str, notes: _Notes) -> bool:
    """Only a clear no (or nothing) is a no: in doubt nobody is texted."""
    try:
        return bool(cell) and (_key(cell) in STOPPED or cells.is_yes(cell))
    except Refused:
        notes.warnings.append(N_("opted out: neither yes nor no, so it counts as opted out"))
        return True


def _consents(row: Sequence[str], found: Columns, reading: Reading, notes: _Notes) -> Iterator[Consent]:
    basis = found.cell(row, "consent_basis")
    basis = BASES.get(_key(basis), basis) or reading.basis or ""
    given_on = _given_on(found.cell(row, "consent_on"), notes)
    said = {
        purpose: (granted, basis) for purpose, granted in _said(found.cell(row, "consent"), reading, notes)
    }
    for purpose in PURPOSES:
        cell = found.cell(row, f"consent_{purpose}")
        if cell and (answer := _one_purpose(cell, basis, notes)):
            said[purpose] = answer
    for purpose, (granted, on) in said.items():
        if on or not granted:
            yield Consent(purpose, granted, on or "register", given_on if granted else None)
    if any(granted and not on for granted, on in said.values()):
        notes.warnings.append(N_("consent: given without a basis, so it does not count"))


def _said(cell: str, reading: Reading, notes: _Notes) -> list[tuple[str, bool]]:
    """Purposes named in the one consent column; a plain no refuses all of them."""
    if not cell:
        return []
    try:
        granted = _key(cell) not in STOPPED and cells.is_yes(cell)
    except Refused:
        named, all_known = _purposes(cell)
        if not all_known:
            notes.warnings.append(N_("consent: a purpose is not known, so it is not recorded"))
        return [(purpose, True) for purpose in named]
    if granted and not reading.yes_means:
        notes.warnings.append(N_("consent: it does not say to which purpose, so none is recorded"))
    return [(purpose, granted) for purpose in (reading.yes_means if granted else PURPOSES)]


def _one_purpose(cell: str, basis: str, notes: _Notes) -> tuple[bool, str] | None:
    """A column for a single purpose holds yes, no, or the basis itself; anything else is no consent."""
    if _key(cell) in BASES:
        return True, BASES[_key(cell)]
    try:
        return _key(cell) not in STOPPED and cells.is_yes(cell), basis
    except Refused:
        notes.warnings.append(N_("consent: neither yes, no nor a known basis, so it is not recorded"))
        return None


def _dates(row: Sequence[str], found: Columns, notes: _Notes) -> Iterator[tuple[str, date]]:
    """A day that cannot be read is a warning, and what is kept of it stays: nobody is texted on a day that was guessed."""
    for field in found.places:
        name = field.removeprefix(_DATE)
        if name != field and (cell := found.cell(row, field)):
            try:
                yield name, _date(cell)
            except Refused as refused:
                notes.warnings.append(N_("date {name}: {why}").format(name=name, why=refused))


def _given_on(cell: str, notes: _Notes) -> date | None:
    try:
        return _date(cell) if cell else None
    except Refused as refused:
        notes.warnings.append(N_("consent date: {why}").format(why=refused))
        return None


# Registers say the same few words in row after row.
_key = lru_cache(maxsize=4096)(cells.key)
_window = lru_cache(maxsize=1024)(cells.read_window)
_date = lru_cache(maxsize=4096)(cells.read_date)


@lru_cache(maxsize=1024)
def _bad_zone(cell: str) -> str | None:
    return windows.zone_or(cell, "UTC")[1]


@lru_cache(maxsize=1024)
def _purposes(cell: str) -> tuple[tuple[str, ...], bool]:
    """The purposes the cell names, each once, and whether every part of it names one."""
    parts = [_key(part) for part in _BETWEEN_PURPOSES.split(cell) if part.strip()]
    named = [PURPOSE_WORDS[part] for part in parts if part in PURPOSE_WORDS]
    return tuple(dict.fromkeys(named)), len(named) == len(parts)
