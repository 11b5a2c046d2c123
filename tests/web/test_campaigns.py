"""Campaigns on the pages: made in three steps, approved by a second person, stopped, and sent again where nothing went."""

import re
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from gateway.domain import rounds
from gateway.queues import silent
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import approve_asked, count_campaigns, plan_due, rehearse_asked
from gateway.web import maker_forms as forms
from tests.builders import CONTENT
from tests.web.office import Browser, Office

WHAT = {"steps": "0", "text-0": "check_in", "do": "save", "missing": "dont_send"}


def begin(browser: Browser, kind: str = "one_off", name: str = "Check-in in spring") -> str:
    """A new draft; its address."""
    answer = browser.post("/campaigns/drafts/new", name=name, kind=kind, draft=str(uuid4()))
    assert answer.status_code == 303
    return str(answer.location).removesuffix("/who")


def revision(html: str) -> str:
    found = re.search(r'name="revision" value="(\d+)"', html)
    assert found
    return found[1]


def fill(browser: Browser, path: str, **form: Any) -> str:
    """Post a step as it is shown now, and follow."""
    return browser.press(path, revision=revision(browser.read(path)), **form)


def make(browser: Browser, **audience: Any) -> str:
    """A campaign of one check-in; its address."""
    draft = begin(browser)
    fill(browser, f"{draft}/who", **audience)
    fill(browser, f"{draft}/what", do="add", more="check_in")
    fill(browser, f"{draft}/what", **WHAT)
    fill(browser, f"{draft}/when", do="keep")
    return draft.replace("/drafts", "")


def state(office: Office) -> str:
    return str(office.world.value("SELECT state FROM campaigns"))


def run_clock(office: Office, most: int = 500) -> None:
    world = office.world
    while approve_asked.approve(world.engine, world.vault, CONTENT, most, world.now):
        pass
    while rehearse_asked.rehearse(world.engine, world.vault, CONTENT, world.now):
        pass
    while plan_due.plan_due(world.engine, world.vault, CONTENT, silent, world.now):
        pass


def seen(html: str) -> str:
    """Which campaign a page shows, as its button to approve says."""
    found = re.search(r'name="seen" value="([^"]+)"', html)
    assert found
    return found[1]


def ask(browser: Browser, path: str) -> str:
    """Press "approve" on the page as it is now, and follow."""
    return browser.press(f"{path}/approve", state="draft", seen=seen(browser.read(path)))


def approve(office: Office, browser: Browser, path: str, most: int = 500) -> None:
    """Ask for it, and have the clock do it."""
    ask(browser, path)
    run_clock(office, most)


def running(office: Office) -> tuple[Browser, str]:
    """A campaign of one check-in to one client that runs: in its maker's browser, at its address."""
    office.world.client()
    browser = office.browser("supervisor")
    path = make(browser)
    approve(office, browser, path)
    return browser, path


def test_the_maker_counts_people_while_it_is_filled_in(office: Office) -> None:
    office.world.client()
    office.world.client(consent=())
    browser = office.browser("supervisor")
    draft = begin(browser)
    assert "<b>2</b> people would get it now" in browser.read(f"{draft}/who")
    fill(browser, f"{draft}/what", do="add", more="check_in")
    html = browser.read(f"{draft}/what")
    assert "<b>1</b> people would get it now" in html
    assert "no consent for check-in" in html
    assert "segments 1" in html


def test_counting_keeps_nothing(office: Office) -> None:
    office.world.client()
    browser = office.browser("supervisor")
    draft = begin(browser)
    answer = browser.post(f"{draft}/who", do="look", languages="fr", revision="1")
    assert (answer.status_code, "<b>0</b> people would get it now" in answer.get_data(as_text=True)) == (200, True)
    assert "<b>1</b> people would get it now" in browser.read(f"{draft}/who")


def test_a_campaign_is_made_and_approved_by_a_second_person(office: Office) -> None:
    client = office.world.client()
    maker, second = office.browser("supervisor"), office.browser("administrator")
    path = make(maker)
    assert "As it stands" not in second.read(path)
    assert "Every text is written and checked" in ask(second, path)
    run_clock(office)
    assert state(office) == "running"
    assert "accepted by the carrier" in maker.read(path)
    assert office.world.value("SELECT client_id FROM outbound") == client
    assert office.world.value("SELECT approved_by FROM campaigns") == second.staff_id


