"""Units on pages: the tree, added, changed."""

from tests.web.office import Office


def test_a_unit_is_added_below_another_with_its_hours_and_language(office: Office) -> None:
    admin = office.browser("administrator", unit_id=office.top_id)
    html = admin.press("/units/new", code="P0101", name="Trạm y tế", kind="clinic", parent="P01")
    assert "P0101 was added" in html and "Trạm y tế" in html
    tree = admin.read("/units")
    assert tree.index(">P<") < tree.index(">P01<") < tree.index(">P02<") and "units below: 1" in tree and ">P0101<" not in tree
    branch = admin.read("/units?under=P01")
    assert branch.index(">P<") < branch.index(">P01<") < branch.index(">P0101<") and ">P02<" not in branch
    assert admin.get("/units?under=nowhere").status_code == 404


def test_hours_zone_caps_and_details_are_changed_on_the_page(office: Office) -> None:
    admin, path = office.browser("administrator"), f"/units/{office.world.unit_id}"
    form = {"name": "Xã Một", "zone": "Asia/Ho_Chi_Minh", "language": "vi", "region": "VN", "tones": "always", "opens": "07:30", "closes": "21:00",
                "texts_a_day": "2", "texts_a_week": "5", "detail": ["service", "phone.en", "gone"], "value": ["Nhà Hy Vọng", "0900 000 000", ""]}  # fmt: skip
    html = admin.press(path, **form)
    assert "P01 was changed" in html and "Nhà Hy Vọng" in html and 'value="phone.en"' in html and "gone" not in html
    value = office.world.value("SELECT opens || ' ' || texts_a_day || ' ' || (details ->> 'service') FROM units WHERE code = 'P01'")
    assert value == "07:30:00 2 Nhà Hy Vọng"
    html = admin.press(path, **(form | {"opens": "", "closes": "", "texts_a_day": ""}))
    assert office.world.value("SELECT opens IS NULL AND texts_a_day IS NULL FROM units WHERE code = 'P01'")


def test_what_cannot_be_is_refused_in_the_form(office: Office) -> None:
    admin, path = office.browser("administrator"), f"/units/{office.world.unit_id}"
    good = {"name": "Xã", "zone": "Asia/Ho_Chi_Minh", "language": "vi", "region": "VN"}
    for wrong in ({"zone": "Mars/Olympus"}, {"opens": "20:00", "closes": "20:00"}, {"texts_a_day": "9"}, {"region": "XX"}, {"language": "xx"}):
        answer = admin.post(path, **(good | wrong))
        assert (answer.status_code, 'role="alert"' in answer.get_data(as_text=True)) == (400, True), wrong
