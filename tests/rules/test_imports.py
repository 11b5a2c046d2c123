"""Who may import whom. The layers are contracts in pyproject.toml; what they cannot say is said here."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOMAIN_MAY_USE = {"phonenumbers", "dateutil", "rapidfuzz"}
IMPURE = {"asyncio", "datetime.now", "logging", "os", "random", "secrets", "socket", "subprocess", "threading", "time"}
SHARED_CHANNEL_FILES = {"base", "registry", "__init__", "without", "description"}


def _imports(path: Path) -> list[str]:
    """Every name a file imports, in full: `gateway.store.base`, `sqlalchemy.text`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def _files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def test_imports_go_down_only() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("path", _files("gateway/domain"), ids=lambda path: path.stem)
def test_the_domain_does_no_io_and_has_no_clock_or_chance(path: Path) -> None:
    top = {name.split(".")[0] for name in _imports(path)}
    assert top <= set(sys.stdlib_module_names) | DOMAIN_MAY_USE | {"gateway"}
    assert not top & IMPURE
    assert not {name for name in _imports(path) if name.startswith("gateway.") and not name.startswith("gateway.domain")}
    called = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    assert not {f.attr for f in called if isinstance(f, ast.Attribute)} & {"now", "today", "utcnow", "uuid4"}
    assert not {f.id for f in called if isinstance(f, ast.Name)} & {"open", "print", "input"}


def test_no_carrier_knows_another() -> None:
    carriers = {path.stem for path in _files("gateway/channels")} - SHARED_CHANNEL_FILES
    known = {
        f"{path.stem} -> {name}"
        for path in _files("gateway/channels")
        for name in _imports(path)
        if path.stem in carriers and name.startswith("gateway.channels.") and name.split(".")[2] in carriers
    }
    assert known == set()


def test_sql_is_written_in_the_store_alone() -> None:
    allowed = ("sqlalchemy.Engine", "sqlalchemy.Connection", "sqlalchemy.exc")
    elsewhere = [
        f"{path.relative_to(ROOT)} -> {name}"
        for path in _files("gateway", "workers")
        if not {"store", "embedded"} & set(path.relative_to(ROOT).parts)
        for name in _imports(path)
        if name.split(".")[0] in {"sqlalchemy", "psycopg", "alembic"} and not name.startswith(allowed)
    ]
    assert elsewhere == []


def test_the_environment_is_read_only_where_processes_start() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for path in _files("gateway", "workers")
        if "environ" in path.read_text("utf-8") and "os.environ" in path.read_text("utf-8")
    }
    allowed = ("gateway/cli/", "gateway/embedded/", "gateway/supervisor.py", "workers/")
    assert {path for path in readers if not path.startswith(allowed)} == set()


@pytest.mark.parametrize("process", ["gateway.app", "workers.main", "workers.clock", "workers.lines"])
def test_a_process_does_not_load_what_it_needs_for_one_rare_thing(process: str) -> None:
    heavy = {"aiohttp", "alembic", "holidays", "mako", "numpy", "openpyxl", "requests"} | (set() if process == "workers.lines" else {"smpplib"})
    asked = f"import sys, {process}; print(*{{name.partition('.')[0] for name in sys.modules}} & {heavy})"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
