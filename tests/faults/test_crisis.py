"""A cry for help is flagged within a second, alerted to the phone of whoever is on duty and answered within five."""

import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from urllib.parse import urlencode

import pytest

from tests import builders
from tests.faults.processes import until
from tests.faults.stage import Stage

CRY = "toi muon chet"
_guards = count(1)


@contextmanager
def redis_stopped(stage: Stage, phone: str) -> Iterator[None]:
    stage.servers.stop_redis()
    yield


@contextmanager
def in_a_flood(stage: Stage, phone: str) -> Iterator[None]:
    """Texts that take the channel minutes, and that it is in the middle of."""
    stage.set_rate(20)
    stage.plan(2000)
    stage.until_accepted(20)
    yield


@contextmanager
def sending_off(stage: Stage, phone: str) -> Iterator[None]:
    stage.world.run("UPDATE switches SET is_on = false")
    yield


@contextmanager
def after_a_stop(stage: Stage, phone: str) -> Iterator[None]:
    stage.say(phone, "STOP")
    until(lambda: len(stage.received(phone)) == 1, what="the confirmation")
    yield


@contextmanager
def worker_killed(stage: Stage, phone: str) -> Iterator[None]:
    """With its claims open: it held the bell, and a second worker holds nothing yet."""
    stage.processes.kill("send")
    stage.processes.start("send")
    yield


@contextmanager
def redis_lost(stage: Stage, phone: str) -> Iterator[None]:
    stage.servers.lose_redis()
    yield


@contextmanager
def at_night(stage: Stage, phone: str) -> Iterator[None]:
    """The unit opens in twelve hours, for a minute."""
    stage.world.run("""UPDATE units SET opens = date_trunc('minute', (now() AT TIME ZONE time_zone) + interval '12 hours')::time,
                         closes = date_trunc('minute', (now() AT TIME ZONE time_zone) + interval '12 hours 1 minute')::time WHERE id = :u""",
                    u=stage.world.unit_id)  # fmt: skip
    yield


@contextmanager
def clock_killed(stage: Stage, phone: str) -> Iterator[None]:
    stage.processes.kill("clock")
    yield
    stage.processes.start("clock")


@contextmanager
def client_paused(stage: Stage, phone: str) -> Iterator[None]:
    stage.world.run("UPDATE clients SET status = 'paused' WHERE unit_id = :u", u=stage.world.unit_id)
    yield


def well(stage: Stage, phone: str) -> AbstractContextManager[None]:
    return nullcontext()


FAULTS = [well, redis_stopped, redis_lost, in_a_flood, sending_off, after_a_stop, at_night, worker_killed, clock_killed, client_paused]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_cry_for_help_is_flagged_alerted_and_answered_in_time(
    stage: Stage, fault: Callable[[Stage, str], AbstractContextManager[None]]
) -> None:
    guard, off_duty = f"+84919998{next(_guards):03d}", f"+84919997{next(_guards):03d}"
    stage.world.staff(guard)
    stage.world.staff(off_duty, on_duty=False)
    phone = stage.world.phone_of(stage.world.client())
    with fault(stage, phone):
        answered_before = len(stage.received(phone))
        began = time.monotonic()
        sid, status = stage.say(phone, CRY)
        assert status == 200
        flag = "SELECT f.number FROM flags f JOIN inbound i ON i.id = f.inbound_id WHERE i.carrier_id = :sid AND f.severity = 'urgent'"
        number = stage.world.value(flag, sid=sid)
        stage.figures["flagged after (s)"] = time.monotonic() - began
        until(lambda: stage.received(guard), 5, "the alert")
        stage.figures["alerted after (s)"] = time.monotonic() - began
        until(lambda: len(stage.received(phone)) > answered_before, 5, "the answer")
        stage.figures["answered after (s)"] = time.monotonic() - began
    assert number is not None
    assert stage.figures["flagged after (s)"] < 1
    assert stage.figures["answered after (s)"] < 5
    (alert,) = stage.received(guard)
    assert str(number) in alert
    assert phone not in alert
    assert CRY not in alert
    assert stage.received(off_duty) == []


