"""PostgreSQL is away and texts come in all the same: spooled, a cry for help answered and told of, and all of it kept once it is back."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from gateway.embedded import servers as embedded_servers
from tests import builders
from tests.faults.processes import ROOT, until
from tests.faults.stage import FULL, Stage
from tests.faults.test_crisis import CRY
from tests.secondway import MailServer

AWAY_S = 300 if FULL else 6
BACK_WITHIN_S = 30
_guards = count(1)


def spool(stage: Stage) -> Path:
    return Path(stage.processes.environ["GATEWAY_VAR"]) / "spool"


def waiting(stage: Stage) -> list[Path]:
    return [file for file in spool(stage).glob("*.in*") if not file.name.startswith(".")]


def guard(stage: Stage) -> str:
    phone = f"+84919996{next(_guards):03d}"
    stage.world.staff(phone)
    return phone


def renewed(stage: Stage) -> None:
    """Wait until the copy knows this case: the web process is started anew, and writes it at its start when it is old."""
    stage.processes.kill("web")
    (spool(stage) / "copy").unlink(missing_ok=True)
    stage.processes.start("web")
    until((spool(stage) / "copy").exists, what="the copy")


@contextmanager
def without(stage: Stage, end: Callable[[], None]) -> Iterator[None]:
    """PostgreSQL is ended so, and started again."""
    end()
    try:
        yield
    finally:
        stage.servers.start()
        stage.engine.dispose()


def stopped(stage: Stage) -> AbstractContextManager[None]:
    return without(stage, stage.servers.stop_postgres)


def killed(stage: Stage) -> AbstractContextManager[None]:
    return without(stage, stage.servers.kill_postgres)


@contextmanager
def hung(stage: Stage) -> Iterator[None]:
    """Every process of PostgreSQL stands still: it accepts connections, and says nothing."""
    main = embedded_servers.postgres_pid(stage.servers.var)
    assert main is not None
    pids = [main, *(int(pid) for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split())]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def kept(stage: Stage, sid: str) -> int:
    return int(stage.world.value("SELECT count(*) FROM inbound WHERE carrier_id = :sid", sid=sid))


def said(stage: Stage) -> tuple[bool, bool]:
    """What the health page says: whether the database is there, and whether what comes in waits for it."""
    seen = json.loads(stage.processes.health())
    return seen["database"], seen["spooling"]


def until_kept(stage: Stage, sids: list[str]) -> float:
    sql = "SELECT count(*) FROM inbound WHERE carrier_id = ANY(:sids)"
    return until(lambda: stage.world.value(sql, sids=sids) == len(sids), BACK_WITHIN_S, "the flush")


@pytest.mark.parametrize("away", [stopped, hung])
def test_two_hundred_texts_come_in_meanwhile_and_three_cries_for_help_are_answered_and_told_of(
    stage: Stage, away: Callable[[Stage], AbstractContextManager[None]]
) -> None:
    first = guard(stage)
    people = [stage.world.phone_of(stage.world.client()) for _ in range(20)]
    crying = [stage.world.phone_of(stage.world.client()) for _ in range(3)]
    renewed(stage)
    sids, cries = [], iter(crying)
    with away(stage):
        for n in range(197):
            sid, status = stage.say(people[n % 20], f"Canary words {n}")
            assert status == 200
            sids.append(sid)
            if n in (10, 100, 190):
                sid, status = stage.say(next(cries), CRY)
                assert status == 200
                sids.append(sid)
        stage.figures["last alert after (s)"] = until(lambda: len(stage.received(first)) == 3, 60, "the alerts")
        until(lambda: [len(stage.received(phone)) for phone in crying] == [1, 1, 1], 30, "the answers")
        assert said(stage) == (False, True)
        on_disk = b"".join(file.read_bytes() for file in spool(stage).iterdir())
        assert len(waiting(stage)) > 0
        for secret in (b"Canary", b"muon chet", people[0].encode(), people[0][3:].encode(), first[3:].encode()):
            assert secret not in on_disk
        stage.wait(AWAY_S)
    stage.figures["flushed after (s)"] = until_kept(stage, sids)
    until(lambda: not waiting(stage), what="the end of the flush")
    until(lambda: said(stage) == (True, False), what="the word of the health page")
    texts = stage.world.rows("SELECT carrier_id FROM inbound WHERE carrier_id = ANY(:sids) ORDER BY received_at, carrier_id", sids=sids)
    assert [row.carrier_id for row in texts] == sids
    stage.wait(3)
    assert [["115" in text for text in stage.received(phone)] for phone in crying] == [[True]] * 3
    assert len(stage.received(first)) == 3
    flags = "SELECT count(*) FROM flags f JOIN inbound i ON i.id = f.inbound_id WHERE i.channel_id = :c AND f.reason = 'crisis' AND f.state = 'open'"
    assert stage.world.value(flags, c=stage.world.channel_id) == 3


@contextmanager
def altered(stage: Stage, how: str, back: str) -> Iterator[None]:
    """Its plain role is changed, and has to connect anew."""
    url = stage.servers.start().admin_url

    def run(sql: str) -> None:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(sql.encode())
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gateway'")

    run(f"ALTER ROLE gateway {how}")
    try:
        yield
    finally:
        run(f"ALTER ROLE gateway {back}")
        stage.engine.dispose()


def read_only(stage: Stage) -> AbstractContextManager[None]:
    return altered(stage, "SET default_transaction_read_only = on", "RESET default_transaction_read_only")


def full(stage: Stage) -> AbstractContextManager[None]:
    return altered(stage, "CONNECTION LIMIT 0", "CONNECTION LIMIT -1")


@pytest.mark.parametrize("away", [killed, read_only, full])
def test_however_it_is_away_a_text_is_kept_and_a_cry_for_help_answered(
    stage: Stage, away: Callable[[Stage], AbstractContextManager[None]]
) -> None:
    first, phone, crying = guard(stage), stage.world.phone_of(stage.world.client()), stage.world.phone_of(stage.world.client())
    renewed(stage)
    with away(stage):
        texts = [stage.say(phone, "Canary words"), stage.say(crying, CRY), stage.say(phone, "STOP")]
        until(lambda: stage.received(first) and stage.received(crying), 30, "alert and answer")
        assert said(stage)[1] is True
    assert [status for _, status in texts] == [200, 200, 200]
    stage.figures["kept after (s)"] = until_kept(stage, [sid for sid, _ in texts])
    assert stage.world.value("SELECT reason FROM stops WHERE phone_hash = :p", p=stage.vault.hash_phone(phone)) == "stop"
    stage.wait(2)
    assert len(stage.received(crying)) == 1


def test_a_web_process_killed_between_disk_and_answer_keeps_the_text_once(stage: Stage) -> None:
    phone = stage.world.phone_of(stage.world.client())
    renewed(stage)
    with stopped(stage):
        statuses = []
        poster = Thread(target=lambda: statuses.append(stage.say(phone, "Canary words")))
        poster.start()
        until(lambda: waiting(stage), 20, "the entry on disk")
        stage.processes.kill("web")
        poster.join()
        stage.processes.start("web")  # it takes texts though PostgreSQL is away
        ((sid, _),) = statuses
        assert stage.say(phone, "", sid=sid)[1] == 200  # the carrier posts again
    until_kept(stage, [sid])
    until(lambda: not waiting(stage), what="the end of the flush")
    assert kept(stage, sid) == 1


def test_what_was_leaving_when_the_process_was_killed_does_not_leave_again_before_the_carrier_is_asked(stage: Stage) -> None:
    first, crying = guard(stage), stage.world.phone_of(stage.world.client())
    renewed(stage)
    with stopped(stage):
        stage.carrier.script("hang")
        before = stage.carrier.posts
        sid, status = stage.say(crying, CRY)
        assert status == 200
        until(lambda: stage.carrier.posts >= before + 2, 30, "answer and alert on their way")
        stage.processes.kill("web")
        stage.carrier.script("ok")
        stage.processes.start("web")
        stage.wait(8)
        assert stage.carrier.posts == before + 2
    until_kept(stage, [sid])
    until(lambda: stage.received(first) and stage.received(crying), 60, "both, after the carrier was asked")


def test_without_a_place_for_the_spool_the_web_process_does_not_start(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environ = {**stage.processes.environ, "GATEWAY_SPOOL": str(tmp_path / "file" / "spool"), "GATEWAY_PORT": "1"}
    done = subprocess.run([sys.executable, "-m", "gateway", "web"], env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "GATEWAY_SPOOL" in done.stderr


def test_a_full_spool_refuses_what_it_cannot_keep_and_people_are_told(stage: Stage) -> None:
    phone = stage.world.phone_of(stage.world.client())
    with MailServer() as mail:
        stage.processes.kill("web")
        (spool(stage) / "copy").unlink(missing_ok=True)
        changed: dict[str, Any] = {"GATEWAY_MAIL_SERVER": mail.url, "GATEWAY_MAIL_FROM": "gateway@example.org", "GATEWAY_MAIL_TO": "oncall@example.org"}
        stage.processes.start("web", GATEWAY_SPOOL_MEGABYTES="1", **changed)
        until((spool(stage) / "copy").exists, what="the copy")
        stuck = spool(stage) / "00000000000000000001-1.in.later"
        stuck.write_bytes(b"x" * 2**21)
        try:
            with stopped(stage):
                until(lambda: stage.say(phone, "Canary words")[1] == 503, 10, "the refusal")
                until(lambda: mail.mails, 20, "the mail")
        finally:
            stuck.unlink()
    assert "spool" in str(mail.mails[0].get_body())
    until(lambda: stage.say(phone, "Canary again")[1] == 200, 10, "the acceptance of another text")
    until(lambda: not waiting(stage), what="the end of the flush")


@pytest.mark.parametrize("away", [stopped, killed])
def test_reports_that_come_meanwhile_are_counted(stage: Stage, away: Callable[[Stage], AbstractContextManager[None]]) -> None:
    stage.plan(5)
    stage.until_accepted(5)
    until(lambda: stage.states() == {"accepted": 5}, what="the acceptance of all")
    renewed(stage)
    with away(stage):
        for message in stage.accepted():
            assert stage.carrier.report(message.to, "delivered") == 200
    until(lambda: stage.states() == {"delivered": 5}, BACK_WITHIN_S, "the reports")


def test_words_typed_into_the_menu_meanwhile_are_kept_and_a_cry_for_help_is_told_of(stage: Stage) -> None:
    first, phone = guard(stage), stage.world.phone_of(stage.world.client())
    secret = "q7TqYw2nB5mZx0LkVd9sRfAa"
    menu = builders.channel(stage.engine, stage.vault, stage.world.now, stage.world.unit_id, "africastalking", name=f"away{phone}",
                            settings={"secret": secret}, texts=False)  # fmt: skip
    renewed(stage)
    with stopped(stage):
        form = {"sessionId": f"S{phone}", "serviceCode": "*123#", "phoneNumber": phone, "networkCode": "1", "text": CRY}
        with urllib.request.urlopen(f"{stage.processes.url}/c/{menu}/ussd?key={secret}", urlencode(form).encode(), timeout=15) as screen:
            assert "115" in screen.read().decode()
        until(lambda: stage.received(first) and stage.received(phone), 30, "alert and answer")
    until(lambda: stage.world.value("SELECT meaning FROM inbound WHERE channel_id = :c", c=menu) == "crisis", BACK_WITHIN_S, "the flush")
    stage.wait(2)
    assert len(stage.received(phone)) == 1


def test_after_machine_and_database_were_dead_the_carriers_list_brings_what_came_cries_for_help_first(stage: Stage) -> None:
    first = guard(stage)
    people = [stage.world.phone_of(stage.world.client()) for _ in range(10)]
    stage.processes.kill("web")
    stage.processes.kill("clock")
    with stopped(stage):
        sids = [stage.say(phone, f"Canary late {n}", withhold=True)[0] for n, phone in enumerate(people)]
        sids.append(stage.say(people[3], CRY, withhold=True)[0])
    stage.processes.start("web")
    stage.processes.start("clock")
    until_kept(stage, sids)
    rows = stage.world.rows("SELECT carrier_id, late FROM inbound WHERE carrier_id = ANY(:sids) ORDER BY received_at, sent_at", sids=sids)
    assert [row.carrier_id for row in rows][:2] == [sids[3], sids[10]]
    assert all(row.late for row in rows)
    until(lambda: stage.received(first) and any("115" in text for text in stage.received(people[3])), 30, "alert and answer")