def test_who_may_not_approve_is_told_who_may(office: Office) -> None:
    office.world.client()
    worker = office.browser()
    path = make(worker)
    assert "a supervisor or an administrator looks at it" in worker.read(path)
    assert "a supervisor or an administrator looks at it" not in office.browser("supervisor").read(path)


def test_above_the_limit_its_maker_may_not_approve(office: Office) -> None:
    office.world.client()
    browser = office.browser("supervisor")
    path = make(browser)
    approve(office, browser, path, most=0)
    html = browser.read(path)
    assert state(office) == "draft"
    assert "above 0 a second person approves, not its maker" in html


def test_what_makes_an_approval_fail_is_shown_and_it_can_be_asked_for_again(office: Office) -> None:
    browser = office.browser("supervisor")
    path = make(browser)
    approve(office, browser, path)
    assert "nobody would get it" in browser.read(path)
    office.world.client()
    approve(office, browser, path)
    assert state(office) == "running"


def test_two_clicks_on_approve_approve_once(office: Office) -> None:
    office.world.client()
    browser = office.browser("supervisor")
    path = make(browser)
    form = {"state": "draft", "seen": seen(browser.read(path))}
    assert browser.post(f"{path}/approve", **form).status_code == 303
    again = browser.post(f"{path}/approve", **form)
    assert (again.status_code, "under way already" in again.get_data(as_text=True)) == (400, True)


def test_two_clicks_on_make_it_make_one_campaign(office: Office) -> None:
    browser = office.browser("supervisor")
    draft = begin(browser)
    fill(browser, f"{draft}/what", do="add", more="check_in")
    form = {"revision": revision(browser.read(f"{draft}/when")), "do": "keep"}
    places = [browser.post(f"{draft}/when", **form).location for _ in range(2)]
    assert places[0] == places[1]
    assert office.world.value("SELECT count(*) FROM campaigns") == 1


def test_a_form_from_before_another_windows_change_is_refused(office: Office) -> None:
    browser = office.browser("supervisor")
    draft = begin(browser)
    fill(browser, f"{draft}/who", languages="vi")
    answer = browser.post(f"{draft}/who", revision="1", languages="fr")
    assert (answer.status_code, "another window" in answer.get_data(as_text=True)) == (400, True)
    assert browser.post(f"{draft}/who", revision="1", languages="vi").status_code == 303  # a second click, not another change


@pytest.mark.parametrize("deed", ["pause", "cancel"])
def test_a_button_of_a_page_left_open_does_nothing_when_the_campaign_moved_on(office: Office, deed: str) -> None:
    path = make(office.browser("supervisor"))
    answer = office.browser("administrator").post(f"{path}/{deed}", state="running")
    assert (answer.status_code, "changed since the page was opened" in answer.get_data(as_text=True)) == (400, True)
    assert state(office) == "draft"


def test_a_second_person_approves_what_they_saw_and_not_what_it_became(office: Office) -> None:
    office.world.client()
    maker, second = office.browser("supervisor"), office.browser("administrator")
    path = make(maker)
    shown = seen(second.read(path))
    draft = str(maker.post(f"{path}/change").location).removesuffix("/who")
    fill(maker, f"{draft}/when", **{"at-0": "10:00", "do": "keep"})
    for form in ({"seen": shown}, {}):
        answer = second.post(f"{path}/approve", state="draft", **form)
        assert (answer.status_code, "changed since the page was opened" in answer.get_data(as_text=True)) == (400, True)
    run_clock(office)
    assert state(office) == "draft"


def test_what_was_approved_is_not_changed_before_the_clock_starts_it(office: Office) -> None:
    office.world.client()
    maker, second = office.browser("supervisor"), office.browser("administrator")
    path = make(maker)
    draft = str(maker.post(f"{path}/change").location).removesuffix("/who")
    kept = {"revision": revision(maker.read(f"{draft}/when")), "do": "keep"}
    ask(second, path)
    was = office.world.value("SELECT spec FROM campaigns")
    answer = maker.post(f"{draft}/when", **kept)
    assert (answer.status_code, "under way already" in answer.get_data(as_text=True)) == (400, True)
    assert office.world.value("SELECT spec FROM campaigns") == was
    run_clock(office)
    assert state(office) == "running"


