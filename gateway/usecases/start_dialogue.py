"""Begin a dialogue with one client at a worker's wish: its first question is planned, and a session waits for the answer."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Engine

from gateway.content import Content
from gateway.domain import dialogues
from gateway.domain import messages as lanes
from gateway.domain.dialogues import Dialogue
from gateway.domain.errors import NotFound, Refused
from gateway.store import audit, clients, sessions
from gateway.store.base import SYSTEM, Actor, Work, unit_of_work
from gateway.usecases import compose, send_text, tell_client
from gateway.vault import Vault

WORTH_ASKING = timedelta(hours=24)


def start(
    engine: Engine, vault: Vault, content: Content, actor: Actor, name: str, code: str, now: datetime | None = None, session_id: UUID | None = None,
) -> None:  # fmt: skip
    """Ask a client the first question of a dialogue; once for one `session_id`. Raises Refused with why they cannot be asked, NotFound."""
    session_id = session_id or uuid4()
    dialogue = named(content, name)
    with unit_of_work(engine, SYSTEM, now) as work:
        sessions.pin(work, dialogue)
    with unit_of_work(engine, actor, now) as work:
        found = clients.by_code(work, code)
        clients.lock(work, [found.id])
        if sessions.find(work, vault, session_id) is not None:
            return
        person = clients.recipients(work, vault, [found.id])[found.id]
        reason = tell_client.why_not(work, vault, person, dialogue.consent, lanes.BULK)
        if reason is not None:
            raise Refused(reason)
        _begin(work, vault, content, dialogue, person, session_id)
        audit.add(work, "dialogue.start", "client", found.id, found.unit_id, {"dialogue": name, "version": dialogue.version})


def named(content: Content, name: str) -> Dialogue:
    """The dialogue of this name. Raises NotFound with those there are."""
    if name not in content.dialogues:
        raise NotFound("There is no dialogue {name!r}. There are: {names}.", name=name, names=sorted(content.dialogues))
    return content.dialogues[name]


def _begin(work: Work, vault: Vault, content: Content, dialogue: Dialogue, person: clients.Person, session_id: UUID) -> None:
    live = sessions.live(work, [person.id])
    if not all(each.held for each in live):
        raise Refused("the client is answering just now: try again in a moment")
    sessions.give_way(work, dialogues.make_room(dialogue, live))
    purpose = dialogues.purpose(dialogue.name)
    turn = dialogues.begin(dialogue, session_id, person.id, person.language, work.now)
    try:
        queued = send_text.queue(
            work, vault, content, tell_client.as_recipient(person), purpose, {}, lane=lanes.BULK, dedupe_key=f"session:{session_id}",
            send_before=work.now + WORTH_ASKING, about_id=session_id, pinned=dialogues.say(dialogue, turn.says),
        )  # fmt: skip
    except compose.Unsendable as error:
        raise Refused(str(error)) from None
    sessions.add(work, [sessions.New(turn.state, person.unit_id, person.key_id, person.key, dialogue, queued[-1], work.actor.staff_id)])