def test_a_carrier_that_hangs_on_thousands_of_texts_holds_up_no_alert_through_another(stage: Stage) -> None:
    stage.processes.kill("send")
    stage.processes.start("send", GATEWAY_READ_TIMEOUT_SECONDS="30", GATEWAY_LEASE_SECONDS="90")
    flooded = stage.beside(prefix="+8492")
    guard = f"+84919998{next(_guards):03d}"
    stage.world.staff(guard)
    phone = stage.world.phone_of(stage.world.client())
    flooded.carrier.script("hang")
    before = flooded.carrier.posts
    flooded.plan(2500)
    until(lambda: flooded.carrier.posts >= before + 600, what="the flood")
    flooded.carrier.script("ok", to=guard)
    flooded.carrier.script("ok", to=phone)
    stage.say(phone, CRY)
    stage.figures["alerted after (s)"] = until(lambda: stage.received(guard) and stage.received(phone), 5, "alert and answer")


def test_an_alert_whose_worker_is_killed_under_way_is_there_within_a_minute(stage: Stage) -> None:
    guard = f"+84919998{next(_guards):03d}"
    stage.world.staff(guard)
    phone = stage.world.phone_of(stage.world.client())
    stage.carrier.script("hang")
    before = stage.carrier.posts
    stage.say(phone, CRY)
    until(lambda: stage.carrier.posts >= before + 2, what="the requests for alert and answer")
    stage.processes.kill("send")
    stage.carrier.script("ok")
    stage.processes.start("send")
    stage.figures["alerted after (s)"] = until(lambda: stage.received(guard) and stage.received(phone), 60, "alert and answer")


def test_an_alert_that_the_carrier_loses_leaves_again_until_it_is_taken(stage: Stage) -> None:
    guard = f"+84919998{next(_guards):03d}"
    stage.world.staff(guard)
    stage.carrier.script("500", to=guard)
    phone = stage.world.phone_of(stage.world.client())
    stage.say(phone, CRY)
    unknown = "SELECT count(*) FROM outbound WHERE purpose = 'staff_alert' AND channel_id = :c AND state = 'unknown'"
    until(lambda: stage.world.value(unknown, c=stage.world.channel_id) == 1, what="the loss of the alert")
    stage.carrier.script("ok", to=guard)
    stage.figures["alerted after (s)"] = until(lambda: stage.received(guard), 60, "the alert")


CRIES = {
    "with tones": "Tôi muốn chết", "without tones": CRY, "Telex": "tooi muoons cheets", "misspelt": "toi mun chet qua", "drawn out": "troi oi toi muon chetttt",
    "slip of the thumb": "i wnat to die", "two languages": "toi muốn kill myself", "one in the other": "em muon die", "French": "je veut mourir",
    "long": "Chao chi. " * 400 + CRY, "with a stop": f"STOP {CRY}", "behind an answer": f"1 {CRY}",
}  # fmt: skip


@pytest.mark.parametrize("cry", CRIES.values(), ids=CRIES)
def test_a_cry_for_help_is_heard_however_it_is_written(stage: Stage, cry: str) -> None:
    guard = f"+84919998{next(_guards):03d}"
    stage.world.staff(guard)
    phone = stage.world.phone_of(stage.world.client())
    assert stage.say(phone, cry)[1] == 200
    stage.figures["alerted after (s)"] = until(lambda: stage.received(guard), 10, "the alert")
    stage.figures["answered after (s)"] = until(lambda: stage.received(phone), 10, "the answer")
    assert any("115" in text for text in stage.received(phone))


def test_a_cry_for_help_typed_into_the_menu_is_shown_an_answer_and_alerted(stage: Stage) -> None:
    guard = f"+84919998{next(_guards):03d}"
    stage.world.staff(guard)
    phone = stage.world.phone_of(stage.world.client())
    menu = builders.channel(stage.engine, stage.vault, stage.world.now, stage.world.unit_id, "africastalking", name=f"menu{phone}",
                            settings={"secret": "q7TqYw2nB5mZx0LkVd9sRfAa"}, texts=False)  # fmt: skip
    url = f"{stage.processes.url}/c/{menu}/ussd?key=q7TqYw2nB5mZx0LkVd9sRfAa"
    form = {"sessionId": f"S{phone}", "serviceCode": "*123#", "phoneNumber": phone, "networkCode": "1", "text": CRY}
    with urllib.request.urlopen(url, urlencode(form).encode(), timeout=10) as screen:
        assert "115" in screen.read().decode()
    stage.figures["alerted after (s)"] = until(lambda: stage.received(guard), 10, "the alert")
    stage.figures["texted after (s)"] = until(lambda: stage.received(phone), 10, "the answer as a text")
