"""Journeys in a real browser: a campaign from nothing to its approval by a second person; an appointment moved."""

import re
import tomllib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from gateway.domain import campaigns as rules
from gateway.queues import silent
from gateway.store import campaigns, drafts
from gateway.store.base import Actor, unit_of_work
from gateway.usecases import approve_asked, plan_due
from tests import builders
from tests.builders import CONTENT
from tests.web.office import Office


def sit_down(chromium: Chromium, office: Office, address: str, role: str, width: int = 1000) -> tuple[Page, list[str]]:
    """Somebody of the role, signed in, at a screen of this width; and what the browser complains of."""
    context = chromium.new_context(locale="en", viewport={"width": width, "height": 800})
    context.add_cookies([{"name": "visit", "value": office.sign_in(office.member(role)).token, "url": address}])
    page, complaints = context.new_page(), list[str]()
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page, complaints


def test_a_campaign_is_made_counted_and_started_by_a_second_person(chromium: Chromium, office: Office, address: str) -> None:
    world = office.world
    world.client()
    world.client(language="en", consent=())
    maker, complaints = sit_down(chromium, office, address, "supervisor")
    maker.goto(f"{address}/campaigns/")
    maker.get_by_role("link", name="New campaign").click()
    maker.get_by_label("What staff call it").fill("Spring check-in")
    maker.get_by_role("button", name="Begin").click()

    expect(maker.locator("#seen")).to_contain_text("2 people would get it now")
    maker.get_by_label("Tiếng Việt").check()
    expect(maker.locator("#seen")).to_contain_text("1 people would get it now")  # by itself
    maker.get_by_role("button", name="Keep and go on").click()

    maker.get_by_label("What it says").select_option("check_in")
    maker.get_by_role("button", name="Add").click()
    expect(maker.locator("#seen")).to_contain_text("segments 1")
    maker.get_by_role("button", name="Keep and go on").click()
    maker.get_by_role("button", name="Make this campaign").click()
    expect(maker.locator("h1")).to_contain_text("draft")
    assert complaints == []

    second, complaints = sit_down(chromium, office, address, "administrator")
    second.goto(maker.url)
    second.get_by_role("button", name="Approve and start").click()
    expect(second.locator("#progress")).to_contain_text("It is being checked")
    approve_asked.approve(world.engine, world.vault, CONTENT, 0, world.now)
    while plan_due.plan_due(world.engine, world.vault, CONTENT, silent, world.now):
        pass
    expect(second.locator("h1")).to_contain_text("running")  # by itself
    expect(second.locator("#progress")).to_contain_text("1 planned")
    assert complaints == []
    assert world.value("SELECT count(*) FROM outbound") == 1


EXAMPLES = Path(__file__).parents[2] / "examples" / "campaigns"


@pytest.mark.parametrize("name", ["province-topics", "province-after-discharge", "province-reminders", "province-service-information", "province-weekly-check-in"])
def test_a_campaign_of_a_file_goes_through_the_three_steps_as_it_is(chromium: Chromium, office: Office, address: str, name: str) -> None:
    world = office.world
    world.run("UPDATE units SET code = replace(code, 'P', 'SV')")
    for code in ("SV-01", "SV-02", "SV-03"):
        builders.unit(world.engine, world.now, code=code, parent_id=world.unit_id)
    page, complaints = sit_down(chromium, office, address, "supervisor")
    asked, draft = tomllib.loads((EXAMPLES / f"{name}.toml").read_text("utf-8")), uuid4()
    asked["audience"]["units"] = [unit.replace("SV", "SV01") if unit == "SV" else unit for unit in asked["audience"]["units"]]
    staff_id = world.value("SELECT id FROM staff")
    with unit_of_work(world.engine, Actor(staff_id, world.unit_id, "supervisor"), world.now) as work:
        drafts.add(work, draft, world.unit_id, asked)
    page.goto(f"{address}/campaigns/drafts/{draft}/who")
    for _ in range(2):
        page.get_by_role("button", name="Keep and go on").click()
    page.get_by_role("button", name="Make this campaign").click()
    expect(page.locator("h1")).to_contain_text("draft")
    with unit_of_work(world.engine) as work:
        kept = campaigns.by_name(work, asked["name"]).spec
    wanted = rules.read(asked)
    meant = {"since": "enrolment", "enrol": "audience"} if wanted.kind == "programme" else {"at": "09:00"} if wanted.kind == "recurring" else {}
    assert {**meant, **kept.schedule, "spread": None} == {**meant, **wanted.schedule, "spread": None}
    assert (replace(kept, schedule={}), kept.schedule.get("spread")) == (
        replace(wanted, schedule={}), {"province-topics": "120m", "province-after-discharge": "60m", "province-weekly-check-in": "90m"}.get(name))  # fmt: skip
    assert complaints == []


def test_an_appointment_is_moved_on_a_small_phone(chromium: Chromium, office: Office, address: str) -> None:
    world = office.world
    appointment: UUID = world.appointment(world.client(), world.now + timedelta(days=1))
    page, complaints = sit_down(chromium, office, address, "case_worker", width=320)
    page.goto(f"{address}/appointments/")
    page.get_by_role("link", name=re.compile("10:00")).click()
    page.get_by_label("Day").fill("2026-02-13")
    page.get_by_label("Time", exact=True).fill("14:30")
    page.get_by_role("button", name="Move").click()
    expect(page.get_by_role("status")).to_contain_text("The client is told by text.")
    assert str(world.value("SELECT starts_at AT TIME ZONE 'Asia/Ho_Chi_Minh' FROM appointments WHERE id = :id", id=appointment)) == "2026-02-13 14:30:00"
    page.get_by_role("link", name="To the week").click()
    expect(page.get_by_role("link", name=re.compile("14:30"))).to_be_visible()
    assert complaints == []


def test_a_text_is_counted_while_it_is_typed(chromium: Chromium, office: Office, address: str) -> None:
    page, complaints = sit_down(chromium, office, address, "supervisor")
    page.goto(f"{address}/texts/one?of=check_in")
    box = page.locator("#body-vi")
    box.fill("Bạn khỏe không? 1 khỏe, 2 không khỏe")
    expect(page.locator("#count-body-vi")).to_contain_text("UCS-2")
    expect(page.locator("#count-body-vi")).to_contain_text("Ban khoe khong? 1 khoe, 2 khong khoe")
    box.fill("Ma tuy")
    expect(page.locator("#found-vi")).to_contain_text("which tells a stranger too much")
    assert complaints == []
