"""The directory on the pages: looked at, corrected, checked again."""

import re
from datetime import date
from uuid import UUID, uuid4

from gateway.domain.services import Service
from gateway.store import services
from gateway.store.base import SYSTEM, unit_of_work
from tests.web.office import Browser, Office

TYPED = {"category": "food", "name": "Quán cơm", "short_name": "Com trua", "units": "P01", "languages": "vi", "address": "", "hours": "24/7",
         "phone": "0238 555 0100", "who": "", "cost": ""}  # fmt: skip


def kept(office: Office, unit_id: UUID | None = None, checked_on: date = date(2025, 1, 1)) -> UUID:
    made = Service(uuid4(), f"S-{uuid4()}"[:12], "food", "Quán cơm", "Com trua", [unit_id or office.world.unit_id], checked_on=checked_on)
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        services.add(work, made, None)
    return made.id


def seen(browser: Browser, service: UUID) -> str:
    found = re.search(r'name="seen" value="(\w+)"', browser.read(f"/services/{service}"))
    assert found
    return found[1]


def test_what_was_not_checked_for_six_months_is_listed_until_somebody_looked(office: Office) -> None:
    service = kept(office)
    fresh = kept(office, checked_on=date(2026, 2, 1))
    browser = office.browser()
    assert f"/services/{service}" in browser.read("/services/?due=yes")
    assert f"/services/{fresh}" not in browser.read("/services/?due=yes")
    assert "as of today" in browser.press(f"/services/{service}/check", seen=seen(browser, service), gone="no")
    assert str(service) not in browser.read("/services/?due=yes")


def test_a_long_directory_is_read_page_by_page(office: Office) -> None:
    known = {str(kept(office)) for _ in range(103)}
    browser = office.browser()
    first, second = (browser.read(f"/services/?category=food&page={number}") for number in (1, 2))
    shown = [set(re.findall(r"/services/([0-9a-f-]{36})", page)) for page in (first, second)]
    assert (len(shown[0]), len(shown[1]), shown[0] | shown[1]) == (100, 3, known)
    assert 'href="/services/?page=2&amp;category=food"' in first


def test_an_entry_is_corrected_as_it_was_seen(office: Office) -> None:
    service = kept(office)
    browser = office.browser("supervisor")
    old = seen(browser, service)
    assert "Com chieu" in browser.press(f"/services/{service}", **TYPED | {"short_name": "Com chieu"}, seen=old)
    answer = browser.post(f"/services/{service}", **TYPED, seen=old)
    assert (answer.status_code, "has changed since" in answer.get_data(as_text=True)) == (400, True)


def test_a_short_name_that_tells_too_much_is_refused_and_stays_typed(office: Office) -> None:
    service = kept(office)
    browser = office.browser("supervisor")
    answer = browser.post(f"/services/{service}", **TYPED | {"short_name": "Cai nghien"}, seen=seen(browser, service))
    html = answer.get_data(as_text=True)
    assert (answer.status_code, "others read the phone too" in html, 'value="Cai nghien"' in html) == (400, True, True)


def test_a_service_is_added_once(office: Office) -> None:
    browser = office.browser("supervisor")
    assert "It is in the directory." in browser.press("/services/new", code="COM", **TYPED)
    answer = browser.post("/services/new", code="COM", **TYPED)
    assert (answer.status_code, "there is a service" in answer.get_data(as_text=True)) == (400, True)


def test_what_a_unit_above_keeps_is_seen_and_not_changed(office: Office) -> None:
    service = kept(office, office.top_id)
    browser = office.browser("supervisor")
    assert "Another unit keeps this entry." in browser.read(f"/services/{service}")
    with unit_of_work(office.world.engine, SYSTEM) as work:
        entry = services.get(work, service)
    from gateway.web.services import _seen
    assert browser.post(f"/services/{service}/check", seen=_seen(entry), gone="yes").status_code in (400, 403)
    assert office.world.value("SELECT gone_on FROM services WHERE id = :id", id=service) is None
