"""Turn recurring campaigns and programmes into occurrences, a few minutes before each falls due.

No earlier, so that whoever joins, leaves or moves, and every holiday that is added until then, is planned as it is. A
rehearsal asks the same questions here (`Rounds`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from gateway.domain import campaigns as rules
from gateway.domain import reminders, rounds, windows
from gateway.domain.errors import Refused
from gateway.domain.rounds import Calendar, Round
from gateway.domain.told import N_
from gateway.store import campaigns, clients, enrolments, holidays, occurrences, units
from gateway.store.base import Work
from gateway.store.campaigns import Campaign, Step
from gateway.usecases.places import Place, Places

AHEAD, EVERY = timedelta(minutes=10), timedelta(minutes=5)
AROUND = timedelta(days=60)  # of holidays that are looked at
LOOK_AGAIN = timedelta(days=1)  # at the latest: holidays and hours may have changed
DATE_CHANGED = N_("the date it counts from has changed")
QUIET_HOURS = "quiet hours"
NO_CALENDAR: Calendar = frozenset()


@dataclass(frozen=True, slots=True)
class Planned:
    """One text of a campaign for one person: its round, its moment, what moved it, or why there is none.

    `nth`: which text of a programme's step it is.
    """

    step: Step
    on: date
    due_at: datetime
    send_before: datetime
    moved: str | None
    skipped: str | None
    nth: int | None = None


class Rounds:
    """The rounds of one campaign between two moments, for each person. What is the same for many is worked out once."""

    def __init__(self, work: Work, campaign: Campaign, since: datetime, until: datetime) -> None:
        self.campaign, self.since, self.until = campaign, since, until
        self.calendars = holidays.calendars(work, (since - AROUND).date(), (until + AROUND).date())
        self._started_at = campaign.started_at or work.now
        self._steps = list(zip(campaign.steps, campaign.spec.steps, strict=True))
        self._known: dict[tuple[Any, ...], list[Round]] = {}
        if campaign.kind == "recurring":
            self._rule = rules.recurring(campaign.spec)
        else:
            self._days = [rules.step_days(campaign.spec, step) for step in campaign.spec.steps]

    def any(self, zones: Iterable[tuple[str, str]]) -> bool:
        """Whether a recurring campaign has a round for anybody in `occurrences.zones` at all."""
        calendars = {NO_CALENDAR, *self.calendars.values()}
        return any(self._of_rule(windows.zone_or(*pair)[0].key, days) for pair in zones for days in calendars)

    def recurring(self, client: UUID | str, groups: Collection[str], place: Place, had: Sequence[tuple[UUID, date]]) -> list[Planned]:
        """A person's rounds, each with the next text of the sequence for their topics; `had`: (step, round) so far."""
        places = {step.id: number for number, (step, _) in enumerate(self._steps)}
        done, known = {places[step_id] for step_id, _ in had if step_id in places}, {on for _, on in had}
        planned = []
        for found in self._of_rule(place.zone, self._calendar(place)):
            number = None if found.on in known else rules.next_in_sequence(self.campaign.spec.steps, groups, done)
            if number is not None:
                planned.append(self._planned(self._steps[number][0], found, self._rule.timing, client, place))
                done.add(number)
        return planned

    def programme(
        self, client: UUID | str, groups: Collection[str], place: Place, day_zero: date, enrolled_at: datetime, since: datetime | None,
        sent: Collection[tuple[UUID, int]] = (),
    ) -> tuple[list[Planned], datetime | None]:  # fmt: skip
        """A person's texts from `since` (None: from the beginning) to the end, and when to look again; None: all is done and over.

        No text of `sent` (step, which of its texts) comes again. A step of another topic is waited for: they may join it.
        """
        planned: list[Planned] = []
        coming: list[datetime] = []
        for number, (step, spec) in enumerate(self._steps):
            days = self._days[number]
            theirs = spec.topic is None or spec.topic in groups
            placed = self._of_step(number, day_zero, place.zone, self._calendar(place))
            late: dict[date, Round] = {}
            if since is not None and days.timing.holidays == "before":
                named = self._of_step(number, day_zero, place.zone, NO_CALENDAR)
                late = {each.on: each for each in rounds.overtaken(named, placed, since)}
            for nth, found in enumerate(late.get(each.on, each) for each in placed):
                if found.at >= self.until:
                    coming += [] if (step.id, nth) in sent else [found.at]
                    continue
                coming.append(found.send_before)
                if theirs and (step.id, nth) not in sent and (since is None or found.at >= since):
                    past = reminders.IN_THE_PAST if found.at < enrolled_at else None
                    planned.append(replace(self._planned(step, found, days.timing, client, place, past), nth=nth))
        return planned, min((at for at in coming if at > self.since), default=None)

    def day_zero(self, place: Place, now: datetime) -> date:
        """The day of an enrolment, or the next where a text of that very day would come too late already."""
        today = now.astimezone(windows.zone_of(place.zone)).date()
        firsts = [found for number in range(len(self._steps)) for found in self._of_step(number, today, place.zone, NO_CALENDAR)[:1]]
        return today + timedelta(days=1) if any(found.on == today and found.at < now for found in firsts) else today

    def _planned(
        self, step: Step, found: Round, timing: rounds.Timing, client: UUID | str, place: Place, past: str | None = None
    ) -> Planned:  # fmt: skip
        skipped = past or found.skipped
        if skipped:
            return Planned(step, found.on, found.at, found.send_before, None, skipped)
        due_at = rounds.due(found, timing.spread, f"{step.id}:{client}:{found.on}", place.hours, place.zone)
        waits = QUIET_HOURS if due_at > found.at + timing.spread else None
        moved = "; ".join(filter(None, (found.moved, waits))) or None
        return Planned(step, found.on, due_at, found.send_before, moved, None)

    def _calendar(self, place: Place) -> Calendar:
        return self.calendars.get(str(place.unit.id), NO_CALENDAR)

    def _of_rule(self, zone: str, calendar: Calendar) -> list[Round]:
        key = zone, calendar
        if key not in self._known:
            start = self._started_at.astimezone(windows.zone_of(zone)).date()
            asked = self._rule, start, zone, calendar, self.since, self.until
            self._known[key] = rounds.of_rule(*asked) + rounds.missed(*asked)
        return self._known[key]

    def _of_step(self, number: int, day_zero: date, zone: str, calendar: Calendar) -> list[Round]:
        key = number, day_zero, zone, calendar
        if key not in self._known:
            self._known[key] = rounds.of_step(self._days[number], day_zero, zone, calendar)
        return self._known[key]


