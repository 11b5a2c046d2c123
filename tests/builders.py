"""Small worlds for tests: a unit, a channel, clients, staff, texts. Synthetic names and numbers only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine, text

from gateway.content import Content, load
from gateway.domain.phone import Phone
from gateway.domain.windows import Window
from gateway.store import appointments, channels, clients, consents, messages, staff, units
from gateway.store.base import SYSTEM, unit_of_work
from gateway.vault import Vault

_numbers = count(1)
CONTENT: Content = load()
DETAILS: Mapping[str, Any] = {"phone": "0238 555 0100", "service": "Ban tu van", "helplines": "115"}


@dataclass(frozen=True, slots=True)
class World:
    """A database with one unit, one channel and a clock that stands still unless a test moves it."""

    engine: Engine
    vault: Vault
    unit_id: UUID
    channel_id: UUID
    now: datetime

    def client(self, phone: str | None = None, *, language: str = "vi", consent: tuple[str, ...] = ("reminder", "check_in"),
               discreet: int = 1, unit_id: UUID | None = None, hours: Window | None = None) -> UUID:  # fmt: skip
        """A client who may be texted."""
        n = next(_numbers)
        new = clients.New(
            unit_id=unit_id or self.unit_id, code=f"C{n:05d}", name=f"Canary Person{n}", language=language, discreet=discreet,
            phones=[Phone(phone or f"+8491{n:07d}", None)], hours=hours,
        )  # fmt: skip
        with unit_of_work(self.engine, SYSTEM, self.now) as work:
            clients.add(work, self.vault, new)
            for purpose in consent:
                consents.change(work, new.id, purpose, True, "signed form", "import")
        return new.id

    def phone_of(self, client_id: UUID) -> str:
        """The number we text."""
        with unit_of_work(self.engine) as work:
            phone = clients.recipients(work, self.vault, [client_id])[client_id].phone
        assert phone is not None
        return phone

    def staff(self, phone: str, *, on_duty: bool = True, role: str = "case_worker") -> UUID:
        """A staff member with an alert phone."""
        with unit_of_work(self.engine, SYSTEM, self.now) as work:
            return staff.add(work, self.vault, unit_id=self.unit_id, code=f"S{next(_numbers):04d}", name="Canary Staff", role=role,
                             language="en", phone=phone, on_duty=on_duty)  # fmt: skip

    def appointment(self, client_id: UUID, starts_at: datetime) -> UUID:
        """A booked appointment."""
        with unit_of_work(self.engine, SYSTEM, self.now) as work:
            return appointments.add(work, client_id, starts_at)

    def planned(self, client_id: UUID, body: str = "Canary body", **changes: Any) -> UUID:
        """A text that is due now; `changes` are fields of `messages.New`."""
        with unit_of_work(self.engine, SYSTEM, self.now) as work:
            person = clients.recipients(work, self.vault, [client_id])[client_id]
            assert person.phone is not None
            fields: dict[str, Any] = {
                "unit_id": person.unit_id, "key_id": person.key_id, "key": person.key, "channel_id": self.channel_id,
                "to": person.phone, "body": body, "encoding": "GSM-7", "segments": 1, "purpose": "check_in", "language": "vi",
                "lane": 2, "semantics": "once_more", "dedupe_key": f"test:{uuid4()}", "send_after": self.now,
                "send_before": self.now + timedelta(hours=4), "client_id": client_id, "consent_purpose": "check_in",
            }  # fmt: skip
            new = messages.New(**(fields | changes))
            messages.add(work, self.vault, [new])
        return new.id

    def state(self, message_id: UUID) -> str:
        """The message's state."""
        return str(self.value("SELECT state FROM outbound WHERE id = :id", id=message_id))

    def value(self, sql: str, **values: Any) -> Any:
        """One value, as the system sees it."""
        with unit_of_work(self.engine) as work:
            return work.value(text(sql), **values)

    def rows(self, sql: str, **values: Any) -> list[Any]:
        """Rows, as the system sees them."""
        with unit_of_work(self.engine) as work:
            return list(work.all(text(sql), **values))

    def run(self, sql: str, **values: Any) -> None:
        """Change something by hand."""
        with unit_of_work(self.engine) as work:
            work.execute(text(sql), values)

    def bodies(self, where: str = "true", **values: Any) -> list[str]:
        """Texts out, decrypted, in the order they were planned."""
        rows = self.rows(
            f"""SELECT o.id, o.key_id, k.wrapped, o.body_enc FROM outbound o JOIN keys k ON k.id = o.key_id
                WHERE {where} ORDER BY o.created_at, o.lane""", **values)  # fmt: skip
        return [self.vault.open_key(r.wrapped, r.key_id).decrypt(r.body_enc, "outbound.body", r.id) for r in rows]


def unit(engine: Engine, now: datetime, code: str = "P01", parent_id: UUID | None = None, **changes: Any) -> UUID:
    """A commune in Vietnam that may be texted from 8 to 20."""
    fields: dict[str, Any] = {
        "kind": "commune", "code": code, "name": "Xã Thử", "time_zone": "Asia/Ho_Chi_Minh", "language": "vi", "region": "VN",
        "hours": Window(time(8), time(20)), "details": DETAILS, "parent_id": parent_id,
    }  # fmt: skip
    with unit_of_work(engine, SYSTEM, now) as work:
        return units.add(work, **(fields | changes))


def channel(engine: Engine, vault: Vault, now: datetime, unit_id: UUID, kind: str = "simulator", **changes: Any) -> UUID:
    """A channel, by default the simulator's."""
    settings = {"secret": "s3cret", "sender": "+84900000000", "base_url": "http://127.0.0.1:9"}
    fields: dict[str, Any] = {"unit_id": unit_id, "name": "sim", "kind": kind, "settings": settings}
    with unit_of_work(engine, SYSTEM, now) as work:
        return channels.add(work, vault, **(fields | changes))


def world(engine: Engine, vault: Vault, now: datetime, **channel_changes: Any) -> World:
    """One unit, one channel."""
    unit_id = unit(engine, now)
    return World(engine, vault, unit_id, channel(engine, vault, now, unit_id, **channel_changes), now)
