"""While PostgreSQL is away: answer cries for help and tell people, out of the spool, each thing once.

What is to leave is written to the journal before it does. Whoever takes over after a crash reads there what may have left, and
never sends that again; the database does not either, once it is back (`adopt`).
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

from gateway import log
from gateway.channels import base, registry
from gateway.channels.base import Inbound
from gateway.content import Content
from gateway.domain import escalation, parts, phone
from gateway.spool import DEPUTY, Spool
from gateway.store import outage
from gateway.store.channels import Channel
from gateway.usecases import adopt, compose, crisis_words, receive_message, second_way
from gateway.usecases.adopt import Already, Said
from gateway.usecases.second_way import Alarm, SecondWay
from gateway.vault import Vault, VaultError
from gateway.wire import Wire

HOUR = 3600.0
ANSWERS_AN_HOUR = 3  # to one phone: each is a copy of the same numbers to call
TRY_AGAIN = 5.0
MOST_TRIES = 20
ANSWER_LIVES_S = 14_400


@dataclass(frozen=True, slots=True)
class Heard:
    """A text in the spool, read: who wrote it, and in whose name it is acted on."""

    about: str  # one for each text, in however many copies it was posted
    at: float
    channel_id: str
    message: Inbound
    same: str  # for all parts of a long text
    phone: str
    unit: str
    languages: tuple[str, ...]
    wants: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Case:
    """A cry for help that waits for the database."""

    heard: Heard
    answers: bool
    alerts: bool


class Deputy:
    """Stands in for clock and send worker, for as long as the database is away. One at a time on a machine."""

    def __init__(
        self, spool: Spool, vault: Vault, content: Content, second: Callable[[], SecondWay], wire: Callable[[], Wire], callback_base: str
    ) -> None:  # fmt: skip
        self._spool, self._vault, self._content, self._second, self._wire = spool, vault, content, second, wire
        self._callback_base = callback_base
        self._cases: dict[str, _Case] = {}
        self._phones: tuple[float, outage.Phones] = (0, {})  # as they were written then
        self._handing = ""  # what the database takes over just now
        self._tries: dict[str, list[dict[str, Any]]] = {}  # by what was to be done; each with its outcome, once it is known
        self._flying: set[str] = set()
        self._parts: dict[tuple[str, str, str], dict[int, str]] = {}  # of long texts, by channel, phone and what they have in common
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None

    def take_over(self) -> None:
        """Know what those before did."""
        self._tries.clear()
        by_token: dict[str, dict[str, Any]] = {}
        for line in self._spool.journal():
            if "key" in line:
                self._tries.setdefault(line["key"], []).append(line)
                by_token[line["token"]] = line
            elif line["token"] in by_token:
                by_token[line["token"]].update(line)

    # --- what came in

    def hear(self, copy: dict[str, Any], entry: dict[str, Any], message: Inbound, now: float) -> Heard:
        """Read a text with the program's own understanding, in every language of its phone; a cry for help becomes a case.

        It came by `now` at the latest: the clock may have been set back since.
        """
        channel = copy["channels"][entry["channel"]]
        unit = channel["unit"]
        sender = receive_message.as_e164(message.sender_phone, copy["units"][unit]["region"])
        about = str(receive_message.about(self._vault, UUID(entry["channel"]), sender, message))
        units, spoken = self._whose(sender)
        unit = units[0] if len(units) == 1 and units[0] in copy["units"] else unit
        languages = tuple(dict.fromkeys([*spoken, copy["units"][unit]["language"]]))
        wants, same = receive_message.wants(self._content, message.text, languages), message.carrier_id
        if (part := message.part) is not None and parts.is_part(part.number, part.total):
            same = f"{part.reference} of {part.total}"
            came = self._parts.setdefault((entry["channel"], sender, same), {})
            came[part.number] = message.text
            wants |= receive_message.wants(self._content, parts.join(came, part.total), languages)
        if message.opt_out == "stop":
            wants |= {"stop"}
        heard = Heard(about, min(entry["at"], now), entry["channel"], message, same, sender, unit, languages, wants)
        if "crisis" in heard.wants and heard.about not in self._cases:
            case = self._case(heard)
            if case.answers or case.alerts:  # of a flood nothing else is remembered
                self._cases[heard.about] = case
        return heard

    def _whose(self, sender: str) -> tuple[list[str], list[str]]:
        """Units and languages of whoever has the phone; none, as of a stranger, where it was not on file when the phones were written."""
        saved_at = self._spool.saved_at("phones")
        if self._phones[0] != saved_at:
            self._phones = saved_at, {}
            try:
                for piece in self._spool.phones():
                    self._phones[1].update(piece)
            except (VaultError, ValueError) as error:  # altered, or written under keys that are not configured any more
                log.error("phones_unreadable", error)
        return self._phones[1].get(self._vault.hash_phone(sender).hex(), ([], []))

    def _case(self, heard: Heard) -> _Case:
        """One phone in one hour: three answers, one round of alerts."""
        before = [case for case in self._cases.values() if case.heard.phone == heard.phone and abs(heard.at - case.heard.at) < HOUR]
        is_new = all((case.heard.channel_id, case.heard.same) != (heard.channel_id, heard.same) for case in before)
        answers = is_new and sum(case.answers for case in before) < ANSWERS_AN_HOUR
        return _Case(heard, answers, not any(case.alerts for case in before))

    # --- what is done about it

    def act(self, copy: dict[str, Any], now: float) -> None:
        """Begin all whose time has come and that nobody did; each in a thread of its own, since a carrier may hang."""
        for case in list(self._cases.values()):
            if case.answers and case.heard.at <= now:
                self._begin(f"{case.heard.about}:answer", now, self._answer, copy, case.heard)
            if case.alerts:
                for key, staff_id in self._due(copy, case.heard, now):
                    self._begin(key, now, self._alert if staff_id else self._tell, copy, case.heard, staff_id)

    def _due(self, copy: dict[str, Any], heard: Heard, now: float) -> Iterator[tuple[str, str | None]]:
        """The steps of all rounds until now, as the clock would take them; the second way at once, since no page can be opened."""
        candidates = [outage.candidate_of(each) for each in copy["candidates"].get(heard.unit, [])]
        begins, number = datetime.fromtimestamp(heard.at, UTC), 0
        while begins.timestamp() <= now:
            for step in escalation.steps(candidates, begins, number):
                if step.way == "second":
                    yield f"{heard.about}:{number}:second", None
                elif step.way == "text" and step.due_at.timestamp() <= now:
                    yield f"{heard.about}:{number}:{step.staff_id}", str(step.staff_id)
            begins, number = begins + escalation.lasts(number), number + 1

    def _begin(self, key: str, now: float, do: Callable[..., None], *about: Any) -> None:
        tries = self._tries.get(key, [])
        if key in self._flying or len(tries) >= MOST_TRIES:
            return
        if self._took(key) or (tries and abs(now - tries[-1]["at"]) < TRY_AGAIN):
            return
        self._flying.add(key)
        if self._threads is None:
            self._threads, _, _ = ThreadPoolExecutor(16, "deputy"), self._wire(), self._second()
        self._threads.submit(self._do, key, do, *about)

    def _took(self, key: str) -> bool:
        tries = self._tries.get(key, [])
        return bool(tries) and _may_have_left(tries[-1])

    def _do(self, key: str, do: Callable[..., None], *about: Any) -> None:
        try:
            do(key, *about)
        except Exception as error:
            log.error("deputy_failed", error)
        finally:
            self._flying.discard(key)

    def _answer(self, key: str, copy: dict[str, Any], heard: Heard) -> None:
        unit = copy["units"][heard.unit]
        if not phone.may_be_answered(heard.phone, unit["region"]):
            return
        person = compose.Recipient(
            unit_id=UUID(heard.unit), key_id=UUID(int=0), key=self._vault.new_key(UUID(int=0))[0], phone=heard.phone,
            language=heard.languages[0], zone=unit["zone"], unit_language=unit["language"], tones=unit["tones"], discreet=2,
            details=unit["known"],
        )  # fmt: skip
        told = compose.compose(self._content, person, crisis_words.PURPOSE, {}, policy="unit_default")
        mine = [UUID(heard.about)]
        if self._spool.claim(mine, DEPUTY):
            try:
                self._send(key, copy, heard, person.phone, told, first=heard.channel_id)
            finally:
                if not self._took(key):
                    self._spool.unclaim(mine, DEPUTY)

    def _alert(self, key: str, copy: dict[str, Any], heard: Heard, staff_id: str) -> None:
        one = copy["staff"].get(staff_id)
        if one is None:
            return
        person = compose.Recipient(
            unit_id=UUID(one["unit"]), key_id=UUID(int=0), key=self._vault.new_key(UUID(int=0))[0], phone=one["phone"],
            language=one["language"], zone=one["zone"], unit_language=one["language"], details=one["details"],
        )  # fmt: skip
        told = compose.compose(self._content, person, "staff_alert_away", {}, policy="unit_default")
        self._send(key, copy, heard, person.phone, told, staff=staff_id)

    def _tell(self, key: str, copy: dict[str, Any], heard: Heard, _staff: None) -> None:
        token = uuid5(UUID(heard.about), key)
        if not self._note(key, {"entry": heard.about, "token": str(token)}):
            return
        ways = self._second().tell(Alarm(token, "away", second_way.words(self._content, "away")))
        self._ended(key, {"token": str(token), "outcome": "not_sent_retry" if ways is None else "accepted", "ways": ways})

    def _send(
        self, key: str, copy: dict[str, Any], heard: Heard, to: str, told: compose.Text, first: str | None = None, staff: str | None = None
    ) -> None:  # fmt: skip
        """Send a text over a channel that reaches the phone, at each try over the next one. Journalled before it leaves."""
        reaching = _reaching(copy, to, first)
        if not reaching:
            log.warning("no_channel_while_away", entry=heard.about)
            return
        channel = reaching[len(self._tries.get(key, [])) % len(reaching)]
        token, carrier = str(uuid4()), registry.of(channel.kind, channel.settings)
        settings = channel.settings | {"callback_url": f"{self._callback_base}/c/{channel.id}"}
        request = carrier.send_request(settings, base.Outgoing(uuid4(), token, to, told.body, ANSWER_LIVES_S))
        purpose = "staff_alert" if staff else told.purpose
        if not self._note(key, {"entry": heard.about, "token": token, "channel": str(channel.id), "to": to, "body": told.body,
                                "purpose": purpose, "language": told.language, "staff": staff}):  # fmt: skip
            return
        result = self._wire().call(request)
        sent = base.read(carrier, result.phase, result.reply)
        self._ended(key, {"token": token, "outcome": sent.outcome, "carrier_id": sent.carrier_id})
        log.info("sent_while_away", entry=heard.about, channel=channel.id, outcome=sent.outcome, to_staff=staff is not None)

    def _note(self, key: str, line: dict[str, Any]) -> bool:
        """In the journal before it leaves: what cannot be written there does not leave, nor does what the database has taken over."""
        line = {"key": key, "at": time.time(), **line}
        with self._lock:
            if line["entry"] == self._handing or line["entry"] not in self._cases:
                return False
            try:
                self._spool.note(line)
            except OSError as error:
                log.error("not_journalled", error)
                return False
            self._tries.setdefault(key, []).append(line)
            return True

    def _ended(self, key: str, line: dict[str, Any]) -> None:
        with self._lock:
            self._tries[key][-1].update(line)
            self._spool.note(line)

    # --- for the database

    def busy(self, about: str) -> bool:
        """Whether something about a text is leaving just now."""
        return any(key.startswith(about) for key in list(self._flying))

    def hand_over(self, about: str) -> Already:
        """All that was said, or may have been, about a text; nothing else is begun until it is `handed_over`."""
        with self._lock:
            self._handing = about
        lines = [line for tries in list(self._tries.values()) for line in tries
                 if line["entry"] == about and _may_have_left(line)]  # fmt: skip
        alerts: dict[UUID, list[Said]] = {}
        for line in lines:
            if line.get("staff"):
                alerts.setdefault(UUID(line["staff"]), []).append(_said(line))
        answer = next((_said(line) for line in lines if line.get("purpose") == crisis_words.PURPOSE), None)
        return Already(answer, alerts, next((line["ways"] for line in lines if line.get("ways")), None))

    def handed_over(self, about: str, kept: bool) -> None:
        """The text is in the database now, or could not be kept."""
        with self._lock:
            self._handing = ""
            if kept:
                self._cases.pop(about, None)
        if kept:
            self._spool.unclaim([UUID(about)], DEPUTY)

    def finish(self) -> None:
        """Nothing waits any more: the journal has done its work."""
        with self._lock:
            if not self._flying:
                self._spool.close_journal()
                self._tries.clear()
                self._cases.clear()
                self._parts.clear()
                self._phones = (0, {})


def _reaching(copy: dict[str, Any], to: str, first: str | None) -> Sequence[Channel]:
    """The channels that text this phone, the one it wrote to first; lines are held by another process, which needs the database."""
    ids = [each for each in copy["texting"] if to.startswith(copy["channels"][each]["prefix"])]
    if first is not None and first in copy["texting"]:
        ids = [first, *(each for each in ids if each != first)]
    found = [outage.channel_of(each, copy["channels"][each]) for each in ids]
    return [each for each in found if each.kind in registry.of_road("http")]


def _may_have_left(line: dict[str, Any]) -> bool:
    return line.get("outcome", "unknown") in adopt.TOOK


def _said(line: dict[str, Any]) -> Said:
    return Said(UUID(line["token"]), UUID(line["channel"]), line["to"], line["body"], line["purpose"], line["language"],
                line.get("outcome") == "accepted", line.get("carrier_id"))  # fmt: skip
