"""What the measurements stand on: durable servers of their own, a fake carrier, real workers, and what they cost."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import Engine, text

from gateway import embedded
from gateway.domain import segments
from gateway.embedded import folder
from gateway.store import base, channels, messages, schema, units
from gateway.store.base import SYSTEM, unit_of_work
from gateway.vault import Vault, parse_keys

HERE = Path(__file__).parent.parent
TICK = os.sysconf("SC_CLK_TCK")
ACCOUNT = "AC" + "0" * 32


@dataclass(frozen=True, slots=True)
class Ground:
    """Servers with a migrated database, and the environment that processes of the gateway need."""

    environ: Mapping[str, str]
    engine: Engine
    vault: Vault
    var: Path
    redis_url: str

    def postgres_pid(self) -> int:
        return int(next(self.var.glob("**/postmaster.pid")).read_text().split()[0])


@contextmanager
def ground(kept: Path | None = None, **environ: str) -> Iterator[Ground]:
    """PostgreSQL (fsync on) and Valkey in a folder that is gone afterwards, unless it is to be `kept`."""
    var = kept or Path(tempfile.mkdtemp(prefix="gateway-bench-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    try:
        addresses = embedded.start(var)
        schema.migrate(addresses.admin_url, "gateway")
        keys = folder.keys(var)
        settings = {**os.environ, **keys, "DATABASE_URL": addresses.database_url, "REDIS_URL": addresses.redis_url,
                    "GATEWAY_VAR": str(var), "PYTHONPATH": str(HERE), **environ}  # fmt: skip
        vault = Vault(parse_keys(keys["GATEWAY_MASTER_KEYS"]), parse_keys(keys["GATEWAY_INDEX_KEYS"]))
        engine = base.connect(addresses.database_url)
        yield Ground(settings, engine, vault, var, addresses.redis_url)
        engine.dispose()
    finally:
        embedded.stop(var)
        if kept is None:
            shutil.rmtree(var, ignore_errors=True)


@contextmanager
def process(ground: Ground, *command: str, stdout: int = subprocess.DEVNULL, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A process of the gateway; ended with SIGTERM."""
    child = subprocess.Popen([sys.executable, *command], env={**ground.environ, **environ}, cwd=HERE, stdout=stdout, text=True)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()


@contextmanager
def fake_carrier(ground: Ground, latency_ms: float) -> Iterator[tuple[str, int]]:
    """The fake carrier in a process of its own; its address and pid."""
    with process(ground, "-m", "tests.carrier", "--latency-ms", str(latency_ms), "--no-reports", stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        yield json.loads(child.stdout.readline())["url"], child.pid


def people(ground: Ground, count: int, kind: str = "twilio", settings: Mapping[str, str] | None = None) -> tuple[UUID, UUID, list[UUID]]:
    """A unit open at any hour, a channel, and clients with a phone and consent; their ids."""
    with unit_of_work(ground.engine, SYSTEM) as work:
        unit_id = units.add(work, kind="commune", code=f"U{uuid4().hex[:8]}", name="Bench", time_zone="Asia/Ho_Chi_Minh", language="vi",
                            region="VN", hours=None, details={"phone": "0238 555 0100", "service": "Bench", "helplines": "115"})  # fmt: skip
        channel_id = channels.add(work, ground.vault, unit_id=unit_id, name=f"bench-{unit_id}", kind=kind, settings=dict(settings or {}))
    ids = [uuid4() for _ in range(count)]
    for start in range(0, count, 10_000):
        with unit_of_work(ground.engine, SYSTEM) as work:
            _people(work, ground.vault, unit_id, ids[start : start + 10_000], start)
    return unit_id, channel_id, ids


def _people(work: base.Work, vault: Vault, unit_id: UUID, ids: list[UUID], start: int) -> None:
    keys, clients, phones, consents = [], [], [], []
    for n, client_id in enumerate(ids, start):
        key_id, phone_id = uuid4(), uuid4()
        key, wrapped = vault.new_key(key_id)
        phone = number(n)
        keys.append({"id": key_id, "unit_id": unit_id, "wrapped": wrapped})
        clients.append({"id": client_id, "unit_id": unit_id, "key_id": key_id, "code": f"{unit_id.hex[:8]}-{n}", "language": "vi",
                        "name_enc": key.encrypt("Bench", "clients.name", client_id), "created_at": work.now, "updated_at": work.now})  # fmt: skip
        phones.append({"id": phone_id, "client_id": client_id, "unit_id": unit_id, "rank": 0, "phone_hash": vault.hash_phone(phone),
                       "phone_enc": key.encrypt(phone, "phones.phone", phone_id)})  # fmt: skip
        consents.append({"client_id": client_id, "unit_id": unit_id, "purpose": "check_in", "granted": True, "basis": "bench",
                         "changed_at": work.now})  # fmt: skip
    for table, rows in (("keys", keys), ("clients", clients), ("phones", phones), ("consents", consents)):
        work.insert(table, rows)


def number(n: int) -> str:
    """The n-th client's phone."""
    return f"+84912{n:06d}"


def plan(ground: Ground, unit_id: UUID, channel_id: UUID, ids: list[UUID], send_after: datetime, body: str) -> None:
    """One text for each client."""
    counted = segments.count(body)
    for start in range(0, len(ids), 5000):
        with unit_of_work(ground.engine, SYSTEM) as work:
            chosen = ids[start : start + 5000]
            rows = {r.id: r for r in work.all(text("""SELECT c.id, c.key_id, k.wrapped FROM clients c JOIN keys k ON k.id = c.key_id
                WHERE c.id = ANY(:ids)"""), ids=chosen)}  # fmt: skip
            messages.add(work, ground.vault, [
                messages.New(
                    unit_id=unit_id, key_id=rows[i].key_id, key=ground.vault.open_key(rows[i].wrapped, rows[i].key_id),
                    channel_id=channel_id, to=number(start + n), body=body, encoding=counted.encoding, segments=counted.segments,
                    purpose="check_in", language="vi", lane=2, semantics="once_more", dedupe_key=f"bench:{i}:{send_after}",
                    send_after=send_after, send_before=send_after + timedelta(hours=8), client_id=i, consent_purpose="check_in")
                for n, i in enumerate(chosen)
            ])  # fmt: skip


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its living children and those it has buried."""
    total = 0.0
    for child in [pid, *children(pid)]:
        try:
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(fields[i]) for i in (11, 12, 13, 14)) / TICK
    return total


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path("/proc").glob(f"{pid}/task/*/children"):
        try:
            for child in map(int, task.read_text().split()):
                found += [child, *children(child)]
        except OSError:
            continue
    return found


def peak_mb(pid: int) -> float:
    """The most memory a living process has had resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def wait_for(check: Callable[[], bool], seconds: float = 300, every: float = 0.05) -> None:
    """Look again and again until it is so."""
    until = time.monotonic() + seconds
    while not check():
        if time.monotonic() > until:
            raise SystemExit("it did not happen in time")
        time.sleep(every)


def value(ground: Ground, sql: str, **values: object) -> object:
    """One value from the database."""
    with unit_of_work(ground.engine, SYSTEM) as work:
        return work.value(text(sql), **values)


def own_peak_mb() -> float:
    """This process's own."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
