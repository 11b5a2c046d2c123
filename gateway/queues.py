"""The doorbell: tells a send worker through Redis that a channel has something due. Losing a ring costs a second."""

import threading
import time
from uuid import UUID

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from gateway import log

SEND = "send"
SEND_JOB = "workers.jobs.send_due"
BREAK_SECONDS = 2.0
PAUSE_SECONDS = 0.05


def connect(url: str, socket_timeout: float | None = 0.5) -> redis.Redis:
    """A client that gives up quickly: the default takes 2.6 s on a refused connection and hangs on a hung server."""
    return redis.Redis.from_url(
        url, socket_connect_timeout=0.5, socket_timeout=socket_timeout, retry=Retry(NoBackoff(), 0), health_check_interval=0
    )


class Bell:
    """Rings from a thread of its own, so that `ring` returns at once whatever Redis does."""

    def __init__(self, redis_url: str) -> None:
        self._queue = Queue(SEND, connection=connect(redis_url), serializer=JSONSerializer)
        self._waiting: set[UUID] = set()
        self._wake = threading.Condition()
        threading.Thread(target=self._run, name="bell", daemon=True).start()

    def ring(self, channel_id: UUID) -> None:
        """Say that the channel has something due. Never raises, never waits; many rings become one."""
        with self._wake:
            self._waiting.add(channel_id)
            self._wake.notify()

    def answers(self) -> bool:
        """Whether Redis answers just now."""
        try:
            return bool(self._queue.connection.ping())
        except redis.RedisError:
            return False

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting:
                    self._wake.wait()
                ringing, self._waiting = self._waiting, set()
            try:
                for channel_id in ringing:
                    self._enqueue(channel_id)
                time.sleep(PAUSE_SECONDS)  # under load many rings become one; the first of them rang at once
            except Exception as error:  # whatever it is: the workers poll, and a ring lost is a second lost
                log.warning("bell_broken", error=type(error).__name__)
                time.sleep(BREAK_SECONDS)

    def _enqueue(self, channel_id: UUID) -> None:
        # A ring that still waits says all there is to say. The id is new each time, since the end of a job deletes its
        # hash (result_ttl=0), which would take a second ring of the same id along.
        if not any(job_id.startswith(f"send-{channel_id}-") for job_id in self._queue.job_ids):
            job_id = f"send-{channel_id}-{time.time_ns()}"
            self._queue.enqueue(
                SEND_JOB, str(channel_id), job_id=job_id, result_ttl=0, ttl=60, failure_ttl=86_400, job_timeout=600
            )


def silent(channel_id: UUID) -> None:
    """A bell nobody hears: for commands and tests that let the workers find the work by polling."""
