"""Real PostgreSQL and Valkey for the tests: one pair per run, shared by all its processes, started when first asked for.

Each test that needs a database gets one of its own, copied from a migrated template. TEST_POSTGRES_BIN chooses another
PostgreSQL's binaries.
"""

import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import uuid4

import psycopg

from gateway import embedded
from gateway.embedded import runner, servers
from gateway.store import schema

RUN = "TEST_SERVERS"
"""The variable that tells a run's processes where its servers are."""
PREFIX = "gateway-tests-"
TIDY = {"dynamic_shared_memory_type": "mmap"}
"""In the data folder, which is deleted whatever becomes of the server; the usual place is not."""
QUICK = TIDY | {"fsync": "off", "full_page_writes": "off", "max_connections": "200", "log_min_messages": "fatal"}
HOME = Path("/dev/shm") if Path("/dev/shm").is_dir() and shutil.disk_usage("/dev/shm").free > 2**30 else None
"""In memory where there is room: a copied database takes 20 ms there, and 400 on a disk."""
POSTGRES_BIN = Path(os.environ["TEST_POSTGRES_BIN"]) if os.environ.get("TEST_POSTGRES_BIN") else None


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated, empty database. `url` is the plain role's, `admin_url` the owner's."""

    name: str
    url: str
    admin_url: str


def begin_run() -> None:
    """Choose the folder of this run's servers, and end what a killed run left behind."""
    for left in (HOME or Path(tempfile.gettempdir())).glob(f"{PREFIX}*"):
        pid = left.name.removeprefix(PREFIX).split("-")[0]
        if pid.isdecimal() and not runner.command_line(int(pid)):
            _end(left)
    os.environ[RUN] = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=HOME)


def end_run() -> None:
    """Stop the servers of this run and delete their data."""
    _end(Path(os.environ.pop(RUN)))


def _end(var: Path) -> None:
    with suppress(OSError):
        embedded.stop(var)
        shutil.rmtree(var, ignore_errors=True)


@cache
def shared() -> embedded.Addresses:
    """The run's servers; the database `gateway` is migrated and serves as the template."""
    var = Path(os.environ[RUN])
    with (var / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        addresses = embedded.start(var, postgres_bin=POSTGRES_BIN, changed=QUICK)
        if not (var / "migrated").exists():
            schema.migrate(addresses.admin_url, "gateway")
            (var / "migrated").touch()
    return addresses


@contextmanager
def new_database(template: str = "gateway") -> Iterator[Database]:
    """A database of one's own until the block ends."""
    addresses, name = shared(), f"test_{uuid4().hex}"
    _administer(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    try:
        yield Database(name, _other(addresses.database_url, name), _other(addresses.admin_url, name))
    finally:
        _administer(f"DROP DATABASE {name} WITH (FORCE)")


@cache
def _admin() -> psycopg.Connection:
    return psycopg.connect(_other(shared().admin_url, "postgres"), autocommit=True)


def _administer(sql: str) -> None:
    _admin().execute(sql.encode())


def _other(url: str, database: str) -> str:
    return url.replace("@/gateway?", f"@/{database}?")


@dataclass(frozen=True, slots=True)
class OwnServers:
    """A pair of servers of one's own, to be stopped and killed at will. Durable, unlike the shared ones."""

    var: Path

    def start(self, *, postgres: bool = True, valkey: bool = True) -> embedded.Addresses:
        """Start what does not run."""
        return embedded.start(self.var, postgres=postgres, valkey=valkey, postgres_bin=POSTGRES_BIN, changed=TIDY)

    def stop_postgres(self) -> None:
        servers.stop_postgres(self.var)

    def stop_redis(self) -> None:
        servers.stop_valkey(self.var)

    def kill_postgres(self) -> None:
        servers.stop_postgres(self.var, signal.SIGKILL)

    def kill_redis(self) -> None:
        servers.stop_valkey(self.var, signal.SIGKILL)

    def lose_redis(self) -> None:
        """Kill it and delete all it remembers."""
        self.kill_redis()
        shutil.rmtree(self.var / "valkey", ignore_errors=True)


@contextmanager
def own(migrated: bool = True) -> Iterator[OwnServers]:
    """Servers of one's own until the block ends."""
    var = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-own-", dir=HOME))
    try:
        pair = OwnServers(var)
        addresses = pair.start()
        if migrated:
            schema.migrate(addresses.admin_url, "gateway")
        yield pair
    finally:
        _end(var)
