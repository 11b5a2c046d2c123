"""Registers that come in from the pages."""

import re
from datetime import timedelta
from io import BytesIO

import pytest

from gateway.usecases import run_imports
from tests.web.office import Browser, Office
from tests.web.test_flags import later

REGISTER = """Mã,Họ và tên,Điện thoại chính,Nhóm,Từ chối nhận tin
A1,Nguyễn Thị Hoa,0912345678,Tổ 1,
A2,Trần Văn Nam,0987654321,Tổ 1,x
A2,Trần Văn Nam,0987654321,Tổ 1,x
A3,=cmd(),12,Tổ 2,
"""


def _upload(browser: Browser, file: bytes | str) -> str:
    data = file.encode() if isinstance(file, str) else file
    answer = browser.post("/imports/", file=(BytesIO(data), "register.csv"))
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return str(answer.location)


def _work(office: Office) -> None:
    while run_imports.run_next(office.world.engine, office.world.vault, office.world.now):
        pass


def _counts(html: str) -> dict[str, int]:
    return {name: int(figure) for name, figure in re.findall(r"<dt>([a-z ]+)</dt><dd>(\d+)</dd>", html)}


def _taken_over(office: Office, browser: Browser, file: str) -> str:
    path = _upload(browser, file)
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
    assert "Undone for 2 clients" in html
    assert office.world.value("SELECT count(*) FROM clients") == 0
    assert office.world.value("SELECT count(*) FROM stops") == 1  # who opted out stays so


def test_undo_writes_back_what_was_there_and_leaves_whom_somebody_changed(office: Office) -> None:
    browser = office.browser()
    _taken_over(office, browser, "code,name,phone,language\nA1,Hoa,0912345678,vi\nA2,Nam,0987654321,vi\n")
    office.world.run("UPDATE clients SET updated_at = updated_at - interval '1 hour'")
    path = _taken_over(office, browser, "code,name,phone,language\nA1,Hoa,0911111111,fr\nA2,Nam,0922222222,fr\n")
    assert _counts(browser.read(path))["updated"] == 2
    office.world.run("UPDATE clients SET updated_at = updated_at + interval '1 minute' WHERE code = 'A2'")
    assert "Undone for 1 clients; 1 stay" in browser.press(f"{path}/undo")
    assert office.world.rows("SELECT code, language FROM clients ORDER BY code") == [("A1", "vi"), ("A2", "fr")]
    client = office.world.value("SELECT id FROM clients WHERE code = 'A1'")
    assert office.world.phone_of(client) == "+84912345678"
    assert "A1" in browser.post("/clients/search", wanted="5678").get_data(as_text=True)


def test_after_a_day_nothing_of_it_is_left_and_nothing_is_undone(office: Office) -> None:
    browser = office.browser()
    path = _taken_over(office, browser, "code,name,phone\nA1,Hoa,0912345678\n")
    office = later(office, timedelta(hours=25))
    browser = office.browser()
    run_imports.run_next(office.world.engine, office.world.vault, office.world.now)
    assert office.world.value("SELECT count(*) FROM import_rows") == 0
    assert office.world.value("SELECT count(*) FROM imports i JOIN keys k ON k.id = i.key_id") == 0
    assert "taken over" in browser.read(path)
    assert "undo" not in browser.read(path)


@pytest.mark.parametrize(("file", "said"), [
    (b"PK\x03\x04workbook", "Bảng tính Excel"), (b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe\x00binary", ""), (b"", ""), (b"\n\n", ""),
])  # fmt: skip
def test_what_is_no_table_is_refused_in_the_readers_language(office: Office, file: bytes, said: str) -> None:
    answer = office.browser(language="vi").post("/imports/", file=(BytesIO(file), "x.csv"))
    html = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert 'role="alert"' in html
    assert "This is" not in html


def test_a_register_larger_than_a_text_is_taken_and_one_too_large_refused(office: Office) -> None:
    browser = office.browser()
    rows = "".join(f"B{n},Canary {n},09{n:08d},{'x' * 200}\n" for n in range(2000))
    _upload(browser, "code,name,phone,remark\n" + rows)
    assert browser.post("/imports/", file=(BytesIO(b"x" * (22 * 1024 * 1024)), "x.csv")).status_code == 413


def test_the_file_is_ciphertext_in_the_database(office: Office) -> None:
    _upload(office.browser(), REGISTER)
    assert b"Hoa" not in bytes(office.world.value("SELECT file_enc FROM imports"))
