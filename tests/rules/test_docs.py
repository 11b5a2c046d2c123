"""What a page promises to list is listed there; what it names exists."""

import re
import shlex
from functools import cache
from pathlib import Path

import click
import pytest
from babel.messages.pofile import read_po

from gateway import cli, config

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").glob("*.md"))]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text("utf-8")
STAFF = ROOT / "docs" / "staff"
TOUR = re.findall(r"^\$ python -m gateway (.+)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _command(words: list[str]) -> tuple[click.Command | None, list[str]]:
    """The command that words on a command line lead to, and the words left for it."""
    found: click.Command | None = cli.main
    while isinstance(found, click.Group) and words and not words[0].startswith("-"):
        found, words = found.get_command(click.Context(found), words[0]), words[1:]
    return found, words


@pytest.mark.parametrize("setting", config.named(), ids=lambda setting: setting.metadata["name"])
def test_every_setting_is_documented_with_its_default(setting) -> None:
    row = re.search(rf"^\| `{setting.metadata['name']}` \| (.*?) \| .+ \|$", CONFIGURATION, re.MULTILINE)
    assert row, f"docs/configuration.md lacks a row for {setting.metadata['name']}"
    default = setting.metadata["default"]
    assert not default or f"`{default}`" in row[1]


def test_no_setting_is_documented_that_is_not_there() -> None:
    known = {setting.metadata["name"] for setting in config.named()}
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", CONFIGURATION, re.MULTILINE)) == known


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_is_mentioned_on_a_page(name: str) -> None:
    assert any(re.search(rf"(python -m gateway |`){name}\b", page.read_text("utf-8")) for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_the_commands_a_page_names_exist(page: Path) -> None:
    text = re.sub(r"\s+", " ", page.read_text("utf-8"))
    named = re.findall(r"python -m gateway ([a-z][a-z-]*(?: [a-z][a-z-]*)?)", text)
    assert [words for words in named if _command(words.split())[0] is None] == []


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_the_make_targets_a_page_names_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"(?:`|^)make ([a-z][a-z-]*)", page.read_text("utf-8"), re.MULTILINE):
        script = ROOT / "bench" / f"{target.removeprefix('bench-')}.py"
        assert re.search(rf"^{target}:", makefile, re.MULTILINE) or (target.startswith("bench-") and script.exists()), target


@pytest.mark.parametrize("line", TOUR)
def test_the_tour_can_be_typed_as_it_stands(line: str, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    command, words = _command(shlex.split(line))
    assert command is not None
    command.make_context("tour", words)  # reads the arguments and options, runs nothing


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text("utf-8")):
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not heading or heading in _headings(target), link


def _headings(page: Path) -> set[str]:
    """The anchors that a page's headings get when it is shown."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_tests_that_the_page_about_security_names_exist() -> None:
    named = set(re.findall(r"`(test_\w+|no_canary_is_seen)`", (ROOT / "docs" / "security.md").read_text("utf-8")))
    written = {name for path in (ROOT / "tests").rglob("*.py") for name in re.findall(r"^def (\w+)\(", path.read_text("utf-8"), re.MULTILINE)}
    assert len(named) > 40
    assert named - written == set()


@pytest.mark.parametrize("page", [page for page in PAGES if page.is_relative_to(STAFF)], ids=_named)
def test_a_staff_page_names_buttons_and_headings_as_the_pages_do(page: Path) -> None:
    shown = _shown(page.parent.name)
    bold = {words.strip(" :.…").casefold() for words in re.findall(r"\*\*(.+?)\*\*", page.read_text("utf-8"))}
    assert {words for words in bold if words not in shown and not (words.count(" ") > 2 and any(each.startswith(words) for each in shown))} == set()


@cache
def _shown(language: str) -> set[str]:
    """What the program says in a language, each as the staff pages quote it: without case, an ellipsis for what is filled in."""
    with (ROOT / "locales" / "vi" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalog = read_po(file)
    said = (str(message.id if language == "en" else message.string) for message in catalog if message.id)
    return {re.sub(r"\{[^}]*\}", "…", words).strip(" :.…").casefold() for words in said}


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    pages = [path for path in PAGES if path.is_relative_to(ROOT / "docs") and path != ROOT / "docs" / "README.md"]
    assert [_named(path) for path in pages if f"]({path.relative_to(ROOT / 'docs')})" not in index] == []


def test_no_page_names_a_machine() -> None:
    private = re.compile(r"/(work|root|home)/|[\w.-]+\.internal\b|[0-9]{1,3}(\.[0-9]{1,3}){3}")
    found = {match[0] for page in PAGES for match in private.finditer(page.read_text("utf-8"))}
    assert found <= {"127.0.0.1"}
