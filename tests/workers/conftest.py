"""The gateway's real processes on a test's own database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.builders import World
from tests.faults.processes import Processes, free_port

SHORT = {"GATEWAY_READ_TIMEOUT_SECONDS": "3", "GATEWAY_LEASE_SECONDS": "6", "GATEWAY_WEB_WORKERS": "1"}


@pytest.fixture
def processes(environ: dict[str, str], tmp_path: Path) -> Iterator[Processes]:
    """None yet: a test starts those it needs."""
    port = str(free_port())
    logs = tmp_path / "logs"
    logs.mkdir()
    started = Processes(environ | SHORT | {"GATEWAY_PORT": port, "GATEWAY_PUBLIC_URL": f"http://127.0.0.1:{port}"}, logs)
    yield started
    started.kill_all()


def plan(world: World, body: str = "Canary body", **changes: Any) -> UUID:
    """A text that is due now."""
    now = datetime.now(UTC)
    return world.planned(world.client(), body, **({"send_after": now, "send_before": now + timedelta(hours=1)} | changes))