def test_pausing_resuming_and_cancelling_say_what_happened(office: Office) -> None:
    browser, path = running(office)
    assert "nothing of it leaves" in browser.press(f"{path}/pause", state="running", reason="flood")
    assert "It runs again." in browser.press(f"{path}/resume", state="paused")
    assert "0 texts went, 0 are on their way, 1 were cancelled" in browser.press(f"{path}/cancel", state="running")


def test_a_draft_is_changed_under_its_own_id_and_another_is_copied(office: Office) -> None:
    office.world.client()
    browser = office.browser("supervisor")
    path = make(browser)
    draft = path.replace("/campaigns/", "/campaigns/drafts/")
    assert "1. Who" in browser.press(f"{path}/change")
    fill(browser, f"{draft}/when", **{"at-0": "10:00", "do": "keep"})
    assert office.world.rows("SELECT timing FROM campaign_steps")[0].timing == {"at": "10:00"}
    assert "Check-in in spring (copy)" in browser.press(f"{path}/copy")


def failed(office: Office, reason: str, attempt: str) -> UUID:
    """A text of the only campaign that the carrier did not deliver."""
    message = UUID(str(office.world.value("SELECT id FROM outbound LIMIT 1")))
    office.world.run("UPDATE outbound SET state = 'failed', reason = :reason, attempts = 1, attempt_id = :id WHERE id = :id", reason=reason, id=message)
    office.world.run("""INSERT INTO attempts (id, outbound_id, channel_id, number, state, started_at)
                        SELECT id, id, channel_id, 1, :state, :now FROM outbound WHERE id = :id""", id=message, state=attempt, now=office.world.now)
    return message


@pytest.mark.parametrize(("reason", "attempt", "again"), [
    ("filtered", "refused", True),
    ("unreachable", "refused", True),
    ("bad_number", "refused", False),
    ("unreachable", "accepted", False),  # a delivery report said so: the carrier had taken it
    ("unreachable", "unknown", False),
])  # fmt: skip
def test_only_what_the_carrier_never_took_is_sent_again(office: Office, reason: str, attempt: str, again: bool) -> None:
    browser, path = running(office)
    message = failed(office, reason, attempt)
    assert ("refused texts again" in browser.read(path)) is again
    browser.press(f"{path}/resend", state="running")
    assert office.world.state(message) == ("planned" if again else "failed")


def test_reminders_a_rule_and_a_programme_are_made_too(office: Office) -> None:
    browser = office.browser("supervisor")
    for kind, text, when, timing in (
        ("reminders", "appointment_reminder_1d", {"before-0": "1", "at-0": "17:00"}, {"before": "1d", "at": "17:00"}),
        ("recurring", "dialogues/weekly_check_in", {"often": "FREQ=WEEKLY;BYDAY={day}", "day": "tu", "at": "08:30", "spread": "90"}, {}),
        ("programme", "dialogues/weekly_check_in", {"day-0": "10", "every-0": "7", "times-0": "24", "since": "discharge"}, {"day": "10", "every": "7", "times": "24"}),
    ):  # fmt: skip
        draft = begin(browser, kind, f"A {kind}")
        fill(browser, f"{draft}/what", do="add", more=text)
        assert f"A {kind}" in fill(browser, f"{draft}/when", do="keep", **when)
        [step] = office.world.rows("SELECT timing FROM campaign_steps s JOIN campaigns c ON c.id = s.campaign_id WHERE c.kind = :kind", kind=kind)
        assert step.timing == timing
    spec = office.world.value("SELECT spec FROM campaigns WHERE kind = 'recurring'")
    assert spec["asked"]["schedule"]["every"] == "FREQ=WEEKLY;BYDAY=TU"


def test_every_way_of_coming_again_that_the_form_offers_is_a_rule_and_found_again() -> None:
    for pattern in filter(None, forms.OFTEN):
        for day in forms.WEEKDAYS:
            made = forms.when(MultiDict({"often": pattern, "day": day, "at": "09:00"}), {"kind": "recurring"})
            rounds.read_recurring(made["schedule"])
            assert forms.often(made["schedule"]["every"]) == (pattern, day if "{day}" in pattern else "mo")


