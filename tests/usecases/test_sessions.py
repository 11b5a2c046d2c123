"""A dialogue by SMS through the real path: asked, answered, asked again, overtaken by stop and danger, late, suspended, pinned."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from gateway import queues
from gateway.channels.base import Inbound
from gateway.content import Content
from gateway.store import channels, clients
from gateway.store.base import Actor, unit_of_work
from gateway.usecases import receive_message, start_dialogue
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass
class Talk:
    """A world whose clock the test moves, and one client in it."""

    world: World
    staff_id: UUID
    client: UUID
    now: datetime
    content: Content = field(default=CONTENT)

    @property
    def phone(self) -> str:
        return self.world.phone_of(self.client)

    def start(self, name: str, client: UUID | None = None) -> None:
        with unit_of_work(self.world.engine) as work:
            code = clients.get(work, client or self.client).code
        actor = Actor(self.staff_id, self.world.unit_id, "case_worker")
        start_dialogue.start(self.world.engine, self.world.vault, self.content, actor, name, code, self.now)

    def leave(self) -> None:
        """What is planned reaches the phones."""
        for row in self.world.rows("SELECT id FROM outbound WHERE state = 'planned' AND waits_for IS NULL AND send_after <= :now", now=self.now):
            attempt = uuid4()
            self.world.run("""
              INSERT INTO attempts (id, outbound_id, channel_id, number, started_at, state)
              SELECT :attempt, id, channel_id, 1, :now, 'accepted' FROM outbound WHERE id = :id""", attempt=attempt, id=row.id, now=self.now)  # fmt: skip
            self.world.run("UPDATE outbound SET state = 'submitting', attempt_id = :attempt WHERE id = :id", attempt=attempt, id=row.id)
            self.world.run("UPDATE outbound SET state = 'delivered', state_at = :now WHERE id = :id", id=row.id, now=self.now)

    def say(self, words: str, *, after: timedelta = MINUTE, phone: str | None = None, **more: str) -> None:
        self.leave()
        self.now += after
        with unit_of_work(self.world.engine) as work:
            channel = channels.get(work, self.world.vault, self.world.channel_id)
        message = Inbound(str(uuid4()), phone or self.phone, "+84900000000", words, **more)  # type: ignore[arg-type]
        receive_message.receive(self.world.engine, self.world.vault, self.content, channel, message, queues.silent, self.now)

    def session(self, client: UUID | None = None) -> Mapping[str, Any]:
        """The client's newest session."""
        (row,) = self.world.rows("""SELECT dialogue, status, step, due_at FROM sessions WHERE client_id = :client
                                    ORDER BY started_at DESC, changed_at DESC LIMIT 1""", client=client or self.client)  # fmt: skip
        return row._mapping

    def heard(self) -> list[str]:
        """What the phone has got, in order."""
        return self.world.bodies("o.purpose <> 'staff_alert' AND o.state <> 'cancelled'")

    def flags(self, state: str = "open") -> list[str]:
        return [row.reason for row in self.world.rows("SELECT reason FROM flags WHERE state = :state ORDER BY number", state=state)]

    def answers(self) -> list[tuple[str, str]]:
        rows = self.world.rows("""
          SELECT a.session_id, a.step, a.value_enc, k.id AS key_id, k.wrapped FROM session_answers a JOIN clients c ON c.id = a.client_id
            JOIN keys k ON k.id = c.key_id ORDER BY a.answered_at""")  # fmt: skip
        keys = [self.world.vault.open_key(row.wrapped, row.key_id) for row in rows]
        return [(row.step, key.decrypt(row.value_enc, f"session_answers.{row.step}", row.session_id)) for row, key in zip(rows, keys, strict=True)]


@pytest.fixture
def talk(engine: Engine, vault: Vault, now: datetime) -> Talk:
    here = builders.world(engine, vault, now)
    return Talk(here, here.staff("+84911999999"), here.client(language="en"), now)


def test_a_check_in_that_goes_well_is_asked_answered_and_ended(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.say("1")
    assert talk.heard() == ["Hello. Are things all right with you at the moment? Reply 1 if they are, 2 if things are hard.",
                            "Thank you for telling us. You can text us whenever you like."]  # fmt: skip
    assert (talk.session()["status"], talk.session()["step"], talk.session()["due_at"]) == ("ended", "well", None)
    assert talk.answers() == [("ask", "yes")]
    assert talk.flags() == []


def test_not_well_calls_a_person_and_says_so_with_the_helpline(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.say("2")
    assert talk.flags() == ["not_well"]
    assert talk.heard()[-1].endswith("If you need help now, call 115.")
