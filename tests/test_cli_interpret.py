import json
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli.interpret import interpret_lines


def run(given: bytes, *options: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(interpret_lines, options, input=given)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_line_becomes_one_object() -> None:
    answers = run("3\n\nngừng\r\ntoi muon chet".encode(), "--language", "vi", "--expecting", "scale:1-5")
    assert [answer["meaning"] for answer in answers] == ["number", "other", "stop", "crisis"]
    assert list(answers[0]) == ["meaning", "value", "also", "doubt", "why"]
    assert answers[0]["value"] == 3
    assert answers[0]["also"] == []


def test_whatever_the_lines_hold_there_is_an_answer() -> None:
    assert len(run(b"\xff\xfe\n\x00\n" + b"a" * 20_000 + b"\n\x85\n" + "\u2028x\n".encode())) == 5


@pytest.mark.parametrize("options", [["--expecting", "scale"], ["--language", "xx"]])
def test_an_unknown_language_or_question_is_refused(options: list[str]) -> None:
    assert CliRunner().invoke(interpret_lines, options, input=b"1\n").exit_code != 0


def test_one_text_is_explained_step_by_step() -> None:
    result = CliRunner().invoke(interpret_lines, ["--language", "vi", "--explain", "met muon chet"])
    assert result.exit_code == 0, result.output
    assert "cancelled by an idiom" in result.stdout
    assert "meaning    other" in result.stdout
