"""Day by day: the clock is wound, clients write, staff work, the gateway does what is due, the ledger looks."""

import heapq
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import redis
from sqlalchemy import text

from bench.ground import cpu_seconds
from gateway.content import Content
from gateway.store import base
from gateway.store.base import unit_of_work
from gateway.vault import Vault, new_setting, parse_keys
from tests.carrier import scripts
from tests.faults.processes import Processes, free_port
from tests.servers import Database
from tests.year import faults, history, province, table, town
from tests.year.clock import Clock
from tests.year.crew import Hand
from tests.year.faults import Fault, Reporting
from tests.year.ledger import INDEXES, Broken, Ledger
from tests.year.network import Network, Report, TextIn
from tests.year.places import Places
from tests.year.staff import Staff
from tests.year.town import VIETNAM, Person

DAY_BEGINS, DAY_ENDS, STAFF_COME = 6, 21, 9
SUBSTEPS = 60
SOON = timedelta(minutes=12)
LEASE_S, SETTLE_S = 90, 60
LOOK_AGAIN_S = 0.01


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is made of; the same options make the same run."""

    clients: int = 3810
    weeks: int = 52
    seed: int = 1
    start: datetime = datetime(2027, 1, 4, tzinfo=VIETNAM)
    every_minutes: int = 90
    fault_days: float = 2.5  # from one to the next; 0: none
    only: int | None = None  # this client's number alone

    def command(self, **changes: object) -> str:
        """How to run it again."""
        given = {"clients": self.clients, "weeks": self.weeks, "seed": self.seed, "start": self.start.date(), "every": self.every_minutes,
                 "fault-days": self.fault_days, **changes}  # fmt: skip
        return 'make simulate ARGS="' + " ".join(f"--{name} {value}" for name, value in given.items()) + '"'


@dataclass(order=True, slots=True)
class Event:
    """Something a client does, or a report that comes late."""

    at: datetime
    number: int
    person: Person | None = field(compare=False, default=None)
    words: str = field(compare=False, default="")
    meant: str = field(compare=False, default="")
    report: Report | None = field(compare=False, default=None)


class Year:
    """One run: the gateway's processes, the town and the carrier, on one virtual clock."""

    def __init__(self, options: Options, database: Database, redis_url: str, content: Content, folder: Path) -> None:
        self.options = options
        self.clock = Clock(database.admin_url, database.name, options.start, INDEXES)
        self.redis = redis.Redis.from_url(redis_url)
        self.network = Network(province.NUMBER, self.clock.now_s)
        self.network.start()
        self.processes = Processes(_environ(database, redis_url, folder), folder)
        self.processes.start("web", wait=False)
        vault = Vault(*(parse_keys(self.processes.environ[f"GATEWAY_{kind}_KEYS"]) for kind in ("MASTER", "INDEX")))
        self.engine, self.vault = base.connect(database.url), vault
        people = town.people(options.clients, options.seed)
        self.town = [person for person in people if options.only in (None, person.number)]
        self.by_phone: dict[str, list[Person]] = {}
        for person in self.town:
            self.by_phone.setdefault(person.phone, []).append(person)
        self.province = province.build(self.engine, vault, content, self.town, self.network.url, options.seed)
        self.network.inbound_url = f"{self.processes.url}/c/{self.province.channel_id}/inbound"
        self.hands = {role: Hand(role, self.processes.environ, folder / f"{role}.log") for role in ("send", "clock")}
        self.processes.wait_ready("web")
        self.staff = Staff(self.engine, vault, content, self.province.actor, self.town, options.seed)
        self.ledger = Ledger(self.engine, vault, self.province.channel_id, options.start, province.ALERT_PHONE)
        self.places = Places(folder, self.redis, self.network)
        self.reporting = Reporting(options.seed, options.fault_days > 0)
        days = options.weeks * 7
        self.faults = faults.plan(options.start, days, options.seed, options.fault_days) if options.fault_days else []
        self.events: list[Event] = []
        self.count: Counter[str] = Counter()
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._numbers, self._texts = count(), count()
        self._chance = Random(f"{options.seed}:repeats")
        self._waiting = [*self.faults]
        self._lasting: Fault | None = None
        self._to_kill = self._staff_comes = False
        self._beside = ThreadPoolExecutor(2)
        self._web_spent_s = 0.0

    def close(self) -> None:
        for hand in self.hands.values():
            hand.close()
        self._beside.shutdown()
        self.processes.kill_all()
        self.network.stop()
        self.engine.dispose()
        self.clock.close()

    def report_of(self, broken: Broken, day: int) -> str:
        """The seed, the day, the shortest history that shows it, and how to have it again."""
        at = self.options.start + timedelta(days=day)
        person = next((each for each in self.town if each.id == broken.client_id), None)
        lines = [f"On day {day + 1} ({at:%A %d %B %Y}) of seed {self.options.seed}: {broken}"]
        for each in self.by_phone[person.phone] if person is not None else ():
            lines += ["", f"{each.code} ({each.habit.name}, {each.language}):", *history.of_client(self.engine, self.vault, each.id, self.clock.now)]
        if person is not None and person.phone in self.ledger.stopped:
            lines += ["", f"The phone said STOP at {self.ledger.stopped[person.phone].astimezone(VIETNAM):%d %b %H:%M:%S}."]
        weeks = day // 7 + 1
        lines += ["", f"The same again:    {self.options.command(weeks=weeks)}"]
        if person is not None:
            lines.append(f"This client alone: {self.options.command(weeks=weeks, only=person.number)}")
        return "\n".join(lines)

    def summary(self) -> list[str]:
        """The table of the check-in, totals, what went wrong on purpose, and what it took."""
        faulty = {name.removeprefix("fault: "): n for name, n in self.count.items() if name.startswith("fault: ")}
        faulty |= {f"reports {name}": n for name, n in self.reporting.played.items()}
        faulty |= {name: self.count[name] for name in ("texts in twice", "not answered 2xx")}
        phases = {name: n for name, n in self.spent.items() if not name.startswith("clock: ")}
        tasks = {name.removeprefix("clock: "): n for name, n in self.spent.items() if name.startswith("clock: ")}
        return [
            *table.weltel(self.engine), *table.totals(self.engine), *table.counted("faults", faulty), *table.counted("staff", self.staff.done),
            *table.counted("what the processes complained of", self.places.complaints),
            *table.counted("seconds, by phase", {name: round(n) for name, n in phases.items()}, " s"),
            *table.counted("of which tasks of the clock, beside each other", {name: round(n) for name, n in tasks.items()}, " s"),
            *table.counted("seconds of CPU", self._cpu_seconds(), " s"),
            "", f"{self.count['looks']} looks, {self.count['looks between']} of them between, {self.count['killed while sending']} kills while sending",
        ]  # fmt: skip

    def _cpu_seconds(self) -> dict[str, int]:
        used = {"simulation and carrier": time.process_time(), "web": self._web_spent_s + cpu_seconds(self.processes.pid("web"))}
        used |= {role: hand.cpu_seconds() for role, hand in self.hands.items()}
        with unit_of_work(self.engine) as work:
            backend = work.value(text("SELECT pg_backend_pid()"))
        used["postgres"] = cpu_seconds(int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1]))
        return {name: round(seconds) for name, seconds in used.items()}

    # --- time

    def day(self, number: int) -> None:
        """One day, from midnight to midnight in Vietnam, and the ledger's look at its end."""
        began = self.options.start + timedelta(days=number)
        if began.weekday() == 0:
            with self._timed("town"):
                for person in self.town:
                    self._expect(person, person.lives(began))
        worked = began.weekday() == 6  # nobody does
        for at in self._moments(began, began + timedelta(days=1)):
            self._staff_comes = at.hour >= STAFF_COME and not worked
            worked = worked or self._staff_comes
            self._advance(at)
        with self._timed("ledger"):
            self.ledger.close_day(self.clock.now, [(f.at, f.until) for f in self.faults if f.until > f.at])
            self.places.look()
            self.network.forget(self.clock.now_s() - 5 * 86_400)

    def _moments(self, since: datetime, until: datetime) -> list[datetime]:
        """When there is a look: each hour and a half (or as asked) of the day, each three of the night, and where a fault begins or ends."""
        by_day = timedelta(minutes=self.options.every_minutes)
        found, at = {moment for fault in self.faults for moment in (fault.at, fault.until)}, since
        while at < until:
            found.add(at)
            at += by_day if DAY_BEGINS <= at.hour < DAY_ENDS else timedelta(hours=3)
        return sorted(moment for moment in found if since <= moment < until)

    def _advance(self, at: datetime) -> None:
        """Everything that is due by then."""
        self.clock.wind(at)
        self._play_faults(at)
        self._turn()
        for _ in range(SUBSTEPS):  # answers, alerts and what is unsettled are not left until the next look
            soon = self._soonest()
            if soon is None or soon > at + SOON:
                return
            self.clock.wind(max(soon, self.clock.now + timedelta(seconds=1)))
            self.count["looks between"] += 1
            self._turn()

    def _turn(self) -> None:
        self.count["looks"] += 1
        armed = self._arm() if self._to_kill else None
        # The clock and staff work while texts come in, and what leaves meanwhile is reported, as in a province.
        clock = self._let_work("clock")
        working = [clock, self._beside.submit(self.staff.work, self.clock.now)] if self._staff_comes else [clock]
        self._staff_comes = False
        with self._timed("texts in"):
            self._let_happen(self.clock.now)
        with self._timed("clock and staff, after them"):
            self._hear_until(working)
        for name, seconds in clock.result().items():
            self.spent[f"clock: {name}"] += seconds
        if armed is not None:
            self._kill_sender(armed)
        with self._timed("texts out, and their reports"):
            while self._hear_until([self._let_work("send")]):
                pass

    def _let_work(self, role: str) -> Future[dict[str, Any]]:
        """Let the clock or the sender do what is due now."""
        self.hands[role].begin()
        return self._beside.submit(self.hands[role].wait)

    def _soonest(self) -> datetime | None:
        """When the next answer, alert or unsettled text is to be looked at."""
        with unit_of_work(self.engine) as work:
            found: datetime | None = work.value(_SOONEST, channel=self.province.channel_id, lease=LEASE_S, settle=SETTLE_S)
        return found

    # --- what happens

    def _expect(self, person: Person, doings: Iterator[tuple[datetime, str, str]]) -> None:
        for at, said, meant in doings:
            heapq.heappush(self.events, Event(at, next(self._numbers), person, said, meant))

    def _let_happen(self, now: datetime, ahead: timedelta = timedelta(0)) -> None:
        """Clients write and reports come, all that was to happen by now, and within `ahead`."""
        texts: list[tuple[TextIn, Event]] = []
        reports: list[Report] = []
        while self.events and self.events[0].at <= now + ahead:
            event = heapq.heappop(self.events)
            if event.report is not None:
                reports.append(event.report)
            elif event.person is not None:
                self._happens(event, event.person, texts, max(now, event.at))
        answered = self.network.bring_in([each for each, _ in texts])
        again = []
        for (each, event), (sid, status) in zip(texts, answered, strict=True):
            self.count["texts in"] += 1
            self.count["not answered 2xx"] += not 200 <= status < 300
            self.ledger.heard(sid, each.phone, event.meant, status, now)
            if not 200 <= status < 300 or (self.options.fault_days and self._chance.random() < 0.02):
                again.append(TextIn(each.phone, each.words, sid))  # the carrier tries again, or believes that it has to
        self.count["texts in twice"] += len(again)
        for each, (sid, status) in zip(again, self.network.bring_in(again), strict=True):
            self.ledger.heard(sid, each.phone, "", status, now)
        self.network.report_all(reports)

    def _happens(self, event: Event, person: Person, texts: list[tuple[TextIn, Event]], now: datetime) -> None:
        match event.meant:
            case "off":
                person.off_until = now + timedelta(days=person.chance.uniform(0.5, 12))
            case "moves":
                person.stranger = True
            case _ if person.is_off(now):
                assert person.off_until is not None
                heapq.heappush(self.events, Event(person.off_until, event.number, person, event.words, event.meant))
            case _:
                texts.append((TextIn(person.phone, event.words), event))

    def _hear_until(self, working: Sequence[Future[Any]]) -> int:
        """Clients hear what is sent, and the carrier reports it, until all of these are done; how many texts. Raises what went wrong there."""
        heard = 0
        while True:
            ended = all(each.done() for each in working)
            fresh = self.network.take()
            reports = []
            for message in fresh:
                self.ledger.accepted(message, self.clock.now)
                reports += self._arrives(message)
            self.network.report_all(reports)
            heard += len(fresh)
            if ended and not fresh:
                break
            if not fresh:
                wait(working, LOOK_AGAIN_S)
        for each in working:
            each.result()
        return heard

    def _arrives(self, message: Any) -> list[Report]:
        """What the client does with it, and what the carrier says of it now."""
        self.count["texts out"] += 1
        now = self.clock.now
        people = self.by_phone.get(message.to, [])
        off = any(person.is_off(now) for person in people)
        for person in people[:1] if not off else []:
            self._expect(person, person.hears(message.posted_body, now))
        at_once = []
        for at, report in self.reporting.of(message, next(self._texts), off, now):
            if at <= now:
                at_once.append(report)
            else:
                heapq.heappush(self.events, Event(at, next(self._numbers), report=report))
        return at_once

    # --- faults

    def _play_faults(self, now: datetime) -> None:
        if self._lasting is not None and self._lasting.until <= now:
            self._lasting = None
            self.network.script("ok")
            self.network.script("ok", on="list")
        while self._waiting and self._waiting[0].at <= now:
            fault = self._waiting.pop(0)
            self.count[f"fault: {fault.kind}"] += 1
            self._play(fault)

    def _play(self, fault: Fault) -> None:
        match fault.kind:
            case "redis wiped":
                self.redis.flushdb()
            case "sender killed":
                self._to_kill = True
            case "clock killed":
                self.hands["clock"].begin()
                time.sleep(0.02)
                self.hands["clock"].kill()
            case "web away":
                self._web_spent_s += cpu_seconds(self.processes.pid("web"))
                self.processes.stop("web")
                self._let_happen(self.clock.now, ahead=timedelta(hours=1))  # only the carrier's list shows these
                self.processes.start("web")
            case _:
                self.network.behave(fault.script, fault.few)
                if fault.until > fault.at:
                    self._lasting = fault
                    if fault.kind == "carrier away":
                        self.network.script("503", on="list")

    def _arm(self) -> int:
        """Before a look in which the sender is to be killed: after some requests the carrier does not answer; how many there were so far."""
        self._some = self._chance.randint(0, 30 if len(self.town) > 500 else 2)
        unanswered = ["accept_hang", "hang"] * 3  # the one it has, the other it has not
        self.network.behave(scripts.make("ok"), [scripts.make(mode) for mode in ["ok"] * self._some + unanswered])
        return self.network.posts

    def _kill_sender(self, before: int) -> None:
        """kill -9 in the middle: of what it claimed some is recorded, some accepted without an answer, some not even accepted."""
        self.hands["send"].begin()
        until = time.monotonic() + 0.3
        while time.monotonic() < until and self.network.posts <= before + self._some:
            time.sleep(0.002)
        if self.network.posts == before:
            self.hands["send"].wait()  # nothing was due: at the next look
        else:
            self.hands["send"].kill()
            self._to_kill = False
            self.count["killed while sending"] += 1
        self.network.behave(scripts.make("ok"))

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.spent[phase] += time.monotonic() - began


