"""What must hold whatever happened, checked after each day by what the day added: I1 to I6 of tests/faults, and three more.

Nothing here goes through the history: texts are asked for by the tokens that the carrier got, by their ids, or by the day
they were made on (an index of the simulation's own).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from gateway.domain.judge import EVEN_WHEN_STOPPED
from gateway.domain.messages import FINAL
from gateway.store.base import Work, unit_of_work
from gateway.vault import Vault
from tests.carrier.messages import Message
from tests.faults.invariants import RACE_S

INDEXES = """
  CREATE INDEX year_outbound_created ON outbound (created_at);
  CREATE INDEX year_occurrences_due ON occurrences (due_at)
"""
"""Of columns that never change, so that they cost the gateway's updates nothing."""
ALERT_WITHIN = timedelta(seconds=60)
ON_ITS_WAY = frozenset({"accepted", "sent", "delivered"})
NEVER_LEFT = frozenset({"planned", "cancelled", "suppressed"})


class Broken(AssertionError):
    """An invariant does not hold. `client_id` is whom it shows on, where it is one client's."""

    def __init__(self, name: str, what: str, client_id: UUID | None = None) -> None:
        super().__init__(f"{name}: {what}")
        self.client_id = client_id


@dataclass(frozen=True, slots=True)
class Accepted:
    """A text that the carrier took, by its own books."""

    token: UUID
    sid: str
    text: int
    """The same for texts that a phone cannot tell apart: which of them has which id is all one."""
    at: datetime
    stopped_at: datetime | None
    """When its phone had said STOP, as far as the town knows."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A text in that is to be kept."""

    sid: str
    meant: str
    at: datetime


