"""What we ask of the carrier's own books: texts we never got, and copies to be blanked."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, event

from gateway import queues
from gateway.channels.base import WireRequest
from gateway.store.base import unit_of_work
from gateway.usecases import backfill, reconcile, redact, send_due
from gateway.usecases.record_outcomes import Recorder
from gateway.usecases.send_due import Sender
from gateway.vault import Vault
from gateway.wire import Wire, WireResult
from tests.builders import CONTENT, World, channel, unit
from tests.carrier import FakeCarrier
from tests.usecases.test_send_due import until

OURS = "+15005550006"


@pytest.fixture
def carrier() -> Iterator[FakeCarrier]:
    with FakeCarrier(reports=()) as fake:
        yield fake


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire(connect_s=5, read_s=3).start()
    yield wire
    wire.close()


@pytest.fixture
def here(engine: Engine, vault: Vault, carrier: FakeCarrier) -> World:
    with unit_of_work(engine) as work:
        now = work.now
    unit_id = unit(engine, now, hours=None)
    settings = {"account_sid": "AC" + "0" * 32, "auth_token": "token", "sender": OURS, "base_url": carrier.url}
    return World(engine, vault, unit_id, channel(engine, vault, now, unit_id, kind="twilio", settings=settings), now)


def fetch(here: World, wire: Wire, now: datetime | None = None) -> int:
    return backfill.backfill(here.engine, here.vault, CONTENT, wire, queues.silent, now)


def test_a_text_whose_webhook_was_lost_is_fetched_marked_late_and_acted_on(here: World, carrier: FakeCarrier, wire: Wire) -> None:
    client = here.client()
    carrier.text_in(here.phone_of(client), OURS, "toi muon chet", withhold=True)
    assert fetch(here, wire) == 1
    assert here.value("SELECT late FROM inbound")
    assert here.value("SELECT reason FROM flags") == "crisis"


def test_a_text_we_have_makes_no_second_row(here: World, carrier: FakeCarrier, wire: Wire) -> None:
    carrier.text_in(here.phone_of(here.client()), OURS, "xin chao", withhold=True)
    assert [fetch(here, wire), fetch(here, wire)] == [1, 0]
    assert here.value("SELECT count(*) FROM inbound") == 1


def test_texts_we_have_cost_one_question_for_all_of_them(here: World, carrier: FakeCarrier, wire: Wire) -> None:
    for n in range(40):
        carrier.text_in(f"+8491200{n:04d}", OURS, f"xin chao {n}", withhold=True)
    fetch(here, wire)
    begun: list[object] = []
    event.listen(here.engine, "begin", begun.append)
    assert fetch(here, wire) == 0
    assert len(begun) < 10


def test_hundreds_of_lost_texts_are_fetched_page_by_page(here: World, carrier: FakeCarrier, wire: Wire) -> None:
    for n in range(230):
        carrier.text_in(f"+8491200{n:04d}", OURS, f"xin chao {n}", withhold=True)
    assert fetch(here, wire) == 230


class OnePerPage(Wire):
    """Asks for pages of a single text."""

    def __init__(self, wire: Wire) -> None:
        self._over = wire

    def call(self, request: WireRequest) -> WireResult:
        return self._over.call(replace(request, url=request.url.replace("PageSize=100", "PageSize=1")))


def test_more_pages_than_one_look_takes_are_fetched_by_the_next_looks(here: World, carrier: FakeCarrier, wire: Wire) -> None:
    for n in range(2 * backfill.MAX_PAGES + 5):
        carrier.text_in(f"+8491200{n:04d}", OURS, f"xin chao {n}", withhold=True)
    slow = OnePerPage(wire)
    assert fetch(here, slow) == backfill.MAX_PAGES
    assert here.value("SELECT backfilled_to FROM channels") is None
    carrier.script("html", on="list", next=1)
    assert fetch(here, slow) == 0  # a page that cannot be read now is asked for again
    assert [fetch(here, slow), fetch(here, slow)] == [backfill.MAX_PAGES, 5]
    assert here.value("SELECT backfilled_to IS NOT NULL AND backfill_rest IS NULL FROM channels")
    assert fetch(here, wire) == 0


def test_a_carrier_that_answers_rubbish_is_asked_again_from_the_same_moment(here: World, carrier: FakeCarrier, wire: Wire) -> None:
    carrier.text_in(here.phone_of(here.client()), OURS, "xin chao", withhold=True)
    carrier.script("html", on="list", next=1)
    assert fetch(here, wire) == 0
    assert here.value("SELECT backfilled_to FROM channels") is None
    assert fetch(here, wire, here.now + timedelta(hours=5)) == 1


def test_the_carriers_copy_is_blanked_once_the_fate_is_final(here: World, carrier: FakeCarrier, wire: Wire) -> None:
    message = here.planned(here.client())
    recorder = Recorder(here.engine, here.vault)
    Sender(here.engine, here.vault, wire, recorder, "http://127.0.0.1:1").due(here.channel_id)
    until(lambda: here.state(message) == "accepted")
    recorder.close()
    assert redact.redact(here.engine, here.vault, wire) == 0
    here.run("UPDATE outbound SET state = 'delivered'")
    assert redact.redact(here.engine, here.vault, wire) == 1
    assert carrier.messages[-1].body == ""
    assert redact.redact(here.engine, here.vault, wire) == 0


@pytest.fixture
def gone(here: World) -> UUID:
    """A channel of a kind that this program knows no more."""
    made = channel(here.engine, here.vault, here.now, here.unit_id, name="a gone one")
    here.run("UPDATE channels SET kind = 'gone' WHERE id = :id", id=made)
    return made


def test_a_channel_of_a_kind_that_is_no_more_keeps_no_other_from_being_listed(here: World, gone: UUID, carrier: FakeCarrier, wire: Wire) -> None:
    carrier.text_in(here.phone_of(here.client()), OURS, "xin chao", withhold=True)
    assert fetch(here, wire) == 1


def test_what_cannot_be_asked_about_or_read_is_a_persons_and_keeps_nothing_else_from_being_settled(
    here: World, gone: UUID, carrier: FakeCarrier, wire: Wire
) -> None:
    ours, unreadable, theirs = (here.planned(here.client()) for _ in range(3))
    send_due.claim(here.engine, here.vault, here.channel_id, 10, here.now)
    later = here.now + timedelta(minutes=5)
    reconcile.lapse(here.engine, timedelta(minutes=1), later)
    here.run("UPDATE outbound SET channel_id = :gone WHERE id = :id", gone=gone, id=theirs)
    here.run("UPDATE outbound SET body_enc = to_enc WHERE id = :id", id=unreadable)
    assert reconcile.reconcile(here.engine, here.vault, wire, queues.silent, now=later) == 1
    assert [here.state(each) for each in (ours, unreadable, theirs)] == ["planned", "unknown", "unknown"]
    told = {row.about_id for row in here.rows("SELECT about_id FROM flags WHERE reason = 'delivery_unknown'")}
    assert told == {unreadable, theirs}


def test_a_channel_of_a_kind_that_is_no_more_keeps_no_other_from_being_blanked(here: World, gone: UUID, wire: Wire) -> None:
    ours, theirs = here.planned(here.client()), here.planned(here.client())
    send_due.claim(here.engine, here.vault, here.channel_id, 10, here.now)
    here.run("UPDATE outbound SET state = 'delivered', carrier_id = 'SM' || id")
    here.run("UPDATE outbound SET channel_id = :gone WHERE id = :id", gone=gone, id=theirs)
    assert redact.redact(here.engine, here.vault, wire) == 1
    assert here.value("SELECT redacted_at IS NOT NULL FROM outbound WHERE id = :id", id=ours)


def test_a_claim_of_another_process_is_never_sent_by_us(here: World) -> None:
    here.planned(here.client())
    claimed = send_due.claim(here.engine, here.vault, here.channel_id, 10).sends
    assert len(claimed) == 1
    assert send_due.claim(here.engine, here.vault, here.channel_id, 10).sends == []


def test_a_carrier_that_is_down_is_not_asked_about_every_phone(here: World, carrier: FakeCarrier, wire: Wire) -> None:
    messages = [here.planned(here.client()) for _ in range(120)]
    send_due.claim(here.engine, here.vault, here.channel_id, 200, here.now, bulk=200)
    later = here.now + timedelta(minutes=5)
    assert reconcile.lapse(here.engine, timedelta(minutes=1), later) == 120
    asked = Asked(wire)
    carrier.script("503", on="list")
    assert reconcile.reconcile(here.engine, here.vault, asked, queues.silent, now=later) == 0
    assert 0 < asked.count < 2 * reconcile.ASKED_AT_ONCE
    carrier.script("ok", on="list")
    assert reconcile.reconcile(here.engine, here.vault, wire, queues.silent, now=later) == 120
    assert {here.state(message) for message in messages} == {"planned"}


class Asked(Wire):
    """Counts what goes over another wire."""

    def __init__(self, wire: Wire) -> None:
        self.count, self._over = 0, wire

    def call(self, request: WireRequest) -> WireResult:
        self.count += 1
        return self._over.call(request)
