"""What a text leads to: danger and stop first, and everything that was said beside them holds too."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from gateway.domain.decide import Client, Question, Situation, decide
from gateway.domain.effects import AnswerAppointment, Effect, RaiseFlag, RecordAnswer, Reply, StopPhone
from gateway.domain.interpret import Expecting, Meaning

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
WHO, ASKED, VISIT = uuid4(), uuid4(), uuid4()


def situation(expects: str = "none", about: UUID | None = None, **changes: object) -> Situation:
    questions = () if expects == "none" else (Question(ASKED, WHO, Expecting.parse(expects), about),)
    fields: dict[str, object] = {
        "clients": (Client(WHO, "vi", "active"),), "questions": questions, "language": "vi", "stopped": None, "stop_asked": False,
        "replies_last_hour": (), "noise_replied_at": None, "seconds_since_same": None,
    }  # fmt: skip
    return Situation(**(fields | changes))  # type: ignore[arg-type]


def said(meaning: str, *also: str, value: int | str | None = None, doubt: str | None = None) -> Meaning:
    return Meaning(meaning, value, also, doubt, "")


def shown(effects: list[Effect]) -> list[str]:
    """The effects in a word each."""
    words = []
    for effect in effects:
        match effect:
            case RaiseFlag(reason):
                words.append(f"flag {reason}")
            case Reply(purpose):
                words.append(f"reply {purpose}")
            case StopPhone(reason):
                words.append(f"stop {reason}")
            case RecordAnswer(value=value):
                words.append(f"answer {value}")
            case AnswerAppointment(answer=answer):
                words.append(f"visit {answer}")
            case _:
                words.append(type(effect).__name__)
    return words


def test_an_answer_with_a_wish_to_be_called_does_both_and_says_one_thing() -> None:
    effects = decide(said("yes", "callback"), situation("appointment", VISIT), NOW)
    assert shown(effects) == ["answer yes", "visit confirmed", "reply appointment_confirmed", "flag callback"]


def test_a_wish_to_be_called_is_answered_where_the_answer_has_no_reply_of_its_own() -> None:
    effects = decide(said("number", "callback", value=2), situation("scale:1-5"), NOW)
    assert shown(effects) == ["answer 2", "flag callback", "reply callback_noted"]


def test_a_stop_with_an_answer_records_the_answer_and_confirms_the_stop_alone() -> None:
    effects = decide(said("stop", "no"), situation("appointment", VISIT), NOW)
    assert shown(effects) == ["answer no", "visit declined", "flag declined", "stop stop", "reply stop_confirmed"]


def test_a_stop_of_somebody_else_on_the_phone_has_staff_verify_the_number() -> None:
    for meaning in (said("stop", "wrong_number"), said("wrong_number", "stop")):
        assert shown(decide(meaning, situation(), NOW)) == ["flag wrong_number", "stop wrong_number", "stop stop", "reply stop_confirmed"]


def test_a_cry_for_help_with_a_stop_is_answered_once_and_stops() -> None:
    assert shown(decide(said("crisis", "stop"), situation(), NOW)) == ["flag crisis", "reply crisis_answer", "stop stop"]


def test_a_cry_for_help_with_an_answer_records_it_and_says_nothing_more() -> None:
    effects = decide(said("crisis", "number", "callback", value=1), situation("scale:1-5"), NOW)
    assert shown(effects) == ["flag crisis", "reply crisis_answer", *shown(effects)[2:]]
    assert sorted(shown(effects)[2:]) == ["answer 1", "flag callback"]


def test_words_that_may_mean_danger_get_a_person_and_no_automatic_answer() -> None:
    assert shown(decide(said("other", doubt="crisis"), situation(), NOW)) == ["flag crisis_in_doubt"]


def test_words_that_may_mean_both_pause_and_get_a_person_without_an_automatic_question() -> None:
    both = Meaning("other", doubt="crisis", also_doubt="stop")
    assert shown(decide(both, situation(), NOW)) == ["flag crisis_in_doubt", "stop in_doubt", "flag stop_in_doubt"]
    assert shown(decide(both, situation(stopped="stop"), NOW)) == ["flag crisis_in_doubt"]


def test_words_that_may_mean_stop_pause_and_ask_once() -> None:
    assert shown(decide(said("other", doubt="stop"), situation(), NOW)) == ["stop in_doubt", "flag stop_in_doubt", "reply stop_doubt"]
    assert decide(said("other", doubt="stop"), situation(stopped="in_doubt"), NOW) == []


@pytest.mark.parametrize("meaning", ["crisis", "stop", "callback", "info", "help", "wrong_number", "yes", "other"])
@pytest.mark.parametrize("also", [(), ("stop",), ("callback",), ("number",), ("crisis",)])
def test_nobody_is_sent_two_automatic_answers_to_one_text(meaning: str, also: tuple[str, ...]) -> None:
    effects = decide(said(meaning, *also, value=1), situation("scale:1-5"), NOW)
    assert sum(isinstance(effect, Reply) for effect in effects) <= 1
