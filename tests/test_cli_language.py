"""The command line speaks the language of the staff member who reads, and where nobody is named, the terminal's."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from gateway.cli import main
from gateway.vault import Vault
from tests import builders
from tests.builders import World


@pytest.fixture
def world(engine: Engine, vault: Vault) -> World:
    """A unit with a staff member for each language, named by it; the one named analyst may do next to nothing."""
    made = builders.world(engine, vault, datetime.now(UTC))
    for code in ("vi", "fr", "en", "analyst"):
        staff_id = made.staff("+84980000001", role="analyst" if code == "analyst" else "supervisor")
        language = "vi" if code == "analyst" else code
        made.run("UPDATE staff SET code = :code, language = :language WHERE id = :id", code=code, language=language, id=staff_id)
    return made


@pytest.fixture
def run(world: World, environ: Mapping[str, str]):
    """Run a command in an English terminal, unless `LANGUAGE` says otherwise."""

    def command(*arguments: object, **environment: str) -> Result:
        return CliRunner().invoke(main, list(map(str, arguments)), env={**environ, **environment})

    return command


def test_an_error_is_told_in_the_language_of_the_staff_member(run, world: World) -> None:
    world.client()
    for code, said in (
        ("vi", "Lỗi: không có thân chủ 'K9' trong các đơn vị của bạn"),
        ("fr", "Erreur : pas de client 'K9' dans vos unités"),
        ("en", "Error: no client 'K9' in your units"),
    ):
        result = run("client", "show", "K9", "--as", code)
        assert result.exit_code == 2 and result.stderr.startswith(said)


def test_a_refusal_names_the_reason_within_it_in_that_language_too(run, world: World) -> None:
    client = world.value("SELECT code FROM clients WHERE id = :id", id=world.client(consent=()))
    result = run("appointment", "book", client, "31/2/2030", "--as", "vi")
    assert result.stderr == "Lỗi: không đọc được giờ: không có ngày này; ngày ghi trước tháng, như 31/12/2026\n"
    result = run("message", "send", client, "Canary", "--as", "vi")
    assert result.exit_code == 2
    assert result.stderr.startswith("Lỗi: chưa gửi: ")
    assert "consent" not in result.stderr
    result = run("client", "list", "--as", "analyst")
    assert "vai trò người xem số liệu không được làm việc này" in result.stderr


def test_a_listing_and_the_states_and_reasons_in_it_are_in_that_language(run, world: World) -> None:
    message = world.planned(world.client())
    world.run("UPDATE outbound SET state = 'suppressed', reason = 'opted out (stop)' WHERE id = :id", id=message)
    headings, row = run("message", "list", "--as", "vi").stdout.splitlines()
    assert headings.split() == ["mã", "số", "thân", "chủ", "mục", "đích", "trạng", "thái", "từ", "lúc", "phần", "lý", "do"]
    assert "không gửi" in row and row.endswith("từ chối nhận tin (xin dừng tin)")
    assert "désinscrit (arrêt)" in run("message", "list", "--as", "fr").stdout
    assert "opted out (stop)" in run("message", "list", "--as", "en").stdout


def test_what_staff_wrote_stays_as_they_wrote_it(run, world: World) -> None:
    client = world.value("SELECT code FROM clients WHERE id = :id", id=world.client())
    run("client", "pause", client, "--reason", "{state} since Monday: 100 %", "--as", "vi")
    assert "tạm dừng ({state} since Monday: 100 %)" in run("client", "show", client, "--as", "vi").stdout


def test_the_rows_an_import_refused_come_back_with_reasons_in_that_language(run, world: World, tmp_path: Path) -> None:
    register = tmp_path / "register.csv"
    register.write_text("code,name,phone\nK3,Canary,115\nK4,Canary,\n", encoding="utf-8")
    assert "không hợp lệ 2" in run("client", "import", register, "--as", "vi").output
    headings, first, second = (tmp_path / "register.bad.csv").read_text("utf-8-sig").splitlines()
    assert headings == "dòng,việc gì,lý do,nội dung dòng"
    assert first.startswith("2,bị từ chối,\"điện thoại: Đây là số khẩn cấp") and second.startswith("3,bị từ chối,điện thoại: thiếu")


def test_without_a_staff_member_the_terminal_says_which_language(run) -> None:
    assert run("client", "list", "--as", "nobody", LANGUAGE="vi").stderr.startswith("Lỗi: không có nhân viên 'nobody'")
    wrong = run("doctor", LANGUAGE="fr", GATEWAY_PORT="never")
    assert wrong.exit_code == 1
    assert "FAUX" in wrong.stdout and "GATEWAY_PORT : 'never' n'est pas un nombre entier de 1 à 65535" in wrong.stdout
