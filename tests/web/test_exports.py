"""Clients as a file: asked for on a page, written by the clock, taken away by whoever asked, and gone within the hour."""

import csv
from datetime import timedelta
from io import StringIO
from uuid import UUID

from gateway.domain.phone import Phone
from gateway.store import clients, erasure, exports, staff
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import export_clients
from tests.web.office import Browser, Office

FILE = "/clients/export/file"


def _write(office: Office, after: timedelta = timedelta()) -> None:
    while export_clients.write_next(office.world.engine, office.world.vault, office.world.now + after):
        pass


def _rows(browser: Browser) -> list[dict[str, str]]:
    answer = browser.post(FILE)
    assert answer.status_code == 200, answer.location
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(StringIO(answer.get_data(as_text=True).removeprefix("\ufeff"))))


def _named(office: Office, name: str) -> UUID:
    new = clients.New(office.world.unit_id, "K-1", name, [Phone("+84912345678", None), Phone("+84912345679", None)], "vi")
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        return clients.add(work, office.world.vault, new)


def test_a_file_holds_own_units_alone_runs_no_formula_and_takes_a_reason(office: Office) -> None:
    _named(office, "=HYPERLINK(1)")
    office.world.client(unit_id=office.other_id)
    browser = office.browser()
    assert browser.post("/clients/export").status_code == 400
    assert "It is being written" in browser.press("/clients/export", reason="yearly report")
    assert browser.post(FILE).status_code == 303
    _write(office)
    assert "Download" in browser.read("/clients/export")
    (row,) = _rows(browser)
    assert (row["name"], row["unit"], row["phone"], row["phone 2"]) == ("'=HYPERLINK(1)", "P01", "'+84912345678", "'+84912345679")


def test_a_file_says_what_each_client_agreed_to_and_who_wants_no_texts(office: Office) -> None:
    office.world.client(consent=("reminder",))
    silent, browser = office.world.client(), office.browser()
    office.world.run("INSERT INTO stops (phone_hash, reason, source, stopped_at) SELECT phone_hash, 'stop', 'staff', now() FROM phones WHERE client_id = :id", id=silent)
    browser.post("/clients/export", reason="audit")
    _write(office)
    first, second = _rows(browser)
    assert (first["consent reminder"], first["consent check in"], first["opted out"]) == ("yes (signed form)", "", "")
    assert second["opted out"] == "yes"


def test_the_filters_of_the_list_hold_for_the_file(office: Office) -> None:
    office.world.client()
    french, browser = office.world.client(language="fr"), office.browser("supervisor", unit_id=office.top_id)
    office.world.client(language="fr", unit_id=office.other_id)
    browser.post("/clients/export", reason="audit", language="fr", unit="P01")
    _write(office)
    code = office.world.value("SELECT code FROM clients WHERE id = :id", id=french)
    assert [row["code"] for row in _rows(browser)] == [code]


def test_asking_and_each_taking_are_in_the_trail(office: Office) -> None:
    browser = office.browser()
    browser.post("/clients/export", reason="yearly report")
    _write(office)
    for _ in range(2):
        assert browser.post(FILE).status_code == 200
    seen = [row.action for row in office.world.rows("SELECT action FROM audit WHERE staff_id = :id ORDER BY id", id=browser.staff_id)]
    assert [each for each in seen if each.startswith("client.")] == ["client.export", "client.download", "client.download"]


def test_nobody_else_gets_the_file(office: Office) -> None:
    office.world.client()
    browser = office.browser()
    browser.post("/clients/export", reason="yearly report")
    _write(office)
    for other in (office.browser(), office.browser("administrator", unit_id=office.top_id)):
        assert "There is no file" in other.read("/clients/export")
        assert other.post(FILE).status_code == 303


def test_the_file_is_ciphertext_and_gone_with_its_key_after_an_hour(office: Office) -> None:
    _named(office, "Canary Person")
    browser = office.browser()
    browser.post("/clients/export", reason="yearly report")
    _write(office)
    (row,) = office.world.rows("SELECT key_id, file_enc FROM exports")
    assert b"Canary" not in bytes(row.file_enc)
    office.at(office.world.now + exports.KEPT)
    assert browser.post(FILE).status_code == 303
    _write(office, exports.KEPT)
    assert office.world.value("SELECT count(*) FROM exports") == 0
    assert office.world.value("SELECT count(*) FROM keys WHERE id = :id", id=row.key_id) == 0


def test_a_second_file_replaces_the_first_and_its_key(office: Office) -> None:
    office.world.client()
    browser, keys = office.browser(), []
    for reason in ("first", "second"):
        browser.post("/clients/export", reason=reason)
        _write(office)
        keys.append(office.world.value("SELECT key_id FROM exports"))
    assert [row.id for row in office.world.rows("SELECT id FROM keys WHERE id = ANY(:keys)", keys=keys)] == keys[1:]


def test_whoever_is_moved_to_another_unit_leaves_the_file_behind_and_may_ask_for_a_new_one(office: Office) -> None:
    office.world.client()
    member = office.member()
    browser = office.sign_in(member)
    browser.post("/clients/export", reason="yearly report")
    _write(office)
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        staff.move(work, member, office.other_id)
    browser = office.sign_in(member)
    assert "There is no file" in browser.read("/clients/export")
    assert browser.post(FILE).status_code == 303
    assert "It is being written" in browser.press("/clients/export", reason="yearly report")
    _write(office)
    assert _rows(browser) == []


def test_whoever_left_meanwhile_gets_nothing_written(office: Office) -> None:
    office.world.client()
    browser = office.browser()
    browser.post("/clients/export", reason="yearly report")
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        staff.set_active(work, browser.staff_id, False)
    _write(office)
    (row,) = office.world.rows("SELECT settled_at, file_enc, refused FROM exports")
    assert row.settled_at is not None and row.file_enc is None and "may not any more" in row.refused


def test_an_erased_client_is_in_no_file_that_is_still_here(office: Office) -> None:
    erased, other = _named(office, "Canary Person"), office.browser("supervisor", unit_id=office.other_id)
    browsers = [office.browser(), office.browser("administrator", unit_id=office.top_id), other]
    for browser in browsers:
        browser.post("/clients/export", reason="yearly report")
    _write(office)
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        erasure.erase(work, office.world.vault, erased, None)
    assert [browser.post(FILE).status_code for browser in browsers] == [303, 303, 200]


def test_many_clients_are_written_in_parts_and_the_page_says_how_far_it_is(office: Office) -> None:
    for _ in range(5):
        office.world.client()
    browser = office.browser()
    browser.post("/clients/export", reason="yearly report")
    office.world.run("UPDATE exports SET seen = 2, of_all = 5")  # killed in the middle
    assert "written: 2 of 5" in browser.read("/clients/export")
    export_clients.write_next(office.world.engine, office.world.vault, office.world.now, at_once=2)
    assert "Clients in it: 5" in browser.read("/clients/export")
    codes = [row["code"] for row in _rows(browser)]
    assert len(codes) == 5 and codes == sorted(codes)
