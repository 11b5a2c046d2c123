"""What tests of pages may ask for."""

import os
import shutil
import threading
from collections.abc import Iterator
from datetime import datetime

import pytest
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import Engine
from werkzeug.serving import make_server

from gateway.vault import Vault
from tests.web.office import Office, office

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
"""The same browser; without its windows, which nobody looks at here, it does with half."""
MISSING = "There is no browser: install Debian's package `chromium-headless-shell`, or `chromium`."


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser. REQUIRE_BROWSER=1 makes its absence a failure."""
    if CHROMIUM is None:
        pytest.fail(MISSING) if os.environ.get("REQUIRE_BROWSER") == "1" else pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(name="office")
def _office(engine: Engine, vault: Vault, environ: dict[str, str], now: datetime) -> Iterator[Office]:
    made = office(engine, vault, environ, now)
    yield made
    made.app.extensions["gateway"].engine.dispose()


@pytest.fixture
def address(office: Office) -> Iterator[str]:
    """Where a real browser finds the office."""
    server = make_server("127.0.0.1", 0, office.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()
