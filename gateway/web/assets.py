"""Style, script and picture of the pages, from memory: compressed once, under an address that changes with the content."""

import gzip
import hashlib
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path

from flask import Flask, Response, abort, request, url_for

FOLDER = Path(__file__).parent / "static"
NAMES = ("staff.css", "staff.js", "alarm.js", "htmx-2.0.11.min.js", "staff.svg")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served."""

    kind: str
    plain: bytes
    packed: bytes
    digest: str


def install(app: Flask) -> None:
    """Serve the files, and have templates name them by `asset("staff.css")`."""
    found = {name: _read(name) for name in NAMES}

    def asset(digest: str, name: str) -> Response:
        if name not in found or found[name].digest != digest:
            abort(404)
        packed = request.accept_encodings.quality("gzip") > 0
        response = Response(found[name].packed if packed else found[name].plain, content_type=found[name].kind)
        response.headers.update({"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"})
        if packed:
            response.headers["Content-Encoding"] = "gzip"
        return response

    app.add_url_rule("/static/<digest>/<name>", "asset", asset)
    app.jinja_env.globals["asset"] = lambda name: url_for("asset", digest=found[name].digest, name=name)


def _read(name: str) -> Asset:
    plain = (FOLDER / name).read_bytes()
    kind = guess_type(name)[0] or "application/octet-stream"
    kind = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    return Asset(kind, plain, gzip.compress(plain, 9, mtime=0), hashlib.sha256(plain).hexdigest()[:16])


def compress(response: Response) -> Response:
    """A page is sent compressed. Forms differ each time and other sites cannot make a browser ask with its cookie, so
    the length gives nothing away (docs/decisions/0012-forms-are-bound-to-the-cookie.md)."""
    plain = response.mimetype == "text/html" and not response.direct_passthrough and "Content-Encoding" not in response.headers
    if plain and request.accept_encodings.quality("gzip") > 0 and len(body := response.get_data()) > 1000:
        response.set_data(gzip.compress(body, 5))
        response.headers["Content-Encoding"] = "gzip"
        response.vary.add("Accept-Encoding")
    return response
