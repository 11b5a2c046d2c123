"""Each check of the ledger can fail: the same small world, right once and then broken in one place."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import Engine

from gateway.channels.base import Inbound, SendResult
from gateway.store import channels
from gateway.store.base import unit_of_work
from gateway.usecases import receive_message, record_outcomes, send_due
from gateway.usecases.record_outcomes import Ended
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World
from tests.carrier.messages import Message
from tests.servers import Database
from tests.year.ledger import INDEXES, Broken, Ledger
from tests.year.network import ACCOUNT
from tests.year.places import no_canary

ALERT = "+84920000001"
MINUTE = timedelta(minutes=1)


class Played:
    """A gateway that sends through nothing, a carrier's book beside it, and the ledger."""

    def __init__(self, world: World, admin_url: str) -> None:
        self.world, self.admin_url = world, admin_url
        self.ledger = Ledger(world.engine, world.vault, world.channel_id, world.now - MINUTE, ALERT)

    def send(self, at: datetime | None = None) -> list[UUID]:
        """Everything that is due leaves and is accepted; the messages."""
        world, at = self.world, at or self.world.now
        sent = send_due.claim(world.engine, world.vault, world.channel_id, 100, at).sends
        ended = []
        for each in sent:
            accepted = self.book(str(each.token), each.to, each.body, at)
            ended.append(Ended(world.channel_id, each, SendResult("accepted", accepted.sid)))
        record_outcomes.record(world.engine, world.vault, ended, at)
        return [each.message_id for each in sent]

    def book(self, token: str, to: str, body: str, at: datetime) -> Message:
        """The carrier accepts a text."""
        message = Message(ACCOUNT, {"To": to, "Body": body, "StatusCallback": f"http://gateway/c/1/report?t={token}"})
        self.ledger.accepted(message, at)
        return message

    def hear(self, phone: str, words: str, meant: str = "chatter", at: datetime | None = None) -> str:
        """A client's text is posted and kept; its SID."""
        world, sid = self.world, f"SM{uuid4().hex}"
        with unit_of_work(world.engine) as work:
            channel = channels.get(work, world.vault, world.channel_id)
        receive_message.receive(world.engine, world.vault, CONTENT, channel, Inbound(sid, phone, "+1", words), lambda _: None, at or world.now)
        self.ledger.heard(sid, phone, meant, 200, at or world.now)
        return sid

    def close(self, hours: float = 1) -> None:
        self.ledger.close_day(self.world.now + timedelta(hours=hours))

    def admin(self, sql: str) -> None:
        """Break something that the gateway's own role may not."""
        with psycopg.connect(self.admin_url) as owner:
            owner.execute(sql.encode())

    @contextmanager
    def broken(self, name: str, hours: float = 1) -> Iterator[None]:
        yield
        with pytest.raises(Broken, match=f"^{name}: "):
            self.close(hours)


@pytest.fixture
def played(database: Database, engine: Engine, vault: Vault, now: datetime) -> Played:
    world = builders.world(engine, vault, now)
    world.staff(ALERT, role="supervisor")
    made = Played(world, database.admin_url)
    made.admin(INDEXES)
    return made


def sent_one(played: Played) -> UUID:
    played.world.planned(played.world.client())
    (message,) = played.send()
    return message


def test_a_day_on_which_all_is_well_passes(played: Played) -> None:
    client = played.world.client()
    sent_one(played)
    played.hear(played.world.phone_of(client), "toi muon chet", "crisis")
    assert len(played.send()) == 2
    played.close()
    played.close(2)
    played.ledger.close_year()
    assert played.ledger.known == 3


def test_an_attempt_that_is_gone_is_seen(played: Played) -> None:
    message = sent_one(played)
    with played.broken("I1"):
        played.admin(f"DELETE FROM attempts WHERE outbound_id = '{message}'")


def test_a_text_of_the_past_that_loses_its_attempt_is_seen(played: Played) -> None:
    message = sent_one(played)
    played.close()
    with played.broken("I7", 2):
        played.admin(f"DELETE FROM attempts WHERE outbound_id = '{message}'")


