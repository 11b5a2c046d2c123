"""Administration: whether everything runs, the switch, words, how long things are kept."""

from gateway.store import switches
from gateway.store.base import SYSTEM, unit_of_work
from tests.web.office import Office


def _is_sending(office: Office) -> bool:
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        return switches.is_on(work, "sending")


def test_an_administrator_stops_all_sending_and_lets_it_go_again(office: Office) -> None:
    browser = office.browser("administrator", unit_id=office.top_id)
    assert "Sending is off" in browser.press("/administration/sending", sending="off")
    assert not _is_sending(office)
    assert "Sending is on." in browser.press("/administration/sending", sending="on")
    assert _is_sending(office)
    assert office.world.value("SELECT count(*) FROM audit WHERE action LIKE 'sending.%'") == 2


def test_a_supervisor_sees_the_state_and_no_switch(office: Office) -> None:
    html = office.browser("supervisor").read("/administration")
    assert "Sending is on." in html and "Stop all sending" not in html


def test_word_lists_are_shown_by_language_with_whoever_signed_them(office: Office) -> None:
    browser = office.browser("supervisor", language="vi")
    assert ">nguy cấp<" in browser.read("/administration/words")
    assert "kết_liễu" in browser.read("/administration/words?language=vi&meaning=crisis")
    assert browser.get("/administration/words?language=xx").status_code == 404


def test_what_is_kept_how_long_is_said_as_in_the_documents(office: Office) -> None:
    assert "no end is enforced yet" in office.browser("supervisor").read("/administration/retention")
