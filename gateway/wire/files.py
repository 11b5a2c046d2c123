"""gammu-smsd's folders, watched: a text leaves as a file in its outbox, and what it writes into its inbox is posted to our own callbacks.

    put in line -> written into the outbox -> found in sent or error, and deleted
         '- "not_sent", given back, after connect_s   '- "sent" (unknown) after read_s, and taken out of the outbox

A file left over by a process that died is taken out of the outbox before anything else: its text may be late, and nobody waits for it.
While gammu-smsd does not run, or has stopped taking files, the line is closed and nothing is claimed.
"""

import asyncio
import codecs
import json
import os
import re
import time
from collections import deque
from contextlib import suppress
from hashlib import sha256
from itertools import groupby
from pathlib import Path

from gateway import log
from gateway.channels.base import WireReply, WireRequest, well_formed
from gateway.wire.connection import Job
from gateway.wire.posting import Http, Poster
from gateway.wire.values import Error, Limits, WireResult, awake_s

FOLDERS = ("inbox", "outbox", "sent", "error")
MOST_IN_OUTBOX = 2
"""gammu sends one after the other: what it does not have yet can still be given back."""
REST_S = 60.0
"""For so long nothing is written after a file that was not taken."""
SETTLED_S = 1.0
"""A file in the inbox is whole when it has not changed for so long, and a long text's other parts are there."""
LOOK_S = 0.5
_OURS = re.compile(r"OUTC\d{8}_\d{6}_00_.+_([0-9a-f-]{36})\.txt", re.ASCII)
_CAME_IN = re.compile(r"(IN\d{8}_\d{6}_\d+_(.*))_(\d+)\.(txt|bin)", re.ASCII)


class _Text:
    """A text on its way; `path` once it is written."""

    __slots__ = ("job", "message", "path", "until")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.message: dict[str, str] = json.loads(job.request.body)
        self.path: Path | None = None
        self.until = 0.0


