"""What a page promises to list is listed there."""

import re
from pathlib import Path

import pytest

from gateway import config

CONFIGURATION = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")


@pytest.mark.parametrize("setting", config.named(), ids=lambda setting: setting.metadata["name"])
def test_every_setting_is_documented_with_its_default(setting) -> None:
    row = re.search(rf"^\| `{setting.metadata['name']}` \| (.*?) \| .+ \|$", CONFIGURATION, re.MULTILINE)
    assert row, f"docs/configuration.md lacks a row for {setting.metadata['name']}"
    default = setting.metadata["default"]
    assert not default or f"`{default}`" in row[1]


def test_no_setting_is_documented_that_is_not_there() -> None:
    known = {setting.metadata["name"] for setting in config.named()}
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", CONFIGURATION, re.MULTILINE)) == known
