"""`template lint` and `template preview`, as a person runs them."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.content import ROOT

ENGLISH = {"LANGUAGE": "en"}


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["template", *arguments], env=ENGLISH | environment)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for folder in ("templates_sms", "locales"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def test_lint_passes_the_library() -> None:
    assert (run("lint").exit_code, run("lint").stdout) == (
        0,
        "30 purposes in en, fr, vi: all fit to be sent.\n",
    )


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("check_in/vi.txt", "", "is missing or empty"),
        ("help/en.txt", "Call {phne}. STOP.", "{phne} is not among the placeholders"),
        ("help/en.txt", "Call us. STOP.", "{phone} of about.toml is missing"),
        ("help/fr.txt", "Appelez {phone}, la clinique. STOP.", "says 'clinique'"),
        ("help/vi.txt", "Gọi {phone}, phong kham. Từ chối: soạn TC.", "says 'phong kham'"),
        ("help/en.txt", "x" * 160 + " {phone} STOP", "segments"),
        ("help/en.txt", "It\u2019s us: {phone}. STOP", "by accident"),
        ("check_in/vi.txt", "Bạn ổn không? Trả lời 1: ổn, 2: hủy.", "'stop'"),
        ("check_in/en.txt", "All right? Reply 1 for YES, 2 for later.", "a carrier's own keyword"),
    ],
)
def test_lint_fails_on_what_may_not_be_sent(copy: Path, file: str, text: str, said: str) -> None:
    (copy / "templates_sms" / file).write_text(text)
    result = run("--root", str(copy), "lint")
    assert result.exit_code == 1
    assert [
        line
        for line in result.stdout.splitlines()
        if line.startswith(f"templates_sms/{file}") and said in line
    ]


def test_a_broken_file_is_refused_with_its_name(copy: Path) -> None:
    (copy / "templates_sms" / "help" / "about.toml").write_text("kind = 1")
    result = run("--root", str(copy), "lint")
    assert (result.exit_code, "help/about.toml" in result.stderr) == (2, True)


def test_preview_shows_both_ways_of_sending_and_what_each_costs() -> None:
    shown = run("preview", "message_waiting", "--language", "vi").stdout
    assert shown == (
        "message_waiting · vi\n"
        "  Bạn có tin nhắn. Khi nào đọc được, trả lời 1.\n"
        "  as written: UCS-2, segments 1, units 45\n"
        "  UCS-2 because of: ạ ó ắ đ ọ ư ợ ả ờ\n"
        "  Ban co tin nhan. Khi nao doc duoc, tra loi 1.\n"
        "  without tones: GSM-7, segments 1, units 45\n\n"
    )


def test_preview_speaks_the_language_of_the_terminal() -> None:
    assert (
        "không dấu: GSM-7"
        in run("preview", "message_waiting", "--language", "vi", "--folded", LANGUAGE="vi").stdout
    )


def test_preview_shows_the_open_text_and_every_language() -> None:
    shown = run("preview", "check_in").stdout
    assert [line for line in shown.splitlines() if line.startswith("check_in")] == [
        line
        for code in ("en", "fr", "vi")
        for line in (f"check_in · {code}", f"check_in · {code} · names the service")
    ]


@pytest.mark.parametrize("arguments", [("nope",), ("check_in", "--language", "km")])
def test_preview_refuses_what_is_not_written_and_says_what_is(arguments: tuple[str, ...]) -> None:
    result = run("preview", *arguments)
    assert (result.exit_code, "check_in" in result.stderr) == (2, True)
