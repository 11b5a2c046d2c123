"""Write what became of attempts, in bulk, as answers come; and what follows from a refusal for phone and channel."""

import queue
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from gateway import log
from gateway.channels import base
from gateway.domain import health, messages, phone
from gateway.store import channels, flags, routes
from gateway.store import messages as rows
from gateway.store.base import SYSTEM, Work, is_away, unit_of_work
from gateway.usecases import apply_effects, move_traffic, tell_worker
from gateway.vault import Vault
from gateway.wire import WireResult

FLUSH_SECONDS = 0.2
FLUSH_ROWS = 500
UNREADABLE_IN_A_ROW = 5
# A fault of the channel stops it for this long before it is tried with one claim again; a person may resume it earlier.
PAUSE_SECONDS = {"daily_limit": 3600, "bad_credentials": None, "bad_sender": None, "suspended": None}


@dataclass(frozen=True, slots=True)
class Sent:
    """A message in `submitting`, in the clear: keep it in memory only."""

    message_id: UUID
    token: UUID
    to: str
    body: str
    lane: int
    attempts: int
    send_before: datetime
    unit_id: UUID
    client_id: UUID | None
    segments: int = 1


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt, how it ended and after how long; `is_ours`: this process alone kept it from leaving, and out there nothing is wrong."""

    channel_id: UUID
    sent: Sent
    result: base.SendResult
    is_ours: bool = False
    took_s: float = 0.0


def record(engine: Engine, vault: Vault, ended: list[Ended], now: datetime | None = None) -> None:
    """Write outcomes in one transaction. A state that a delivery report wrote meanwhile is never lowered.

    Before that what this process kept from leaving is given back, as if it had never been claimed.
    """
    if ours := [e.sent for e in ended if e.is_ours]:
        with unit_of_work(engine, SYSTEM, now) as work:
            rows.withdraw(work, [sent.message_id for sent in ours], [sent.token for sent in ours])
    ended = [e for e in ended if not e.is_ours]
    if not ended:
        return
    with unit_of_work(engine, SYSTEM, now) as work:
        outcomes = [_outcome(e, work.now) for e in ended]
        rows.record(work, outcomes)
        tell_worker.not_sent(work, [outcome.message_id for outcome in outcomes if outcome.state == "expired"])
        for e in ended:
            if e.result.outcome not in ("accepted", "not_sent_retry", "throttled"):
                _consequences(work, vault, e)
            elif e.result.reason == "daily_limit":
                channels.pause(work, e.channel_id, "daily_limit", PAUSE_SECONDS["daily_limit"])
        _move_on(work, vault, ended, outcomes)
        _count_unreadable(work, ended)
        routes.count(work, _counts(ended))


def _counts(ended: list[Ended]) -> dict[UUID, list[int]]:
    """How attempts ended, as the health of their channels counts them: (well, bad, slow)."""
    counts: dict[UUID, list[int]] = {}
    for each in ended:
        kind = health.kind(each.result.outcome)
        if kind is not None:
            of_channel = counts.setdefault(each.channel_id, [0, 0, 0])
            of_channel[0 if kind == health.WELL else 1] += 1
            of_channel[2] += kind == health.WELL and each.took_s > health.SLOW_SECONDS
    return counts


def _outcome(ended: Ended, now: datetime) -> rows.Outcome:
    sent, result = ended.sent, ended.result
    settled = messages.settle(
        result.outcome, sent.attempts, sent.send_before, now, lane=sent.lane, retry_after_s=result.retry_after_s,
        spread=(sent.message_id.int & 0xFF) / 255,
    )  # fmt: skip
    return rows.Outcome(
        message_id=sent.message_id, token=sent.token, state=settled.state, attempt=settled.attempt, reason=result.reason,
        code=result.code, carrier_id=result.carrier_id, again_at=settled.again_at,
    )  # fmt: skip


def _consequences(work: Work, vault: Vault, ended: Ended) -> None:
    sent, result = ended.sent, ended.result
    if result.outcome == "opted_out":
        apply_effects.stop_phone(work, vault.hash_phone(sent.to), "carrier", "carrier", sent.message_id)
    elif result.reason == "country_off":
        channels.turn_off(work, ended.channel_id, phone.country(sent.to), "country_off")
    elif result.outcome == "channel_down":
        channels.pause(work, ended.channel_id, result.reason or "channel_down", PAUSE_SECONDS.get(str(result.reason), 300))
        log.error("channel_down", channel=ended.channel_id, reason=result.reason, code=result.code)
    elif result.outcome in ("permanent", "filtered"):
        flags.add(work, unit_id=sent.unit_id, reason="cannot_reach", client_id=sent.client_id, inbound_id=None,
                  about_id=sent.message_id, dedupe_key=f"cannot_reach:{sent.message_id}")  # fmt: skip


def _move_on(work: Work, vault: Vault, ended: list[Ended], outcomes: list[rows.Outcome]) -> None:
    """Alerts and answers that a fault of their channel put off take another one now: campaigns' texts wait for the clock."""
    put_off: dict[UUID, list[UUID]] = {}
    for each, outcome in zip(ended, outcomes, strict=True):
        if each.sent.lane != messages.BULK and outcome.state == "planned" and outcome.reason in routes.PUT_OFF:
            put_off.setdefault(each.channel_id, []).append(outcome.message_id)
    table = routes.table(work) if put_off else None
    for channel_id, ids in sorted(put_off.items()):
        assert table is not None
        if moved := move_traffic.move(work, vault, table, channel_id, ids):
            log.info("texts_moved", channel=channel_id, texts=len(moved))


