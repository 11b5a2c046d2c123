"""What is refused to whoever attacks the pages, and the line in the audit trail that says so."""

from datetime import timedelta
from typing import Any

import pyotp
import pytest

from gateway.usecases import sign_in
from gateway.web.guard import Visit
from tests.web.office import PASSWORD, Browser, Office
from tests.web.test_access import enrol, fill, guess, sign


def trail(office: Office, action: str) -> list[Any]:
    """The rows of an action, as they came."""
    return office.world.rows("SELECT * FROM audit WHERE action = :action ORDER BY id", action=action)


# --- pages --------------------------------------------------------------------------------------------------------------


def test_asking_for_what_is_of_another_unit_is_in_the_trail(office: Office) -> None:
    client, number = office.world.client(unit_id=office.other_id), office.flag(unit_id=office.other_id)
    browser = office.browser()
    for path in (f"/clients/{client}", f"/flags/{number}"):
        assert browser.get(path).status_code == 404
    assert browser.post(f"/clients/{client}/stop").status_code == 404
    rows = trail(office, "page.refused")
    assert [(row.staff_id, row.unit_id, row.subject, row.subject_id, row.detail) for row in rows] == [
        (browser.staff_id, office.world.unit_id, subject, str(asked), {"page": page, "why": "not there"})
        for subject, asked, page in (("client", client, "clients.show"), ("flag", number, "flags.show"), ("client", client, "clients.stop"))
    ]


def test_an_id_in_a_form_that_is_of_another_unit_is_in_the_trail(office: Office) -> None:
    browser, other = office.browser(), office.browser()
    login = office.world.value("SELECT id FROM logins WHERE staff_id = :id", id=other.staff_id)
    assert browser.post("/settings/end", login=str(login)).status_code == 404
    assert [(row.subject, row.subject_id) for row in trail(office, "page.refused")] == [("page", "settings.end")]


@pytest.mark.parametrize("role", ["case_worker", "reviewer", "analyst"])
def test_a_door_that_is_not_of_ones_role_is_in_the_trail(office: Office, role: str) -> None:
    browser = office.browser(role)
    assert browser.get("/units/new").status_code == 403
    assert [row.detail["why"] for row in trail(office, "page.refused")] == ["role"]