def plan(work: Work, campaign: Campaign, limit: int) -> int:
    """Plan the next part of a campaign whose row or lock is held; how much was done, 0 when nothing is left for now."""
    return _recurring(work, campaign, limit) if campaign.kind == "recurring" else _programme(work, campaign, limit)


# --- recurring ------------------------------------------------------------------------------------------------------


def _recurring(work: Work, campaign: Campaign, limit: int) -> int:
    """The rounds since the last look, for everybody in the audience now."""
    to_do = campaign.to_do or {}
    since = datetime.fromisoformat(to_do["from"])
    until = datetime.fromisoformat(to_do["to"]) if "to" in to_do else work.now + AHEAD
    if "to" not in to_do and until - since < EVERY:
        return 0
    found = Rounds(work, campaign, since, until)
    if not found.any(occurrences.zones(work)):
        campaigns.set_to_do(work, campaign.id, _after(campaign, until))
        return 0
    people = enrolments.audience(work, campaign, UUID(to_do.get("after_client", str(UUID(int=0)))), limit)
    in_turn = len(campaign.steps) > 1
    had = enrolments.had(work, campaign.id, [row.id for row in people]) if in_turn else {}
    places = Places(units.list_seen(work))
    news = [
        (row, planned) for row in people
        for planned in found.recurring(row.id, row.groups, places.of(row), had.get(row.id, ()))
    ]  # fmt: skip
    _add(work, campaign, news)
    more = {"from": since.isoformat(), "to": until.isoformat(), "after_client": str(people[-1].id)} if len(people) == limit else None
    campaigns.set_to_do(work, campaign.id, more or _after(campaign, until))
    return 1


