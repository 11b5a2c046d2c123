"""Staff on pages: added, invited once, changed, moved, put on duty, deactivated."""

import re

from tests.web.office import Office


def test_somebody_is_added_and_invited_by_an_address_that_is_shown_once(office: Office) -> None:
    admin = office.browser("administrator", unit_id=office.top_id)
    html = admin.press("/staff/new", code="lan", name="Canary Lan", role="case_worker", unit="P01", phone="0912345678", language="vi")
    assert "lan was added" in html
    path = f"/staff/{office.world.value('SELECT id FROM staff WHERE code = :c', c='lan')}"
    invited = admin.post(f"{path}/invite").get_data(as_text=True)
    found = re.search(r"/invitation\?code=([A-Z0-9-]+)", invited)
    assert found and found[1] not in admin.read(path)
    assert "…78" in admin.read("/staff") and "0912345678" not in admin.read("/staff")


def test_what_is_missing_or_wrong_is_said_in_the_form(office: Office) -> None:
    admin = office.browser("administrator")
    for form, said in (({"code": "", "name": "x", "role": "reviewer", "unit": "P01"}, "are needed"),
                       ({"code": "a", "name": "x", "role": "king", "unit": "P01"}, "are needed"),
                       ({"code": "a", "name": "Kept Typed", "role": "reviewer", "unit": "P02"}, "no unit"),
                       ({"code": "a", "name": "x", "role": "reviewer", "unit": "P01", "phone": "12"}, "<p class=\"error\"")):  # fmt: skip
        answer = admin.post("/staff/new", **form)
        assert (answer.status_code, said in answer.get_data(as_text=True)) == (400, True), form
        assert form["name"] in answer.get_data(as_text=True)


def test_whoever_moves_sees_the_new_unit_alone_and_leaves_their_flags(office: Office) -> None:
    admin, lan = office.browser("administrator", unit_id=office.top_id), office.member(code="lan")
    browser, number = office.sign_in(lan), office.flag()
    browser.press(f"/flags/{number}/take")
    assert "lan was changed" in admin.press(f"/staff/{lan}", role="case_worker", unit="P02", language="fr")
    assert office.world.value("SELECT state || coalesce(CAST(owner_id AS text), '') FROM flags WHERE number = :n", n=number) == "open"
    assert browser.get("/").location.startswith("/login")
    again = office.sign_in(lan)
    assert f"<b>{number}</b>" not in again.read("/")
    assert office.world.value("SELECT count(*) FROM staff_units WHERE staff_id = :id AND unit_id = :u", id=lan, u=office.other_id) == 1


def test_whoever_is_deactivated_is_out_and_their_flags_wait_again(office: Office) -> None:
    admin, lan = office.browser("administrator"), office.member(code="lan")
    browser, number = office.sign_in(lan), office.flag()
    browser.press(f"/flags/{number}/take")
    admin.press(f"/staff/{lan}/deactivate")
    assert browser.get("/").location.startswith("/login")
    assert office.world.value("SELECT state FROM flags WHERE number = :n", n=number) == "open"
    assert admin.post(f"/staff/{lan}/invite").status_code == 400


def test_an_urgent_flag_of_somebody_who_leaves_alerts_people_anew(office: Office) -> None:
    admin, lan = office.browser("administrator"), office.member(code="lan")
    number = office.flag(office.world.client(), "crisis")
    office.sign_in(lan).press(f"/flags/{number}/take")
    on_call = office.world.staff("+84900000001")
    admin.press(f"/staff/{lan}/deactivate")
    texted = "SELECT count(*) FROM alert_steps WHERE way = 'text' AND staff_id = :id AND result = 'texted'"
    assert office.world.value(texted, id=on_call) == 1


def test_nobody_takes_the_last_key_from_themselves(office: Office) -> None:
    me = office.member("administrator", code="ann")
    admin = office.sign_in(me)
    assert admin.post(f"/staff/{me}/deactivate").status_code == 400
    assert admin.post(f"/staff/{me}", role="reviewer").status_code == 400


def test_a_supervisor_puts_people_on_duty_and_no_more(office: Office) -> None:
    boss, lan = office.browser("supervisor"), office.member(code="lan")
    assert "lan is on duty" in boss.press(f"/staff/{lan}/duty", duty="on")
    assert "lan is off duty" in boss.press(f"/staff/{lan}/duty", duty="off")
    assert boss.get(f"/staff/{lan}").status_code == 403
    assert boss.post(f"/staff/{office.member('analyst')}/duty", duty="on").status_code == 400


def test_a_name_and_a_phone_are_changed_and_both_phones_are_told(office: Office) -> None:
    admin, lan = office.browser("administrator"), office.world.staff("+84900000001", on_duty=False)
    html = admin.press(f"/staff/{lan}", name="Nguyễn Lan", phone="0912 345 678")
    assert "Nguyễn Lan" in html and "…78" in html and "0912" not in html
    told = office.world.rows("SELECT to_hash FROM outbound WHERE purpose = 'staff_phone_changed'")
    assert {bytes(row.to_hash) for row in told} == {office.world.vault.hash_phone(e164) for e164 in ("+84900000001", "+84912345678")}
    admin.press(f"/staff/{lan}", name="Nguyễn Lan", phone="0912345678")  # the same again: nobody is told twice
    assert office.world.value("SELECT count(*) FROM outbound") == 2
    kept = office.world.rows("SELECT CAST(detail AS text) AS said FROM audit WHERE action = 'staff.edit'")
    assert [row.said for row in kept] == ['{"name": "changed", "phone": "changed"}']
    answer = admin.post(f"/staff/{lan}", phone="12")
    assert (answer.status_code, 'role="alert"' in answer.get_data(as_text=True)) == (400, True)
    admin.press(f"/staff/{lan}", no_phone="1")
    assert office.world.value("SELECT phone_hash IS NULL AND phone_enc IS NULL FROM staff WHERE id = :id", id=lan)


def test_whoever_is_let_in_again_needs_the_new_invitation(office: Office) -> None:
    admin, lan = office.browser("administrator"), office.member(code="lan")
    browser = office.sign_in(lan)
    office.world.run("UPDATE credentials SET secret_enc = 'x', secret_at = password_at WHERE staff_id = :id", id=lan)
    admin.press(f"/staff/{lan}/deactivate")
    html = admin.post(f"/staff/{lan}/reactivate").get_data(as_text=True)
    assert re.search(r"/invitation\?code=[A-Z0-9-]+", html)
    assert browser.get("/").location.startswith("/login")
    for left in ("credentials", "logins", "recovery_codes"):
        assert office.world.value(f"SELECT count(*) FROM {left} WHERE staff_id = :id", id=lan) == 0
    assert office.world.value("SELECT active AND NOT on_duty FROM staff WHERE id = :id", id=lan)
    assert admin.post(f"/staff/{lan}/reactivate").status_code == 400  # a second click
    assert office.world.value("SELECT count(*) FROM audit WHERE action = 'staff.reactivate'") == 1
