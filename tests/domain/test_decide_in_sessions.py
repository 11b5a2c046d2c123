"""A text in the middle of a dialogue: danger and stop first, requests leave the question open, an answer moves on."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from gateway import content
from gateway.domain import dialogues
from gateway.domain.decide import Client, Effect, Question, Session, Situation, decide, expecting
from gateway.domain.dialogues import CloseFlag, KeepAnswer, MoveSession
from gateway.domain.effects import RaiseFlag, Reply, StartPhone, StopPhone
from gateway.domain.interpret import Expecting, Meaning

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
WHO, OTHER = uuid4(), uuid4()
SHIPPED = content.load().dialogues


def session(name: str = "weekly_check_in", who=WHO, **changes: object) -> Session:
    state = dialogues.begin(SHIPPED[name], uuid4(), who, "en", NOW).state
    return Session(SHIPPED[name], replace(state, **changes))  # type: ignore[arg-type]


def situation(*sessions: Session, **changes: object) -> Situation:
    fields: dict[str, object] = {
        "clients": (Client(WHO, "en", "active"),), "questions": (), "language": "en", "stopped": None, "stop_asked": False,
        "replies_last_hour": (), "noise_replied_at": None, "seconds_since_same": None, "sessions": sessions,
    }  # fmt: skip
    return Situation(**(fields | changes))  # type: ignore[arg-type]


def said(meaning: str, *also: str, value: int | str | None = None, doubt: str | None = None) -> Meaning:
    return Meaning(meaning, value, also, doubt, "")


def shown(effects: list[Effect]) -> list[str]:
    """The effects in a word or two each."""
    words = []
    for effect in effects:
        match effect:
            case MoveSession():
                words.append(f"to {effect.state.step} {effect.state.status}" + (", says" if effect.says else ""))
            case KeepAnswer(value=value):
                words.append(f"keeps {value}")
            case RaiseFlag(reason):
                words.append(f"flag {reason}")
            case Reply(purpose):
                words.append(f"reply {purpose}")
            case StopPhone(reason):
                words.append(f"stop {reason}")
            case CloseFlag(reason):
                words.append(f"closes {reason}")
            case _:
                words.append(type(effect).__name__)
    return words


@pytest.mark.parametrize(("meaning", "expected"), [
    (said("yes"), ["keeps yes", "to well ended, says"]),
    (said("no"), ["keeps no", "flag not_well", "to not_well ended, says"]),
    (said("no", "callback"), ["keeps no", "flag not_well", "to not_well ended, says", "flag callback"]),
    (said("callback", "no"), ["keeps no", "flag not_well", "to not_well ended, says", "flag callback"]),
    (said("callback"), ["to ask with_person", "flag callback", "reply callback_noted"]),
    (said("help"), ["reply help"]),
    (said("wrong_number"), ["to ask stopped", "stop wrong_number", "flag wrong_number", "reply wrong_number_noted"]),
    (said("other"), ["to ask waiting, says"]),
    (said("other", doubt="crisis"), ["flag crisis_in_doubt", "to ask with_person"]),
    (said("other", doubt="stop"), ["stop in_doubt", "flag stop_in_doubt", "reply stop_doubt"]),
    (said("stop"), ["to ask stopped", "stop stop", "reply stop_confirmed"]),
    (said("stop", "no"), ["keeps no", "to ask stopped", "stop stop", "reply stop_confirmed"]),
    (said("crisis"), ["flag crisis", "reply crisis_answer", "to ask with_person"]),
    (said("crisis", "stop"), ["flag crisis", "reply crisis_answer", "to ask stopped", "stop stop"]),
])  # fmt: skip
def test_what_a_text_leads_to_in_a_check_in(meaning: Meaning, expected: list[str]) -> None:
    assert shown(decide(meaning, situation(session()), NOW, "zzz")) == expected


def test_a_late_answer_closes_what_silence_opened() -> None:
    silent = session(status="with_person", opened="no_reply")
    assert shown(decide(said("yes"), situation(silent), NOW)) == ["keeps yes", "closes no_reply", "to well ended, says"]


def test_a_yes_that_the_carrier_takes_for_a_start_is_an_answer_too() -> None:
    effects = decide(said("yes"), situation(session(), carrier_stop="start"), NOW)
    assert isinstance(effects[0], StartPhone)
    assert shown(effects[1:]) == ["keeps yes", "to well ended, says"]


def test_a_repeat_within_seconds_moves_nothing() -> None:
    assert decide(said("yes"), situation(session(), seconds_since_same=2.0), NOW) == []


def test_the_step_says_what_to_look_for_and_several_open_ones_say_nothing() -> None:
    mood = session("mood_and_coping")
    assert expecting(situation(mood)) == Expecting("scale", 1, 5)
    assert expecting(situation(mood, session(who=OTHER))) == Expecting("none")
    assert expecting(situation(mood, questions=(Question(uuid4(), OTHER, Expecting("yes_no"), None),))) == Expecting("none")


def test_a_number_on_a_phone_with_several_open_ones_is_for_a_person() -> None:
    both = situation(session(), session(who=OTHER), clients=(Client(WHO, "en", "active"), Client(OTHER, "en", "active")))
    assert shown(decide(said("yes"), both, NOW)) == ["flag which_person", "reply not_understood"]


def test_what_was_suspended_goes_on_when_the_dialogue_ends_and_not_before() -> None:
    waiting = session("needs_check", status="suspended")
    others = session("work_and_college", who=OTHER, status="suspended")
    ended = decide(said("yes"), situation(session(), suspended=(others, waiting)), NOW)
    assert shown(ended)[-1] == "to need waiting, says"
    unclear = decide(said("other"), situation(session(), suspended=(waiting,)), NOW, "zzz")
    assert shown(unclear) == ["to ask waiting, says"]


def test_a_dialogue_is_not_muted_by_what_was_answered_before() -> None:
    busy = situation(session(), replies_last_hour=("help", "help", "info_noted"))
    assert shown(decide(said("yes"), busy, NOW)) == ["keeps yes", "to well ended, says"]
    assert shown(decide(said("help"), busy, NOW)) == ["flag loop"]
