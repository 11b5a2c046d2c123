"""Due texts leave exactly once: claimed, judged on locked rows, sent, recorded, reported, reconciled."""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from datetime import time as time_of_day
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from gateway import queues
from gateway.channels.base import Report, SendResult
from gateway.domain.messages import BULK, REPLY, URGENT
from gateway.domain.windows import Window
from gateway.store import channels, switches
from gateway.store.base import unit_of_work
from gateway.usecases import apply_effects, reconcile, record_outcomes, record_reports, send_due, sweep
from gateway.usecases.record_outcomes import Recorder
from gateway.usecases.send_due import Sender
from gateway.vault import Vault
from gateway.wire import Wire
from tests.builders import World, channel, unit
from tests.carrier import FakeCarrier


@pytest.fixture
def carrier() -> Iterator[FakeCarrier]:
    with FakeCarrier(reports=()) as fake:
        yield fake


@pytest.fixture
def here(engine: Engine, vault: Vault, now: datetime, carrier: FakeCarrier) -> World:
    unit_id = unit(engine, now)
    settings = {"account_sid": "AC" + "0" * 32, "auth_token": "token", "sender": "+15005550006", "base_url": carrier.url}
    return World(engine, vault, unit_id, channel(engine, vault, now, unit_id, kind="twilio", settings=settings), now)


@pytest.fixture
def live(engine: Engine, vault: Vault, carrier: FakeCarrier) -> World:
    """A world on the database's own clock, open at any hour: the sender's path knows no other."""
    with unit_of_work(engine) as work:
        now = work.now
    unit_id = unit(engine, now, hours=None)
    settings = {"account_sid": "AC" + "0" * 32, "auth_token": "token", "sender": "+15005550006", "base_url": carrier.url}
    return World(engine, vault, unit_id, channel(engine, vault, now, unit_id, kind="twilio", settings=settings), now)


@pytest.fixture
def sender(engine: Engine, vault: Vault) -> Iterator[Sender]:
    wire = Wire(connect_s=5, read_s=3).start()
    recorder = Recorder(engine, vault)
    yield Sender(engine, vault, wire, recorder, "http://127.0.0.1:1")
    wire.close()
    recorder.close()


def until(check: Callable[[], bool]) -> None:
    for _ in range(3000):
        if check():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen within a minute")


def claim(here: World, after: timedelta = timedelta(0), wanted: int = 100) -> list[Any]:
    return send_due.claim(here.engine, here.vault, here.channel_id, wanted, here.now + after).sends


def ids(sends: list[Any]) -> list[UUID]:
    return [s.message_id for s in sends]


def test_a_due_text_is_claimed_with_an_attempt_row_and_only_once(here: World) -> None:
    message = here.planned(here.client())
    assert ids(claim(here)) == [message]
    assert claim(here) == []
    assert here.state(message) == "submitting"
    assert here.value("SELECT count(*) FROM attempts") == 1


def test_urgent_goes_before_replies_and_replies_before_bulk(here: World) -> None:
    bulk, reply, urgent = (here.planned(here.client(), lane=lane) for lane in (BULK, REPLY, URGENT))
    assert ids(claim(here, wanted=3)) == [urgent, reply, bulk]


def test_one_client_has_one_text_on_its_way(here: World) -> None:
    client = here.client()
    first, second = here.planned(client, body="one"), here.planned(client, body="two")
    assert len(claim(here)) == 1
    assert {here.state(first), here.state(second)} == {"submitting", "planned"}
    assert claim(here, after=timedelta(seconds=3)) == []


def test_outside_the_hours_a_text_is_held_until_they_open(here: World) -> None:
    message = here.planned(here.client(), send_before=here.now + timedelta(days=2))
    assert claim(here, after=timedelta(hours=12)) == []  # 22:00 in Vietnam
    row = here.rows("SELECT send_after, reason FROM outbound WHERE id = :id", id=message)[0]
    assert (row.reason, row.send_after) == ("quiet hours", here.now + timedelta(hours=22))
    assert ids(claim(here, after=timedelta(hours=22))) == [message]