@given(st.integers(1, 720))
def test_minutes_are_shown_as_they_were_typed(minutes: int) -> None:
    spread = forms.when(MultiDict({"spread": str(minutes), "often": "FREQ=DAILY"}), {"kind": "recurring"})["schedule"]["spread"]
    assert forms.minutes(spread) == str(minutes)
    assert forms.minutes(f"{minutes // 60}h{minutes % 60}m") == str(minutes)


def test_the_calendar_shows_what_would_be_sent(office: Office, now: datetime) -> None:
    office.world.client()
    browser = office.browser("supervisor")
    draft = begin(browser, "recurring", "<b>Weekly</b>")
    fill(browser, f"{draft}/what", do="add", more="check_in")
    fill(browser, f"{draft}/when", do="keep", often="FREQ=WEEKLY;BYDAY={day}", day="mo", at="09:00", holidays="after")
    calendar = draft.replace("/drafts", "") + "/calendar"
    assert "<svg" not in browser.read(calendar)
    assert "It is being worked out" in browser.press(calendar, days="31")
    run_clock(office)
    html = browser.read(calendar)
    assert html.count("<b>Weekly") == 0
    assert "<svg" in html
    assert html.count("09:00") == 4
    assert "No holidays are known for 2026" in html


def test_a_rehearsal_is_seen_by_whoever_asked_and_says_why_there_is_none(office: Office) -> None:
    office.world.client()
    browser, colleague = office.browser("supervisor"), office.browser("supervisor")
    path = make(browser)
    browser.press(f"{path}/calendar", days="7")
    office.world.run("UPDATE staff SET active = false WHERE id = :id", id=browser.staff_id)
    run_clock(office)
    office.world.run("UPDATE staff SET active = true")
    assert "may not any more" in browser.read(f"{path}/calendar")
    assert "Not worked out yet" in colleague.read(f"{path}/calendar")


def test_a_campaign_of_millions_shows_what_the_clock_counted_and_when(office: Office) -> None:
    browser, path = running(office)
    assert "Counted" not in browser.read(path)
    while count_campaigns.count_next(office.world.engine, office.world.now):
        pass
    assert office.world.value("SELECT counts FROM campaign_counts") == [["pending", None, 1, 0]]
    office.world.run("""UPDATE campaign_counts SET counts = '[["accepted", null, 2500000, 2400000]]'""")
    html = browser.read(path)
    assert "2,500,000" in html
    assert "Counted" in html
    assert "2,500,000" in browser.read("/campaigns/")


def test_a_calendar_says_what_is_held_and_what_is_skipped(office: Office) -> None:
    office.world.client()
    office.world.client(consent=())
    browser = office.browser("supervisor")
    path = make(browser)
    browser.post(f"{path}/calendar", days="7")
    run_clock(office)
    html = browser.read(f"{path}/calendar")
    assert "1 of 2 clients" in html
    assert "1 no consent for check-in" in html


def test_of_many_campaigns_the_list_shows_some_and_those_that_are_not_over_first(office: Office) -> None:
    office.world.client()
    browser = office.browser("supervisor")
    draft = make(browser)
    office.world.run("UPDATE campaigns SET created_at = created_at - interval '1 year'")
    office.world.run("""INSERT INTO campaigns (id, unit_id, name, kind, consent_purpose, spec, state, created_at)
      SELECT gen_random_uuid(), unit_id, 'old ' || n, kind, consent_purpose, jsonb_set(spec, '{asked,name}', to_jsonb('old ' || n)), 'done', now() - n * interval '1 hour'
      FROM campaigns, generate_series(1, 55) n""")
    first, second = browser.read("/campaigns/"), browser.read("/campaigns/?page=2")
    assert draft in first
    assert (">old 49<" in first, ">old 50<" in first) == (True, False)
    assert (">old 50<" in second, ">old 55<" in second, draft in second) == (True, True, False)


def test_a_killed_clock_leaves_the_approval_to_be_done(office: Office) -> None:
    office.world.client()
    browser = office.browser("supervisor")
    path = make(browser)
    ask(browser, path)
    with unit_of_work(office.world.engine, SYSTEM) as work:
        assert work.connection is not None
    assert "checked: 0 of 1" in browser.read(path)
    run_clock(office)
    assert state(office) == "running"
