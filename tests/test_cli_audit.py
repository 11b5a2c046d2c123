"""`audit`, as an administrator uses it."""

import csv
import re
from datetime import UTC, datetime

from gateway.usecases import seal_audit
from tests.test_cli_life import Office, office  # noqa: F401  # a fixture


def test_the_trail_is_listed_by_what_is_asked_and_only_for_own_units(office: Office) -> None:  # noqa: F811
    office.do("client", "show", "K1", "--as", "lan")
    office.do("unit", "edit", "X1", "--hours", "always", "--as", "boss")
    listed = office.do("audit", "list", "--as", "boss")
    assert "lan  client.show  client K1" in listed and "boss  unit.edit" in listed and "08:00:00" in listed
    assert "unit.edit" not in office.do("audit", "list", "--staff", "lan", "--as", "boss")
    of_clients = office.do("audit", "list", "--action", "client.*", "--as", "boss")
    assert "client.add" in of_clients and "staff.add" not in of_clients
    today = datetime.now(UTC).date()
    assert "nothing of that kind" in office.do("audit", "list", "--until", "2020-01-01", "--as", "boss")
    assert "client.show" in office.do("audit", "list", "--since", "2020-01-01", "--until", f"{today.replace(year=today.year + 1)}", "--as", "boss")
    assert "audit.list" in office.do("audit", "list", "--unit", "P", "--as", "boss")
    assert "may not" in office.refused("audit", "list", "--as", "lan") and "may not" in office.refused("audit", "list", "--as", "an")


def test_values_before_and_after_are_shown_for_a_reason_alone(office: Office) -> None:  # noqa: F811
    office.do("client", "edit", "K1", "--name", "Lò Văn Mai", "--hours", "09:00-11:00", "--as", "lan")
    assert "Mai" not in office.do("audit", "list", "--as", "boss")
    told = office.do("audit", "list", "--client", "K1", "--reveal", "a complaint", "--as", "boss")
    assert "name: Nguyễn Thị Được -> Lò Văn Mai" in told and "hours: - -> 09:00-11:00" in told
    assert "takes the reason" in office.refused("audit", "list", "--reveal", " ", "--as", "boss")
    office.do("client", "erase", "K1", "--yes", "--as", "boss")
    code = office.value("SELECT code FROM clients")
    told = office.do("audit", "list", "--client", code, "--reveal", "a complaint", "--as", "boss")
    assert "Mai" not in told and "client was erased" in told


def test_an_export_runs_nothing_in_a_spreadsheet_and_is_logged(office: Office, tmp_path) -> None:  # noqa: F811
    office.do("client", "edit", "K1", "--name", "=HYPERLINK(1)", "--as", "lan")
    office.do("client", "show", "K1", "--reveal", "-1+cmd", "--as", "lan")
    file = tmp_path / "trail.csv"
    assert "rows in" in office.do("audit", "list", "--csv", file, "--reveal", "yearly review", "--as", "boss")
    assert file.stat().st_mode & 0o077 == 0
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.reader(opened))
    assert rows[0][0] == "time (UTC)" and len(rows) > 8 and rows[1][4] == "audit.export"
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    assert any("HYPERLINK" in cell for row in rows for cell in row)
    assert "audit.export" in office.do("audit", "list", "--as", "boss")


def test_the_trail_is_verified_by_command(office: Office) -> None:  # noqa: F811
    assert "wait to be sealed" in office.do("audit", "verify")
    seal_audit.seal(office.engine)
    said = office.do("audit", "verify")
    assert "as it was sealed" in said and "wait" not in said
    found = re.search(r"[0-9a-f]{64}", said)
    assert found is not None
    office.do("audit", "verify", "--kept", found[0])
    result = office.try_("audit", "verify", "--kept", "0" * 64)
    assert result.exit_code == 1 and "WRONG: no seal has the hash" in result.output
    assert "64 digits" in office.refused("audit", "verify", "--kept", "12")
