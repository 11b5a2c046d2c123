"""Three weeks of sixty clients with every fault and Tết in between. `make simulate ARGS="--seed 7"` plays others."""

from datetime import date, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.store.base import unit_of_work
from tests.builders import CONTENT
from tests.servers import Database
from tests.year import faults
from tests.year.ledger import Broken
from tests.year.town import VIETNAM
from tests.year.year import Options, Year

AFTER_TET = date(2027, 2, 11)  # the Monday of 8 February is a holiday, as are the two days after it
SMALL = Options(clients=60, weeks=3, seed=2, start=datetime(2027, 1, 25, tzinfo=VIETNAM), every_minutes=180, fault_days=1.2)


@pytest.mark.timeout(900)  # half a minute where nothing else runs
def test_three_weeks_with_every_fault_and_tet(database: Database, redis_url: str, tmp_path: Path) -> None:
    run = Year(SMALL, database, redis_url, CONTENT, tmp_path)
    try:
        for number in range(21):
            run.day(number)
        run.ledger.close_year()
        assert {fault.kind for fault in run.faults} == set(faults.KINDS)
        assert run.count["killed while sending"]
        print(*run.summary(), sep="\n")
        said = run.report_of(Broken("I1", "as an example", run.town[7].id), 20)
        assert "seed 2: I1: as an example" in said and "weekly_check_in" in said and "--seed 2" in said and "--only 7" in said
        assert asked_on(run) == [date(2027, 1, 25), date(2027, 2, 1), AFTER_TET]
    finally:
        run.close()


def asked_on(run: Year) -> list[date]:
    """The days on which check-ins were due in Vietnam."""
    with unit_of_work(run.engine) as work:
        rows = work.all(text("""SELECT DISTINCT CAST(due_at AT TIME ZONE 'Asia/Ho_Chi_Minh' AS date) AS day FROM occurrences c
            JOIN clients p ON p.id = c.client_id JOIN units u ON u.id = p.unit_id JOIN campaigns a ON a.id = c.campaign_id
            WHERE a.kind = 'recurring' AND a.consent_purpose = 'check_in' AND u.region = 'VN' AND due_at < :now ORDER BY 1"""),
            now=run.clock.now)  # fmt: skip
    return [row.day for row in rows]
