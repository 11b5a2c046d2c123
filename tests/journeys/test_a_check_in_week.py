"""A week of check-ins lived through in a minute: who answers, who is late, who is silent, and whom staff are to call. Everything is real."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.journeys.test_a_reminder import Story
from tests.test_run import _wait_for, free_port, running

WELL, UNWELL, SILENT = "KH-00003", "KH-00043", "KH-00009"
PHONES = {WELL: "+84340006057", UNWELL: "+84910002241"}
WEEKLY = """
name = "Each week"
kind = "recurring"
[audience]
clients = ["KH-00003", "KH-00043", "KH-00009"]
[schedule]
every = "FREQ=WEEKLY;BYDAY={day}"
at = "08:30"
lasts = "24h"
[[steps]]
dialogue = "weekly_check_in"
"""


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    port = free_port()
    own = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
    environ = {**own, "GATEWAY_VAR": str(tmp_path / "var"), "GATEWAY_PORT": str(port)}
    with running(environ, "run") as process:
        assert _wait_for(f"http://127.0.0.1:{port}/health", process) == 200
        yield Story(environ, port)


def tomorrow_noon() -> datetime:
    return datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")).replace(hour=12) + timedelta(days=1)


@pytest.mark.timeout(400)
def test_a_week_passes_on_the_handset_and_whoever_is_silent_is_to_be_called(story: Story, tmp_path: Path) -> None:
    noon = tomorrow_noon()
    for code in (WELL, UNWELL, SILENT):
        story.do("client", "consent", code, "check_in", "--grant", "signed form", "--as", "supervisor")
    (tmp_path / "weekly.toml").write_text(WEEKLY.format(day=f"{noon:%a}"[:2].upper()), encoding="utf-8")
    story.do("campaign", "create", str(tmp_path / "weekly.toml"), "--as", "admin")
    story.do("campaign", "approve", "Each week", "--as", "supervisor")

    hours = round((noon - datetime.now(UTC)) / timedelta(hours=1))
    shown = story.hold(f"/later {hours}h", "1", phone=PHONES[WELL])
    assert "1: " in shown and shown.count("[") == 3, shown  # asked, answered, thanked
    story.hold("2", phone=PHONES[UNWELL])
    story.hold("/later 3d", phone=PHONES[WELL])

    flags = story.do("flag", "list", "--as", "supervisor")
    told = {code: [line for line in flags.splitlines() if code in line] for code in (WELL, UNWELL, SILENT)}
    assert told[WELL] == []
    assert "not well" in told[UNWELL][0]
    assert "did not answer; call" in told[SILENT][0]
