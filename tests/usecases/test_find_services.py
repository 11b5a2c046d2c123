"""INFO, TT and a kind of service: what is near, in the client's language, one segment each, and nothing a stranger may read."""

from datetime import date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from gateway import queues
from gateway.channels.base import Inbound
from gateway.domain import decide, opening, segments
from gateway.domain.dialogues import RequestReferral, SendInformation
from gateway.domain.effects import RaiseFlag, TellServices
from gateway.domain.services import Service
from gateway.store import channels, holidays, services, units
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import apply_effects, receive_message
from gateway.vault import Vault
from tests.builders import CONTENT, World, unit, world

CHECKED = date(2026, 1, 20)


@pytest.fixture
def here(engine: Engine, vault: Vault, now: datetime) -> World:
    return world(engine, vault, now)


def service(here: World, code: str, category: str = "housing", *, at: UUID | None = None, hours: str = "24/7", **more: object) -> None:
    entry = Service(
        id=uuid4(), code=code, category=category, name=f"{code} shelter", short_name=f"House {code}", units=[at or here.unit_id],
        hours=opening.read(hours) if hours else None, **({"checked_on": CHECKED} | more),
    )  # type: ignore[arg-type]  # fmt: skip
    with unit_of_work(here.engine, SYSTEM, here.now) as work:
        services.add(work, entry, None)


def say(here: World, phone: str, words: str, after: timedelta = timedelta(0)) -> None:
    with unit_of_work(here.engine) as work:
        channel = channels.get(work, here.vault, here.channel_id)
    message = Inbound(str(uuid4()), phone, "+84900000000", words)
    receive_message.receive(here.engine, here.vault, CONTENT, channel, message, queues.silent, here.now + after)


def flags(here: World) -> list[str]:
    return [row.reason for row in here.rows("SELECT reason FROM flags ORDER BY number")]


@pytest.mark.parametrize(("language", "words"), [
    ("en", "INFO housing"), ("en", "info 4"), ("en", "INFO about a room please"), ("vi", "TT nha o"), ("vi", "tt"), ("vi", "thông tin nhà ở"),
    ("fr", "INFO logement"), ("en", "info hosuing"),
])  # fmt: skip
def test_a_keyword_and_a_kind_of_service_are_answered_by_text_and_nobody_is_called(here: World, language: str, words: str) -> None:
    service(here, "H1")
    client = here.client(language=language)
    say(here, here.phone_of(client), words)
    (text,) = here.bodies()
    assert text.startswith("House H1. ")
    assert flags(here) == []


@pytest.mark.parametrize("words", ["INFO needle", "where can i get a room tonight", "info 10", "info 99"])
def test_what_cannot_be_answered_goes_to_a_person_as_before(here: World, words: str) -> None:
    service(here, "H1")
    client = here.client(language="en")
    say(here, here.phone_of(client), words)
    assert flags(here) == ["info"]
    assert [row.purpose for row in here.rows("SELECT purpose FROM outbound")] == ["info_noted"]


def test_three_at_most_the_nearest_unit_first_each_in_one_segment(here: World, now: datetime) -> None:
    below = unit(here.engine, now, code="P01-1", parent_id=here.unit_id)
    for number in range(3):
        service(here, f"FAR{number}", phone="0590 001 101", address="số 12 đường Lê Lợi, thôn Đông")
    service(here, "NEAR", at=below, hours="Mon 08:00-09:00")
    client = here.client(unit_id=below)
    say(here, here.phone_of(client), "TT nha o")
    ids = [row.id for row in here.rows("SELECT id FROM outbound ORDER BY send_after")]
    texts = [body for message_id in ids for body in here.bodies("o.id = :id", id=message_id)]
    assert len(texts) == 3 and texts[0].startswith("House NEAR") and texts[1].startswith("House FAR0")
    assert all(segments.count(text).segments == 1 for text in texts)


def test_several_services_are_one_answer_to_the_guard_against_loops(here: World) -> None:
    for number in range(3):
        service(here, f"H{number}")
    client = here.client()
    phone = here.phone_of(client)
    for minute, words in enumerate(("TT", "TT 4", "tt nha o", "TT nha tro", "INFO nha o", "TT cho o")):
        say(here, phone, words, after=timedelta(minutes=minute))
    say(here, phone, "goi lai cho em", after=timedelta(minutes=7))
    assert len(here.bodies()) == 3 * 6 + 1 and flags(here) == ["callback"]
    say(here, phone, "TT nha tro", after=timedelta(minutes=8))
    assert len(here.bodies()) == 3 * 6 + 1 and sorted(flags(here)) == ["callback", "info", "loop"]


