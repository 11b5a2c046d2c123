"""What a campaign would do if it ran now: every text is written and checked, nothing is kept and nothing is sent."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.content import Content
from gateway.domain import campaigns as rules
from gateway.domain import reminders
from gateway.domain.routing import Road
from gateway.domain.told import N_
from gateway.store import enrolments, occurrences, routes, units
from gateway.store.base import Work
from gateway.store.campaigns import Campaign
from gateway.store.occurrences import Size
from gateway.usecases import current_texts
from gateway.usecases.compose import NoLanguage, Text, Unsendable
from gateway.usecases.plan_due import PING
from gateway.usecases.write_texts import UNCARRIED, Skipped, Writer
from gateway.vault import Vault

SAMPLES = 3
DRAWN = 1_000
"""People of an audience whose texts are ruled out one by one while somebody waits; of a larger one so many are drawn."""


@dataclass(slots=True)
class Price:
    """What goes to phones of one prefix; `cost` in the campaign's currency, None without a price."""

    texts: int = 0
    segments: int = 0
    cost: float | None = None


@dataclass(slots=True)
class Preview:
    """Who would get what. Recipients and excluded are people; a campaign with `faults` cannot be approved."""

    looked_at: int = 0  # rows gone through: people or, before appointments, appointments
    of_all: int = 0
    recipients: int = 0
    later: int = 0  # people who will be reached as soon as they have the date from which a programme counts
    excluded: Counter[str] = field(default_factory=Counter)
    texts: int = 0  # "you have a message" included
    segments: int = 0
    skipped: Counter[str] = field(default_factory=Counter)  # reminders that come too late already
    notes: Counter[str] = field(default_factory=Counter)  # what fall-backs of language do
    faults: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # what is wrong -> clients' codes
    prices: defaultdict[str, Price] = field(default_factory=lambda: defaultdict(Price))  # by prefix
    samples: defaultdict[str, list[Text]] = field(default_factory=lambda: defaultdict(list))  # by language

    @property
    def is_about(self) -> bool:
        """Whether the figures are estimated from some of the people."""
        return self.looked_at < self.of_all


@dataclass(frozen=True, slots=True)
class Reach:
    """People of an audience by why they get nothing (None: they do); `is_about`: estimated from some, drawn at random."""

    people: Counter[str | None] = field(default_factory=Counter)
    is_about: bool = False


def silently(_seen: int) -> None:
    """Tells nobody how far it has come."""


def preview(
    work: Work, vault: Vault, content: Content, campaign: Campaign, limit: int = 2000, *, most: int | None = None,
    size: Size | None = None, progress: Callable[[int], None] = silently,
) -> Preview:  # fmt: skip
    """Write every text that the campaign would send to the people it has now, with today's templates.

    With `most`, no more than so many people (or appointments) are gone through, as good as drawn: `seen.looked_at` of `seen.of_all`, and
    the figures are estimates for all (`size` is its own, where it is counted already). `progress` is told their number as it rises.
    """
    seen, content = Preview(), current_texts.now(work, content)
    writer = Writer(content, vault, campaign, content.sendable, units.list_seen(work), routes.table(work))
    reached: set[UUID] = set()
    excluded: dict[UUID, str] = {}
    uncarried: defaultdict[str, list[str]] = defaultdict(list)  # codes of those for whom no channel does what the text needs
    dated = None if campaign.spec.since == rules.ENROLMENT else enrolments.dates_of(work, campaign.spec.since)
    if most:
        seen.of_all = occurrences.count_people(work, campaign) if size is None or campaign.kind == "reminders" else size.people
    for row in _rows(work, campaign, limit, most, progress, 0 < seen.of_all <= occurrences.FEW):
        seen.looked_at += 1
        reason = writer.exclusion(row)
        if reason is None and dated is not None and row.client_id not in dated:
            reason = N_("no date {name!r}, from which the programme counts").format(name=campaign.spec.since)
            seen.later += 1
        steps = _steps(seen, campaign, row, writer.place(row).zone, work.now) if reason is None else []
        reason = reason or _count(seen, writer, campaign, row, steps)
        if reason is not None:
            excluded[row.client_id] = reason
            if reason in UNCARRIED:
                uncarried[reason].append(row.code)
        elif steps:
            reached.add(row.client_id)
    seen.of_all = max(seen.of_all, seen.looked_at)
    if not reached:
        seen.faults.update(uncarried)
    seen.recipients = len(reached)
    seen.excluded.update(reason for client_id, reason in excluded.items() if client_id not in reached)
    if seen.is_about:
        _estimate(seen)
    return seen


