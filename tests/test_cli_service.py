"""The directory by command: who may do what, and what is shown."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

SHELTER = ("add", "H1", "Night shelter", "--category", "housing", "--short-name", "Meadow House", "--unit", "P1", "--hours", "24/7")


class Run:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def __call__(self, *arguments: str, exit_code: int = 0) -> str:
        result: Result = CliRunner().invoke(main, arguments, env=dict(self.environ))
        assert result.exit_code == exit_code, (arguments, result.output, result.exception)
        return result.output

    def service(self, *arguments: str, by: str = "boss", exit_code: int = 0) -> str:
        return self("service", *arguments, "--as", by, exit_code=exit_code)


@pytest.fixture
def run(environ: Mapping[str, str]) -> Run:
    office = Run(environ)
    office("unit", "add", "P1", "Unit", "--kind", "service", "--zone", "Europe/London", "--language", "en", "--region", "GB")
    office("staff", "add", "boss", "Canary Boss", "--unit", "P1", "--role", "administrator")
    office("unit", "add", "P1-1", "Below", "--kind", "clinic", "--parent", "P1", "--as", "boss")
    for code, unit, role in (("worker", "P1-1", "case_worker"), ("figures", "P1", "analyst"), ("canbo", "P1", "case_worker")):
        office("staff", "add", code, "Canary", "--unit", unit, "--role", role, "--language", "vi" if code == "canbo" else "en", "--as", "boss")
    return office


def test_a_service_is_added_shown_listed_and_told(run: Run) -> None:
    assert run.service(*SHELTER) == "service H1 added\n"
    assert "in texts: Meadow House" in run.service("show", "H1", by="worker")
    assert "always open" in run.service("list", "--category", "housing", by="figures")
    assert "Meadow House" in run.service("list", "--unit", "P1-1", by="worker")
    assert "nhà ở" in run.service("list", by="canbo")
    assert "already" in run.service(*SHELTER, exit_code=2)


@pytest.mark.parametrize("change", [("--short-name", "Detox house"), ("--hours", "8-5"), ("--phone", "ask")])
def test_what_is_wrong_is_said_and_nothing_is_kept(run: Run, change: tuple[str, str]) -> None:
    assert "was not kept" in run.service(*SHELTER, *change, exit_code=2)
    assert "H1" not in run.service("list")


def test_case_workers_check_and_leads_change(run: Run, tmp_path: Path) -> None:
    run.service(*SHELTER)
    run.service(*SHELTER, by="canbo", exit_code=2)
    run.service("import", str(Path(__file__)), by="canbo", exit_code=2)
    run.service("check", "H1", by="figures", exit_code=2)
    assert "kiểm tra" in run.service("check", "H1", by="canbo")
    assert "kept by another unit" in run.service("check", "H1", by="worker", exit_code=2)
    assert "no service" in run.service("check", "H9", exit_code=2)


def test_what_is_gone_is_told_to_nobody_until_it_is_checked_again(run: Run) -> None:
    run.service(*SHELTER)
    run.service("check", "H1", "--gone")
    assert "gone since" in run.service("list")
    assert "Meadow House" not in run.service("list", "--unit", "P1")
    run.service("check", "H1")
    assert "Meadow House" in run.service("list", "--unit", "P1")


def test_an_old_entry_is_due_and_one_checked_today_is_not(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "services.csv"
    table.write_text("code,category,name,short name,units,checked_days_ago\nOLD,food,Soup,Soup,P1,200\nNEW,food,Soup,Soup,P1,20\nNEVER,food,X,X,P1,\n")
    assert "new 3" in run.service("import", str(table), "--dry-run")
    assert "new 3, updated 0, unchanged 0, invalid 0" in run.service("import", str(table))
    due = run.service("due", by="worker")
    assert [line.split()[0] for line in due.splitlines()] == ["code", "NEVER", "OLD"]
    run.service("check", "OLD")
    assert "OLD" not in run.service("due")


def test_bad_rows_are_written_beside_the_list(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "services.csv"
    table.write_text("code,category,name,short name,units\nA,food,Soup,Rehab,P1\n")
    assert "invalid 1" in run.service("import", str(table))
    assert "say it neutrally" in (tmp_path / "services.bad.csv").read_text("utf-8-sig")


def test_an_export_is_taken_back(run: Run, tmp_path: Path) -> None:
    run.service(*SHELTER)
    out = tmp_path / "out.csv"
    assert "1 services" in run.service("export", str(out), by="canbo").replace("dịch vụ", "services")
    assert "unchanged 1" in run.service("import", str(out))
    assert "Meadow House" in run.service("export")
