"""Tell a client what there is near them: INFO and TT by text, menus and dialogues by topic. One rule chooses, one text is one segment."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

from gateway.content import Content
from gateway.domain import messages as lanes
from gateway.domain import opening, windows
from gateway.domain import services as rules
from gateway.domain.services import Found, Service
from gateway.store import holidays, services, units
from gateway.store.base import Work
from gateway.usecases import compose, send_text
from gateway.usecases.compose import Recipient, Text
from gateway.vault import Vault

LIVES = timedelta(hours=12)
EXEMPT = timedelta(minutes=10)
# Between two texts of one answer: each is out before the next is due, so they arrive in their order.
APART = timedelta(seconds=3)


def find(work: Work, unit: units.Unit, language: str, topic: str | int) -> list[Found]:
    """At most three services for a topic (`services.TOPICS`, or a category's number): see `services.rank`. None for an unknown one."""
    try:
        category = rules.category_of(topic)
    except KeyError:
        return []
    path, near = services.near(work, unit.id, category)
    return rules.rank(near, path, language, unit.time_zone, work.now, holidays_of(work, unit))


def holidays_of(work: Work, unit: units.Unit) -> Collection[date]:
    """The days ahead on which nothing opens where the unit is, as far as openings are looked for."""
    return holidays.of_unit(work, unit.id, *_ahead(work.now))


def calendars(work: Work) -> Mapping[str, Collection[date]]:
    """The same for all units that have any, by their id as text."""
    return holidays.calendars(work, *_ahead(work.now))


def _ahead(now: datetime) -> tuple[date, date]:
    """From yesterday on, wherever a unit is: what is open past midnight began then."""
    return now.date() - timedelta(days=2), now.date() + timedelta(days=opening.HORIZON_DAYS + 1)


def texts(work: Work, content: Content, person: Recipient, topic: str | int) -> list[Text]:
    """What the person is told, in their language, each in one segment; nothing when there is nothing to tell."""
    unit = units.get(work, person.unit_id)
    return worded(content, person, unit, find(work, unit, person.language, topic), work.now)


def worded(content: Content, person: Recipient, unit: units.Unit, found: Sequence[Found], now: datetime) -> list[Text]:
    """What was found near the person's unit, as they are told: a screen of USSD shows the bodies, `tell` sends them."""
    there = replace(person, zone=unit.time_zone)
    return [word(content, there, each, now) for each in found]


def tell(
    work: Work, vault: Vault, content: Content, person: Recipient, topic: str | int, *, dedupe_key: str,
    inbound_id: UUID | None = None, channel_id: UUID | None = None, wait: timedelta = timedelta(0),
) -> int:  # fmt: skip
    """Queue the texts as answers to what the person just asked for; how many. 0: nothing is known, a person is to be asked."""
    told = texts(work, content, person, topic)
    for number, text in enumerate(told):
        send_text.put(
            work, vault, content, person, text, lane=lanes.REPLY, dedupe_key=f"{dedupe_key}:{number}", send_before=work.now + LIVES,
            inbound_id=inbound_id, channel_id=channel_id, exempt_for=EXEMPT, wait=wait + number * APART,
        )  # fmt: skip
    return len(told)


def word(content: Content, there: Recipient, found: Found, now: datetime) -> Text:
    """The most that fits one segment: the short name always, its hours always, then phone and address as there is room."""
    purpose, at = _how(found, there.zone, now)
    for place in _places(found.service):
        text = compose.compose(content, there, purpose, {"place": place} | ({"at": at} if at else {}), policy="unit_default")
        if text.segments == 1:
            break
    return text


def _places(service: Service) -> Iterator[str]:
    for parts in ((service.address, service.phone), (service.phone,), (service.address,), ()):
        yield ", ".join(part for part in (service.short_name, *parts) if part)


def _how(found: Found, zone: str, now: datetime) -> tuple[str, datetime | None]:
    """Which text says how the place stands, and the moment in it."""
    state = found.opening
    if state is None:
        return "service_hours_unknown", None
    if state.is_open:
        return ("service_open", state.closes_at) if state.closes_at else ("service_always", None)
    assert state.opens_at is not None  # `rank` leaves out what does not open
    clock = windows.zone_of(zone)
    days = (state.opens_at.astimezone(clock).date() - now.astimezone(clock).date()).days
    purpose = "service_later" if days == 0 else "service_tomorrow" if days == 1 else "service_this_week" if days < 7 else "service_on_a_day"
    return purpose, state.opens_at
