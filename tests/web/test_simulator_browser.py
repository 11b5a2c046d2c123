"""The simulated phone in a real browser: Debian's `chromium`, found by its name."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from gateway.vault import Vault
from tests import simulated
from tests.simulated import Simulated
from tests.web.test_pages_browser import RULES


@pytest.fixture
def here(engine: Engine, vault: Vault, redis_url: str) -> Iterator[Simulated]:
    with simulated.running(engine, vault, redis_url) as running:
        yield running


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page that fails the test when the browser complains (of its content policy, say), if not of a lost connection."""
    with chromium.new_context(viewport={"width": 1000, "height": 800}, locale="en") as context:
        page, complaints = context.new_page(), []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
        yield page
    assert [text for text in complaints if "ERR_INTERNET_DISCONNECTED" not in text] == []


def take(page: Page, here: Simulated, language: str = "en") -> str:
    """Open the page and choose the only client; their phone."""
    client = here.world.client()
    page.goto(f"{here.url}/simulator?language={language}")
    page.locator("button[name=client]").click()
    phone = here.world.phone_of(client)
    expect(page.locator(".phone h2")).to_contain_text(phone)
    return phone


def test_a_text_appears_by_itself_and_is_answered(here: Simulated, page: Page, tmp_path: Path) -> None:
    phone = take(page, here)
    here.carry(phone, "Nhac hen 9:00. Tra loi 1.")
    expect(page.locator("article.in")).to_contain_text("GSM-7 · segments 1")
    page.get_by_role("button", name="1", exact=True).click()
    expect(page.locator(".phone textarea")).to_have_value("1")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("article.out")).to_contain_text("1")
    expect(page.locator(".phone textarea")).to_have_value("")
    assert here.world.value("SELECT count(*) FROM inbound") == 1
    assert phone[1:] not in page.url
    page.screenshot(path=tmp_path / "phone.png")


def test_the_count_of_segments_follows_what_is_typed(here: Simulated, page: Page) -> None:
    take(page, here)
    page.locator(".phone textarea").fill("a" * 161)
    expect(page.locator(".phone .count")).to_have_text("GSM-7 · segments 2")
    page.locator(".phone textarea").fill("vâng ạ")
    expect(page.locator(".phone .count")).to_have_text("UCS-2 · segments 1")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".phone textarea")).to_have_value("")


def test_the_keyboard_alone_will_do(here: Simulated, page: Page) -> None:
    phone = take(page, here)
    expect(page.locator(".phone textarea")).to_be_focused()
    page.keyboard.type("co")
    page.keyboard.press("Enter")
    expect(page.locator("article.out")).to_contain_text("co")
    page.keyboard.type("1")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("article.out")).to_have_count(2)
    assert len(here.texts(phone)) == 2


@pytest.mark.parametrize("language", ["en", "vi", "fr"])
def test_all_of_it_fits_a_screen_of_320_pixels_and_everybody_can_use_it(here: Simulated, page: Page, tmp_path: Path, language: str) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    phone = take(page, here, language)
    here.carry(phone, "W" * 160)
    expect(page.locator("article.in")).to_be_visible()
    page.get_by_role("button", name="Menu *123#").click()
    expect(page.locator(".menu")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert [each["id"] for each in Axe().run(page, options=RULES).response["violations"]] == []
    page.screenshot(path=tmp_path / f"{language}.png", full_page=True)


def test_a_gateway_that_went_away_is_named_and_found_again(here: Simulated, page: Page) -> None:
    phone = take(page, here)
    page.context.set_offline(True)
    expect(page.locator(".phone .trouble")).to_contain_text("does not answer")
    page.context.set_offline(False)
    here.carry(phone, "again")
    expect(page.locator("article.in")).to_contain_text("again")
    expect(page.locator(".phone .trouble")).to_be_hidden()


def test_without_javascript_a_text_is_read_and_answered(here: Simulated, chromium: Browser) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        phone = take(page, here)
        here.carry(phone, "Nhac hen")
        page.get_by_role("button", name="Refresh").click()
        expect(page.locator("article.in")).to_contain_text("Nhac hen")
        page.get_by_role("button", name="1", exact=True).click()
        page.get_by_role("button", name="Send").click()
        expect(page.locator("article.out")).to_contain_text("1")


def test_the_menu_is_dialled_and_walked(here: Simulated, page: Page) -> None:
    take(page, here)
    draft, menu = page.locator(".phone textarea"), page.locator(".phone .menu")
    page.get_by_role("button", name="Menu *123#").click()
    expect(menu).to_contain_text("7 Tro giup")
    draft.fill("4")
    draft.press("Enter")
    expect(menu).to_contain_text("Đã ghi nhận")
    assert here.world.value("SELECT reason FROM flags") == "callback"
    draft.fill("xin chao")
    draft.press("Enter")
    expect(page.locator("article.out")).to_contain_text("xin chao")
    page.get_by_role("button", name="Hang up").click()
    expect(menu).to_be_hidden()
    draft.fill("*123*7#")
    draft.press("Enter")
    expect(menu).to_contain_text("0")


def test_two_phones_are_used_one_beside_the_other_and_the_clock_moves(here: Simulated, page: Page) -> None:
    first = take(page, here)
    page.locator(".phone textarea").fill("a draft")
    page.get_by_role("button", name="Menu *123#").click()
    expect(page.locator(".phone .menu")).to_be_visible()
    second = here.world.phone_of(here.world.client())
    page.locator("#typed").fill(second)
    page.get_by_role("button", name="Take this phone").click()
    phones = page.locator(".phone")
    expect(phones).to_have_count(2)
    expect(phones.nth(0).locator(".menu")).to_contain_text("7 Tro giup")
    phones.nth(1).locator("textarea").fill("xin chao")
    phones.nth(1).locator(".send").click()
    expect(phones.nth(1).locator("article.out")).to_contain_text("xin chao")
    assert here.texts(first) == []
    here.world.run("UPDATE outbound SET state = 'cancelled' WHERE state = 'planned'")  # nobody sends here
    shown = page.locator("#now").inner_text()
    page.get_by_role("button", name="1 hour on").click()
    expect(page.locator("#now")).not_to_have_text(shown, timeout=15_000)
    expect(page.get_by_role("button", name="1 hour on")).to_be_focused()  # to be pressed again
    assert here.world.value("SELECT ahead >= interval '59 minutes' FROM practice_clock")
