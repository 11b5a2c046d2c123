"""Menus by USSD while processes are killed and the database is slow: tries count, nothing is done twice, there is always a screen in time."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import uuid4

from gateway.usecases.answer_ussd import LONGEST_SECONDS
from tests import builders
from tests.faults.processes import until
from tests.faults.stage import FULL, Stage
from tests.faults.test_postgres_away import away
from tests.test_ussd_webhook import SECRET, post

STANDS_STILL_S = 15.0 if FULL else 5.0
AT_ONCE = 12


class Handset:
    """A phone that dials over HTTP, at the gateway's own process."""

    def __init__(self, stage: Stage) -> None:
        world = stage.world
        self.number = world.phone_of(world.client(language="en"))
        channel_id = builders.channel(world.engine, world.vault, world.now, world.unit_id, "africastalking", name=f"at {uuid4()}",
                                      settings={"secret": SECRET}, texts=False)  # fmt: skip
        self.url = f"{stage.processes.url}/c/{channel_id}/ussd?key={SECRET}"

    def post(self, text: str, session: str) -> str:
        form = {"sessionId": session, "serviceCode": "*123#", "phoneNumber": self.number, "networkCode": "1", "text": text}
        status, body = post(self.url, form)
        assert status == 200, body
        return body

    def again(self, text: str, session: str) -> str:
        """Post until there is an answer from the menu."""

        def answered() -> str:
            with suppress(OSError):
                body = self.post(text, session)
                return "" if "later" in body else body
            return ""

        return str(until(answered, 30, "a screen") and self.post(text, session))


def tries(stage: Stage, handset: Handset) -> int:
    phone_hash = stage.vault.hash_phone(handset.number)
    return int(stage.world.value("SELECT tries FROM ussd_pins WHERE phone_hash = :phone", phone=phone_hash))


def test_wrong_pins_count_though_web_process_and_postgres_are_killed_between_them(stage: Stage) -> None:
    handset = Handset(stage)
    handset.post("1*1234*1234", "chosen")
    assert "Tries left: 4" in handset.post("1*0001", "one")
    stage.processes.kill("web")
    stage.processes.start("web")
    assert "Tries left: 3" in handset.again("1*0002", "two")
    with away(stage, "kill_postgres"):
        pass
    assert "Tries left: 2" in handset.again("1*0003", "three")
    assert "Tries left: 2" in handset.post("1*0003", "three"), "the same post again"
    stage.processes.kill("web")
    stage.processes.start("web")
    assert "Tries left: 1" in handset.again("1*0004", "four")
    assert "locked" in handset.post("1*0005", "five")
    with away(stage, "kill_postgres"):
        pass
    assert "locked" in handset.again("1", "six")
    assert tries(stage, handset) == 5


def test_a_try_whose_process_is_killed_in_the_middle_counts_once_when_it_is_posted_again(stage: Stage) -> None:
    handset = Handset(stage)
    handset.post("1*1234*1234", "chosen")
    with ThreadPoolExecutor(1) as pool, stage.locked("ussd_pins"):
        cut = pool.submit(handset.post, "1*0001", "cut")
        stage.until_blocked()
        stage.processes.kill("web")
        assert cut.exception(10) is not None
    stage.processes.start("web")
    assert "Tries left: 4" in handset.again("1*0001", "cut")
    assert tries(stage, handset) == 1


def test_a_database_that_stands_still_gives_a_last_screen_to_all_within_three_seconds(stage: Stage) -> None:
    handset = Handset(stage)
    handset.post("", "before")

    def dial(number: int) -> tuple[float, str]:
        began = time.monotonic()
        body = handset.post("4", f"slow {number}")
        return time.monotonic() - began, body

    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool, stage.locked("ussd_sessions"):
        for took, body in pool.map(dial, range(AT_ONCE)):
            assert body.startswith("END ") and "115" in body
            assert took < LONGEST_SECONDS + 1
        stage.wait(max(0.0, STANDS_STILL_S - (time.monotonic() - began)))
    assert handset.again("4", "slow 0").startswith("END Noted.")
    once = "SELECT max(n) FROM (SELECT count(*) AS n FROM inbound WHERE from_hash = :phone GROUP BY carrier_id) each"
    assert stage.world.value(once, phone=stage.vault.hash_phone(handset.number)) == 1
