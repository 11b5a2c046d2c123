"""The pages about flags."""

import re
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import hand_up
from gateway.web.guard import Visit
from tests.web.office import Browser, Office


def _revision(html: str) -> str:
    found = re.search(r'name="revision" value="(\d+)"', html)
    assert found
    return found[1]


def later(office: Office, wait: timedelta) -> Office:
    """The same office when the clock has gone on."""
    office.at(office.world.now + wait)
    return replace(office, world=replace(office.world, now=office.world.now + wait))


def wrote(office: Office, client: UUID, text: str) -> UUID:
    """A text of the client, kept as it is."""
    inbound = uuid4()
    key_id = office.world.value("SELECT key_id FROM clients WHERE id = :id", id=client)
    wrapped = office.world.value("SELECT wrapped FROM keys WHERE id = :id", id=key_id)
    key = office.world.vault.open_key(wrapped, key_id)
    office.world.run(
        """INSERT INTO inbound (id, unit_id, channel_id, client_id, key_id, carrier_id, from_enc, from_hash, body_enc, body_hash, received_at)
           SELECT :id, unit_id, :channel, id, key_id, CAST(:id AS text), :from, '', :body, :id_bytes, :now FROM clients WHERE id = :client""",
        id=inbound, channel=office.world.channel_id, client=client, now=office.world.now - timedelta(minutes=2), id_bytes=inbound.bytes,
        body=key.encrypt(text, "inbound.body", inbound), **{"from": key.encrypt("+84912345678", "inbound.from", inbound)},
    )  # fmt: skip
    return inbound


def test_a_flag_shows_the_text_and_what_was_done_and_the_look_is_in_the_trail(office: Office) -> None:
    client = office.world.client()
    wrote(office, client, "Tôi mệt lắm")
    number = office.flag(client, "not_well")
    html = office.browser().read(f"/flags/{number}")
    assert "Tôi mệt lắm" in html
    assert "answered that they are not well" in html
    actions = {row.action for row in office.world.rows("SELECT action FROM audit")}
    assert {"flag.show", "client.conversation"} <= actions


def test_lists_narrow_by_what_is_asked_and_page_on(office: Office) -> None:
    browser = office.browser()
    mine = office.flag(reason="callback")
    browser.press(f"/flags/{mine}/take")
    office.flag(reason="info")
    assert "asks to be called" in (html := browser.read("/flags/?show=mine"))
    assert "asks for information</a>" not in html
    assert "asks to be called</a>" not in browser.read("/flags/?show=unowned")
    assert "asks for information</a>" not in browser.read("/flags/?severity=high")
    assert "asks for information</a>" in browser.read("/flags/?reason=info&unit=P01")
    for _ in range(50):
        office.flag(reason="info")
    assert "page=2" in browser.read("/flags/")
    assert browser.read("/flags/?page=2").count("<tr id=") == 2


def test_a_form_made_before_a_change_is_refused_and_says_what_changed(office: Office) -> None:
    number, slow = office.flag(), office.browser()
    before = _revision(slow.read(f"/flags/{number}"))
    office.sign_in(office.member(code="lan")).press(f"/flags/{number}/take")
    answer = slow.post(f"/flags/{number}/close", revision=before, outcome="no_action")
    html = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert "has changed while this page was open" in html
    assert re.search(r'<li class="new"><b>lan</b>.*taken', html)
    assert office.world.value("SELECT state FROM flags") == "assigned"
    assert "This has changed since you opened the page" in slow.read(f"/flags/{number}?since={before}")


def test_closing_takes_an_outcome_and_a_second_click_finds_it_done(office: Office) -> None:
    number, browser = office.flag(), office.browser()
    revision = _revision(browser.read(f"/flags/{number}"))
    assert browser.post(f"/flags/{number}/close", revision=revision, outcome="bored").status_code == 400
    assert "is closed" in browser.press(f"/flags/{number}/close", revision=revision, outcome="spoke_to_client")
    assert "is closed" in browser.press(f"/flags/{number}/close", revision=revision, outcome="spoke_to_client")
    assert office.world.value("SELECT count(*) FROM audit WHERE action = 'flag.close'") == 1


