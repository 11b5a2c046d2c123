"""`python -m tests.year`: see the package."""

import argparse
import signal
import sys
import tempfile
import time
from datetime import date, datetime
from pathlib import Path

from gateway import content
from tests import servers
from tests.year.ledger import Broken
from tests.year.town import VIETNAM
from tests.year.year import Options, Year


def _options() -> Options:
    usual = Options()
    parser = argparse.ArgumentParser(prog="python -m tests.year", description="A province's year with the gateway, simulated.")
    parser.add_argument("--clients", type=int, default=usual.clients)
    parser.add_argument("--weeks", type=int, default=usual.weeks)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--start", type=date.fromisoformat, default=usual.start.date(), help="a Monday")
    parser.add_argument("--every", type=int, default=usual.every_minutes, metavar="MINUTES", help="from one look by day to the next")
    parser.add_argument("--fault-days", type=float, default=usual.fault_days, help="from one fault to the next; 0: none")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="this client alone")
    given = parser.parse_args()
    start = datetime.combine(given.start, datetime.min.time(), VIETNAM)
    return Options(given.clients, given.weeks, given.seed, start, given.every, given.fault_days, given.only)


def main() -> int:
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    servers.begin_run()
    try:
        with servers.new_database() as database, tempfile.TemporaryDirectory() as folder:
            run = Year(options, database, servers.shared().redis_url, content.load(), Path(folder))
            try:
                return _play(run)
            finally:
                run.close()
    finally:
        servers.end_run()


def _play(run: Year) -> int:
    """Day by day to the end; to wherever it is when interrupted. 1 when something does not hold."""
    began, number = time.monotonic(), 0
    try:
        for number in range(run.options.weeks * 7):
            run.day(number)
            print(f"\rday {number + 1}: {time.monotonic() - began:.0f} s, {run.count['texts out']:,} texts out, {run.count['texts in']:,} in",
                  end="\n" if number % 7 == 6 else "", file=sys.stderr)  # fmt: skip
        run.ledger.close_year()
    except Broken as broken:
        print(f"\n{run.report_of(broken, number)}")
        return 1
    except KeyboardInterrupt:
        print(f"\nended by hand in week {number // 7 + 1}")
    print(f"\n{run.options.clients:,} clients, {number / 7:.1f} weeks, seed {run.options.seed}: {time.monotonic() - began:.0f} s", "",
          *run.summary(), sep="\n")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
