"""Holidays, programmes and rehearsals by command."""

import csv
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from gateway.cli import main
from gateway.queues import silent
from gateway.usecases import plan_due
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World

ROOT = Path(__file__).parents[1]
FILE = """
name = "Hỏi thăm"
kind = "{kind}"
[schedule]
at = "09:00"
{schedule}
[[steps]]
template = "check_in"
{step}
[prices]
"+84" = 450
currency = "VND"
"""


@pytest.fixture
def world(engine: Engine, vault: Vault) -> World:
    made = builders.world(engine, vault, datetime.now(UTC))
    for role in ("supervisor", "case_worker"):
        made.staff("+84980000001", role=role)
        made.run("UPDATE staff SET code = :role WHERE role = :role", role=role)
    return made


@pytest.fixture
def run(world: World, environ: Mapping[str, str]) -> Any:
    """Run a command as the supervisor (or another role): what it said and its exit code."""

    def typed(*arguments: object, role: str = "supervisor") -> tuple[str, int]:
        result = CliRunner().invoke(main, [*map(str, arguments), "--as", role], env=dict(environ))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.output, result.exit_code

    return typed


def keep(run: Any, tmp_path: Path, kind: str, schedule: str, step: str = "") -> None:
    path = tmp_path / "campaign.toml"
    path.write_text(FILE.format(kind=kind, schedule=schedule, step=step), "utf-8")
    said, code = run("campaign", "create", path)
    assert code == 0, said


def test_holidays_begin_with_a_countrys_list_and_staff_have_the_last_word(run: Any) -> None:
    assert "holidays added for P01" in run("holiday", "seed", "--years", "2027")[0]
    assert run("holiday", "remove", "2027-02-10")[1] == 0
    assert run("holiday", "add", "2027-02-11", "Mùng sáu")[1] == 0
    assert run("holiday", "seed", "--years", "2027") == ("0 holidays added for P01 and all below it; check them with `python -m gateway holiday list`\n", 0)
    listed = run("holiday", "list", "--year", "2027", role="case_worker")[0]
    assert re.search(r"2027-02-06 +Sat +Tết Nguyên Đán +yes +VN +P01", listed)
    assert re.search(r"2027-02-10 .* no, a working day +staff", listed)
    assert re.search(r"2027-02-11 .*Mùng sáu +yes +staff", listed)


@pytest.mark.parametrize(("arguments", "said"), [
    (("seed", "--country", "XX"), "no list of holidays"), (("seed", "--years", "soon"), "2027-2029"),
    (("remove", "2027-03-03"), "no holiday there"), (("add", "someday", "X"), "day cannot be read")])  # fmt: skip
def test_a_holiday_that_cannot_be_meant_is_refused(run: Any, arguments: tuple[str, ...], said: str) -> None:
    output, code = run("holiday", *arguments)
    assert code == 2
    assert said in output


def test_a_case_worker_changes_no_holidays(run: Any) -> None:
    assert run("holiday", "add", "2027-02-11", "X", role="case_worker")[1] == 2


def test_a_rehearsal_is_a_table_a_csv_file_and_a_picture(run: Any, world: World, tmp_path: Path) -> None:
    for _ in range(3):
        world.client()
    run("holiday", "seed")
    keep(run, tmp_path, "recurring", 'every = "FREQ=WEEKLY;BYDAY=MO"\nspread = "90m"\nholidays = "after"')
    days, picture = tmp_path / "days.csv", tmp_path / "days.svg"
    until = date.today() + timedelta(days=364)
    said, code = run("campaign", "rehearse", "Hỏi thăm", "--until", until, "--csv", days, "--svg", picture)
    assert code == 0, said
    rows = list(csv.DictReader(days.open(encoding="utf-8-sig")))
    sent = sum(int(row["sent"]) for row in rows)
    assert 3 * 51 <= sent <= 3 * 53
    assert f"3 of 3 clients; {sent} sent; {sent} texts with first texts; {sent} segments; {sent * 450}.00 VND" in said
    assert all("09:00" <= row["first"] <= row["last"] < "10:30" for row in rows)
    drawn = ElementTree.parse(picture).getroot()
    assert f"Hỏi thăm: {sent} texts" in "".join(drawn.itertext())


