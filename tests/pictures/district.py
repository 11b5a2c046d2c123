"""A district of the example province, and the year that it has had: who was asked, answered, came, fell silent."""

import csv
import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from flask import Flask

from gateway.channels.base import Inbound, Report, SendResult
from gateway.domain import campaigns as rules
from gateway.parts import Gateway
from gateway.queues import silent
from gateway.store import channels, clients, staff, units
from gateway.store.base import SYSTEM, Actor, unit_of_work
from gateway.usecases import (
    import_services,
    launch_campaign,
    load_example,
    receive_message,
    record_outcomes,
    record_reports,
    seed_holidays,
    send_due,
)
from gateway.usecases.record_outcomes import Ended, Sent
from gateway.usecases.second_way import SecondWay
from gateway.usecases.tables import Options, Table
from gateway.wire import Wire
from tests.year.clock import Clock
from tests.year.staff import Staff
from tests.year.town import HABITS, VIETNAM, Person
from workers import clock as by_itself

SEED = "pictures"
TODAY = date(2026, 3, 10)  # a Tuesday
WEEKS, ASKED = 52, 10
"""Since when there are appointments with their reminders; since when clients are asked each Monday how they are."""
YEAR = date(2025, 4, 1), date(2026, 2, 28)
"""The whole months of it."""
LEFT = "SV-01"
COMMUNES = ("SV-01-03", "SV-01-12", "SV-01-14", "SV-01-16")
LOOKS = {0: (time(8, 35), time(9, 20), time(10, 5), time(13), time(17, 5))}
ON_OTHER_DAYS = (time(9, 5), time(17, 5))
TASKS = ("plan", "expire", "silence", "hand_up", "escalate")
NOW_AND_THEN = ("quiet", "figures", "audit", "imports", "rehearse", "exports")
EXAMPLES = load_example.EXAMPLES
WEEKLY: dict[str, Any] = {
    "name": "Hỏi thăm hằng tuần", "kind": "recurring", "language": {"missing": "campaign_default", "default": "vi"},
    "schedule": {"every": "FREQ=WEEKLY;BYDAY=MO", "at": "08:30", "spread": "90m", "lasts": "24h", "holidays": "after"},
    "steps": [{"dialogue": "weekly_check_in"}], "prices": {"+84": 450, "currency": "VND"},
}  # fmt: skip
REMINDERS: dict[str, Any] = {
    "name": "Nhắc hẹn", "kind": "reminders", "language": {"missing": "campaign_default", "default": "vi"},
    "steps": [{"template": "appointment_reminder_7d", "before": "7d", "at": "09:00"}, {"template": "appointment_reminder_1d", "before": "1d", "at": "17:00"}],
    "prices": {"+84": 450, "currency": "VND"},
}  # fmt: skip


@dataclass(slots=True)
class Client(Person):
    """Somebody of the register, with a habit."""

    registered: str = ""

    @property
    def code(self) -> str:
        return self.registered


@dataclass(order=True, slots=True)
class Text:
    """Something that somebody will write."""

    at: datetime
    number: int
    phone: str = field(compare=False)
    words: str = field(compare=False)


