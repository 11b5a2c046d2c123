"""The handset in the terminal, as a program of its own beside a running gateway."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from gateway.vault import Vault
from tests import simulated
from tests.simulated import Simulated, until

PHONE = "+84912345678"


@pytest.fixture
def here(engine: Engine, vault: Vault, redis_url: str) -> Iterator[Simulated]:
    with simulated.running(engine, vault, redis_url) as running:
        yield running


def command(url: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    environ = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "GATEWAY_PORT": url.rpartition(":")[2], "TERM": "dumb"}
    return [sys.executable, "-m", "gateway", "phone", PHONE, *arguments], environ


def phone(url: str, typed: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    line, environ = command(url, *arguments)
    return subprocess.run(line, env=environ | variables, input=typed, capture_output=True, text=True, timeout=60)


def test_piped_lines_are_sent_and_what_came_is_shown_in_order(here: Simulated) -> None:
    here.carry(PHONE, "Bạn có hẹn ngày mai.")
    done = phone(here.url, "1\n\ncám ơn\n", "--wait", "0")
    assert done.returncode == 0
    assert [line.split("am ")[-1].split("pm ")[-1] for line in done.stdout.splitlines()] == [
        "< Bạn có hẹn ngày mai.  [UCS-2 · segments 1]",
        "> 1  [GSM-7 · segments 1]",
        "> cám ơn  [UCS-2 · segments 1]",
    ]


def test_an_answer_is_awaited(here: Simulated) -> None:
    line, environ = command(here.url, "--wait", "60")
    with subprocess.Popen(line, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("1\n")
        process.stdin.close()
        assert "> 1" in process.stdout.readline()
        here.carry(PHONE, "Xin cam on")
        assert "< Xin cam on" in process.stdout.readline()
        process.kill()


def test_a_command_is_obeyed_and_not_sent(here: Simulated) -> None:
    assert phone(here.url, "/wait 0\n/quit\n1\n").returncode == 0
    unknown = phone(here.url, "/stop\n")
    assert (unknown.returncode, "/wait" in unknown.stderr) == (2, True)
    assert phone(here.url, "/wait long\n").returncode == 2
    assert here.texts(PHONE) == []


def test_a_text_cannot_write_over_the_screen(here: Simulated) -> None:
    here.carry(PHONE, "one\n\x1b[2Jtwo")
    done = phone(here.url, "", "--wait", "0")
    assert "one  [2Jtwo" in done.stdout
    assert "\x1b" not in done.stdout


def test_it_speaks_the_language_of_the_terminal(here: Simulated) -> None:
    here.carry(PHONE, "Xin chao")
    assert "1 phần" in phone(here.url, "", "--wait", "0", LANG="vi_VN.UTF-8").stdout


def test_a_person_sees_texts_above_the_line_they_type(here: Simulated) -> None:
    line, environ = command(here.url)
    ours, theirs = pty.openpty()
    with subprocess.Popen(line, env=environ, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        seen = bytearray()

        def shows(text: bytes) -> bool:
            if select.select([ours], [], [], 0.1)[0]:
                seen.extend(os.read(ours, 4096))
            return text in seen

        until(lambda: shows(b"> "))
        here.carry(PHONE, "Nhac hen")
        until(lambda: shows(b"< Nhac hen  [GSM-7"))
        os.write(ours, b"co\n")
        until(lambda: shows(b"> co  [GSM-7"))
        os.write(ours, b"/quit\n")
        assert process.wait(20) == 0
    os.close(ours)
    assert here.world.value("SELECT count(*) FROM inbound") == 1


def test_without_a_gateway_it_says_how_to_start_one() -> None:
    done = phone("http://127.0.0.1:9", "1\n")
    assert done.returncode == 2
    assert "make run" in done.stderr


def test_a_number_that_is_none_is_refused(here: Simulated) -> None:
    line, environ = command(here.url)
    done = subprocess.run([*line[:-1], "113"], env=environ, input="", capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "never texted" in done.stderr


def test_where_the_simulator_is_not_shown_the_reason_is_named(here: Simulated) -> None:
    here.app.before_request_funcs.setdefault("simulator", []).insert(0, lambda: ("", 404))
    done = phone(here.url, "1\n")
    assert done.returncode == 2
    assert "DATABASE_URL" in done.stderr
