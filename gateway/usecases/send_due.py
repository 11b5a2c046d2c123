"""Claim what is due on a channel, judge it on locked rows, hand it to the wire. No transaction is open while it flies.

`claim` is one transaction: locks, judges, moves what passes to `submitting` with an attempt row, commits. Only then do
requests leave. What became of them is written by `record_outcomes`. A message is never sent again blindly: after
`submitting` only an outcome that proves nothing left may plan it again.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as time_of_day
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from gateway import log
from gateway.channels import base, registry
from gateway.domain import judge, messages, segments, windows
from gateway.domain.caps import Cap
from gateway.domain.errors import GatewayError
from gateway.domain.told import N_
from gateway.store import channels, switches, units
from gateway.store import messages as rows
from gateway.store.base import SYSTEM, Work, unit_of_work
from gateway.usecases import adopt, crisis_words, tell_worker
from gateway.usecases.record_outcomes import Recorder, Sent
from gateway.usecases.turns import Turns
from gateway.vault import Vault
from gateway.wire import Wire, WireClosed, WireResult, awake_s

# What a claim reads must fit into a socket's buffer (200 kB): a worker that stands still while PostgreSQL writes to it would
# otherwise hold its clients' rows for as long as it stands, beyond the reach of the time-out for idle transactions.
BATCH = 250
SPARE = 100  # requests that bulk leaves unopened, so that a hung carrier full of it keeps no alert or answer waiting
LOOK_SECONDS = 0.25  # how often alerts and answers are looked for while the wire is full of bulk
SLICE_SECONDS = 10.0
COUNTRY_OFF_HOLDS = timedelta(minutes=5)  # a text to a country that its carrier refuses; meanwhile it may move to another channel
REST_SECONDS = 5.0
"""After the database was away: the stops that web processes spooled meanwhile are flushed before any bulk is claimed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Messages that passed, committed as `submitting` at `at`; `more` when there is probably more to claim at once."""

    channel: channels.Channel | None
    sends: list[Sent]
    more: bool
    at: datetime


class InDoubt(GatewayError):
    """The database went away while these were being claimed. Nothing of them has left; whether they are claimed is to be asked."""

    def __init__(self, sends: list[Sent]) -> None:
        super().__init__("the database went away while texts were being claimed")
        self.sends = sends


def claim(
    engine: Engine, vault: Vault, channel_id: UUID, wanted: int, now: datetime | None = None, bulk: int = BATCH,
    road: base.Road = "http", turns: Turns | None = None,
) -> Claim:  # fmt: skip
    """Move up to `wanted` due messages of a channel, `bulk` of them bulk, to `submitting`, each with an attempt row; commit.

    Held messages get their next moment and dropped ones their final state, with the reason. From the commit on each
    returned message must be submitted to the wire once, or recorded as not sent. Raises InDoubt when the answer to the
    commit is lost: then `withdraw` them before anything else. A channel of another road than `road` has nothing for us.
    By `turns` an answer to a cry for help that the deputy has given, or gives, is put off.
    """
    sends: list[Sent] = []
    try:
        return _claim(engine, vault, channel_id, wanted, now, bulk, road, sends, turns)
    except Exception as error:
        if turns is not None:
            turns.give_back(sent.message_id for sent in sends)
        if not sends or not isinstance(error, OperationalError | InterfaceError):
            raise
        raise InDoubt(sends) from error


def _claim(
    engine: Engine, vault: Vault, channel_id: UUID, wanted: int, now: datetime | None, bulk: int, road: base.Road, sends: list[Sent],
    turns: Turns | None,
) -> Claim:  # fmt: skip
    """Claim into `sends`, which holds their tokens before the commit does."""
    with unit_of_work(engine, SYSTEM, now) as work:
        room = channels.room(work, channel_id, wanted, registry.of_road(road))
        if room.all == 0:
            return Claim(None, [], False, work.now)
        bulk = min(room.bulk, bulk)
        due = rows.claim_due(work, channel_id, room.all, bulk, _since(work.now))
        if not due:
            return Claim(None, [], False, work.now)
        answers = {row.id for row in due if row.purpose == crisis_words.PURPOSE}
        passed = _judge_all(work, vault, due, room.off, rows.taken_beside(work, list(answers)))
        paid = _within(passed, room)
        theirs = turns.take(work, [sent.message_id for sent in paid if sent.message_id in answers]) if turns is not None else ()
        sends += [sent for sent in paid if sent.message_id not in theirs]
        channel = channels.get(work, vault, channel_id)
        if sends:
            rows.submit(work, [s.message_id for s in sends], [s.token for s in sends])
            if channel.rate is not None or room.today is not None:
                channels.spend(work, channel_id, room, sum(sent.segments for sent in sends))
        return Claim(channel, sends, len(paid) == len(passed) and len(due) >= min(room.all, bulk), work.now)


def _within(sends: list[Sent], room: channels.Room) -> list[Sent]:
    """As many as the channel's rate and day pay for, in their order: none overtakes one that is too long just now. The rest stays planned."""
    used = 0
    for place, sent in enumerate(sends):
        if not room.takes(sent.segments, used, sent.lane == messages.BULK):
            return sends[:place]
        used += sent.segments
    return sends


