"""Tables of clients, appointments and services that come in from the pages."""

import re
from datetime import date, datetime, timedelta
from io import BytesIO
from uuid import UUID, uuid4

import pytest

from gateway.domain.services import Service
from gateway.store import services
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import run_imports
from tests.builders import CONTENT
from tests.usecases.test_workbooks import made
from tests.web.office import Browser, Office
from tests.web.test_flags import later

REGISTER = """Mã,Họ và tên,Điện thoại chính,Nhóm,Từ chối nhận tin
A1,Nguyễn Thị Hoa,0912345678,Tổ 1,
A2,Trần Văn Nam,0987654321,Tổ 1,x
A2,Trần Văn Nam,0987654321,Tổ 1,x
A3,=cmd(),12,Tổ 2,
"""
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100)


def _upload(browser: Browser, file: bytes | str, kind: str = "clients") -> str:
    data = file.encode() if isinstance(file, str) else file
    answer = browser.post("/imports/", kind=kind, file=(BytesIO(data), "register.csv"))
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return str(answer.location)


def _work(office: Office) -> None:
    while run_imports.run_next(office.world.engine, office.world.vault, CONTENT, office.world.now):
        pass


def _counts(html: str) -> dict[str, int]:
    return {name: int(figure) for name, figure in re.findall(r"<dt>([^<]+)</dt><dd>(\d+)</dd>", html)}


def _taken_over(office: Office, browser: Browser, file: str | bytes, kind: str = "clients") -> str:
    path = _upload(browser, file, kind)
    _work(office)
    browser.post(f"{path}/start")
    _work(office)
    return path


def test_a_register_is_checked_mapped_taken_over_and_undone(office: Office) -> None:
    browser = office.browser()
    path = _upload(browser, REGISTER)
    assert "is being checked" in browser.read(path)
    _work(office)
    html = browser.read(path)
    assert "none is named as the phone" in html  # "Điện thoại chính" is no heading that we know
    browser.press(f"{path}/check", **{"column-2": "phone"})
    _work(office)
    html = browser.read(path)
    assert _counts(html) == {"new": 2, "updated": 0, "unchanged": 0, "duplicate": 1, "invalid": 1, "opted out": 1, "numbers to verify": 0}
    assert office.world.value("SELECT count(*) FROM clients") == 0
    for _ in range(2):
        browser.post(f"{path}/start")
    _work(office)
    assert "taken over" in browser.read(path)
    assert office.world.value("SELECT count(*) FROM clients") == 2
    assert office.world.value("SELECT file_enc FROM imports") is None
    bad = browser.post(f"{path}/bad").get_data(as_text=True)
    assert "'=cmd()" in bad
    html = browser.press(f"{path}/undo")
    assert "Undone: 2." in html
    assert office.world.value("SELECT count(*) FROM clients") == 0
    assert office.world.value("SELECT count(*) FROM stops") == 1  # who opted out stays so


def test_undo_writes_back_what_was_there_and_leaves_whom_somebody_changed(office: Office) -> None:
    browser = office.browser()
    _taken_over(office, browser, "code,name,phone,language\nA1,Hoa,0912345678,vi\nA2,Nam,0987654321,vi\n")
    office.world.run("UPDATE clients SET updated_at = updated_at - interval '1 hour'")
    path = _taken_over(office, browser, "code,name,phone,language\nA1,Hoa,0911111111,fr\nA2,Nam,0922222222,fr\n")
    assert _counts(browser.read(path))["updated"] == 2
    office.world.run("UPDATE clients SET updated_at = updated_at + interval '1 minute' WHERE code = 'A2'")
    assert "Undone: 1. As they are now: 1" in browser.press(f"{path}/undo")
    assert office.world.rows("SELECT code, language FROM clients ORDER BY code") == [("A1", "vi"), ("A2", "fr")]
    client = office.world.value("SELECT id FROM clients WHERE code = 'A1'")
    assert office.world.phone_of(client) == "+84912345678"
    assert "A1" in browser.post("/clients/search", wanted="5678").get_data(as_text=True)


