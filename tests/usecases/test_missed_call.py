"""A call to our number is never taken: it says "call me", free of charge."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine
from twilio.request_validator import RequestValidator
from werkzeug.test import TestResponse

from gateway import parts, queues, webhooks
from gateway.channels import base, twilio
from gateway.config import Settings
from gateway.parts import Gateway
from gateway.queues import Bell
from gateway.store import channels, threads
from gateway.store.base import unit_of_work
from gateway.usecases import receive_message
from gateway.vault import Vault
from tests.builders import CONTENT, World, world

PUBLIC = "https://sms.example.org"
Ring = Callable[..., TestResponse]


@pytest.fixture
def here(engine: Engine, vault: Vault, now: datetime) -> World:
    return world(engine, vault, now, kind="twilio", settings={"account_sid": "AC1", "auth_token": "token", "sender": "+84900000000"})


@pytest.fixture
def ring(here: World, redis_url: str, tmp_path: Path) -> Ring:
    """Twilio's post of a call."""
    app = Flask(__name__)
    settings = Settings.from_env({"GATEWAY_PUBLIC_URL": PUBLIC, "GATEWAY_SPOOL": str(tmp_path)})
    gateway = Gateway(settings, here.engine, here.vault, CONTENT, Bell(redis_url))
    app.register_blueprint(webhooks.blueprint(gateway, parts.outage(gateway)))

    def post(caller: str, token: str = "token", sid: str | None = None) -> TestResponse:
        url = f"/c/{here.channel_id}/call"
        form = {"CallSid": sid or f"CA{uuid4().hex}", "From": caller, "To": "+84900000000", "CallStatus": "ringing"}
        signature = RequestValidator(token).compute_signature(PUBLIC + url, form)
        return app.test_client().post(url, data=urlencode(form), headers={
            "Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature})  # fmt: skip

    return post


def call(here: World, phone: str, after: timedelta = timedelta(0)) -> None:
    with unit_of_work(here.engine) as work:
        channel = channels.get(work, here.vault, here.channel_id)
    called = base.call(f"CA{uuid4().hex}", phone, "+84900000000")
    assert called is not None
    receive_message.receive(here.engine, here.vault, CONTENT, channel, called, queues.silent, here.now + after)


def flags(here: World) -> list[str]:
    return [row.reason for row in here.rows("SELECT reason FROM flags ORDER BY number")]


def replies(here: World) -> list[str]:
    return [row.purpose for row in here.rows("SELECT purpose FROM outbound ORDER BY created_at")]


def test_twilio_rejects_the_call_and_a_person_is_asked_to_call_back(here: World, ring: Ring) -> None:
    phone = here.phone_of(here.client())
    answer = ring(phone)
    assert (answer.status_code, answer.content_type) == (200, "text/xml")
    assert answer.get_data(as_text=True) == '<Response><Reject reason="busy"/></Response>'
    assert (flags(here), replies(here)) == (["callback"], ["callback_noted"])
    assert here.value("SELECT called FROM inbound") is True


def test_the_carriers_repeat_of_a_call_is_kept_once(here: World, ring: Ring) -> None:
    phone, sid = here.phone_of(here.client()), f"CA{uuid4().hex}"
    assert [ring(phone, sid=sid).status_code for _ in range(3)] == [200, 200, 200]
    assert flags(here) == ["callback"]


def test_a_forged_call_changes_nothing(here: World, ring: Ring) -> None:
    assert ring(here.phone_of(here.client()), token="guess").status_code == 403
    assert here.value("SELECT count(*) FROM inbound") == 0


@pytest.mark.parametrize("caller", ["", "anonymous", "+266696687", "client:Canary", "sip:canary@example.org"])
def test_who_withholds_their_number_is_rejected_and_cannot_be_called_back(here: World, ring: Ring, caller: str) -> None:
    assert "<Reject" in ring(caller).get_data(as_text=True)
    assert here.value("SELECT count(*) FROM inbound") == 0


def test_a_call_without_an_id_is_a_bad_request(here: World) -> None:
    with pytest.raises(base.BadCallback):
        twilio.read_call(base.CallbackRequest("", "", "", {"content-type": "application/x-www-form-urlencoded"}, b"From=%2B84912345678"))


def test_ringing_again_at_once_is_the_same_wish(here: World) -> None:
    phone = here.phone_of(here.client())
    for seconds in (0, 20, 60):
        call(here, phone, timedelta(seconds=seconds))
    assert flags(here) == ["callback"]
    call(here, phone, timedelta(minutes=30))
    assert flags(here) == ["callback", "callback"]


def test_a_stopped_phone_that_rings_is_called_back(here: World) -> None:
    phone = here.phone_of(here.client())
    with unit_of_work(here.engine) as work:
        channel = channels.get(work, here.vault, here.channel_id)
    stop = base.Inbound(str(uuid4()), phone, "+84900000000", "STOP")
    receive_message.receive(here.engine, here.vault, CONTENT, channel, stop, queues.silent, here.now)
    call(here, phone, timedelta(minutes=5))
    assert flags(here) == ["callback"]
    assert here.value("SELECT reason FROM stops") == "stop"


def test_staff_read_that_it_was_a_call(here: World) -> None:
    call(here, here.phone_of(here.client()))
    with unit_of_work(here.engine) as work:
        (kept,) = threads.inbox(work, here.vault)
        assert (kept.called, kept.text, kept.meaning) == (True, "", "callback")


def test_a_call_does_not_answer_the_question_that_is_open(here: World) -> None:
    client = here.client()
    question = here.planned(client, expects="yes_no")
    here.run("UPDATE outbound SET state = 'submitting' WHERE id = :id", id=question)
    here.run("UPDATE outbound SET state = 'delivered' WHERE id = :id", id=question)
    call(here, here.phone_of(client))
    assert here.value("SELECT count(*) FROM answers") == 0
    assert flags(here) == ["callback"]


def test_a_call_whose_deciding_failed_is_still_a_call_when_it_is_tried_again(here: World) -> None:
    call(here, here.phone_of(here.client()))
    here.run("UPDATE inbound SET handled_at = NULL, meaning = NULL")
    here.run("DELETE FROM flags")
    later = here.now + timedelta(minutes=5)
    assert receive_message.retry_unhandled(here.engine, here.vault, CONTENT, queues.silent, later) == 1
    assert here.value("SELECT meaning FROM inbound") == "callback"