def withdraw(engine: Engine, sends: Sequence[Sent], now: datetime | None = None) -> None:
    """Undo what a claim in doubt committed, if it did: nothing has left, and at the next claim it is judged anew."""
    with unit_of_work(engine, SYSTEM, now) as work:
        rows.withdraw(work, [sent.message_id for sent in sends], [sent.token for sent in sends])


def _since(now: datetime) -> dict[str, datetime]:
    return {
        "half_an_hour_ago": now - timedelta(minutes=30),
        "an_hour_ago": now - timedelta(hours=1),
        "a_day_ago": now - timedelta(days=1),
        "a_week_ago": now - timedelta(days=7),
        "two_weeks_ago": now - timedelta(days=14),  # nothing is written more than a week before it leaves
    }


def _judge_all(work: Work, vault: Vault, due: Sequence[Any], off: tuple[str, ...], said: Collection[UUID]) -> list[Sent]:
    """Those of the locked rows that may leave; `said` are answers that left otherwise meanwhile."""
    sending_on, caps = switches.is_on(work, "sending"), units.caps(work, {row.unit_id for row in due})
    sends: list[Sent] = []
    held: list[tuple[UUID, datetime, str]] = []
    dropped: list[tuple[UUID, str, str]] = []
    busy: set[UUID] = set()  # clients who already have a text of this claim on its way
    beside: Counter[bytes] = Counter()  # texts of our own accord in this claim, by phone: it may be shared
    for row in due:
        if row.id in said:
            dropped.append((row.id, "cancelled", N_("answered over another channel")))
            continue
        verdict = judge.judge(_facts(row, row.client_id in busy, caps, beside[row.to_hash]), work.now, sending_on)
        if verdict.action == "send":
            try:
                sent = _open(row, vault)
                if off and sent.to.startswith(off):
                    held.append((row.id, work.now + COUNTRY_OFF_HOLDS, "country_off"))
                    continue
                sends.append(sent)
            except Exception as error:  # one unreadable row must not hold up the others
                log.error("message_unreadable", error, message=row.id)
                dropped.append((row.id, "suppressed", "its text or number cannot be decrypted"))
                continue
            if row.client_id is not None and row.lane != messages.URGENT:
                busy.add(row.client_id)
            beside[row.to_hash] += row.lane == messages.BULK
        elif verdict.action == "hold":
            assert verdict.until is not None
            held.append((row.id, verdict.until, verdict.reason))
        else:
            dropped.append((row.id, verdict.state, verdict.reason))
    if held:
        rows.hold(work, *map(list, zip(*held, strict=True)))
    if dropped:
        rows.drop(work, *map(list, zip(*dropped, strict=True)))
        tell_worker.not_sent(work, [message_id for message_id, state, _ in dropped if state == "expired"])
    return sends


