"""What is chosen or typed in the menu, decided about like a text: kept, interpreted, `decide`d, applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from sqlalchemy import Engine

from gateway.channels.base import Dialled, Inbound
from gateway.content import Content
from gateway.domain import decide, dialogues, interpret, ussd
from gateway.domain import effects as fx
from gateway.domain.decide import Effect, Session, Situation
from gateway.domain.dialogues import Dialogue, Heard, MoveSession
from gateway.domain.effects import Reply
from gateway.domain.interpret import Meaning
from gateway.store import channels, clients, inbound, sessions
from gateway.store.inbound import Understood
from gateway.usecases import apply_effects, compose, crisis_words, read_sessions, receive_message
from gateway.usecases.receive_message import Came, Scene
from gateway.vault import Vault

if TYPE_CHECKING:
    from gateway.usecases.answer_ussd import Call

WEEKLY = "weekly_check_in"
# Answers that tell nobody who is enrolled; all else is answered by "somebody reads this".
SHOWN = frozenset({"crisis_answer", "stop_confirmed", "stop_doubt", "started", "help", "language_changed"})


@dataclass(frozen=True, slots=True)
class Told:
    """What a dialogue says next; `ends`: it says nothing more."""

    text: str
    ends: bool


def token(vault: Vault, channel_id: UUID, phone_hash: bytes, session_hash: bytes, path: str) -> UUID:
    """One for each session and what was typed in it until then: what bears it is done once."""
    return uuid5(channel_id, f"{phone_hash.hex()}:{session_hash.hex()}:{vault.hash_body(path).hex()}")


def session_hash(vault: Vault, session_id: str) -> bytes:
    """What a dialogue is known by."""
    return vault.hash_body(f"ussd:{session_id}")


def words(vault: Vault, channel_id: UUID, dialled: Dialled) -> Inbound | None:
    """What was typed last, as a text; None for figures, which may be a PIN. The menu itself would keep it under the same id."""
    typed = dialled.text.rpartition("*")[2].strip()
    if not ussd.is_words(typed):
        return None
    made = token(vault, channel_id, vault.hash_phone(dialled.phone), session_hash(vault, dialled.session_id), dialled.text)
    return Inbound(f"ussd:{made}", dialled.phone, "", typed)


def keep_words(
    engine: Engine, vault: Vault, content: Content, channel: channels.Channel, dialled: Dialled, ring: Callable[[UUID], None],
    now: datetime | None,
) -> None:  # fmt: skip
    """Keep what was typed, though nothing could be decided about it: it may be a cry for help. Figures are not kept: they may be a PIN."""
    if (message := words(vault, channel.id, dialled)) is not None:
        receive_message.keep_undecided(engine, vault, content, receive_message.came(engine, vault, channel, message), ring, now, False)


def _scene(call: Call, text: str, token: UUID) -> tuple[Scene, Situation] | None:
    """What was typed as a text that came; None when it came before.

    Equal figures one after the other are answers to different questions, and no conversation of machines.
    """
    message = Inbound(f"ussd:{token}", call.phone, "", text)
    came = Came(token, call.channel, message, call.phone, call.phone_hash, call.vault.hash_body(text))
    (seen,) = receive_message.look(call.work, call.vault, [came])
    if seen.row.known or call.work.value(inbound.KNOWN, id=token):
        return None
    scene = receive_message.arrive(call.work, call.vault, came, seen)
    situation = receive_message.situate(call.work, call.content, scene, None).situation
    return scene, replace(situation, seconds_since_same=None, echo=False, replies_last_hour=(), language=call.language)


def _apply(call: Call, scene: Scene, meaning: Meaning, effects: Sequence[Effect]) -> None:
    answers_id = next((effect.outbound_id for effect in effects if isinstance(effect, fx.RecordAnswer)), None)
    inbound.add(call.work, scene.arrived, None, False, Understood(meaning, answers_id, None))
    source = replace(receive_message.source_of(scene), channel_id=call.texts_by)
    if apply_effects.apply(call.work, call.vault, call.content, source, effects) and call.texts_by is not None:
        call.told.add(call.texts_by)


def wish(call: Call, meaning: Meaning, label: str, token: UUID) -> None:
    """What was chosen from the menu; the menu itself says that it is done."""
    if meaning.meaning == "language" and not call.caller.people:
        return  # an unknown phone has a language for this dialogue alone
    if (found := _scene(call, label, token)) is not None:
        scene, situation = found
        effects = decide.decide(meaning, replace(situation, questions=(), sessions=()), call.work.now, label)
        _apply(call, scene, meaning, [effect for effect in effects if not isinstance(effect, Reply)])


def visit(call: Call, client: clients.Person, appointment_id: UUID, answer: str, token: UUID) -> None:
    """Whether the client comes to the appointment on the screen."""
    label = call.words("next_appointment").splitlines()[1 if answer == "confirmed" else 2]
    if (found := _scene(call, label, token)) is None:
        return
    meaning = Meaning("yes" if answer == "confirmed" else "reschedule", why="chosen from the menu")
    effects: list[Effect] = [fx.AnswerAppointment(appointment_id, answer)]
    if answer != "confirmed":
        effects.append(fx.RaiseFlag(answer, client.id, appointment_id))
    _apply(call, found[0], meaning, effects)


def as_text(call: Call, typed: str, token: UUID) -> str:
    """Words are heard as a text would be, and answered as one; what the screen says of it."""
    found = _scene(call, typed, token)
    if found is None:
        return call.words("noted")
    scene, situation = found
    expecting = interpret.Expecting("yes_no") if situation.stopped == "in_doubt" else decide.expecting(situation)
    meaning = receive_message.meaning_of(call.content, typed, call.language, expecting)
    meaning = receive_message.of_all(meaning, call.content, typed, situation)
    effects = decide.decide(meaning, situation, call.work.now, typed)
    _apply(call, scene, meaning, effects)
    return _answer(call, effects) or call.words("noted")


def _answer(call: Call, effects: Sequence[Effect]) -> str:
    """What the answers that anybody may read say."""
    said = [effect.purpose for effect in effects if isinstance(effect, Reply) and effect.purpose in SHOWN]
    return "\n".join(_composed(call, purpose) for purpose in dict.fromkeys(said))


def _composed(call: Call, purpose: str, pinned: compose.Pinned | None = None) -> str:
    values: dict[str, compose.Value] = {"received_at": call.work.now}
    if purpose == crisis_words.PURPOSE and (closed := crisis_words.closed(call.work, call.content, call.unit_id, call.unit.clock)):
        opens_at, pinned = closed
        values |= opens_at
    return compose.compose(call.content, call.recipient, purpose, values, pinned=pinned, policy="unit_default").body


# --- a dialogue on the screen -----------------------------------------------------------------------------------------


def question(call: Call) -> str:
    """The question that is open, else the first of the weekly check-in."""
    session = _open(call) if call.client is not None else None
    dialogue, step = (session.dialogue, session.state.step) if session else (call.content.dialogues[WEEKLY], call.content.dialogues[WEEKLY].first)
    return _said(call, dialogue, (step,))


def is_navigation(call: Call, typed: str) -> bool:
    """Whether 0 or 98 moves between screens here, and is no answer."""
    session = _open(call) if call.client is not None else None
    dialogue = session.dialogue if session else call.content.dialogues[WEEKLY]
    step = dialogue.steps[session.state.step if session else dialogue.first]
    return dialogues.pressed(typed, step, call.state.page, len(call.state.pages)) is not None


def _said(call: Call, dialogue: Dialogue, says: Sequence[str]) -> str:
    return _composed(call, dialogues.purpose(dialogue.name), dialogues.say(dialogue, says)) if says else ""


def _open(call: Call) -> Session | None:
    """The client's open dialogue, though its text may not have left: the screen asks."""
    assert call.client is not None
    (rows,) = call.work.together((sessions.ON_PHONES, {"phones": [call.phone_hash]}))
    found = read_sessions.opened(call.work, call.content, {call.client.id: call.client}, rows, on_screen=True)
    return next((each for each in found if each.state.status != "suspended"), None)


