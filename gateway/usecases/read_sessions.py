"""Sessions as deciding needs them: each with its dialogue in the version it began with."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from gateway import log
from gateway.content import Content
from gateway.domain import dialogues
from gateway.domain.decide import Session
from gateway.domain.dialogues import Dialogue, State
from gateway.store import sessions
from gateway.store.base import Work
from gateway.store.clients import Person

_PINNED: dict[tuple[str, str], Dialogue] = {}
"""Versions that are no longer the content's, read from the database once for each process."""


def dialogue_at(work: Work, content: Content, name: str, version: str) -> Dialogue:
    """A dialogue in a version that sessions run with. Raises Refused, or LookupError, when it cannot be had any more."""
    current = content.dialogues.get(name)
    if current is not None and current.version == version:
        return current
    if (name, version) not in _PINNED:
        _PINNED[name, version] = sessions.pinned(work, name, version)
    return _PINNED[name, version]


def opened(work: Work, content: Content, people: Mapping[UUID, Person], rows: Iterable[Any], *, on_screen: bool = False) -> list[Session]:
    """The sessions of those on a phone whose question has left, as asked when it last did, and those that wait behind them.

    `on_screen`: those too whose question has not left, since it is put just now. One that cannot be read is left out: stop and a cry for help are decided without it, the rest is for a person.
    """
    found = []
    for row in rows:
        person = people.get(row.client_id)
        if person is None or not (row.was_asked or row.status == "suspended" or on_screen):
            continue
        try:
            dialogue = dialogue_at(work, content, row.dialogue, row.version)
            state = state_of(row, dialogue, person)
            found.append(Session(dialogue, replace(state, asked_at=max(state.asked_at, row.left_at or state.asked_at))))
        except Exception as error:
            log.error("session_not_read", error, session=row.id)
    return found


def state_of(row: Any, dialogue: Dialogue, person: Person) -> State:
    """The state of a session, in the language that its client has now as far as the dialogue is written in it."""
    state = sessions.open_state(row, person.key)
    if state.status == "suspended":
        state = dialogues.suspend(state, timedelta(seconds=float(row.waited or 0)))
    return replace(state, language=person.language) if person.language in dialogue.texts else state
