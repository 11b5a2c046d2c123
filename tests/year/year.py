"""Day by day: the clock is wound, clients write, staff work, the gateway does what is due, the ledger looks."""

import heapq
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import redis
from sqlalchemy import text

from gateway.content import Content
from gateway.store import base
from gateway.store.base import unit_of_work
from gateway.vault import Vault, new_setting, parse_keys
from tests.faults.processes import Processes, free_port
from tests.servers import Database
from tests.year import faults, province, town
from tests.year.clock import Clock
from tests.year.crew import Hand
from tests.year.faults import Fault, Reporting
from tests.year.ledger import Ledger
from tests.year.network import Network, Report, TextIn
from tests.year.staff import Staff
from tests.year.town import VIETNAM, Person

SUBSTEPS = 60
SOON = timedelta(minutes=12)
LEASE_S, SETTLE_S = 90, 60


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is made of; the same options make the same run."""

    clients: int = 3810
    weeks: int = 52
    seed: int = 1
    start: datetime = datetime(2027, 1, 4, tzinfo=VIETNAM)
    every_minutes: int = 30
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
        self.clock = Clock(database.admin_url, database.name, options.start)
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
        self.ledger = Ledger(self.engine, vault, self.province.channel_id, folder, self.redis, self.network.inbound_url)
        self.reporting = Reporting(options.seed, options.fault_days > 0)
        days = options.weeks * 7
        self.faults = faults.plan(options.start, days, options.seed, options.fault_days) if options.fault_days else []
        self.events: list[Event] = []
        self.count: Counter[str] = Counter()
        self.spent: Counter[str] = Counter()
        self._numbers, self._texts = count(), count()
        self._chance = Random(f"{options.seed}:repeats")
        self._waiting = [*self.faults]
        self._lasting: Fault | None = None

    def close(self) -> None:
        for hand in self.hands.values():
            hand.close()
        self.processes.kill_all()
        self.network.stop()
        self.engine.dispose()
        self.clock.close()

    # --- time

    def day(self, number: int) -> None:
        """One day, from midnight to midnight in Vietnam, and the ledger's look at its end."""
        began = self.options.start + timedelta(days=number)
        if began.weekday() == 0:
            with self._timed("town"):
                for person in self.town:
                    self._expect(person, person.lives(began))
        for at in self._moments(began, began + timedelta(days=1)):
            self._advance(at)
            if at.hour == 9 and at.minute == 0 and began.weekday() < 6:
                with self._timed("staff"):
                    self.staff.work(self.clock.now)
        with self._timed("ledger"):
            self.ledger.close_day(self.clock.now, self.network, [f for f in self.faults if f.until > f.at])
            self.network.forget(self.clock.now_s() - 5 * 86_400)

    def _moments(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """When there is a look: each half hour of the day, each two hours of the night, and where a fault begins or ends."""
        at = since
        while at < until:
            yield at
            step = timedelta(minutes=self.options.every_minutes if 6 <= at.hour < 22 else 120)
            coming = min((m for fault in self._waiting for m in (fault.at, fault.until) if m > at), default=until)
            if self._lasting is not None:
                coming = min(coming, self._lasting.until)
            at = max(min(at + step, coming), at + timedelta(seconds=1))

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
        with self._timed("clock"):
            self.hands["clock"].begin()
        with self._timed("texts in"):
            self._let_happen(self.clock.now)
        with self._timed("clock"):
            for name, seconds in self.hands["clock"].wait().items():
                self.spent[f"clock: {name}"] += seconds
        self._send()

    def _soonest(self) -> datetime | None:
        """When the next answer, alert or unsettled text is to be looked at."""
        with unit_of_work(self.engine) as work:
            found: datetime | None = work.value(_SOONEST, channel=self.province.channel_id, lease=LEASE_S, settle=SETTLE_S)
        return found

    # --- what happens

    def _expect(self, person: Person, doings: Iterator[tuple[datetime, str, str]]) -> None:
        for at, said, meant in doings:
            heapq.heappush(self.events, Event(at, next(self._numbers), person, said, meant))

    def _let_happen(self, now: datetime) -> None:
        """Clients write and reports come, all that was to happen by now."""
        texts: list[tuple[TextIn, Event]] = []
        reports: list[Report] = []
        while self.events and self.events[0].at <= now:
            event = heapq.heappop(self.events)
            if event.report is not None:
                reports.append(event.report)
            elif event.person is not None:
                self._happens(event, event.person, texts, now)
        answered = self.network.bring_in([each for each, _ in texts])
        again = []
        for (each, event), (sid, status) in zip(texts, answered, strict=True):
            self.count["texts in"] += 1
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

    def _send(self, kill: bool = False) -> None:
        """Let the sender send what is due; clients hear it, the carrier reports it."""
        accepted = True
        while accepted:
            with self._timed("texts out"):
                self.hands["send"].begin()
                self.hands["send"].wait()
            fresh = self.network.take()
            accepted = bool(fresh)
            reports = []
            with self._timed("town"):
                for message in fresh:
                    self.ledger.accepted(message)
                    reports += self._arrives(message)
            with self._timed("reports"):
                self.network.report_all(reports)

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
                self._kill_sender()
            case "clock killed":
                self.hands["clock"].begin()
                time.sleep(0.02)
                self.hands["clock"].kill()
            case "web restarted":
                self.processes.stop("web")
                self.processes.start("web")
            case _:
                self.network.behave(fault.script, fault.few)
                if fault.until > fault.at:
                    self._lasting = fault
                    if fault.kind == "carrier away":
                        self.network.script("503", on="list")

    def _kill_sender(self) -> None:
        """kill -9 in the middle: of what it claims some is recorded, some accepted without an answer, some not even accepted."""
        some = self._chance.randint(0, 30)
        self.network.behave(faults.scripts.make("ok"), [faults.scripts.make(m) for m in ["ok"] * some + ["accept_hang", "hang"] * 3])
        self._let_happen(self.clock.now)
        before = self.network.posts
        self.hands["send"].begin()
        until = time.monotonic() + 0.5
        while time.monotonic() < until and self.network.posts <= before + some:
            time.sleep(0.002)
        self.hands["send"].kill()
        self.network.behave(faults.scripts.make("ok"))

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
        "GATEWAY_WEB_WORKERS": "1", "GATEWAY_WEB_THREADS": "32", "GATEWAY_READ_TIMEOUT_SECONDS": "1",
        "GATEWAY_LEASE_SECONDS": str(LEASE_S), "GATEWAY_RECONCILE_AFTER_SECONDS": str(SETTLE_S),
    }  # fmt: skip
