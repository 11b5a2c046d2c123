"""Signing in, and out: what is asked, what is remembered, and what a guesser meets."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import pyotp
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.domain import access
from gateway.store import credentials
from gateway.store.base import SYSTEM, Work, unit_of_work
from gateway.usecases import sign_in
from tests.web.office import PASSWORD, Browser, Office


def form_token(html: str) -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', html)
    assert found is not None
    return found[1]


def fill(http: FlaskClient, path: str, network: str = "192.0.2.1", **form: str) -> TestResponse:
    """Open the page with a form and send it, as a browser does."""
    token = form_token(http.get(path).get_data(as_text=True))
    return http.post(path, data={"form_token": token, **form}, environ_base={"REMOTE_ADDR": network})


def invite(office: Office, staff_id: UUID) -> str:
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        return sign_in.invite(work, office.world.vault, staff_id, office.world.unit_id, SYSTEM)


def enrol(office: Office, staff_id: UUID, http: FlaskClient | None = None) -> FlaskClient:
    """Choose the password by an invitation; the browser is signed in then."""
    http = http or office.app.test_client()
    assert fill(http, "/invitation", code=invite(office, staff_id), password=PASSWORD, again=PASSWORD).status_code == 303
    return http


def sign(http: FlaskClient, code: str, password: str = PASSWORD, network: str = "192.0.2.1") -> TestResponse:
    return fill(http, "/login", network, code=code, password=password)


@pytest.fixture
def lan(office: Office) -> UUID:
    return office.member(code="lan")


def test_an_invitation_sets_a_password_once_and_signs_in(office: Office, lan: UUID) -> None:
    code = invite(office, lan)
    http = office.app.test_client()
    assert http.get(f"/invitation?code={code}").status_code == 200  # looking uses nothing up
    assert fill(http, "/invitation", code=code.lower(), password=PASSWORD, again=PASSWORD).location == "/"
    assert http.get("/").status_code == 200
    again = fill(office.app.test_client(), "/invitation", code=code, password=PASSWORD, again=PASSWORD)
    assert "not good any more" in again.get_data(as_text=True)
    assert sign(office.app.test_client(), "lan").location == "/"


def test_an_invitation_ends_after_three_days(office: Office, lan: UUID) -> None:
    code = invite(office, lan)
    office.at(office.world.now + timedelta(hours=73))
    assert fill(office.app.test_client(), "/invitation", code=code, password=PASSWORD, again=PASSWORD).status_code == 400


@pytest.mark.parametrize(("password", "again", "said"), [
    ("short", "short", "from 12 to 200"), ("aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaa", "easily guessed"), ("123456789012", "123456789012", "easily guessed"),
    ("lan lan lan by the sea", "lan lan lan by the sea", "easily guessed"), (PASSWORD, PASSWORD + "!", "differ"),
])  # fmt: skip
def test_a_poor_password_is_refused_and_the_invitation_stays_good(office: Office, lan: UUID, password: str, again: str, said: str) -> None:
    code = invite(office, lan)
    http = office.app.test_client()
    assert said in fill(http, "/invitation", code=code, password=password, again=again).get_data(as_text=True)
    assert fill(http, "/invitation", code=code, password=PASSWORD, again=PASSWORD).status_code == 303


def test_a_password_is_the_same_however_the_keyboard_composes_its_letters(office: Office, lan: UUID) -> None:
    code = invite(office, lan)
    composed, decomposed = "mười hai con hạc", "mười hai con hạc"
    fill(office.app.test_client(), "/invitation", code=code, password=composed, again=composed)
    assert sign(office.app.test_client(), "lan", decomposed).status_code == 303


def test_a_wrong_password_and_an_unknown_code_get_the_same_answer(office: Office, lan: UUID) -> None:
    enrol(office, lan)
    known, unknown = (sign(office.app.test_client(), code, "wrong", network) for code, network in (("lan", "192.0.2.2"), ("nobody", "192.0.2.3")))
    pages = [re.sub(r'(form_token" value=")[0-9a-f]+|(value=")(lan|nobody)', "", answer.get_data(as_text=True)) for answer in (known, unknown)]
    assert (known.status_code, pages[0]) == (unknown.status_code, pages[1])


def test_signing_in_leads_to_the_page_that_was_asked_for_and_nowhere_else(office: Office, lan: UUID) -> None:
    enrol(office, lan)
    http = office.app.test_client()
    assert http.get("/settings").location == "/login?next=/settings"
    for path, leads in (("/settings", "/settings"), ("//evil.example", "/"), ("https://evil.example", "/"), ("/\\evil.example", "/")):
        assert fill(office.app.test_client(), "/login", code="lan", password=PASSWORD, next=path).location == leads


def test_signing_in_gives_another_cookie_and_the_old_one_opens_nothing(office: Office, lan: UUID) -> None:
    enrol(office, lan)
    http = office.app.test_client()
    http.get("/login")
    planted = http.get_cookie("visit")
    sign(http, "lan")
    now = http.get_cookie("visit")
    assert planted is not None and now is not None and planted.value != now.value
    other = office.app.test_client()
    other.set_cookie("visit", planted.value)
    assert other.get("/").status_code == 303


def test_the_cookie_is_closed_to_scripts_and_bound_to_https_where_there_is_https(office: Office, lan: UUID) -> None:
    set_cookie = office.app.test_client().get("/login").headers["Set-Cookie"]
    assert set_cookie.startswith("visit=") and "HttpOnly" in set_cookie and "SameSite=Lax" in set_cookie


def test_the_token_is_not_in_the_database(office: Office, lan: UUID) -> None:
    http = enrol(office, lan)
    cookie = http.get_cookie("visit")
    assert cookie is not None
    [row] = office.world.rows("SELECT hash FROM logins")
    assert cookie.value.encode() not in bytes(row.hash)


# --- guessers -----------------------------------------------------------------------------------------------------------


def guess(office: Office, code: str, times: int, network: str = "198.51.100.7") -> list[int]:
    return [sign(office.app.test_client(), code, "wrong wrong wrong", network).status_code for _ in range(times)]


def test_after_five_failures_a_guesser_waits_and_even_the_right_password_is_not_looked_at(office: Office, lan: UUID) -> None:
    enrol(office, lan)
    assert guess(office, "lan", 6) == [400] * 5 + [429]
    answer = sign(office.app.test_client(), "lan", network="198.51.100.7")
    assert (answer.status_code, "wait" in answer.get_data(as_text=True)) == (429, True)
    office.at(office.world.now + timedelta(seconds=3))
    assert sign(office.app.test_client(), "lan", network="198.51.100.7").status_code == 303


def test_guessing_from_elsewhere_does_not_slow_its_victim_down(office: Office, lan: UUID) -> None:
    enrol(office, lan)
    guess(office, "lan", 7)
    assert sign(office.app.test_client(), "lan", network="192.0.2.50").status_code == 303


def test_a_known_device_is_not_slowed_down_even_by_a_guesser_in_the_same_network(office: Office, lan: UUID) -> None:
    http = enrol(office, lan)
    guess(office, "lan", 7)
    fresh = office.app.test_client()
    known = http.get_cookie("known")
    assert known is not None
    fresh.set_cookie("known", known.value)
    assert sign(fresh, "lan", network="198.51.100.7").status_code == 303


def test_a_known_device_is_slowed_down_by_its_own_failures_and_known_for_its_own_people_alone(office: Office, lan: UUID) -> None:
    http = enrol(office, lan)
    known = http.get_cookie("known")
    assert known is not None
    hoa = office.member(code="hoa")
    enrol(office, hoa)

    def tries(code: str) -> list[int]:
        browser = office.app.test_client()
        browser.set_cookie("known", known.value)
        return [sign(browser, code, "wrong wrong", "198.51.100.9").status_code for _ in range(6)]

    assert tries("lan")[-1] == 429
    guess(office, "hoa", 6, "198.51.100.9")
    assert tries("hoa") == [429] * 6


def test_one_network_that_tries_many_codes_is_slowed_down(office: Office) -> None:
    answers = [guess(office, f"code{n}", 1)[0] for n in range(21)]
    assert answers == [400] * 20 + [429]


def test_a_try_that_is_counted_and_one_that_is_forgiven_do_not_wait_for_each_other(office: Office) -> None:
    network, person = bytes(16), b"\xff" * 16  # taken in this order
    limits = {network: access.ONE_NETWORK, person: access.ONE_PERSON}

    def run(deed: Callable[[Work], object]) -> None:
        with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
            deed(work)

    run(lambda work: credentials.count_try(work, limits))
    with ThreadPoolExecutor(2) as both:
        with unit_of_work(office.world.engine, SYSTEM, office.world.now) as somebody:
            credentials.count_try(somebody, {network: access.ONE_NETWORK})
            waiting = []
            for deed in (lambda work: credentials.count_try(work, limits), lambda work: credentials.forgive(work, person, [network])):
                waiting.append(both.submit(run, deed))
                with suppress(TimeoutError):
                    waiting[-1].result(0.3)
        for each in waiting:
            each.result()


def test_poor_first_passwords_slow_nobody_in_the_office_down(office: Office, lan: UUID) -> None:
    code, http = invite(office, lan), office.app.test_client()
    answers = [fill(http, "/invitation", code=code, password="short", again="short").status_code for _ in range(8)]
    assert answers == [400] * 8
    enrol(office, office.member(code="hoa"))


def test_letters_of_any_alphabet_are_no_digits_and_no_fault_of_ours(office: Office, two_factors: tuple[str, list[str], str]) -> None:
    http = office.app.test_client()
    sign(http, "boss")
    for typed in ("١٢٣٤٥٦", "１２３４５６", "mười hai"):
        assert fill(http, "/login/second", digits=typed).status_code == 400
    assert http.post("/login/second", data={"form_token": "đ" * 80, "digits": "123456"}).status_code == 400
    browser = office.browser("supervisor")
    browser.read("/settings/second-factor")
    assert browser.post("/settings/second-factor", digits="mười hai").status_code == 400


def test_a_stolen_browser_gets_no_recovery_codes_for_digits(office: Office) -> None:
    browser = office.browser("supervisor")
    secret = sign_in.begin_second(sign_in.House(office.world.engine, office.world.vault, office.world.now), browser.staff_id)
    now = pyotp.TOTP(secret).at(office.world.now)
    for password in ({}, {"old": "not it"}):
        assert browser.post("/settings/second-factor", digits=now, **password).status_code == 400, "whoever sits down at it locks its owner out"
    assert office.world.value("SELECT count(*) FROM recovery_codes") == 0
    assert "<code>" in browser.post("/settings/second-factor", digits=now, old=PASSWORD).get_data(as_text=True)
    codes = office.world.rows("SELECT hash FROM recovery_codes ORDER BY hash")
    office.at(office.world.now + timedelta(minutes=1))
    again = office.sign_in(browser.staff_id)
    assert again.post("/settings/second-factor", digits=pyotp.TOTP(secret).at(office.world.now + timedelta(minutes=1))).status_code == 400
    assert codes == office.world.rows("SELECT hash FROM recovery_codes ORDER BY hash")


def test_failures_are_forgotten_after_a_day_and_by_signing_in(office: Office, lan: UUID) -> None:
    enrol(office, lan)
    guess(office, "lan", 4)
    assert sign(office.app.test_client(), "lan", network="198.51.100.7").status_code == 303
    assert guess(office, "lan", 4) == [400] * 4
    office.at(office.world.now + timedelta(days=1, seconds=1))
    assert guess(office, "lan", 5) == [400] * 5


def test_nobody_is_named_where_failures_are_counted(office: Office, lan: UUID) -> None:
    guess(office, "lan", 2)
    assert all(len(bytes(row.hash)) == 16 for row in office.world.rows("SELECT hash FROM login_tries"))


def test_a_flood_of_tries_leaves_threads_and_memory_for_what_carriers_post(office: Office, lan: UUID) -> None:
    """Four passwords are looked at or wait; the next one is told to come back, and it does not count as a failure."""
    enrol(office, lan)
    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda n: sign(office.app.test_client(), "lan", "wrong wrong", f"203.0.113.{n}").status_code, range(24)))
    assert set(answers) <= {400, 429}
    counted = office.world.value("SELECT count(*) FROM login_tries WHERE failures > 0")
    assert counted == 2 * answers.count(400)
    assert sign(office.app.test_client(), "lan").status_code == 303


# --- the second factor -------------------------------------------------------------------------------------------------


def digits(office: Office, html: str, seconds: int = 0) -> str:
    """What the app shows that read the picture's key."""
    found = re.search(r"<code>([A-Z2-7 ]+)</code>", html)
    assert found is not None
    return pyotp.TOTP(found[1].replace(" ", "")).at(office.world.now + timedelta(seconds=seconds))


