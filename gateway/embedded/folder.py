"""What lies in `./var` beside the servers' data: secrets, locks, logs, and the folder of the sockets."""

import fcntl
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

from gateway.domain.errors import Refused
from gateway.embedded.runner import Runner
from gateway.vault import new_setting

LONGEST_SOCKET_PATH_BYTES = 107
NAMES = (
    "postgres", "postgres.new", "postgres.log", "valkey", "valkey.log", "sockets", "binaries", "processes", "spool",
    "keys.env", "servers.env",
)  # fmt: skip
"""All that we ever put there, except the locks."""


def make(var: Path) -> None:
    """Make it, closed to others, except that root must let `nobody` pass through. Raises Refused if it is not ours."""
    try:
        var.mkdir(parents=True, exist_ok=True)
        if var.stat().st_uid != os.geteuid():
            raise PermissionError
        var.chmod(0o711 if os.geteuid() == 0 else 0o700)
    except (PermissionError, FileExistsError):
        raise Refused(
            "{folder} belongs to another user or is no folder. Run as its owner, or set GATEWAY_VAR to another folder.", folder=var
        ) from None


def holds_database(var: Path) -> bool:
    """Whether a database was made here."""
    return (var / "postgres" / "PG_VERSION").exists()


@contextmanager
def alone(var: Path) -> Iterator[None]:
    """One process at a time starts or stops servers."""
    with (var / "start.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def sockets(var: Path, runner: Runner) -> Path:
    """The closed folder of the sockets: in `var`, or elsewhere when the path would be too long for a socket."""
    folder = var / "sockets"
    if len(os.fsencode(folder / ".s.PGSQL.5432")) > LONGEST_SOCKET_PATH_BYTES:
        short = f"gateway-{os.geteuid()}-{sha256(os.fsencode(var)).hexdigest()[:12]}"
        personal = None if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR")
        folder = Path(personal or tempfile.gettempdir()) / short
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid not in (runner.uid, os.geteuid()) or found.st_mode & 0o077:
        raise Refused("{folder} was not made by this program or is open to others: delete it and start again", folder=folder)
    runner.own(folder)
    return folder


def passwords(var: Path) -> dict[str, str]:
    """The passwords of the servers' users, made on first use."""
    return _secrets(var, "servers.env", dict.fromkeys(("app", "gateway", "valkey"), secrets.token_urlsafe))


def keys(var: Path) -> dict[str, str]:
    """The keys of what is encrypted in the embedded database, made before it."""
    names = ("GATEWAY_MASTER_KEYS", "GATEWAY_INDEX_KEYS")
    return _secrets(var, "keys.env", dict.fromkeys(names, lambda: new_setting("1")))


def _secrets(var: Path, name: str, make_each: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    file = var / name
    if not file.exists():
        if holds_database(var):
            raise Refused(
                "{file} is gone, and without it the database beside it cannot be read. Bring it back from a copy, or "
                "empty the folder with `make reset`.",
                file=file,
            )
        write_closed(file, "".join(f"{name}={new()}\n" for name, new in make_each.items()))
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


def write_closed(file: Path, text: str) -> None:
    """Write for our eyes only, whole or not at all."""
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    new.rename(file)


def log(var: Path, name: str) -> IO[bytes]:
    """A server's log to append to, begun anew when it has grown past 10 MB."""
    file = var / f"{name}.log"
    mode = os.O_TRUNC if file.exists() and file.stat().st_size > 10_000_000 else os.O_APPEND
    return open(os.open(file, os.O_WRONLY | os.O_CREAT | mode, 0o600), "ab")


def last_line(var: Path, name: str) -> str:
    """The last thing a server said."""
    lines = (var / f"{name}.log").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
