"""An urgent flag goes from person to person until somebody takes it, whichever process dies in between."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine

from gateway import parts, queues
from gateway.channels.base import Inbound, SendResult
from gateway.config import Settings
from gateway.domain.errors import Refused
from gateway.store import channels, escalations, flags, staff
from gateway.store.base import unit_of_work
from gateway.usecases import escalate, receive_message, record_outcomes, send_due
from gateway.usecases.record_outcomes import Ended
from gateway.usecases.second_way import Hook, SecondWay
from gateway.vault import Vault
from gateway.wire import Wire
from gateway.wire.mail import Mailbox
from tests import builders
from tests.builders import CONTENT, World
from tests.secondway import HookServer, MailServer
from workers import clock

KEY = "k" * 32
FIRST, NEXT, BOSS = "+84900000001", "+84900000002", "+84900000003"
NONE = SecondWay()
MINUTE = timedelta(minutes=1)


@pytest.fixture
def here(engine: Engine, vault: Vault, now: datetime) -> World:
    """A unit with two people on call, one after the other, and a supervisor."""
    world = builders.world(engine, vault, now)
    first, second = world.staff(FIRST, on_duty=False), world.staff(NEXT, on_duty=False)
    world.staff(BOSS, role="supervisor", on_duty=False)
    with unit_of_work(engine) as work:
        escalations.set_places(work, world.unit_id, [(first, "24/7"), (second, "24/7")])
    return world


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def hook() -> Iterator[HookServer]:
    with HookServer(KEY) as server:
        yield server


def mailbox(mail: MailServer) -> Mailbox:
    return Mailbox(mail.url, "gateway@example.org", ["oncall@example.org"])


def say(here: World, phone: str, words: str, after: timedelta = timedelta(0)) -> None:
    with unit_of_work(here.engine) as work:
        channel = channels.get(work, here.vault, here.channel_id)
    message = Inbound(f"{phone}{words}{after}", phone, "+84900000000", words)
    receive_message.receive(here.engine, here.vault, CONTENT, channel, message, queues.silent, here.now + after)


def cry(here: World) -> int:
    """The number of the flag that a cry for help raises."""
    say(here, here.phone_of(here.client()), "toi muon chet")
    return int(here.value("SELECT max(number) FROM flags"))


def go_on(here: World, after: timedelta, second: SecondWay = NONE) -> int:
    taken = escalate.escalate(here.engine, here.vault, CONTENT, queues.silent, here.now + after)
    return taken + escalate.go_second_way(here.engine, here.vault, CONTENT, second, queues.silent, here.now + after)


def alerted(here: World) -> list[str]:
    """The phones of the alerts, in the order they were planned."""
    rows = here.rows("""SELECT o.id, o.key_id, k.wrapped, o.to_enc FROM outbound o JOIN keys k ON k.id = o.key_id
                        WHERE o.purpose = 'staff_alert' ORDER BY o.created_at""")
    return [here.vault.open_key(r.wrapped, r.key_id).decrypt(r.to_enc, "outbound.to", r.id) for r in rows]


def accept_all(here: World, state: str = "delivered") -> None:
    here.run("UPDATE outbound SET state = 'submitting' WHERE state = 'planned'")
    here.run("UPDATE outbound SET state = :state WHERE state = 'submitting'", state=state)


def owner(here: World) -> UUID | None:
    found: UUID | None = here.value("SELECT owner_id FROM flags ORDER BY number DESC LIMIT 1")
    return found


def test_the_first_text_is_queued_with_the_flag_and_the_others_when_their_time_comes(here: World) -> None:
    cry(here)
    assert alerted(here) == [FIRST]
    go_on(here, MINUTE)
    assert alerted(here) == [FIRST]
    go_on(here, 2 * MINUTE)
    assert alerted(here) == [FIRST, NEXT]
    go_on(here, 5 * MINUTE)
    assert alerted(here) == [FIRST, NEXT, BOSS]
    assert go_on(here, 5 * MINUTE) == 0


def test_it_goes_round_for_days_until_somebody_takes_it_and_never_closes_by_itself(here: World) -> None:
    number = cry(here)
    for minutes in range(0, 3 * 24 * 60, 5):
        go_on(here, minutes * MINUTE)
    rounds = here.value("SELECT max(round) FROM alert_steps")
    assert rounds > 140
    assert len(alerted(here)) >= 3 * rounds
    assert here.value("SELECT state FROM flags WHERE number = :n", n=number) == "open"


@pytest.mark.parametrize("how", ["assign", "close"])
def test_whoever_takes_or_closes_it_ends_it(here: World, how: str) -> None:
    number = cry(here)
    with unit_of_work(here.engine) as work:
        found = flags.by_number(work, number)
        if how == "assign":
            flags.assign(work, found.id, staff.by_code(work, here.value("SELECT min(code) FROM staff")).id)
        else:
            flags.close(work, found.id, "client_safe")
    for minutes in (2, 5, 10, 60):
        go_on(here, minutes * MINUTE)
    assert alerted(here) == [FIRST]
    assert here.value("SELECT count(*) FROM alert_steps WHERE done_at IS NULL") == 0


def test_an_ok_from_the_alerted_phone_takes_the_flag_and_the_phone_is_told(here: World) -> None:
    number = cry(here)
    say(here, FIRST, f"OK {number}", MINUTE)
    assert owner(here) == here.value("SELECT staff_id FROM on_call WHERE position = 1")
    (told,) = here.bodies("o.purpose = 'staff_alert_yours'")
    assert str(number) in told
    go_on(here, 5 * MINUTE)
    assert alerted(here) == [FIRST]
    assert here.value("SELECT detail ->> 'by' FROM audit WHERE action = 'flag.take'") == "text"
    assert here.value("SELECT count(*) FROM flags") == 1  # it was no text of a stranger


def test_a_second_ok_hears_that_somebody_has_it(here: World) -> None:
    number = cry(here)
    go_on(here, 2 * MINUTE)
    say(here, NEXT, f"ok {number}", 3 * MINUTE)
    taken_by = owner(here)
    say(here, FIRST, f"ok {number}", 4 * MINUTE)
    assert owner(here) == taken_by
    assert len(here.bodies("o.purpose = 'staff_alert_taken'")) == 1


@pytest.mark.parametrize("phone", [NEXT, BOSS, "+84912999000"])
def test_an_ok_from_a_phone_that_was_not_alerted_takes_nothing(here: World, phone: str) -> None:
    number = cry(here)
    say(here, phone, f"OK {number}", MINUTE)
    assert here.value("SELECT state FROM flags WHERE number = :n", n=number) == "open"


def test_an_ok_from_a_phone_that_a_client_shares_takes_nothing(here: World) -> None:
    here.client(FIRST)
    number = cry(here)
    say(here, FIRST, f"OK {number}", MINUTE)
    assert here.value("SELECT state FROM flags WHERE number = :n", n=number) == "open"


def test_an_ok_a_day_later_takes_nothing_unless_the_phone_was_alerted_again(here: World) -> None:
    number = cry(here)
    say(here, FIRST, f"OK {number}", timedelta(days=2))
    assert owner(here) is None


def test_who_left_is_not_alerted_and_takes_nothing(here: World) -> None:
    number = cry(here)
    here.run("UPDATE staff SET active = false")
    say(here, FIRST, f"OK {number}", MINUTE)
    go_on(here, 5 * MINUTE)
    assert (owner(here), alerted(here)) == (None, [FIRST])


def test_who_became_an_analyst_is_not_alerted_though_still_in_the_list(here: World) -> None:
    here.run("UPDATE staff SET role = 'analyst' WHERE id = (SELECT staff_id FROM on_call WHERE position = 1)")
    cry(here)
    assert alerted(here) == [NEXT]
    here.run("UPDATE staff SET role = 'analyst'")
    with unit_of_work(here.engine) as work:
        assert escalations.uncovered(work, here.now) == ["P01"]


@pytest.mark.parametrize("change", ["role", "active"])
def test_who_opens_no_flag_any_more_is_on_no_list_and_comes_back_to_none(here: World, change: str) -> None:
    first = here.value("SELECT staff_id FROM on_call WHERE position = 1")
    with unit_of_work(here.engine) as work:
        staff.set_role(work, first, "analyst") if change == "role" else staff.set_active(work, first, False)
        assert first not in {candidate.staff_id for candidate in escalations.candidates(work, here.unit_id)}
        staff.set_role(work, first, "case_worker") if change == "role" else staff.set_active(work, first, True)
    assert here.value("SELECT count(*) FROM on_call WHERE staff_id = :id", id=first) == 0
    cry(here)
    assert alerted(here) == [NEXT]


@pytest.mark.parametrize("change", ["role", "unit"])
def test_who_can_no_longer_open_the_flag_takes_nothing_and_the_next_is_alerted(here: World, change: str) -> None:
    cry(here)
    first = here.value("SELECT staff_id FROM on_call WHERE position = 1")
    elsewhere = builders.unit(here.engine, here.now, code="P02")
    with unit_of_work(here.engine) as work:
        staff.set_role(work, first, "analyst") if change == "role" else staff.move(work, first, elsewhere)
    say(here, FIRST, "OK", MINUTE)
    assert owner(here) is None
    go_on(here, 2 * MINUTE)
    assert alerted(here) == [FIRST, NEXT]


def test_a_cry_for_help_from_a_staff_phone_is_one_and_takes_no_flag(here: World) -> None:
    number = cry(here)
    say(here, FIRST, f"OK {number} toi muon chet", MINUTE)
    assert here.value("SELECT count(*) FROM flags WHERE reason = 'crisis'") == 2
    assert owner(here) is None


def test_a_staff_phone_that_wrote_stop_is_alerted_all_the_same(here: World) -> None:
    say(here, FIRST, "STOP")
    cry(here)
    say(here, FIRST, "STOP", MINUTE)
    assert here.value("SELECT state FROM outbound WHERE purpose = 'staff_alert'") == "planned"


def test_the_second_way_goes_after_two_minutes_by_mail_and_signed_post(here: World, mail: MailServer, hook: HookServer) -> None:
    wire = Wire(2).start()
    second = SecondWay(mailbox(mail), Hook(hook.url, KEY, wire))
    number = cry(here)
    accept_all(here)
    go_on(here, MINUTE, second)
    assert (mail.mails, hook.posts) == ([], [])
    go_on(here, 2 * MINUTE, second)
    go_on(here, 3 * MINUTE, second)
    wire.close()
    (told,), (posted,) = mail.mails, hook.posts
    assert str(number) in told["Subject"]
    assert "Canary" not in told.as_string() and "chet" not in told.as_string() and "+84" not in told.as_string()
    assert (posted["flag"], posted["kind"], len(posted["text"])) == (number, "flag", 3)
    assert here.value("SELECT result FROM alert_steps WHERE way = 'second'") == "mailed, posted"


@pytest.mark.parametrize("state", ["failed", "unknown"])
def test_the_second_way_goes_sooner_when_the_first_text_fails_or_nobody_takes_it(here: World, mail: MailServer, state: str) -> None:
    cry(here)
    accept_all(here, state)
    go_on(here, timedelta(seconds=31), SecondWay(mailbox(mail)))
    assert len(mail.mails) == 1


def test_the_second_way_goes_at_once_when_nobody_can_be_texted(engine: Engine, vault: Vault, now: datetime, mail: MailServer) -> None:
    empty = builders.world(engine, vault, now)
    cry(empty)
    go_on(empty, timedelta(0), SecondWay(mailbox(mail)))
    assert len(mail.mails) == 1


def test_a_second_way_that_fails_is_tried_again_until_it_works(here: World, mail: MailServer) -> None:
    second = SecondWay(mailbox(mail))
    cry(here)
    mail.refuse = True
    go_on(here, 2 * MINUTE, second)
    mail.refuse = False
    go_on(here, 2 * MINUTE + timedelta(seconds=30), second)
    assert mail.mails == []  # whoever took the step may still be at it
    go_on(here, 3 * MINUTE, second)
    assert len(mail.mails) == 1


def test_a_mail_server_that_hangs_holds_up_no_text(here: World, environ: dict[str, str]) -> None:
    cry(here)  # months ago, by the database's clock: all of it is due
    gateway, wire = parts.build(Settings.from_env(environ)), Wire(1)
    with socket.create_server(("127.0.0.1", 0)) as hangs, ThreadPoolExecutor(1) as other:
        mailed = SecondWay(Mailbox(f"smtp://127.0.0.1:{hangs.getsockname()[1]}", "gateway@example.org", ["oncall@example.org"]))
        tasks = {task.name: task.run for task in clock.tasks(gateway, gateway.settings, wire, mailed)}
        mailing = other.submit(tasks["second_way"])
        with hangs.accept()[0]:
            tasks["escalate"]()
            assert not mailing.done() and {NEXT, BOSS} <= set(alerted(here))


def test_a_text_that_no_carrier_takes_goes_over_another_channel_too(here: World) -> None:
    other = builders.channel(here.engine, here.vault, here.now, here.unit_id, name="zz other")
    cry(here)
    go_on(here, timedelta(seconds=29))
    assert alerted(here) == [FIRST]
    go_on(here, timedelta(seconds=31))
    assert alerted(here) == [FIRST, FIRST]
    go_on(here, 5 * MINUTE)
    ways = here.rows("SELECT channel_id FROM outbound WHERE purpose = 'staff_alert' ORDER BY created_at")
    assert [row.channel_id == other for row in ways] == [False, True, True, True]  # what let the first lie is passed over


def test_an_alert_leaves_by_a_channel_that_works_when_the_clients_is_paused(here: World) -> None:
    other = builders.channel(here.engine, here.vault, here.now, here.unit_id, name="zz other")
    here.run("UPDATE channels SET state = 'paused' WHERE id = :id", id=here.channel_id)
    cry(here)
    assert here.value("SELECT channel_id FROM outbound WHERE purpose = 'staff_alert'") == other


def test_a_rota_is_read_again_for_each_round(here: World) -> None:
    cry(here)
    newcomer = here.staff("+84900000009", on_duty=False)
    with unit_of_work(here.engine) as work:
        escalations.set_places(work, here.unit_id, [(newcomer, "24/7")])
    go_on(here, 10 * MINUTE)
    assert alerted(here)[-1] == "+84900000009"


def test_steps_taken_by_two_clocks_at_once_are_taken_once(here: World) -> None:
    for _ in range(5):
        cry(here)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: go_on(here, 5 * MINUTE), range(4)))
    assert sorted(alerted(here)) == sorted([FIRST, NEXT, BOSS] * 5)


def test_a_unit_without_anybody_to_alert_is_named(here: World) -> None:
    lonely = builders.unit(here.engine, here.now, code="LONELY")
    with unit_of_work(here.engine) as work:
        assert escalations.uncovered(work, here.now) == ["LONELY"]
        day = staff.add(work, here.vault, unit_id=lonely, code="day", name="D", role="case_worker", language="vi", phone="+84900000077")
        escalations.set_places(work, lonely, [(day, "Mon-Fri 08:00-17:00")])
        assert escalations.uncovered(work, here.now) == []
        assert escalations.uncovered(work, here.now + timedelta(hours=12)) == ["LONELY"]


def test_a_flag_that_is_closed_is_not_taken(here: World) -> None:
    number = cry(here)
    with unit_of_work(here.engine) as work:
        flags.close(work, flags.by_number(work, number).id, "client_safe")
    say(here, FIRST, f"OK {number}", MINUTE)
    with unit_of_work(here.engine) as work, pytest.raises(Refused):
        flags.assign(work, flags.by_number(work, number).id, here.value("SELECT staff_id FROM on_call WHERE position = 1"))
    assert len(here.bodies("o.purpose = 'staff_alert_taken'")) == 1


def test_an_answer_that_no_carrier_takes_goes_to_the_client_over_another_channel(here: World) -> None:
    other = builders.channel(here.engine, here.vault, here.now, here.unit_id, name="zz other")
    cry(here)
    go_on(here, timedelta(seconds=15))
    go_on(here, timedelta(seconds=20))
    first, second = here.rows("SELECT channel_id FROM outbound WHERE purpose = 'crisis_answer' ORDER BY created_at")
    assert (first.channel_id, second.channel_id) == (here.channel_id, other)
    assert len(set(here.bodies("o.purpose = 'crisis_answer'"))) == 1


def test_of_an_answer_that_goes_over_two_channels_what_has_not_left_stays_when_the_other_is_taken(here: World) -> None:
    other = builders.channel(here.engine, here.vault, here.now, here.unit_id, name="zz other")
    cry(here)
    go_on(here, timedelta(seconds=15))  # the carrier asked to wait
    later = here.now + timedelta(seconds=16)
    (beside,) = [sent for sent in send_due.claim(here.engine, here.vault, other, 10, later).sends if sent.client_id is not None]
    record_outcomes.record(here.engine, here.vault, [Ended(other, beside, SendResult("accepted", "id"))], later)
    left = send_due.claim(here.engine, here.vault, here.channel_id, 10, later).sends
    assert all(sent.client_id is None for sent in left)
    states = here.rows("SELECT state, reason FROM outbound WHERE purpose = 'crisis_answer' ORDER BY created_at")
    assert [tuple(row) for row in states] == [("cancelled", "answered over another channel"), ("accepted", None)]


def test_an_answer_that_was_taken_is_not_said_twice(here: World) -> None:
    builders.channel(here.engine, here.vault, here.now, here.unit_id, name="zz other")
    cry(here)
    accept_all(here, "accepted")
    go_on(here, timedelta(seconds=15))
    assert here.value("SELECT count(*) FROM outbound WHERE purpose = 'crisis_answer'") == 1


def test_a_staff_member_whose_phone_cannot_be_read_keeps_nobody_else_from_hearing(here: World) -> None:
    here.run("UPDATE staff SET phone_enc = 'spoilt' WHERE id = (SELECT staff_id FROM on_call WHERE position = 1)")
    number = cry(here)
    assert here.value("SELECT result FROM alert_steps WHERE position = 1") == "could not be texted"
    go_on(here, 2 * MINUTE)
    assert alerted(here) == [NEXT]
    assert number


def test_a_step_that_cannot_be_taken_holds_up_no_other_and_is_tried_again(here: World) -> None:
    cry(here)
    here.run("UPDATE flags SET number = DEFAULT")
    here.run("INSERT INTO alert_steps (id, flag_id, round, position, way, due_at) SELECT gen_random_uuid(), id, 1, 1, 'text', now() FROM flags")
    cry(here)  # the first flag's next round is in the way of itself
    go_on(here, 10 * MINUTE)
    assert here.value("SELECT count(*) FROM alert_steps WHERE round = 1 AND way = 'again'") == 1
    assert here.value("SELECT due_at FROM alert_steps WHERE round = 0 AND way = 'again' AND done_at IS NULL") > here.now + 10 * MINUTE


def test_a_text_that_could_not_leave_in_its_round_leaves_no_more(here: World) -> None:
    cry(here)
    lives = here.value("SELECT send_before - created_at FROM outbound WHERE purpose = 'staff_alert'")
    assert lives == 10 * MINUTE