def _begun(call: Call, client_id: UUID, token: UUID) -> Session:
    """The weekly check-in, begun by the client on the screen."""
    dialogue = call.content.dialogues[WEEKLY]
    return Session(dialogue, dialogues.begin(dialogue, uuid5(token, WEEKLY), client_id, call.language, call.work.now).state)


def in_dialogue(call: Call, typed: str, token: UUID) -> Told:
    """The answer to the question on the screen: kept, stepped, and what is said next. Stop and danger win, as in a text."""
    found = _scene(call, typed, token)
    if found is None:
        return Told(call.words("noted"), True)
    scene, situation = found
    if call.client is not None:
        clients.lock(call.work, [call.client.id])  # no campaign begins one meanwhile
    session = _open(call) if call.client is not None else None
    if session is not None:
        sessions.ask_on_screen(call.work, session.state.session_id)
    elif call.client is not None:
        session = _begun(call, call.client.id, token)
        sessions.pin(call.work, session.dialogue)
        began = sessions.New(session.state, call.client.unit_id, call.client.key_id, call.client.key, session.dialogue, None)
        sessions.add(call.work, [began])
    if session is None:
        return _of_nobody(call, scene, situation, typed, token)
    meaning = receive_message.meaning_of(call.content, typed, call.language, session.expects)
    effects = decide.decide(meaning, replace(situation, questions=(), sessions=(session,)), call.work.now, typed)
    moved = next((e for e in effects if isinstance(e, MoveSession) and e.state.session_id == session.state.session_id), None)
    on_screen = _said(call, session.dialogue, moved.says) if moved else ""
    _apply(call, scene, meaning, [_silent(effect, moved) for effect in effects if not _is_shown(effect)])
    ends = moved is None or not moved.says or moved.state.status == "ended"
    return Told("\n".join(filter(None, (on_screen, _answer(call, effects)))) or call.words("noted"), ends)


def _is_shown(effect: Effect) -> bool:
    """Whether the screen says it; a crisis is answered by a text as well, which stays on the phone."""
    return isinstance(effect, Reply) and effect.purpose != "crisis_answer"


def _silent(effect: Effect, moved: MoveSession | None) -> Effect:
    return replace(effect, says=()) if isinstance(effect, MoveSession) and effect is moved else effect


def _of_nobody(call: Call, scene: Scene, situation: Situation, typed: str, token: UUID) -> Told:
    """A phone that is no client's sees what a client sees; what it typed is a text of an unknown phone."""
    session = _begun(call, token, token)
    meaning = receive_message.meaning_of(call.content, typed, call.language, session.expects)
    effects = decide.decide(meaning, situation, call.work.now, typed)
    _apply(call, scene, meaning, [effect for effect in effects if not _is_shown(effect)])
    turn = dialogues.step(session.dialogue, session.state, Heard(meaning, typed), call.work.now)
    text = "\n".join(filter(None, (_said(call, session.dialogue, turn.says), _answer(call, effects))))
    return Told(text or call.words("noted"), turn.state.status == "ended" or not turn.says)