class District:
    """Its people, and a clock that is wound from look to look."""

    def __init__(self, app: Flask, clock: Clock, folder: Path) -> None:
        self.gateway: Gateway = app.extensions["gateway"]
        self.engine, self.vault, self.content, self.clock = self.gateway.engine, self.gateway.vault, self.gateway.content, clock
        self._tasks = {task.name: task for task in by_itself.tasks(self.gateway, self.gateway.settings, Wire(), SecondWay(None, None))}
        self._chance, self._numbers, self._texts = Random(SEED), itertools.count(1), list[Text]()
        self._carrier_ids = itertools.count(1)
        self._found(folder)

    def _found(self, folder: Path) -> None:
        """Units, staff, the channel, the register; campaigns that run from now on."""
        for name in ("units", "clients", "appointments", "services"):
            _cut_out(EXAMPLES / "province" / f"{name}.csv", folder / f"{name}.csv", keep=name in ("units", "clients"))
        load_example.load(self.engine, self.vault, folder)
        with unit_of_work(self.engine) as work:
            self.unit_id = units.by_code(work, LEFT).id
            top = units.by_code(work, "SV").id
            self.channel = channels.list_all(work, self.vault)[0]
            province = units.by_code(work, "SV")
            units.save(work, replace(province, details={**province.details, "segment_price": "450", "currency": "VND"}))
            seed_holidays.seed(work, top, "VN", None, (TODAY.year - 1, TODAY.year), "vi")
            chief = staff.add(work, self.vault, unit_id=self.unit_id, code="chau", name="Lê Minh Châu", role="supervisor", language="vi",
                              phone="+84900009903", on_duty=True)  # fmt: skip
            admin = staff.add(work, self.vault, unit_id=top, code="anh", name="Trần Ngọc Anh", role="administrator", language="vi")
            worker = staff.add(work, self.vault, unit_id=self.unit_id, code="ha", name="Phạm Thu Hà", role="case_worker", language="vi",
                               phone="+84900009904")  # fmt: skip
            staff.add(work, self.vault, unit_id=self.unit_id, code="thuy", name="Nguyễn Thu Thủy", role="case_worker", language="vi")
            self.town = [self._person(row.code, clients.recipients(work, self.vault, [row.id])[row.id].phone) for row in clients.list_seen(work)]
        self.town = [person for person in self.town if person.phone]
        self.chief, self.admin = Actor(chief, self.unit_id, "supervisor"), Actor(admin, top, "administrator")
        self.worker = Actor(worker, self.unit_id, "case_worker")
        self._by_phone = {person.phone: person for person in self.town}
        self._staff = Staff(self.engine, self.vault, self.content, self.chief, self.town, 1)
        self.begin(REMINDERS)

    def begin(self, spec: dict[str, Any], *, start: bool = True) -> UUID:
        """A campaign that the supervisor makes; the administrator starts it."""
        with unit_of_work(self.engine, self.chief) as work:
            made = launch_campaign.create(work, self.content, rules.read({"audience": {"units": [LEFT]}, **spec}))
        if start:
            launch_campaign.approve(self.engine, self.vault, self.content, self.admin, spec["name"])
        return made.id

    def _person(self, code: str, phone: str | None) -> Client:
        chance = Random(f"{SEED}:{code}")
        habit = chance.choices(HABITS, [each.share for each in HABITS])[0]
        return Client(next(self._numbers), phone or "", VIETNAM, "vi", habit, chance, registered=code)

    def live(self, until: datetime) -> None:
        """Day by day to this moment, as far as nobody has lived it yet."""
        day = self.clock.now.astimezone(VIETNAM).date()
        while day <= until.date():
            if day == TODAY - timedelta(days=1, weeks=ASKED):
                self.begin(WEEKLY)
            for at in (datetime.combine(day, each, VIETNAM) for each in LOOKS.get(day.weekday(), ON_OTHER_DAYS) if day.weekday() < 5):
                if self.clock.now < at <= until:
                    self._look(at, staff_come=at.time() < time(9, 30) and day.weekday() < 5)
            day += timedelta(days=1)
        self.look(until)

    def _look(self, at: datetime, staff_come: bool) -> None:
        if at.weekday() == 0 and at.time() < time(9):
            for person in self.town if at.date() > TODAY - timedelta(weeks=ASKED) else ():
                for when, words, _meant in person.lives(at):
                    if words and "chết" not in words and "chet" not in words:  # the crisis of this year is this morning's
                        self.write(when, person.phone, words)
            self.run(NOW_AND_THEN)
        if staff_come:
            self._staff.work(at.astimezone(UTC))
        self.look(at)

    def look(self, at: datetime) -> None:
        """What was written until then comes in; what is due is done and sent."""
        while self._texts and self._texts[0].at <= at:
            text = heapq.heappop(self._texts)
            self.clock.wind(max(text.at, self.clock.now))
            self.receive(text.phone, text.words)
        self.clock.wind(max(at, self.clock.now))
        self.run(TASKS)
        self.send()

    def run(self, names: Sequence[str]) -> None:
        """What happens by itself."""
        for name in names:
            while self._tasks[name].run():
                pass

    def write(self, at: datetime, phone: str, words: str) -> None:
        """Have somebody write then."""
        heapq.heappush(self._texts, Text(at, next(self._numbers), phone, words))

    def receive(self, phone: str, words: str) -> None:
        said = Inbound(f"in-{next(self._carrier_ids)}", phone, load_example.SENDER, words)
        receive_message.receive(self.engine, self.vault, self.content, self.channel, said, silent)
        self.send()

    def send(self) -> None:
        """All that is due; of a hundred texts one reaches nobody."""
        while True:
            sends = send_due.claim(self.engine, self.vault, self.channel.id, 200).sends
            if not sends:
                return
            accepted = [(sent, f"out-{next(self._carrier_ids)}") for sent in sends]
            record_outcomes.record(self.engine, self.vault, [
                Ended(self.channel.id, sent, SendResult("accepted", carrier_id=carrier_id)) for sent, carrier_id in accepted
            ])  # fmt: skip
            record_reports.record(self.engine, [(self.channel.id, self._report(sent, carrier_id)) for sent, carrier_id in accepted])
            for sent, _ in accepted:
                self._hear(sent)

    def _report(self, sent: Sent, carrier_id: str) -> Report:
        lost = self._chance.random() < 0.01
        return Report(str(sent.token), carrier_id, "failed" if lost else "delivered", reason="unreachable" if lost else None)

    def _hear(self, sent: Sent) -> None:
        if person := self._by_phone.get(sent.to):
            for at, words, _meant in person.hears(sent.body, self.clock.now):
                self.write(at, person.phone, words)

    def list_services(self, folder: Path) -> None:
        """The directory, checked as long ago as its file says."""
        _cut_out(EXAMPLES / "province" / "services.csv", folder / "services.csv", keep=True)
        with unit_of_work(self.engine, SYSTEM) as work:
            import_services.take_over(work, self.content, Table(folder / "services.csv", Options(), lambda *_row: None), import_services.Counts())


def _cut_out(source: Path, target: Path, keep: bool) -> None:
    """The rows of an example's file that belong to the district; none but its headings unless `keep`."""
    with source.open(encoding="utf-8-sig", newline="") as file, target.open("w", encoding="utf-8", newline="") as out:
        rows = csv.reader(file)
        headings = next(rows)
        place = next(headings.index(name) for name in ("code", "Mã xã") if name in headings) if "units" not in headings else headings.index("units")
        write = csv.writer(out).writerow
        write(headings)
        for row in _of_district(rows, place) if keep else ():
            write(row)


def _of_district(rows: Iterator[list[str]], place: int) -> Iterator[list[str]]:
    for row in rows:
        if set(row[place].split(";")) & {"SV", LEFT, *COMMUNES}:
            yield row
