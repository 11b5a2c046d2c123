"""The doorbell: it wakes a worker, never waits, never raises, and nothing depends on it."""

import importlib
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from rq import Callback, Queue, SimpleWorker, Webhook
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer, PickleSerializer

from gateway import queues, supervisor
from workers import jobs
from workers.main import ears

ROOT = Path(__file__).parents[2]


def waiting(redis_url: str) -> list[list[str]]:
    """The arguments of the jobs that wait."""
    queue = Queue(queues.SEND, connection=queues.connect(redis_url), serializer=JSONSerializer)
    return [list(job.args) for job in queue.jobs]


def until_rung(redis_url: str, many: int) -> list[list[str]]:
    for _ in range(3000):
        if len(found := waiting(redis_url)) >= many:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{len(found)} jobs after a minute")


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


# --- what others put into Redis -------------------------------------------------------------------------------------------


class _Burst:
    """A pickle that makes a folder when it is read."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.folder,)


class _Sender:
    """Where rings lead."""

    def __init__(self) -> None:
        self.rung: list[UUID] = []

    def due(self, channel_id: UUID) -> int:
        self.rung.append(channel_id)
        return 0


called: list[object] = []


def call(*about: object) -> None:
    """What a job may name to be called after it."""
    called.append(about)


_HERE = f"{__name__}.call"


def _pickle(queue: Queue, folder: str) -> None:
    Queue(queues.SEND, connection=queue.connection, serializer=PickleSerializer).enqueue(queues.SEND_JOB, _Burst(folder))


def _function(queue: Queue, folder: str) -> None:
    queue.enqueue("os.mkdir", folder)


def _method(queue: Queue, folder: str) -> None:
    job = queue.enqueue(queues.SEND_JOB, folder)
    queue.connection.hset(job.key, "data", json.dumps(["upper", "a string", [], {}]))


def _not_even_json(queue: Queue, folder: str) -> None:
    job = queue.enqueue(queues.SEND_JOB, folder)
    queue.connection.hset(job.key, mapping={"data": b"\xff\n{}", "meta": b"\xff", "description": "forged\nline"})


def _callbacks(queue: Queue, folder: str) -> None:
    queue.enqueue("os.getcwd", on_failure=Callback(_HERE))
    queue.enqueue(queues.SEND_JOB, str(UUID(int=1)), on_success=Callback(_HERE), on_stopped=Callback(_HERE))


def _abandoned(queue: Queue, folder: str) -> None:
    job = queue.create_job(queues.SEND_JOB, (str(UUID(int=1)),), on_failure=Callback(_HERE))
    job.save()
    queue.connection.zadd(StartedJobRegistry(queue=queue).key, {f"{job.id}:1": 1})


@pytest.mark.parametrize("forged", [_pickle, _function, _method, _not_even_json, _callbacks, _abandoned])
def test_a_worker_takes_rings_and_runs_nothing_else_that_redis_names(
    redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], forged: Callable[[Queue, str], None]
) -> None:
    queue, sender, folder, channel = _rung_by_strangers(redis_url), _Sender(), tmp_path / "made", uuid4()
    jobs.serve(sender)  # type: ignore[arg-type]
    called.clear()
    forged(queue, str(folder))
    queue.enqueue(queues.SEND_JOB, str(channel), result_ttl=0)
    ears(queue.connection).work(burst=True, logging_level="WARNING")
    assert (folder.exists(), called) == (False, [])
    assert channel in sender.rung  # and it goes on hearing
    assert all(json.loads(line) for line in capsys.readouterr().err.splitlines())


def test_a_ring_posts_to_no_address_that_redis_names(redis_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        queue, url = _rung_by_strangers(redis_url), f"http://127.0.0.1:{server.getsockname()[1]}/"
        jobs.serve(_Sender())  # type: ignore[arg-type]
        queue.enqueue(queues.SEND_JOB, str(uuid4()), webhooks=[Webhook(url, "finished", timeout=1), Webhook(url, "failed", timeout=1)])
        queue.enqueue("os.getcwd", webhooks=[Webhook(url, "finished", timeout=1), Webhook(url, "failed", timeout=1)])
        ears(queue.connection).work(burst=True, logging_level="WARNING")
        with pytest.raises(TimeoutError):
            server.accept()


def test_what_a_ring_leads_to_writes_no_error_into_redis(redis_url: str) -> None:
    class Failing(_Sender):
        def due(self, channel_id: UUID) -> int:
            raise ValueError("Canary body")

    queue = _rung_by_strangers(redis_url)
    jobs.serve(Failing())  # type: ignore[arg-type]
    queue.enqueue(queues.SEND_JOB, str(uuid4()))
    ears(queue.connection).work(burst=True, logging_level="WARNING")
    assert len(queue.failed_job_registry) == 0  # which holds the words of errors


def _rung_by_strangers(redis_url: str) -> Queue:
    return Queue(queues.SEND, connection=queues.connect(redis_url, socket_timeout=None), serializer=JSONSerializer)
