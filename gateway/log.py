"""Structured lines on standard error, one JSON object each: what happened and ids, never a name, number or text."""

import contextlib
import json
import logging
import sys
import threading
import time
from typing import Any

_lock = threading.Lock()
process = "gateway"
# What these say of an error repeats the server's words, which may hold a row's values: they go to nobody.
for voice in ("psycopg", "sqlalchemy"):
    logging.getLogger(voice).addHandler(logging.NullHandler())
    logging.getLogger(voice).propagate = False


class _Aside(logging.Handler):
    """What a library says as a line of ours: its words without what it fills in, which comes from elsewhere."""

    def emit(self, record: logging.LogRecord) -> None:
        _write(record.levelname.lower(), "library", {"voice": record.name, "said": record.msg})


class _Unsaid(_Aside):
    """The same of a library whose words are filled in already, with whatever an exception says: only its class is told."""

    def emit(self, record: logging.LogRecord) -> None:
        _write(record.levelname.lower(), "library", {"voice": record.name, "error": getattr(record.exc_info and record.exc_info[0], "__name__", None)})


for voice, handler in (("rq", _Aside()), ("asyncio", _Unsaid())):
    logging.getLogger(voice).addHandler(handler)
    logging.getLogger(voice).propagate = False


def info(event: str, **fields: Any) -> None:
    """Write one line. Fields are ids, counts, codes and names of classes."""
    _write("info", event, fields)


def warning(event: str, **fields: Any) -> None:
    """Write one line that somebody should look at."""
    _write("warning", event, fields)


def error(event: str, cause: BaseException | None = None, **fields: Any) -> None:
    """Write one line about a failure: the exception's class and place, never its message, which may hold a text."""
    if cause is not None:
        fields["error"] = type(cause).__name__
        frame = cause.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        if frame is not None:
            fields["at"] = f"{frame.tb_frame.f_globals.get('__name__')}:{frame.tb_lineno}"
    _write("error", event, fields)


def _write(level: str, event: str, fields: dict[str, Any]) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = json.dumps({"at_utc": stamp, "level": level, "process": process, "event": event, **fields}, default=str)
    with _lock, contextlib.suppress(OSError, ValueError):  # a full disk or a closed pipe must not stop what we write about
        print(line, file=sys.stderr, flush=True)