def test_the_client_s_hours_narrow_the_unit_s(here: World) -> None:
    message = here.planned(here.client(hours=Window(time_of_day(14), time_of_day(15))), send_before=here.now + timedelta(days=2))
    assert claim(here) == []  # 10:00 in Vietnam
    assert here.value("SELECT send_after FROM outbound WHERE id = :id", id=message) == here.now + timedelta(hours=4)


def test_people_who_share_a_phone_share_its_cap_in_one_claim_too(here: World) -> None:
    first = here.client()
    texts = [here.planned(each, body=f"Canary {each}") for each in (first, *(here.client(here.phone_of(first)) for _ in range(4)))]
    send_due.claim(here.engine, here.vault, here.channel_id, 10, here.now)
    assert sorted(here.state(each) for each in texts) == ["planned"] * 2 + ["submitting"] * 3


def test_an_answer_leaves_at_night_within_its_ten_minutes(here: World) -> None:
    night = here.now + timedelta(hours=12)
    message = here.planned(here.client(), lane=REPLY, consent_purpose=None, exempt_until=night + timedelta(minutes=10),
                           send_before=night + timedelta(hours=12))  # fmt: skip
    assert ids(claim(here, after=timedelta(hours=12))) == [message]


def test_a_text_past_its_time_expires_and_is_never_sent(here: World) -> None:
    message = here.planned(here.client())
    assert claim(here, after=timedelta(hours=5)) == []
    assert here.state(message) == "expired"


def test_the_sweep_expires_what_nobody_claims(here: World) -> None:
    message = here.planned(here.client(), channel_id=channel(here.engine, here.vault, here.now, here.unit_id, name="other"))
    sweep.expire(here.engine, here.now + timedelta(hours=5))
    assert here.state(message) == "expired"


def test_without_consent_a_client_is_never_texted_for_the_purpose(here: World) -> None:
    message = here.planned(here.client(consent=()))
    assert claim(here) == []
    row = here.rows("SELECT state, reason FROM outbound WHERE id = :id", id=message)[0]
    assert tuple(row) == ("suppressed", "no consent for check_in")


def test_a_stop_that_commits_first_wins(here: World) -> None:
    client = here.client()
    message = here.planned(client)
    with unit_of_work(here.engine, now=here.now) as work:
        apply_effects.stop_phone(work, here.vault.hash_phone(here.phone_of(client)), "stop", "inbound", None)
    assert claim(here) == []
    assert here.state(message) == "cancelled"


def test_a_text_planned_after_the_stop_is_suppressed(here: World) -> None:
    client = here.client()
    with unit_of_work(here.engine, now=here.now) as work:
        apply_effects.stop_phone(work, here.vault.hash_phone(here.phone_of(client)), "stop", "inbound", None)
    message = here.planned(client)
    assert claim(here) == []
    assert here.state(message) == "suppressed"


def test_a_claim_leaves_the_texts_of_a_client_whose_stop_is_under_way(here: World) -> None:
    client, other = here.client(), here.client()
    here.planned(client)
    free = here.planned(other)
    with here.engine.connect() as stopping:
        stopping.execute(text("SET LOCAL ROLE gateway_system"))
        stopping.execute(text("SELECT id FROM clients WHERE id = :id FOR NO KEY UPDATE"), {"id": client})
        assert ids(claim(here)) == [free]


def test_the_kill_switch_holds_bulk_and_replies_but_not_urgent_texts(here: World) -> None:
    with unit_of_work(here.engine) as work:
        switches.turn(work, "sending", False)
    here.planned(here.client())
    urgent = here.planned(here.client(), lane=URGENT, purpose="crisis_answer")
    assert ids(claim(here)) == [urgent]


