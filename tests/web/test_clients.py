"""The pages about clients."""

import re
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from gateway.domain import campaigns as rules
from gateway.store import consents
from gateway.store.base import SYSTEM, Actor, unit_of_work
from gateway.usecases import launch_campaign
from tests.builders import CONTENT
from tests.web.office import Office
from tests.web.test_flags import wrote


def _code(office: Office, client: UUID) -> str:
    return str(office.world.value("SELECT code FROM clients WHERE id = :id", id=client))


def _named(office: Office, name: str, phone: str | None = None) -> UUID:
    browser = office.browser()
    form = {"code": f"N{uuid4().hex[:6]}", "name": name, "phones": phone or f"+8498{uuid4().int % 10**7:07d}", "language": "vi", "discreet": "1"}
    answer = browser.post("/clients/new", **form, consent="reminder", basis="signed form")
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return UUID(answer.location.rpartition("/")[2])


def test_a_conversation_says_what_became_of_each_text(office: Office) -> None:
    client = office.world.client()
    wrote(office, client, "Cảm ơn chị")
    office.world.planned(client, "Hen gap 9h", send_after=office.world.now + timedelta(hours=22), reason="quiet hours")
    sent = office.world.planned(client, "Da gui")
    office.world.run("UPDATE outbound SET state = 'delivered' WHERE id = :id", id=sent)
    html = office.browser().read(f"/clients/{client}")
    for words in ("Cảm ơn chị", "Hen gap 9h", "(quiet hours)", "held until", "delivered to the phone"):
        assert words in html


def test_every_look_at_a_client_is_in_the_trail_and_numbers_are_masked(office: Office) -> None:
    client, browser = office.world.client(), office.browser()
    phone = office.world.phone_of(client)
    assert phone not in browser.read(f"/clients/{client}")
    assert phone in browser.post(f"/clients/{client}/reveal", reason="she asked for a call").get_data(as_text=True)
    assert browser.post(f"/clients/{client}/reveal", reason=" ").status_code == 400
    actions = [row.action for row in office.world.rows("SELECT action FROM audit WHERE staff_id = :id ORDER BY id", id=browser.staff_id)]
    assert {"client.show", "client.conversation", "client.reveal"} <= set(actions)


def test_a_stop_by_text_shows_who_when_and_which_word(office: Office) -> None:
    client = office.world.client()
    inbound = wrote(office, client, "dung nhan nua")
    phone_hash = office.world.value("SELECT phone_hash FROM phones WHERE client_id = :id", id=client)
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        consents.stop_phone(work, bytes(phone_hash), "stop", "inbound", inbound)
    html = office.browser().read(f"/clients/{client}")
    assert "STOP: no texts" in html
    assert "by their own text" in html
    assert "“dung nhan nua”" in html
    assert "cannot be texted" in html


def test_staff_stop_and_start_at_the_clients_wish(office: Office) -> None:
    client, browser = office.world.client(), office.browser()
    waiting = office.world.planned(client)
    assert "STOP: no texts" in browser.press(f"/clients/{client}/stop")
    assert office.world.state(waiting) == "cancelled"
    assert browser.post(f"/clients/{client}/start", basis="").status_code == 400
    assert "STOP: no texts" not in browser.press(f"/clients/{client}/start", basis="signed form")


def test_consents_are_granted_and_withdrawn_with_where_they_came_from(office: Office) -> None:
    client, browser = office.world.client(consent=()), office.browser()
    browser.press(f"/clients/{client}/consent", purpose="study", answer="yes", basis="phiếu ký 3/2")
    html = browser.press(f"/clients/{client}/consent", purpose="study", answer="no", basis="nói qua điện thoại")
    assert "nói qua điện thoại" in html
    assert "phiếu ký 3/2" in html  # in the history
    assert browser.post(f"/clients/{client}/consent", purpose="study", answer="yes", basis="").status_code == 400


def test_appointments_are_booked_once_moved_cancelled_and_closed(office: Office) -> None:
    client, browser = office.world.client(), office.browser()
    for _ in range(2):
        browser.press(f"/clients/{client}/book", starts_at="2026-02-12T09:30")
    assert office.world.value("SELECT count(*) FROM appointments") == 1
    appointment = str(office.world.value("SELECT id FROM appointments"))
    form = {"appointment": appointment, "revision": "0", "starts_at": "2026-02-13T10:00"}
    browser.press(f"/clients/{client}/appointment", **form, do="move", tell="yes")
    assert len(office.world.bodies("purpose = 'appointment_moved'")) == 1
    assert browser.post(f"/clients/{client}/appointment", **form, do="cancel").status_code == 400  # made before it moved
    browser.press(f"/clients/{client}/appointment", **(form | {"revision": "1"}), do="cancel")
    past = office.world.appointment(client, office.world.now - timedelta(hours=1))
    assert "attended" in browser.press(f"/clients/{client}/appointment", appointment=str(past), do="attended")


