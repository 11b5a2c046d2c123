"""Walking a dialogue. Pure: the same dialogue, state, input and time always give the same state, effects and words.

Stop and danger win at every step; their effects equal those that `decide` gives, so whoever has both keeps one.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, Self
from uuid import UUID

from gateway.domain.dialogues import answers
from gateway.domain.dialogues.answers import Heard
from gateway.domain.dialogues.definition import Dialogue, Step
from gateway.domain.dialogues.effects import CloseFlag, Effect, KeepAnswer, RequestReferral, SendInformation
from gateway.domain.effects import RaiseFlag, Reply, StopPhone

Status = Literal["waiting", "with_person", "suspended", "stopped", "ended"]

_A_FEW_WORDS = 2


@dataclass(frozen=True, slots=True)
class State:
    """Where one client is in a dialogue. `with_person`: nothing more is asked by itself, but an answer still counts.

    `opened`: the flag that silence has opened. `answers` are (step, value) in the order they came, a step twice if it was asked twice;
    they may hold free text, so the state is kept encrypted. `waited`: seconds that the question waited in vain before more urgent ones
    suspended it: its silence goes on from there.
    """

    session_id: UUID
    client_id: UUID
    language: str
    dialogue: str
    version: str
    step: str
    asked_at: datetime
    status: Status = "waiting"
    opened: str = ""
    misses: int = 0
    reminded: int = 0
    answers: tuple[tuple[str, str], ...] = ()
    waited: int = 0

    @property
    def silent_since(self) -> datetime:
        """From when the hours of silence count."""
        return self.asked_at - timedelta(seconds=self.waited)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return asdict(self) | {
            "session_id": str(self.session_id), "client_id": str(self.client_id), "asked_at": self.asked_at.isoformat(),
            "answers": [list(pair) for pair in self.answers],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The state that `to_dict` gave."""
        return cls(**{
            **data, "session_id": UUID(data["session_id"]), "client_id": UUID(data["client_id"]),
            "asked_at": datetime.fromisoformat(data["asked_at"]), "answers": tuple((step, value) for step, value in data["answers"]),
        })  # fmt: skip


class Turn(NamedTuple):
    """What follows: the new state, its effects, and the keys of what to say (none: say nothing)."""

    state: State
    effects: tuple[Effect, ...] = ()
    says: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MoveSession:
    """A session is in another state now, and this is said to its client: a turn, as one more effect beside its effects."""

    dialogue: Dialogue
    was: State
    state: State
    says: tuple[str, ...] = ()


def begin(dialogue: Dialogue, session_id: UUID, client_id: UUID, language: str, now: datetime) -> Turn:
    """The first step."""
    state = State(session_id, client_id, language, dialogue.name, dialogue.version, dialogue.first, now)
    return _arrive(dialogue, state, dialogue.first, now)


def step(dialogue: Dialogue, state: State, heard: Heard | None, now: datetime) -> Turn:
    """What follows on what the client sent, or on nothing (None) by now.

    Requests that are no answer, such as HELP, are `decide`'s: the question stays open.
    """
    if heard is None:
        return _wait(dialogue, state, now)
    heard = answers.as_taught(dialogue, dialogue.steps[state.step], heard)
    if heard.wants & {"stop", "crisis"}:
        return _safety_first(dialogue, state, heard, now)
    if state.status in ("suspended", "stopped", "ended"):
        return Turn(state)
    if "stop" in (heard.meaning.doubt, heard.meaning.also_doubt):
        return _maybe_stop(state, heard)
    worry = (RaiseFlag("crisis_in_doubt", state.client_id),) if heard.meaning.doubt == "crisis" else ()
    turn = _hear(dialogue, state, heard, now)
    return turn._replace(effects=worry + turn.effects)


def due_at(dialogue: Dialogue, state: State) -> datetime | None:
    """When silence has to be looked at next: call `step` with None then."""
    silence = dialogue.steps[state.step].silence
    if silence is None or state.status != "waiting":
        return None
    return state.silent_since + timedelta(hours=(*silence.remind, silence.hours)[state.reminded])


def back(dialogue: Dialogue, state: State, now: datetime) -> Turn:
    """The question before, once more; what was done on its answer stays done."""
    if state.status not in ("waiting", "with_person"):
        return Turn(state)
    if not state.answers:
        return Turn(state, says=(state.step,))
    name = state.answers[-1][0]
    earlier = replace(state, step=name, answers=state.answers[:-1], asked_at=now, misses=0, reminded=0, waited=0, status="waiting")
    return Turn(earlier, says=(name,))


def suspend(state: State, waited: timedelta) -> State:
    """A more urgent dialogue goes first; nothing is asked and no silence counts until `resume`. `waited`: for so long it was asked in vain."""
    if state.status in ("stopped", "ended"):
        return state
    return replace(state, status="suspended", waited=state.waited + max(0, int(waited.total_seconds())))


def resume(dialogue: Dialogue, state: State, now: datetime) -> Turn:
    """Go on where it was suspended: the question is put once more, and its silence counts on, so that putting it off never hides it."""
    if state.status != "suspended":
        return Turn(state)
    silence = dialogue.steps[state.step].silence
    reminded = sum(hour * 3600 <= state.waited for hour in silence.remind) if silence else 0
    return Turn(replace(state, status="waiting", asked_at=now, misses=0, reminded=reminded), says=(state.step,))


