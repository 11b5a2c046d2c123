"""Simulated staff: each working day they book, move and cancel appointments, say who came, and close yesterday's flags."""

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, time, timedelta
from functools import partial
from random import Random
from threading import Lock
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from gateway.content import Content
from gateway.domain.errors import Refused
from gateway.store import audit, clients, enrolments, flags
from gateway.store.base import Actor, Work, unit_of_work
from gateway.usecases import book_appointment, clinic_day
from gateway.vault import Vault
from tests.year.town import Person

EVERY_DAYS = 70  # from one appointment of a client to the next
DISCHARGED_A_DAY = 0.0004  # of the clients
OUTCOMES = {
    "crisis": "client_safe", "crisis_in_doubt": "client_safe", "not_well": "spoke_to_client", "callback": "spoke_to_client",
    "no_reply": "not_reached", "losing_touch": "not_reached", "wrong_number": "details_corrected", "cannot_reach": "not_reached",
    "reschedule": "rescheduled", "info": "answered_by_text", "unknown_sender": "no_action",
}  # fmt: skip

T = TypeVar("T")


class Staff:
    """Some supervisors. `work` is called each morning."""

    def __init__(self, engine: Engine, vault: Vault, content: Content, actor: Actor, town: Sequence[Person], seed: int) -> None:
        self._engine, self._vault, self._content, self._actor, self._town = engine, vault, content, actor, town
        self._chance = Random(f"{seed}:staff")
        self._plans: list[tuple[datetime, int, UUID, Callable[..., None]]] = []
        self._hands = ThreadPoolExecutor(2)  # that close flags, while appointments are seen to
        self.done: Counter[str] = Counter()
        self._counting = Lock()

    def work(self, now: datetime) -> None:
        """What a morning brings, each deed in a transaction of its own, as on the pages."""
        closed = [self._hands.submit(self._try, partial(self._close_flag, flag=flag)) for flag in self._old_flags(now)]
        while self._plans and self._plans[0][0] <= now:
            _, _, appointment_id, act = heapq.heappop(self._plans)
            self._try(partial(act, appointment_id=appointment_id, now=now))
        self._book(now)
        for each in closed:
            each.result()

    def _did(self, deed: str) -> None:
        with self._counting:
            self.done[deed] += 1

    def _try(self, deed: Callable[[Work], object]) -> None:
        try:
            self._do(deed)
        except Refused:  # closed, cancelled or moved meanwhile
            self._did("refused")

    def _do(self, deed: Callable[[Work], T]) -> T:
        """One deed; done again when it met the clock's own work and one of both had to give way, as a person does who sees an error."""
        try:
            with unit_of_work(self._engine, self._actor) as work:
                return deed(work)
        except OperationalError:
            self._did("done again")
            with unit_of_work(self._engine, self._actor) as work:
                return deed(work)

    def _old_flags(self, now: datetime) -> list[flags.Flag]:
        with unit_of_work(self._engine, self._actor) as work:
            return [flag for flag in flags.list_open(work, most=5000) if flag.opened_at < now - timedelta(hours=20)]

    def _close_flag(self, work: Work, flag: flags.Flag) -> None:
        flags.close(work, flag.id, OUTCOMES.get(flag.reason, "no_action"))
        audit.add(work, "flag.close", "flag", flag.id, flag.unit_id, {"number": flag.number})
        self._did("flags closed")

    def _book(self, now: datetime) -> None:
        for person in self._some(1 / EVERY_DAYS):
            starts_at = self._slot(now + timedelta(days=self._chance.randint(9, 24)))
            appointment_id = self._do(partial(self._book_for, person=person, starts_at=starts_at))
            self._did("booked")
            fate = self._chance.random()
            if fate < 0.1:
                self._plan(starts_at - timedelta(days=self._chance.randint(1, 8)), appointment_id, self._move)
            elif fate < 0.16:
                self._plan(starts_at - timedelta(days=self._chance.randint(0, 5)), appointment_id, self._cancel)
            self._plan(starts_at + timedelta(days=1), appointment_id, self._close)
        for person in self._some(DISCHARGED_A_DAY):
            self._do(partial(enrolments.set_date, client_id=person.id, name="discharge", day=now.date()))
            self._did("discharged")

    def _book_for(self, work: Work, person: Person, starts_at: datetime) -> UUID:
        return book_appointment.book(work, clients.by_code(work, person.code), starts_at)

    def _some(self, share: float) -> list[Person]:
        wanted = share * len(self._town)
        count = int(wanted) + (self._chance.random() < wanted % 1)
        return self._chance.sample(self._town, min(count, len(self._town)))

    def _slot(self, day: datetime) -> datetime:
        """Half past something in the working hours of a weekday in Vietnam."""
        while day.weekday() > 4:
            day += timedelta(days=1)
        return datetime.combine(day.date(), time(self._chance.randint(1, 9), self._chance.choice((0, 30))), day.tzinfo)

    def _plan(self, at: datetime, appointment_id: UUID, act: Callable[..., None]) -> None:
        heapq.heappush(self._plans, (at, self._chance.getrandbits(60), appointment_id, act))

    def _move(self, work: Work, appointment_id: UUID, now: datetime) -> None:
        clinic_day.move_one(work, self._vault, self._content, appointment_id, self._slot(now + timedelta(days=self._chance.randint(2, 12))))
        self._did("moved")

    def _cancel(self, work: Work, appointment_id: UUID, now: datetime) -> None:
        clinic_day.cancel_one(work, self._vault, self._content, appointment_id)
        self._did("cancelled")

    def _close(self, work: Work, appointment_id: UUID, now: datetime) -> None:
        try:
            book_appointment.close(work, appointment_id, "attended" if self._chance.random() < 0.8 else "missed")
            self._did("closed")
        except Refused as refused:
            if "not begun" not in str(refused):
                raise
            self._plan(now + timedelta(days=3), appointment_id, self._close)
