"""Redis is emptied, restarted, hung or gone: seconds of delay, nothing else. Cases 3 and 5 to 8 of the fault table."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest
import redis
from rq import Queue
from rq.job import Job
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer

from gateway import queues
from gateway.embedded.servers import valkey_pid
from tests.faults.processes import until
from tests.faults.stage import FULL, SETTLED_WITHIN_S, Stage

OUTAGE_S = 600 if FULL else 0
_jobs = count()


@contextmanager
def bell(stage: Stage) -> Iterator[Queue]:
    """The queue that rings go to."""
    connection = redis.Redis.from_url(stage.house.redis_url)
    yield Queue(queues.SEND, connection=connection, serializer=JSONSerializer)
    connection.close()


def ring(queue: Queue, stage: Stage) -> Job:
    """A ring for the stage's channel under an id of its own."""
    channel = str(stage.world.channel_id)
    return queue.enqueue(queues.SEND_JOB, channel, job_id=f"test-{next(_jobs)}", result_ttl=300, failure_ttl=300)


def use_bell_alone(stage: Stage, *names: str) -> None:
    """Send workers that look into the database once a minute only, and have done so just now."""
    stage.processes.kill("send")
    for name in names:
        pid = stage.processes.start(name, GATEWAY_POLL_SECONDS="60")
        # It beats for the first time after its first look.
        until(lambda pid=pid: stage.world.value("SELECT process FROM heartbeats WHERE name = 'send'") == f"send-{pid}")


@contextmanager
def hung_redis(stage: Stage) -> Iterator[None]:
    """A server that takes connections and never answers."""
    pid = valkey_pid(stage.servers.var)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_emptied_and_then_lost_in_mid_campaign_redis_costs_nothing(stage: Stage) -> None:
    stage.carrier.carrier.latency_ms = 100
    stage.set_rate(300)
    stage.plan(500)
    stage.until_accepted(50)
    with bell(stage) as queue:
        queue.connection.flushall()
    stage.until_accepted(200)
    stage.servers.lose_redis()
    stage.until_accepted(350)
    stage.servers.start()
    assert stage.until_done(60) < 60
    assert len(stage.accepted()) == 500


@pytest.mark.parametrize("how", ["stop_redis", "kill_redis"])
def test_the_processes_survive_a_restart_of_redis_and_hear_the_bell_again(stage: Stage, how: str) -> None:
    use_bell_alone(stage, "send")
    getattr(stage.servers, how)()
    stage.servers.start()
    client = stage.world.client()
    stage.say(stage.world.phone_of(client), "HELP")
    stage.until_accepted(1, 45)  # polling alone would take a minute


def test_with_redis_away_texts_are_kept_answered_and_sent_and_health_says_so(stage: Stage) -> None:
    stage.servers.stop_redis()
    until(lambda: json.loads(stage.processes.health())["redis"] is False, what="the notice of the health page")
    began = time.monotonic()
    client = stage.world.client()
    assert stage.say(stage.world.phone_of(client), "HELP")[1] == 200
    stage.plan(100)
    stage.until_done()
    stage.until_accepted(101)
    until(lambda: time.monotonic() - began >= OUTAGE_S, OUTAGE_S + 60)
    assert json.loads(stage.processes.health())["ok"] is True
    assert stage.say(stage.world.phone_of(client), "HELP")[1] == 200


def test_a_hung_redis_does_not_keep_a_carrier_waiting(stage: Stage) -> None:
    client = stage.world.client()
    with hung_redis(stage):
        began = time.monotonic()
        assert stage.say(stage.world.phone_of(client), "HELP")[1] == 200
        assert time.monotonic() - began < 2
        stage.until_accepted(1)


def test_started_with_redis_away_for_good_everything_goes_out_by_polling(stage: Stage) -> None:
    for name in ("web", "send", "clock"):
        stage.processes.kill(name)
    stage.servers.stop_redis()
    stage.processes.restore()
    stage.plan(100)
    stage.until_done()
    client = stage.world.client()
    assert stage.say(stage.world.phone_of(client), "HELP")[1] == 200
    stage.until_accepted(101)


def test_one_job_queued_fifty_times_sends_once(stage: Stage) -> None:
    use_bell_alone(stage, "send-2", "send-3")
    stage.plan(1)
    with bell(stage) as queue:
        jobs = [ring(queue, stage) for _ in range(50)]
        until(lambda: all(job.is_finished for job in jobs), what="the end of all jobs")
        results = [int(job.return_value() or 0) for job in jobs]
    stage.until_done()
    assert (len(results), sum(results), results.count(0)) == (50, 1, 49)
    assert len(stage.accepted()) == 1


def test_killed_in_the_middle_of_a_job_the_worker_loses_nothing_and_the_job_sends_nothing_again(stage: Stage) -> None:
    use_bell_alone(stage, "send")
    with bell(stage) as queue:
        with stage.locked("attempts"):
            stage.plan(50)
            job = ring(queue, stage)
            stage.until_blocked()
            stage.processes.kill("send")
        assert job.get_status() == "started"
        stage.processes.start("send")
        stage.until_done(SETTLED_WITHIN_S)
        StartedJobRegistry(queue=queue).cleanup(timestamp=time.time() + 3600)
        assert job.id in FailedJobRegistry(queue=queue).get_job_ids()
        assert stage.states() == {"accepted": 50}
        assert len(stage.accepted()) == 50


def test_a_finished_job_that_rq_calls_abandoned_changes_no_text(stage: Stage) -> None:
    use_bell_alone(stage, "send")
    stage.plan(5)
    with bell(stage) as queue:
        job = ring(queue, stage)
        stage.until_done()
        until(lambda: job.is_finished, what="the end of the job")
        # What RQ does when it takes the worker for dead (rq#2424): the job stands among the started ones and is cleaned up.
        queue.connection.zadd(StartedJobRegistry(queue=queue).key, {f"{job.id}:{job.id}": 1})
        StartedJobRegistry(queue=queue).cleanup()
        assert job.id in FailedJobRegistry(queue=queue).get_job_ids()
    assert stage.states() == {"accepted": 5}
    assert len(stage.accepted()) == 5
