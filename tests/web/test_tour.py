"""The guided tour: each step is seen to be done from what was done, by whoever is on it."""

import re
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from uuid import UUID

import pytest

from gateway import app
from gateway.config import Settings
from gateway.web.roles import CARE
from tests import builders
from tests.web.office import Browser, Office
from tests.web.test_campaigns import ask, begin, fill, run_clock
from tests.web.test_imports import _work as work_imports


def done(browser: Browser) -> list[int]:
    """The numbers of the steps that the page shows as done."""
    return [int(number) for number in re.findall(r"<h2>(\d)\. [^<]*<span[^>]*>done ✓", browser.read("/tour/"))]


def strip(browser: Browser) -> str:
    """What other pages say of the tour."""
    found = re.search(r'<div class="strip" id="strip"><p>(.*?)</p>', browser.read("/flags/"), re.S)
    return re.sub(r"<.*?>", "", found[1]) if found else ""


def test_each_step_is_seen_from_what_was_done(office: Office) -> None:
    world, browser, supervisor = office.world, office.browser(), office.browser("supervisor")
    assert strip(browser) == "" and done(browser) == []
    assert "Leave the tour" in browser.press("/tour/begin")
    assert strip(browser).startswith("Tour: step 1 of 6 · Bring a register in")

    register = browser.post("/tour/register").get_data()
    path = str(browser.post("/imports/", file=(BytesIO(register), "newcomers.csv")).location)
    work_imports(office)
    counts = world.value("SELECT counts FROM imports")
    assert [counts[name] for name in ("new", "duplicate", "invalid", "to_verify")] == [9, 1, 2, 1]
    assert done(browser) == []
    browser.post(f"{path}/start")
    work_imports(office)
    assert done(browser) == [1]

    client = world.value("SELECT id FROM clients WHERE code = 'TH-01'")
    world.appointment(client, world.now + timedelta(days=3))
    campaign = make_reminders(browser)
    assert done(browser) == [1, 2]
    ask(supervisor, f"/campaigns/{campaign}")
    run_clock(office)
    assert done(browser) == [1, 2, 3]
    html = browser.read("/tour/")
    assert f"client={client}" in html and "The first one is due: Thu 12 Feb, 10:00." in html

    world.planned(client, campaign_id=campaign)
    text = world.planned(client)  # of somebody else who practises here too: which of the two an answer is for, nobody can say
    world.run("UPDATE outbound SET answered_at = send_after WHERE id = :id", id=text)
    assert done(browser) == [1, 2, 3, 4]
    world.run("DELETE FROM import_rows")  # as a day later, which the practice clock passes in this step
    assert browser.read("/tour/").count(f"client={client}") == 2

    number = office.flag(client, "crisis")
    browser.press(f"/flags/{number}/take")
    revision = re.search(r'name="revision" value="(\d+)"', browser.read(f"/flags/{number}"))
    assert revision and done(browser) == [1, 2, 3, 4]
    browser.press(f"/flags/{number}/close", revision=revision[1], outcome="spoke_to_client")
    browser.read(f"/clients/{client}")  # found by no search
    assert strip(browser).startswith("Tour: step 6 of 6")

    browser.post("/clients/search", wanted="TH-01")
    browser.read(f"/clients/{client}")
    assert done(browser) == [1, 2, 3, 4, 5, 6]
    assert strip(browser) == "" and "You have done all of it." in browser.read("/tour/")
    assert done(supervisor) == []


def make_reminders(browser: Browser) -> UUID:
    """A campaign as the tour says: what the maker proposes, with a text chosen and nothing added."""
    draft = begin(browser, "reminders", "Reminders")
    fill(browser, f"{draft}/who")
    fill(browser, f"{draft}/what", do="save", more="appointment_reminder_1d", missing="dont_send")
    assert 'value="1d"' in browser.read(f"{draft}/when")
    fill(browser, f"{draft}/when", do="keep", **{"before-0": "1d"})
    return UUID(draft.rpartition("/")[2])


def test_ones_own_approval_is_no_second_persons(office: Office) -> None:
    office.world.appointment(office.world.client(), office.world.now + timedelta(days=3))
    browser = office.browser("supervisor")
    ask(browser, f"/campaigns/{make_reminders(browser)}")
    run_clock(office)
    assert done(browser) == [2]


def test_the_phone_to_practise_on_is_one_that_gets_the_reminder(office: Office) -> None:
    world, browser = office.world, office.browser()
    silent = {
        world.client(): "UPDATE clients SET status = 'paused' WHERE id = :id",
        world.client(): "UPDATE phones SET to_verify = 'lent' WHERE client_id = :id",
        world.client(): "INSERT INTO stops SELECT phone_hash, 'stop', 'inbound', NULL, now() FROM phones WHERE client_id = :id",
        world.client(consent=()): "SELECT :id",
        world.client(discreet=2): "SELECT :id",
        world.client(world.phone_of(world.client(unit_id=office.other_id))): "SELECT :id",
    }
    reached = world.client()
    for hours, client in enumerate([*silent, reached]):
        world.appointment(client, world.now + timedelta(days=3, hours=hours))
    for client, sql in silent.items():
        world.run(sql, id=client)
    ask(office.browser("supervisor"), f"/campaigns/{make_reminders(browser)}")
    run_clock(office)
    assert world.value("SELECT count(*) FROM occurrences WHERE state IN ('waiting', 'planned')") == 7
    assert set(re.findall(r"client=([0-9a-f-]{36})", browser.read("/tour/"))) == {str(reached)}


def test_it_is_left_and_taken_up_again_where_it_was(office: Office) -> None:
    browser = office.browser()
    make_reminders(browser)
    browser.press("/tour/begin")
    assert "Every page then shows" in browser.press("/tour/leave")
    assert strip(browser) == "" and done(browser) == [2]
    assert "Go on with the tour" not in browser.press("/tour/begin")
    assert strip(browser) != ""


@pytest.mark.parametrize(("role", "steps"), [("reviewer", 2), ("supervisor", 6), ("administrator", 6)])
def test_a_role_is_shown_the_steps_that_it_may_do(office: Office, role: str, steps: int) -> None:
    assert office.browser(role).read("/tour/").count("<li class=") == steps
    assert (role in CARE) is (steps == 6)


def test_who_may_be_the_second_person_is_named(office: Office) -> None:
    office.member("administrator", unit_id=office.top_id, code="boss")
    office.member("supervisor", unit_id=office.top_id, code="chief")
    office.member("supervisor", unit_id=office.other_id, code="elsewhere")
    assert "Here it may be: chief, boss." in office.browser().read("/tour/")


def test_where_texts_reach_people_there_is_no_tour(office: Office, environ: dict[str, str]) -> None:
    world, browser = office.world, office.browser()
    assert "/tour/" in browser.read("/")
    builders.channel(world.engine, world.vault, world.now, world.unit_id, kind="twilio", name="real")
    assert browser.get("/tour/").status_code == 404
    assert browser.post("/tour/register").status_code == 404
    elsewhere = app.create_app(Settings.from_env(environ))
    elsewhere.config["NOW"] = world.now
    there = replace(office, app=elsewhere).browser()
    assert there.get("/tour/").status_code == 404 and "/tour/" not in there.read("/")
    elsewhere.extensions["gateway"].engine.dispose()