def test_the_texts_of_one_answer_leave_one_after_the_other(here: World) -> None:
    for number in range(3):
        service(here, f"H{number}")
    say(here, here.phone_of(here.client()), "TT nha o")
    due = [row.send_after - here.now for row in here.rows("SELECT send_after FROM outbound ORDER BY send_after")]
    assert due == [timedelta(seconds=seconds) for seconds in (0, 3, 6)]


def test_who_wants_no_texts_is_answered_by_a_person(here: World) -> None:
    service(here, "H1")
    phone = here.phone_of(here.client())
    say(here, phone, "STOP")
    say(here, phone, "TT nha o", after=timedelta(minutes=1))
    assert flags(here) == ["info"]


def test_a_stranger_hears_what_a_client_would(here: World) -> None:
    service(here, "H1")
    say(here, "+84912777001", "TT nha o")
    say(here, "+84912777002", "TT viec lam")
    assert sorted(row.purpose for row in here.rows("SELECT purpose FROM outbound")) == ["service_always", "unknown_sender"]
    assert flags(here) == ["unknown_sender", "unknown_sender"]


def test_what_somebody_needs_is_kept_in_no_readable_column(here: World) -> None:
    service(here, "H1", "treatment")
    client = here.client(language="en")
    say(here, here.phone_of(client), "INFO methadone")
    say(here, here.phone_of(client), "INFO 10", after=timedelta(minutes=1))
    assert len(here.bodies()) == 2
    for table in ("inbound", "outbound", "flags", "audit"):
        assert here.value(f"SELECT count(*) FROM {table} t WHERE CAST(t AS text) ~* 'treatment|methadone|(House H1)'") == 0
    assert here.value("SELECT count(*) FROM inbound WHERE value IS NOT NULL") == 0


def test_what_is_gone_is_told_to_nobody(here: World) -> None:
    service(here, "H1")
    here.run("UPDATE services SET gone_on = '2026-01-31'")
    client = here.client()
    say(here, here.phone_of(client), "TT nha o")
    assert flags(here) == ["info"]


def test_words_of_danger_beside_it_are_never_answered_with_an_address(here: World) -> None:
    service(here, "H1", "supplies")
    client = here.client(language="en")
    say(here, here.phone_of(client), "INFO needles i want to die")
    assert [row.purpose for row in here.rows("SELECT purpose FROM outbound")] == ["crisis_answer"]


def test_on_a_holiday_of_the_unit_a_place_is_closed_and_what_never_closes_is_said_first(here: World) -> None:
    service(here, "H1", hours="Mon-Sun 06:00-22:00")
    service(here, "H2")
    with unit_of_work(here.engine, SYSTEM, here.now) as work:
        today = here.now.astimezone(ZoneInfo(units.get(work, here.unit_id).time_zone)).date()
        holidays.add(work, here.unit_id, today, "Tết")
    say(here, here.phone_of(here.client(language="en")), "INFO housing")
    first, second = here.bodies()
    assert first.startswith("House H2.") and second.startswith("House H1.") and "tomorrow" in second


def apply(here: World, phone: str, *effects: decide.Effect) -> None:
    """Have one text lead to these effects."""
    with unit_of_work(here.engine) as work:
        channel = channels.get(work, here.vault, here.channel_id)
    text = receive_message.came(here.engine, here.vault, channel, Inbound(str(uuid4()), phone, "+84900000000", "4"))
    with unit_of_work(here.engine, SYSTEM, here.now) as work:
        (seen,) = receive_message.look(work, here.vault, [text])
        scene = receive_message.arrive(work, here.vault, text, seen)
        apply_effects.apply(work, here.vault, CONTENT, receive_message.source_of(scene), effects)


def test_two_topics_in_one_text_are_both_answered(here: World) -> None:
    service(here, "H1")
    service(here, "W1", "work")
    client = here.client(language="en")
    apply(here, here.phone_of(client), TellServices("housing", "en", client), SendInformation(uuid4(), client, "work"),
          TellServices("housing", "en", client))  # fmt: skip
    assert sorted(text[:8] for text in here.bodies()) == ["House H1", "House W1"]


def test_two_requests_in_one_text_are_both_put_before_a_person(here: World) -> None:
    client, first, second = here.client(language="en"), uuid4(), uuid4()
    apply(here, here.phone_of(client), RequestReferral(first, client, "work"), RequestReferral(second, client, "housing"),
          TellServices("housing", "en", client, (RaiseFlag("info", client),)), SendInformation(first, client, "work"),
          RaiseFlag("info", client))  # fmt: skip
    rows = here.rows("SELECT reason, about_id FROM flags ORDER BY number")
    assert [(row.reason, row.about_id) for row in rows] == [("referral", first), ("referral", second), ("info", None), ("info", first)]
