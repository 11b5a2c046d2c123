"""The two commands that are given anything at all, as real processes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

HOSTILE = [
    b"",
    b"   ",
    b'"',
    b"null",
    b"[" * 10_000,
    b"9" * 10_000,
    b'{"a": "b"}',
    b'"\\ud800"',
    b'"\\u0000"',
    b'"a\x00b"',
    b'"\xff\xfe"',
    b'"' + b"a" * 10_000 + b'"',
    b"0912\x00345\xff678",
    '"\u2028\x85\x0b"'.encode(),
    b"+" * 1_000,
    b'"no end',
]


def run(*arguments: str, lines: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, input=lines, capture_output=True, check=False, cwd=ROOT)


def answers(*arguments: str, lines: bytes) -> list[dict[str, Any]]:
    done = run(*arguments, lines=lines)
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("command", ["segments", "number"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_every_line_gets_one_answer_whatever_it_holds(command: str, end: bytes) -> None:
    assert len(answers(command, lines=b"".join(line + end for line in HOSTILE))) == len(HOSTILE)


def test_no_lines_give_no_answers() -> None:
    assert answers("segments", lines=b"") == answers("number", lines=b"") == []


def test_segments_counts_json_strings_and_empty_lines() -> None:
    lines = '"Được"\n\r\n""\n"\\ud83d\\ude00"\n"\\ud800"\n"a\\u20ac"\r\n"co\u0302\u0301i"'.encode()
    assert answers("segments", lines=lines) == [
        {"encoding": "UCS-2", "segments": 1, "units": 4},
        {"encoding": "GSM-7", "segments": 1, "units": 0},
        {"encoding": "GSM-7", "segments": 1, "units": 0},
        {"encoding": "UCS-2", "segments": 1, "units": 2},
        {"encoding": "UCS-2", "segments": 1, "units": 1},
        {"encoding": "GSM-7", "segments": 1, "units": 3},
        {"encoding": "UCS-2", "segments": 1, "units": 3},
    ]


def test_a_line_that_is_no_json_string_is_counted_as_it_stands_and_says_so() -> None:
    [answer] = answers("segments", lines=b"hello\n")
    assert (answer["units"], "as it stands" in answer["note"]) == (5, True)


def test_number_answers_with_a_phone_or_a_refusal() -> None:
    lines = b"\xef\xbb\xbf0912345678\r\n01681234567\n\n"
    first, second, third = answers("number", "--region", "VN", lines=lines)
    assert first == {"phone": "+84912345678", "changed": None}
    assert second == {"phone": "+84381234567", "changed": "the old prefix 0168 became 038 in 2018"}
    assert list(third) == ["refused"]


def test_number_refuses_an_unknown_region_on_standard_error_with_exit_2() -> None:
    done = run("number", "--region", "Atlantis", lines=b"0912345678\n")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"no such region" in done.stderr


def test_segments_starts_without_what_it_does_not_need() -> None:
    heavy = ("sqlalchemy", "flask", "phonenumbers", "redis")
    code = f"import sys, gateway.cli.text; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == b"[]"
