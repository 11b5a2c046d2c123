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


BROKEN = {
    "check_in/vi.txt": ("", "is missing or empty"),
    "help/en.txt": ("Call {phne} or {phone}. No more: STOP.", "{phne} is not among the placeholders"),
    "help/en.open.txt": ("This is {service}. No more: STOP.", "{phone} of about.toml is missing"),
    "help/fr.txt": ("Appelez {phone}, la clinique. Fin : STOP.", "says 'clinique'"),
    "help/vi.txt": ("Gọi {phone}, phong kham. Từ chối: soạn TC.", "says 'phong kham'"),
    "started/en.txt": ("x" * 160 + " STOP", "takes 2 GSM-7 segments (165 units)"),
    "started/fr.txt": ("C\u2019est not\u00e9. Fin : STOP", "holds \u2019 (U+2019)"),
    "started/vi.txt": ("Đã ghi nhận. Từ chối: soạn XONG.", "teaches 'XONG'"),
    "daily_visit/vi.txt": ("Hôm nay nhớ đến nhé. Trả lời 1: đã đến, 2: hủy.", "taken for 'stop'"),
    "daily_visit/en.txt": ("Your visit today. Reply 1 for YES, 2 for later.", "a carrier's own keyword"),
    "daily_visit/fr.txt": ("Votre passage. Répondez 1 quand c'est fait.", "does not say what 2 means"),
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("broken")
    for folder in ("templates_sms", "locales"):
        shutil.copytree(ROOT / folder, root / folder)
    for file, (text, _) in BROKEN.items():
        (root / "templates_sms" / file).write_text(text)
    return root


@pytest.fixture(scope="module")
def findings(broken: Path) -> Result:
    return run("--root", str(broken), "lint")


def test_lint_passes_the_library() -> None:
    result = run("lint")
    assert (result.exit_code, result.stdout.count("\n")) == (0, 1)
    assert result.stdout.endswith(" purposes in en, fr, vi: all fit to be sent.\n")


@pytest.mark.parametrize("file", BROKEN)
def test_lint_fails_on_what_may_not_be_sent(findings: Result, file: str) -> None:
    lines = [line for line in findings.stdout.splitlines() if line.startswith(f"templates_sms/{file}:")]
    assert findings.exit_code == 1
    assert any(BROKEN[file][1] in line for line in lines), lines


def test_lint_finds_nothing_in_files_that_are_fit(findings: Result) -> None:
    named = {line.split(":")[0].removeprefix("templates_sms/") for line in findings.stdout.splitlines()}
    assert named == set(BROKEN)


def test_a_broken_file_is_refused_with_its_name(tmp_path: Path, broken: Path) -> None:
    shutil.copytree(broken, tmp_path / "root")
    (tmp_path / "root" / "templates_sms" / "help" / "about.toml").write_text("kind = 1")
    result = run("--root", str(tmp_path / "root"), "lint")
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