_SOONEST = text("""
  SELECT least(
    (SELECT min(send_after) FROM outbound WHERE channel_id = :channel AND lane = 0 AND state = 'planned' AND waits_for IS NULL),
    (SELECT min(send_after) FROM outbound WHERE channel_id = :channel AND lane = 1 AND state = 'planned' AND waits_for IS NULL),
    (SELECT min(a.started_at + make_interval(secs => 1 + CASE o.state WHEN 'unknown' THEN CAST(:settle AS float) ELSE :lease END
        * CASE WHEN o.semantics <> 'at_least_once' THEN 1 WHEN o.state = 'unknown' THEN 0.25 ELSE 0.5 END))
      FROM outbound o JOIN attempts a ON a.id = o.attempt_id
      WHERE o.state IN ('submitting', 'unknown') AND coalesce(o.reason, '') NOT LIKE 'for a person%'))""")


def _environ(database: Database, redis_url: str, folder: Path) -> Mapping[str, str]:
    port = str(free_port())
    return {
        **os.environ, "GATEWAY_MASTER_KEYS": new_setting("1"), "GATEWAY_INDEX_KEYS": new_setting("1"), "LANGUAGE": "en",
        "DATABASE_URL": database.url, "GATEWAY_ADMIN_DATABASE_URL": database.admin_url, "REDIS_URL": redis_url,
        "GATEWAY_VAR": str(folder / "var"), "GATEWAY_PORT": port, "GATEWAY_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "GATEWAY_WEB_WORKERS": "2", "GATEWAY_WEB_THREADS": "32", "GATEWAY_READ_TIMEOUT_SECONDS": "1",
        "GATEWAY_LEASE_SECONDS": str(LEASE_S), "GATEWAY_RECONCILE_AFTER_SECONDS": str(SETTLE_S),
    }  # fmt: skip
