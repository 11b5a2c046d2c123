"""Lines held open: `python -m workers.lines`. One bind, or one pair of folders, for each channel whose road is not HTTP.

Claiming, judging and recording are `send_due`'s and `record_outcomes`', with one sender for each line, since what is full or broken
here is one carrier's alone. One process holds a line at a time, by an advisory lock; while PostgreSQL is away the lines stay
open, so that what clients send still reaches our callbacks. Redis rings for HTTP alone: here PostgreSQL is asked a few times a second.
"""

import os
import signal
import sys
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from gateway import embedded, log, parts
from gateway.channels import base, registry
from gateway.config import Settings
from gateway.store import channels, health, leader
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import send_due
from gateway.usecases.record_outcomes import Recorder
from gateway.usecases.send_due import Sender
from gateway.wire import Wire, lines

ROADS: tuple[base.Road, ...] = ("smpp", "files")
KINDS = frozenset(kind for road in ROADS for kind in registry.of_road(road))
POLL_SECONDS = 0.25
LOOK_SECONDS = 1.0
BEAT_SECONDS = 5.0
TELL_SECONDS = 60.0
DRAIN_SECONDS = 8.0
SHUT_SECONDS = 20.0
"""A line that is shut for so long gives up its texts to other channels, and staff hear of it. With the clock's look that is less than half a minute."""


def main() -> int:
    """Run until SIGTERM or SIGINT; then claim nothing more, let what is under way end for 8 s, and write outcomes."""
    log.process = f"lines-{os.getpid()}"
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    with embedded.running(Settings.from_env(os.environ)) as settings:
        keeper = Keeper(settings)
        log.info("holding")
        keeper.run(stopping)
        keeper.close()
    return 0


@dataclass(slots=True)
class Line:
    """One channel's line, and who sends by it."""

    settings: dict[str, str]
    wire: Wire
    sender: Sender
    serving: threading.Thread | None = None


