"""The language of whoever reads: the staff member's named by `--as`, else that of the terminal."""

import os
from collections.abc import Mapping
from functools import lru_cache

import click

from gateway import content
from gateway.domain.templates import TemplateError
from gateway.domain.told import Retold

_CHOSEN = "gateway.language"


def choose(language: str) -> None:
    """The rest of this command speaks it."""
    if (context := click.get_current_context(silent=True)) is not None:
        context.meta[_CHOSEN] = language  # shared with the command above, which tells of errors


def chosen() -> str:
    """The code of the language that is spoken now."""
    context = click.get_current_context(silent=True)
    named: str | None = context.meta.get(_CHOSEN) if context is not None else None
    return named or content.language_of(os.environ)


def _(message: str) -> str:
    """An English message of ours in that language."""
    return _translations().get(message) or message


def shown(text: str | None) -> str:
    """A text of ours that was kept in English, such as a state or a reason, in that language; "-" for none."""
    return _retold(chosen())(text) if text else "-"


def _translations() -> Mapping[str, str]:
    try:
        return content.load().translations.get(chosen(), {})
    except TemplateError:  # of broken files there is still an error to tell
        return {}


@lru_cache
def _retold(_language: str) -> Retold:
    return Retold(_translations())