def _estimate(seen: Preview) -> None:
    share = seen.of_all / seen.looked_at
    seen.texts, seen.segments = round(seen.texts * share), round(seen.segments * share)
    for price in seen.prices.values():
        price.texts, price.segments = round(price.texts * share), round(price.segments * share)
        price.cost = None if price.cost is None else round(price.cost * share, 2)
    for counts in (seen.excluded, seen.skipped, seen.notes):
        counts.update({what: round(count * share) - count for what, count in counts.items()})
    seen.recipients, seen.later = round(seen.recipients * share), round(seen.later * share)


def _rows(work: Work, campaign: Campaign, limit: int, most: int | None, progress: Callable[[int], None], few: bool) -> Iterator[Any]:
    after, seen = UUID(int=0), 0
    while seen != most and (rows := occurrences.people(work, campaign, after, limit if most is None else min(limit, most - seen), few)):
        yield from rows
        after, seen = rows[-1].id, seen + len(rows)
        progress(seen)


def reach(work: Work, campaign: Campaign, most: int = DRAWN, size: Size | None = None) -> Reach:
    """`exclusions` for somebody who waits: never more work than an audience of some thousands makes. `size` as in `preview`."""
    size = size or occurrences.size(work, campaign)
    some = _by_reason(campaign, occurrences.drawn(work, campaign, most, size))
    share = size.audience / max(some.total(), 1)
    return Reach(Counter({why: round(people * share) for why, people in some.items()}), size.audience > most)


def exclusions(work: Work, campaign: Campaign) -> Counter[str | None]:
    """People of the audience by why they get nothing (None: they do), as far as that is known before there are texts."""
    return _by_reason(campaign, occurrences.grouped(work, campaign))


def _by_reason(campaign: Campaign, rows: Iterable[Any]) -> Counter[str | None]:
    found: Counter[str | None] = Counter()
    for row in rows:
        person = rules.Candidate(row.covered, row.status, row.has_phone, row.to_verify, row.stopped, row.consented or not campaign.consent_purpose)
        found[rules.exclusion(person, campaign.consent_purpose, campaign.spec.audience.unverified)] += row.people
    found.pop(rules.OUTSIDE, None)
    return found


def _steps(seen: Preview, campaign: Campaign, row: Any, zone: str, now: datetime) -> list[tuple[str, str]]:
    """The texts this person would get, as (purpose, step): a reminder for each step that is still to come, else each text once."""
    steps = {str(step.id): step for step in campaign.steps}
    if campaign.kind != "reminders":
        theirs = zip(campaign.steps, campaign.spec.steps, strict=True)
        return [(step.purpose, str(step.id)) for step, spec in theirs if spec.topic is None or spec.topic in row.groups]
    timed = [rules.reminder_step(step_id, step.timing) for step_id, step in steps.items()]
    planned = reminders.plan(timed, row.starts_at, zone, now)
    seen.skipped.update(each.skipped for each in planned if each.skipped)
    return [(steps[each.step_id].purpose, each.step_id) for each in planned if not each.skipped]


def _count(seen: Preview, writer: Writer, campaign: Campaign, row: Any, steps: list[tuple[str, str]]) -> str | None:
    """Write one person's texts and count them; why there are none."""
    key, phone = writer.open(row)
    road = writer.road(row, phone, steps[0][0]) if steps else None
    if steps and road is None:
        return writer.unreached(row, phone, steps[0][0])
    texts = []
    for purpose, step_id in steps + ([(PING, "")] if steps and row.discreet == 2 else []):
        try:
            told = writer.text(row, writer.place(row), purpose, key, phone, step_id)
            if road is not None:
                writer.carrying(row, phone, purpose, told, road)
            texts.append(told)
        except Skipped as reason:
            return str(reason)
        except NoLanguage as reason:
            return str(reason)
        except Unsendable as fault:
            seen.faults[str(fault)].append(row.code)
    if road is not None:
        prefix = priced_as(campaign.spec.prices or road.prices, phone) or road.prefix
        for told in texts:
            _tally(seen, told, prefix, price_of(campaign.spec.prices, phone, road))
    return None


def priced_as(prices: Mapping[str, float], phone: str) -> str | None:
    """The longest prefix with a price that the phone begins with."""
    return max((known for known in prices if phone.startswith(known)), key=len, default=None)


def price_of(prices: Mapping[str, float], phone: str, road: Road) -> float | None:
    """What a segment costs: by the campaign's own prices, where it has any, else by the channel's."""
    prefix = priced_as(prices, phone)
    return road.price(phone) if not prices else None if prefix is None else prices[prefix]


def _tally(seen: Preview, told: Text, prefix: str, per_segment: float | None) -> None:
    seen.texts += 1
    seen.segments += told.segments
    price = seen.prices[prefix]
    price.texts += 1
    price.segments += told.segments
    price.cost = None if per_segment is None else price.segments * per_segment
    seen.notes.update([told.note] if told.note else [])
    samples = seen.samples[told.language]
    if len(samples) < SAMPLES and told.body not in {sample.body for sample in samples}:
        samples.append(told)