def _arrive(dialogue: Dialogue, state: State, name: str, now: datetime) -> Turn:
    there = dialogue.steps[name]
    status: Status = "ended" if there.kind == "end" else "waiting"
    state = replace(state, step=name, asked_at=now, status=status, opened="", misses=0, reminded=0, waited=0)
    return Turn(state, tuple(_on_arrival(there, state)), (name,))


def _on_arrival(there: Step, state: State) -> list[Effect]:
    kept, effects = dict(state.answers), list[Effect]()
    if there.flag:
        effects.append(RaiseFlag(there.flag, state.client_id, state.session_id))
    if there.inform in kept:
        effects.append(SendInformation(state.session_id, state.client_id, kept[there.inform]))
    if there.refer in kept:
        effects.append(RequestReferral(state.session_id, state.client_id, kept[there.refer]))
    return effects


def _wait(dialogue: Dialogue, state: State, now: datetime) -> Turn:
    """Silence: put the question once more while that is due, then call a person."""
    due, asked = due_at(dialogue, state), dialogue.steps[state.step]
    if due is None or asked.silence is None or now < due:
        return Turn(state)
    if now < state.silent_since + timedelta(hours=asked.silence.hours):
        passed = sum(now >= state.silent_since + timedelta(hours=hour) for hour in asked.silence.remind)
        return Turn(replace(state, reminded=passed), says=(f"{state.step}.remind",))
    told = replace(state, status="with_person", opened=state.opened or asked.silence.flag)
    return Turn(told, () if state.opened else (RaiseFlag(told.opened, state.client_id, state.session_id),))


def _safety_first(dialogue: Dialogue, state: State, heard: Heard, now: datetime) -> Turn:
    """Nothing more is asked. An answer given with it is kept; what silence has opened stays open for a person."""
    effects, asked = list[Effect](), dialogue.steps[state.step]
    if "crisis" in heard.wants:
        answer = Reply("crisis_answer", state.language, urgent=True, client_id=state.client_id)
        effects += [RaiseFlag("crisis", state.client_id), answer]
    if "stop" in heard.wants and state.status != "stopped":
        effects.append(StopPhone("stop"))
        if "crisis" not in heard.wants:
            effects.append(Reply("stop_confirmed", state.language, client_id=state.client_id))
    is_open = state.status in ("waiting", "with_person") and asked.kind not in ("text", "date")
    if is_open and (value := answers.read(dialogue, asked, heard, now)):
        effects.append(KeepAnswer(state.session_id, state.client_id, asked.name, value))
    if "stop" in heard.wants:
        state = replace(state, status="stopped")
    elif state.status == "waiting":
        state = replace(state, status="with_person")
    return Turn(state, tuple(effects))


def _maybe_stop(state: State, heard: Heard) -> Turn:
    effects: list[Effect] = [RaiseFlag("crisis_in_doubt", state.client_id)] if heard.meaning.doubt == "crisis" else []
    effects += [StopPhone("in_doubt"), RaiseFlag("stop_in_doubt", state.client_id)]
    effects.append(Reply("stop_doubt", state.language, client_id=state.client_id))
    return Turn(replace(state, status="with_person"), tuple(effects))


def _hear(dialogue: Dialogue, state: State, heard: Heard, now: datetime) -> Turn:
    asked = dialogue.steps[state.step]
    value = answers.read(dialogue, asked, heard, now)
    if value is not None:
        return _answered(dialogue, state, asked, value, now)
    if "wrong_number" in heard.wants:
        return Turn(replace(state, status="stopped"))
    if "callback" in heard.wants:
        return Turn(replace(state, status="with_person"))
    return Turn(state) if heard.wants & answers.REQUESTS else _not_understood(dialogue, state, heard, now)


def _answered(dialogue: Dialogue, state: State, asked: Step, value: str, now: datetime) -> Turn:
    """Kept, late or not; what silence had opened is closed; then the step that follows."""
    kept: list[Effect] = [KeepAnswer(state.session_id, state.client_id, asked.name, value)]
    if state.opened:
        kept.append(CloseFlag(state.opened, state.client_id, state.session_id, "answered_by_text"))
    if asked.kind == "text":  # whatever is written in free words, a person reads
        kept.append(RaiseFlag("other_text", state.client_id, state.session_id))
    state = replace(state, answers=(*state.answers, (asked.name, value)), opened="")
    name = asked.after(value)
    if name is None:
        lost = RaiseFlag("other_text", state.client_id, state.session_id)
        return Turn(replace(state, status="with_person"), (*kept, lost))
    turn = _arrive(dialogue, state, name, now)
    return turn._replace(effects=(*kept, *turn.effects))


def _not_understood(dialogue: Dialogue, state: State, heard: Heard, now: datetime) -> Turn:
    """Asked again in other words, then a person. More than a few words are for a person at once.

    What may be a cry for help has its flag already, and is not met with the same question.
    """
    rewordings = dialogue.rewordings(state.step)
    flag = RaiseFlag("other_text", state.client_id, state.session_id)
    if state.status == "with_person":
        return Turn(state, (flag,))
    if heard.meaning.doubt == "crisis":
        return Turn(replace(state, status="with_person"))
    if state.misses < len(rewordings):
        told = (flag,) if len(heard.text.split()) > _A_FEW_WORDS else ()
        return Turn(replace(state, misses=state.misses + 1, asked_at=now, reminded=0, waited=0), told, (rewordings[state.misses],))
    reply = Reply("not_understood", state.language, client_id=state.client_id)
    return Turn(replace(state, status="with_person"), (flag, reply))
