"""A send worker: `python -m workers.main send`. Hears the bell through RQ, and looks into PostgreSQL each second anyway.

RQ only wakes it: jobs carry a channel's id and no work. With Redis away, everything still goes out by the poll.
"""

import os
import signal
import sys
import threading
import time
from typing import Any

import redis
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.timeouts import TimerDeathPenalty

from gateway import embedded, log, parts, queues
from gateway.config import Settings
from gateway.store import health
from gateway.store.base import SYSTEM, is_away, unit_of_work
from gateway.usecases import send_due
from gateway.usecases.record_outcomes import Recorder
from gateway.usecases.send_due import Sender
from gateway.wire import Wire
from workers import jobs, watch

DRAIN_SECONDS = 8.0
BEAT_SECONDS = 5.0


class NoRing(Exception):
    """A job that is none of ours."""


class Ring(Job):
    """A job as we take it: it can say which channel has something due, and nothing else.

    RQ calls whatever function a job in Redis names, then other functions, and posts to addresses that it names. Whoever can
    write into Redis must not run anything here by that.
    """

    success_callback = failure_callback = stopped_callback = None

    def restore(self, raw_data: Any) -> None:
        super().restore(raw_data)
        self.webhooks = []

    @property
    def func(self) -> Any:
        if (self.func_name, self.instance) != (queues.SEND_JOB, None):
            raise NoRing
        return jobs.send_due


class _Ears(SimpleWorker):
    """RQ's worker in this process. The process's own signals stop it, and a job never runs long enough to be killed."""

    death_penalty_class = TimerDeathPenalty

    def _install_signal_handlers(self) -> None:
        pass


def main(arguments: list[str]) -> int:
    """Run until SIGTERM or SIGINT; then claim nothing more, let requests that are open end for 8 s, and write outcomes."""
    if arguments != [queues.SEND]:
        print(f"usage: python -m workers.main {queues.SEND}", file=sys.stderr)
        return 2
    log.process = f"send-{os.getpid()}"
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    with embedded.running(Settings.from_env(os.environ)) as settings:
        _run(settings, stopping)
    return 0


class Worker:
    """What a send worker holds; rings of this process go to its sender."""

    def __init__(self, settings: Settings) -> None:
        self.gateway = parts.build(settings)
        self.wire = Wire(
            max_open=1000, connect_s=settings.connect_timeout_seconds, read_s=settings.read_timeout_seconds, private_hosts=settings.private_hosts
        ).start()
        self.recorder = Recorder(self.gateway.engine, self.gateway.vault)
        self.sender = Sender(self.gateway.engine, self.gateway.vault, self.wire, self.recorder, settings.public_url, turns=parts.turns(self.gateway))
        jobs.serve(self.sender)

    def listen(self, stopping: threading.Event) -> None:
        """Hear the bell from now on, in a thread of its own."""
        redis_url = self.gateway.settings.redis_url
        threading.Thread(target=_listen, args=(redis_url, stopping), name="ears", daemon=True).start()

    def close(self) -> None:
        """Claim nothing more, give open requests time to end, write outcomes."""
        ends = time.monotonic() + DRAIN_SECONDS
        self.sender.stop()
        still_open = self.wire.drain(ends - time.monotonic())
        self.wire.close()
        self.recorder.close()
        log.info("stopped", without_answer=len(still_open))


def _run(settings: Settings, stopping: threading.Event) -> None:
    worker = Worker(settings)
    worker.listen(stopping)
    watch.start(worker.gateway, parts.second_way(settings), "clock", stopping)
    log.info("sending")
    _poll(worker.gateway, worker.sender, settings.poll_seconds, stopping)
    worker.close()


def _poll(gateway: parts.Gateway, sender: Sender, every_seconds: float, stopping: threading.Event) -> None:
    """Look for channels with something due, urgent and replies first; each is served by a thread of its own."""
    serving: dict[object, threading.Thread] = {}
    last_beat = 0.0
    while not stopping.is_set():
        try:
            for channel_id in dict.fromkeys([*send_due.poll(gateway.engine), *sender.doubtful()]):
                if channel_id not in serving or not serving[channel_id].is_alive():
                    serving[channel_id] = threading.Thread(target=_serve, args=(sender, channel_id), daemon=True)
                    serving[channel_id].start()
            if time.monotonic() - last_beat > BEAT_SECONDS:
                with unit_of_work(gateway.engine, SYSTEM) as work:
                    health.beat(work, "send", log.process)
                last_beat = time.monotonic()
        except Exception as error:  # PostgreSQL is away: nothing can be claimed, so nothing can go wrong; look again
            log.error("poll_failed", error)
            sender.rest()
            gateway.engine.dispose()
        stopping.wait(every_seconds)


def _serve(sender: Sender, channel_id: object) -> None:
    try:
        sender.due(channel_id)  # type: ignore[arg-type]
    except Exception as error:
        log.error("claim_failed", error, channel=channel_id)
        if is_away(error):
            sender.rest()


def ears(connection: redis.Redis) -> _Ears:
    """What hears the bell. It reads JSON alone, and takes rings alone."""
    queue = Queue(queues.SEND, connection=connection, serializer=JSONSerializer, job_class=Ring)
    return _Ears([queue], connection=connection, serializer=JSONSerializer, job_class=Ring, worker_ttl=35, log_job_description=False)


def _listen(redis_url: str, stopping: threading.Event) -> None:
    """Hear the bell for as long as the process lives, whatever happens to Redis."""
    while not stopping.is_set():
        try:
            connection = queues.connect(redis_url, socket_timeout=None)
            ears(connection).work(with_scheduler=False, logging_level="WARNING")
        except redis.RedisError as error:
            log.warning("bell_away", error=type(error).__name__)
        except Exception as error:
            log.error("ears_failed", error)
        stopping.wait(1)



if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
