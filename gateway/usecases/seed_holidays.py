"""A country's public holidays as other people keep them up to date, to begin a unit's own list with."""

from collections.abc import Iterable, Mapping
from datetime import date
from uuid import UUID

from gateway.domain.errors import Refused
from gateway.store import audit, holidays
from gateway.store.base import Work


def of_country(country: str, part: str | None, years: Iterable[int], language: str) -> Mapping[date, str]:
    """The days and their names, in the language where the list has it. Raises Refused for a country or part it does not know."""
    import holidays as library  # only here: it is large, and nothing else needs it

    try:
        names = library.country_holidays(country, subdiv=part, years=list(years)).supported_languages
        said = next((name for name in names if name.split("_")[0] == language), None)
        found = library.country_holidays(country, subdiv=part, years=list(years), language=said)
    except NotImplementedError:
        raise Refused("there is no list of holidays for {country} {part}", country=country, part=part or "") from None
    return dict(found.items())


def seed(work: Work, unit_id: UUID, country: str, part: str | None, years: Iterable[int], language: str) -> int:
    """Add a country's holidays to those of a unit; what staff said of a day stays. How many were added."""
    days = of_country(country, part, years, language)
    added = holidays.seed(work, unit_id, days, "-".join(filter(None, (country, part))))
    audit.add(work, "holiday.seed", "unit", unit_id, unit_id, {"country": country, "part": part or "", "added": added})
    return added
