import unicodedata
from contextlib import suppress
from datetime import date, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain import cells
from gateway.domain.errors import Refused
from gateway.domain.windows import Window

DAY = date(2026, 3, 12)
readable_days = st.dates(date(2000, 1, 1), date(2099, 12, 31))


@pytest.mark.parametrize(
    "text",
    [
        "12/03/2026", "12/3/2026", "12-3-26", "12.03.2026", "12 3 2026", "2026-03-12", "2026/3/12", "46093", "46093.0",
        " 12/03/2026 ", "１２/０３/２０２６", "ngày 12 tháng 3 năm 2026", "12 tháng 3, 2026", "Thứ Năm, 12/03/2026",
        "12 Mar 2026", "12th March 2026", "Thu 12 Mar 26", "12/03/2026 00:00:00", "2026-03-12T09:00:00",
    ],
)  # fmt: skip
def test_a_day_is_read_however_a_register_writes_it(text: str) -> None:
    assert cells.read_date(text) == DAY


@settings(max_examples=100, deadline=None)
@given(day=readable_days)
def test_every_day_comes_back_from_every_way_to_write_it(day: date) -> None:
    serial = (day - date(1899, 12, 30)).days
    for text in (
        f"{day:%d/%m/%Y}",
        f"{day.day}-{day.month}-{day:%y}",
        f"{day:%Y-%m-%d}",
        f"{day:%d.%m.%Y} 8h30",
        str(serial),
    ):
        assert cells.read_date(text) == day


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3/13/2026",
        "31/02/2026",
        "29/02/2027",
        "1/2",
        "12/3/0026",
        "1234567",
        "100",
        "soon",
        "12 03 2026 10 20",
        "-1",
    ],
)
def test_what_is_no_day_for_certain_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        cells.read_date(text)


@pytest.mark.parametrize(
    "text",
    ["12/03/2026 14:30", "12/03/2026 14h30", "14h30 ngày 12/03/2026", "ngày 12/3/2026 lúc 14 giờ 30", "12/03/26 2:30 CH",
     "2026-03-12T14:30:00", "46093.604167", "12 March 2026 at 2:30pm"],
)  # fmt: skip
def test_a_day_and_a_time_may_share_a_cell(text: str) -> None:
    assert cells.read_day_and_time(text) == (DAY, time(14, 30))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("09:00", time(9)), ("9h", time(9)), ("9h30", time(9, 30)), ("9g30", time(9, 30)), ("9 giờ 30", time(9, 30)),
        ("9 giờ 30 phút", time(9, 30)), ("9.30", time(9, 30)), ("09:30:00", time(9, 30)), ("2h chiều", time(14)),
        ("8h tối", time(20)), ("12h trưa", time(12)), ("2:30 PM", time(14, 30)), ("12 am", time(0)), ("12pm", time(12)),
        ("8:00 SA", time(8)), ("0.375", time(9)), ("9", time(9)),
    ],
)  # fmt: skip
def test_a_time_of_day_is_read_however_it_is_written(text: str, at: time) -> None:
    assert cells.read_time(text) == at


@pytest.mark.parametrize("text", ["", "24:00", "9:75", "sáng", "9h5", "noonish", "25h"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        cells.read_time(text)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("08:00-20:00", Window(time(8), time(20))), ("8h – 20h30", Window(time(8), time(20, 30))),
        ("8h đến 20h", Window(time(8), time(20))), ("8h to\u031b\u0301i 17h", Window(time(8), time(17))),
        ("8am to 8pm", Window(time(8), time(20))), ("22:00-06:00", Window(time(22), time(6))),
        ("8h-24h", Window(time(8), time(0))), ("0:00-24:00", None),
    ],
)  # fmt: skip
def test_allowed_hours_are_read_however_they_are_written(text: str, window: Window | None) -> None:
    assert cells.read_window(text) == window


@pytest.mark.parametrize("text", ["", "8h", "8-5", "9:00-9:00", "after work", "8-12-17", "8-"])
def test_hours_that_might_mean_the_night_or_nothing_are_refused(text: str) -> None:
    with pytest.raises(Refused):
        cells.read_window(text)


@pytest.mark.parametrize("text", ["x", "Có", "CO", "yes", "1", "✓", "đồng ý"])
def test_yes_in_both_languages(text: str) -> None:
    assert cells.is_yes(text)


@pytest.mark.parametrize("text", ["", "  ", "Không", "ko", "no", "0", "-"])
def test_no_in_both_languages_and_nothing(text: str) -> None:
    assert not cells.is_yes(text)


@pytest.mark.parametrize("text", ["?", "maybe", "12/03/2026", "có thể"])
def test_neither_yes_nor_no_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        cells.is_yes(text)


def test_what_nobody_sees_is_taken_out() -> None:
    seen = cells.clean("\ufeff  Nguye\u0302\u0303n\u00a0\u200bVăn\t \u202eAn\x00\ud800 ")
    assert seen == "Nguyễn Văn An"


def test_the_mark_that_exports_put_before_a_number_is_taken_off() -> None:
    assert cells.clean("'+84912000123") == "+84912000123"
    assert cells.clean("'t Hooft") == "'t Hooft"


@pytest.mark.parametrize(
    "text",
    ["Mã khách hàng", "MA KHACH HANG", " mã_khách-hàng ", unicodedata.normalize("NFD", "Mã Khách Hàng")],
)
def test_two_spellings_of_a_word_have_one_key(text: str) -> None:
    assert cells.key(text) == "makhachhang"


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters(codec=None), max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (
        cells.read_date,
        cells.read_day_and_time,
        cells.read_time,
        cells.read_window,
        cells.is_yes,
        cells.read_count,
    ):
        with suppress(Refused):
            read(text)
    assert cells.clean(cells.clean(text)) == cells.clean(text)


def test_days_are_counted_both_ways_and_not_beyond_the_calendar() -> None:
    assert cells.later(DAY, cells.read_count("-12")) == DAY - timedelta(days=12)
    with pytest.raises(Refused):
        cells.later(date(9999, 12, 31), 1)
