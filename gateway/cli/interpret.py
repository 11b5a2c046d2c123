"""What replies mean, from the command line: one text per line in, one JSON object per line out."""

import json
import sys

import click

from gateway import content
from gateway.domain import errors, interpret


@click.command("interpret")
@click.option("--language", default="en", show_default=True, help="The client's language.")
@click.option(
    "--expecting",
    default="none",
    show_default=True,
    help="none, yes_no, ready, appointment, scale:1-5 or menu:1-4.",
)
@click.option("--explain", "text", help="Show the steps for this one text instead of reading lines.")
def interpret_lines(language: str, expecting: str, text: str | None) -> None:
    """Say what each line of standard input means when it is a client's reply.

    Each becomes {"meaning", "value", "also", "doubt", "why"}, empty lines too. Needs no database and no settings.
    """
    asked = interpret.Expecting.parse(expecting)
    lexicons = content.load().lexicons
    if language not in lexicons:
        raise errors.Refused(
            "There are no word lists for “{language}”. There are: {languages}.", language=language, languages=sorted(lexicons)
        )
    if text is not None:
        for line in interpret.explain(text, lexicons, language, asked):
            click.echo(line)
        return
    out = sys.stdout.buffer
    for raw in sys.stdin.buffer:
        reply = raw.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")
        meaning = interpret.interpret(reply, lexicons, language, asked)
        shown = {name: getattr(meaning, name) for name in ("meaning", "value", "also", "doubt", "why")}
        out.write(json.dumps(shown, ensure_ascii=False).encode() + b"\n")
    out.flush()