def test_an_administrator_does_nothing_before_the_second_factor_is_set_up(office: Office) -> None:
    http = enrol(office, office.member("administrator", code="boss"))
    assert http.get("/").location == "/settings/second-factor"
    html = http.get("/settings/second-factor").get_data(as_text=True)
    token = form_token(html)
    wrong = http.post("/settings/second-factor", data={"form_token": token, "digits": "000000"})
    assert wrong.status_code == 400
    right = http.post("/settings/second-factor", data={"form_token": token, "digits": digits(office, html)})
    assert len(re.findall(r"<li><code>[A-Z2-7-]+</code>", right.get_data(as_text=True))) == 8
    assert http.get("/").status_code == 200


@pytest.fixture
def two_factors(office: Office) -> tuple[str, list[str], str]:
    """The administrator `boss`: the page with the key, recovery codes, and the digits that were used already."""
    http = enrol(office, office.member("administrator", code="boss"))
    html = http.get("/settings/second-factor").get_data(as_text=True)
    used = digits(office, html)
    answer = http.post("/settings/second-factor", data={"form_token": form_token(html), "digits": used})
    return html, re.findall(r"<li><code>([A-Z2-7-]+)</code>", answer.get_data(as_text=True)), used


def test_after_the_password_the_digits_are_asked_for_and_no_code_is_taken_twice(office: Office, two_factors: tuple[str, list[str], str]) -> None:
    html, _codes, used = two_factors
    http = office.app.test_client()
    assert sign(http, "boss").location == "/login/second"
    assert http.get("/").location == "/login/second"
    assert fill(http, "/login/second", digits=used).status_code == 400
    office.at(office.world.now + timedelta(seconds=30))
    assert fill(http, "/login/second", digits=digits(office, html, 30)).location == "/"
    assert http.get("/").status_code == 200


