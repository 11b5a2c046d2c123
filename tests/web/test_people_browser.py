"""What staff do about people, in a real browser."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from gateway.store import consents
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import run_imports
from tests.builders import CONTENT
from tests.web.office import Office
from tests.web.test_flags import wrote

SECONDS = 1000


@pytest.fixture
def page(chromium: Chromium, office: Office, address: str) -> Page:
    """A case worker's browser, signed in."""
    return _signed_in(chromium, office, address)


def _signed_in(chromium: Chromium, office: Office, address: str, code: str = "") -> Page:
    context = chromium.new_context(viewport={"width": 1000, "height": 800}, base_url=address)
    token = office.sign_in(office.member(code=code)).token
    context.add_cookies([{"name": "visit", "value": token, "url": address}])
    return context.new_page()


def test_a_crisis_that_arrives_while_a_page_is_open_shows_and_sounds_until_it_is_taken(page: Page, office: Office) -> None:
    page.goto("/clients/")
    page.locator("h1").click()  # a touch, without which no browser lets a page sound
    client = office.world.client()
    wrote(office, client, "toi khong muon song nua")
    number = office.flag(client, "crisis")
    expect(page.locator("#urgent")).to_contain_text("danger to life", timeout=20 * SECONDS)
    expect(page).to_have_title(re.compile(r"^\(1!\) "))
    expect(page.locator("html")).to_have_attribute("data-alarm", "sounding")
    page.get_by_role("button", name=f"Take flag {number}").click()
    expect(page.locator("#notice")).to_contain_text("is with you")
    expect(page.get_by_text("toi khong muon song nua")).to_be_visible()
    expect(page.locator("#urgent")).to_be_hidden()
    expect(page.locator("html")).to_have_attribute("data-alarm", "")


def test_the_first_click_while_a_crisis_waits_is_not_lost(page: Page, office: Office) -> None:
    office.flag(office.world.client(), "crisis")
    page.goto("/flags/")
    expect(page.locator("#urgent .mute")).to_be_visible()
    page.get_by_role("link", name="Mine").click()  # the first touch, from which on the page sounds, moves nothing away from under it
    expect(page).to_have_url(re.compile("show=mine"))


def test_who_works_by_keyboard_keeps_their_place_while_a_page_renews_itself(page: Page, office: Office) -> None:
    crisis, other = office.flag(office.world.client(), "crisis"), office.flag(office.world.client())
    page.clock.install()
    page.goto("/flags/")
    page.keyboard.press("Tab")
    expect(page.locator("#called")).to_contain_text("danger to life", timeout=20 * SECONDS)  # read aloud
    for focused in (page.locator("#urgent").get_by_role("button", name=f"Take flag {crisis}"), page.locator(f"#flag-{other} a"), page.locator(f"#flag-{other} button")):
        before = focused.element_handle()
        focused.focus()
        page.clock.run_for(21 * SECONDS)
        page.wait_for_function("old => !old.isConnected", arg=before)
        expect(focused).to_be_focused(timeout=20 * SECONDS)
    office.world.run("UPDATE flags SET owner_id = (SELECT min(id::text)::uuid FROM staff)")
    page.clock.run_for(21 * SECONDS)
    expect(page.locator("#flags")).to_be_focused(timeout=20 * SECONDS)  # not on another flag's button
    page.goto("/clients/")
    page.locator("#wanted").press("Enter")
    expect(page.locator("main .error")).to_be_focused()


def test_a_flag_is_answered_counted_and_closed(page: Page, office: Office) -> None:
    client = office.world.client()
    wrote(office, client, "goi lai cho toi nhe")
    number = office.flag(client)
    page.goto(f"/flags/{number}")
    page.get_by_role("button", name="Take", exact=True).click()
    page.get_by_label("Text", exact=True).fill("Chiều nay chị gọi em nhé")
    expect(page.locator("#count")).to_contain_text("segments 1")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".thread")).to_contain_text("answers this flag")
    page.locator("#outcome").select_option("answered_by_text")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#notice")).to_contain_text("is closed")


def test_a_page_left_open_says_what_a_colleague_did(chromium: Chromium, page: Page, office: Office, address: str) -> None:
    number = office.flag()
    page.goto(f"/flags/{number}")
    other = _signed_in(chromium, office, address, "lan")
    other.goto(f"/flags/{number}")
    other.get_by_role("button", name="Take", exact=True).click()
    page.get_by_role("button", name="Take", exact=True).click()
    expect(page.locator("main .error").first).to_contain_text("lan has taken flag")


def test_a_register_is_imported_by_somebody_who_closes_the_browser(page: Page, office: Office, tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    file.write_text("Mã,Họ và tên,SĐT\nA1,Nguyễn Thị Hoa,0912345678\nA2,Trần Nam,12\n")
    page.goto("/clients/")
    page.get_by_role("link", name="Import a register").click()
    page.locator("#file").set_input_files(file)
    page.get_by_role("button", name="Check the file").click()
    path = page.url
    page.goto("/")
    run_imports.run_next(office.world.engine, office.world.vault, CONTENT, office.world.now)
    page.goto(path)
    expect(page.get_by_role("button", name="Take 1 rows over")).to_be_visible()
    page.get_by_role("button", name="Take 1 rows over").click()
    expect(page.locator("#state")).to_contain_text("is being taken over")
    run_imports.run_next(office.world.engine, office.world.vault, CONTENT, office.world.now)
    expect(page.locator("#state")).to_contain_text("Undo this import", timeout=10 * SECONDS)
    page.goto("/clients/")
    page.locator("#wanted").fill("hoa")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="A1").click()
    expect(page.locator("h1")).to_contain_text("Nguyễn Thị Hoa")


def test_a_stop_is_seen_with_its_word_and_an_appointment_is_moved(page: Page, office: Office) -> None:
    client = office.world.client()
    office.world.appointment(client, office.world.now + timedelta(days=2))
    page.goto(f"/clients/{client}")
    page.get_by_label("New time").fill("2026-02-16T09:30")
    page.get_by_role("button", name="Move").click()
    expect(page.locator("#expected")).to_contain_text("16")
    inbound = wrote(office, client, "DUNG")
    phone_hash = office.world.value("SELECT phone_hash FROM phones WHERE client_id = :id", id=client)
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        consents.stop_phone(work, bytes(phone_hash), "stop", "inbound", inbound)
    page.reload()
    expect(page.locator("main")).to_contain_text("STOP: no texts")
    expect(page.locator("main")).to_contain_text("“DUNG”")
    expect(page.locator("#text")).to_have_count(0)