def test_a_token_that_was_accepted_twice_is_seen(played: Played) -> None:
    world, message = played.world, sent_one(played)
    token = world.value("SELECT attempt_id FROM outbound WHERE id = :id", id=message)
    with played.broken("I1"):
        played.book(str(token), "+84910000001", "Canary body", world.now)


def test_a_second_copy_on_a_later_day_is_seen(played: Played) -> None:
    world, message = played.world, sent_one(played)
    played.close()
    with played.broken("I1", 2):
        played.admin(f"UPDATE attempts SET state = 'not_sent' WHERE outbound_id = '{message}'")
        played.admin("ALTER TABLE outbound DISABLE TRIGGER ALL")
        played.admin(f"UPDATE outbound SET state = 'planned' WHERE id = '{message}'")
        assert played.send(world.now + MINUTE) == [message]


def test_what_the_carrier_has_and_we_call_cancelled_is_seen(played: Played) -> None:
    message = sent_one(played)
    with played.broken("I6"):
        played.admin("ALTER TABLE outbound DISABLE TRIGGER ALL")
        played.admin(f"UPDATE outbound SET state = 'cancelled' WHERE id = '{message}'")


def test_an_id_that_the_carrier_did_not_give_is_seen(played: Played) -> None:
    message = sent_one(played)
    with played.broken("I7"):
        played.admin(f"UPDATE attempts SET carrier_id = 'SM0' WHERE outbound_id = '{message}'")


def test_a_text_called_sent_that_the_carrier_never_had_is_seen(played: Played) -> None:
    message = played.world.planned(played.world.client())
    (sent,) = send_due.claim(played.world.engine, played.world.vault, played.world.channel_id, 100, played.world.now).sends
    assert sent.message_id == message
    with played.broken("I7"):
        played.admin(f"UPDATE outbound SET state = 'delivered' WHERE id = '{message}'")


def test_a_planned_text_that_is_gone_is_seen(played: Played) -> None:
    message = played.world.planned(played.world.client(), send_after=played.world.now + timedelta(hours=2))
    played.close()
    with played.broken("I6", 2):
        played.admin(f"DELETE FROM outbound WHERE id = '{message}'")


def test_a_sent_text_that_is_gone_is_seen_at_the_end(played: Played) -> None:
    message = sent_one(played)
    played.admin(f"UPDATE outbound SET state = 'delivered' WHERE id = '{message}'")
    played.close()
    played.admin(f"DELETE FROM outbound WHERE id = '{message}'")
    with pytest.raises(Broken, match=r"^I6: "):
        played.ledger.close_year()


def test_a_text_in_that_got_a_2xx_and_is_lost_is_seen(played: Played) -> None:
    sid = played.hear("+84910000009", "xin chao")
    with played.broken("I2"):
        played.admin(f"DELETE FROM inbound WHERE carrier_id = '{sid}'")


def test_a_text_in_that_is_kept_twice_is_seen(played: Played) -> None:
    sid = played.hear("+84910000009", "xin chao")
    with played.broken("I2"):
        played.admin(f"""INSERT INTO inbound (id, unit_id, channel_id, key_id, carrier_id, from_enc, from_hash, body_enc, body_hash, received_at)
            SELECT gen_random_uuid(), unit_id, channel_id, key_id, carrier_id, from_enc, from_hash, body_enc, 'x', received_at
            FROM inbound WHERE carrier_id = '{sid}'""")  # fmt: skip


def test_a_text_in_that_was_not_answered_is_fetched_by_the_next_day_or_seen(played: Played) -> None:
    played.ledger.heard("SM1", "+84910000009", "chatter", 0, played.world.now)
    played.close()
    with played.broken("I2", 24):
        pass


def test_a_claim_after_a_stop_is_seen(played: Played) -> None:
    world, client = played.world, played.world.client()
    world.planned(client, send_after=world.now + 5 * MINUTE)
    with played.broken("I3"):
        played.ledger.heard(played.hear(world.phone_of(client), "xin chao"), world.phone_of(client), "stop", 200, world.now)
        played.send(world.now + 6 * MINUTE)