def test_the_same_text_again_and_again_is_stopped(here: World) -> None:
    client = here.client()
    for n in range(6):
        here.planned(client, body="the same", lane=REPLY, consent_purpose=None)
        for sent in claim(here, after=timedelta(minutes=n)):
            here.run("UPDATE outbound SET state = 'accepted' WHERE id = :id", id=sent.message_id)
    assert here.value("SELECT count(*) FROM outbound WHERE state = 'accepted'") == 5
    assert "loop guard" in here.value("SELECT reason FROM outbound WHERE state = 'suppressed'")


def test_a_channel_of_one_a_second_lets_one_leave_each_second(engine: Engine, vault: Vault, now: datetime) -> None:
    unit_id = unit(engine, now)
    here = World(engine, vault, unit_id, channel(engine, vault, now, unit_id, rate=1.0), now)
    for _ in range(5):
        here.planned(here.client())
    assert [len(claim(here, after=timedelta(seconds=s))) for s in (0, 0.5, 1, 2)] == [1, 0, 1, 1]


@pytest.mark.parametrize(("rate", "segments"), [(1.0, 24), (0.1, 24)])
def test_a_channel_with_a_rate_does_not_wait_for_a_clock_that_was_set_back(
    engine: Engine, vault: Vault, now: datetime, rate: float, segments: int
) -> None:
    unit_id = unit(engine, now)
    here = World(engine, vault, unit_id, channel(engine, vault, now, unit_id, rate=rate), now)
    for _ in range(3):
        here.planned(here.client(), lane=0, segments=segments)
    hour = timedelta(hours=1)

    def claimed(at: datetime) -> int:
        return len(send_due.claim(engine, vault, here.channel_id, 1, at).sends)

    assert claimed(now + hour) == 1
    assert claimed(now) == 1
    used = timedelta(seconds=segments / rate)
    assert claimed(now + used - timedelta(seconds=1)) == 0
    assert claimed(now + used) == 1


def test_a_share_of_the_rate_stays_reserved_for_answers(engine: Engine, vault: Vault, now: datetime) -> None:
    unit_id = unit(engine, now)
    here = World(engine, vault, unit_id, channel(engine, vault, now, unit_id, rate=10.0), now)
    for _ in range(20):
        here.planned(here.client())
    assert len(claim(here)) == 8
    replies = [here.planned(here.client(), lane=REPLY, consent_purpose=None) for _ in range(2)]
    assert sorted(ids(claim(here))) == sorted(replies)


def test_a_rate_counts_parts_as_carriers_do(engine: Engine, vault: Vault, now: datetime) -> None:
    unit_id = unit(engine, now)
    here = World(engine, vault, unit_id, channel(engine, vault, now, unit_id, rate=10.0), now)
    for _ in range(20):
        here.planned(here.client(), segments=4)
    assert len(claim(here)) == 2  # eight parts of ten; two stay reserved
    answer = here.planned(here.client(), lane=REPLY, consent_purpose=None, segments=1)
    assert ids(claim(here)) == [answer]
    assert [len(claim(here, after=timedelta(seconds=s))) for s in (0.1, 1, 2)] == [0, 2, 2]


def test_a_rate_of_little_more_than_one_a_second_lets_campaigns_leave(engine: Engine, vault: Vault, now: datetime) -> None:
    unit_id = unit(engine, now)
    here = World(engine, vault, unit_id, channel(engine, vault, now, unit_id, rate=1.2), now)  # less than one of it is not reserved
    for _ in range(3):
        here.planned(here.client())
    assert [len(claim(here, after=timedelta(seconds=s))) for s in (0, 0.5, 1, 2)] == [1, 0, 1, 1]


def test_a_text_of_more_parts_than_a_second_takes_leaves_and_the_next_waits_its_time(engine: Engine, vault: Vault, now: datetime) -> None:
    unit_id = unit(engine, now)
    here = World(engine, vault, unit_id, channel(engine, vault, now, unit_id, rate=1.0), now)
    for _ in range(3):
        here.planned(here.client(), segments=3)
    assert [len(claim(here, after=timedelta(seconds=s))) for s in (0, 1, 2, 3, 5, 6)] == [1, 0, 0, 1, 0, 1]


