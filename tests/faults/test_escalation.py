"""Whatever dies between two steps of an urgent flag, each is taken once, until a person takes the flag; then the silence is told of."""

import json
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from gateway.store import escalations
from gateway.store.base import unit_of_work
from tests.faults.processes import until
from tests.faults.stage import Stage
from tests.faults.test_worker_killed import silence
from tests.secondway import HookServer, MailServer

CRY = "toi muon chet"
KEY = "k" * 32
_numbers = count(1)
Rota = tuple[str, str, str]


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def hook() -> Iterator[HookServer]:
    with HookServer(KEY) as server:
        yield server


def settings(mail: MailServer) -> dict[str, str]:
    return {"GATEWAY_MAIL_SERVER": mail.url, "GATEWAY_MAIL_FROM": "gateway@example.org", "GATEWAY_MAIL_TO": "oncall@example.org"}


def rota(stage: Stage) -> Rota:
    """The phones of two people on call and of their supervisor."""
    first, second, boss = (f"+849199960{next(_numbers):02d}" for _ in range(3))
    people = [stage.world.staff(phone, on_duty=False) for phone in (first, second)]
    stage.world.staff(boss, role="supervisor", on_duty=False)
    with unit_of_work(stage.engine) as work:
        escalations.set_places(work, stage.world.unit_id, [(each, "24/7") for each in people])
    return first, second, boss


def cry(stage: Stage) -> int:
    """The number of the flag that a cry for help raises."""
    sid, status = stage.say(stage.world.phone_of(stage.world.client()), CRY)
    assert status == 200
    return int(stage.world.value("SELECT f.number FROM flags f JOIN inbound i ON i.id = f.inbound_id WHERE i.carrier_id = :sid", sid=sid))


def later(stage: Stage, minutes: float) -> None:
    """As if so much time went by for the flags of this case."""
    stage.world.run("""UPDATE alert_steps a SET due_at = a.due_at - make_interval(secs => :s) FROM flags f
                       WHERE f.id = a.flag_id AND f.unit_id = :u AND a.done_at IS NULL""", s=minutes * 60, u=stage.world.unit_id)  # fmt: skip


def state(stage: Stage, number: int) -> str:
    return str(stage.world.value("SELECT state FROM flags WHERE number = :n", n=number))


def is_itself(stage: Stage) -> bool:
    """Whether the web process says that the database is there and nothing waits for it."""
    seen = json.loads(stage.processes.health())
    return bool(seen["database"]) and not seen["spooling"]


def killed(name: str) -> Callable[[Stage], None]:
    def kill(stage: Stage) -> None:
        stage.processes.kill(name)
        stage.processes.start(name)

    kill.__name__ = name
    return kill


def all_killed(stage: Stage) -> None:
    for name in ("clock", "send", "web"):
        stage.processes.kill(name)
    stage.processes.restore()


def redis_gone(stage: Stage) -> None:
    stage.servers.stop_redis()


def postgres_killed(stage: Stage) -> None:
    stage.servers.kill_postgres()
    stage.servers.start()
    stage.engine.dispose()


@pytest.mark.parametrize("fault", [killed("clock"), killed("send"), killed("web"), all_killed, redis_gone, postgres_killed])
def test_whatever_dies_between_two_steps_each_is_taken_once_until_somebody_takes_the_flag(stage: Stage, fault: Callable[[Stage], None]) -> None:
    first, second, boss = rota(stage)
    number = cry(stage)
    until(lambda: stage.received(first), 5, "the first alert")
    fault(stage)
    later(stage, 2)
    stage.figures["next alerted after (s)"] = until(lambda: stage.received(second), 30, "the next alert")
    fault(stage)
    later(stage, 3)
    until(lambda: stage.received(boss), 30, "the supervisor's alert")
    assert [len(stage.received(phone)) for phone in (first, second, boss)] == [1, 1, 1]
    later(stage, 5)
    until(lambda: len(stage.received(first)) == 2, 30, "the second round")
    fault(stage)
    assert state(stage, number) == "open"
    until(lambda: is_itself(stage), 30, "the end of the outage, as anybody can see it")
    until(lambda: stage.say(second, f"OK {number}")[1] == 200, 30, "the acceptance of the OK")
    assert state(stage, number) == "assigned"
    until(lambda: len(stage.received(second)) == 2, 30, "the word that it is theirs")
    later(stage, 60)
    stage.wait(2)
    assert [len(stage.received(phone)) for phone in (first, second, boss)] == [2, 2, 1]


