"""The clock: what happens by itself, each task in a thread of its own."""

from contextlib import ExitStack

from gateway import parts
from gateway.config import Settings
from gateway.store.base import unit_of_work
from gateway.wire import Wire
from workers import clock

BESIDE = 4  # the leader's lock, its heartbeat, the look at the send workers, the progress of an import


def test_tasks_that_all_wait_for_postgres_keep_none_from_it(environ: dict[str, str]) -> None:
    settings = Settings.from_env(environ)
    gateway = parts.build(settings, pool_size=clock.CONNECTIONS)
    tasks = clock.tasks(gateway, settings, Wire(max_open=1), parts.second_way(settings))
    with ExitStack() as held:
        for _ in range(len(tasks) + BESIDE):  # one too few would wait for half a minute, and fail then
            held.enter_context(unit_of_work(gateway.engine))
    gateway.engine.dispose()