def test_a_rehearsal_says_of_which_years_no_holidays_are_known(run: Any, world: World, tmp_path: Path) -> None:
    world.client()
    keep(run, tmp_path, "recurring", 'every = "FREQ=WEEKLY;BYDAY=MO"\nholidays = "after"')
    this, until = date.today().year, f"{date.today().year + 1}-02-28"
    said, _ = run("campaign", "rehearse", "Hỏi thăm", "--until", until)
    assert f"no holidays are known for {this}:" in said and f"no holidays are known for {this + 1}:" in said
    run("holiday", "seed", "--years", this)
    said, _ = run("campaign", "rehearse", "Hỏi thăm", "--until", until)
    assert f"no holidays are known for {this}:" not in said and f"no holidays are known for {this + 1}:" in said


def test_a_rehearsal_of_what_is_over_or_of_a_past_day_is_refused(run: Any, world: World, tmp_path: Path) -> None:
    keep(run, tmp_path, "recurring", 'every = "FREQ=DAILY"')
    assert "lies ahead" in run("campaign", "rehearse", "Hỏi thăm", "--until", "2020-01-01")[0]
    run("campaign", "cancel", "Hỏi thăm")
    assert "is over" in run("campaign", "rehearse", "Hỏi thăm", "--until", "2090-01-01")[0]


def test_clients_are_taken_into_a_programme_by_hand_and_out_of_it(run: Any, world: World, tmp_path: Path) -> None:
    code = world.value("SELECT code FROM clients WHERE id = :id", id=world.client())
    keep(run, tmp_path, "programme", 'enrol = "by_hand"\nsince = "discharge"', "day = 3\nevery = 7\ntimes = 5")
    assert "approve it first" in run("campaign", "enrol", "Hỏi thăm", code)[0]
    assert run("campaign", "approve", "Hỏi thăm")[1] == 0
    assert "has no date 'discharge'" in run("campaign", "enrol", "Hỏi thăm", code)[0]
    assert run("client", "date", code, "discharge", "2030-01-01") == (f"dates of client {code}: discharge 2030-01-01\n", 0)
    assert "1 enrolled" in run("campaign", "enrol", "Hỏi thăm", code)[0]
    while plan_due.plan_due(world.engine, world.vault, CONTENT, silent):
        pass
    assert "1  in the programme" in run("campaign", "status", "Hỏi thăm")[0]
    assert run("campaign", "leave", "Hỏi thăm", code) == ("ended for 1 clients\n", 0)
    assert "1  ended by staff" in run("campaign", "status", "Hỏi thăm")[0]
    assert run("client", "date", code, "discharge", "-") == (f"dates of client {code}: -\n", 0)


def test_a_campaign_of_another_kind_has_nobody_enrolled(run: Any, world: World, tmp_path: Path) -> None:
    code = world.value("SELECT code FROM clients WHERE id = :id", id=world.client())
    keep(run, tmp_path, "recurring", 'every = "FREQ=DAILY"')
    run("campaign", "approve", "Hỏi thăm")
    assert "is no programme" in run("campaign", "enrol", "Hỏi thăm", code)[0]


@pytest.mark.parametrize(("kind", "schedule", "step", "said"), [
    ("recurring", "", "", "how often"), ("recurring", 'every = "FREQ=DAILY"\ncolour = "red"', "", "colour is not known"),
    ("recurring", 'every = "FREQ=DAILY"', "day = 1", "day is not known"), ("programme", "", "", "whole numbers"),
    ("programme", "exit = ['rain']", "day = 1", "exit must be"), ("programme", "enrol = 'maybe'", "day = 1", "enrol must be"),
    ("programme", "holidays = 'maybe'", "day = 1", "skip, before, after"), ("one_off", "", "", "recurring or programme"),
])  # fmt: skip
def test_a_schedule_that_is_not_complete_is_refused_with_what_is_wrong(
    run: Any, tmp_path: Path, kind: str, schedule: str, step: str, said: str
) -> None:  # fmt: skip
    path = tmp_path / "campaign.toml"
    path.write_text(FILE.format(kind=kind, schedule=schedule, step=step), "utf-8")
    output, code = run("campaign", "create", path)
    assert code == 2
    assert said in output