def test_a_clock_killed_in_the_middle_of_a_step_leaves_it_to_the_next_which_takes_it_once(stage: Stage) -> None:
    first, second, _ = rota(stage)
    cry(stage)
    until(lambda: stage.received(first), 5, "the first alert")
    with stage.locked("outbound"):
        later(stage, 2)
        stage.until_blocked()
        stage.processes.kill("clock")
    stage.processes.start("clock")
    until(lambda: stage.received(second), 30, "the next alert")
    stage.wait(2)
    assert len(stage.received(second)) == 1


def test_where_nobody_can_be_texted_the_second_way_goes_at_once(stage: Stage, mail: MailServer, hook: HookServer) -> None:
    stage.processes.kill("clock")
    hooked = {"GATEWAY_HOOK_URL": hook.url, "GATEWAY_HOOK_KEY": KEY, "GATEWAY_HOOK_NETWORK": "any"}
    stage.processes.start("clock", **settings(mail), **hooked)
    number = cry(stage)
    stage.figures["told after (s)"] = until(lambda: mail.mails and hook.posts, 10, "mail and webhook")
    assert str(number) in mail.mails[0]["Subject"]
    assert hook.posts[0]["flag"] == number


def test_with_the_carrier_gone_mail_tells_of_it_and_alert_and_answer_go_over_another_channel(stage: Stage, mail: MailServer) -> None:
    stage.processes.kill("clock")
    stage.processes.start("clock", **settings(mail))
    first, *_ = rota(stage)
    phone = stage.world.phone_of(stage.world.client())
    with silence() as nobody:
        stage.point_at(nobody)
        other = stage.beside()
        stage.say(phone, CRY)
        stage.figures["answered after (s)"] = until(lambda: other.received(phone), 30, "the answer")
        stage.figures["told after (s)"] = until(lambda: mail.mails, 60, "the mail")
        stage.figures["alerted after (s), from the mail"] = until(lambda: other.received(first), 10, "the alert")
    stage.point_at(stage.carrier.url)


def test_a_clock_killed_with_the_mail_on_its_way_leaves_it_to_the_next(stage: Stage, mail: MailServer) -> None:
    stage.processes.kill("clock")
    with silence() as nobody:
        stage.processes.start("clock", **(settings(mail) | {"GATEWAY_MAIL_SERVER": nobody.replace("http", "smtp")}))
        cry(stage)
        taken = "SELECT count(*) FROM alert_steps a JOIN flags f ON f.id = a.flag_id WHERE f.unit_id = :u AND a.taken_until IS NOT NULL"
        until(lambda: stage.world.value(taken, u=stage.world.unit_id), 10, "the taking of the step")
        stage.processes.kill("clock")
    assert mail.mails == []
    stage.world.run("UPDATE alert_steps SET taken_until = taken_until - interval '1 minute'")
    stage.processes.start("clock", **settings(mail))
    until(lambda: mail.mails, 10, "the mail")


@pytest.mark.parametrize(("silent", "watching"), [("clock", "send"), ("send", "clock")])
def test_a_silent_process_is_told_of_by_the_other(stage: Stage, mail: MailServer, silent: str, watching: str) -> None:
    stage.processes.kill(watching)
    stage.processes.start(watching, **settings(mail), GATEWAY_SILENT_AFTER_SECONDS="8")
    stage.wait(9)
    assert mail.mails == []
    stage.processes.kill(silent)
    stage.figures["told after (s)"] = until(lambda: mail.mails, 30, "the alarm")
    assert silent in mail.mails[0]["Subject"]
    stage.wait(4)
    assert len(mail.mails) == 1


def test_a_silent_database_is_told_of(stage: Stage, mail: MailServer) -> None:
    stage.processes.kill("send")
    stage.processes.start("send", **settings(mail), GATEWAY_SILENT_AFTER_SECONDS="3")
    stage.servers.stop_postgres()
    until(lambda: mail.mails, 30, "the alarm")
    assert "PostgreSQL" in mail.mails[0]["Subject"]
