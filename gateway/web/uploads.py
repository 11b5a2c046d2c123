"""Tables that staff bring: the file travels with the form that shows what is in it, so that nothing of it is kept before they say yes."""

import base64
import gzip
import io
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway.domain.errors import Refused
from gateway.usecases.sheets import BadRows
from gateway.web import page

MOST_BYTES = 4 * 1024 * 1024
SHOWN = 50
T = TypeVar("T")


@dataclass(slots=True)
class Refusals:
    """Rows that were not taken: the first of them to be shown, and how many there are."""

    count: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)

    def write(self, line: int, _what: str, reason: str, _cells: Sequence[str] = ()) -> None:
        """Keep one; as `sheets.BadRows` does."""
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append((line, reason))


def make_room(routes: Blueprint, *endpoints: str) -> None:
    """Let the forms of these endpoints be as large as a table may be."""

    def widen() -> None:
        if request.endpoint in endpoints:
            request.max_content_length = request.max_form_memory_size = 2 * MOST_BYTES

    routes.before_app_request(widen)


def brought() -> bytes:
    """The table that was chosen, or that the form has carried since. Raises Refused."""
    file = request.files.get("file")
    if file is not None and file.filename:
        return _small(file.stream.read(MOST_BYTES + 1))
    if not request.form.get("packed"):
        raise Refused("choose a file first")
    try:
        packed = base64.b64decode(request.form["packed"], validate=True)
        return _small(zlib.decompressobj(wbits=31).decompress(packed, MOST_BYTES + 1))
    except (ValueError, zlib.error):
        raise Refused("this form is not one of ours") from None


def _small(content: bytes) -> bytes:
    if len(content) > MOST_BYTES:
        raise Refused("the file is too large: at most {most} MB; larger ones are imported by command", most=MOST_BYTES // 1024 // 1024)
    if not content:
        raise Refused("choose a file first")
    return content


def packed(content: bytes) -> str:
    """The table as the form carries it."""
    return base64.b64encode(gzip.compress(content, 6)).decode()


def reading(content: bytes, read: Callable[[Path], T]) -> T:
    """What `read` makes of the table as a file, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="gateway-") as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(content)
        return read(path)


def bad_rows(content: bytes, read: Callable[[Path, Callable[[int, str, str, Sequence[str]], None]], object]) -> Response:
    """The rows that are not taken, each with its reasons, as a table to correct and bring again."""
    def collect(path: Path) -> bytes:
        target = path.with_name("bad.csv")
        with BadRows(target, page.retold()) as bad:
            read(path, bad.write)
        return target.read_bytes() if target.exists() else b""

    return sheet(reading(content, collect), "bad-rows.csv")


def sheet(content: bytes, name: str) -> Response:
    """A table to be kept by the browser."""
    return Response(io.BytesIO(content), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}"'})