class Folders:
    """The folders as a `Road` of the wire. `hold` says where they are.

    Raises OSError when they are not there, or open to everybody on this machine: they hold numbers and texts.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, hold: WireRequest, http: Http) -> None:
        self.loop, self.limits = loop, limits
        self.finished = 0
        told: dict[str, str] = json.loads(hold.body)
        self._folder, self._pid_file, self._number, self._secret = Path(told["folder"]), Path(told["pid_file"]), told["number"], told["secret"]
        self._poster = Poster(http, told["callback_url"], told["secret"])
        self._line: deque[_Text] = deque()
        self._written: list[_Text] = []
        self._rests_until = 0.0
        self._runs = False
        self._keeper: asyncio.Task[None] | None = None
        self._refused: set[str] = set()  # names of files that our own side cannot read: a person has to
        self._prepare()

    def _prepare(self) -> None:
        for name in FOLDERS:
            folder = self._folder / name
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder.stat().st_mode & 0o007:
                raise PermissionError("a folder of texts is open to everybody on this machine: chmod 0700")
        for path in (*(self._folder / "outbox").iterdir(), *self._folder.glob(".*-*")):
            if path.name.startswith(".") or _OURS.fullmatch(path.name):
                path.unlink(missing_ok=True)

    @property
    def is_open(self) -> bool:
        """Whether gammu-smsd runs and takes what is written."""
        return self._runs and self.loop.time() > self._rests_until

    # --- requests

    def add(self, jobs: list[Job]) -> None:
        """See Road.add."""
        self._line.extend(_Text(job) for job in jobs)
        self._write()

    def unfinished(self) -> list[Job]:
        """See Road.unfinished."""
        return [text.job for text in [*self._written, *self._line]]

    def _write(self) -> None:
        """Give back what has waited too long, and write what gammu may have now."""
        while self._line and awake_s() > self._line[0].job.leave_by:
            self._settle(self._line.popleft(), WireResult(None, "not_sent", "too_late"))
        while self._line and self.is_open and len(self._written) < MOST_IN_OUTBOX:
            text = self._line.popleft()
            try:
                self._put(text)
            except (OSError, ValueError) as error:  # a full disk; a token or number that is no name of a file
                log.error("outbox_not_written", error=type(error).__name__)
                self._settle(text, WireResult(None, "not_sent", "bad_request"))

    def _put(self, text: _Text) -> None:
        """Write a file where gammu does not look, and move it into the outbox whole."""
        to, token = text.message["to"], text.message["token"]
        name = f"OUTC{time.strftime('%Y%m%d_%H%M%S', time.gmtime())}_00_{to}_{token}.txt"
        if not _OURS.fullmatch(name) or "/" in name:
            raise ValueError("not the name of a file")
        draft, path = self._folder / f".{token}", self._folder / "outbox" / name
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(codecs.BOM_UTF16_LE + text.message["text"].encode("utf-16-le"))
            draft.rename(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        text.path, text.until = path, self.loop.time() + self.limits.read_s
        self._written.append(text)

    def _settle(self, text: _Text, result: WireResult) -> None:
        try:
            text.job.callback(result)
        except Exception as cause:
            log.error("wire_callback_failed", cause)
        self.finished += 1

    # --- time

    def tick(self) -> None:
        """See Road.tick."""
        self.loop.call_later(self.limits.tick_s, self.tick)  # first: whatever fails below is tried again
        if self._keeper is None:
            self._keeper = self.loop.create_task(self._keep())
        self._runs = self._is_running()
        for text in list(self._written):
            self._look_for(text)
        self._write()

    def _is_running(self) -> bool:
        try:
            os.kill(int(self._pid_file.read_text()), 0)
        except PermissionError:
            return True
        except (OSError, ValueError):
            return False
        return True

    def _look_for(self, text: _Text) -> None:
        """Whether gammu has done with it."""
        assert text.path is not None
        for stat in ("sent", "error"):
            found = self._folder / stat / text.path.name
            if os.path.exists(found):  # noqa: PTH110 - False too where the folder cannot be looked into: then the time runs out
                self._written.remove(text)
                body = json.dumps({"stat": stat, "token": text.message["token"]}).encode()
                self._settle(text, WireResult(WireReply(200, {}, body), "answered"))
                return  # _report_sent and _forget_failed delete the file
        if text.until < self.loop.time():
            self._rests_until = self.loop.time() + REST_S
            log.warning("gammu_takes_nothing")
            self._give_up(text, "timeout")

    def _give_up(self, text: _Text, error: Error) -> None:
        """Take it out of the outbox, whether or not gammu is at it: nobody waits for it any more."""
        assert text.path is not None
        with suppress(OSError):
            text.path.unlink(missing_ok=True)
        self._written.remove(text)
        self._settle(text, WireResult(None, "sent", error))

    async def _keep(self) -> None:
        """Tell our callbacks what gammu wrote, again and again."""
        while True:
            try:
                await self._report_sent()
                self._forget_failed()
                await self._take_in()
            except Exception as error:  # whatever lies there, what clients send is looked for again
                log.error("folders_unreadable", error)
            await asyncio.sleep(LOOK_S)

    async def _report_sent(self) -> None:
        """The network has what lies in `sent`, also what an earlier process wrote; the file goes once that is kept."""
        for path, token in self._ended("sent"):
            status = await self._poster.post("report", json.dumps({"token": token, "stat": "sent"}).encode())
            if 200 <= status < 300 or status == 400:
                path.unlink(missing_ok=True)

    def _forget_failed(self) -> None:
        """What gammu failed at and nobody waits for any more is deleted, also what an earlier process wrote."""
        for path, _ in self._ended("error"):
            path.unlink(missing_ok=True)

    def _ended(self, folder: str) -> list[tuple[Path, str]]:
        """Files of ours in `sent` or `error` whose texts have their result, and their tokens."""
        under_way = {text.path.name for text in self._written if text.path is not None}
        return [(path, name[1]) for path in (self._folder / folder).iterdir() if (name := _OURS.fullmatch(path.name)) and path.name not in under_way]

    async def _take_in(self) -> None:
        """Post what came in, oldest first. Later texts of a person do not overtake one that is not kept yet; those of others do."""
        waiting: set[str] = set()
        for whole, parts in groupby(self._names(), key=lambda each: each[0]):
            files = [(path, sender) for _, _, path, sender in parts]
            sender = files[0][1]
            # A clock that was set back makes files of the future: those are whole too.
            if whole in self._refused or sender in waiting or abs(time.time() - max(path.stat().st_mtime for path, _ in files)) < SETTLED_S:
                continue
            status = await self._poster.post("inbound", self._told(whole, sender, [path for path, _ in files]))
            if 200 <= status < 300:
                for path, _ in files:
                    path.unlink(missing_ok=True)
            elif status == 400:
                self._refuse(whole)
            else:
                log.warning("inbox_not_kept", status=status)
                waiting.add(sender)

    def _names(self) -> list[tuple[str, int, Path, str]]:
        """What lies in the inbox: the texts' names, the parts' numbers, the files, and who sent them."""
        found = []
        for path in (self._folder / "inbox").iterdir():
            name = _CAME_IN.fullmatch(path.name)
            if name is not None:
                found.append((name[1], int(name[3]), path, name[2]))
            elif path.name not in self._refused:
                self._refuse(path.name)
        return sorted(found)

    def _refuse(self, name: str) -> None:
        """Leave it where it is, and say so once."""
        self._refused.add(name)
        log.error("inbox_unreadable")

    def _told(self, whole: str, sender: str, paths: list[Path]) -> bytes:
        """What came in, as posted. Its id is made of all there is, so that it is the same when it is posted again."""
        octets = [path.read_bytes() for path in paths]
        texts = [_read(each) for path, each in zip(paths, octets, strict=True) if path.suffix == ".txt"]
        made = sha256(b"\0".join([self._secret.encode(), os.fsencode(whole), *octets])).hexdigest()
        told = {"id": made[:32], "from": well_formed(sender), "to": self._number, "text": "".join(texts), "media": len(texts) < len(paths)}
        return json.dumps(told).encode()

    # --- the end

    def abandon(self) -> None:
        """See Road.abandon."""
        if self._keeper is not None:
            self._keeper.cancel()
        for text in list(self._written):
            self._give_up(text, "shutdown")
        while self._line:
            self._settle(self._line.popleft(), WireResult(None, "not_sent", "shutdown"))

    async def stopped(self) -> None:
        """See Road.stopped."""
        if self._keeper is not None:
            with suppress(asyncio.CancelledError):
                await self._keeper


def _read(octets: bytes) -> str:
    """The text in a file of gammu's: UTF-16 with a mark, or what the system's words are written in. It fills up with NULs."""
    if octets.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        return octets.decode("utf-16", "backslashreplace").rstrip("\0")
    return octets.decode("utf-8", "backslashreplace").rstrip("\0")
