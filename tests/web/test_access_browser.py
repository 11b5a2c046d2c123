"""The way in, in a real browser without JavaScript: what staff do on their first day."""

from urllib.parse import urlsplit

import pyotp
from playwright.sync_api import Browser, expect

from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import sign_in
from tests.web.office import PASSWORD, Office


def test_an_administrator_comes_in_with_a_second_factor_and_takes_a_flag(chromium: Browser, office: Office, address: str) -> None:
    office.flag(office.world.client(), "crisis")
    boss = office.member("administrator", code="boss", language="vi")
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        code = sign_in.invite(work, office.world.vault, boss, office.world.unit_id, SYSTEM)
    with chromium.new_context(java_script_enabled=False, locale="vi") as context:
        page = context.new_page()
        page.goto(sign_in.invitation_address(address, code))
        page.get_by_label("Mật khẩu mới").fill(PASSWORD)
        page.get_by_label("Nhập lại lần nữa").fill(PASSWORD)
        page.get_by_role("button", name="Lưu và đăng nhập").click()
        secret = page.locator("code").inner_text().replace(" ", "")
        page.get_by_label("Nhập sáu chữ số ứng dụng đang hiện").fill(pyotp.TOTP(secret).at(office.world.now))
        page.get_by_role("button", name="Bật").click()
        expect(page.locator(".codes li")).to_have_count(8)
        page.get_by_role("link", name="Tôi đã giữ mã: tiếp tục").click()
        page.get_by_role("button", name="Nhận cảnh báo 1").click()
        expect(page.locator("#notice")).to_contain_text("Bạn đã nhận cảnh báo 1.")
        page.get_by_role("button", name="Đăng xuất").click()
        assert urlsplit(page.url).path == "/login"
        page.wait_for_load_state()  # a page that is still coming has no way back yet
        page.go_back()
        assert urlsplit(page.url).path == "/login"  # nothing was kept to look at


def test_a_page_left_open_shows_what_is_new_and_says_when_it_cannot(chromium: Browser, office: Office, address: str) -> None:
    with chromium.new_context() as context:
        context.add_cookies([{"name": "visit", "value": office.browser().token, "url": address}])
        page = context.new_page()
        page.clock.install()
        page.goto(address)
        expect(page.locator("#flags")).to_contain_text("Nothing waits")
        office.flag(office.world.client(), "crisis")
        page.clock.run_for(21_000)
        expect(page.locator("#flags")).to_contain_text("danger to life")
        context.set_offline(True)
        page.clock.run_for(21_000)
        expect(page.get_by_text("No connection")).to_be_visible()
        context.set_offline(False)
        page.clock.run_for(21_000)
        expect(page.get_by_text("No connection")).to_be_hidden()
        office.world.run("DELETE FROM logins")
        page.clock.run_for(21_000)
        expect(page).to_have_url(f"{address}/login")
