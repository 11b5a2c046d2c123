"""On call on pages."""

from tests.web.office import Office


def test_a_list_is_made_in_order_and_who_would_hear_is_shown(office: Office) -> None:
    boss = office.browser("supervisor")
    assert "Nobody can be texted" in boss.read("/on-call") and "None yet" in boss.read("/on-call")
    assert boss.get("/on-call?unit=P01").location.endswith(str(office.world.unit_id)) and boss.get("/on-call?unit=P02").status_code == 404
    lan = office.world.staff("+84900000001", on_duty=False)
    code = office.world.value("SELECT code FROM staff WHERE id = :id", id=lan)
    office.member(code="bea")
    html = boss.press(f"/on-call/{office.world.unit_id}", staff=[code, "bea", ""], hours=["", "Mon-Fri 08:00-17:00", ""])
    assert "The list of P01 is saved." in html and "go to the next person: bea" in html
    assert html.index("Who would hear") < html.rindex(code)
    assert "cannot be texted" in boss.read("/on-call")


def test_wrong_hours_and_people_of_other_units_are_refused_in_the_form(office: Office) -> None:
    boss, path = office.browser("supervisor"), f"/on-call/{office.world.unit_id}"
    office.member(code="bea")
    office.member(code="far", unit_id=office.other_id)
    for people, hours in ((["bea"], ["sometimes"]), (["far"], [""]), (["bea", "bea"], ["", ""])):
        answer = boss.post(path, staff=people, hours=hours)
        assert (answer.status_code, 'role="alert"' in answer.get_data(as_text=True)) == (400, True), people


def test_without_a_second_way_the_test_says_so(office: Office) -> None:
    assert "no second way is set up" in office.browser("supervisor").press("/on-call/test")