def test_sent_through_the_wire_each_is_accepted_once_and_recorded(live: World, sender: Sender, carrier: FakeCarrier) -> None:
    for _ in range(50):
        live.planned(live.client())
    sender.due(live.channel_id)
    until(lambda: live.value("SELECT count(*) FROM outbound WHERE state = 'accepted' AND carrier_id IS NOT NULL") == 50)
    assert carrier.accepted_count() == 50


def test_what_left_before_the_wire_closed_is_not_taken_back_with_the_rest(live: World, carrier: FakeCarrier) -> None:
    class Closing(Wire):
        """Its process ends once the alerts have left, before campaigns' texts are handed over."""

        def submit_many(self, pairs: Iterable[Any], since: float | None = None, first: bool = False) -> None:
            if not first:
                self.drain(5)
                self.close()
            super().submit_many(pairs, since, first)

    recorder, wire = Recorder(live.engine, live.vault), Closing(connect_s=1, read_s=1).start()
    alert, campaigns = live.planned(live.client(), lane=URGENT), live.planned(live.client())
    sender = Sender(live.engine, live.vault, wire, recorder, "http://127.0.0.1:1")
    sender.due(live.channel_id)
    recorder.close()
    assert (live.state(alert), live.state(campaigns)) == ("accepted", "planned")
    assert carrier.accepted_count() == 1


@pytest.mark.parametrize(
    ("mode", "state", "attempt"),
    [
        ("429", "planned", "not_sent"), ("500", "unknown", "unknown"), ("accept_500", "unknown", "unknown"),
        ("accept_close", "unknown", "unknown"), ("html", "unknown", "unknown"), ("empty", "unknown", "unknown"),
        ("hang", "unknown", "unknown"),
    ],
)  # fmt: skip
def test_an_answer_that_proves_nothing_is_unknown_and_a_refusal_is_planned_again(
    live: World, sender: Sender, carrier: FakeCarrier, mode: str, state: str, attempt: str
) -> None:
    carrier.script(mode)
    message = live.planned(live.client())
    sender.due(live.channel_id)
    until(lambda: live.value("SELECT state FROM attempts") == attempt)
    until(lambda: live.state(message) == state)


def test_an_opt_out_at_the_carrier_becomes_ours(live: World, sender: Sender, carrier: FakeCarrier) -> None:
    carrier.script("error", code=21610)
    message = live.planned(live.client())
    sender.due(live.channel_id)
    until(lambda: live.state(message) == "failed")
    assert live.value("SELECT reason FROM stops") == "carrier"


def test_a_suspended_account_pauses_the_channel(live: World, sender: Sender, carrier: FakeCarrier) -> None:
    carrier.script("error", code=30002)
    message = live.planned(live.client())
    sender.due(live.channel_id)
    until(lambda: live.value("SELECT state FROM channels") == "paused")
    until(lambda: live.state(message) == "planned")


@pytest.mark.parametrize(("reason", "pauses"), [("suspended", "suspended"), ("daily_limit", "daily_limit_reported"), ("bad_sender", None), ("unreachable", None)])
def test_a_report_that_the_account_is_stopped_pauses_the_channel_once(here: World, reason: str, pauses: str | None) -> None:
    message = here.planned(here.client())
    token = str(claim(here)[0].token)
    failed = (here.channel_id, Report(token, "SM1", "failed", "30002", reason))  # type: ignore[arg-type]
    record_reports.record(here.engine, [failed], here.now)
    assert here.state(message) == "failed"
    assert here.value("SELECT state_reason FROM channels") == pauses
    here.planned(here.client(), lane=URGENT)
    assert bool(claim(here)) is (pauses is None), "what left now would be lost"
    here.run("UPDATE channels SET state = 'active', state_reason = NULL")
    record_reports.record(here.engine, [failed], here.now)
    assert here.value("SELECT state FROM channels") == "active", "the same report again stops nobody anew"


