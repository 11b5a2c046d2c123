"""The doorbell: it wakes a worker, never waits, never raises, and nothing depends on it."""

import importlib
import time
from pathlib import Path
from uuid import uuid4

from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from gateway import queues, supervisor

ROOT = Path(__file__).parents[2]


def waiting(redis_url: str) -> list[list[str]]:
    """The arguments of the jobs that wait."""
    queue = Queue(queues.SEND, connection=queues.connect(redis_url), serializer=JSONSerializer)
    return [list(job.args) for job in queue.jobs]


def until_rung(redis_url: str, many: int) -> list[list[str]]:
    for _ in range(200):
        if len(found := waiting(redis_url)) >= many:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{len(found)} jobs after 4 s")


def test_a_ring_becomes_a_job_that_holds_the_channels_id_alone(redis_url: str) -> None:
    channel_id = uuid4()
    queues.Bell(redis_url).ring(channel_id)
    assert until_rung(redis_url, 1) == [[str(channel_id)]]


def test_many_rings_of_a_channel_become_one_job(redis_url: str) -> None:
    bell, channel_id, other = queues.Bell(redis_url), uuid4(), uuid4()
    for _ in range(100):
        bell.ring(channel_id)
    bell.ring(other)
    until_rung(redis_url, 2)
    time.sleep(3 * queues.PAUSE_SECONDS)
    assert sorted(waiting(redis_url)) == sorted([[str(channel_id)], [str(other)]])


def test_a_channel_can_be_rung_again_as_soon_as_its_job_was_done(redis_url: str) -> None:
    bell, channel_id = queues.Bell(redis_url), uuid4()
    connection = queues.connect(redis_url, socket_timeout=None)
    queue = Queue(queues.SEND, connection=connection, serializer=JSONSerializer)
    for _ in range(2):
        bell.ring(channel_id)
        until_rung(redis_url, 1)
        SimpleWorker([queue], connection=connection, serializer=JSONSerializer).work(burst=True, logging_level="ERROR")
        assert waiting(redis_url) == []


def test_ringing_with_redis_away_raises_nothing() -> None:
    bell = queues.Bell("redis://127.0.0.1:1")
    for _ in range(1000):
        bell.ring(uuid4())
    assert bell.answers() is False


def test_the_job_that_a_ring_names_exists() -> None:
    module, _, function = queues.SEND_JOB.rpartition(".")
    assert callable(getattr(importlib.import_module(module), function))


def test_every_queue_has_a_process_that_serves_it() -> None:
    served = {process.command[-1] for process in supervisor.parse((ROOT / "Procfile").read_text())}
    assert queues.SEND in served
