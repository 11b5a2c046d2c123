"""What a web process holds against PostgreSQL being away: the spool, the copy, and the thread that empties the one and renews the other.

`stands_in` is all that a request asks while everything is well. Once something waits in the spool, whatever comes goes there too,
behind it, until the database has it all: texts of one phone stay in their order.
"""

import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine

from gateway import log
from gateway.channels import registry
from gateway.channels.base import CallbackRequest, Inbound
from gateway.content import Content
from gateway.spool import LATER, Entry, Spool, SpoolFull
from gateway.store import channels, outage
from gateway.store.base import SYSTEM, is_away, unit_of_work, with_patience
from gateway.usecases import receive_message, record_reports, second_way
from gateway.usecases.deputise import Deputy
from gateway.usecases.group_commit import GroupCommit
from gateway.usecases.second_way import Alarm, SecondWay
from gateway.vault import Vault, VaultError
from gateway.wire import Wire

LOOK_SECONDS = 0.25
TRY_SECONDS = 0.5  # to reach the database again
BLIP_SECONDS = 3.0  # a database that is restarted is back by then, and does what the deputy would
COPY_SECONDS = 60.0
PHONES_SECONDS = 900.0
PHONES_AT_ONCE = 500  # as many as keep requests waiting for some milliseconds
COPY_PATIENCE_SECONDS = 20.0  # less than a minute, in which a cry for help is to be told of
LATER_SECONDS = 30.0
TELL_AGAIN_SECONDS = 1800.0
ATTEND_SECONDS = 2.0  # to whom cannot wait, while the spool is emptied
REPORTS_SHARE = 0.5  # of the spool's room: what clients wrote comes first