class Keeper:
    """Holds the lines of all channels that nobody else holds, and sends what is due on them."""

    def __init__(self, settings: Settings) -> None:
        self.gateway = parts.build(settings)
        self.recorder = Recorder(self.gateway.engine, self.gateway.vault)
        self._http = Wire(max_open=200, connect_s=settings.connect_timeout_seconds, read_s=settings.read_timeout_seconds).start()
        self._lines: dict[UUID, Line] = {}
        self._told: dict[UUID, float] = {}
        self._shut: dict[UUID, float] = {}  # since when a line that is ours to hold cannot send
        self._wanted = 0
        self._stack = ExitStack()
        self._locks: Connection | None = None
        self._locked: set[UUID] = set()

    def run(self, stopping: threading.Event) -> None:
        """Hold and send until stopping."""
        looked = beaten = float("-inf")
        while not stopping.is_set():
            try:
                if time.monotonic() - looked >= LOOK_SECONDS:
                    self._look()
                    looked = time.monotonic()
                self._send()
                if time.monotonic() - beaten > BEAT_SECONDS:
                    self._beat()
                    beaten = time.monotonic()
            except SQLAlchemyError as error:
                log.error("lines_wait_for_database", error)
                self._forget_locks()
                self.gateway.engine.dispose()
                stopping.wait(1)
            stopping.wait(POLL_SECONDS)

    def _beat(self) -> None:
        """Say that we are alive, as long as there is a line to hold, here or in another process."""
        with unit_of_work(self.gateway.engine, SYSTEM) as work:
            if self._wanted:
                health.beat(work, "lines", log.process)
            else:
                health.forget(work, "lines")

    def close(self) -> None:
        """Claim nothing more, let what is under way end, close the lines, write outcomes."""
        ends = time.monotonic() + DRAIN_SECONDS
        for line in self._lines.values():
            line.sender.stop()
        still_open = sum(len(line.wire.drain(max(ends - time.monotonic(), 0))) for line in self._lines.values())
        for line in self._lines.values():
            line.wire.close()
        self._http.close()
        self.recorder.close()
        self._forget_locks()
        log.info("stopped", without_answer=still_open)

    def _look(self) -> None:
        """Open the lines that are ours to hold, and close those that are not any more."""
        with unit_of_work(self.gateway.engine, SYSTEM) as work:
            wanted = {c.id: c for c in channels.list_all(work, self.gateway.vault) if c.kind in KINDS and c.state != "disabled"}
        self._wanted = len(wanted)
        locks = self._lock_connection()
        for channel_id in [each for each in self._locked if each not in wanted]:
            leader.release(locks, channel_id)
            self._locked.discard(channel_id)
        for channel_id in wanted.keys() - self._locked:
            if leader.try_to_hold(locks, channel_id):
                self._locked.add(channel_id)
        for channel_id in list(self._lines):
            if channel_id not in self._locked or wanted[channel_id].settings != self._lines[channel_id].settings:
                self._close(channel_id)
        for channel_id in self._locked - self._lines.keys():
            try:
                self._lines[channel_id] = self._opened(wanted[channel_id])
            except (OSError, ValueError) as error:  # a file of certificates or a folder that is not there, an address that is none
                self._tell(channel_id, error)
        self._mind({channel_id: wanted[channel_id] for channel_id in self._locked})

    def _mind(self, ours: dict[UUID, channels.Channel]) -> None:
        """Pause the channels whose lines stay shut, and let those send again whose lines have opened: nothing is claimed for a line that is shut."""
        for channel_id in ours:
            line = self._lines.get(channel_id)
            if line is None or not line.wire.is_open:
                self._shut.setdefault(channel_id, time.monotonic())
            else:
                self._shut.pop(channel_id, None)
        self._shut = {channel_id: since for channel_id, since in self._shut.items() if channel_id in ours}
        long_ago = time.monotonic() - SHUT_SECONDS
        shut = [each for each in ours.values() if each.state != "paused" and self._shut.get(each.id, long_ago) < long_ago]
        opened = [each for each in ours.values() if each.state_reason == channels.LINE_SHUT and each.id not in self._shut]
        if not shut and not opened:
            return
        with unit_of_work(self.gateway.engine, SYSTEM) as work:
            for channel in shut:
                channels.pause(work, channel.id, channels.LINE_SHUT, None)
                log.error("channel_down", channel=channel.id, reason=channels.LINE_SHUT)
            for channel in opened:
                channels.over(work, channel.id, channels.LINE_SHUT)

    def _tell(self, channel_id: UUID, error: Exception) -> None:
        """Tried again each second, said once a minute: whoever reads the log has to see the rest of it."""
        if time.monotonic() - self._told.get(channel_id, float("-inf")) >= TELL_SECONDS:
            self._told[channel_id] = time.monotonic()
            log.error("line_not_opened", error, channel=channel_id)

    def _lock_connection(self) -> Connection:
        if self._locks is None:
            self._locks = self._stack.enter_context(leader.candidate(self.gateway.engine))
        leader.still_there(self._locks)
        return self._locks

    def _forget_locks(self) -> None:
        """The connection that held them is gone or of no use; the lines stay open until it is known who holds them now."""
        self._locks, self._locked = None, set()
        with suppress(SQLAlchemyError):
            self._stack.close()

    def _opened(self, channel: channels.Channel) -> Line:
        settings, road = self.gateway.settings, _road(channel)
        callback_url = f"{settings.local_url}/c/{channel.id}"
        hold = registry.held(channel.kind).hold_request(channel.settings | {"callback_url": callback_url})
        line = lines.opened(road, hold, self._http, self.recorder.flush, settings.connect_timeout_seconds, settings.read_timeout_seconds)
        sender = Sender(
            self.gateway.engine, self.gateway.vault, line.wire, self.recorder, settings.public_url, road, line.batch, line.spare, parts.turns(self.gateway),
        )
        log.info("line_opened", channel=channel.id, road=road)
        return Line(channel.settings, line.wire, sender)

    def _close(self, channel_id: UUID) -> None:
        line = self._lines.pop(channel_id)
        line.sender.stop()
        line.wire.drain(1)
        line.wire.close()
        log.info("line_closed", channel=channel_id)

    def _send(self) -> None:
        """Let each open line with something due be served by a thread of its own."""
        if not self._lines:
            return
        due = {channel_id for road in ROADS for channel_id in send_due.poll(self.gateway.engine, road)}
        for channel_id, line in self._lines.items():
            is_wanted = channel_id in due or line.sender.doubtful()
            if is_wanted and line.wire.is_open and not (line.serving and line.serving.is_alive()):
                line.serving = threading.Thread(target=_serve, args=(line.sender, channel_id), daemon=True)
                line.serving.start()


def _road(channel: channels.Channel) -> base.Road:
    return registry.by_kind(channel.kind).capabilities.road


def _serve(sender: Sender, channel_id: UUID) -> None:
    try:
        sender.due(channel_id)
    except Exception as error:
        log.error("claim_failed", error, channel=channel_id)


if __name__ == "__main__":
    sys.exit(main())
