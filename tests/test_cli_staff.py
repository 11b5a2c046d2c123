"""Staff by commands: who is invited, and what of them is changed."""

import re

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from gateway.cli import main
from gateway.usecases import sign_in
from gateway.vault import Vault
from tests.web.office import PASSWORD, Office, office


@pytest.fixture(name="made")
def _made(engine: Engine, vault: Vault, environ: dict[str, str], now) -> Office:
    made = office(engine, vault, environ, now)
    made.member("administrator", unit_id=made.top_id, code="boss")
    made.member(code="lan")
    made.member(unit_id=made.other_id, code="hoa")
    return made


def run(environ: dict[str, str], *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["staff", *arguments], env=environ)
    assert result.exit_code == code, result.output
    return result.output


def test_an_invitation_is_an_address_at_which_a_password_is_chosen(made: Office, environ: dict[str, str]) -> None:
    address = run(environ | {"GATEWAY_PUBLIC_URL": "https://sms.example.org"}, "invite", "lan", "--as", "boss").strip()
    found = re.fullmatch(r"https://sms\.example\.org/invitation\?code=([A-Z2-7]{4}(?:-[A-Z2-7]{4}){3})", address)
    assert found is not None
    house = sign_in.House(made.world.engine, made.world.vault)
    assert sign_in.by_invitation(house, sign_in.Door("192.0.2.1"), found[1], PASSWORD).stage == "in"
    assert sign_in.by_password(house, sign_in.Door("192.0.2.1"), "lan", PASSWORD).stage == "in"


def test_only_an_administrator_invites_and_nobody_who_left(made: Office, environ: dict[str, str]) -> None:
    run(environ, "invite", "hoa", "--as", "lan", code=2)
    run(environ, "deactivate", "lan", "--as", "boss")
    assert "no longer active" in run(environ, "invite", "lan", "--as", "boss", code=2)


def test_everyone_changes_their_own_language_and_an_administrator_the_rest(made: Office, environ: dict[str, str]) -> None:
    run(environ, "edit", "lan", "--language", "vi", "--as", "lan")
    assert made.world.value("SELECT language FROM staff WHERE code = 'lan'") == "vi"
    for refused in (("lan", "--role", "supervisor"), ("hoa", "--language", "vi"), ("lan", "--language", "xx")):
        run(environ, "edit", *refused, "--as", "lan", code=2)
    run(environ, "edit", "hoa", "--role", "reviewer", "--as", "boss")
    assert made.world.value("SELECT role FROM staff WHERE code = 'hoa'") == "reviewer"


def test_another_role_ends_the_logins(made: Office, environ: dict[str, str]) -> None:
    made.app.config["NOW"] = None
    hoa = made.world.value("SELECT id FROM staff WHERE code = 'hoa'")
    browser = made.sign_in(hoa)
    made.world.run("UPDATE logins SET made_at = now(), seen_at = now()")
    assert browser.get("/").status_code == 200
    run(environ, "edit", "hoa", "--role", "supervisor", "--as", "boss")
    assert browser.get("/").status_code == 303


def test_a_name_a_phone_and_a_way_back_are_an_administrators_to_give(made: Office, environ: dict[str, str]) -> None:
    for refused in (("lan", "--name", "X"), ("lan", "--phone", "0912345678")):
        run(environ, "edit", *refused, "--as", "lan", code=2)
    run(environ, "edit", "lan", "--name", "Nguyễn Lan", "--phone", "0912345678", "--as", "boss")
    assert "Nguyễn Lan" in run(environ, "list", "--as", "boss")
    run(environ, "edit", "lan", "--phone", "", "--as", "boss")
    assert made.world.value("SELECT phone_hash IS NULL FROM staff WHERE code = 'lan'")
    run(environ, "reactivate", "lan", "--as", "boss", code=2)
    run(environ, "deactivate", "lan", "--as", "boss")
    assert "/invitation?code=" in run(environ, "reactivate", "lan", "--as", "boss")
    assert made.world.value("SELECT active FROM staff WHERE code = 'lan'")