def test_answers_to_a_stop_may_leave(played: Played) -> None:
    world, client = played.world, played.world.client()
    played.hear(world.phone_of(client), "STOP", "stop")
    assert len(played.send(world.now + MINUTE)) == 1
    played.close()


@pytest.mark.parametrize(("breaking", "said"), [
    ("DELETE FROM flags", "no flag"), ("UPDATE inbound SET meaning = 'other'", "not understood"),
    ("UPDATE attempts SET started_at = started_at + interval '2 minutes'", "only at"),
    ("UPDATE attempts SET state = 'unknown' WHERE outbound_id IN (SELECT id FROM outbound WHERE purpose = 'staff_alert')", "nobody"),
])  # fmt: skip
def test_a_cry_for_help_without_flag_or_alert_is_seen(played: Played, breaking: str, said: str) -> None:
    played.hear(played.world.phone_of(played.world.client()), "toi muon chet", "crisis")
    played.send()
    played.admin(breaking)
    with pytest.raises(Broken, match=f"^I4: .*{said}"):
        played.close()


def test_an_alert_that_a_carriers_outage_delayed_is_excused_until_a_minute_after_it(played: Played) -> None:
    world = played.world
    played.hear(world.phone_of(world.client()), "toi muon chet", "crisis")
    played.send(world.now + 9 * MINUTE)
    closes = world.now + timedelta(hours=1)
    played.ledger.close_day(closes, [(world.now - MINUTE, world.now + 8.5 * MINUTE)])


def test_two_open_dialogues_of_one_client_are_seen(played: Played) -> None:
    client = played.world.client()
    played.admin("DROP INDEX sessions_one_open")
    with played.broken("I8"):
        for _ in range(2):
            played.admin(f"""INSERT INTO sessions (id, client_id, unit_id, key_id, dialogue, version, status, urgency, step, state_enc, asked_at,
                started_at, changed_at, consent_purpose)
              SELECT gen_random_uuid(), id, unit_id, key_id, 'weekly_check_in', '1', 'waiting', 4, 'ask', '', now(), now(), now(), 'check_in'
              FROM clients WHERE id = '{client}'""")  # fmt: skip


def occurrence(played: Played, state: str, reason: str = "NULL") -> None:
    """One that was due yesterday."""
    world, client = played.world, played.world.client()
    due_at = world.now - timedelta(minutes=30)
    played.admin(f"""
      WITH c AS (INSERT INTO campaigns (id, unit_id, name, kind, consent_purpose, spec, created_at)
          VALUES (gen_random_uuid(), '{world.unit_id}', 'C', 'one_off', 'check_in', '{{}}', now()) RETURNING id),
        s AS (INSERT INTO campaign_steps (id, campaign_id, unit_id, position, purpose, version, timing)
          SELECT gen_random_uuid(), id, '{world.unit_id}', 1, 'check_in', '1', '{{}}' FROM c RETURNING id, campaign_id)
      INSERT INTO occurrences (id, unit_id, campaign_id, step_id, client_id, due_at, send_before, state, reason)
      SELECT gen_random_uuid(), '{world.unit_id}', campaign_id, id, '{client}', '{due_at}', '{due_at + MINUTE}', '{state}', {reason} FROM s""")


@pytest.mark.parametrize(("state", "said"), [("waiting", "never planned"), ("planned", "0 texts"), ("skipped", "no reason")])
def test_an_occurrence_that_came_to_nothing_is_seen(played: Played, state: str, said: str) -> None:
    occurrence(played, state)
    played.ledger.since = played.world.now - timedelta(hours=1) + timedelta(days=1)
    with pytest.raises(Broken, match=f"^I6: .*{said}"):
        played.close(25)


@pytest.mark.parametrize("said", ["to +84910000001", "%2B84910000001", "Canary Person3", "+447700000003", "tôi muốn chết"])
def test_personal_data_in_a_log_is_seen(said: str) -> None:
    with pytest.raises(Broken, match=r"^I5: "):
        no_canary({"a log": f'{{"event": "sent", "what": "{said}"}}'})


def test_ids_in_a_log_are_no_personal_data() -> None:
    no_canary({"a log": f"SM{uuid4().hex} {uuid4()} 2027-01-04T09:00:00Z"})


