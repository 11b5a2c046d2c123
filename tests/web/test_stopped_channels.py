"""What pages say where a channel is one-way, stopped, or reports from the network alone."""

from pathlib import Path

import pytest

from gateway.store import channels, flags
from gateway.store.base import SYSTEM, unit_of_work
from tests.builders import channel
from tests.web.office import Office
from tests.web.test_campaigns import WHAT, begin, fill, revision, running


@pytest.mark.parametrize(("language", "instead"), [("en", "call-back number"), ("vi", "số để gọi lại"), ("fr", "numéro à rappeler")])
def test_the_maker_refuses_a_question_where_no_answer_comes_back_and_says_what_to_do_instead(office: Office, language: str, instead: str) -> None:
    office.world.run("UPDATE channels SET one_way = '{+84}'")
    office.world.client()
    browser = office.browser("supervisor", language=language)
    draft = begin(browser)
    fill(browser, f"{draft}/what", do="add", more="check_in")
    fill(browser, f"{draft}/what", **WHAT)
    assert instead in browser.read(f"{draft}/when")
    answer = browser.post(f"{draft}/when", do="keep", revision=revision(browser.read(f"{draft}/when")))
    assert answer.status_code == 400 and instead in answer.get_data(as_text=True)
    assert office.world.value("SELECT count(*) FROM campaigns") == 0


def test_a_campaign_says_that_its_channel_is_stopped_how_many_went_and_how_many_wait(office: Office) -> None:
    browser, path = running(office)
    assert "is stopped" not in browser.read(path)
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        channels.pause(work, office.world.channel_id, "suspended", None)
    assert "The channel sim is stopped (suspended): 0 texts were sent, 1 wait for it." in " ".join(browser.read(path).split())


def test_the_flag_of_a_stopped_channel_is_a_page_like_any_other(office: Office) -> None:
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        opened = flags.add(work, unit_id=office.world.unit_id, reason="channel_stopped", dedupe_key="x", about_id=office.world.channel_id)
    assert opened is not None
    assert "stopped by a fault" in office.browser("supervisor").read(f"/flags/{opened.number}")


def test_delivered_is_said_as_far_as_the_network_reports(office: Office) -> None:
    client = office.world.client()
    office.world.run("UPDATE channels SET kind = 'twilio'")
    office.world.planned(client, state="planned")
    office.world.run("UPDATE outbound SET state = 'delivered'")
    browser = office.browser("supervisor")
    html = browser.read(f"/clients/{client}")
    assert "passed to the network" in html and "delivered to the phone" not in html
    office.world.run("UPDATE channels SET kind = 'simulator'")
    assert "delivered to the phone" in browser.read(f"/clients/{client}")


@pytest.mark.parametrize(("described", "said", "not_said"), [
    ("form-box", "delivered to the phone", "passed to the network"), ("json-aggregator", "passed to the network", "delivered to the phone"),
])  # fmt: skip
def test_delivered_is_said_as_far_as_the_description_of_a_carrier_says(office: Office, described: str, said: str, not_said: str) -> None:
    settings = {"description": Path(f"examples/carriers/{described}.toml").read_text("utf-8")}
    channel_id = channel(office.world.engine, office.world.vault, office.world.now, office.world.unit_id, kind="generic", name="box", settings=settings)
    client = office.world.client()
    office.world.planned(client, channel_id=channel_id)
    office.world.run("UPDATE outbound SET state = 'delivered'")
    html = office.browser("supervisor").read(f"/clients/{client}")
    assert said in html and not_said not in html


def test_a_conversation_can_be_read_whose_channel_is_of_a_kind_that_is_no_more(office: Office) -> None:
    client = office.world.client()
    office.world.planned(client, state="planned")
    office.world.run("UPDATE outbound SET state = 'delivered'")
    office.world.run("UPDATE channels SET kind = 'pigeon'")
    assert "passed to the network" in office.browser("supervisor").read(f"/clients/{client}")


def test_the_report_of_delivery_names_the_channels_that_know_of_the_network_alone(office: Office) -> None:
    browser = office.browser("supervisor", unit_id=office.top_id)
    assert "passed to the network" not in browser.read("/reports?report=delivery")
    office.world.run("UPDATE channels SET kind = 'twilio'")
    assert "sim (+84…)" in browser.read("/reports?report=delivery")
    assert "passed to the network" not in browser.read("/reports?report=attendance")
