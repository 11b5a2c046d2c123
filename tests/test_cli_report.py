"""`report`, as an analyst uses it: figures, and nobody's name, number or code."""

import csv
from datetime import UTC, datetime

from gateway.usecases import count_reports
from tests.test_cli_life import Office, office  # noqa: F401  # a fixture


def test_an_analyst_reads_reports_and_sees_no_persons(office: Office, tmp_path) -> None:  # noqa: F811
    office.receive("goi lai cho toi")
    while count_reports.count_next(office.engine):
        pass
    month = f"{datetime.now(UTC):%Y-%m}"
    said = office.do("report", "show", "first_answer", "--period", month, "--as", "an")
    assert "Time until a person answered: P, " + month in said and "fewer than 5 are hidden" in said
    assert "*" in said and "K1" not in said and "Được" not in said
    file, picture = tmp_path / "r.csv", tmp_path / "r.svg"
    assert "rows in" in office.do("report", "show", "first_answer", "--period", month, "--csv", file, "--svg", picture, "--as", "an")
    rows = list(csv.reader(file.read_text("utf-8-sig").splitlines()))
    assert rows[0][0] == "unit" and rows[0][-1] == "all" and rows[1][0] == "X1" and file.stat().st_mode & 0o077 == 0
    assert picture.read_text("utf-8").startswith("<svg")
    assert "report.show" in office.do("audit", "list", "--as", "boss")
    assert "first_answer" in office.do("report", "list")


def test_what_is_not_offered_is_refused(office: Office) -> None:  # noqa: F811
    assert "there is no report" in office.refused("report", "show", "names", "--as", "an")
    assert "2026-W05" in office.refused("report", "show", "replies", "--period", "yesterday", "--as", "an")
    assert "not --from" in office.refused("report", "show", "replies", "--from", "2026-01-01", "--as", "an")
    assert "no unit" in office.refused("report", "show", "replies", "--unit", "P", "--as", "lan")
    assert "more than 60 rows" in office.refused("report", "show", "replies", "--by", "week", "--from", "2020-01-01", "--as", "an")


def test_a_year_goes_month_by_month(office: Office) -> None:  # noqa: F811
    said = office.do("report", "show", "cost", "--by", "quarter", "--as", "boss")
    assert "cost for each visit" in said and f"{datetime.now(UTC).year}-Q" in said
    assert "not all of this time is counted yet" in said
