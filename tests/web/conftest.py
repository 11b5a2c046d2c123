"""What tests of pages may ask for."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from sqlalchemy import Engine

from gateway.vault import Vault
from tests.web.office import Office, office


@pytest.fixture(name="office")
def _office(engine: Engine, vault: Vault, environ: dict[str, str], now: datetime) -> Iterator[Office]:
    made = office(engine, vault, environ, now)
    yield made
    made.app.extensions["gateway"].engine.dispose()
