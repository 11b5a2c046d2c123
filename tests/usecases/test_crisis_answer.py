"""What a client in need is told at night: whom to call, and when a person reads."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from gateway import queues
from gateway.channels.base import Inbound
from gateway.domain import flags, segments, windows
from gateway.domain.windows import Window
from gateway.store import channels, clients, holidays
from gateway.store.base import unit_of_work, with_patience
from gateway.usecases import receive_message, send_due
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World

CRY = {"vi": "toi muon chet", "en": "I want to die", "fr": "je veux mourir"}
NIGHT = timedelta(hours=12)  # 22:00 on a Tuesday in Vietnam; the unit opens at 8:00


@pytest.fixture
def here(engine: Engine, vault: Vault, now: datetime) -> World:
    return builders.world(engine, vault, now)


def answer(here: World, language: str, after: timedelta, **changes: object) -> str:
    client = here.client(language=language, **changes)  # type: ignore[arg-type]
    with unit_of_work(here.engine) as work:
        channel = channels.get(work, here.vault, here.channel_id)
    message = Inbound(f"SM{language}{after}", here.phone_of(client), "+84900000000", CRY[language])
    receive_message.receive(here.engine, here.vault, CONTENT, channel, message, queues.silent, here.now + after)
    (said,) = here.bodies("o.purpose = 'crisis_answer' AND o.client_id = :client", client=client)
    return said


@pytest.mark.parametrize(("language", "by"), [("vi", "8:00 11/2"), ("en", "8:00am on 11 February"), ("fr", "11 février à 8h00")])
def test_at_night_the_answer_says_when_a_person_reads_it_in_one_segment(here: World, language: str, by: str) -> None:
    said = answer(here, language, NIGHT)
    assert "115" in said
    assert by in said
    assert segments.count(said).segments == 1
    assert here.value("SELECT exempt_until > :now FROM outbound WHERE purpose = 'crisis_answer'", now=here.now + NIGHT)


def test_without_tones_it_says_the_same(here: World) -> None:
    here.run("UPDATE units SET tones = 'always'")
    assert answer(here, "vi", NIGHT) == "Da nhan tin. Can giup ngay: goi 115. Cham nhat 8:00 11/2 co nguoi doc."


@pytest.mark.parametrize("language", ["vi", "en", "fr"])
def test_by_day_it_promises_no_hour(here: World, language: str) -> None:
    assert "8:00" not in answer(here, language, timedelta(0)) and "8h00" not in answer(here, language, timedelta(minutes=20))


def test_the_open_words_say_it_too(here: World) -> None:
    assert "chậm nhất 8:00 ngày 11/2" in answer(here, "vi", NIGHT, discreet=0) or "cham nhat 8:00 ngay 11/2" in answer(here, "vi", NIGHT, discreet=0)


def test_a_holiday_is_no_day_on_which_somebody_reads(here: World) -> None:
    with unit_of_work(here.engine) as work:
        holidays.add(work, here.unit_id, date(2026, 2, 11), "Tet")
        holidays.add(work, here.unit_id, date(2026, 2, 12), "Tet")
    assert "8:00 13/2" in segments.fold(answer(here, "vi", NIGHT))
    assert "8:00 13/2" in segments.fold(answer(here, "vi", timedelta(days=1)))  # 10:00, but nobody is there


def test_a_unit_that_never_closes_promises_no_hour(here: World) -> None:
    here.run("UPDATE units SET opens = NULL, closes = NULL")
    assert "24/24" in answer(here, "vi", NIGHT)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)), st.sampled_from(["Asia/Ho_Chi_Minh", "Europe/London", "America/St_Johns"]),
    st.sets(st.dates(date(2026, 1, 1), date(2026, 3, 1)), max_size=12),
)  # fmt: skip
def test_whoever_is_promised_a_reader_finds_the_unit_open(naive: datetime, opens: time, closes: time, zone: str, free: set[date]) -> None:
    now, hours = naive.replace(tzinfo=UTC), Window(opens, closes)
    at = flags.reads_at(now, hours, zone, free)
    if at is None:
        assert windows.never_opens(hours) or windows.is_open(hours, zone, now)
    else:
        assert at > now and windows.is_open(hours, zone, at)
        assert at.astimezone(windows.zone_of(zone)).date() not in free


def test_it_leaves_also_while_an_import_holds_the_clients_row_and_nothing_else_does(here: World) -> None:
    client = here.client()
    reminder = here.planned(client)
    impatient = with_patience(here.engine, 3)
    with unit_of_work(impatient) as work:
        channel = channels.get(work, here.vault, here.channel_id)
    with unit_of_work(here.engine) as holding:
        clients.lock(holding, [client])
        message = Inbound("SM1", here.phone_of(client), "+84900000000", CRY["vi"])
        receive_message.receive(impatient, here.vault, CONTENT, channel, message, queues.silent, here.now)
        claimed = send_due.claim(impatient, here.vault, here.channel_id, 10, here.now).sends
    assert [sent.to for sent in claimed] == [here.phone_of(client)]
    assert here.state(reminder) == "planned"
