"""Starting and stopping the two servers, each from its data folder in `var`."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import psycopg
import redis
from psycopg import sql

from gateway.domain.errors import GatewayError, Refused
from gateway.embedded import binaries, folder
from gateway.embedded.runner import Runner, end, pid_in

SETTINGS = {
    # Access: sockets only. Statements, which hold values, never reach the log.
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A small machine that is not ours alone, and many short transactions on few rows.
    "max_connections": "100",
    "shared_buffers": "192MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "wal_compression": "on",
    "max_wal_size": "1GB",
    "autovacuum_naptime": "20s",
    "jit": "off",
}


def start_postgres(var: Path, runner: Runner, bin_folder: Path, settings: Mapping[str, str]) -> tuple[str, str]:
    """Make the data folder if there is none, start, wait for an answer; the addresses of the plain role and the owner.

    Raises Refused for a data folder of another major version, GatewayError when the server does not start.
    """
    bin_folder = runner.reach(bin_folder, var)
    data, passwords, sockets = var / "postgres", folder.passwords(var), folder.sockets(var, runner)
    if not folder.holds_database(var):
        _initdb(var, runner, bin_folder, passwords["app"])
    _check_major(data, bin_folder)
    runner.own(data)
    arguments = [str(bin_folder / "postgres"), "-D", str(data), "-c", f"unix_socket_directories={sockets}"]
    arguments += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    maintenance = _url("app", passwords, sockets, "postgres")
    pid_in(sockets / ".s.PGSQL.5432.lock", var)  # removes a stale one, which PostgreSQL may take for another's
    _start(var, "postgres", lambda: postgres_pid(var), runner, arguments, lambda: _make_login(maintenance, passwords))
    return _url("gateway", passwords, sockets, "gateway"), _url("app", passwords, sockets, "gateway")


def start_valkey(var: Path, runner: Runner) -> str:
    """Start and wait for an answer; its address. Raises GatewayError when it does not start."""
    data, password, sockets = var / "valkey", folder.passwords(var)["valkey"], folder.sockets(var, runner)
    data.mkdir(mode=0o700, exist_ok=True)
    settings = {
        "port": "0", "unixsocket": f'"{sockets}/valkey.sock"', "unixsocketperm": "700", "requirepass": password,
        "dir": f'"{data}"', "pidfile": f'"{data}/valkey.pid"', "set-proc-title": "no", "databases": "64",
        "appendonly": "yes", "appendfsync": "everysec", "save": '""', "maxmemory-policy": "noeviction",
    }
    folder.write_closed(data / "valkey.conf", "".join(f"{name} {value}\n" for name, value in settings.items()))
    runner.own(data)
    binary = binaries.find_valkey()
    command = [str(runner.reach(binary.parent, var) / binary.name), str(data / "valkey.conf")]
    url = f"unix://:{password}@{quote(str(sockets))}/valkey.sock"
    with redis.Redis.from_url(url, socket_timeout=5) as client:
        _start(var, "valkey", lambda: valkey_pid(var), runner, command, client.ping)
    return url


def stop_postgres(var: Path, how: signal.Signals = signal.SIGINT) -> None:
    """SIGINT ends connections and writes a checkpoint; after 5 s it must drop everything (and recovers at its start)."""
    for attempt in (how, signal.SIGQUIT, signal.SIGKILL):
        if end(postgres_pid(var), attempt, within_s=5):
            return


def stop_valkey(var: Path, how: signal.Signals = signal.SIGTERM) -> None:
    """SIGTERM writes what is not written yet."""
    for attempt in (how, signal.SIGKILL):
        if end(valkey_pid(var), attempt, within_s=3):
            return


def postgres_pid(var: Path) -> int | None:
    """The process of PostgreSQL, None when it does not run."""
    return pid_in(var / "postgres" / "postmaster.pid", var)


def valkey_pid(var: Path) -> int | None:
    """The process of Valkey, None when it does not run."""
    return pid_in(var / "valkey" / "valkey.pid", var)


def _initdb(var: Path, runner: Runner, bin_folder: Path, password: str) -> None:
    """Make the data folder beside its place and move it there, so that a half-made one is never taken for a database."""
    made = var / "postgres.new"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(mode=0o700)
    folder.write_closed(made / "password", password)
    runner.own(made)
    command = [
        str(bin_folder / "initdb"), "-D", str(made / "data"), "-U", "app", "-E", "UTF8",
        f"--locale={'C.UTF-8' if sys.platform == 'linux' else 'C'}", "--auth=scram-sha-256",
        f"--pwfile={made / 'password'}",
    ]  # fmt: skip
    with folder.log(var, "postgres") as log:
        done = runner.launch(command, log).wait()
    if done != 0:
        raise GatewayError("PostgreSQL could not make its data folder: {line}", line=folder.last_line(var, 'postgres'))
    (made / "data").rename(var / "postgres")
    shutil.rmtree(made)


def _check_major(data: Path, bin_folder: Path) -> None:
    made_by, here = int((data / "PG_VERSION").read_text()), binaries.version(bin_folder / "postgres")
    if made_by != here:
        raise Refused(
            "{data} was made by PostgreSQL {made_by}, but here is PostgreSQL {here}, which cannot read it. Install "
            "PostgreSQL {made_by}, dump the database with its pg_dump and restore the dump into a new one, or empty "
            "the folder with `make reset`.",
            data=data, made_by=made_by, here=here,
        )


def _make_login(admin_url: str, passwords: Mapping[str, str]) -> None:
    """The database, and the plain role the gateway connects as: no superuser, owner of nothing."""
    with psycopg.connect(admin_url, autocommit=True, connect_timeout=5) as admin:
        if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = 'gateway'").fetchone():
            create = sql.SQL("CREATE ROLE gateway LOGIN NOSUPERUSER NOBYPASSRLS NOINHERIT PASSWORD {}")
            admin.execute(create.format(passwords["gateway"]))
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = 'gateway'").fetchone():
            admin.execute("CREATE DATABASE gateway")


def _start(
    var: Path, name: str, pid: Callable[[], int | None], runner: Runner, command: Sequence[str], ask: Callable[[], object]
) -> None:
    """Launch unless it runs, and wait until it answers.

    A start that fails is tried again for a while: connections of a server that was killed may still hold its memory.
    """
    child: subprocess.Popen[bytes] | None = None
    launches, deadline = 0, time.monotonic() + 60
    while True:
        if pid() is None and (child is None or child.poll() is not None):
            if launches == 5:
                raise GatewayError(
                    "{name} does not start: {line} (see {file}.log)",
                    name=name, line=folder.last_line(var, name), file=var / name,
                )
            time.sleep(0.5 if launches else 0)
            with folder.log(var, name) as log:
                child = runner.launch(command, log)
            launches += 1
        try:
            ask()
            return
        except (psycopg.OperationalError, redis.RedisError) as error:
            if "password" in str(error) or time.monotonic() > deadline:
                raise GatewayError(
                    "{name} runs but does not let us in ({error}): is {passwords} the one that was made with it? See "
                    "{file}.log",
                    name=name, error=type(error).__name__, passwords=var / 'servers.env', file=var / name,
                ) from None
        time.sleep(0.02)


def _url(user: str, passwords: Mapping[str, str], sockets: Path, database: str) -> str:
    return f"postgresql://{user}:{passwords[user]}@/{database}?host={quote(str(sockets), safe='')}"
