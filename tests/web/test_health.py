"""What a monitor asks first."""

from pathlib import Path

from gateway import app
from gateway.config import Settings
from gateway.spool import LATER


def test_a_text_that_the_database_did_not_take_is_said_to_wait_on_disk(environ: dict[str, str]) -> None:
    settings = Settings.from_env(environ)
    made = app.create_app(settings)
    browser = made.test_client()
    before = browser.get("/health").json["spooling"]
    (Path(settings.spool_folder) / f"1-1.in{LATER}").write_bytes(b"")
    assert (before, browser.get("/health").json["spooling"]) == (False, True)
    made.extensions["gateway"].engine.dispose()
