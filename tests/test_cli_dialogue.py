import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli.dialogue import FOLDER, dialogue
from gateway.content import read_dialogues
from gateway.domain.errors import NotFound, Refused


def run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(dialogue, arguments, input=typed)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(FOLDER / "weekly_check_in", tmp_path / "weekly_check_in")
    return tmp_path


def test_lint_passes_what_is_shipped() -> None:
    result = run("lint")
    assert (result.exit_code, result.stdout) == (0, "9 dialogues in en, fr, vi: all fit to be used.\n")


def test_lint_names_the_file_and_what_is_wrong_there(copy: Path) -> None:
    (copy / "weekly_check_in" / "fr.txt").unlink()
    result = run("lint", str(copy))
    assert result.exit_code == 1
    assert result.stdout == "dialogues/weekly_check_in/fr.txt: is missing: say it in this language too.\n"


def test_lint_takes_a_channels_own_screens() -> None:
    assert "takes more than one screen" in run("lint", "--gsm7", "80").stdout


def test_a_folder_without_dialogues_is_not_fit_to_be_used(tmp_path: Path) -> None:
    assert isinstance(run("lint", str(tmp_path)).exception, NotFound)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("dialogue.toml", b"steps =", "dialogues/weekly_check_in/dialogue.toml cannot be read"),
        ("vi.txt", b"\xff", "weekly_check_in/vi.txt cannot be read"),
        ("vi.txt", b"hello", "dialogues/weekly_check_in/vi.txt: begins without"),
    ],
)
def test_a_broken_file_is_refused_with_its_name(copy: Path, file: str, content: bytes, said: str) -> None:
    (copy / "weekly_check_in" / file).write_bytes(content)
    with pytest.raises(Refused, match=said):
        read_dialogues(copy)


def test_the_version_changes_with_any_file(copy: Path) -> None:
    before = read_dialogues(copy)["weekly_check_in"].version
    file = copy / "weekly_check_in" / "vi.txt"
    file.write_text(file.read_text() + "\n# a note\n")
    assert read_dialogues(copy)["weekly_check_in"].version != before


def test_draw_prints_a_diagram_and_nothing_else() -> None:
    assert run("draw", "weekly_check_in").stdout.startswith("flowchart TD\n")


def test_an_unknown_dialogue_is_refused_with_those_there_are() -> None:
    result = run("draw", "nothing")
    assert isinstance(result.exception, NotFound) and "needs_check" in str(result.exception)


def test_a_dialogue_is_tried_in_the_clients_language_with_silence_as_an_empty_line() -> None:
    lines = run("try", "weekly_check_in", "--language", "vi", typed="hm\n\n2\n").stdout
    assert lines.startswith("Chào bạn.")
    assert "no answer for 48 h" in lines and "a person looks: not_well" in lines
    assert "CloseFlag no_reply" in lines


def test_a_dialogue_is_tried_on_screens_that_turn() -> None:
    lines = run("try", "needs_check", "--ussd", "--language", "vi", typed="98\n0\n98\n4\n0\n1\n2\n").stdout
    assert lines.count("1 bảo hiểm y tế") == 3  # shown, turned back to, and asked again after "back"
    assert "SendInformation housing" in lines and "SendInformation health_insurance" in lines


def test_a_language_that_is_not_written_is_refused() -> None:
    assert "only in en, fr, vi" in str(run("try", "needs_check", "--language", "de").exception)