def test_an_appointment_of_somebody_else_is_not_there(office: Office) -> None:
    client, other = office.world.client(), office.world.client(unit_id=office.other_id)
    theirs = office.world.appointment(other, office.world.now + timedelta(days=1))
    assert office.browser().post(f"/clients/{client}/appointment", appointment=str(theirs), do="cancel").status_code == 404


def test_a_text_is_sent_once_however_often_the_button_is_pressed(office: Office) -> None:
    client, browser = office.world.client(), office.browser()
    form = {"message_id": str(uuid4()), "text": "Mai 9h nhe"}
    for _ in range(2):
        browser.press(f"/clients/{client}/text", **form)
    assert office.world.bodies("purpose = 'manual'") == ["Mai 9h nhe"]
    assert browser.post(f"/clients/{client}/text", message_id=str(uuid4()), text="x" * 900).status_code == 400


def test_answers_to_check_ins_are_a_chart_with_its_table(office: Office) -> None:
    client = office.world.client()
    for day, value in ((3, "yes"), (2, None), (1, "no")):
        message = office.world.planned(client)
        office.world.run("UPDATE outbound SET state = 'delivered', expects = 'yes_no', created_at = :at, occurrence_id = :id WHERE id = :id",
                         id=message, at=office.world.now - timedelta(days=day))  # fmt: skip
        if value:
            office.world.run("""INSERT INTO answers (outbound_id, client_id, unit_id, inbound_id, value, answered_at)
                                SELECT :id, id, unit_id, :id, :value, :now FROM clients WHERE id = :client""",
                             id=message, value=value, client=client, now=office.world.now)  # fmt: skip
    html = office.browser().read(f"/clients/{client}")
    assert re.search(r'<svg class="chart".*<rect class="good".*<circle class="silence".*<rect class="bad"', html, re.DOTALL)
    assert html.count(">no answer<") >= 1


def test_a_form_made_before_somebody_changed_the_client_is_refused(office: Office) -> None:
    client, browser = _named(office, "Nguyễn Thị Hoa"), office.browser()
    html = browser.read(f"/clients/{client}/edit")
    version = re.search(r'name="version" value="([^"]+)"', html)
    assert version
    form = {"version": version[1], "name": "Nguyễn Thị Hòa", "language": "vi", "discreet": "2", "opens": "09:00", "closes": "17:00"}
    assert "Nguyễn Thị Hòa" in browser.press(f"/clients/{client}/edit", **form)
    office.world.run("UPDATE clients SET updated_at = updated_at + interval '1 second' WHERE id = :id", id=client)
    assert browser.post(f"/clients/{client}/edit", **form).status_code == 400


@pytest.mark.parametrize("wanted", ["+84 912 345 678", "0912345678", "0912.345.678", "5678", "hoa nguyen", "HÒA"])
def test_a_client_is_found_by_whatever_is_at_hand(office: Office, wanted: str) -> None:
    client = _named(office, "Nguyễn Thị Hòa", "+84912345678")
    _named(office, "Trần Văn Nam")
    html = office.browser().post("/clients/search", wanted=wanted).get_data(as_text=True)
    assert str(client) in html
    assert html.count("<tr>") == 2  # its heading and one row


def test_what_is_searched_stands_in_no_address_and_not_in_the_trail(office: Office) -> None:
    _named(office, "Nguyễn Thị Hòa", "+84912345678")
    office.browser().post("/clients/search", wanted="0912345678")
    assert "912345678" not in str(office.world.rows("SELECT detail FROM audit"))
    assert office.browser().get("/clients/search?wanted=0912345678").status_code == 405


def test_lists_narrow_and_many_are_put_into_a_group(office: Office) -> None:
    browser, first, second = office.browser(), office.world.client(), office.world.client(language="fr")
    html = browser.press("/clients/group", client=[str(first)], group="Tổ 3", do="in")
    assert str(first) in html
    assert str(second) not in html
    assert str(second) in browser.read("/clients/?language=fr&consent=reminder")
    assert str(first) not in browser.read("/clients/?language=fr")
    browser.press("/clients/group", client=[str(first)], group="Tổ 3", do="out")
    assert office.world.value("SELECT groups FROM clients WHERE id = :id", id=first) == []


@pytest.mark.parametrize(("reads", "called"), [("en", "Hmong"), ("fr", "hmong"), ("vi", "Tiếng H’Mông")])
def test_a_language_that_there_are_no_texts_in_is_called_what_the_reader_calls_it(office: Office, reads: str, called: str) -> None:
    client, browser = office.world.client(language="hmn"), office.browser(language=reads)
    office.world.client(language="fr")
    assert ">Français</td>" in browser.read("/clients/")
    assert f">{called}</td>" in browser.read("/clients/")
    assert f">{called}</dd>" in browser.read(f"/clients/{client}")


