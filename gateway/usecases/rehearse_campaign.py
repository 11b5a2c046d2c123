"""What a campaign would send until a day, text by text, by the rules and words of real planning; nothing is kept.

Every phone of the audience is gone through as it is now (see `rehearse_phone`): the rounds of those on it, what the planner makes of
each, and what the sender's judge says when it is due. Nobody answers, and no dialogue that waits behind a person's goes on. What other
campaigns may send meanwhile, and how fast a carrier is, is not known; a question that is put once more fills the cap and is not listed.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Self
from uuid import UUID

from gateway import log
from gateway.content import Content
from gateway.domain import campaigns as rules
from gateway.domain import dialogues, reminders, windows
from gateway.domain.caps import Cap
from gateway.domain.routing import Road
from gateway.store import enrolments, holidays, messages, occurrences, routes, sessions, units
from gateway.store.base import Work
from gateway.store.campaigns import Campaign
from gateway.usecases import current_texts, plan_due, read_sessions, rehearse_phone
from gateway.usecases.compose import Text
from gateway.usecases.places import Place
from gateway.usecases.plan_rounds import Planned, Rounds
from gateway.usecases.preview_campaign import price_of, silently
from gateway.usecases.write_texts import Letter, Writer
from gateway.vault import Vault

A_DAY = timedelta(days=1)
TELL_EACH = 500


@dataclass(slots=True)
class Day:
    """One text of the campaign on one day of the clients' clocks."""

    sent: int = 0
    texts: int = 0  # first texts of discreet level 2 included
    segments: int = 0
    cost: float = 0.0
    unpriced: int = 0  # segments to phones without a price
    first: str = ""  # clock times
    last: str = ""
    held: Counter[str] = field(default_factory=Counter)  # sent later than planned, or moved, by reason
    skipped: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Rehearsal:
    """Days by (day, purpose), holidays and clock changes on the way, and what it came to in all.

    `no_holidays`: years of which no holiday is known, where the campaign would heed them.
    """

    since: datetime
    until: datetime
    clients: int = 0
    reached: int = 0
    days: defaultdict[tuple[date, str], Day] = field(default_factory=lambda: defaultdict(Day))
    holidays: dict[date, str] = field(default_factory=dict)
    no_holidays: list[int] = field(default_factory=list)
    clock_changes: dict[date, str] = field(default_factory=dict)

    def weeks(self) -> dict[date, Day]:
        """All texts by the Monday of their week."""
        weeks: defaultdict[date, Day] = defaultdict(Day)
        for (on, _), day in sorted(self.days.items()):
            week = weeks[on - timedelta(days=on.weekday())]
            for name in ("sent", "texts", "segments", "cost", "unpriced"):
                setattr(week, name, getattr(week, name) + getattr(day, name))
            week.held += day.held
            week.skipped += day.skipped
        return dict(weeks)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        # asdict would count the pairs of a Counter instead of copying it (before Python 3.12).
        days = [[on.isoformat(), purpose, {name: getattr(day, name) for name in day.__slots__}] for (on, purpose), day in self.days.items()]
        return {
            "since": self.since.isoformat(), "until": self.until.isoformat(), "clients": self.clients, "reached": self.reached,
            "days": days, "holidays": {on.isoformat(): name for on, name in self.holidays.items()},
            "clock_changes": {on.isoformat(): zones for on, zones in self.clock_changes.items()},
            "no_holidays": self.no_holidays,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The rehearsal that `to_dict` gave."""
        days = {(date.fromisoformat(on), purpose): Day(**{**day, "held": Counter(day["held"]), "skipped": Counter(day["skipped"])})
                for on, purpose, day in data["days"]}  # fmt: skip
        marks = {name: {date.fromisoformat(on): said for on, said in data[name].items()} for name in ("holidays", "clock_changes")}
        return cls(
            datetime.fromisoformat(data["since"]), datetime.fromisoformat(data["until"]), data["clients"], data["reached"],
            defaultdict(Day, days), no_holidays=list(data["no_holidays"]), **marks,
        )  # fmt: skip


def rehearse(
    work: Work, vault: Vault, content: Content, campaign: Campaign, until: datetime, limit: int = 2000,
    progress: Callable[[int], None] = silently,
) -> Rehearsal:  # fmt: skip
    """Go through everything from now until `until` for everyone the actor sees. `progress` is told how many phones were gone through."""
    seen, content = Rehearsal(work.now, until), current_texts.now(work, content)
    stage = _Stage(work, vault, content, campaign, seen)
    after = UUID(int=0)
    while rows := occurrences.people(work, campaign, after, limit):
        after = rows[-1].id
        stage.enter(work, rows)
    stage.ring(work, vault, content, progress)
    _mark_calendar(work, campaign, stage, seen)
    return seen


class _Stage:
    """Everything that is the same for all clients of a rehearsal."""

    def __init__(self, work: Work, vault: Vault, content: Content, campaign: Campaign, seen: Rehearsal) -> None:
        known = units.list_seen(work)
        self.seen, self.campaign = seen, campaign
        self.writer = Writer(content, vault, campaign, content.sendable, known, routes.table(work))
        self.again = Rounds(work, campaign, seen.since, seen.until) if campaign.kind in rules.AGAIN else None
        self.enrolled = enrolments.all_of(work, campaign.id) if campaign.kind == "programme" else {}
        self.dates = enrolments.dates_of(work, campaign.spec.since) if campaign.kind == "programme" else {}
        self.sent: dict[UUID, set[tuple[UUID, int]]] = {}
        self.caps = units.caps(work)
        self.steps = {step.id: str(step.id) for step in campaign.steps}
        self.places: set[Place] = set()
        self._phones: defaultdict[bytes, list[tuple[Any, Planned]]] = defaultdict(list)  # by hash; a client without one alone
        self._clients: set[UUID] = set()
        self._reached: set[UUID] = set()
        self._shares: dict[str, float | None] = {}

    def enter(self, work: Work, rows: Sequence[Any]) -> None:
        """Work out what is planned for some people."""
        had = enrolments.had(work, self.campaign.id, [row.client_id for row in rows]) if self.campaign.kind == "recurring" else {}
        if self.campaign.kind == "programme":
            self.sent = enrolments.sent(work, self.campaign.id, [row.client_id for row in rows])
        for row in rows:
            if row.covered and row.status != "closed":  # read many times: a plain object is several times as fast
                self._coming(SimpleNamespace(**row._asdict()), had.get(row.client_id, []))

    def _coming(self, row: Any, had: list[tuple[UUID, date]]) -> None:
        place = self.writer.place(row)
        self.places.add(place)
        self._clients.add(row.client_id)
        on_phone = self._phones[bytes(row.phone_hash) if row.phone_hash else row.client_id.bytes]
        on_phone += [(row, planned) for planned in self._planned(row, place, had)]

    def ring(self, work: Work, vault: Vault, content: Content, progress: Callable[[int], None]) -> None:
        """Rehearse phone by phone, once everybody on each has entered: they share its cap."""
        named = {step.purpose: name for step in self.campaign.steps if (name := dialogues.name_of(step.purpose)) is not None}
        known = {purpose: content.dialogues[name] for purpose, name in named.items()}
        left = messages.left_since(work, list(self._phones), self.seen.since - rehearse_phone.A_WEEK)
        talks = _talks(work, vault, content, self._clients) if known else {}
        for gone, (phone_hash, coming) in enumerate(self._phones.items()):
            if gone % TELL_EACH == 0:
                progress(gone)
            rehearse_phone.Phone(
                self.writer, self.steps, self.campaign.consent_purpose, known, self._cap, self._sent, self._skipped,
                sorted(left.get(phone_hash, ())), {row.client_id: talks.get(row.client_id, []) for row, _ in coming},
            ).run(coming, self.seen.until)  # fmt: skip
        self.seen.clients, self.seen.reached = len(self._clients), len(self._reached)

    def _sent(self, text: rehearse_phone.Text, at: datetime) -> None:
        assert text.planned is not None
        self._reached.add(text.row.client_id)
        zone = windows.zone_of(text.letter.place.zone)
        self._count(text.planned, text.letter, text.row, at.astimezone(zone), "; ".join(dict.fromkeys(text.reasons)))

    def _skipped(self, planned: Planned, row: Any, reason: str) -> None:
        self._day(planned, planned.due_at.astimezone(windows.zone_of(self.writer.place(row).zone))).skipped[reason] += 1

    def _planned(self, row: Any, place: Place, had: list[tuple[UUID, date]]) -> list[Planned]:
        """What real planning would make occurrences of, for one person or, of reminders, one appointment."""
        since, until = self.seen.since, self.seen.until
        if self.again is None:
            return [each for each in _once(self.campaign, row, place, since) if each.skipped or each.due_at < until]
        client = str(row.client_id)
        if self.campaign.kind == "recurring":
            return self.again.recurring(client, row.groups, place, had)
        known = self.enrolled.get(row.client_id)
        if known is not None:
            return [] if known.ended else self.again.programme(
                client, row.groups, place, known.day_zero, known.enrolled_at, known.planned_to,
                self.sent.get(row.client_id, ()))[0]  # fmt: skip
        day_zero = self.dates.get(row.client_id)
        if self.campaign.spec.since == rules.ENROLMENT:
            day_zero = self.again.day_zero(place, since)
        if day_zero is None or self.campaign.spec.schedule.get("enrol") == "by_hand":
            return []
        return self.again.programme(client, row.groups, place, day_zero, since, None)[0]

    def _cap(self, row: Any) -> Cap:
        return self.caps.get(row.unit, Cap()).narrowed(row.texts_a_day, row.texts_a_week)

    def _day(self, planned: Planned, local: datetime) -> Day:
        return self.seen.days[local.date(), planned.step.purpose]

    def _count(self, planned: Planned, letter: Letter, row: Any, local: datetime, why: str) -> None:
        day = self._day(planned, local)
        clock = f"{local.hour:02}:{local.minute:02}"
        day.sent += 1
        day.first = min(day.first or clock, clock)
        day.last = max(day.last, clock)
        if why:
            day.held[why] += 1
        texts = [letter.told]
        if row.discreet == 2:
            texts.append(self.writer.text(row, letter.place, plan_due.PING, letter.key, letter.phone))
        self._price(day, letter.phone, letter.road, texts)

    def _price(self, day: Day, phone: str, road: Road, texts: list[Text]) -> None:
        if phone not in self._shares:
            self._shares[phone] = price_of(self.campaign.spec.prices, phone, road)
        price, segments = self._shares[phone], sum(told.segments for told in texts)
        day.texts += len(texts)
        day.segments += segments
        if price is None:
            day.unpriced += segments
        else:
            day.cost += price * segments


def _talks(work: Work, vault: Vault, content: Content, client_ids: Collection[UUID]) -> dict[UUID, list[rehearse_phone.Talk]]:
    """The dialogues that are open now. One that cannot be read stands in nobody's way here."""
    found: defaultdict[UUID, list[rehearse_phone.Talk]] = defaultdict(list)
    for row in sessions.live_of(work, client_ids):
        try:
            definition = read_sessions.dialogue_at(work, content, row.dialogue, row.version)
            state = sessions.open_state(row, vault.open_key(row.wrapped, row.key_id))
            found[row.client_id].append(rehearse_phone.Talk(state, definition, left_at=row.asked_at))
        except Exception as error:
            log.error("session_not_read", error, session=row.id)
    return found


def _once(campaign: Campaign, row: Any, place: Place, now: datetime) -> Iterator[Planned]:
    """The text of a one-off campaign, or the steps before an appointment."""
    if campaign.kind == "one_off":
        moment = plan_due.moments_of(campaign, [(place.zone, place.zone)], campaign.started_at or now)[place.zone, place.zone]
        if moment.due_at >= now:
            yield Planned(campaign.steps[0], moment.due_at.date(), moment.due_at, moment.send_before, None, None)
        return
    steps = {str(step.id): step for step in campaign.steps}
    timed = [rules.reminder_step(step_id, step.timing) for step_id, step in steps.items()]
    for each in reminders.plan(timed, row.starts_at, place.zone, now):
        yield Planned(steps[each.step_id], each.due_at.date(), each.due_at, each.send_before, None, each.skipped)


def _mark_calendar(work: Work, campaign: Campaign, stage: _Stage, seen: Rehearsal) -> None:
    """Holidays of the campaign's units, and the days on which clocks change."""
    first, last = seen.since.date(), seen.until.date()
    for unit_id in campaign.audience.units:
        seen.holidays |= {each.on_date: each.name for each in holidays.list_for(work, unit_id, first, last) if each.is_holiday}
    said = (campaign.spec.schedule, *(step.timing for step in campaign.spec.steps))
    if any(each.get("holidays", "send") != "send" for each in said):
        whole = [each.on_date.year for unit_id in campaign.audience.units
                 for each in holidays.list_for(work, unit_id, date(first.year, 1, 1), date(last.year, 12, 31))]  # fmt: skip
        seen.no_holidays = [year for year in range(first.year, last.year + 1) if year not in whole]
    for zone in sorted({place.zone for place in stage.places}):
        for on in _clock_changes(zone, first, last):
            seen.clock_changes[on] = "; ".join(filter(None, (seen.clock_changes.get(on), zone)))


@lru_cache(maxsize=64)
def _clock_changes(zone: str, first: date, last: date) -> tuple[date, ...]:
    """The days on which a clock in the zone is put forward or back."""
    clock = windows.zone_of(zone)
    noons = [datetime(day.year, day.month, day.day, 12, tzinfo=UTC) for day in (first + n * A_DAY for n in range(-1, (last - first).days + 1))]
    offsets = [noon.astimezone(clock).utcoffset() for noon in noons]
    return tuple(noon.date() for n, noon in enumerate(noons) if n and offsets[n] != offsets[n - 1])

