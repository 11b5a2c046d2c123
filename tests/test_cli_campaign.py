"""Campaigns by command: from a file or options to texts that wait for a worker, and back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from gateway.cli import main
from gateway.queues import silent
from gateway.usecases import plan_due
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World

FILE = """
name = "Hỏi thăm"
kind = "one_off"
[audience]
units = ["P01"]
[[steps]]
template = "check_in"
lasts = "24h"
[prices]
"+84" = 450
currency = "VND"
"""


@pytest.fixture
def world(engine: Engine, vault: Vault) -> World:
    made = builders.world(engine, vault, datetime.now(UTC))
    for role in ("supervisor", "case_worker", "analyst"):
        made.staff("+84980000001", role=role)
        made.run("UPDATE staff SET code = :role WHERE role = :role", role=role)
    return made


@pytest.fixture
def run(world: World, environ: Mapping[str, str]) -> Any:
    """Run a command as the supervisor (or another role): what it said and its exit code."""

    def campaign(*arguments: object, role: str = "supervisor") -> tuple[str, int]:
        typed = ["campaign", *map(str, arguments), "--as", role]
        result = CliRunner().invoke(main, typed, env=dict(environ))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.output, result.exit_code

    return campaign


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "campaign.toml"
    path.write_text(FILE, "utf-8")
    return path


def test_a_campaign_from_a_file_is_previewed_approved_planned_and_cancelled(run: Any, world: World, file: Path) -> None:
    world.client()
    world.client(consent=())
    assert run("create", file)[1] == 0
    seen, code = run("preview", "Hỏi thăm")
    assert code == 0
    assert "recipients now: 1; texts: 1; segments: 1" in seen
    assert "no consent for check_in" in seen
    assert "450.00 VND" in seen
    assert CONTENT.templates["check_in", "vi"].body in seen
    assert "is running: 1 recipients" in run("approve", "Hỏi thăm")[0]
    while plan_due.plan_due(world.engine, world.vault, CONTENT, silent):
        pass
    assert "planned 2 = 0 accepted + 0 failed + 0 expired + 1 suppressed" in run("status", "Hỏi thăm")[0]
    assert "0 went, 0 on their way, 1 cancelled" in run("cancel", "Hỏi thăm", "--reason", "wrong text")[0]
    assert "cancelled" in run("list")[0]


def test_reminders_can_be_made_from_options(run: Any, world: World) -> None:
    said, code = run("create", "--name", "R", "--reminder", "appointment_reminder_1d=1d@17:00", "--reminder", "appointment_reminder_2h=2h",
                     "--unit", "P01", "--missing", "unit_default")  # fmt: skip
    assert code == 0, said
    timings = [row.timing for row in world.rows("SELECT timing FROM campaign_steps ORDER BY position")]
    assert timings == [{"before": "1d", "at": "17:00"}, {"before": "2h"}]


def test_words_for_each_language_can_be_given_as_options(run: Any, world: World) -> None:
    world.client(consent=("service_information",))
    run("create", "--name", "I", "--text", "service_information", "--value", "info.vi=Tư vấn tại xã.", "--value", "info.en=Advice.",
        "--value", "phone=0238 555 0100")  # fmt: skip
    assert "[QC] Tư vấn tại xã. Hỏi thêm: 0238 555 0100." in run("preview", "I")[0]


def test_pause_and_resume_say_so(run: Any, world: World, file: Path) -> None:
    world.client()
    run("create", file)
    run("approve", "Hỏi thăm")
    assert run("pause", "Hỏi thăm") == ("Hỏi thăm is paused\n", 0)
    assert run("resume", "Hỏi thăm") == ("Hỏi thăm is running\n", 0)


@pytest.mark.parametrize(("arguments", "said"), [
    (("create",), "name is missing"),
    (("create", "--name", "X", "--text", "check_in", "--reminder", "a=1d"), "give one of"),
    (("create", "--name", "X", "--text", "check_in", "--price", "+84=much"), "a price is a number"),
    (("create", "--name", "X", "--text", "check_in", "--value", "info"), "NAME=VALUE"),
    (("create", "--name", "X", "--text", "check_in", "--unit", "NOWHERE"), "NOWHERE"),
    (("preview", "nothing"), "no campaign 'nothing'"),
    (("approve", "nothing"), "no campaign 'nothing'"),
    (("cancel", "nothing"), "no campaign 'nothing'"),
])  # fmt: skip
def test_bad_input_is_refused_with_a_reason(run: Any, arguments: tuple[str, ...], said: str) -> None:
    output, code = run(*arguments)
    assert code == 2
    assert said in output


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"name = 'x'\nkind = 'one_off'\nsteps = 3", b"audience = 1"])
def test_a_file_that_is_no_campaign_is_refused(run: Any, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    assert run("create", path)[1] == 2


@pytest.mark.parametrize(("role", "command"), [("case_worker", "approve"), ("analyst", "preview"), ("analyst", "cancel")])
def test_a_role_may_do_no_more_than_its_own(run: Any, file: Path, role: str, command: str) -> None:
    run("create", file)
    output, code = run(command, "Hỏi thăm", role=role)
    assert code == 2
    assert "may not do this" in output
