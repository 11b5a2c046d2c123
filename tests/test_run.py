"""The commands that start and check everything, as real processes."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from gateway.cli import doctor
from gateway.config import Settings
from gateway.embedded import servers
from tests.servers import OwnServers

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def gateway(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True)


@contextmanager
def running(environ: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", *arguments], env=environ, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()
        process.stdout.close()


def _wait_for(url: str, process: subprocess.Popen[str]) -> int:
    """The status, as soon as somebody answers with something else than "not yet" (503)."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            if error.code != 503:
                return error.code
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"ended with {process.returncode}")


@pytest.mark.timeout(400)  # waits for much, works little: begins first
def test_one_command_starts_everything_and_ctrl_c_leaves_nothing_but_the_data(tmp_path: Path) -> None:
    var, port = tmp_path / "var", free_port()
    own = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
    environ = {**own, "GATEWAY_VAR": str(var), "GATEWAY_PORT": str(port)}
    for _ in ("first start", "second start"):
        with running(environ, "run") as process:
            assert _wait_for(f"http://127.0.0.1:{port}/health", process) == 200
            assert _wait_for(f"http://127.0.0.1:{port}/simulator", process) == 200
            process.send_signal(signal.SIGINT)
            said = process.communicate()[0]
        assert process.returncode == 0
        assert f"http://127.0.0.1:{port}/simulator" in said
        assert re.search(rf"^  supervisor  http://127\.0\.0\.1:{port}/invitation\?code=[A-Z2-7-]{{19}}$", said, re.MULTILINE)
        assert (servers.postgres_pid(var), servers.valkey_pid(var)) == (None, None)
    asked = subprocess.run(
        [sys.executable, "-m", "gateway", "reset"], env=environ, cwd=ROOT, input="n\n", capture_output=True, text=True
    )
    assert asked.returncode == 1
    assert (var / "postgres").exists()
    assert gateway(environ, "reset", "--yes").returncode == 0
    assert not (var / "postgres").exists()


def test_a_request_that_has_begun_is_answered_before_the_web_process_ends(environ: dict[str, str]) -> None:
    environ["GATEWAY_PORT"] = str(port := free_port())
    with running(environ, "web") as web:
        _wait_for(f"http://127.0.0.1:{port}/nothing", web)
        with socket.create_connection(("127.0.0.1", port)) as client:
            path = f"/c/{uuid4()}/inbound"
            client.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc".encode())
            _wait_for(f"http://127.0.0.1:{port}/nothing", web)  # by now the first request is open
            web.terminate()
            time.sleep(0.3)
            client.sendall(b"def")
            assert client.recv(100).startswith(b"HTTP/1.1 404")


def _wrong(environ: dict[str, str]) -> dict[str, str]:
    return {finding.about: finding.what for finding in doctor.examine(environ) if finding.level == "WRONG"}


def test_the_doctor_finds_nothing_wrong_with_a_sound_gateway(environ: dict[str, str], own_servers: OwnServers) -> None:
    addresses = own_servers.start()
    assert _wrong(environ | {"DATABASE_URL": addresses.database_url, "REDIS_URL": addresses.redis_url}) == {}


@pytest.mark.parametrize(
    ("change", "about", "what"),
    [
        ({"GATEWAY_PORT": "none"}, "settings", "GATEWAY_PORT"),
        ({"REDIS_URL": "redis://127.0.0.1:1"}, "redis", "cannot be asked"),
        ({"DATABASE_URL": "postgresql://x@127.0.0.1:1/x"}, "database", "cannot be asked"),
    ],
)
def test_the_doctor_says_what_is_wrong(environ: dict[str, str], change: dict[str, str], about: str, what: str) -> None:
    assert what in _wrong(environ | change)[about]


def test_the_doctor_refuses_a_login_role_that_no_policy_binds(environ: dict[str, str]) -> None:
    wrong = _wrong(environ | {"DATABASE_URL": environ["GATEWAY_ADMIN_DATABASE_URL"]})
    assert "superuser" in wrong["roles"]
    assert "clients" in wrong["row security"]


def test_the_doctor_fails_when_something_is_wrong(environ: dict[str, str]) -> None:
    done = gateway(environ | {"GATEWAY_REGION": "vietnam"}, "doctor")
    assert (done.returncode, done.stdout[:21]) == (1, "WRONG settings       ")


def test_a_database_without_its_schema_is_not_run_on(environ: dict[str, str], own_servers: OwnServers) -> None:
    addresses = own_servers.start()
    environ["DATABASE_URL"] = addresses.database_url.replace("/gateway?", "/postgres?")
    environ["GATEWAY_ADMIN_DATABASE_URL"] = ""
    done = gateway(environ, "run")
    assert done.returncode == 2
    assert "GATEWAY_ADMIN_DATABASE_URL" in done.stderr


def test_a_fresh_key_can_be_used_as_a_setting(environ: dict[str, str]) -> None:
    key = gateway(environ, "key", "2").stdout.strip()
    assert key.startswith("2:")
    assert Settings.from_env(environ | {"GATEWAY_MASTER_KEYS": key}).master_keys == key
