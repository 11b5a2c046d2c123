"""What every test may ask for. Servers are real; see tests/servers.py."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b

import hypothesis
import pytest
import redis
from sqlalchemy import Engine

from gateway.store import base
from gateway.vault import Vault, new_setting, parse_keys
from tests import servers
from tests.servers import Database, OwnServers

hypothesis.settings.register_profile("gateway", deadline=None)  # a busy machine is no fault of the code
hypothesis.settings.load_profile("gateway")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        servers.begin_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        servers.end_run()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each process begins with its share of the tests that take minutes, then of all modules in a mixed order.

    Most tests of faults wait and those of pages work: side by side they use a machine better than one kind after the other.
    `--dist worksteal` cuts the order into one piece for each process, as even as can be, and so do we.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if processes == 1:
        return
    long = [item for item in items if takes_minutes(item)]
    rest = [item for item in items if not takes_minutes(item)]
    rest.sort(key=lambda item: blake2b(str(item.path.relative_to(item.config.rootpath)).encode()).digest())
    mixed: list[pytest.Item] = []
    for number in range(processes):
        mine = long[number::processes]
        others = (len(items) - len(mixed)) // (processes - number) - len(mine)
        mixed += mine + rest[:others]
        del rest[:others]
    items[:] = mixed


def takes_minutes(item: pytest.Item) -> bool:
    """Whether a test is allowed more than others are."""
    allowed = item.get_closest_marker("timeout")
    return allowed is not None and allowed.args[0] >= 400


@pytest.fixture
def database() -> Iterator[Database]:
    """A migrated, empty database of one's own."""
    with servers.new_database() as made:
        yield made


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    """The database, as the plain role that the gateway connects as."""
    engine = base.connect(database.url)
    yield engine
    engine.dispose()


@pytest.fixture
def redis_url() -> str:
    """An empty Redis database that no other process of the run uses. FLUSHALL needs `own_servers`."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    url = f"{servers.shared().redis_url}?db={number}"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def own_servers() -> Iterator[OwnServers]:
    """A PostgreSQL (migrated, durable) and a Valkey to stop and kill: `own_servers.start()` gives the addresses."""
    with servers.own() as pair:
        yield pair


@pytest.fixture(scope="session")
def keys() -> dict[str, str]:
    """The settings of a run's keys, for processes that a test starts."""
    return {"GATEWAY_MASTER_KEYS": new_setting("1"), "GATEWAY_INDEX_KEYS": new_setting("1")}


@pytest.fixture
def vault(keys: dict[str, str]) -> Vault:
    return Vault(parse_keys(keys["GATEWAY_MASTER_KEYS"]), parse_keys(keys["GATEWAY_INDEX_KEYS"]))


@pytest.fixture
def environ(database: Database, redis_url: str, keys: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process of the gateway on the test's own database."""
    return {
        **os.environ, **keys, "LANGUAGE": "en", "DATABASE_URL": database.url, "GATEWAY_ADMIN_DATABASE_URL": database.admin_url,
        "REDIS_URL": redis_url, "GATEWAY_VAR": str(tmp_path_factory.mktemp("var")),
    }  # fmt: skip


@pytest.fixture
def now() -> datetime:
    """A Tuesday morning in winter: 03:00 in London, 10:00 in Vietnam."""
    return datetime(2026, 2, 10, 3, 0, tzinfo=UTC)
