"""A text comes in: what it means for consent, appointments, answers, flags and alerts, in one transaction."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from gateway import queues
from gateway.channels.base import Inbound
from gateway.store import channels, clients
from gateway.store.base import unit_of_work
from gateway.usecases import receive_message
from gateway.usecases.group_commit import GroupCommit
from gateway.vault import Vault
from tests.builders import CONTENT, World, world

APPOINTMENT = {"expects": "appointment", "purpose": "appointment_reminder_1d"}


@pytest.fixture
def here(engine: Engine, vault: Vault, now: datetime) -> World:
    return world(engine, vault, now)


def say(here: World, phone: str, words: str, *, after: timedelta = timedelta(0), carrier_id: str | None = None, late: bool = False, **more: str | datetime) -> UUID | None:
    with unit_of_work(here.engine) as work:
        channel = channels.get(work, here.vault, here.channel_id)
    message = Inbound(carrier_id or str(uuid4()), phone, "+84900000000", words, **more)  # type: ignore[arg-type]
    return receive_message.receive(here.engine, here.vault, CONTENT, channel, message, queues.silent, here.now + after, late)


def asked(here: World, client_id: UUID, **changes: object) -> UUID:
    """A question that was sent and waits for its answer."""
    message_id = here.planned(client_id, **changes)
    here.run("UPDATE outbound SET state = 'submitting' WHERE id = :id", id=message_id)
    here.run("UPDATE outbound SET state = 'delivered' WHERE id = :id", id=message_id)
    return message_id


def flags(here: World) -> list[str]:
    return [row.reason for row in here.rows("SELECT reason FROM flags ORDER BY number")]


def replies(here: World) -> list[str]:
    return [r.purpose for r in here.rows("SELECT purpose FROM outbound WHERE inbound_id IS NOT NULL ORDER BY lane, created_at")]


def test_one_confirms_the_appointment_that_was_asked_about(here: World) -> None:
    client = here.client()
    visit = here.appointment(client, here.now + timedelta(days=1))
    asked(here, client, about_id=visit, **APPOINTMENT)
    say(here, here.phone_of(client), "1")
    assert here.value("SELECT answer FROM appointments") == "confirmed"
    assert replies(here) == ["appointment_confirmed"]
    assert here.value("SELECT value FROM answers") == "yes"


def test_two_asks_for_another_time_and_a_person_hears_of_it(here: World) -> None:
    client = here.client()
    visit = here.appointment(client, here.now + timedelta(days=1))
    asked(here, client, about_id=visit, **APPOINTMENT)
    say(here, here.phone_of(client), "2")
    assert here.value("SELECT answer FROM appointments") == "reschedule"
    assert flags(here) == ["reschedule"]


def test_the_newer_of_two_reminders_about_one_visit_is_the_open_question(here: World) -> None:
    client = here.client()
    visit = here.appointment(client, here.now + timedelta(days=1))
    asked(here, client, about_id=visit, **APPOINTMENT)
    asked(here, client, about_id=visit, **APPOINTMENT)
    say(here, here.phone_of(client), "1")
    assert here.value("SELECT answer FROM appointments") == "confirmed"


def test_stop_cancels_what_is_planned_and_is_confirmed_once(here: World) -> None:
    client = here.client()
    pending = here.planned(client)
    say(here, here.phone_of(client), "ngung")
    say(here, here.phone_of(client), "STOP", after=timedelta(minutes=1))
    assert here.state(pending) == "cancelled"
    assert replies(here) == ["stop_confirmed"]
    assert here.value("SELECT reason FROM stops") == "stop"


@pytest.mark.parametrize(("first", "second", "stop", "start"), [
    ("en", "vi", "TC", "bat dau"), ("vi", "en", "stop texting me", "START"), ("fr", "vi", "dung lai", "bắt đầu"), ("vi", "fr", "arrêt", "START"),
])  # fmt: skip
def test_on_a_shared_phone_stop_and_start_are_heard_in_the_language_of_each(here: World, first: str, second: str, stop: str, start: str) -> None:
    phone = "+84912000001"
    texts = [here.planned(here.client(phone, language=language)) for language in (first, second)]
    say(here, phone, stop)
    assert [here.state(t) for t in texts] == ["cancelled", "cancelled"]
    assert here.value("SELECT reason FROM stops") == "stop"
    say(here, phone, start, after=timedelta(minutes=1))
    assert here.value("SELECT count(*) FROM stops") == 0
    assert replies(here) == ["stop_confirmed", "started"]


def test_on_a_shared_phone_a_cry_for_help_goes_before_a_stop_in_the_other_language(here: World) -> None:
    phone = "+84912000001"
    texts = [here.planned(here.client(phone, language=language)) for language in ("en", "vi")]
    say(here, phone, "i want to die")
    assert flags(here) == ["crisis"] and [here.state(t) for t in texts] == ["planned", "planned"]


def test_stop_on_a_shared_phone_stops_everyone_on_it(here: World) -> None:
    one, other = here.client("+84912000001"), here.client("+84912000001")
    texts = [here.planned(one), here.planned(other)]
    say(here, "+84912000001", "STOP")
    assert [here.state(t) for t in texts] == ["cancelled", "cancelled"]


def test_start_after_stop_brings_back_earlier_consents_and_grants_nothing_new(here: World) -> None:
    client = here.client(consent=("reminder",))
    phone = here.phone_of(client)
    say(here, phone, "STOP")
    say(here, phone, "START", after=timedelta(minutes=1))
    assert here.value("SELECT count(*) FROM stops") == 0
    assert here.value("SELECT array_agg(purpose) FROM consents WHERE granted") == ["reminder"]
    assert replies(here) == ["stop_confirmed", "started"]


@pytest.mark.parametrize("way", ["listed later by the carrier", "posted again after it", "understood at the second try"])
@pytest.mark.parametrize(("stop", "reason"), [("STOP", "stop"), ("nham so", "wrong_number")])
def test_a_start_starts_nothing_when_a_stop_that_came_after_it_was_decided_about_first(here: World, way: str, stop: str, reason: str) -> None:
    phone, minute = here.phone_of(here.client()), timedelta(minutes=1)
    at = [here.now + n * minute for n in range(5)]
    if way == "understood at the second try":
        with unit_of_work(here.engine) as work:
            channel = channels.get(work, here.vault, here.channel_id)
        start = receive_message.came(here.engine, here.vault, channel, Inbound("s", phone, "", "START"))
        receive_message.keep_undecided(here.engine, here.vault, CONTENT, start, queues.silent, at[1], late=False)
    say(here, phone, stop, after=2 * minute, sent_at=at[2])
    if way == "understood at the second try":
        assert receive_message.retry_unhandled(here.engine, here.vault, CONTENT, queues.silent, at[3]) == 1
    else:
        say(here, phone, "START", after=3 * minute, sent_at=at[1], late=way == "listed later by the carrier")
    assert here.value("SELECT reason FROM stops") == reason
    assert "started" not in replies(here)
    say(here, phone, "START", after=4 * minute, sent_at=at[4])
    assert here.value("SELECT count(*) FROM stops") == 0


def test_words_of_danger_raise_an_urgent_flag_answer_and_alert_whoever_is_on_duty(here: World) -> None:
    here.staff("+84912999999")
    client = here.client()
    say(here, here.phone_of(client), "toi muon chet")
    assert flags(here) == ["crisis"]
    lanes = {row.purpose: row.lane for row in here.rows("SELECT purpose, lane FROM outbound")}
    assert lanes == {"crisis_answer": 0, "staff_alert": 0}


def test_an_alert_holds_no_personal_data(here: World) -> None:
    here.staff("+84912999999")
    client = here.client()
    phone = here.phone_of(client)
    say(here, phone, "toi muon chet")
    (alert,) = here.bodies("o.purpose = 'staff_alert'")
    assert "Canary" not in alert and phone[-6:] not in alert and "chet" not in alert


def test_a_cry_for_help_inside_a_stop_does_both(here: World) -> None:
    client = here.client(language="en")
    pending = here.planned(client)
    say(here, here.phone_of(client), "STOP I want to die")
    assert here.state(pending) == "cancelled"
    assert flags(here) == ["crisis"]
    assert replies(here) == ["crisis_answer"]


def test_the_same_text_again_and_again_gets_two_answers_an_hour_and_then_a_flag(here: World) -> None:
    phone = here.phone_of(here.client())
    for minute in range(6):
        say(here, phone, "HELP", after=timedelta(minutes=minute))
    assert replies(here) == ["help", "help"]
    assert "loop" in flags(here)
    say(here, phone, "HELP", after=timedelta(minutes=70))
    assert replies(here) == ["help", "help", "help"]


def test_two_machines_that_answer_each_other_fall_silent(here: World) -> None:
    phone = here.phone_of(here.client())
    for turn in range(20):  # it answers each of our texts, worded anew, and has a word of ours in it now and then
        say(here, phone, "INFO" if turn % 2 else f"Canary away until {turn}", after=timedelta(minutes=turn))
    assert len(replies(here)) <= 3
    assert "loop" in flags(here)


def test_a_cry_for_help_is_never_muted_by_a_loop(here: World) -> None:
    client = here.client(language="en")
    for minute in range(6):
        say(here, here.phone_of(client), f"help {minute}", after=timedelta(minutes=minute))
    say(here, here.phone_of(client), "i want to kill myself", after=timedelta(minutes=7))
    assert "crisis" in flags(here)
    assert "crisis_answer" in replies(here)


def test_the_same_carrier_id_twice_makes_one_row_and_one_answer(here: World) -> None:
    client = here.client(language="en")
    assert say(here, here.phone_of(client), "HELP", carrier_id="SM1") is not None
    assert say(here, here.phone_of(client), "HELP", carrier_id="SM1") is None
    assert here.value("SELECT count(*) FROM inbound") == 1
    assert replies(here) == ["help"]


def test_the_same_text_within_seconds_under_another_id_is_kept_as_a_possible_repeat(here: World) -> None:
    client = here.client(language="en")
    first = say(here, here.phone_of(client), "HELP")
    say(here, here.phone_of(client), "HELP", after=timedelta(seconds=2))
    assert here.value("SELECT repeat_of FROM inbound WHERE repeat_of IS NOT NULL") == first
    assert replies(here) == ["help"]


def test_the_same_text_ten_minutes_later_is_a_new_message(here: World) -> None:
    client = here.client(language="en")
    for minutes in (0, 10):
        say(here, here.phone_of(client), "HELP", after=timedelta(minutes=minutes))
    assert replies(here) == ["help", "help"]


def test_an_unknown_phone_gets_one_neutral_answer_a_day_and_is_kept(here: World) -> None:
    for minutes in (0, 5):
        say(here, "+84912345678", f"xin chao {minutes}", after=timedelta(minutes=minutes))
    assert here.value("SELECT count(*) FROM inbound WHERE client_id IS NULL") == 2
    assert replies(here) == ["unknown_sender"]


def test_an_answer_from_a_shared_phone_with_two_open_questions_goes_to_staff(here: World) -> None:
    for _ in range(2):
        asked(here, here.client("+84912000002"), expects="yes_no")
    say(here, "+84912000002", "1")
    assert here.value("SELECT count(*) FROM answers") == 0
    assert flags(here) == ["which_person"]


def test_a_ready_answer_lets_the_waiting_text_go(here: World) -> None:
    client = here.client(discreet=2)
    ping = asked(here, client, expects="ready", purpose="message_waiting")
    real = here.planned(client, waits_for=ping)
    say(here, here.phone_of(client), "1")
    assert here.value("SELECT waits_for IS NULL AND lane = 1 FROM outbound WHERE id = :id", id=real)


def test_a_text_nobody_understands_is_flagged_and_answered_once_a_day(here: World) -> None:
    client = here.client()
    for minutes in (0, 20):
        say(here, here.phone_of(client), f"troi hom nay dep qua {minutes}", after=timedelta(minutes=minutes))
    assert flags(here) == ["other_text", "other_text"]
    assert replies(here) == ["not_understood"]


def test_a_stop_that_the_carrier_already_confirmed_is_not_confirmed_again(here: World) -> None:
    client = here.client(language="en")
    say(here, here.phone_of(client), "STOP", opt_out="stop")
    assert here.value("SELECT reason FROM stops") == "carrier"
    assert replies(here) == []


def test_a_wrong_number_pauses_texting_and_is_verified_by_staff(here: World) -> None:
    client = here.client(language="en")
    pending = here.planned(client)
    say(here, here.phone_of(client), "wrong number")
    assert here.state(pending) == "cancelled"
    assert flags(here) == ["wrong_number"]


def test_hostile_texts_are_kept_without_loss(here: World) -> None:
    client = here.client()
    torture = ["", " ", "\x00", "\ud800", "\u202eabc", "x" * 10_000, "STОP", "👍" * 300]
    for n, words in enumerate(torture):
        say(here, here.phone_of(client), words, after=timedelta(hours=n))
    key = here.rows("SELECT i.id, i.key_id, k.wrapped, i.body_enc FROM inbound i JOIN keys k ON k.id = i.key_id ORDER BY received_at")
    kept = [here.vault.open_key(r.wrapped, r.key_id).decrypt(r.body_enc, "inbound.body", r.id) for r in key]
    assert kept == torture


def say_together(here: World, *texts: tuple[str, str, str]) -> None:
    """Texts (carrier id, phone, words) of requests that waited for one another."""
    with unit_of_work(here.engine) as work:
        channel = channels.get(work, here.vault, here.channel_id)
    together = [(channel, Inbound(carrier_id, phone, "+84900000000", words)) for carrier_id, phone, words in texts]
    receive_message.receive_all(here.engine, here.vault, CONTENT, together, queues.silent, here.now)


def test_texts_that_come_together_mean_what_each_means_alone(here: World) -> None:
    confirming, stopping, crying = here.client(), here.client(), here.client()
    asked(here, confirming, about_id=here.appointment(confirming, here.now + timedelta(days=1)), **APPOINTMENT)
    here.staff("+84911999999")
    say_together(here, ("SM1", here.phone_of(confirming), "1"), ("SM2", here.phone_of(stopping), "STOP"), ("SM3", "+84912888888", "hello"),
                 ("SM4", here.phone_of(crying), "toi muon chet"))  # fmt: skip
    assert here.value("SELECT answer FROM appointments") == "confirmed"
    assert here.value("SELECT count(*) FROM stops") == 1
    meanings = {row.carrier_id: (row.meaning, row.client_id) for row in here.rows("SELECT carrier_id, meaning, client_id FROM inbound")}
    assert meanings == {"SM1": ("yes", confirming), "SM2": ("stop", stopping), "SM3": ("other", None), "SM4": ("crisis", crying)}
    assert here.value("SELECT count(*) FROM outbound WHERE purpose = 'staff_alert'") == 1


def test_of_one_phone_the_later_text_of_a_batch_counts(here: World) -> None:
    phone = here.phone_of(here.client())
    say_together(here, ("SM1", phone, "STOP"), ("SM2", phone, "START"))
    assert here.value("SELECT count(*) FROM stops") == 0
    assert here.value("SELECT count(*) FROM inbound") == 2


def test_a_repeat_within_a_batch_makes_one_row_and_one_answer(here: World) -> None:
    phone = here.phone_of(here.client())
    say_together(here, ("SM1", phone, "HELP"), ("SM1", phone, "HELP"), ("SM2", here.phone_of(here.client()), "HELP"))
    assert here.value("SELECT count(*) FROM inbound") == 2
    assert replies(here) == ["help", "help"]


def test_a_client_who_is_locked_for_long_holds_up_nobody_elses_text(here: World) -> None:
    """An import, or a text of theirs, holds a client's row: the cry for help beside it does not wait."""
    held, crying, stopping = here.client(), here.client(), here.client()
    with unit_of_work(here.engine) as work:
        channel = channels.get(work, here.vault, here.channel_id)

    def receive(incoming: tuple[channels.Channel, Inbound]) -> None:
        receive_message.receive(here.engine, here.vault, CONTENT, *incoming, queues.silent)

    group = GroupCommit[tuple[channels.Channel, Inbound]](
        lambda batch: receive_message.receive_all(here.engine, here.vault, CONTENT, batch, queues.silent), receive
    )
    say = [(channel, Inbound(f"SM{n}", here.phone_of(client), "+84900000000", words))
           for n, (client, words) in enumerate([(held, "STOP"), (crying, "toi muon chet"), (stopping, "STOP")])]  # fmt: skip
    with ThreadPoolExecutor(3) as pool:
        with unit_of_work(here.engine) as holding:
            clients.lock(holding, [held])
            waiting = [pool.submit(group.add, incoming) for incoming in say]
            for future in waiting[1:]:
                future.result(20)
            assert not waiting[0].done()
        waiting[0].result(20)
    assert here.value("SELECT count(*) FROM stops") == 2
    assert here.value("SELECT count(*) FROM flags WHERE reason = 'crisis'") == 1


def test_two_phones_under_one_id_of_the_carrier_are_two_texts(here: World) -> None:
    say(here, here.phone_of(here.client()), "xin chao", carrier_id="SM1")
    crying = here.phone_of(here.client())
    say(here, crying, "toi muon chet", carrier_id="SM1")
    say(here, crying, "toi muon chet", carrier_id="SM1")
    assert here.value("SELECT count(*) FROM inbound") == 2
    assert "crisis" in flags(here)