def test_a_check_in_begins_once_however_often_the_button_is_pressed(office: Office) -> None:
    client, browser = office.world.client(consent=("check_in",)), office.browser()
    assert "Weekly check-in</option>" in browser.read(f"/clients/{client}")
    form = {"dialogue": "weekly_check_in", "session_id": str(uuid4())}
    for _ in range(2):
        assert browser.post(f"/clients/{client}/ask", **form).status_code == 303
    assert office.world.value("SELECT count(*) FROM outbound WHERE client_id = :id", id=client) == 1
    assert office.world.value("SELECT status FROM sessions WHERE client_id = :id", id=client) == "waiting"
    assert browser.post(f"/clients/{client}/ask", dialogue="nothing", session_id=str(uuid4())).status_code == 400


def test_who_did_not_agree_is_not_asked(office: Office) -> None:
    client, browser = office.world.client(consent=("reminder",)), office.browser()
    answer = browser.post(f"/clients/{client}/ask", dialogue="weekly_check_in", session_id=str(uuid4()))
    assert answer.status_code == 400
    assert "no consent for check-in" in answer.get_data(as_text=True)
    assert office.world.value("SELECT count(*) FROM outbound WHERE client_id = :id", id=client) == 0


def test_a_programme_is_joined_and_ended_on_the_page(office: Office) -> None:
    client, browser = office.world.client(), office.browser()
    boss = Actor(office.world.staff("+84980000001", role="supervisor"), office.world.unit_id, "supervisor")
    asked = {"name": "Nach Hause", "kind": "programme", "schedule": {"at": "11:00", "enrol": "by_hand"}, "steps": [{"template": "check_in", "day": 3}]}
    with unit_of_work(office.world.engine, boss, office.world.now) as work:
        launch_campaign.create(work, CONTENT, rules.read(asked))
    launch_campaign.approve(office.world.engine, office.world.vault, CONTENT, boss, "Nach Hause", office.world.now)
    assert "not in it" in browser.read(f"/clients/{client}")
    assert "counted from" in browser.press(f"/clients/{client}/programme", programme="Nach Hause", do="join")
    assert "ended by staff" in browser.press(f"/clients/{client}/programme", programme="Nach Hause", do="leave")


def test_scores_of_meetings_are_entered_and_shown_as_a_line_over_time(office: Office) -> None:
    client, browser = office.world.client(), office.browser()
    path = f"/clients/{client}"
    today = office.world.now.date()
    for value, on in ((31, "2026-01-05"), (42, "2026-02-01"), (44, "2026-02-01"), (50, "")):
        html = browser.press(f"{path}/score", scale="barc10", value=value, on=on)
    assert "The score is kept." in html
    assert [(row.on_date.isoformat()) for row in office.world.rows("SELECT on_date FROM scores ORDER BY on_date")][:2] == ["2026-01-05", "2026-02-01"]
    assert "<polyline" in html and "2026-02-01: 44" in html and "2026-02-01: 42" not in html
    for wrong in ({"value": 61}, {"value": "x"}, {"value": 30, "scale": "mood"}, {"value": 30, "on": (today + timedelta(days=2)).isoformat()}, {"value": 30, "on": "31/2/2026"}):
        answer = browser.post(f"{path}/score", **({"scale": "barc10"} | wrong))
        assert (answer.status_code, 'class="error"' in answer.get_data(as_text=True)) == (400, True), wrong
    assert office.world.value("SELECT count(*) FROM scores") == 3
    assert office.browser("reviewer").post(f"{path}/score", scale="barc10", value=30).status_code == 403


def test_a_time_of_another_year_names_the_year(office: Office) -> None:
    client = office.world.client()
    office.world.appointment(client, office.world.now - timedelta(days=90))
    office.world.appointment(client, office.world.now - timedelta(days=3))
    html = office.browser(language="vi").read(f"/clients/{client}")
    assert "12 thg 11, 2025, 10:00" in html and "7 thg 2, 10:00" in html


def test_a_new_client_reads_the_language_of_the_unit_unless_somebody_chooses_another(office: Office) -> None:
    assert '<option value="vi" selected' in office.browser().read("/clients/new")


def test_how_an_imported_consent_can_be_proved_stands_in_the_readers_language(office: Office) -> None:
    client = office.world.client()
    office.world.run("UPDATE consents SET basis = 'signed (2026-01-05)' WHERE client_id = :id", id=client)
    assert "đã ký (2026-01-05)" in office.browser(language="vi").read(f"/clients/{client}")
