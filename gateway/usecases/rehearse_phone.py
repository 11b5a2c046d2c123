"""One phone in a rehearsal: all that comes for everybody on it, in the order of time, judged as planner and sender judge it.

Nobody answers in a rehearsal: a dialogue is left to a person when its silence is over, and until then no equal one is begun.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any
from uuid import UUID, uuid4

from gateway.domain import dialogues, judge, messages
from gateway.domain.caps import Cap
from gateway.domain.dialogues import Dialogue, State
from gateway.domain.errors import Refused
from gateway.usecases.compose import Unsendable
from gateway.usecases.notice_silence import REMINDER_LIVES, STILL_TO_LEAVE
from gateway.usecases.plan_rounds import QUIET_HOURS, Planned
from gateway.usecases.write_texts import Letter, Skipped, Writer
from gateway.vault import DataKey

A_DAY, A_WEEK = timedelta(days=1), timedelta(days=7)
GAVE_WAY = "another question takes its place"
LIVE = ("waiting", "with_person", "suspended")


@dataclass(slots=True)
class Talk:
    """A session as `dialogues.make_room` and silence look at it. `left_at`: when its question last left; None: it has not yet."""

    state: State
    definition: Dialogue
    left_at: datetime | None = None
    never_left: bool = False

    @property
    def id(self) -> UUID:
        return self.state.session_id

    @property
    def dialogue(self) -> str:
        return self.state.dialogue

    @property
    def status(self) -> str:
        return self.state.status

    @property
    def urgency(self) -> int:
        return self.definition.urgency


@dataclass(slots=True)
class Text:
    """A text on its way through a rehearsal. `planned` None: a question that is put once more, which fills the cap alone."""

    row: Any
    planned: Planned | None
    letter: Letter
    send_before: datetime
    reasons: list[str]
    talk: Talk | None


@dataclass(slots=True)
class Phone:
    """What happens on one phone. `sent`: when texts of our own accord left, those before the rehearsal too."""

    writer: Writer
    steps: Mapping[UUID, str]
    consent_purpose: str
    dialogues: Mapping[str, Dialogue]  # of the campaign, by purpose
    cap: Callable[[Any], Cap]
    tell_sent: Callable[[Text, datetime], None]
    tell_skipped: Callable[[Planned, Any, str], None]
    sent: list[datetime]
    talks: dict[UUID, list[Talk]]  # by client
    _events: list[tuple[datetime, int, bool, Callable[[datetime], None]]] = field(default_factory=list)
    _opened: dict[UUID, tuple[DataKey, str]] = field(default_factory=dict)
    _count: int = 0

    def run(self, coming: Sequence[tuple[Any, Planned]], until: datetime) -> None:
        """Go through what planning would make occurrences of, for the people on the phone."""
        people = {row.client_id: row for row, _ in coming}
        for client_id, talks in self.talks.items():
            for talk in talks:
                self._listen(talk, people[client_id])
        for row, planned in coming:
            self._at(planned.due_at, lambda at, row=row, planned=planned: self._plan(row, planned, at))  # type: ignore[misc]
        while self._events:
            at, _, is_silence, happen = heappop(self._events)
            if at < until or not is_silence:  # a text that was due before the end may leave after it
                happen(at)

    def _at(self, at: datetime, happen: Callable[[datetime], None], is_silence: bool = False) -> None:
        self._count += 1
        heappush(self._events, (at, self._count, is_silence, happen))

    def _plan(self, row: Any, planned: Planned, at: datetime) -> None:
        try:
            if planned.skipped:
                raise Skipped(planned.skipped)
            letter = self.writer.letter(row, self.steps[planned.step.id], planned.send_before, at, self._opened.get(row.client_id))
            self._opened[row.client_id] = letter.key, letter.phone
            talk = self._begin(row, planned, at)
        except (Skipped, Unsendable, Refused) as reason:
            self.tell_skipped(planned, row, str(reason))
            return
        reasons = ([planned.moved] if planned.moved else []) + ([QUIET_HOURS] if letter.send_after > at else [])
        self._leaves(letter.send_after, Text(row, planned, letter, planned.send_before, reasons, talk))

    def _begin(self, row: Any, planned: Planned, at: datetime) -> Talk | None:
        definition = self.dialogues.get(planned.step.purpose)
        if definition is None:
            return None
        mine = self.talks.setdefault(row.client_id, [])
        behind = dialogues.waits_behind(definition, mine)
        becoming = dialogues.make_room(definition, [talk for talk in mine if talk.status in (("suspended",) if behind else LIVE)])
        for talk in mine:
            if talk.id in becoming:
                talk.state = replace(talk.state, status=becoming[talk.id])  # type: ignore[arg-type]
        state = dialogues.begin(definition, uuid4(), row.client_id, row.language, at).state
        talk = Talk(dialogues.suspend(state, timedelta(0)) if behind else state, definition)
        mine.append(talk)
        self._listen(talk, row)
        return talk

    def _leaves(self, at: datetime, text: Text) -> None:
        self._at(at, lambda at: self._leave(text, at))

    def _leave(self, text: Text, at: datetime) -> None:
        if text.talk is not None and text.talk.status not in ("waiting", "ended"):
            self._skip(text, GAVE_WAY)
            return
        verdict = judge.judge(self._due(text, at), at, sending_on=True)
        if verdict.action == "drop":
            self._skip(text, verdict.reason)
        elif verdict.until is not None:
            text.reasons.append(verdict.reason)
            self._leaves(verdict.until, text)
        else:
            self.sent.append(at)
            if text.talk is not None:
                text.talk.left_at = text.talk.left_at or at
            if text.planned is not None:
                self.tell_sent(text, at)

    def _skip(self, text: Text, reason: str) -> None:
        if text.planned is not None:
            self.tell_skipped(text.planned, text.row, reason)
            if text.talk is not None:
                text.talk.never_left = True

    def _due(self, text: Text, at: datetime) -> judge.Due:
        row, place = text.row, text.letter.place
        return judge.Due(
            id=row.id, purpose=text.letter.told.purpose, consent_purpose=self.consent_purpose, lane=messages.BULK,
            send_before=text.send_before, exempt_until=None, to_staff=False, client_status=row.status, stopped=row.stopped,
            consented=row.consented, in_flight=False, hours=(place.hours, None), zone=place.zone, campaign_state="running",
            identical_in_half_an_hour=0, automatic_in_an_hour=0, bulk_today=self._since(at - A_DAY), bulk_this_week=self._since(at - A_WEEK),
            cap=self.cap(row),
        )  # fmt: skip

    def _since(self, at: datetime) -> int:
        """How many left after this moment. They were added in the order they left."""
        count = 0
        for left_at in reversed(self.sent):
            if left_at <= at:
                break
            count += 1
        return count

    def _listen(self, talk: Talk, row: Any) -> None:
        due_at = dialogues.due_at(talk.definition, talk.state)
        if due_at is not None:
            self._at(due_at, lambda at: self._silence(talk, row, at), is_silence=True)

    def _silence(self, talk: Talk, row: Any, at: datetime) -> None:
        """As `notice_silence` does: nobody answers."""
        if talk.status != "waiting":
            return
        if talk.never_left:
            talk.state = replace(talk.state, status="ended")
            return
        if talk.left_at is None:
            self._at(at + STILL_TO_LEAVE, lambda at: self._silence(talk, row, at), is_silence=True)
            return
        turn = dialogues.step(talk.definition, replace(talk.state, asked_at=max(talk.state.asked_at, talk.left_at)), None, at)
        talk.state = turn.state
        if turn.says and (letter := self._once_more(row, at)) is not None:
            before = min(dialogues.due_at(talk.definition, talk.state) or at + REMINDER_LIVES, at + REMINDER_LIVES)
            self._leaves(letter.send_after, Text(row, None, letter, before, [], talk))
        self._listen(talk, row)

    def _once_more(self, row: Any, at: datetime) -> Letter | None:
        try:
            step = next(iter(self.steps.values()))
            return self.writer.letter(row, step, at + REMINDER_LIVES, at, self._opened.get(row.client_id))
        except (Skipped, Unsendable):
            return None
