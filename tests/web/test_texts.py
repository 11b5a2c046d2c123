"""Texts on the pages: counted as they are typed, used when a second person approved them."""

import re
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError

from gateway.domain import campaigns as rules
from gateway.store import text_changes
from gateway.store.base import SYSTEM, Actor, unit_of_work
from gateway.usecases import current_texts, launch_campaign
from tests.builders import CONTENT
from tests.web.office import Browser, Office

NEW = "Ban co khoe khong? Tra loi 1: khoe, 2: khong khoe."


def version(browser: Browser) -> str:
    found = re.search(r'name="version" value="(\w+)"', browser.read("/texts/one?of=check_in"))
    assert found
    return found[1]


def propose(browser: Browser, **changes: Any) -> Any:
    form = {"of": "check_in", "version": version(browser), "body-vi": NEW} | changes
    return browser.post("/texts/propose", **form)


def in_use(office: Office) -> str:
    with unit_of_work(office.world.engine, SYSTEM) as work:
        return current_texts.now(work, CONTENT).templates["check_in", "vi"].body


def change_id(browser: Browser) -> str:
    found = re.search(r'name="change" value="([\w-]+)"', browser.read("/texts/one?of=check_in"))
    assert found
    return found[1]


def test_a_text_is_counted_and_checked_as_it_is_typed(office: Office) -> None:
    browser = office.browser("supervisor")
    answer = browser.post("/texts/count", **{"of": "check_in", "body-vi": "Bạn có khỏe không? 1 khỏe 2 không khỏe"})
    html = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "UCS-2 because of: ạ" in html
    assert "Ban co khoe khong? 1 khoe 2 khong khoe" in html
    assert "which tells a stranger too much" in browser.post("/texts/count", **{"of": "check_in", "body-en": "Your addiction? 1 yes 2 no"}).get_data(as_text=True)


def test_a_changed_text_is_used_when_a_second_person_approved_it(office: Office) -> None:
    writer, second = office.browser("supervisor"), office.browser("administrator")
    old = in_use(office)
    assert propose(writer).status_code == 303
    assert in_use(office) == old
    assert "used from" not in second.read("/texts/")
    assert "The text is in use from now on" in second.press("/texts/decide", change=change_id(second), decision="approved")
    assert in_use(office) == NEW
    assert "in use" in writer.read("/texts/one?of=check_in")


def test_nobody_approves_their_own_text_and_one_of_the_two_is_an_administrator(office: Office) -> None:
    writer, colleague = office.browser("supervisor"), office.browser("supervisor")
    propose(writer)
    for browser in (writer, colleague):
        assert browser.post("/texts/decide", change=change_id(writer), decision="approved").status_code == 403
    assert "The change is refused." in writer.press("/texts/decide", change=change_id(writer), decision="refused")


def test_a_text_that_is_not_fit_is_not_kept_and_what_was_typed_stays(office: Office) -> None:
    answer = propose(office.browser("supervisor"), **{"body-vi": "Ma tuy {x}"})
    html = answer.get_data(as_text=True)
    assert (answer.status_code, "Ma tuy {x}" in html, "not fit to be sent" in html) == (400, True, True)


def test_two_clicks_or_two_people_propose_once(office: Office) -> None:
    one, other = office.browser("supervisor"), office.browser("supervisor")
    seen = version(other)
    assert propose(one).status_code == 303
    answer = other.post("/texts/propose", **{"of": "check_in", "version": seen, "body-vi": NEW + " "})
    assert (answer.status_code, "waits for approval already" in answer.get_data(as_text=True)) == (400, True)


def test_a_form_from_before_another_change_is_refused(office: Office) -> None:
    writer, second = office.browser("supervisor"), office.browser("administrator")
    old = version(writer)
    propose(writer)
    second.press("/texts/decide", change=change_id(second), decision="approved")
    answer = propose(writer, version=old, **{"body-vi": "Ban khoe khong? 1: khoe, 2: khong khoe."})
    assert (answer.status_code, "changed meanwhile" in answer.get_data(as_text=True)) == (400, True)


def test_answers_to_a_cry_for_help_are_not_changed_on_a_page(office: Office) -> None:
    answer = office.browser("administrator").post("/texts/propose", of="crisis_answer", version=CONTENT.version("crisis_answer"), **{"body-vi": "Xin chao"})
    assert (answer.status_code, "comes with the program" in answer.get_data(as_text=True)) == (400, True)


def test_a_campaign_that_runs_keeps_the_words_it_began_with(office: Office) -> None:
    world = office.world
    world.client()
    writer, second = office.browser("supervisor"), office.browser("administrator")
    who = Actor(writer.staff_id, world.unit_id, "supervisor")
    with unit_of_work(world.engine, who, world.now) as work:
        launch_campaign.create(work, CONTENT, rules.read({"name": "Old", "kind": "one_off", "steps": [{"template": "check_in"}]}))
    launch_campaign.approve(world.engine, world.vault, CONTENT, who, "Old", world.now)
    propose(writer)
    second.press("/texts/decide", change=change_id(second), decision="approved")
    assert world.value("SELECT version FROM campaign_steps") == CONTENT.version("check_in")
    with unit_of_work(world.engine, who, world.now) as work:
        made = launch_campaign.create(work, CONTENT, rules.read({"name": "New", "kind": "one_off", "steps": [{"template": "check_in"}]}))
        assert made.steps[0].version == current_texts.now(work, CONTENT).version("check_in") != CONTENT.version("check_in")
    launch_campaign.approve(world.engine, world.vault, CONTENT, who, "New", world.now)
    assert world.value("SELECT content ->> 'body' FROM templates WHERE version = :version AND language = 'vi' AND purpose = 'check_in'",
                       version=made.steps[0].version) == NEW  # fmt: skip


def test_postgresql_itself_lets_nobody_approve_their_own_text(office: Office) -> None:
    writer = office.browser("administrator")
    propose(writer)
    change = UUID(change_id(writer))
    with pytest.raises(DBAPIError, match="row-level security"), unit_of_work(office.world.engine, Actor(writer.staff_id, office.world.unit_id, "administrator")) as work:
        text_changes.decide(work, change, "approved")


def test_the_list_shows_how_each_text_begins_in_the_readers_language(office: Office) -> None:
    assert "Trả lời 1:" in office.browser(language="vi").read("/texts/")
    assert "Trả lời 1:" not in office.browser(language="en").read("/texts/")