def test_after_a_day_nothing_of_it_is_left_and_nothing_is_undone(office: Office) -> None:
    browser = office.browser()
    path = _taken_over(office, browser, "code,name,phone\nA1,Hoa,0912345678\n")
    office = later(office, timedelta(hours=25))
    browser = office.browser()
    run_imports.run_next(office.world.engine, office.world.vault, CONTENT, office.world.now)
    assert office.world.value("SELECT count(*) FROM import_rows") == 0
    assert office.world.value("SELECT count(*) FROM imports i JOIN keys k ON k.id = i.key_id") == 0
    assert "taken over" in browser.read(path)
    assert "undo" not in browser.read(path)


@pytest.mark.parametrize(("file", "said"), [
    (b"PK\x03\x04workbook", "Không đọc được bảng tính này"), (OLE, "kiểu cũ"), (OLE + "EncryptedPackage".encode("utf-16-le"), "mật khẩu"), (b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe\x00binary", ""), (b"", ""), (b"\n\n", ""),
])  # fmt: skip
def test_what_is_no_table_is_refused_in_the_readers_language(office: Office, file: bytes, said: str) -> None:
    answer = office.browser(language="vi").post("/imports/", file=(BytesIO(file), "x.csv"))
    html = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert 'role="alert"' in html
    assert said in html
    assert "This is" not in html


def test_a_register_larger_than_a_text_is_taken_and_one_too_large_refused(office: Office) -> None:
    browser = office.browser()
    rows = "".join(f"B{n},Canary {n},09{n:08d},{'x' * 200}\n" for n in range(2000))
    _upload(browser, "code,name,phone,remark\n" + rows)
    assert browser.post("/imports/", file=(BytesIO(b"x" * (22 * 1024 * 1024)), "x.csv")).status_code == 413


def test_the_file_is_ciphertext_in_the_database(office: Office) -> None:
    _upload(office.browser(), REGISTER)
    assert b"Hoa" not in bytes(office.world.value("SELECT file_enc FROM imports"))


# --- appointments ---------------------------------------------------------------------------------------------------

LIST = "appointment_id,client,khi nào,time\n"


def _code(office: Office, client: UUID) -> str:
    return str(office.world.value("SELECT code FROM clients WHERE id = :id", id=client))


def _appointments(office: Office) -> list[tuple[str, str, str]]:
    rows = office.world.rows("SELECT outside_id, starts_at AT TIME ZONE 'Asia/Ho_Chi_Minh' AS at, status FROM appointments ORDER BY outside_id")
    return [(row.outside_id, f"{row.at:%d %H:%M}", row.status) for row in rows]


def test_a_list_of_appointments_is_mapped_looked_at_taken_over_and_undone(office: Office) -> None:
    code, browser = _code(office, office.world.client()), office.browser()
    first = LIST.replace("khi nào", "day") + f"A-1,{code},2026-03-02,09:30\nA-2,{code},2026-03-03,09:30\nA-4,{code},2026-03-04,09:30\n"
    _taken_over(office, browser, first, "appointments")
    before = _appointments(office)
    office.world.run("UPDATE appointments SET updated_at = updated_at - interval '1 hour'")
    path = _upload(browser, LIST + f"A-1,{code},2026-03-09,10:00\nA-2,{code},2026-03-10,10:00\nA-3,NOBODY,2026-03-02,10:00\nA-5,{code},2026-03-05,8h\n"
                   f"A-6,{code},=1+1,8h\n", "appointments")  # fmt: skip
    _work(office)
    assert "No column is named as the day" in browser.read(path)
    browser.press(f"{path}/check", **{"column-0": "appointment_id", "column-1": "client", "column-2": "day", "column-3": "time"})
    _work(office)
    html = browser.read(path)
    counts = _counts(html)
    assert (counts["new"], counts["moved"], counts["invalid"], "no such code in your units" in html) == (1, 2, 2, True)
    assert _appointments(office) == before
    assert "'=1+1" in browser.post(f"{path}/bad").get_data(as_text=True)
    browser.post(f"{path}/start")
    _work(office)
    assert _appointments(office)[0] == ("A-1", "09 10:00", "booked") and len(_appointments(office)) == 4
    told = office.world.value("SELECT id FROM appointments WHERE outside_id = 'A-2'")
    office.world.planned(office.world.value("SELECT client_id FROM appointments LIMIT 1"), about_id=told)
    office.world.run("UPDATE outbound SET state = 'delivered'")
    planned = office.world.planned(office.world.value("SELECT client_id FROM appointments LIMIT 1"),
                                   about_id=office.world.value("SELECT id FROM appointments WHERE outside_id = 'A-1'"))  # fmt: skip
    assert "Undone: 2. As they are now: 1" in browser.press(f"{path}/undo")
    assert _appointments(office) == [before[0], ("A-2", "10 10:00", "booked"), before[2]]  # the client was told of A-2
    assert (office.world.state(planned), office.world.value("SELECT revision FROM appointments WHERE outside_id = 'A-1'")) == ("cancelled", 2)
    assert browser.post(f"{path}/undo").status_code == 400


# --- services -------------------------------------------------------------------------------------------------------


def test_the_directory_goes_out_comes_back_changed_and_is_undone(office: Office) -> None:
    kept = Service(uuid4(), "S-1", "food", "Quán cơm", "Com trua", [office.world.unit_id], checked_on=date(2025, 1, 1))
    with unit_of_work(office.world.engine, SYSTEM, office.world.now - timedelta(days=1)) as work:
        services.add(work, kept, None)
    browser = office.browser("supervisor")
    table = browser.post("/services/export").get_data()
    path = _upload(browser, table, "services")
    _work(office)
    assert _counts(browser.read(path))["unchanged"] == 1
    changed = table.decode("utf-8-sig").replace("Com trua", "Com chieu").replace("S-1,food,", "S-1,food,") + "S-2,food,Bep,Bep,P01\n"
    path = _taken_over(office, browser, changed, "services")
    names = "SELECT string_agg(short_name || ' ' || (SELECT count(*) FROM service_units u WHERE u.service_id = s.id), ',' ORDER BY code) FROM services s"
    assert office.world.value(names) == "Com chieu 1,Bep 1"
    assert "Undone: 2." in browser.press(f"{path}/undo")
    assert office.world.value(names) == "Com trua 1"


def test_who_may_not_keep_the_directory_imports_none(office: Office) -> None:
    worker, lead = office.browser(), office.browser("supervisor")
    assert worker.get("/imports/?kind=services").status_code == 403
    assert worker.post("/imports/", kind="services", file=(BytesIO(b"code"), "x.csv")).status_code == 403
    path = _upload(lead, "code,category,name,short name,units\nS-2,food,Bep,Bep,P01\n", "services")
    _work(office)
    assert [worker.get(path).status_code, *(worker.post(f"{path}/{deed}").status_code for deed in ("start", "check", "undo", "bad"))] == [403] * 5
    lead.post(f"{path}/start")
    office.world.run("UPDATE staff SET role = 'case_worker' WHERE id = :id", id=lead.staff_id)
    _work(office)
    assert office.world.rows("SELECT state, reason FROM imports") == [("failed", "whoever brought this file may not import it any more")]
    assert office.world.value("SELECT count(*) FROM services") == 0


# --- workbooks ------------------------------------------------------------------------------------------------------


def test_a_workbook_comes_in_with_its_numbers_and_days(office: Office) -> None:
    book = made(("Mã", "Họ và tên", "SĐT", "Ngày ra viện"), ("A1", "Nguyễn Thị Hoa", 912345678, datetime(2026, 3, 5)),
                ("A2", "Trần Văn Nam", 8.4987654321e10, None), ("A3", "Lê", "8.49E+10", None))  # fmt: skip
    browser = office.browser()
    path = _taken_over(office, browser, book)
    assert (_counts(browser.read(path))["new"], _counts(browser.read(path))["invalid"]) == (2, 1)
    assert "A spreadsheet has rounded the number" in browser.read(path)
    phones = [office.world.phone_of(row.id) for row in office.world.rows("SELECT id FROM clients ORDER BY code")]
    assert phones == ["+84912345678", "+84987654321"]
    assert office.world.value("SELECT on_date FROM client_dates") == date(2026, 3, 5)


def test_a_workbook_of_appointments_comes_in_with_days_and_times_of_day(office: Office) -> None:
    code, browser = _code(office, office.world.client()), office.browser()
    book = made(("appointment id", "client", "ngày hẹn"), (1, code, datetime(2026, 3, 2, 9, 30)))
    _taken_over(office, browser, book, "appointments")
    assert _appointments(office) == [("1", "02 09:30", "booked")]
