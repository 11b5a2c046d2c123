"""What happens by itself: planning, sweeping, settling, back-fill. One leader among all clocks, by an advisory lock.

Each task runs in a thread of its own, so that a slow carrier holds up nothing else. All of them may run in two
processes at once without harm (unique occurrences, locked rows); the leader only spares the work.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from gateway import embedded, log, parts
from gateway.config import Settings
from gateway.store import health, leader
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import (
    approve_asked,
    backfill,
    change_channel,
    count_campaigns,
    count_reports,
    doubt_phone,
    escalate,
    export_clients,
    hand_up,
    mend_zones,
    move_traffic,
    notice_silence,
    plan_due,
    receive_message,
    reconcile,
    redact,
    rehearse_asked,
    run_imports,
    seal_audit,
    sweep,
)
from gateway.usecases.second_way import SecondWay
from gateway.wire import Wire
from workers import watch

BEAT_SECONDS = 5.0
CONNECTIONS = 29
"""One for each task, so that none that waits for PostgreSQL keeps an alert or the heartbeat from it; and for the leader's lock, its
heartbeat, the look at the send workers, and what an import writes beside its own transaction."""


class Task(NamedTuple):
    """Something to do again and again: how often at least, and at once again while `run` finds work."""

    name: str
    every_seconds: float
    run: Callable[[], object]


def main() -> int:
    """Run until SIGTERM or SIGINT."""
    log.process = f"clock-{os.getpid()}"
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    with embedded.running(Settings.from_env(os.environ)) as settings:
        _run(settings, stopping)
    return 0


def _run(settings: Settings, stopping: threading.Event) -> None:
    gateway = parts.build(settings, pool_size=CONNECTIONS)
    wire = Wire(max_open=100, connect_s=settings.connect_timeout_seconds, read_s=settings.read_timeout_seconds).start()
    leading = threading.Event()
    second = parts.second_way(settings)
    watch.start(gateway, second, "send", stopping)
    threads = [
        threading.Thread(target=_repeat, args=(task, leading, stopping), name=task.name, daemon=True)
        for task in tasks(gateway, settings, wire, second)
    ]
    for thread in threads:
        thread.start()
    while not stopping.is_set():
        try:
            _lead(gateway, leading, stopping)
        except SQLAlchemyError as error:
            log.error("clock_waits_for_database", error)
            gateway.engine.dispose()
        leading.clear()
        stopping.wait(1)
    for thread in threads:
        thread.join(3)
    wire.close()


def tasks(gateway: parts.Gateway, settings: Settings, wire: Wire, second: SecondWay) -> list[Task]:
    """All that happens by itself."""
    engine, vault, content, ring = gateway.engine, gateway.vault, gateway.content, gateway.bell.ring
    settle = timedelta(seconds=settings.reconcile_after_seconds)
    lease = timedelta(seconds=settings.lease_seconds)
    reports = timedelta(hours=settings.report_timeout_hours)
    often = min(5.0, settings.lease_seconds / 3)
    return [
        Task("plan", 1, lambda: plan_due.plan_due(engine, vault, content, ring)),
        Task("escalate", 1, lambda: escalate.escalate(engine, vault, content, ring)),
        Task("second_way", 1, lambda: escalate.go_second_way(engine, vault, content, second, ring)),
        Task("approve", 1, lambda: approve_asked.approve(engine, vault, content, settings.self_approval_up_to)),
        Task("rehearse", 1, lambda: rehearse_asked.rehearse(engine, vault, content)),
        Task("traffic", 5, lambda: move_traffic.move_traffic(engine, vault, content, ring)),
        Task("expire", 5, lambda: sweep.expire(engine)),
        Task("lapse", often, lambda: reconcile.lapse(engine, lease)),
        Task("reconcile", often, lambda: reconcile.reconcile(engine, vault, wire, ring, settle)),
        Task("silence", 5, lambda: notice_silence.notice(engine, vault, content, ring)),
        Task("unhandled", 10, lambda: receive_message.retry_unhandled(engine, vault, content, ring)),
        Task("quiet", 3600, lambda: doubt_phone.doubt_quiet(engine)),
        Task("hand_up", 10, lambda: hand_up.hand_up(engine)),
        Task("imports", 1, lambda: run_imports.run_next(engine, vault, content)),
        Task("exports", 1, lambda: export_clients.write_next(engine, vault)),
        Task("zones", 60, lambda: mend_zones.mend(engine)),
        Task("limits", 60, lambda: change_channel.write_limits(engine, vault)),
        Task("menus", 600, lambda: sweep.forget_menus(engine)),
        Task("groups", 3600, lambda: sweep.forget_groups(engine)),
        Task("parts", 600, lambda: sweep.forget_parts(engine)),
        Task("reports", 60, lambda: sweep.give_up_on_reports(engine, reports)),
        Task("redact", 10, lambda: redact.redact(engine, vault, wire)),
        Task("campaigns", 1, lambda: count_campaigns.count_next(engine)),
        Task("figures", 60, lambda: count_reports.count_next(engine)),
        Task("audit", 5, lambda: seal_audit.seal(engine)),
        Task("backfill", 120, lambda: backfill.backfill(engine, vault, content, wire, ring)),
    ]


def _repeat(task: Task, leading: threading.Event, stopping: threading.Event) -> None:
    """Run one task again and again while leading; at once again while it finds work."""
    while not stopping.is_set():
        found: object = 0
        if leading.is_set():
            try:
                found = task.run()
            except Exception as error:
                log.error("task_failed", error, task=task.name)
                stopping.wait(1)
        if not found:
            stopping.wait(task.every_seconds if leading.is_set() else 0.2)


def _lead(gateway: parts.Gateway, leading: threading.Event, stopping: threading.Event) -> None:
    """Lead while the connection that holds the lock lives; return when stopping. Raises when PostgreSQL goes away."""
    with leader.candidate(gateway.engine) as connection:
        while not leader.try_to_lead(connection):
            if stopping.wait(1):
                return
        log.info("leading")
        leading.set()
        while not stopping.is_set():
            with unit_of_work(gateway.engine, SYSTEM) as work:
                health.beat(work, "clock", log.process)
            leader.still_there(connection)
            stopping.wait(BEAT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
