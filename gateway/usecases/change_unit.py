"""Units: added below another, and changed."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from gateway.domain import phone, windows
from gateway.domain.windows import Window
from gateway.store import audit, units
from gateway.store.base import Actor, Work
from gateway.store.units import Unit
from gateway.usecases import change_staff

TONES = ("never", "saves", "always")


def add(
    work: Work, by: Actor, languages: Collection[str], *, code: str, name: str, kind: str, parent_id: UUID | None, zone: str, language: str,
    region: str, hours: Window | None = None, tones: str = "saves", details: Mapping[str, Any] | None = None,
) -> UUID:  # fmt: skip
    """Keep a unit below one that the actor sees. Runs as the system. Raises Refused."""
    change_staff.check_language(language, languages)
    unit_id = units.add(
        work, kind=kind, code=code, name=name, time_zone=windows.zone_of(zone).key, language=language, region=phone.known_region(region),
        parent_id=parent_id, hours=hours, tones=tones, details=details,
    )  # fmt: skip
    audit.add(work, "unit.add", "unit", unit_id, unit_id, {"code": code}, by=by)
    return unit_id


def edit(
    work: Work, old: Unit, by: Actor, languages: Collection[str], *, hours: Window | None, details: Mapping[str, Any], name: str | None = None,
    zone: str | None = None, language: str | None = None, region: str | None = None, tones: str | None = None, texts_a_day: int | None = None,
    texts_a_week: int | None = None,
) -> bool:  # fmt: skip
    """Change what is given of a unit that the actor sees; whether anything changed. No hours: always; 0 texts: as the units above.

    Runs as the system. Raises Refused.
    """
    if language:
        change_staff.check_language(language, languages)
    new = replace(
        old, name=name or old.name, time_zone=windows.zone_of(zone).key if zone else old.time_zone, language=language or old.language,
        tones=tones or old.tones, region=phone.known_region(region) if region else old.region, opens=hours.opens if hours else None,
        closes=hours.closes if hours else None, details=details, texts_a_day=old.texts_a_day if texts_a_day is None else texts_a_day or None,
        texts_a_week=old.texts_a_week if texts_a_week is None else texts_a_week or None,
    )  # fmt: skip
    if new == old:
        return False
    units.save(work, new)
    changed = {name: [getattr(old, name), getattr(new, name)] for name in Unit.__slots__ if getattr(old, name) != getattr(new, name)}
    audit.add(work, "unit.edit", "unit", old.id, old.id, {"changed": changed}, by=by)
    return True


def read_details(kept: Mapping[str, Any], typed: Mapping[str, str]) -> dict[str, Any]:
    """The details with those typed put in, NAME or NAME.LANGUAGE; an empty value takes one out."""
    details = {name: dict(value) if isinstance(value, Mapping) else value for name, value in kept.items()}
    for name, value in typed.items():
        name, _dot, language = name.partition(".")
        if language:
            before = details.get(name)
            details[name] = {**(before if isinstance(before, dict) else {}), language: value}
        elif value:
            details[name] = value
        else:
            details.pop(name, None)
    return details


def written_details(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The details as `read_details` takes them: what has a value for each language as several. Without lists, which nobody types."""
    found: list[tuple[str, str]] = []
    for name, value in details.items():
        if isinstance(value, Mapping):
            found += [(f"{name}.{code}", str(said)) for code, said in value.items()]
        elif not isinstance(value, list):
            found.append((name, str(value)))
    return sorted(found)


def unwritten_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """The others."""
    return {name: value for name, value in details.items() if isinstance(value, list)}