@dataclass(slots=True)
class Ledger:
    """The carrier's and the town's side of the books, and how far they were compared with the gateway's."""

    engine: Engine
    vault: Vault
    channel_id: UUID
    since: datetime
    alert_phone: str
    accepted_today: list[Accepted] = field(default_factory=list)
    heard_today: list[Heard] = field(default_factory=list)
    missed: list[Heard] = field(default_factory=list)
    stopped: dict[str, datetime] = field(default_factory=dict)  # phone -> since when
    given: dict[UUID, Accepted] = field(default_factory=dict)  # what the carrier gave for each token, until it is compared
    texts: dict[str, int] = field(default_factory=dict)  # its ids, and which text each is
    done: set[UUID] = field(default_factory=set)  # messages that a carrier accepted
    open: set[UUID] = field(default_factory=set)  # messages whose fate is not final
    known: int = 0  # messages seen so far
    occurrences: Counter[str] = field(default_factory=Counter)

    # --- what the other side did

    def accepted(self, message: Message, now: datetime) -> None:
        """The carrier took a text."""
        self.accepted_today.append(Accepted(
            UUID(message.token), message.sid, hash((message.to, message.posted_body)), now, self.stopped.get(message.to)
        ))

    def heard(self, sid: str, phone: str, meant: str, status: int, now: datetime) -> None:
        """A text in was posted. One that was not answered is to be fetched from the carrier's list, by the end of the next day."""
        if not 200 <= status < 300:
            self.missed.append(Heard(sid, meant, now))
            if meant == "start":
                self.stopped.pop(phone, None)  # the gateway may find it in the list at any moment
            return
        self.heard_today.append(Heard(sid, meant, now))
        if meant == "stop":
            self.stopped.setdefault(phone, now)
        elif meant == "start":
            self.stopped.pop(phone, None)

    # --- the comparison

    def close_day(self, now: datetime, outages: Sequence[tuple[datetime, datetime]] = ()) -> None:
        """Compare what came since the last time. Raises Broken."""
        with unit_of_work(self.engine, now=now) as work:
            self._once_at_the_carrier(work)
            self._kept_once(work)
            self._crises(work, outages)
            self._nothing_vanishes(work, now)
            self._occurrences(work, now)
            self._one_open_dialogue(work)
        self.accepted_today, self.since = [], now
        self.heard_today, self.missed = self.missed, []

    def close_year(self) -> None:
        """Once, at the end, the whole: nothing is gone, and nothing came unseen. Raises Broken."""
        with unit_of_work(self.engine) as work:
            there = work.value(text("SELECT count(*) FROM outbound"))
        if there != self.known:
            raise Broken("I6", f"{self.known} texts were planned, {there} are there")

    def _once_at_the_carrier(self, work: Work) -> None:
        """I1, I3, and half of I6: what the carrier accepted has one attempt of ours, each message once, none after a stop."""
        twice = [token for token, n in Counter(each.token for each in self.accepted_today).items() if n > 1]
        rows = {row.token: row for row in work.all(_BEHIND, tokens=[each.token for each in self.accepted_today])}
        for each in self.accepted_today:
            row = rows.get(each.token)
            if row is None:
                raise Broken("I1", f"the carrier has {each.sid}, no attempt of ours belongs to it")
            if each.token in twice or row.id in self.done:
                raise Broken("I1", f"message {row.id} ({row.purpose}) was accepted twice", row.client_id)
            self.done.add(row.id)
            self.given[each.token] = each
            self.texts[each.sid] = each.text
            if row.state in NEVER_LEFT:
                raise Broken("I6", f"the carrier has message {row.id}, we call it {row.state}", row.client_id)
            late = each.stopped_at is not None and row.started_at > each.stopped_at + timedelta(seconds=RACE_S)
            if late and row.purpose not in EVEN_WHEN_STOPPED and row.purpose != "staff_alert":
                raise Broken("I3", f"message {row.id} ({row.purpose}) was claimed after a stop", row.client_id)

    def _kept_once(self, work: Work) -> None:
        """I2: each text in that got a 2xx is one row, and each of the day before that got none."""
        kept = Counter(row.carrier_id for row in work.all(_KEPT, channel=self.channel_id, sids=[each.sid for each in self.heard_today]))
        for each in self.heard_today:
            if kept[each.sid] != 1:
                raise Broken("I2", f"text in {each.sid} ({each.meant}) is there {kept[each.sid]} times")

    def _crises(self, work: Work, outages: Sequence[tuple[datetime, datetime]]) -> None:
        """I4: each cry for help is known as one, has a flag, and alerted somebody within 60 s; of a carrier that is away, after it."""
        meant = {each.sid for each in self.heard_today if each.meant == "crisis"}
        rows = work.all(_CRISES, channel=self.channel_id, sids=[each.sid for each in self.heard_today])
        if not meant <= {row.carrier_id for row in rows}:
            raise Broken("I4", f"cries for help were not understood: {sorted(meant - {row.carrier_id for row in rows})}")
        alerts = work.all(_ALERTS, phone=self.vault.hash_phone(self.alert_phone), since=self.since)
        alerted = {row.about_id: row.started_at for row in sorted(alerts, key=lambda row: row.started_at, reverse=True)}
        for row in rows:
            if row.flag is None:
                raise Broken("I4", f"no flag for inbound {row.id}", row.client_id)
            by = _excused(row.received_at + ALERT_WITHIN, row.received_at, outages)
            if row.flag not in alerted:
                raise Broken("I4", f"flag {row.flag} of a crisis alerted nobody", row.client_id)
            if alerted[row.flag] > by:
                raise Broken("I4", f"flag {row.flag} of a crisis alerted somebody only at {alerted[row.flag]}", row.client_id)

    def _nothing_vanishes(self, work: Work, now: datetime) -> None:
        """I6, and every text that was sent has an attempt with the id that the carrier gave over HTTP."""
        fresh = work.all(_MADE, since=self.since, now=now)
        self.known += len(fresh)
        again = work.all(_STILL, ids=list(self.open))
        if len(again) != len(self.open):
            gone = self.open - {row.id for row in again}
            raise Broken("I6", f"{len(gone)} planned texts are gone: {[str(each) for each in gone][:5]}")
        rows = [*fresh, *again]
        left = [row.id for row in rows if row.state in ON_ITS_WAY]
        tries: dict[UUID, list[Any]] = defaultdict(list)
        for attempt in work.all(_ATTEMPTS, ids=left):
            tries[attempt.outbound_id].append(attempt)
        for row in rows:
            if row.state in ON_ITS_WAY:
                self._has_the_carriers_id(row, tries[row.id])
        self.open = {row.id for row in rows if row.state not in FINAL}

    def _has_the_carriers_id(self, row: Any, attempts: Sequence[Any]) -> None:
        if not attempts:
            raise Broken("I7", f"message {row.id} is {row.state} and has no attempt", row.client_id)
        theirs = [(attempt.carrier_id, self.given[attempt.id]) for attempt in attempts if attempt.id in self.given]
        if not theirs and row.id not in self.done:
            raise Broken("I7", f"message {row.id} is {row.state}, the carrier never had it", row.client_id)
        for ours, given in theirs:
            if ours != given.sid and self.texts.get(ours) != given.text:
                raise Broken("I7", f"message {row.id} has the id {ours}, the carrier gave {given.sid}", row.client_id)
        if row.state in FINAL:
            for attempt in attempts:
                self.given.pop(attempt.id, None)

    def _occurrences(self, work: Work, now: datetime) -> None:
        """I6 for what was to be written: each occurrence of the day before is one text, or says why there is none."""
        for row in work.all(_OCCURRENCES, since=self.since - timedelta(days=1), now=now - timedelta(days=1)):
            self.occurrences[row.state] += 1
            if row.state == "waiting" and row.send_before < now - timedelta(hours=1):
                raise Broken("I6", f"occurrence {row.id} was never planned", row.client_id)
            if row.state == "planned" and row.texts != 1:
                raise Broken("I6", f"occurrence {row.id} is planned and has {row.texts} texts", row.client_id)
            if row.state in ("skipped", "cancelled") and not row.reason:
                raise Broken("I6", f"occurrence {row.id} is {row.state} for no reason", row.client_id)

    def _one_open_dialogue(self, work: Work) -> None:
        for row in work.all(_DIALOGUES):
            raise Broken("I8", f"{row.count} dialogues are open with one client", row.client_id)


