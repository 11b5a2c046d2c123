"""Appointments on the pages: booked once, moved and cancelled as they were seen, a worker's day cleared."""

import re
from datetime import timedelta
from uuid import UUID, uuid4

from gateway.store import appointments
from gateway.store.base import SYSTEM, unit_of_work
from tests.web.office import Office


def code_of(office: Office, client: UUID) -> str:
    return str(office.world.value("SELECT code FROM clients WHERE id = :id", id=client))


def seen(html: str) -> str:
    found = re.search(r'name="seen" value="([^"]+)"', html)
    assert found
    return found[1]


def booked(office: Office) -> UUID:
    return office.world.appointment(office.world.client(), office.world.now + timedelta(days=1))


def at(office: Office, appointment: UUID) -> str:
    return str(office.world.value("SELECT starts_at AT TIME ZONE 'Asia/Ho_Chi_Minh' FROM appointments WHERE id = :id", id=appointment))


def test_an_appointment_is_booked_on_the_clock_of_the_place_and_shown_in_its_week(office: Office) -> None:
    client = office.world.client()
    browser = office.browser()
    html = browser.press("/appointments/new", id=str(uuid4()), client=code_of(office, client), day="2026-02-12", at="09:30")
    assert "It is booked." in html
    week = browser.read("/appointments/")
    assert "<b>09:30</b>" in week and f'<a href="/clients/{client}">{code_of(office, client)}</a>' in week
    assert code_of(office, client) not in browser.read("/appointments/?week=2026-02-20")


def test_two_clicks_book_once(office: Office) -> None:
    form = {"id": str(uuid4()), "client": code_of(office, office.world.client()), "day": "2026-02-12", "at": "09:30"}
    browser = office.browser()
    assert [browser.post("/appointments/new", **form).status_code for _ in range(2)] == [303, 303]
    assert office.world.value("SELECT count(*) FROM appointments") == 1


def test_what_is_wrong_with_a_booking_is_said_beside_what_was_typed(office: Office) -> None:
    answer = office.browser().post("/appointments/new", id=str(uuid4()), client=code_of(office, office.world.client()), day="2026-02-01", at="09:30")
    html = answer.get_data(as_text=True)
    assert (answer.status_code, "this time has passed" in html, 'value="2026-02-01"' in html) == (400, True, True)


def test_a_client_of_another_unit_cannot_be_booked(office: Office) -> None:
    code = code_of(office, office.world.client(unit_id=office.other_id))
    assert office.browser().post("/appointments/new", id=str(uuid4()), client=code, day="2026-02-12", at="09:30").status_code == 400


def test_an_appointment_is_moved_and_its_client_told(office: Office) -> None:
    appointment = booked(office)
    browser = office.browser()
    path = f"/appointments/{appointment}"
    html = browser.press(f"{path}/move", seen=seen(browser.read(path)), day="2026-02-13", at="14:00", tell="on")
    assert "The client is told by text." in html
    assert at(office, appointment) == "2026-02-13 14:00:00"
    assert office.world.value("SELECT purpose FROM outbound") == "appointment_moved"


def test_a_page_left_open_moves_nothing_that_was_moved_since(office: Office) -> None:
    appointment = booked(office)
    browser, path = office.browser(), f"/appointments/{appointment}"
    old = seen(browser.read(path))
    browser.press(f"{path}/move", seen=old, day="2026-02-13", at="14:00")
    answer = browser.post(f"{path}/cancel", seen=old)
    assert (answer.status_code, "has changed since the page was opened" in answer.get_data(as_text=True)) == (400, True)
    assert office.world.value("SELECT status FROM appointments") == "booked"


def test_attended_and_missed_are_said_after_it_began_and_may_be_corrected(office: Office) -> None:
    appointment = office.world.appointment(office.world.client(), office.world.now + timedelta(minutes=5))
    browser, path = office.browser(), f"/appointments/{appointment}"
    assert browser.post(f"{path}/close", seen=seen(browser.read(path)), status="attended").status_code == 400
    office.at(office.world.now + timedelta(minutes=10))
    assert "did not come" in browser.press(f"{path}/close", seen=seen(browser.read(path)), status="missed")
    assert "The client came." in browser.press(f"{path}/close", seen=seen(browser.read(path)), status="attended")


def test_a_workers_day_is_shown_before_it_is_cleared(office: Office) -> None:
    worker = office.member(code="lan")
    reached, silent = office.world.client(), office.world.client(consent=())
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        for client in (reached, silent):
            appointments.add(work, client, office.world.now + timedelta(days=1), worker)
    browser, day = office.browser(), {"worker": "lan", "day": "2026-02-11"}
    shown = browser.post("/appointments/away", **day).get_data(as_text=True)
    assert "no consent for reminder" in shown
    assert "11/2" in shown
    assert office.world.value("SELECT count(*) FROM appointments WHERE status = 'booked'") == 2
    done = browser.post("/appointments/away", **day, do="clear", seen=seen(shown)).get_data(as_text=True)
    assert "Done: 2 appointments." in done
    assert office.world.value("SELECT count(*) FROM appointments WHERE status = 'cancelled'") == 2
    again = browser.post("/appointments/away", **day, do="clear", seen=seen(shown))
    assert (again.status_code, "changed since the page was opened" in again.get_data(as_text=True)) == (400, True)