def test_what_a_dead_worker_left_becomes_unknown_when_its_lease_lapses(here: World) -> None:
    message = here.planned(here.client())
    claim(here)
    assert reconcile.lapse(here.engine, timedelta(seconds=90), here.now + timedelta(seconds=89)) == 0
    assert reconcile.lapse(here.engine, timedelta(seconds=90), here.now + timedelta(seconds=91)) == 1
    assert here.state(message) == "unknown"


def test_an_alert_that_a_dead_worker_left_is_taken_up_in_half_the_time(here: World) -> None:
    alert, reminder = here.planned(here.client(), lane=URGENT, semantics="at_least_once"), here.planned(here.client())
    claim(here)
    assert reconcile.lapse(here.engine, timedelta(seconds=90), here.now + timedelta(seconds=46)) == 1
    assert (here.state(alert), here.state(reminder)) == ("unknown", "submitting")


def test_a_carrier_that_answered_nothing_is_asked_for_an_alert_much_sooner(
    live: World, sender: Sender, carrier: FakeCarrier
) -> None:
    carrier.script("500")
    alert, reminder = live.planned(live.client(), lane=URGENT, semantics="at_least_once"), live.planned(live.client())
    sender.due(live.channel_id)
    until(lambda: live.value("SELECT count(*) FROM outbound WHERE state = 'unknown'") == 2)
    wire = Wire().start()
    reconcile.reconcile(live.engine, live.vault, wire, queues.silent, timedelta(seconds=60), live.now + timedelta(seconds=20))
    wire.close()
    assert (live.state(alert), live.state(reminder)) == ("planned", "unknown")


def test_unknowns_are_settled_by_what_the_carrier_shows(live: World, sender: Sender, carrier: FakeCarrier) -> None:
    carrier.script("accept_500")
    accepted = live.planned(live.client())
    sender.due(live.channel_id)
    until(lambda: live.state(accepted) == "unknown")
    carrier.script("500")
    lost, sensitive = live.planned(live.client()), live.planned(live.client(), semantics="at_most_once")
    sender.due(live.channel_id)
    until(lambda: live.value("SELECT count(*) FROM outbound WHERE state = 'unknown'") == 3)
    wire = Wire().start()
    reconcile.reconcile(live.engine, live.vault, wire, queues.silent, timedelta(0))
    wire.close()
    assert [live.state(m) for m in (accepted, lost, sensitive)] == ["accepted", "planned", "unknown"]
    assert live.value("SELECT reason FROM flags") == "delivery_unknown"
    carrier.script("ok")
    sender.due(live.channel_id)
    until(lambda: live.state(lost) == "accepted")
    assert max(carrier.accepted_count(live.phone_of(c)) for c in [r.client_id for r in live.rows("SELECT client_id FROM outbound")]) == 1


def reported(here: World, message: UUID, *states: str) -> None:
    token = str(here.value("SELECT attempt_id FROM outbound WHERE id = :id", id=message))
    for state in states:
        record_reports.record(here.engine, [(here.channel_id, Report(token, "SM1", state))], here.now)  # type: ignore[arg-type]


def test_reports_climb_and_a_late_sent_does_not_lower_delivered(here: World) -> None:
    message = here.planned(here.client())
    claim(here)
    reported(here, message, "sent", "delivered", "sent", "accepted", "failed")
    assert here.state(message) == "delivered"
    assert here.value("SELECT count(*) FROM reports") == 4
    assert here.value("SELECT state FROM attempts") == "accepted"


def test_a_report_proves_acceptance_before_the_answer_is_recorded(here: World) -> None:
    message = here.planned(here.client())
    (sent,) = claim(here)
    reported(here, message, "delivered")
    ended = record_outcomes.Ended(here.channel_id, sent, SendResult("accepted", "SM1"))
    record_outcomes.record(here.engine, here.vault, [ended], here.now)
    assert here.state(message) == "delivered"