@pytest.mark.parametrize("forged", ["none", "another browser's", "another site's"])
def test_a_forged_form_does_nothing_and_is_in_the_trail(office: Office, forged: str) -> None:
    browser, stranger = office.browser(), office.browser()
    number = office.flag()
    token = {"none": "", "another browser's": Visit(stranger.token, None).form_token, "another site's": Visit(browser.token, None).form_token}[forged]
    site = "cross-site" if forged == "another site's" else "same-origin"
    answer = browser.http.post(f"/flags/{number}/take", data={"form_token": token}, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 400
    assert [(row.staff_id, row.subject_id, row.detail["why"]) for row in trail(office, "page.refused")] == [(browser.staff_id, str(number), "form")]
    assert office.world.value("SELECT owner_id FROM flags") is None


def test_what_nobody_asked_for_while_signed_in_is_told_by_the_log_alone(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert office.app.test_client().post("/login", data={"code": "lan", "password": PASSWORD}).status_code == 400
    assert (trail(office, "page.refused"), '"page": "access.enter"' in capsys.readouterr().err) == ([], True)


def test_the_line_is_there_for_a_lead_to_read(office: Office) -> None:
    office.browser().get(f"/clients/{office.world.client(unit_id=office.other_id)}")
    assert "page.refused" in office.browser("supervisor").read("/audit")


@pytest.mark.parametrize("address", ["http://[", "//[", "http://[::1", "/[", "\\", "/\\[", "//evil.example", "/\t/evil.example", "javascript:alert(1)", "http:evil"])
def test_no_address_to_return_to_is_too_odd_or_leads_away(office: Office, address: str) -> None:
    enrol(office, office.member(code="lan"))
    http = office.app.test_client()
    answer = fill(http, "/login", code="lan", password=PASSWORD, next=address)
    assert (answer.status_code, answer.location) == (303, "/%5B" if address == "/[" else "/")
    assert http.get("/login", query_string={"next": address}).location in ("/", "/%5B")
    assert office.app.test_client().get("/settings", headers={"HX-Request": "true", "HX-Current-URL": address}).status_code == 204


# --- guessing -----------------------------------------------------------------------------------------------------------


def test_guessing_at_a_password_is_in_the_trail_once_for_the_person(office: Office) -> None:
    lan = office.member(code="lan")
    enrol(office, lan)
    assert guess(office, "lan", 8)[:5] == [400] * 5
    (row,) = trail(office, "staff.guessed")
    assert (row.staff_id, row.subject_id, row.unit_id, row.detail["at"]) == (None, str(lan), office.world.unit_id, "password")
    assert "198.51.100.7" not in str(row.detail)
    guess(office, "lan", 5, "198.51.100.8")
    networks = [each.detail["network"] for each in trail(office, "staff.guessed")]
    assert len(networks) == len(set(networks)) == 2  # one word for each network


def test_a_few_slips_and_then_the_right_password_are_no_guessing(office: Office) -> None:
    enrol(office, office.member(code="lan"))
    assert guess(office, "lan", 4) == [400] * 4
    assert sign(office.app.test_client(), "lan", network="198.51.100.7").status_code == 303
    assert trail(office, "staff.guessed") == []


def test_a_network_that_tries_many_codes_is_in_the_trail_of_the_topmost_unit(office: Office) -> None:
    for n in range(22):
        guess(office, f"code{n}", 1)
    (row,) = trail(office, "network.guessed")
    assert (row.unit_id, row.subject, row.staff_id) == (office.top_id, "network", None)


def test_guessing_at_a_second_factor_is_in_the_trail(office: Office) -> None:
    boss = office.member("administrator", code="boss")
    half = office.sign_in(boss, "second")
    for _ in range(7):
        half.post("/login/second", digits="123456")
    assert [(row.subject_id, row.detail["at"]) for row in trail(office, "staff.guessed")] == [(str(boss), "second factor")]


def test_guessing_at_invitations_is_in_the_trail(office: Office) -> None:
    for n in range(20):
        fill(office.app.test_client(), "/invitation", code=f"AAAA-{n}", password=PASSWORD, again=PASSWORD)
    assert [row.detail["at"] for row in trail(office, "network.guessed")] == ["invitation"]


def test_a_stolen_browser_that_guesses_is_in_the_trail_and_hinders_its_owner_in_nothing(office: Office) -> None:
    lan = office.member(code="lan")
    enrol(office, lan)
    stolen: Browser = office.sign_in(lan)
    own: Browser = office.sign_in(lan)
    assert [stolen.post("/settings/recovery", old="wrong").status_code for _ in range(7)] == [400] * 5 + [429] * 2
    assert [row.detail["at"] for row in trail(office, "staff.guessed")] == ["password again"]
    new = "four wild geese"
    assert own.post("/settings/password", old=PASSWORD, password=new, again=new).location == "/settings"
    assert stolen.get("/").status_code == 303  # and with that it is out


# --- tokens that somebody planted or saw ----------------------------------------------------------------------------------


def test_what_was_seen_before_the_second_factor_opens_nothing_after_it(office: Office) -> None:
    boss = office.member("administrator", code="boss")
    house = sign_in.House(office.world.engine, office.world.vault, office.world.now)
    enrolled = enrol(office, boss)
    secret = sign_in.begin_second(house, boss)
    fill(enrolled, "/settings/second-factor", digits=pyotp.TOTP(secret).at(office.world.now))
    http = office.app.test_client()
    sign(http, "boss")
    halfway = http.get_cookie("visit")
    assert halfway is not None
    office.at(office.world.now + timedelta(minutes=1))
    assert fill(http, "/login/second", digits=pyotp.TOTP(secret).at(office.world.now + timedelta(minutes=1))).location == "/"
    other = office.app.test_client()
    other.set_cookie("visit", halfway.value)
    assert other.get("/").location.startswith("/login")
    assert http.get("/").status_code == 200


def test_signing_in_leaves_a_token_that_was_planted_with_whoever_planted_it(office: Office) -> None:
    enrol(office, office.member(code="lan"))
    attacker = office.sign_in(office.member(code="mallory"))
    victim = office.app.test_client()
    victim.set_cookie("visit", attacker.token)
    assert victim.get("/login").status_code == 303  # signed in already, as mallory: signing out comes first
    token = Visit(attacker.token, None).form_token
    assert victim.post("/login", data={"form_token": token, "code": "lan", "password": PASSWORD}).status_code == 303
    cookie = victim.get_cookie("visit")
    assert cookie is not None and cookie.value != attacker.token
    assert "mallory" in attacker.read("/settings") and "lan" in victim.get("/settings").get_data(as_text=True)
