"""The audit trail on a page."""

import csv

from gateway.usecases import seal_audit
from tests.web.office import Office


def test_what_was_done_is_listed_and_filtered_and_looking_is_logged(office: Office) -> None:
    lan = office.member(code="lan")
    office.sign_in(lan).press(f"/flags/{office.flag()}/take")
    boss = office.browser("supervisor")
    assert "flag.take" in boss.read("/audit")
    found = boss.post("/audit", staff="lan", action="flag.*").get_data(as_text=True)
    assert "flag.take" in found and "audit.list" not in found
    assert "audit.list" in boss.read("/audit")
    assert "flag.take" not in office.browser("supervisor", unit_id=office.other_id).read("/audit")


def test_all_of_it_is_a_file_for_a_spreadsheet(office: Office) -> None:
    office.sign_in(office.member(code="lan")).press(f"/flags/{office.flag()}/take")
    answer = office.browser("supervisor").post("/audit/table", action="flag.take")
    rows = list(csv.reader(answer.get_data().decode("utf-8-sig").splitlines()))
    assert rows[0][4] == "action" and [row[4] for row in rows[1:]] == ["flag.take"]


def test_who_or_what_is_unknown_is_said_in_the_form(office: Office) -> None:
    answer = office.browser("supervisor").post("/audit", staff="nobody")
    assert (answer.status_code, "no staff member" in answer.get_data(as_text=True)) == (400, True)


def test_an_administrator_verifies_the_trail(office: Office) -> None:
    office.sign_in(office.member()).press(f"/flags/{office.flag()}/take")
    while seal_audit.seal(office.world.engine, office.world.now):
        pass
    admin = office.browser("administrator")
    assert "the trail is as it was sealed" in admin.post("/audit/verify").get_data(as_text=True)
    assert office.browser("supervisor").post("/audit/verify").status_code == 403
