"""`python -m tests.pictures`: see the package."""

import os
import random
import sys
import tempfile
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path

from gateway import app
from gateway.config import Settings
from gateway.vault import new_setting
from tests import servers
from tests.pictures import camera, district, morning
from tests.year.clock import Clock
from tests.year.town import VIETNAM

ROOT = Path(__file__).parents[2]
_SAME_IDS = """
  CREATE SEQUENCE virtual.made;
  GRANT USAGE ON SEQUENCE virtual.made TO PUBLIC;
  CREATE FUNCTION virtual.gen_random_uuid() RETURNS uuid VOLATILE LANGUAGE sql AS $$SELECT md5(nextval('virtual.made')::text)::uuid$$;
"""


def main() -> int:
    _leave_nothing_to_chance()
    servers.begin_run()
    try:
        with servers.new_database() as database, tempfile.TemporaryDirectory() as kept:
            today = datetime.combine(district.TODAY, time(10, 12), VIETNAM)
            began = today.replace(hour=7, minute=0) - timedelta(days=1, weeks=district.WEEKS)
            clock = Clock(database.admin_url, database.name, began, _SAME_IDS)
            environ = {
                "GATEWAY_MASTER_KEYS": new_setting("1"), "GATEWAY_INDEX_KEYS": new_setting("1"), "DATABASE_URL": database.url,
                "GATEWAY_ADMIN_DATABASE_URL": database.admin_url, "REDIS_URL": servers.shared().redis_url, "GATEWAY_VAR": kept,
            }  # fmt: skip
            settings = Settings.from_env(environ)
            made, practice = app.create_app(settings), app.create_app(replace(settings, embedded=True))
            try:
                place = district.District(made, clock, Path(kept))
                place.live(today - timedelta(days=8))
                morning.book(place)
                scene = morning.begin(place, Path(kept))
                made.config["NOW"] = practice.config["NOW"] = clock.now
                camera.take_all(made, practice, scene, ROOT / "docs" / "pictures", sys.argv[1:])
            finally:
                for each in (made, practice):
                    each.extensions["gateway"].engine.dispose()
                clock.close()
    finally:
        servers.end_run()
    return 0


def _leave_nothing_to_chance() -> None:
    """Ids, keys and tokens come from a seed: an order by id is then the same each time. For a practice database alone."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(sys.executable, [sys.executable, "-m", "tests.pictures", *sys.argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"})
    drawn = random.Random(district.SEED).randbytes
    os.urandom = drawn
    random._urandom = drawn  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
