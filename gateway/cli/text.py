"""Commands on lines of text. One JSON object for every line, whatever it holds; no settings needed."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from gateway.domain import segments


@click.command("segments")
def count_segments() -> None:
    """Count the billed parts of texts: one JSON string per line in, one JSON object per line out.

    A line that is no JSON string is counted as it stands, with a note that says so.
    """
    for line in _lines():
        text, note = _text(line)
        _answer(asdict(segments.count(text)) | note)


@click.command("number")
@click.option(
    "--region", default="VN", envvar="GATEWAY_REGION", show_default=True, help="Where local numbers are."
)
def read_numbers(region: str) -> None:
    """Read phone numbers, one per line: each becomes {"phone": …, "changed": …} or {"refused": …}."""
    from gateway.domain import phone  # takes a tenth of a second that `segments` need not wait for

    region = phone.known_region(region)
    for line in _lines():
        try:
            read = phone.parse(line, region)
        except phone.PhoneRefused as refused:
            _answer({"refused": str(refused)})
        else:
            _answer({"phone": read.e164, "changed": read.changed})


def _lines() -> Iterator[str]:
    """Lines of standard input. Only LF and CRLF end one; bytes that are not UTF-8 become U+FFFD."""
    for at, raw in enumerate(sys.stdin.buffer):
        line = raw.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")
        yield line.removeprefix("\ufeff") if at == 0 else line


def _text(line: str) -> tuple[str, dict[str, str]]:
    if not line.strip():
        return "", {}
    try:
        if line.lstrip().startswith('"'):  # else the parser could be sent into deep nesting
            return json.loads(line, strict=False), {}
    except ValueError:
        pass
    return line, {"note": "not a JSON string; counted as it stands"}


def _answer(answer: dict[str, Any]) -> None:
    click.echo(json.dumps(answer))
