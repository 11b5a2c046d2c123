"""Holidays on pages."""

from datetime import timedelta

from tests.web.office import Office


def test_a_holiday_is_added_and_made_a_working_day_again(office: Office) -> None:
    boss, day = office.browser("supervisor"), (office.world.now + timedelta(days=5)).date().isoformat()
    html = boss.press("/holidays/add", unit="P01", day=day, name="Ngày hội xã")
    assert "is a holiday" in html and "Ngày hội xã" in html
    assert "no, a working day" in boss.press("/holidays/remove", unit="P01", day=day)


def test_a_countrys_holidays_are_added_for_three_years(office: Office) -> None:
    boss = office.browser("supervisor")
    assert "holidays added" in boss.press("/holidays/seed", unit="P01", country="VN")
    assert "Tết" in boss.read("/holidays") or "Giỗ" in boss.read("/holidays")
    answer = boss.post("/holidays/seed", unit="P01", country="XX")
    assert (answer.status_code, "there is no list" in answer.get_data(as_text=True)) == (400, True)


def test_days_that_are_none_and_units_of_others_are_refused(office: Office) -> None:
    boss = office.browser("supervisor")
    assert boss.post("/holidays/add", unit="P01", day="soon", name="x").status_code == 400
    assert boss.get("/holidays?unit=P02").status_code == 404