def test_a_recovery_code_stands_in_once(office: Office, two_factors: tuple[str, list[str], str]) -> None:
    for answer in (303, 400):
        http = office.app.test_client()
        sign(http, "boss")
        assert fill(http, "/login/second", digits=two_factors[1][0].lower()).status_code == answer


def test_guessing_digits_is_slowed_down_for_all_strange_networks_together(office: Office, two_factors: tuple[str, list[str], str]) -> None:
    answers = []
    for n in range(11):
        http = office.app.test_client()
        sign(http, "boss", network=f"203.0.113.{n}")
        answers.append(fill(http, "/login/second", f"203.0.113.{n}", digits="123456").status_code)
    assert answers == [400] * 10 + [429]


def test_an_invitation_for_a_lost_phone_drops_the_second_factor(office: Office, two_factors: tuple[str, list[str], str]) -> None:
    boss = office.world.value("SELECT id FROM staff WHERE code = 'boss'")
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        code = sign_in.invite(work, office.world.vault, boss, office.world.unit_id, SYSTEM, reset_second=True)
    http = office.app.test_client()
    assert fill(http, "/invitation", code=code, password=PASSWORD, again=PASSWORD).location == "/settings/second-factor"


# --- how long it lasts -------------------------------------------------------------------------------------------------


