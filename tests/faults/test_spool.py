"""PostgreSQL is away and texts come in all the same: spooled, a cry for help answered and told of, and all of it kept once it is back."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path

import pytest

from gateway.embedded import servers as embedded_servers
from tests.faults.processes import until
from tests.faults.stage import FULL, Stage
from tests.faults.test_crisis import CRY

AWAY_S = 300 if FULL else 6
BACK_WITHIN_S = 30
_guards = count(1)


def spool(stage: Stage) -> Path:
    return Path(stage.processes.environ["GATEWAY_VAR"]) / "spool"


def waiting(stage: Stage) -> list[Path]:
    return list(spool(stage).glob("*.in*"))


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
def stopped(stage: Stage) -> Iterator[None]:
    stage.servers.stop_postgres()
    try:
        yield
    finally:
        stage.servers.start()
        stage.engine.dispose()


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
        on_disk = b"".join(file.read_bytes() for file in spool(stage).iterdir())
        assert len(waiting(stage)) > 0
        for secret in (b"Canary", b"muon chet", people[0].encode(), people[0][3:].encode(), first[3:].encode()):
            assert secret not in on_disk
        stage.wait(AWAY_S)
    stage.figures["flushed after (s)"] = until_kept(stage, sids)
    until(lambda: not waiting(stage), what="the end of the flush")
    texts = stage.world.rows("SELECT carrier_id FROM inbound WHERE carrier_id = ANY(:sids) ORDER BY received_at, carrier_id", sids=sids)
    assert [row.carrier_id for row in texts] == sids
    stage.wait(3)
    assert [["115" in text for text in stage.received(phone)] for phone in crying] == [[True]] * 3
    assert len(stage.received(first)) == 3
    flags = "SELECT count(*) FROM flags f JOIN inbound i ON i.id = f.inbound_id WHERE i.channel_id = :c AND f.reason = 'crisis' AND f.state = 'open'"
    assert stage.world.value(flags, c=stage.world.channel_id) == 3