def _after(campaign: Campaign, until: datetime) -> dict[str, str]:
    """What is left to do once everything before `until` is planned: to go on, or to end."""
    plan = rules.recurring(campaign.spec)
    last = rounds.ends(plan, (campaign.started_at or until).date())
    slack = timedelta(days=2) if plan.timing.holidays == "send" else rounds.SLACK
    if last is not None and until.date() - slack > last:
        return {"ends_at": (until + plan.timing.lasts).isoformat()}
    return {"from": until.isoformat()}


def _add(work: Work, campaign: Campaign, news: Iterable[tuple[Any, Planned]]) -> None:
    occurrences.add_rounds(work, campaign.id, [
        occurrences.NewRound(row.unit_id, each.step.id, row.id, each.on, each.due_at, each.send_before, each.moved, each.skipped, each.nth)
        for row, each in news
    ])  # fmt: skip


# --- programmes -----------------------------------------------------------------------------------------------------


def _programme(work: Work, campaign: Campaign, limit: int) -> int:
    """Let people in and out when it is time for that; then the texts of those whose next one is near."""
    to_do = campaign.to_do or {}
    done = 0
    if datetime.fromisoformat(to_do["from"]) <= work.now:
        done = _come_and_go(work, campaign, limit)
        if done < limit:
            campaigns.set_to_do(work, campaign.id, {"from": (work.now + EVERY).isoformat()})
    people = enrolments.lock_due(work, campaign.id, limit)
    if not people:
        return done
    found = Rounds(work, campaign, work.now, work.now + AHEAD)
    places = Places(units.list_seen(work))
    sent = enrolments.sent(work, campaign.id, [row.id for row in people])
    news, looks = [], {}
    for row in people:
        planned, coming = found.programme(
            row.id, row.groups, places.of(row), row.day_zero, row.enrolled_at, row.planned_to,
            sent.get(row.id, ()))  # fmt: skip
        news += [(row, each) for each in planned]
        looks[row.id] = None if coming is None else max(work.now + EVERY, min(coming - EVERY, work.now + LOOK_AGAIN))
    _add(work, campaign, news)
    enrolments.planned(work, campaign.id, found.until, looks)
    return done + len(people)


def _come_and_go(work: Work, campaign: Campaign, limit: int) -> int:
    leaving = enrolments.leaving(work, campaign.id, campaign.spec.schedule.get("exit", ()))
    clients.lock(work, leaving)
    for why in sorted(set(leaving.values())):
        enrolments.leave(work, campaign.id, [client_id for client_id, reason in leaving.items() if reason == why], why)
    moved = enrolments.moved(work, campaign)
    if moved:
        clients.lock(work, moved)
        enrolments.follow(work, campaign, moved, DATE_CHANGED)
    if campaign.spec.schedule.get("enrol") == "by_hand" or campaign.state == "cancelled":
        return 0
    newcomers = enrolments.newcomers(work, campaign, limit)
    return enrol(work, campaign, newcomers)


def enrol(work: Work, campaign: Campaign, people: Sequence[Any]) -> int:
    """Take people into a programme now, by rows of `enrolments.newcomers`."""
    if not people:
        return 0
    found, places = Rounds(work, campaign, work.now, work.now), Places(units.list_seen(work))
    days = {row.id: (row.unit_id, row.on_date or found.day_zero(places.of(row), work.now)) for row in people}
    return enrolments.enrol(work, campaign.id, days)


def enrol_by_hand(work: Work, campaign: Campaign, client_ids: Sequence[UUID]) -> int:
    """Take these clients of the audience in; how many were not in it. Raises Refused for one who cannot be."""
    enrolments.must_be_programme(campaign)
    people = enrolments.people(work, campaign, client_ids)
    if len(people) < len(set(client_ids)):
        raise Refused("not all of them are in the programme's audience, or one is closed: nobody was enrolled")
    if campaign.spec.since != rules.ENROLMENT and any(row.on_date is None for row in people):
        raise Refused("somebody has no date {name!r}, from which the programme counts: nobody was enrolled", name=campaign.spec.since)
    return enrol(work, campaign, people)