def test_a_flag_is_given_only_to_somebody_who_can_see_it(office: Office) -> None:
    number, lead = office.flag(), office.browser("supervisor", unit_id=office.top_id)
    office.member(code="near")
    office.member(code="far", unit_id=office.other_id)
    revision = _revision(lead.read(f"/flags/{number}"))
    answer = lead.post(f"/flags/{number}/assign", revision=revision, to="far")
    assert (answer.status_code, "could not see the flag" in answer.get_data(as_text=True)) == (400, True)
    assert "<b>near</b>" in lead.press(f"/flags/{number}/assign", revision=revision, to="near")


def test_put_off_it_leaves_the_list_until_its_hour_and_an_urgent_one_never(office: Office) -> None:
    number, browser = office.flag(), office.browser()
    revision = _revision(browser.read(f"/flags/{number}"))
    browser.press(f"/flags/{number}/snooze", revision=revision, until="2026-02-10T15:00")  # 08:00 UTC
    assert f"flag-{number}" not in browser.read("/flags/")
    assert f"flag-{number}" in browser.read("/flags/?show=snoozed")
    after = later(office, timedelta(hours=6))
    browser = after.browser()
    assert f"flag-{number}" in browser.read("/flags/")
    crisis = after.flag(reason="crisis")
    html = browser.read(f"/flags/{crisis}")
    assert "snooze" not in html
    assert browser.post(f"/flags/{crisis}/snooze", revision=_revision(html), until="2026-02-10T23:00").status_code == 400


def _reply(browser: Browser, number: int, text: str, **form: str) -> str:
    html = browser.read(f"/flags/{number}")
    message = re.search(r'name="message_id" value="([^"]+)"', html)
    assert message
    return browser.press(f"/flags/{number}/reply", **{"revision": _revision(html), "message_id": message[1], "text": text, **form})


def test_an_answer_is_queued_once_and_the_flag_says_so(office: Office) -> None:
    client = office.world.client()
    wrote(office, client, "goi lai cho toi")
    number, browser = office.flag(client), office.browser()
    html = browser.read(f"/flags/{number}")
    form = {"revision": _revision(html), "message_id": str(uuid4()), "text": "Chieu nay chi goi nhe"}
    html = browser.press(f"/flags/{number}/reply", **form)
    browser.press(f"/flags/{number}/reply", **form)
    assert office.world.bodies("purpose = 'manual'") == ["Chieu nay chi goi nhe"]
    assert "answers this flag" in html
    assert "client answered by text" in html
    assert office.world.value("SELECT state FROM flags") == "open"  # it never closes by itself


def test_a_stopped_client_cannot_be_answered_and_the_page_says_why(office: Office) -> None:
    client = office.world.client()
    number, browser = office.flag(client), office.browser()
    html = browser.read(f"/flags/{number}")
    office.world.run("INSERT INTO stops (phone_hash, reason, source, stopped_at) SELECT phone_hash, 'stop', 'staff', now() FROM phones")
    assert "cannot be texted" in browser.read(f"/flags/{number}")
    answer = browser.post(f"/flags/{number}/reply", revision=_revision(html), message_id=str(uuid4()), text="Chao chi")
    assert (answer.status_code, "wants no texts" in answer.get_data(as_text=True)) == (400, True)
    assert office.world.bodies() == []


def test_what_is_typed_is_counted_as_it_would_be_sent(office: Office) -> None:
    client = office.world.client()
    number, browser = office.flag(client), office.browser()
    counted = browser.http.post(f"/flags/{number}/draft", data={"form_token": _token(browser), "text": "x" * 161}, headers={"HX-Request": "true"})
    assert "GSM-7 · segments 2" in counted.get_data(as_text=True)
    filled = browser.post(f"/flags/{number}/draft", text="", canned="callback_noted", do="fill").get_data(as_text=True)
    assert re.search(r"<textarea id=\"text\"[^>]*>\n\S", filled)


def _token(browser: Browser) -> str:
    return Visit(browser.token, None).form_token


def test_the_number_is_shown_by_a_deed_that_is_written_down(office: Office) -> None:
    client = office.world.client()
    number, browser, phone = office.flag(client), office.browser(), office.world.phone_of(client)
    assert phone not in browser.read(f"/flags/{number}")
    assert phone in browser.post(f"/flags/{number}/call").get_data(as_text=True)
    assert office.world.value("SELECT count(*) FROM audit WHERE action = 'client.reveal'") == 1