def _excused(by: datetime, since: datetime, outages: Sequence[tuple[datetime, datetime]]) -> datetime:
    """The moment by which something must have left, given that the carrier took nothing during these."""
    for began, ended in outages:
        if began <= by and ended >= since:
            by = max(by, ended + ALERT_WITHIN)
    return by


_BEHIND = text("""
  SELECT a.id AS token, a.started_at, o.id, o.purpose, o.state, o.client_id FROM attempts a JOIN outbound o ON o.id = a.outbound_id
  WHERE a.id = ANY(CAST(:tokens AS uuid[]))""")
_KEPT = text("SELECT carrier_id FROM inbound WHERE channel_id = :channel AND carrier_id = ANY(CAST(:sids AS text[]))")
_CRISES = text("""
  SELECT i.id, i.carrier_id, i.client_id, i.received_at, f.id AS flag
  FROM inbound i LEFT JOIN flags f ON f.dedupe_key = 'crisis:' || i.id
  WHERE i.channel_id = :channel AND i.carrier_id = ANY(CAST(:sids AS text[])) AND (i.meaning = 'crisis' OR 'crisis' = ANY(i.also))""")
_ALERTS = text("""
  SELECT o.about_id, a.started_at FROM outbound o JOIN attempts a ON a.outbound_id = o.id AND a.state = 'accepted'
  WHERE o.to_hash = :phone AND o.created_at >= :since AND o.purpose = 'staff_alert'""")
_ROW = "SELECT id, state, purpose, client_id FROM outbound"
_MADE = text(f"{_ROW} WHERE created_at > :since AND created_at <= :now")
_STILL = text(f"{_ROW} WHERE id = ANY(CAST(:ids AS uuid[]))")
_ATTEMPTS = text("SELECT id, outbound_id, carrier_id, state FROM attempts WHERE outbound_id = ANY(CAST(:ids AS uuid[]))")
_DIALOGUES = text("""
  SELECT client_id, count(*) FROM sessions WHERE status IN ('waiting', 'with_person') GROUP BY client_id HAVING count(*) > 1""")
_OCCURRENCES = text("""
  SELECT c.id, c.state, c.reason, c.client_id, c.send_before,
    (SELECT count(*) FROM outbound o WHERE o.client_id = c.client_id AND o.occurrence_id = c.id) AS texts
  FROM occurrences c WHERE c.due_at > :since AND c.due_at <= :now""")