def test_a_late_delivered_raises_a_message_that_timed_out(here: World) -> None:
    message = here.planned(here.client())
    claim(here)
    reported(here, message, "sent")
    sweep.give_up_on_reports(here.engine, timedelta(hours=72), here.now + timedelta(hours=73))
    assert here.state(message) == "failed"
    reported(here, message, "delivered")
    assert here.state(message) == "delivered"


def test_a_report_by_an_id_that_the_carrier_used_before_speaks_of_the_latest_text_alone(here: World) -> None:
    messages = [here.planned(here.client()) for _ in range(2)]
    for number, message in enumerate(messages):
        at = here.now + timedelta(minutes=number)
        here.run("UPDATE outbound SET send_after = :at WHERE id = :id", at=at, id=message)
    for number, message in enumerate(messages):
        at = here.now + timedelta(minutes=number)
        (sent,) = send_due.claim(here.engine, here.vault, here.channel_id, 100, at).sends
        assert sent.message_id == message
        record_outcomes.record(here.engine, here.vault, [record_outcomes.Ended(here.channel_id, sent, SendResult("accepted", "17"))], at)
    record_reports.record(here.engine, [(here.channel_id, Report(None, "17", "failed", "1", "opted_out"))], here.now + timedelta(minutes=2))
    assert [here.state(message) for message in messages] == ["accepted", "failed"]
    assert here.value("SELECT count(*) FROM stops") == 1


def test_a_text_that_no_request_can_be_made_of_waits_and_keeps_no_other_waiting(live: World, sender: Sender) -> None:
    with unit_of_work(live.engine) as work:
        channels.set_settings(work, live.vault, live.channel_id, {"secret": "x" * 22}, True)
    live.run("UPDATE channels SET kind = 'africastalking'")
    message = live.planned(live.client())
    sender.due(live.channel_id)
    until(lambda: live.value("SELECT reason FROM outbound") == "not_reached")
    assert (live.state(message), live.value("SELECT state FROM attempts")) == ("planned", "not_sent")


def test_a_report_of_an_unknown_word_is_kept_and_changes_nothing(here: World) -> None:
    message = here.planned(here.client())
    claim(here)
    record_reports.record(here.engine, [(here.channel_id, Report(None, "SM9", None, "weird"))], here.now)
    assert here.state(message) == "submitting"
    assert here.value("SELECT matched FROM reports") is False


def test_a_message_never_goes_back_without_proof(here: World) -> None:
    message = here.planned(here.client())
    claim(here)
    with pytest.raises(Exception, match="cannot go from submitting back to planned"):
        here.run("UPDATE outbound SET state = 'planned' WHERE id = :id", id=message)


def two_attempts(here: World) -> tuple[UUID, UUID, UUID]:
    """A message whose first attempt the carrier did not show, so that it left once more; it, and both tokens."""
    message = here.planned(here.client())
    (first,) = claim(here)
    here.run("UPDATE attempts SET state = 'not_sent' WHERE id = :id", id=first.token)
    here.run("UPDATE outbound SET state = 'planned' WHERE id = :id", id=message)
    (second,) = claim(here)
    return message, first.token, second.token


def test_a_late_failure_of_an_earlier_attempt_does_not_hide_that_the_later_one_arrived(here: World) -> None:
    message, first, second = two_attempts(here)
    failed, sent = Report(str(first), "SM1", "failed", None, "unreachable"), Report(str(second), "SM2", "sent")
    record_reports.record(here.engine, [(here.channel_id, failed), (here.channel_id, sent)], here.now)
    assert here.state(message) == "sent"
    assert here.value("SELECT state FROM attempts WHERE id = :id", id=second) == "accepted"


def test_an_opt_out_told_by_a_report_holds_however_late_and_of_whatever_attempt(here: World) -> None:
    message, first, _ = two_attempts(here)
    opted_out = Report(str(first), "SM1", "failed", "21610", "opted_out")
    record_reports.record(here.engine, [(here.channel_id, opted_out)], here.now)
    assert here.value("SELECT reason FROM stops") == "carrier"
    assert here.state(message) == "submitting"
