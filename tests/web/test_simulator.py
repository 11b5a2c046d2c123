"""The simulated phone: real HTTP between our channel, its network and its page."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from gateway.config import Settings
from gateway.usecases.record_outcomes import Recorder
from gateway.usecases.send_due import Sender
from gateway.vault import Vault
from gateway.web import simulator
from gateway.wire import Wire
from tests import builders, simulated
from tests.simulated import Simulated, until

PHONE = "+84912345678"


@pytest.fixture
def here(engine: Engine, vault: Vault, redis_url: str) -> Iterator[Simulated]:
    with simulated.running(engine, vault, redis_url) as running:
        yield running


@pytest.fixture
def browser(here: Simulated) -> FlaskClient:
    """Goes to the same address as a real browser would."""
    client = here.app.test_client()
    client.environ_base["HTTP_HOST"] = here.url.removeprefix("http://")
    return client


def press(browser: FlaskClient, **form: Any) -> str:
    answer = browser.post("/simulator", data=form)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def numbers(page: str) -> list[str]:
    """The phones on the page, from left to right."""
    return re.findall(r'name="phone" value="(.*?)"', page)


def kept(page: str) -> dict[str, str]:
    """What the page keeps of the menu on its only phone."""
    return {name: re.findall(f'name="{name}" value="(.*?)"', page, re.S)[0] for name in ("session", "pressed", "screen")}


# --- the network ------------------------------------------------------------------------------------------------------


def test_a_text_reaches_the_handset_with_its_encoding_and_segments(here: Simulated) -> None:
    carrier_id = here.carry(PHONE, "Bạn có hẹn ngày mai.")
    [text] = here.texts(PHONE)
    assert text["id"] == carrier_id
    assert (text["incoming"], text["text"]) == (True, "Bạn có hẹn ngày mai.")
    assert (text["encoding"], text["segments"]) == ("UCS-2", 1)
    assert here.texts("+84912345679") == []


def test_the_whole_way_of_a_message_ends_with_a_delivered_report(here: Simulated) -> None:
    world = here.world
    client = world.client()
    message = world.planned(client, "Nhac hen")
    wire = Wire(connect_s=5, read_s=5).start()
    recorder = Recorder(world.engine, world.vault)
    Sender(world.engine, world.vault, wire, recorder, here.url).due(world.channel_id)
    until(lambda: world.state(message) == "delivered")
    assert [text["text"] for text in here.texts(world.phone_of(client))] == ["Nhac hen"]
    states = world.rows("SELECT state FROM reports ORDER BY id")
    assert [row.state for row in states] == ["sent", "delivered"]
    wire.close()
    recorder.close()


def test_a_call_goes_through_the_signed_webhook_and_shows_on_the_handset(here: Simulated) -> None:
    client = here.world.client()
    phone = here.world.phone_of(client)
    status, answer = here.ask("call", {"phone": phone})
    assert (status, answer["status"]) == (200, 204)
    assert [(row.client_id, row.called) for row in here.world.rows("SELECT client_id, called FROM inbound")] == [(client, True)]
    assert [text["text"] for text in here.texts(phone)] == ["\N{BLACK TELEPHONE}"]


def test_the_page_rings_too(here: Simulated, browser: FlaskClient) -> None:
    phone = here.world.phone_of(here.world.client())
    page = press(browser, phone=phone, id=str(uuid4()), text="a draft", do="call 0")
    assert "a draft" in page and "\N{BLACK TELEPHONE}" in page
    assert here.world.value("SELECT reason FROM flags") == "callback"


def test_a_reply_goes_through_the_signed_webhook_and_is_kept_once(here: Simulated) -> None:
    client = here.world.client()
    phone = here.world.phone_of(client)
    draft = {"phone": phone, "text": "mai toi ban", "id": str(uuid4())}
    first, again = here.ask("reply", draft), here.ask("reply", draft)
    assert (first[0], first[1]["status"]) == (200, 204)
    assert again == first
    kept = here.world.rows("SELECT client_id, carrier_id FROM inbound")
    assert [(row.client_id, row.carrier_id) for row in kept] == [(client, first[1]["id"])]
    assert [(text["incoming"], text["text"]) for text in here.texts(phone)] == [(False, "mai toi ban")]


def test_a_draft_that_was_edited_after_a_fault_is_another_text(here: Simulated) -> None:
    draft_id = str(uuid4())
    for text in ("co", "co, toi den"):
        here.ask("reply", {"phone": PHONE, "text": text, "id": draft_id})
    assert here.world.value("SELECT count(*) FROM inbound") == 2


def test_texts_lie_encrypted_and_go_with_the_key_of_their_phone(here: Simulated) -> None:
    here.carry(PHONE, "canary")
    here.ask("reply", {"phone": PHONE, "text": "canary"})
    assert here.world.value("SELECT count(*) FROM handset_texts WHERE position('canary' IN encode(body_enc, 'escape')) > 0") == 0
    here.world.run("DELETE FROM keys WHERE stranger_hash = :phone", phone=here.world.vault.hash_phone(PHONE))
    assert here.texts(PHONE) == []


def test_texts_since_a_time_are_the_later_ones_and_some_shortly_before(here: Simulated) -> None:
    old, new = here.carry(PHONE, "old"), here.carry(PHONE, "new")
    here.world.run("UPDATE handset_texts SET at = at - interval '1 minute' WHERE id = :id", id=old)
    _, answer = here.ask("texts", {"phone": PHONE})
    assert [text["id"] for text in answer["texts"]] == [old, new]
    _, later = here.ask("texts", {"phone": PHONE, "since": answer["next"]})
    assert [text["id"] for text in later["texts"]] == [new]
    assert later["next"] == answer["next"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"to": "113"}, "bad_number"),
        ({"to": None}, "bad_number"),
        ({"body": ""}, "bad_text"),
        ({"body": "x" * 1601}, "bad_text"),
        ({"token": None}, "misconfigured"),
        ({"callback_url": "http://127.0.0.1:9/c/00000000-0000-0000-0000-000000000000"}, "misconfigured"),
        ({"callback_url": None}, "misconfigured"),
    ],
)
def test_the_network_says_why_it_takes_no_text(here: Simulated, changes: dict[str, object], reason: str) -> None:
    assert here.ask("carrier/messages", {**here.message(PHONE), **changes}) == (400, {"error": reason})
    assert here.world.value("SELECT count(*) FROM handset_texts") == 0


def test_the_network_carries_nothing_for_a_channel_of_another_kind_or_none(here: Simulated) -> None:
    world = here.world
    other = builders.channel(world.engine, world.vault, world.now, world.unit_id, kind="twilio", name="other")
    for channel_id in (uuid4(), other):
        message = here.message(PHONE, callback_url=f"{here.url}/c/{channel_id}")
        assert here.ask("carrier/messages", message) == (400, {"error": "misconfigured"})
    assert here.texts(PHONE) == []


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("texts", [], 400),
        ("texts", {"phone": "nonsense"}, 400),
        ("texts", {"phone": PHONE, "since": "yesterday"}, 400),
        ("reply", {"phone": PHONE, "text": " "}, 400),
        ("reply", {"phone": PHONE, "text": "x" * 1601}, 400),
        ("reply", {"phone": PHONE, "text": "1", "id": "7"}, 400),
    ],
)
def test_bad_questions_are_refused_with_a_sentence(here: Simulated, what: str, body: object, status: int) -> None:
    got, answer = here.ask(what, body)
    assert got == status
    assert answer["error"]
    assert PHONE not in answer["error"]


def test_half_a_surrogate_pair_does_not_stop_the_handset(here: Simulated) -> None:
    here.carry(PHONE, "\ud83d")
    assert here.ask("reply", {"phone": PHONE, "text": "\ud83d"})[0] == 200
    assert len(here.texts(PHONE)) == 2


def test_with_a_single_thread_a_reply_is_refused_and_does_not_hang(engine: Engine, vault: Vault, redis_url: str) -> None:
    with simulated.running(engine, vault, redis_url, web_threads=1) as here:
        status, answer = here.ask("reply", {"phone": PHONE, "text": "1"})
    assert status == 429
    assert "GATEWAY_WEB_THREADS" in answer["error"]


def test_without_a_simulator_channel_the_page_says_what_to_do(here: Simulated, browser: FlaskClient) -> None:
    here.world.run("UPDATE channels SET state = 'disabled'")
    answer = browser.get("/simulator")
    assert answer.status_code == 404
    assert "channel add" in answer.get_data(as_text=True)
    assert here.ask("reply", {"phone": PHONE, "text": "1"})[0] == 404


# --- who may come -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, True),
        ({"host": "::1", "public_url": "http://localhost:8000"}, True),
        ({"embedded": False}, False),
        ({"host": "0.0.0.0"}, False),
        ({"host": "192.168.1.7"}, False),
        ({"public_url": "https://sms.example.org"}, False),
    ],
)
def test_the_simulator_is_there_only_for_this_machine_and_its_own_database(changes: dict[str, Any], shown: bool) -> None:
    assert simulator.may_be_shown(replace(Settings.from_env({}), **changes)) is shown


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "192.168.1.7", "[::1", ""])
def test_a_name_that_was_made_to_lead_here_is_refused(browser: FlaskClient, host: str) -> None:
    assert browser.get("/simulator", headers={"Host": host}).status_code == 404


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000"])
def test_the_names_of_this_machine_are_let_in(browser: FlaskClient, host: str) -> None:
    assert browser.get("/simulator", headers={"Host": host}).status_code == 200


def test_nobody_comes_from_elsewhere_or_through_a_proxy(browser: FlaskClient) -> None:
    assert browser.get("/simulator", environ_base={"REMOTE_ADDR": "192.168.1.9"}).status_code == 404
    assert browser.get("/simulator", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 404
    assert browser.get("/simulator", environ_base={"REMOTE_ADDR": "::ffff:127.0.0.1"}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1"])
def test_the_page_of_another_site_cannot_post_here(here: Simulated, origin: str) -> None:
    assert here.ask("reply", {"phone": PHONE, "text": "1"}, Origin=origin)[0] == 403
    assert here.ask("reply", {"phone": PHONE, "text": "1"}, Origin=here.url)[0] == 200


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_lists_clients_by_code_and_never_shows_a_name(here: Simulated, browser: FlaskClient) -> None:
    client = here.world.client(language="fr")
    code = here.world.value("SELECT code FROM clients WHERE id = :id", id=client)
    here.world.client()
    page = press(browser, find=code.lower())
    assert page.count('name="client"') == 1
    assert code in page
    assert "Français" in page
    assert "Canary" not in page
    assert "No client has such a code." in press(browser, find="nobody")


def test_without_javascript_a_client_is_chosen_keys_are_pressed_and_a_text_is_sent(here: Simulated, browser: FlaskClient) -> None:
    client = here.world.client()
    phone = here.world.phone_of(client)
    here.carry(phone, "Nhac hen <b>")
    page = press(browser, client=str(client))
    assert "Nhac hen &lt;b&gt;" in page
    form = {"phone": phone, "id": str(uuid4()), "text": "1"}
    assert ">\n12</textarea>" in press(browser, **form, do="key 0 2")
    assert ">\n1</textarea>" in press(browser, **form, do="refresh")
    assert ">\n</textarea>" in press(browser, **form, do="clear 0")
    for _ in ("pressed", "reloaded"):
        assert 'class="out"' in press(browser, **form, do="send 0")
    assert here.world.value("SELECT count(*) FROM inbound") == 1


def test_phones_lie_side_by_side_and_a_button_is_one_phones_own(here: Simulated, browser: FlaskClient) -> None:
    first, second = (here.world.phone_of(here.world.client()) for _ in range(2))
    drafts = [str(uuid4()), str(uuid4())]
    form = {"phone": [first, second], "id": drafts, "text": ["one", "two"]}
    page = press(browser, **form, do="send 1")
    assert numbers(page) == [first, second]
    assert ">\none</textarea>" in page and drafts[0] in page and drafts[1] not in page
    assert [text["text"] for text in here.texts(second)] == ["two"] and here.texts(first) == []
    page = press(browser, **form, do="away 0")
    assert numbers(page) == [second] and ">\ntwo</textarea>" in page
    assert numbers(press(browser, **form, do="send 7")) == [first, second]


def test_a_shared_phone_is_one_phone_with_both_their_codes(here: Simulated, browser: FlaskClient) -> None:
    world = here.world
    pair = [world.client(phone=PHONE), world.client(phone=PHONE)]
    page = press(browser, client=str(pair[1]), phone=PHONE, id=str(uuid4()), text="kept")
    assert numbers(page) == [PHONE] and "kept" in page
    codes = sorted(row.code for row in world.rows("SELECT code FROM clients"))
    assert f'<span class="code">{", ".join(codes)}</span>' in page
    address = "&".join(f"client={each}" for each in pair)
    assert numbers(browser.get(f"/simulator?{address}").get_data(as_text=True)) == [PHONE]


def test_six_phones_fit_and_no_seventh(here: Simulated, browser: FlaskClient) -> None:
    table = {"phone": [f"+8491234567{each}" for each in range(6)], "id": [str(uuid4()) for _ in range(6)]}
    page = press(browser, **table, typed="+84912345679")
    assert len(numbers(page)) == 6 and 'role="alert">6 phones fit' in page


def test_without_javascript_the_menu_is_dialled_walked_and_hung_up(here: Simulated, browser: FlaskClient) -> None:
    phone = here.world.phone_of(here.world.client())
    table = {"phone": phone, "id": str(uuid4()), "session": "", "pressed": "", "screen": "", "text": "a draft"}
    page = press(browser, **table, do="dial 0")
    assert "7 Tro giup" in page and "a draft" in page
    table |= kept(page)
    assert table["session"] and "7 Tro giup" in press(browser, **table, do="refresh")
    assert kept(press(browser, **table, do="hang 0")) == {"session": "", "pressed": "", "screen": ""}
    page = press(browser, **table | {"text": "4"}, do="send 0")
    assert "Đã ghi nhận" in page and kept(page)["session"] == ""
    assert here.world.value("SELECT reason FROM flags") == "callback"
    by_shortcut = press(browser, **table | {"text": "*123*7#", "session": ""}, do="send 0")
    assert kept(by_shortcut)["pressed"] == "7"
    assert here.texts(phone) == []


def test_the_clock_is_moved_on_and_goes_on_to_where_it_was_to_go(here: Simulated, browser: FlaskClient) -> None:
    assert "Go on" not in press(browser, do="clock hour")
    until = here.world.now + timedelta(hours=3)
    assert "Go on" in press(browser, until=until.isoformat())
    assert "Go on" not in press(browser, do="clock on", until=until.isoformat())
    assert timedelta(hours=3) <= here.world.value("SELECT ahead + interval '1 minute' FROM practice_clock") < timedelta(hours=4)


def test_the_clock_moves_a_step_at_a_time_towards_the_moment_that_was_named(here: Simulated) -> None:
    _, first = here.ask("clock", {"to": "day"})
    _, second = here.ask("clock", {"until": first["until"]})
    assert first["until"] == second["until"] and (first["day"], first["time"]) != (second["day"], second["time"])
    _, last = here.ask("clock", {"until": here.world.now.isoformat()})
    assert last["until"] is None
    assert here.ask("clock", {"to": "yesterday"})[0] == 400


def test_where_a_channel_leads_to_real_phones_there_is_no_practice(here: Simulated, browser: FlaskClient) -> None:
    world = here.world
    builders.channel(world.engine, world.vault, world.now, world.unit_id, kind="twilio", name="real")
    assert browser.get("/simulator").status_code == 404
    assert here.ask("clock", {"minutes": 60})[0] == 400


def test_a_text_that_could_not_be_sent_stays_on_the_page(here: Simulated, browser: FlaskClient) -> None:
    draft_id, long = str(uuid4()), "x" * 1601
    page = press(browser, phone=PHONE, id=draft_id, text=long, do="send 0")
    assert "1601 characters" in page
    assert draft_id in page
    assert long in page


def test_what_is_wrong_is_said_on_the_page(browser: FlaskClient) -> None:
    assert "never texted" in press(browser, typed="113")
    assert 'role="alert"' in press(browser, client="x")


def test_the_page_speaks_the_languages_of_the_program(browser: FlaskClient) -> None:
    assert "Điện thoại mô phỏng" in browser.get("/simulator?language=vi").get_data(as_text=True)
    assert "Simulateur" in browser.get("/simulator", headers={"Accept-Language": "fr-CA,fr"}).get_data(as_text=True)
    assert 'lang="en"' in browser.get("/simulator?language=xx").get_data(as_text=True)


def test_the_page_runs_no_code_of_others_and_names_no_phone_in_an_address(browser: FlaskClient) -> None:
    answer = browser.post("/simulator", data={"typed": PHONE})
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert answer.headers["Cache-Control"] == "no-store"
    page = answer.get_data(as_text=True)
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?! src=)", page) == []
    assert [address for address in re.findall(r'(?:href|src|action)="(.*?)"', page) if PHONE[1:] in address] == []
