"""On-call lists, the alerts of a flag and the second way by command."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from gateway.cli import main
from gateway.queues import silent
from gateway.store import flags
from gateway.store.base import unit_of_work
from gateway.usecases import escalate
from gateway.usecases.second_way import SecondWay
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World
from tests.secondway import MailServer


@pytest.fixture
def world(engine: Engine, vault: Vault) -> World:
    made = builders.world(engine, vault, datetime.now(UTC))
    for number, role in enumerate(("supervisor", "case_worker", "analyst")):
        made.staff(f"+8498000000{number}", role=role, on_duty=False)
        made.run("UPDATE staff SET code = :role WHERE role = :role", role=role)
    return made


@pytest.fixture
def run(world: World, environ: Mapping[str, str]) -> Any:
    """Run a command as the supervisor (or another role): what it said and its exit code."""

    def typed(*arguments: object, role: str = "supervisor", **changed: str) -> tuple[str, int]:
        result = CliRunner().invoke(main, [*map(str, arguments), "--as", role], env={**environ, **changed})
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.output, result.exit_code

    return typed


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


def test_a_list_is_set_shown_and_emptied(run: Any) -> None:
    assert run("oncall", "set", "P01", "case_worker=daily 00:00-24:00", "supervisor=T2-T6 8h-17h")[1] == 0
    listed, _ = run("oncall", "list", role="case_worker")
    assert [line.split()[:3] for line in listed.splitlines()[1:]] == [["P01", "1", "case_worker"], ["P01", "2", "supervisor"]]
    assert "24/7" in listed and "Mon-Fri 08:00-17:00" in listed
    shown, _ = run("oncall", "show", "P01", role="case_worker")
    assert shown.splitlines()[1].split() == ["0", "text", "case_worker"]
    run("oncall", "set", "P01")
    shown, _ = run("oncall", "show", "P01")
    assert shown.splitlines()[1].split() == ["0", "text", "supervisor"]


@pytest.mark.parametrize(("people", "role", "why"), [
    (["nobody"], "supervisor", "no staff member"), (["analyst"], "supervisor", "analyst"), (["case_worker=at night"], "supervisor", "hours"),
    (["case_worker"], "case_worker", "may not"),
])  # fmt: skip
def test_a_list_that_would_alert_nobody_is_refused(run: Any, people: list[str], role: str, why: str) -> None:
    said, code = run("oncall", "set", "P01", *people, role=role)
    assert why in said and code != 0


def test_somebody_who_could_not_open_the_flags_has_no_place(run: Any, world: World) -> None:
    builders.unit(world.engine, world.now, code="ELSEWHERE")
    said, code = run("oncall", "set", "ELSEWHERE", "case_worker")
    assert "no unit" in said and code != 0


def test_a_flag_shows_who_heard_of_it_and_who_will(run: Any, world: World) -> None:
    run("oncall", "set", "P01", "case_worker")
    with unit_of_work(world.engine) as work:
        flag = flags.add(work, unit_id=world.unit_id, reason="crisis", dedupe_key="x")
        assert flag is not None
        escalate.begin(work, world.vault, CONTENT, world.unit_id, flag.id, flag.number)
    said, _ = run("flag", "show", flag.number)
    assert [line.split()[:2] for line in said.splitlines() if line.startswith("text ")] == [["text", "case_worker"], ["text", "supervisor"]]
    assert "texted, planned" in said and "to come" in said


def test_a_flag_that_nobody_can_be_alerted_about_says_so(run: Any, world: World) -> None:
    world.run("UPDATE staff SET phone_enc = NULL")
    with unit_of_work(world.engine) as work:
        flag = flags.add(work, unit_id=world.unit_id, reason="crisis", dedupe_key="x")
        assert flag is not None
        escalate.begin(work, world.vault, CONTENT, world.unit_id, flag.id, flag.number)
    escalate.escalate(world.engine, world.vault, CONTENT, silent)
    escalate.go_second_way(world.engine, world.vault, CONTENT, SecondWay(), silent)
    said, _ = run("flag", "show", flag.number)
    assert "nobody is on call" in said and "no second way is set up" in said
    assert "nobody can be texted" in run("oncall", "show", "P01")[0]


def test_the_second_way_is_tried_by_command(run: Any, mail: MailServer) -> None:
    second = {"GATEWAY_MAIL_SERVER": mail.url, "GATEWAY_MAIL_FROM": "g@example.org", "GATEWAY_MAIL_TO": "oncall@example.org"}
    assert run("oncall", "test", **second) == ("mailed\n", 0)
    assert "test" in mail.mails[0]["Subject"]
    mail.refuse = True
    said, code = run("oncall", "test", **second)
    assert "did not work" in said and code != 0 and "oncall@" not in said
