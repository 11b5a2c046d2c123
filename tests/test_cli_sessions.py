"""Dialogues and scores by commands: begun, looked at, silent, flagged with what was asked, scored."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import text

from gateway import queues
from gateway.store.base import unit_of_work
from gateway.usecases import notice_silence
from tests.builders import CONTENT
from tests.test_cli_life import PHONE, Office, office  # noqa: F401  (a fixture)


def begin(office: Office) -> None:  # noqa: F811
    """A client who agreed to check-ins is asked, and the question reaches the phone."""
    office.do("client", "consent", "K1", "check_in", "--grant", "signed form", "--as", "lan")
    office.do("dialogue", "start", "weekly_check_in", "--client", "K1", "--as", "lan")
    with unit_of_work(office.engine) as work:
        for state in ("submitting", "delivered"):
            work.connection.exec_driver_sql(f"UPDATE outbound SET state = '{state}'")


def test_a_dialogue_is_begun_shown_and_answered(office: Office) -> None:  # noqa: F811
    begin(office)
    shown = office.do("dialogue", "show", "K1", "--as", "lan")
    assert "weekly_check_in: waits for an answer" in shown and "Dạo này bạn có ổn không?" in shown and "silence is looked at" in shown
    office.receive("1")
    assert "ask answered: yes" in office.do("dialogue", "show", "K1", "--as", "lan")
    assert office.value("SELECT count(*) FROM audit WHERE action IN ('dialogue.start', 'dialogue.show')") == 3


def test_without_consent_and_by_staff_of_another_unit_nobody_is_asked(office: Office) -> None:  # noqa: F811
    assert "no consent for check_in" in office.refused("dialogue", "start", "weekly_check_in", "--client", "K1", "--as", "lan")
    office.do("client", "consent", "K1", "check_in", "--grant", "signed form", "--as", "lan")
    assert "no client" in office.refused("dialogue", "start", "weekly_check_in", "--client", "K1", "--as", "hoa")
    assert "weekly_check_in" in office.refused("dialogue", "start", "nothing", "--client", "K1", "--as", "lan")
    assert office.value("SELECT count(*) FROM sessions") == 0


def test_silence_is_a_flag_with_what_was_asked_and_a_hidden_number(office: Office) -> None:  # noqa: F811
    begin(office)
    with unit_of_work(office.engine) as work:
        later = work.now + timedelta(hours=49)
    assert notice_silence.notice(office.engine, office.vault, CONTENT, queues.silent, later) == 1
    number = re.search(r"^(\d+) +medium", office.do("flag", "list", "--as", "lan"), re.MULTILINE)[1]
    shown = office.do("flag", "show", number, "--as", "lan")
    assert "did not answer; call and ask how they are" in shown
    assert "Dạo này bạn có ổn không?" in shown and "call …23" in shown
    assert PHONE.replace(" ", "")[2:] not in shown


def test_scores_are_kept_corrected_and_shown_as_a_line(office: Office) -> None:  # noqa: F811
    assert "no scores yet" in office.do("client", "scores", "K1", "--as", "lan")
    for value, day in ((20, "1/9/2025"), (35, "1/10/2025"), (61, "1/11/2025"), (50, "1/11/2025"), (52, "1/11/2025")):
        result = office.try_("client", "score", "K1", "barc10", value, "--on", day, "--as", "lan")
        assert result.exit_code == (2 if value == 61 else 0), result.output
    shown = office.do("client", "scores", "K1", "--as", "lan")
    assert "▂▅▇" in shown and "2025-11-01  52" in shown and "from 47 on" in shown
    assert "still to come" in office.refused("client", "score", "K1", "barc10", "40", "--on", "1/1/2099", "--as", "lan")
    assert "no client" in office.refused("client", "scores", "K1", "--as", "hoa")
    assert office.try_("client", "scores", "K1", "--as", "an").exit_code != 0


def test_a_command_that_a_deadlock_undid_is_done_after_all(office: Office) -> None:  # noqa: F811
    begin(office)
    with unit_of_work(office.engine) as work:
        later = work.now + timedelta(hours=49)
    notice_silence.notice(office.engine, office.vault, CONTENT, queues.silent, later)
    number = office.value("SELECT number FROM flags")
    with unit_of_work(office.engine) as work:
        work.connection.exec_driver_sql("UPDATE sessions SET status = 'suspended'")  # closing the flag writes it too
    with ThreadPoolExecutor(1) as pool:
        with unit_of_work(office.engine) as work:
            work.connection.exec_driver_sql("SELECT FROM sessions FOR UPDATE")
            closing = pool.submit(office.try_, "flag", "close", number, "--outcome", "spoke_to_client", "--as", "lan")
            held = work.value(text("SELECT CAST(pg_current_xact_id() AS text)"))
            for _ in range(500):
                if office.value("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND CAST(transactionid AS text) = :held)", held=held):
                    break
                time.sleep(0.02)
            work.connection.exec_driver_sql("UPDATE flags SET due_at = due_at")  # each waits for the other: PostgreSQL ends the command's
        result = closing.result()
    assert result.exit_code == 0, result.output
    assert result.output == f"flag {number} closed: spoke to the client\n"
    assert office.value("SELECT state FROM flags") == "closed"
