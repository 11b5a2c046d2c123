"""The menu through the real path: screens, PIN, appointment, check-in, services, stop and danger, repeats, a lost dialogue."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from gateway import queues
from gateway.channels.base import Dialled
from gateway.domain import opening
from gateway.domain.dialogues import SCREEN
from gateway.domain.services import Service
from gateway.store import appointments, channels, clients, erasure, phones, services, ussd
from gateway.store.base import SYSTEM, Actor, unit_of_work
from gateway.usecases import answer_ussd, notice_silence, start_dialogue, sweep, tell_client
from gateway.usecases.answer_ussd import Screen
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World

MINUTE = timedelta(minutes=1)
STRANGER = "+84987000001"
_sessions = count(1)


@dataclass
class Phone:
    """A phone that dials, and presses one thing after the other."""

    world: World
    number: str
    now: datetime
    session: str = field(default_factory=lambda: f"s{next(_sessions)}")
    typed: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def post(self, text: str) -> Screen:
        with unit_of_work(self.world.engine) as work:
            channel = channels.get(work, self.world.vault, self.world.channel_id)
        post = answer_ussd.Post(channel, Dialled(self.session, self.number, text))
        answer_ussd.answer(self.world.engine, self.world.vault, CONTENT, post, queues.silent, self.now)
        screen = post.screen
        assert screen is not None
        assert SCREEN.hold(screen.text), screen.text
        self.seen.append(screen.text)
        return screen

    def dial(self, *presses: str) -> Screen:
        """Dial, and press; the last screen."""
        self.session, self.typed = f"s{next(_sessions)}", []
        screen = self.post("")
        for each in presses:
            screen = self.press(each)
        return screen

    def press(self, what: str) -> Screen:
        self.now += timedelta(seconds=2)
        self.typed.append(what)
        return self.post("*".join(self.typed))


@pytest.fixture
def here(engine: Engine, vault: Vault, now: datetime) -> World:
    return builders.world(engine, vault, now)


@pytest.fixture
def phone(here: World, now: datetime) -> Phone:
    return Phone(here, here.phone_of(here.client(language="en")), now)


@pytest.fixture
def stranger(here: World, now: datetime) -> Phone:
    here.run("UPDATE units SET language = 'en'")
    return Phone(here, STRANGER, now)


def flags(here: World) -> list[str]:
    return [row.reason for row in here.rows("SELECT reason FROM flags ORDER BY number")]


def owner(phone: Phone) -> clients.Found:
    with unit_of_work(phone.world.engine) as work:
        return clients.by_phone_hash(work, phone.world.vault.hash_phone(phone.number))[0]


def service(here: World, code: str, category: str = "housing") -> None:
    entry = Service(id=uuid4(), code=code, category=category, name=code, short_name=f"House {code}", units=[here.unit_id],
                    hours=opening.read("24/7"), checked_on=date(2026, 1, 20))  # fmt: skip
    with unit_of_work(here.engine, SYSTEM, here.now) as work:
        services.add(work, entry, None)


def test_the_first_menu_is_the_same_for_everybody(phone: Phone, stranger: Phone) -> None:
    assert phone.dial() == stranger.dial()
    assert phone.seen[0].splitlines()[:3] == ["Choose:", "1 My appointment", "2 How are you?"]


def test_the_next_appointment_takes_a_pin_chosen_on_first_use_and_is_confirmed(phone: Phone, here: World, now: datetime) -> None:
    visit = here.appointment(owner(phone).id, now + timedelta(days=2))
    screen = phone.dial("1", "2468", "2468")
    assert screen.goes_on and screen.text.splitlines()[1:] == ["1 I will come", "2 another time please", "0 back"]
    assert phone.press("1") == Screen("Thank you. See you then.", False)
    assert here.value("SELECT answer FROM appointments WHERE id = :id", id=visit) == "confirmed"
    assert phone.dial("1").text.startswith("Your PIN:")
    assert "I will come" in phone.press("2468").text
    assert not phone.press("2").goes_on
    assert (here.value("SELECT answer FROM appointments WHERE id = :id", id=visit), flags(here)) == ("reschedule", ["reschedule"])


def test_a_pin_that_is_not_repeated_is_asked_for_again(phone: Phone) -> None:
    assert phone.dial("1", "1111", "2222").text.startswith("Those were not the same.")
    assert "once more" in phone.press("3333").text
    assert "No appointment" in phone.press("3333").text


def test_five_wrong_pins_lock_the_phone_in_every_dialogue_until_staff_reset_it(phone: Phone, here: World, now: datetime) -> None:
    here.appointment(owner(phone).id, now + timedelta(days=2))
    phone.dial("1", "1234", "1234")
    assert phone.dial("1", "0001").text.startswith("Wrong PIN. Tries left: 4.")
    phone.dial("1", "0002", "0003")
    assert phone.post("1*0002*0003*0004").text.startswith("Wrong PIN. Tries left: 1.")
    assert phone.dial("2", "0", "1", "0005").text.startswith("This PIN is locked.")
    assert phone.dial("1").text.startswith("This PIN is locked.") and phone.dial("2").text.startswith("This PIN is locked.")
    with unit_of_work(here.engine) as work:
        assert ussd.reset_pin(work, owner(phone).id) == 1
    assert phone.dial("1").text.startswith("Choose a PIN")


def test_guessing_in_one_post_counts_each_guess(phone: Phone, here: World) -> None:
    phone.dial("1", "1234", "1234")
    for guess in range(6):
        phone.session = f"direct{guess}"
        screen = phone.post(f"1*000{guess}*1*98")
    assert screen.text.startswith(("This PIN is locked.", "Please dial again."))
    assert here.value("SELECT locked_at IS NOT NULL FROM ussd_pins") is True


def test_an_unknown_phone_sees_what_a_client_without_an_appointment_sees(phone: Phone, stranger: Phone, here: World) -> None:
    for presses in (["1", "1234", "1234"], ["2", "1234", "1"], ["4"], ["5", "3"], ["6"], ["6"], ["7"], ["3", "5"], ["hello there"]):
        mine, theirs = len(phone.seen), len(stranger.seen)
        phone.dial(*presses)
        stranger.dial(*presses)
        if presses == ["5", "3"]:
            for each in (phone, stranger):
                each.dial("5", "1")
        assert phone.seen[mine:] == stranger.seen[theirs:], presses


def test_the_same_post_gets_the_same_screen_and_moves_nothing(phone: Phone, here: World) -> None:
    first = phone.dial("4")
    assert not first.goes_on
    phone.now += 3 * MINUTE
    assert phone.post("4") == first and phone.post("").text == phone.seen[0]
    assert flags(here) == ["callback"]


def test_a_lost_dialogue_is_walked_again_and_nothing_is_done_twice(phone: Phone, here: World) -> None:
    service(here, "H1")
    phone.dial("3", "5", "1")
    here.run("DELETE FROM ussd_sessions")
    assert phone.post("3*5*1").text == "We send it by text now."
    here.run("DELETE FROM ussd_sessions")
    phone.dial("4")
    here.run("DELETE FROM ussd_sessions")
    assert phone.post("4").text.startswith("Noted.")
    assert (len(here.bodies()), flags(here)) == (1, ["callback"])


def test_a_dialogue_that_is_forgotten_brings_about_nothing_when_it_is_posted_again(phone: Phone, here: World, now: datetime) -> None:
    here.appointment(owner(phone).id, now + timedelta(days=2))
    phone.dial("1", "1234", "1234")
    with unit_of_work(here.engine) as work:
        ussd.reset_pin(work, owner(phone).id)
    phone.now += timedelta(days=1, minutes=1)
    assert sweep.forget_menus(here.engine, phone.now) == 1
    for text in ("1*1234*1234", "", "1", "4", "1*1234*1234*1"):
        assert phone.post(text) == Screen("Please dial again.", False)
    assert here.rows("SELECT * FROM ussd_pins") == here.rows("SELECT * FROM inbound") == flags(here) == []
    assert "I will come" in phone.dial("1", "5678", "5678").text  # who dials anew is no post of long ago


def test_the_posts_of_a_client_who_was_erased_bring_about_nothing(phone: Phone, here: World) -> None:
    phone.dial("2", "2468", "2468")
    with unit_of_work(here.engine) as work:
        erasure.erase(work, here.vault, owner(phone).id, None)
    assert not phone.post("2*2468*2468").goes_on
    assert here.value("SELECT count(*) FROM ussd_sessions") + here.value("SELECT count(*) FROM ussd_pins") == 0


def test_a_dialogue_is_bound_to_its_phone(phone: Phone, stranger: Phone, here: World, now: datetime) -> None:
    here.appointment(owner(phone).id, now + timedelta(days=2))
    phone.dial("1", "1234", "1234")
    stranger.session = phone.session
    assert "I will come" not in stranger.post("1*1234*1234*98").text


def test_a_star_inside_an_answer_is_part_of_it(phone: Phone, here: World) -> None:
    phone.dial("2", "1234", "1234")
    phone.press("not * well")
    assert here.value("SELECT count(*) FROM inbound") == 1
    assert any(reason in flags(here) for reason in ("not_well", "other_text"))


def test_a_cut_dialogue_goes_on_within_ten_minutes_and_asks_for_the_pin_again(phone: Phone, here: World, now: datetime) -> None:
    here.appointment(owner(phone).id, now + timedelta(days=2))
    phone.dial("1", "1234", "1234")
    assert phone.dial().text == "1 continue\n2 start again"
    assert phone.press("1").text.startswith("Your PIN:")
    assert "I will come" in phone.press("1234").text
    assert phone.dial("2").text.startswith("Choose:")
    phone.dial("3")
    phone.now += 11 * MINUTE
    assert phone.dial().text.startswith("Choose:")


def test_services_need_no_pin_and_are_texted_on_wish(phone: Phone, here: World) -> None:
    for number in range(3):
        service(here, f"H{number}")
    first = phone.dial("3", "5")
    assert first.text.startswith("House H0") and first.goes_on
    assert phone.press("1") == Screen("We send it by text now.", False)
    assert len(here.bodies()) == 3
    assert phone.dial("3", "2").text.startswith("Nothing is known near you.")


@pytest.mark.parametrize("at", [[], ["1"], ["1", "1234"], ["3"], ["2", "1234", "1234"], ["5"], ["7"]])
def test_stop_and_danger_win_at_every_prompt(phone: Phone, here: World, at: list[str]) -> None:
    screen = phone.dial(*at, "i want to kill myself")
    assert "115" in screen.text
    assert flags(here) == ["crisis"]
    assert any("115" in body for body in here.bodies("o.purpose = 'crisis_answer'"))
    phone.now += 11 * MINUTE
    assert not phone.dial(*at[:1], "STOP").goes_on
    assert here.value("SELECT reason FROM stops") == "stop"


def test_words_are_heard_while_the_last_text_still_has_screens_to_come(here: World, now: datetime) -> None:
    client = here.client(language="vi")
    here.run("UPDATE clients SET tones = 'never'")
    phone = Phone(here, here.phone_of(client), now)
    assert phone.dial("tro giup").goes_on
    assert "115" in phone.press("toi muon chet").text and flags(here) == ["crisis"]
    assert phone.dial("tro giup").goes_on
    phone.press("STOP")
    assert here.value("SELECT reason FROM stops") == "stop"


def test_on_a_shared_phone_a_stop_is_one_in_the_language_of_each_who_has_it(here: World, now: datetime) -> None:
    phone = Phone(here, here.phone_of(here.client(language="vi")), now)
    here.client(phone.number, language="fr")
    phone.dial("ARRET")
    assert here.value("SELECT reason FROM stops") == "stop"


def test_stop_and_start_by_the_menu(phone: Phone, here: World) -> None:
    assert phone.dial("6").text.startswith("You get no more texts.")
    assert here.value("SELECT reason FROM stops") == "stop" and here.bodies() == []
    assert "6 Texts again" in phone.dial().text
    phone.press("6")
    assert here.value("SELECT count(*) FROM stops") == 0


def test_a_check_in_on_the_screen_is_kept_and_calls_a_person(phone: Phone, here: World) -> None:
    assert phone.dial("2", "1234", "1234").text.startswith("Hello. Are things all right")
    screen = phone.press("2")
    assert not screen.goes_on and "115" in screen.text
    assert flags(here) == ["not_well"] and here.bodies() == []
    assert here.value("SELECT status FROM sessions") == "ended"


def test_the_open_dialogue_is_answered_figure_by_figure(phone: Phone, here: World) -> None:
    actor = Actor(here.staff("+84911999999"), here.unit_id, "case_worker")
    start_dialogue.start(here.engine, here.vault, CONTENT, actor, "needs_check", owner(phone).code, here.now)
    here.run("UPDATE outbound SET state = 'submitting'")
    here.run("UPDATE outbound SET state = 'delivered', state_at = :now", now=here.now)
    phone.now += MINUTE
    phone.dial("2", "1234", "1234")
    phone.press("1")
    phone.press("1")
    assert here.value("SELECT count(*) FROM session_answers") == 2


def test_a_check_in_that_was_begun_on_the_screen_and_left_open_is_noticed(phone: Phone, here: World) -> None:
    assert phone.dial("2", "1234", "1234", "hm").goes_on
    phone.now += timedelta(hours=49)
    notice_silence.notice(here.engine, here.vault, CONTENT, queues.silent, phone.now)
    assert "no_reply" in flags(here)
    assert here.value("SELECT status FROM sessions") == "with_person"


def test_a_check_in_whose_text_has_not_left_yet_is_answered_on_the_screen(phone: Phone, here: World, now: datetime) -> None:
    actor = Actor(here.staff("+84980000001"), here.unit_id, "case_worker")
    start_dialogue.start(here.engine, here.vault, CONTENT, actor, "weekly_check_in", owner(phone).code, now)
    assert "Someone will call" in phone.dial("2", "1234", "1234", "2").text
    assert flags(here) == ["not_well"]
    assert here.value("SELECT string_agg(state, ',') FROM outbound WHERE purpose LIKE 'dialogues/%'") == "cancelled"
    assert [(row.dialogue, row.status) for row in here.rows("SELECT dialogue, status FROM sessions")] == [("weekly_check_in", "ended")]


def test_silence_after_an_answer_on_the_screen_counts_though_no_text_ever_left(phone: Phone, here: World, now: datetime) -> None:
    actor = Actor(here.staff("+84980000001"), here.unit_id, "case_worker")
    start_dialogue.start(here.engine, here.vault, CONTENT, actor, "needs_check", owner(phone).code, now)
    assert phone.dial("2", "1234", "1234", "1").goes_on
    phone.now += timedelta(hours=73)
    notice_silence.notice(here.engine, here.vault, CONTENT, queues.silent, phone.now)
    assert (flags(here), here.value("SELECT status FROM sessions")) == (["info", "no_reply"], "with_person")


def test_the_language_is_changed_for_screens_and_texts(phone: Phone, here: World) -> None:
    assert phone.dial("5").text.splitlines()[:3] == [f"{n} {language.name}" for n, language in enumerate(CONTENT.languages.values(), 1)]
    french = [*CONTENT.languages].index("fr") + 1
    assert phone.press(str(french)).text.startswith("Choisissez")
    assert here.value("SELECT language FROM clients") == "fr"


def test_a_phone_of_several_people_or_in_doubt_shows_nothing_personal(here: World, now: datetime) -> None:
    number = "+84912000777"
    for _ in range(2):
        here.appointment(here.client(number, language="en"), now + timedelta(days=2))
    assert "No appointment" in Phone(here, number, now).dial("1", "1234", "1234").text
    single = here.client("+84912000778", language="en")
    here.appointment(single, now + timedelta(days=2))
    here.run("UPDATE phones SET to_verify = 'changed hands' WHERE client_id = :id", id=single)
    assert "No appointment" in Phone(here, "+84912000778", now).dial("1", "1234", "1234").text


def test_nothing_typed_can_be_read_in_the_tables_and_an_erased_client_leaves_none(phone: Phone, here: World) -> None:
    phone.dial("1", "2468", "2468")
    row = here.rows("SELECT * FROM ussd_sessions")[0]
    pin = here.rows("SELECT * FROM ussd_pins")[0]
    assert "2468" not in str(row) + str(pin) and phone.number not in str(row) + str(pin)
    with unit_of_work(here.engine) as work:
        erasure.erase(work, here.vault, owner(phone).id, None)
    assert here.value("SELECT count(*) FROM ussd_sessions") + here.value("SELECT count(*) FROM ussd_pins") == 0


@pytest.mark.parametrize("language", ["en", "vi", "fr"])
@pytest.mark.parametrize("tones", ["never", "saves", "always"])
def test_every_place_fits_its_screens(here: World, now: datetime, language: str, tones: str) -> None:
    service(here, "H1")
    client = here.client(language=language)
    here.run("UPDATE clients SET tones = :tones", tones=tones)
    here.appointment(client, now + timedelta(days=2))
    phone = Phone(here, here.phone_of(client), now)
    for presses in (["1", "1234", "5678", "1234", "1234"], ["1", "9999"], ["2", "1234", "2"], ["3", "98", "98", "0", "5", "98"], ["4"], ["5"],
                    ["7"], ["6"]):  # fmt: skip
        phone.now += 11 * MINUTE
        phone.dial(*presses)
    assert len(phone.seen) > 20


def test_an_appointment_that_was_moved_meanwhile_is_shown_again_and_not_confirmed(phone: Phone, here: World, now: datetime) -> None:
    visit = here.appointment(owner(phone).id, now + timedelta(days=2))
    before = phone.dial("1", "1234", "1234").text
    with unit_of_work(here.engine) as work:
        appointments.move(work, visit, now + timedelta(days=3))
    again = phone.press("1")
    assert again.goes_on and "I will come" in again.text and again.text != before
    assert here.value("SELECT answer FROM appointments WHERE id = :id", id=visit) is None
    assert not phone.press("1").goes_on
    assert here.value("SELECT answer FROM appointments WHERE id = :id", id=visit) == "confirmed"
    phone.dial("1", "1234")
    here.run("UPDATE appointments SET status = 'cancelled'")
    assert "No appointment" in phone.press("1").text


def test_an_unknown_phone_that_wants_to_be_called_is_in_front_of_staff_as_such(stranger: Phone, here: World) -> None:
    assert stranger.dial("4").text.startswith("Noted.")
    assert flags(here) == ["callback"]


def test_a_locked_pin_pauses_what_we_send_until_staff_have_asked(phone: Phone, here: World, now: datetime) -> None:
    client = owner(phone)
    here.appointment(client.id, now + timedelta(days=2))
    phone.dial("1", "1234", "1234")
    for guess in range(5):
        phone.dial("1", f"000{guess}")
    assert flags(here) == ["number_to_verify"]
    with unit_of_work(here.engine) as work:
        person = clients.recipients(work, here.vault, [client.id])[client.id]
        assert tell_client.why_not(work, here.vault, person, "reminder", 2) == "number to be verified"
        ussd.reset_pin(work, client.id)
    assert "No appointment" in phone.dial("1", "1234", "1234").text
    with unit_of_work(here.engine) as work:
        phones.verify(work, client.id)
    assert "I will come" in phone.dial("1", "1234").text


@pytest.mark.parametrize("cut_after", [["1", "1234"], ["1", "1234", "98"], ["1", "1234", "0"]])
def test_after_a_cut_nothing_personal_is_shown_before_the_pin_again(
    phone: Phone, here: World, now: datetime, cut_after: list[str]
) -> None:
    here.appointment(owner(phone).id, now + timedelta(days=2))
    phone.dial("1", "1234", "1234")
    phone.dial(*cut_after)
    for presses in ([], ["1"], ["1", "1"], ["2", "1"], ["98", "1", "0", "1"], ["1", "98", "1"]):
        assert "I will come" not in phone.dial(*presses).text


def test_back_twenty_deep_ends_in_the_menu(phone: Phone) -> None:
    phone.dial("3", *["0", "3"] * 20, *["0"] * 20)
    assert phone.seen[-1] == phone.dial("0").text and phone.seen[0] == phone.seen[-2]


def test_guesses_from_several_dialogues_at_once_are_all_counted(phone: Phone, here: World) -> None:
    phone.dial("1", "1234", "1234")
    with unit_of_work(here.engine) as work:
        channel = channels.get(work, here.vault, here.channel_id)

    def guess(number: int) -> str:
        post = answer_ussd.Post(channel, Dialled(f"at once {number}", phone.number, f"1*{number:04}"))
        answer_ussd.answer(here.engine, here.vault, CONTENT, post, queues.silent, phone.now)
        assert post.screen is not None
        return post.screen.text

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(guess, range(8)))
    assert here.rows("SELECT tries, locked_at IS NOT NULL AS locked FROM ussd_pins")[0] == (5, True)
    assert {text.partition(".")[0] for text in said} == {"Wrong PIN", "This PIN is locked", "Please dial again"}