def test_a_login_ends_when_nobody_is_there_for_three_quarters_of_an_hour(office: Office) -> None:
    browser = office.browser()
    office.at(office.world.now + timedelta(minutes=44))
    assert browser.get("/").status_code == 200
    office.at(office.world.now + timedelta(minutes=88))
    assert browser.get("/").status_code == 200
    office.at(office.world.now + timedelta(minutes=134))
    assert browser.get("/").status_code == 303


def test_a_page_that_asks_for_news_by_itself_keeps_nobody_signed_in(office: Office) -> None:
    browser = office.browser()
    for minutes in (20, 40):
        office.at(office.world.now + timedelta(minutes=minutes))
        assert browser.get("/", **{"X-By-Itself": "1", "HX-Request": "true"}).status_code == 200
    office.at(office.world.now + timedelta(minutes=46))
    answer = browser.get("/", **{"X-By-Itself": "1", "HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/login")  # what was on the screen goes away


def test_a_login_ends_after_twelve_hours_whatever_happens(office: Office) -> None:
    browser = office.browser()
    for minutes in range(30, 12 * 60, 30):
        office.at(office.world.now + timedelta(minutes=minutes))
        assert browser.get("/").status_code == 200
    office.at(office.world.now + timedelta(hours=12, minutes=1))
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize("change", [
    "UPDATE staff SET active = false WHERE id = :id", "UPDATE staff SET role = 'supervisor' WHERE id = :id",
    "UPDATE staff SET unit_id = (SELECT id FROM units WHERE code = 'P02') WHERE id = :id",
    "UPDATE credentials SET password_at = password_at + interval '1 s' WHERE staff_id = :id",
])  # fmt: skip
def test_a_login_ends_at_once_when_what_it_was_given_for_changes(office: Office, change: str) -> None:
    browser = office.browser()
    assert browser.get("/").status_code == 200
    office.world.run(change, id=browser.staff_id)
    assert browser.get("/").status_code == 303


def test_signing_out_ends_the_login_and_not_only_the_cookie(office: Office) -> None:
    browser = office.browser()
    assert browser.post("/logout").location == "/login"
    stolen = office.app.test_client()
    stolen.set_cookie("visit", browser.token)
    assert stolen.get("/").status_code == 303


# --- one's own settings -------------------------------------------------------------------------------------------------


def test_one_signs_out_another_browser_of_ones_own_and_nobody_elses(office: Office, lan: UUID) -> None:
    here, there, other = office.sign_in(lan), office.sign_in(lan), office.browser()
    ids = {row.id for row in office.world.rows("SELECT id FROM logins WHERE staff_id = :id", id=other.staff_id)}
    assert here.post("/settings/end", login=str(ids.pop())).status_code == 404
    assert here.press("/settings/end", others="1").count("a test") == 1
    assert (there.get("/").status_code, other.get("/").status_code) == (303, 200)


def test_a_password_is_changed_on_the_old_one_and_other_browsers_are_out(office: Office, lan: UUID) -> None:
    http, other = enrol(office, lan), office.sign_in(lan)
    token = form_token(http.get("/settings").get_data(as_text=True))
    new = {"form_token": token, "password": "four wild geese", "again": "four wild geese"}
    assert http.post("/settings/password", data=new | {"old": "not this"}).status_code == 400
    assert http.post("/settings/password", data=new | {"old": PASSWORD}).location == "/settings"
    assert "The password is changed." in http.get("/settings").get_data(as_text=True)
    assert other.get("/").status_code == 303
    assert sign(office.app.test_client(), "lan", "four wild geese").status_code == 303


def test_a_stolen_browser_does_not_guess_the_password(office: Office, lan: UUID) -> None:
    enrol(office, lan)
    browser: Browser = office.sign_in(lan)
    answers = [browser.post("/settings/recovery", old="wrong").status_code for _ in range(6)]
    assert answers == [400] * 5 + [429]


def test_the_language_is_ones_own_and_the_pages_speak_it(office: Office) -> None:
    for role in ("case_worker", "reviewer", "analyst"):
        browser = office.browser(role)
        assert "Ngôn ngữ" in browser.press("/settings/language", language="vi")
        assert browser.post("/settings/language", language="xx").status_code == 400


def test_what_happened_at_the_door_is_in_the_audit_trail(office: Office, lan: UUID) -> None:
    enrol(office, lan)
    sign(office.app.test_client(), "lan")
    assert [row.action for row in office.world.rows("SELECT action FROM audit ORDER BY id")] == [
        "staff.invite", "staff.password", "staff.signed_in", "staff.signed_in"]  # fmt: skip