def _facts(row: Any, busy: bool, caps: Mapping[str, Cap], beside: int) -> judge.Due:
    return judge.Due(
        id=row.id, purpose=row.purpose, consent_purpose=row.consent_purpose, lane=row.lane, send_before=row.send_before,
        exempt_until=row.exempt_until, to_staff=row.purpose in judge.TO_STAFF, client_status=row.status, stopped=row.stopped,
        consented=row.consented, in_flight=row.in_flight or busy, hours=(_window(row.unit_opens, row.unit_closes),
        _window(row.opens, row.closes)), zone=windows.zone_or(row.zone, row.unit_zone)[0], campaign_state=row.campaign_state,
        identical_in_half_an_hour=row.identical, automatic_in_an_hour=row.automatic, bulk_today=row.bulk + beside,
        bulk_this_week=row.bulk_week + beside, cap=caps.get(str(row.unit_id), judge.NO_CAP).narrowed(row.texts_a_day, row.texts_a_week),
    )  # fmt: skip


@lru_cache(maxsize=256)
def _window(opens: time_of_day | None, closes: time_of_day | None) -> windows.Window | None:
    return None if opens is None or closes is None else windows.Window(opens, closes)


def _open(row: Any, vault: Vault) -> Sent:
    key = vault.open_key(row.wrapped, row.key_id)
    return Sent(
        message_id=row.id, token=uuid4(), to=key.decrypt(row.to_enc, "outbound.to", row.id),
        body=key.decrypt(row.body_enc, "outbound.body", row.id), lane=row.lane, attempts=row.attempts + 1,
        send_before=row.send_before, unit_id=row.unit_id, client_id=row.client_id, segments=row.segments,
    )  # fmt: skip