class Outage:
    """One web process's part in it. Start it once the process serves; tests call `look` themselves."""

    def __init__(
        self, engine: Engine, vault: Vault, content: Content, ring: Callable[[UUID], None], spool: Spool, second: Callable[[], SecondWay],
        wire: Callable[[], Wire], callback_base: str,
    ) -> None:  # fmt: skip
        self._engine, self._vault, self._content, self._ring, self.spool, self._second = engine, vault, content, ring, spool, second
        self._deputy = Deputy(spool, vault, content, second, wire, callback_base)
        self._in = GroupCommit[tuple[Entry, float]](self._keep_all, lambda entry: self._keep_all([entry]))
        self.stands_in = False
        self._is_holder = False
        self._tried, self._tried_later, self._told = 0.0, 0.0, -TELL_AGAIN_SECONDS
        self._attended = 0.0
        self._heard: set[str] = set()  # files that the deputy has read
        self._kept: set[str] = set()  # entries of files that are not dropped yet
        self._first: set[str] = set()  # phones that wrote a stop or a cry for help
        self._stops: dict[str, float] = {}  # when phones wrote their last stop
        self._known: dict[UUID, channels.Channel] = {}  # of one flush
        self._copy: tuple[float, dict[str, Any] | None] = (0, None)
        self._phones: Iterator[None] | None = None  # being written, a piece at each look

    def start(self) -> None:
        """Look after it, in a thread of its own, for as long as the process lives."""
        threading.Thread(target=self._run, name="outage", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception as error:
                log.error("spool_failed", error)
            time.sleep(LOOK_SECONDS)

    # --- for requests

    def noticed(self) -> None:
        """PostgreSQL is away, as a request found: the next ones need not find it too."""
        if not self.stands_in:
            log.warning("database_away")
        self.stands_in = True

    def channel(self, channel_id: UUID) -> channels.Channel | None:
        """A channel as it was last known."""
        copy = self.copy()
        kept = copy["channels"].get(str(channel_id)) if copy else None
        return outage.channel_of(str(channel_id), kept) if kept else None

    def copy(self) -> dict[str, Any] | None:
        """What was last known of the database; None when it was never written, or cannot be read."""
        saved_at = self.spool.saved_at()
        if self._copy[0] != saved_at:
            try:
                self._copy = saved_at, self.spool.load()
            except VaultError as error:  # written under keys that are not configured any more
                log.error("copy_unreadable", error)
                self._copy = saved_at, None
        return self._copy[1]

    def keep(self, kind: str, channel_id: UUID, callback: CallbackRequest) -> None:
        """Keep a verified callback on disk. Raises SpoolFull or OSError when that cannot be done: then it was not kept."""
        self._put(kind, channel_id, {
            "url": callback.url, "path": callback.path, "query": callback.raw_query, "headers": dict(callback.headers),
            "body": b64encode(callback.body).decode(),
        }, REPORTS_SHARE if kind == "report" else 1)  # fmt: skip

    def keep_words(self, channel_id: UUID, message: Inbound) -> None:
        """The same for words that were typed into a menu: not the callback, since what else was typed may be a PIN."""
        self._put("words", channel_id, {"carrier_id": message.carrier_id, "phone": message.sender_phone, "text": message.text})

    def _put(self, kind: str, channel_id: UUID, what: dict[str, Any], share: float = 1) -> None:
        entry = {"id": str(uuid4()), "at": time.time(), "kind": kind, "channel": str(channel_id), **what}
        try:
            self._in.add((entry, share))
        except (SpoolFull, OSError) as error:
            log.error("not_spooled", error, channel=channel_id, size=self.spool.size)
            threading.Thread(target=self._tell, args=("full",), daemon=True).start()
            raise
        self.stands_in = True

    def _keep_all(self, entries: Sequence[tuple[Entry, float]]) -> None:
        self.spool.keep([entry for entry, _ in entries], min(share for _, share in entries))

    def _tell(self, kind: str) -> None:
        """People are told by the second way, once in half an hour."""
        if time.monotonic() - self._told >= TELL_AGAIN_SECONDS:
            self._told = time.monotonic()
            if self._second().tell(Alarm(uuid4(), kind, second_way.words(self._content, kind))) is None:
                self._told = -TELL_AGAIN_SECONDS

    # --- by itself

    def look(self, now: float | None = None) -> None:
        """Empty the spool if the database is there, else do what cannot wait; renew the copy when nothing waits."""
        waits = self.spool.look()
        if not self.spool.hold():
            self.stands_in = waits
            return
        if not self._is_holder:
            self._deputy.take_over()
            self._is_holder = True
        if not waits:
            self._all_kept(now)
            return
        self.stands_in = True
        if time.monotonic() - self._tried >= TRY_SECONDS:
            flushed, self._tried = self._flush(), time.monotonic()
            if flushed:
                self.stands_in = self.spool.look()
                return
        self._attend(now)

    def _all_kept(self, now: float | None) -> None:
        """Nothing waits but what the database did not take: whoever cried for help in that is not forgotten."""
        self._kept.clear()
        later = self.spool.waiting(later=True)
        if later:
            self._attend(now)
        else:
            self._heard.clear()
            self._first.clear()
            self._stops.clear()
        if self.stands_in and self._reach() is None:
            return  # a request found the database away, and nothing was to be kept
        self.stands_in = False
        if later and time.monotonic() - self._tried_later > LATER_SECONDS:
            self._tried_later = time.monotonic()
            for file in later:
                file.rename(file.with_name(file.name.removesuffix(LATER)))
        if not later:
            self._deputy.finish()
        try:
            if abs(time.time() - self.spool.saved_at()) > COPY_SECONDS:  # a clock that was set back makes no copy new
                self.renew()
                self.spool.forget_claims()
            elif self._phones is not None:
                self._write_phones()
        except Exception as error:  # the old one stays, and it is tried again: nothing that came in waits for it
            if not is_away(error):
                raise
            log.warning("copy_not_renewed", error=type(error).__name__)
            if self._reach() is None:
                self.noticed()  # said once, and asked quietly from now on

    def renew(self) -> None:
        """Write the copy anew, from the database, and begin with clients' phones when those are old. The first time they are all written."""
        saved_at = self.spool.saved_at("phones")
        if self._phones is None and abs(time.time() - saved_at) > PHONES_SECONDS:
            self._phones = self.spool.save_phones(self._read_phones())
        while self._phones is not None and saved_at == 0:
            self._write_phones()
        with unit_of_work(with_patience(self._engine, COPY_PATIENCE_SECONDS), SYSTEM) as work:
            found = outage.read(work, self._vault)
        self.spool.save(found)

    def _read_phones(self) -> Iterator[outage.Phones]:
        """In pieces, each in a transaction of its own."""
        after: bytes | None = b""
        while after is not None:
            with unit_of_work(with_patience(self._engine, COPY_PATIENCE_SECONDS), SYSTEM) as work:
                found, after = outage.phones(work, after, PHONES_AT_ONCE)
            yield found

    def _write_phones(self) -> None:
        """One piece more; one that fails is begun anew with the next copy."""
        assert self._phones is not None
        try:
            next(self._phones)
        except StopIteration:
            self._phones = None
        except Exception:
            self._phones = None
            raise

    def _reach(self) -> timedelta | None:
        """Whether the database is there: how far its clock is ahead of this machine's."""
        try:
            with unit_of_work(self._engine, SYSTEM) as work:
                return work.now - datetime.now(UTC)
        except Exception as error:
            if not is_away(error):
                raise
            return None

    # --- while it is away

    def _attend(self, now: float | None = None) -> None:
        """Hear what came, and do what cannot wait for the database."""
        now = time.time() if now is None else now
        self._listen(now)
        if (copy := self.copy()) is not None:
            self._deputy.act(copy, now - BLIP_SECONDS)

    def _listen(self, now: float) -> None:
        self._attended = time.monotonic()
        copy = self.copy()
        for file in [*self.spool.waiting(later=True), *self.spool.waiting()] if copy is not None else ():
            name = file.name.removesuffix(LATER)
            if copy is not None and name not in self._heard:
                self._heard.add(name)
                for entry in self._entries(file):
                    self._hear(copy, entry, now)

    def _entries(self, file: Path) -> list[dict[str, Any]]:
        try:
            return self.spool.read(file)
        except FileNotFoundError:
            return []
        except Exception as error:  # altered, or under a key that is not configured
            log.error("spool_unreadable", error)
            self.spool.put_off(file)
            return []

    def _hear(self, copy: dict[str, Any], entry: dict[str, Any], now: float) -> None:
        if entry["kind"] == "report" or entry["channel"] not in copy["channels"]:
            return
        try:
            message = _message(outage.channel_of(entry["channel"], copy["channels"][entry["channel"]]), entry)
            wants = self._deputy.hear(copy, entry, message, now).wants if message is not None else ()
            if message is not None and wants:
                self._first.add(message.sender_phone)
            if message is not None and "stop" in wants:
                self._stops[message.sender_phone] = entry["at"]
        except Exception as error:
            log.error("spooled_not_heard", error, entry=entry["id"])

    # --- once it is back

    def _flush(self) -> bool:
        """Hand all that waits to the database, phones that cannot wait first; False while it is away."""
        ahead, began = self._reach(), time.monotonic()
        if ahead is None:
            return False
        self._known.clear()
        try:
            files = self.spool.waiting()
            self._listen(time.time())
            for file in files:
                self._flush_first(ahead)
                if self._flush_file(file, ahead):
                    self.spool.drop(file)
                else:
                    self.spool.put_off(file)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("flush_interrupted", error=type(error).__name__, kept=len(self._kept))
            return False
        log.info("spool_flushed", files=len(files), entries=len(self._kept), seconds=round(time.monotonic() - began, 2))
        self._kept.clear()
        return True

    def _flush_first(self, ahead: timedelta) -> None:
        """Keep all that came from phones that were heard to say stop or to cry for help, also while the spool is emptied."""
        first = set(self._first)
        for file in self.spool.waiting() if first else ():
            self._flush_file(file, ahead, first)
        self._first -= first

    def _flush_file(self, file: Path, ahead: timedelta, phones: set[str] | None = None) -> bool:
        """Keep the entries of a file, or those of these phones; whether all are kept. Raises when the database is away."""
        entries = self._entries(file)
        for entry in entries:
            if time.monotonic() - self._attended > ATTEND_SECONDS:
                self._attend()
            if entry["id"] not in self._kept and self._keep_entry(entry, ahead, phones):
                self._kept.add(entry["id"])
        return all(entry["id"] in self._kept for entry in entries)

    def _keep_entry(self, entry: dict[str, Any], ahead: timedelta, phones: set[str] | None) -> bool:
        """Whether it is in the database now."""
        try:
            channel = self._channel(UUID(entry["channel"]))
            if entry["kind"] == "report":
                if phones is None:
                    report = registry.of(channel.kind, channel.settings).read_report(_callback(entry))
                    record_reports.record(self._engine, [(channel.id, report)])
                return phones is None
            message = _message(channel, entry)
            if message is None:
                return True
            if phones is not None and message.sender_phone not in phones:
                return False
            at = min(datetime.fromtimestamp(entry["at"], UTC), datetime.now(UTC)) + ahead  # the clock may have been set back
            self._hand_over(channel, message, at, silent=entry["at"] < self._stops.get(message.sender_phone, 0))
        except Exception as error:
            if is_away(error):
                raise
            log.error("spooled_not_kept", error, entry=entry["id"])
            return False
        return True

    def _channel(self, channel_id: UUID) -> channels.Channel:
        if channel_id not in self._known:
            with unit_of_work(self._engine, SYSTEM) as work:
                self._known[channel_id] = channels.get(work, self._vault, channel_id)
        return self._known[channel_id]

    def _hand_over(self, channel: channels.Channel, message: Inbound, at: datetime, silent: bool) -> None:
        """Have the database keep a text, with what was said about it."""
        phone = receive_message.e164(self._engine, channel, message.sender_phone)
        about, kept = str(receive_message.about(self._vault, channel.id, phone, message)), False
        until = time.monotonic() + 30
        while self._deputy.busy(about) and time.monotonic() < until:  # what is just leaving has its outcome first, or the carrier hangs
            time.sleep(0.02)
        try:
            already = replace(self._deputy.hand_over(about), silent=silent)
            receive_message.receive(self._engine, self._vault, self._content, channel, message, self._ring, at, already=already)
            kept = True
        finally:
            self._deputy.handed_over(about, kept)


def _callback(entry: dict[str, Any]) -> CallbackRequest:
    return CallbackRequest(
        entry["url"], entry["path"], entry["query"], entry["headers"], b64decode(entry["body"]), datetime.fromtimestamp(entry["at"], UTC)
    )


def _message(channel: channels.Channel, entry: dict[str, Any]) -> Inbound | None:
    """The text in an entry, or the call; None for a call of somebody who withheld their number."""
    carrier = registry.of(channel.kind, channel.settings)
    match entry["kind"]:
        case "words":
            return Inbound(entry["carrier_id"], entry["phone"], "", entry["text"])
        case "call":
            return carrier.read_call(_callback(entry))
    return carrier.read_inbound(_callback(entry))
