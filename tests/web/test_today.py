"""The first page after signing in."""

from datetime import timedelta

from tests.web.office import Office


def test_open_flags_are_listed_the_gravest_first_with_their_due_time(office: Office) -> None:
    client = office.world.client()
    office.flag(client, "info")
    office.flag(client, "crisis")
    office.at(office.world.now + timedelta(minutes=10))
    html = office.browser().read("/")
    assert html.index("words that may mean danger to life") < html.index("asks for information")
    assert "overdue by 5 minutes" in html
    assert "7 hours left" in html


def test_a_flag_is_taken_by_a_button_and_its_owner_is_shown(office: Office) -> None:
    number, member = office.flag(), office.member(code="lan")
    html = office.sign_in(member).press(f"/flags/{number}/take")
    assert f"Flag {number} is with you." in html
    assert ">lan" in html


def test_what_a_deed_said_is_said_once(office: Office) -> None:
    browser, number = office.browser(), office.flag()
    assert "is with you" in browser.press(f"/flags/{number}/take")
    assert "is with you" not in browser.read("/")


def test_two_do_not_take_the_same_flag_unknowingly(office: Office) -> None:
    number = office.flag()
    office.sign_in(office.member(code="lan")).press(f"/flags/{number}/take")
    answer = office.browser().post(f"/flags/{number}/take")
    assert (answer.status_code, "lan has taken flag" in answer.get_data(as_text=True)) == (400, True)


def test_the_page_speaks_the_language_of_whoever_looks(office: Office) -> None:
    assert "Hôm nay" in office.browser(language="vi").read("/")
    assert "Aujourd’hui" in office.browser(language="fr").read("/")


def test_a_flag_that_somebody_above_has_taken_is_not_offered_again(office: Office) -> None:
    number, boss = office.flag(), office.member("supervisor", unit_id=office.top_id)
    office.sign_in(boss).press(f"/flags/{number}/take")
    html = office.browser().read("/")
    assert "somebody above your unit" in html and "/take" not in html
