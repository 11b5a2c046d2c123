"""Reports on a page: a chart, its table, a file; no persons, no small groups."""

import csv
from datetime import timedelta

import pytest

from gateway.usecases import count_reports
from tests.web.office import Office


@pytest.fixture
def counted(office: Office) -> Office:
    """Six visits of the commune a month ago, and two of its neighbour."""
    then = office.world.now.replace(day=1) - timedelta(days=10)
    for unit, count in ((office.world.unit_id, 6), (office.other_id, 2)):
        for _ in range(count):
            office.world.appointment(office.world.client(unit_id=unit), then)
    while count_reports.count_next(office.world.engine, office.world.now):
        pass
    return office


def test_a_report_is_a_chart_with_its_table(counted: Office) -> None:
    html = counted.browser("analyst", unit_id=counted.top_id).read("/reports?report=attendance&by=unit")
    assert "<svg" in html and "&lt;svg" not in html
    assert "Appointments: who came: P," in html and "P01" in html
    assert "groups of fewer than 5" in html and ">Canary" not in html


def test_over_time_one_unit_goes_month_by_month(counted: Office) -> None:
    html = counted.browser("supervisor").read("/reports?by=month&since=2026-01-01&until=2026-03-31")
    assert ">2026-01<" in html and ">2026-03<" in html


def test_the_table_is_a_file_for_a_spreadsheet(counted: Office) -> None:
    answer = counted.browser("analyst").post("/reports/table", report="replies")
    rows = list(csv.reader(answer.get_data().decode("utf-8-sig").splitlines()))
    assert rows[0] == ["unit", "answered", "not answered", "all"] and rows[-1][0] == "all"
    assert "attachment" in answer.headers["Content-Disposition"] and "replies-P01-" in answer.headers["Content-Disposition"]


def test_what_cannot_be_shown_is_said_in_the_form(office: Office) -> None:
    browser = office.browser("supervisor", unit_id=office.top_id)
    for asked, said in (("by=channel", "is not made by channel"), ("by=language&unit=P01", "your own unit"), ("period=x", "written as 2026-W05"),
                        ("report=names", "there is no report"), ("by=week&since=yesterday", "date")):  # fmt: skip
        answer = browser.get(f"/reports?{asked}")
        html = answer.get_data(as_text=True)
        assert answer.status_code == 400 and said in html and 'name="report"' in html, asked
    assert browser.post("/reports/table", period="x").status_code == 400


def test_a_unit_of_others_is_not_there(office: Office) -> None:
    assert office.browser("analyst").get("/reports?unit=P02").status_code == 404
    assert "P02" not in office.browser("analyst").read("/reports")


def test_an_analyst_sees_reports_and_no_other_page(office: Office) -> None:
    browser = office.browser("analyst", language="vi")
    assert browser.get("/").location.startswith("/reports")
    html = browser.read("/reports")
    assert "Báo cáo" in html and "Hôm nay" not in html