def test_a_note_typed_before_closing_is_kept_with_it_or_comes_back(office: Office) -> None:
    number = office.flag(office.world.client(), "crisis")
    browser = office.browser()
    browser.press(f"/flags/{number}/take")
    form = {"revision": _revision(browser.read(f"/flags/{number}")), "note_id": str(uuid4()), "note": "Called, she is with her sister"}
    html = browser.post(f"/flags/{number}/close", **form, outcome="none such").get_data(as_text=True)
    assert ">Called, she is with her sister</textarea>" in html and office.world.value("SELECT count(*) FROM notes") == 0
    html = browser.press(f"/flags/{number}/close", **form, outcome="client_safe")
    assert "is closed" in html and "Called, she is with her sister" in html and "sister</textarea>" not in html
    assert office.world.value("SELECT count(*) FROM notes") == 1


def test_a_note_is_kept_once_under_the_clients_key(office: Office) -> None:
    client = office.world.client()
    number, browser = office.flag(client), office.browser()
    form = {"note_id": str(uuid4()), "note": "Đã hẹn gặp <b>chiều</b> nay"}
    browser.press(f"/flags/{number}/note", **form)
    assert "Đã hẹn gặp &lt;b&gt;chiều&lt;/b&gt; nay" in browser.press(f"/flags/{number}/note", **form)
    assert office.world.value("SELECT count(*) FROM notes n JOIN clients c ON c.key_id = n.key_id") == 1


def test_hostile_texts_are_letters_with_what_is_unseen_marked(office: Office) -> None:
    client = office.world.client()
    wrote(office, client, "<script>alert(1)</script> \u202egnol\u200b" + "x" * 10_000)
    html = office.browser().read(f"/flags/{office.flag(client)}")
    assert "<script>alert" not in html
    assert "\u202e" not in html
    assert "U+202E" in html
    assert "<details>" in html


def test_an_overdue_flag_goes_up_once_and_keeps_its_owner(office: Office) -> None:
    number = office.flag(reason="callback")
    office.sign_in(office.member(code="lan")).press(f"/flags/{number}/take")
    after = later(office, timedelta(days=2))
    now = after.world.now
    assert (hand_up.hand_up(office.world.engine, now), hand_up.hand_up(office.world.engine, now)) == (1, 0)
    html = after.browser("supervisor", unit_id=office.top_id).read("/flags/?show=handed_up")
    assert "gone up to the supervisor" in html
    assert ">lan" in html.replace(" ", "").replace("\n", "")


def test_urgent_flags_that_nobody_took_are_on_every_page(office: Office) -> None:
    browser = office.browser()

    def waiting() -> str:
        return browser.get("/flags/urgent", **{"HX-Request": "true"}).get_data(as_text=True)

    assert 'data-count="0"' in waiting()
    number = office.flag(reason="crisis")
    assert 'data-count="1"' in waiting()
    browser.press(f"/flags/{number}/take")
    assert 'data-count="0"' in waiting()


def test_a_case_worker_of_another_unit_takes_nothing(office: Office) -> None:
    with unit_of_work(office.world.engine, SYSTEM):
        number = office.flag()
    assert office.browser(unit_id=office.other_id).post(f"/flags/{number}/take").status_code == 404


def test_an_alert_that_reaches_nobody_is_said_in_red_on_the_first_page(office: Office) -> None:
    number, said = office.flag(office.world.client(), "crisis"), "No alert by text has left"
    browser = office.browser()
    asked = {"HX-Request": "true"}
    assert said not in browser.get("/flags/urgent", **asked).get_data(as_text=True)  # it may be on its way
    here = later(office, timedelta(minutes=1))
    assert said in browser.get("/flags/urgent", **asked).get_data(as_text=True)
    text = here.world.planned(here.world.client())
    here.world.run("UPDATE outbound SET state = 'accepted' WHERE id = :id", id=text)
    here.world.run("""INSERT INTO alert_steps (id, flag_id, round, position, way, due_at, done_at, outbound_id)
                      SELECT :text, id, 0, 1, 'text', opened_at, opened_at, :text FROM flags WHERE number = :number""", text=text, number=number)  # fmt: skip
    assert said not in browser.get("/flags/urgent", **asked).get_data(as_text=True)
