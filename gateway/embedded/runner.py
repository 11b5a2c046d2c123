"""Who the servers run as, and the processes they are.

PostgreSQL refuses to run as root. As root both servers run as `nobody`, or, where that user may not enter the folder,
in a user namespace in which root looks like `nobody`.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

from gateway.domain.errors import Refused

_launched: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class Runner:
    """A user to launch servers as; `prefix` is the command that makes the namespace."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    def launch(self, command: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start it in a session of its own, so that Ctrl-C does not end the database before the workers."""
        other = self.uid != os.geteuid()
        child = subprocess.Popen(
            [*self.prefix, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            user=self.uid if other else None, group=self.gid if other else None, extra_groups=[] if other else None,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8" if sys.platform == "linux" else "C"}, umask=0o077, cwd="/",
        )
        _launched[child.pid] = child
        return child

    def own(self, folder: Path) -> None:
        """Give the user a folder and all in it that is not theirs yet."""
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                with suppress(FileNotFoundError):
                    if path.lstat().st_uid != self.uid:
                        os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def reach(self, binaries: Path, var: Path) -> Path:
        """Where the user can run these binaries: there, or in a copy under `var`."""
        if self.uid == os.geteuid() or open_to_all(binaries):
            return binaries
        top = next((each for each in binaries.parents if each.parent.name.endswith("-packages")), binaries.parent)
        copy = var / "binaries" / sha256(f"{top} {top.stat().st_mtime_ns}".encode()).hexdigest()[:8]
        if not copy.exists():
            new = copy.with_suffix(".new")
            for part in (top, top.with_name(f"{top.name}.libs")):  # a wheel's libraries lie beside its package
                if part.exists():
                    shutil.copytree(part, new / part.name, symlinks=True, dirs_exist_ok=True)
            subprocess.run(["chmod", "-R", "a+rX", copy.parent], check=True)
            new.rename(copy)
        return copy / binaries.relative_to(top.parent)


def choose(var: Path) -> Runner:
    """Ourselves, unless that is root. Raises Refused when root has nobody to run a server as."""
    if os.geteuid() != 0:
        return Runner(os.geteuid(), os.getegid())
    nobody = pwd.getpwnam("nobody")
    if open_to_all(var):
        return Runner(nobody.pw_uid, nobody.pw_gid)
    unshare = ("unshare", "--user", f"--map-user={nobody.pw_uid}", "--")
    with suppress(OSError):
        if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0:
            return Runner(0, 0, unshare)
    raise Refused(
        "PostgreSQL does not run as root, and its stand-in `nobody` may not enter {folder}. Set GATEWAY_VAR to a folder "
        "below one that everybody may enter (such as /var/lib/gateway), or run as an ordinary user.",
        folder=var,
    )


def open_to_all(path: Path) -> bool:
    """Whether every user may enter the folder."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def pid_in(file: Path, var: Path) -> int | None:
    """The process a pid file names, if it lives and is ours: started with a path in `var`. A stale file is removed."""
    try:
        pid = int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    if str(var) in command_line(pid):
        return pid
    file.unlink(missing_ok=True)
    return None


def command_line(pid: int) -> str:
    """How the process was started; empty when it has ended."""
    if Path("/proc/self").exists():
        with suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return ""
    return subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout


def end(pid: int | None, how: signal.Signals, within_s: float) -> bool:
    """Signal the process and wait for its end; whether it ended in time."""
    if pid is None:
        return True
    with suppress(ProcessLookupError):
        os.kill(pid, how)
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not command_line(pid):
            if pid in _launched:
                _launched.pop(pid).wait()
            return True
        time.sleep(0.01)
    return False
