"""The thread in which the send worker looks after the clock, and each clock after the send workers."""

import threading
from datetime import timedelta

from gateway import log
from gateway.parts import Gateway
from gateway.usecases.second_way import SecondWay
from gateway.usecases.watch import Watch

LOOK_SECONDS = 10.0


def start(gateway: Gateway, second: SecondWay, other: str, stopping: threading.Event) -> None:
    """Look after `other` until stopping."""
    silent_s = gateway.settings.silent_after_seconds
    watch = Watch(gateway.engine, gateway.content, second, other, timedelta(seconds=silent_s))
    threading.Thread(target=_run, args=(watch, min(LOOK_SECONDS, silent_s / 3), stopping), name="watch", daemon=True).start()


def _run(watch: Watch, every_seconds: float, stopping: threading.Event) -> None:
    while not stopping.wait(every_seconds):
        try:
            watch.look()
        except Exception as error:
            log.error("watch_failed", error)
