"""One phone posts as fast as it can: others' texts have their turn, its own stop too, and memory stays where it was."""

import threading
import time
from itertools import count
from pathlib import Path
from uuid import uuid4

from tests.faults.posting import FORM, form, post, sign
from tests.faults.processes import until
from tests.faults.stage import FULL, Stage

FLOOD_S = 60 if FULL else 6
FLOODERS = 48


def text(stage: Stage, phone: str, words: str) -> int:
    """A signed text; the status of our answer."""
    body = form({"MessageSid": f"SM{uuid4().hex}", "From": phone, "To": stage.number, "Body": words, "NumMedia": "0"})
    return post(stage.inbound_url, body, [("Content-Type", FORM), ("X-Twilio-Signature", sign(stage.inbound_url, body))]).status


def megabytes(stage: Stage) -> float:
    """What the web process and its children have in memory."""
    main = stage.processes.pid("web")
    pids = [main, *(int(pid) for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split())]
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * 4096 / 2**20


def test_a_flood_from_one_phone_blocks_nobody_and_fills_no_memory(stage: Stage) -> None:
    flooder, other = (stage.world.phone_of(stage.world.client()) for _ in range(2))
    before, over = megabytes(stage), threading.Event()
    statuses: list[int] = []
    numbers = count()

    def flood() -> None:
        while not over.is_set():
            statuses.append(text(stage, flooder, f"Canary flood {next(numbers)}"))

    threads = [threading.Thread(target=flood) for _ in range(FLOODERS)]
    for thread in threads:
        thread.start()
    waits: list[float] = []
    ends = time.monotonic() + FLOOD_S
    while time.monotonic() < ends:
        began = time.monotonic()
        assert text(stage, other, f"Canary other {len(waits)}") == 200
        waits.append(time.monotonic() - began)
    stop = text(stage, flooder, "STOP")
    over.set()
    for thread in threads:
        thread.join()
    stage.figures["posts of the flood"] = len(statuses)
    stage.figures["longest wait of the other (s)"] = max(waits)
    assert stop == 200
    assert set(statuses) <= {200, 503}
    assert 503 in statuses
    assert max(waits) < 5
    assert megabytes(stage) < before + 100
    sql = "SELECT count(*) FROM stops WHERE phone_hash = :p"
    until(lambda: stage.world.value(sql, p=stage.vault.hash_phone(flooder)) == 1, what="the stop")