class Sender:
    """One process's pipeline: claims while the wire has room, and records as answers come.

    A claim brings at most `batch`, and bulk leaves `spare` of the wire's room to alerts and answers. `due` may be called from several threads (the doorbell, the poll); each channel is claimed by one at a time.
    """

    def __init__(
        self, engine: Engine, vault: Vault, wire: Wire, recorder: Recorder, callback_base: str, road: base.Road = "http",
        batch: int = BATCH, spare: int = SPARE, turns: Turns | None = None,
    ) -> None:  # fmt: skip
        self._engine, self._vault, self._wire, self._recorder, self._road = engine, vault, wire, recorder, road
        self._callback_base, self._batch, self._spare, self._turns = callback_base, batch, spare, turns
        self._locks: dict[UUID, threading.Lock] = {}
        self._again: set[UUID] = set()
        self._in_doubt: dict[UUID, list[Sent]] = {}  # of claims whose commit nobody answered, by channel
        self._stopping = threading.Event()
        self._bulk_from = 0.0

    def rest(self) -> None:
        """The database was away just now: claim no bulk for `REST_SECONDS`."""
        self._bulk_from = time.monotonic() + REST_SECONDS

    def stop(self, within_s: float = 1) -> None:
        """Claim nothing more; return when what was claimed is handed to the wire, after `within_s` at the latest."""
        self._stopping.set()
        until = time.monotonic() + within_s
        for lock in list(self._locks.values()):
            lock.acquire(timeout=max(until - time.monotonic(), 0))

    def due(self, channel_id: UUID) -> int:
        """Claim and send what is due on a channel, for at most ten seconds; how many were handed to the wire.

        Returns at once when another thread is at it already: that one looks once more before it ends.
        """
        lock = self._locks.setdefault(channel_id, threading.Lock())
        self._again.add(channel_id)
        sent = 0
        while channel_id in self._again and not self._stopping.is_set():
            if not lock.acquire(blocking=False):
                return sent
            try:
                self._again.discard(channel_id)
                sent += self._slice(channel_id)
            finally:
                lock.release()
        return sent

    def _slice(self, channel_id: UUID) -> int:
        until, sent, more, looked = time.monotonic() + SLICE_SECONDS, 0, True, 0.0
        while more and time.monotonic() < until and not self._stopping.is_set():
            room = min(self._wire.free(), self._batch + self._spare)
            is_full = room < max(self._batch // 4, 1) + self._spare
            if not self._recorder.healthy or (is_full and (room <= 0 or time.monotonic() - looked < LOOK_SECONDS)):
                # Nearly full, or outcomes cannot be written: wait for answers rather than pile up.
                time.sleep(0.005)
                continue
            self._settle_doubt(channel_id)
            began, looked = awake_s(), time.monotonic()
            rests = looked < self._bulk_from
            try:
                claimed = claim(self._engine, self._vault, channel_id, room, bulk=0 if is_full or rests else room - self._spare,
                                road=self._road, turns=self._turns)  # fmt: skip
            except InDoubt as doubt:
                self._in_doubt[channel_id] = doubt.sends
                raise
            more = claimed.more or is_full
            if claimed.sends:
                assert claimed.channel is not None
                self._submit(claimed.channel, claimed, began)
                sent += len(claimed.sends)
        return sent

    def _settle_doubt(self, channel_id: UUID) -> None:
        """What this process may hold without knowing is given back, however soon the database is there again."""
        if sends := self._in_doubt.get(channel_id):
            withdraw(self._engine, sends)
            log.info("claim_withdrawn", channel=channel_id, texts=len(sends))
            del self._in_doubt[channel_id]

    def doubtful(self) -> list[UUID]:
        """Channels of which this process may hold texts without knowing: to be served even if nothing seems due."""
        return list(self._in_doubt)

    def _submit(self, channel: channels.Channel, claimed: Claim, since: float) -> None:
        """Hand texts to the wire: alerts and answers first, which overtake what waits in a line."""
        carrier = registry.of(channel.kind, channel.settings)
        settings = channel.settings | {"callback_url": f"{self._callback_base}/c/{channel.id}"}
        for first in (True, False):
            made = []
            for sent in claimed.sends:
                if (sent.lane != messages.BULK) != first:
                    continue
                # By the database's clock: this machine's may be hours wrong.
                validity_s = _validity(sent.send_before, claimed.at)
                outgoing = base.Outgoing(sent.message_id, str(sent.token), sent.to, _plain(sent.body) if carrier.capabilities.charset == "GSM-7" else sent.body, validity_s)
                try:
                    made.append((sent, carrier.send_request(settings, outgoing)))
                except Exception as error:  # settings that changed since it was planned; nothing of it has left, and the others may
                    log.error("request_not_made", error, message=sent.message_id)
                    self._recorded(carrier, channel.id, sent)(WireResult(None, "not_sent", "bad_request"))
            try:
                self._wire.submit_many([(request, self._recorded(carrier, channel.id, sent)) for sent, request in made], since, first)
            except WireClosed:  # of these alone: what was handed over before has its own results
                for sent, _ in made:
                    self._recorded(carrier, channel.id, sent)(WireResult(None, "not_sent", "shutdown"))

    def _recorded(self, carrier: base.Channel, channel_id: UUID, sent: Sent) -> Callable[[WireResult], None]:
        began = time.monotonic()

        def recorded(result: WireResult) -> None:
            self._recorder.put(carrier, channel_id, sent, result, time.monotonic() - began)
            if self._turns is not None:
                self._turns.ended(sent.message_id, lambda: base.read(carrier, result.phase, result.reply).outcome in adopt.TOOK)

        return recorded


def _plain(body: str) -> str:
    """What a carrier of the GSM alphabet alone is given: an answer or alert without its tone marks can still be read, question marks cannot."""
    return body if segments.GSM.issuperset(body) else segments.fold(body)


def _validity(send_before: datetime, now: datetime) -> int:
    return max(int((send_before - now).total_seconds()), 1)


def poll(engine: Engine, road: base.Road = "http") -> list[UUID]:
    """Channels of a road with something due, urgent and replies first. Raises when PostgreSQL is away."""
    with unit_of_work(engine, SYSTEM) as work:
        return channels.due(work, registry.of_road(road))

