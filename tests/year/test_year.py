"""Three weeks of sixty clients with every fault and Tết in between. `make simulate ARGS="--seed 7"` plays others."""

from datetime import date, datetime
from pathlib import Path

from tests.builders import CONTENT
from tests.servers import Database
from tests.year import faults
from tests.year.town import VIETNAM
from tests.year.year import Options, Year

TET = date(2027, 2, 8)  # a Monday: its check-in waits until the holidays are over
SMALL = Options(clients=60, weeks=3, seed=2, start=datetime(2027, 1, 25, tzinfo=VIETNAM), every_minutes=120, fault_days=0.9)


def test_three_weeks_with_every_fault_and_tet(database: Database, redis_url: str, tmp_path: Path) -> None:
    run = Year(SMALL, database, redis_url, CONTENT, tmp_path)
    try:
        for number in range(21):
            run.day(number)
        run.ledger.close_year()
        assert {fault.kind for fault in run.faults} == set(faults.KINDS)
        assert run.count["killed while sending"]
        print(*run.summary(), sep="\n")
    finally:
        run.close()