def _count_unreadable(work: Work, ended: list[Ended]) -> None:
    """Five answers in a row that are no answer: somebody should look at the channel."""
    for channel_id in {e.channel_id for e in ended}:
        results = [e.result for e in ended if e.channel_id == channel_id]
        bad = sum(r.reason == "unreadable" for r in results)
        if bad or any(r.outcome == "accepted" for r in results):
            total = channels.count_unreadable(work, channel_id, bad, reset=bad < len(results))
            if bad and total >= UNREADABLE_IN_A_ROW:
                log.error("channel_answers_unreadable", channel=channel_id, in_a_row=total)


@dataclass(frozen=True, slots=True)
class _Answer:
    carrier: base.Channel
    channel_id: UUID
    sent: Sent
    result: WireResult
    took_s: float


def _ended(answer: _Answer) -> Ended:
    result = answer.result
    is_ours = result.phase == "not_sent" and result.error in ("shutdown", "too_late")
    return Ended(answer.channel_id, answer.sent, base.read(answer.carrier, result.phase, result.reply), is_ours, answer.took_s)


class Recorder:
    """Buffers answers and writes them from a thread of its own: every 200 ms or 500 rows.

    While the database is away it keeps what it has and says `healthy` is False, so that nothing more is claimed.
    """

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._engine, self._vault = engine, vault
        self._waiting: queue.SimpleQueue[_Answer | threading.Event] = queue.SimpleQueue()  # an event: all before it is to be written
        self._end = threading.Event()
        self.healthy = True
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def put(self, carrier: base.Channel, channel_id: UUID, sent: Sent, result: WireResult, took_s: float = 0.0) -> None:
        """Keep an answer to be written, which took so long. Quick: the wire's loop calls it."""
        self._waiting.put(_Answer(carrier, channel_id, sent, result, took_s))

    def flush(self, timeout_s: float = 5) -> bool:
        """Write now what was put so far; whether that is done."""
        written = threading.Event()
        self._waiting.put(written)
        return written.wait(timeout_s)

    def close(self, timeout_s: float = 5) -> None:
        """Write what is left and end."""
        self._waiting.put(self._end)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._end.is_set():
            batch, written = self._take()
            ended = [_ended(answer) for answer in batch]
            while ended and not self._write(ended):
                time.sleep(0.5)
            if written is not None:
                written.set()

    def _take(self) -> tuple[list[_Answer], threading.Event | None]:
        """What is to be written together, and whom to tell."""
        batch: list[_Answer] = []
        until = float("inf")
        while len(batch) < FLUSH_ROWS:
            try:
                item = self._waiting.get(timeout=max(until - time.monotonic(), 0.001) if batch else None)
            except queue.Empty:
                break
            if isinstance(item, threading.Event):
                return batch, item
            if not batch:
                until = time.monotonic() + FLUSH_SECONDS
            batch.append(item)
        return batch, None

    def _write(self, ended: list[Ended]) -> bool:
        """Whether they are settled. A database that is away is waited for; one bad row must not hold up the others."""
        try:
            record(self._engine, self._vault, ended)
        except Exception as error:
            if is_away(error) or isinstance(error, OperationalError | InterfaceError):
                log.error("outcomes_wait_for_database", error, waiting=len(ended))
                self.healthy = False
                return False
            if len(ended) > 1:
                half = len(ended) // 2
                return self._write(ended[:half]) and self._write(ended[half:])
            # Its lease lapses, it becomes unknown, and is settled by asking the carrier.
            log.error("outcome_not_written", error, message=ended[0].sent.message_id)
        self.healthy = True
        return True
