"""The documentation for staff shows each of their pages, in their language. `make screenshots` takes the pictures."""

import re
from pathlib import Path

import pytest

from tests.pictures import camera
from tests.web.office import Office

DOCS = Path(__file__).parents[2] / "docs"
LANGUAGES = ("en", "vi")
PICTURE = re.compile(r"!\[[^\]]+\]\(\.\./\.\./pictures/(\w+)/([\w-]+)-\d+\.png\)")


def _names(office: Office) -> set[str]:
    return {camera.name_of(rule.endpoint) for rule in camera.pictured(office.app)} | {camera.CRISIS}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_staff_page_is_shown_to_staff_in_their_language(office: Office, language: str) -> None:
    text = "".join(page.read_text("utf-8") for page in sorted((DOCS / "staff" / language).glob("*.md")))
    assert set(PICTURE.findall(text)) == {(language, name) for name in _names(office)}


def test_every_staff_page_has_its_pictures_and_nothing_else_has_one(office: Office) -> None:
    wanted = {f"{language}/{name}-{width}.png" for language in camera.LANGUAGES for name in _names(office) for width in camera.WIDTHS}
    assert {path.relative_to(DOCS / "pictures").as_posix() for path in (DOCS / "pictures").rglob("*.png")} == wanted


def test_staff_read_the_same_pages_in_both_languages() -> None:
    pages = {language: [page.name for page in sorted((DOCS / "staff" / language).glob("*.md"))] for language in LANGUAGES}
    assert pages["en"] == pages["vi"]


def test_the_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in (DOCS / "pictures").rglob("*.png")) < 5_000_000
