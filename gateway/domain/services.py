"""The service directory: what there is near a client, and which three of it to tell."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from dateutil.relativedelta import relativedelta

from gateway.domain import opening
from gateway.domain.opening import Hours, Opening
from gateway.domain.told import N_
from gateway.domain.windows import Zone

MOST_TOLD = 3
CHECKED_EVERY = relativedelta(months=6)
# Short enough that with its hours it is one text even where letters are dear.
LONGEST_SHORT_NAME = 30

CATEGORIES: Mapping[str, str] = {
    "health_insurance": N_("health insurance"),
    "work": N_("work and training"),
    "loan": N_("loans and benefits"),
    "housing": N_("housing"),
    "papers": N_("identity papers"),
    "health_care": N_("health care"),
    "family": N_("family and children"),
    "food": N_("food and clothes"),
    "supplies": N_("needles and other supplies"),
    "treatment": N_("treatment"),
    "group": N_("groups of people who have been there"),
}
"""What a service is for -> how staff call it. INFO and a number asks for one by its place here, from 1."""

ANY = "any"
"""The topic of whoever names none."""

TOPICS = (ANY, *CATEGORIES)


@dataclass(frozen=True, slots=True)
class Service:
    """A place a client may be told of. `short_name` and `address` say to a stranger nothing about who goes there."""

    id: UUID
    code: str
    category: str
    name: str
    short_name: str
    units: Sequence[UUID]  # whom it serves: these units and all below them; the first keeps the entry
    languages: Sequence[str] = ()  # spoken there; none: not known
    address: str = ""
    phone: str = ""
    hours: Hours | None = None  # None: not known
    who: str = ""
    cost: str = ""
    checked_on: date | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A service to be told, and how it stands now; None: nobody knows its hours."""

    service: Service
    opening: Opening | None


def category_of(topic: str | int) -> str | None:
    """The category that a topic names by its key or its number; None: any. Raises KeyError for what is none."""
    if topic == ANY:
        return None
    if isinstance(topic, int):
        names = dict(enumerate(CATEGORIES, 1))
        return names[topic]
    if topic not in CATEGORIES:
        raise KeyError(topic)
    return topic


def is_due(checked_on: date | None, today: date) -> bool:
    """Whether nobody has looked for six months if all this still holds."""
    return checked_on is None or checked_on + CHECKED_EVERY <= today


def rank(
    services: Iterable[Service], path: Sequence[UUID], language: str, zone: Zone, now: datetime, holidays: Collection[date] = ()
) -> list[Found]:
    """The services to tell a client whose unit is `path[0]`, below `path[1]` and so on: at most three.

    Those of the nearest unit go first, then its parent's; of one unit first those that speak the client's language, then what
    is open now, then what opens soonest. What was not checked for six months comes after all else. A place that does not
    open within a month is left out, unless its hours are unknown. `holidays` are days on which nothing opens.
    """
    near = {unit_id: distance for distance, unit_id in reversed([*enumerate(path)])}
    ranked: list[tuple[tuple[bool, int, bool, datetime, str], Found]] = []
    for service in services:
        distance = min((near[unit_id] for unit_id in service.units if unit_id in near), default=None)
        state = opening.look(service.hours, zone, now, holidays) if service.hours else None
        if distance is None or (state is not None and not state.is_open and state.opens_at is None):
            continue
        foreign = bool(service.languages) and language not in service.languages
        place = (is_due(service.checked_on, now.date()), distance, foreign, _opens_at(state, now), service.code)
        ranked.append((place, Found(service, state)))
    return [found for _place, found in sorted(ranked, key=lambda each: each[0])[:MOST_TOLD]]


def _opens_at(state: Opening | None, now: datetime) -> datetime:
    """For the order: open now before everything, unknown hours after everything."""
    if state is None:
        return datetime.max.replace(tzinfo=UTC)
    return now if state.is_open or state.opens_at is None else state.opens_at
