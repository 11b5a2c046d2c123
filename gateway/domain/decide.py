"""What a client's text leads to: the situation it arrives in, and the effects it has. Crisis and stop come first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from gateway.domain import dialogues, escalation
from gateway.domain import effects as fx
from gateway.domain.dialogues import Dialogue, Heard, KeepAnswer, MoveSession, State
from gateway.domain.effects import (
    AnswerAppointment,
    DoubtPhone,
    RaiseFlag,
    RecordAnswer,
    ReleaseWaiting,
    Reply,
    SetLanguage,
    StartPhone,
    StopPhone,
    TakeFlag,
    TellServices,
)
from gateway.domain.interpret import Expecting, Meaning
from gateway.domain.told import N_

Effect = fx.Effect | dialogues.Effect | MoveSession
"""All that a text may lead to."""

# Answers to what nobody understood, to unknown phones and to noise: once a day is polite, more is a conversation of machines.
POLITE_EVERY = timedelta(days=1)
AUTOMATIC_AN_HOUR = 3
IDENTICAL_AN_HOUR = 2
SERVICES_AN_HOUR = 6  # a machine does not know the words that ask for them
REPEAT_WITHIN = timedelta(seconds=10)
REDIAL_WITHIN = timedelta(minutes=2)
# What answers a question, and what else may be said beside it for a person to act on, with the reply it has.
ANSWERS = ("yes", "no", "number", "reschedule")
SERVICE_TEXTS = "service_"
NOTED = {"callback": "callback_noted", "info": "info_noted"}


@dataclass(frozen=True, slots=True)
class Client:
    """One person on the phone that wrote."""

    id: UUID
    language: str
    status: str


@dataclass(frozen=True, slots=True)
class Question:
    """A text of ours that waits for an answer from this phone."""

    outbound_id: UUID
    client_id: UUID
    expects: Expecting
    about_id: UUID | None


@dataclass(frozen=True, slots=True)
class Session:
    """A client in the middle of a dialogue: its question waits for an answer, or for another dialogue to end (suspended)."""

    dialogue: Dialogue
    state: State

    @property
    def expects(self) -> Expecting:
        """What is to be looked for in a text."""
        return self.dialogue.steps[self.state.step].expecting


@dataclass(frozen=True, slots=True)
class Situation:
    """All that bears on a decision about one inbound text. Of one client at most one question or session is open."""

    clients: tuple[Client, ...]
    questions: tuple[Question, ...]
    language: str  # of the clients, else of the channel's unit
    stopped: str | None  # the reason in the stop ledger
    stop_asked: bool  # we asked "shall we stop?" and wait for the answer
    replies_last_hour: tuple[str, ...]  # purposes of our automatic replies to this phone
    noise_replied_at: datetime | None  # the last "not understood" or "unknown sender"
    seconds_since_same: float | None  # since the same text came from this phone
    carrier_stop: str | None = None  # the carrier acted on a keyword itself: stop | start | help
    echo: bool = False  # word for word a text that we sent to this phone
    called: bool = False  # a missed call: it says "call me"
    alerted: tuple[escalation.Alerted, ...] = ()  # flags that the phone, a staff member's, was alerted about
    sessions: tuple[Session, ...] = ()  # open ones
    suspended: tuple[Session, ...] = ()  # those that go on when the open one ends, the most urgent first

    @property
    def asked(self) -> tuple[Question | Session, ...]:
        """All that waits for an answer from this phone."""
        return (*self.questions, *self.sessions)


def expecting(situation: Situation) -> Expecting:
    """What the one open question asks; nothing when none or several are open (a phone may be shared)."""
    return situation.asked[0].expects if len(situation.asked) == 1 else Expecting("none")


def is_repeat(situation: Situation) -> bool:
    """Whether this is probably a text that arrived before under another carrier id, or a call that was just tried again."""
    since, within = situation.seconds_since_same, REDIAL_WITHIN if situation.called else REPEAT_WITHIN
    return since is not None and since < within.total_seconds()


def decide(meaning: Meaning, situation: Situation, now: datetime, text: str = "") -> list[Effect]:
    """The effects of an inbound text, in the order they are applied. `text` is what was typed, for dates and free answers.

    Our own words, sent back, have none. Crisis is decided before anything else and is never held back by a stop, a loop or
    a repeat; stop comes next, and is not held back by a loop or a repeat.
    """
    if situation.echo:
        return [RaiseFlag("loop", _only_client(situation))]
    meaning = _as_taught(meaning, situation, text)
    effects = _crisis(meaning, situation)
    wants = {meaning.meaning, *meaning.also}
    if "stop" in wants or situation.carrier_stop == "stop":
        return effects + _kept(meaning, situation, now, text) + _stop(meaning, situation)  # a repeat of a stop that holds changes nothing
    if is_repeat(situation):
        return effects
    asked_to_stop = situation.stop_asked and situation.stopped == "in_doubt"
    # Carriers take a plain "yes" for a start: it may answer our question all the same, even the one whether to stop.
    if situation.carrier_stop == "start" and not (asked_to_stop and meaning.meaning == "yes"):
        return [*effects, StartPhone(), *_muted(_answered(meaning, situation, now, text), situation)]
    if "crisis" in wants:
        return effects + _kept(meaning, situation, now, text) + _without_replies(_beside(_besides(meaning, "crisis"), situation, []))
    # Only a phone that is no client's: on a shared one the words may be somebody's answer.
    if not situation.clients and (took := escalation.taken(text, situation.alerted)) is not None:
        return [*effects, TakeFlag(took.flag_id, took.staff_id)]
    if situation.carrier_stop == "help":
        return effects
    if meaning.doubt == "stop":
        return effects + _doubtful_stop(situation)
    if asked_to_stop:
        return effects + _muted(_after_doubt(meaning, situation), situation)
    if not situation.clients:
        return effects + _muted(_stranger(meaning, situation, now), situation)
    if (session := _session(situation)) is not None:
        return effects + _muted(_in_session(session, meaning, situation, now, text), situation)
    handled = _handle(meaning, situation, now)
    return effects + _muted(handled + _beside(meaning, situation, handled), situation)


def _as_taught(meaning: Meaning, situation: Situation, text: str) -> Meaning:
    """See `dialogues.as_taught`."""
    session = _session(situation)
    return meaning if session is None else dialogues.as_taught(session.dialogue, session.dialogue.steps[session.state.step], Heard(meaning, text)).meaning


def _session(situation: Situation) -> Session | None:
    """The dialogue whose question is the only open one."""
    return situation.sessions[0] if len(situation.asked) == 1 and situation.sessions else None


def _answered(meaning: Meaning, situation: Situation, now: datetime, text: str) -> list[Effect]:
    """What a word that the carrier took for a start means as an answer."""
    session = _session(situation)
    if session is None or meaning.meaning == "start":
        return _answers(meaning, situation)
    return _in_session(session, meaning, situation, now, text)


def _kept(meaning: Meaning, situation: Situation, now: datetime, text: str) -> list[Effect]:
    """Where stop or danger comes first, all a dialogue still does: an answer given with it is kept, and nothing more is asked."""
    if (session := _session(situation)) is None:
        return []
    turn = dialogues.step(session.dialogue, session.state, Heard(meaning, text), now)
    kept: list[Effect] = [effect for effect in turn.effects if isinstance(effect, KeepAnswer)]
    return kept + _moved(session, turn._replace(says=()))


def _moved(session: Session, turn: dialogues.Turn) -> list[Effect]:
    return [] if turn.state == session.state and not turn.says else [MoveSession(session.dialogue, session.state, turn.state, turn.says)]


def _in_session(session: Session, meaning: Meaning, situation: Situation, now: datetime, text: str) -> list[Effect]:
    """The one open question is a dialogue's: an answer moves it on, a request is handled and leaves it open."""
    turn = dialogues.step(session.dialogue, session.state, Heard(meaning, text), now)
    handled = _handle(meaning, situation, now) if meaning.meaning in dialogues.REQUESTS else []
    if any(isinstance(effect, KeepAnswer) for effect in turn.effects):
        noted = {*NOTED.values()}  # what the dialogue says is answer enough
        handled = [effect for effect in handled if not (isinstance(effect, Reply) and effect.purpose in noted)]
    stepped = [effect for effect in turn.effects if not _is_said(effect)]
    beside = [RaiseFlag(said, session.state.client_id) for said in meaning.also if said in NOTED or said == "wrong_number"]
    return [*stepped, *_moved(session, turn), *handled, *beside, *_resumed(turn.state, situation, now)]


def _is_said(effect: dialogues.Effect) -> bool:
    """Whether it is a doubt about danger, which `decide` has said already."""
    return isinstance(effect, RaiseFlag) and effect.reason == "crisis_in_doubt"


def _resumed(state: State, situation: Situation, now: datetime) -> list[Effect]:
    """What had to wait for this dialogue to end goes on."""
    waiting = [each for each in situation.suspended if each.state.client_id == state.client_id]
    if state.status != "ended" or not waiting:
        return []
    return _moved(waiting[0], dialogues.resume(waiting[0].dialogue, waiting[0].state, now))


def _crisis(meaning: Meaning, situation: Situation) -> list[Effect]:
    client_id = _only_client(situation)
    if "crisis" in (meaning.meaning, *meaning.also):
        answer = Reply("crisis_answer", situation.language, urgent=True, client_id=client_id)
        return [RaiseFlag("crisis", client_id), answer]
    if meaning.doubt != "crisis":
        return []
    flagged: list[Effect] = [RaiseFlag("crisis_in_doubt", client_id)]
    if meaning.also_doubt != "stop" or situation.stopped:
        return flagged
    # A person asks what was meant; an automatic question might be the wrong word.
    return [*flagged, StopPhone("in_doubt"), RaiseFlag("stop_in_doubt", client_id)]


def _stop(meaning: Meaning, situation: Situation) -> list[Effect]:
    wants = (meaning.meaning, *meaning.also)
    if situation.stopped == "stop":
        return []  # said already, and confirmed once
    beside = _without_replies(_beside(_besides(meaning, "stop", "crisis"), situation, []))
    wrong: list[Effect] = [StopPhone("wrong_number")] if "wrong_number" in wants else []
    if situation.carrier_stop == "stop":
        return [*beside, *wrong, StopPhone("carrier")]  # the carrier confirmed it; ours would be a second copy
    # In a crisis the crisis answer is enough.
    confirmed = [] if "crisis" in wants else [Reply("stop_confirmed", situation.language, client_id=_only_client(situation))]
    return [*beside, *wrong, StopPhone("stop"), *confirmed]


def _beside(meaning: Meaning, situation: Situation, handled: list[Effect]) -> list[Effect]:
    """What is said beside the main meaning holds too: recorded, or put before a person. It is answered only if nothing else is."""
    client_id, effects = _only_client(situation), list[Effect]()
    for said in meaning.also:
        if said in ANSWERS:
            effects += _answers(replace(meaning, meaning=said, also=()), situation)
        elif said in NOTED or (said == "wrong_number" and situation.clients):
            effects.append(RaiseFlag(said, client_id))
    if any(isinstance(effect, Reply | TellServices) for effect in handled):
        return _without_replies(effects)
    noted = next((NOTED[said] for said in meaning.also if said in NOTED), None)
    if noted is None or any(isinstance(effect, Reply) for effect in effects):
        return effects
    return [*effects, Reply(noted, situation.language, client_id=client_id)]


def _besides(meaning: Meaning, *acted_on: str) -> Meaning:
    """All that was meant, but for what is acted on already, as if it were said beside something else."""
    return replace(meaning, also=tuple(said for said in (meaning.meaning, *meaning.also) if said not in acted_on))


def _without_replies(effects: Sequence[Effect]) -> list[Effect]:
    return [effect for effect in effects if not isinstance(effect, Reply | TellServices)]


def _doubtful_stop(situation: Situation) -> list[Effect]:
    if situation.stopped:
        return []
    client_id = _only_client(situation)
    return [
        StopPhone("in_doubt"),
        RaiseFlag("stop_in_doubt", client_id),
        Reply("stop_doubt", situation.language, client_id=client_id),
    ]


def _stranger(meaning: Meaning, situation: Situation, now: datetime) -> list[Effect]:
    """An unknown phone is answered as a known one would be, so that no answer tells who is enrolled."""
    wants = (meaning.meaning, *meaning.also)
    effects: list[Effect] = [RaiseFlag("callback" if "callback" in wants else "unknown_sender")]
    match meaning.meaning:
        case "start":
            return [*effects, StartPhone(), Reply("started", situation.language)]
        case "help":
            return [*effects, Reply("help", situation.language)]
        case "info" if meaning.value is not None and not situation.stopped:
            polite = (Reply("unknown_sender", situation.language),) if _may_be_polite(situation, now) else ()
            return [*effects, *_services(meaning, situation, polite)]
        case "wrong_number":
            return [*effects, StopPhone("wrong_number"), Reply("wrong_number_noted", situation.language)]
    if situation.stopped or meaning.doubt == "crisis" or not _may_be_polite(situation, now):
        return effects
    return [*effects, Reply("unknown_sender", situation.language)]


def _handle(meaning: Meaning, situation: Situation, now: datetime) -> list[Effect]:
    client_id, language = _only_client(situation), situation.language
    match meaning.meaning:
        case "start":
            return [StartPhone(), Reply("started", language, client_id=client_id)]
        case "help" if meaning.asks_who:  # perhaps not the client: nobody is named, not even to those who chose open texts
            return [DoubtPhone(N_("somebody asked who this is")), Reply("help", language)]
        case "help":
            return [Reply("help", language, client_id=client_id)]
        case "wrong_number":
            return [
                StopPhone("wrong_number"),
                RaiseFlag("wrong_number", client_id),
                Reply("wrong_number_noted", language, client_id=client_id),
            ]
        case "language" if isinstance(meaning.value, str):
            changes: list[Effect] = [SetLanguage(c.id, meaning.value) for c in situation.clients]
            return [*changes, Reply("language_changed", meaning.value, client_id=client_id)]
        case "callback":
            return [RaiseFlag("callback", client_id), Reply("callback_noted", language, client_id=client_id)]
        case "info":
            return _services(meaning, situation, (RaiseFlag("info", client_id), Reply("info_noted", language, client_id=client_id)))
        case said if said in ANSWERS and len(situation.asked) == 1:
            return _answers(meaning, situation)
        case _ if meaning.doubt == "crisis":
            return []  # a person reads it today; an automatic answer might be the wrong word
        case _:
            return _unclear(situation, now)


def _services(meaning: Meaning, situation: Situation, otherwise: tuple[RaiseFlag | Reply, ...]) -> list[Effect]:
    """What was asked for by a keyword is answered by itself; a question in other words, or with a word of danger, is a person's."""
    if meaning.value is None or meaning.doubt == "crisis" or situation.stopped:
        return list(otherwise)
    return [TellServices(meaning.value, situation.language, _only_client(situation), otherwise)]


def _after_doubt(meaning: Meaning, situation: Situation) -> list[Effect]:
    """We had asked "shall we stop?": yes stops, a plain no goes on; anything else stays paused for a person."""
    client_id, language = _only_client(situation), situation.language
    if meaning.meaning == "yes":
        return [StopPhone("stop"), Reply("stop_confirmed", language, client_id=client_id)]
    if meaning.meaning in ("no", "start"):
        return [StartPhone(), Reply("started", language, client_id=client_id)]
    return [RaiseFlag("stop_in_doubt", client_id)]


def _answers(meaning: Meaning, situation: Situation) -> list[Effect]:
    """The answer to the one open question, when there is one and the text answers it."""
    if len(situation.asked) != 1 or not situation.questions:
        return []
    said, question = meaning.meaning, situation.questions[0]
    if said not in ANSWERS:
        return []
    value = str(meaning.value) if said == "number" else said
    recorded = RecordAnswer(question.outbound_id, question.client_id, value)
    return [recorded, *_follow_up(question, said, meaning, situation)]


def _follow_up(question: Question, said: str, meaning: Meaning, situation: Situation) -> list[Effect]:
    client_id, language = question.client_id, situation.language
    kind = question.expects.kind
    if kind == "ready":
        return [ReleaseWaiting(question.outbound_id)] if said == "yes" else []
    if kind == "appointment" and question.about_id is not None:
        answer = {"yes": "confirmed", "no": "declined", "reschedule": "reschedule"}[said]
        effects: list[Effect] = [AnswerAppointment(question.about_id, answer)]
        if answer != "confirmed":
            effects.append(RaiseFlag(answer, client_id, question.about_id))
        if "meant the visit" in meaning.why:
            effects.append(RaiseFlag("meant_the_visit", client_id, question.about_id))
        reply = f"appointment_{answer}"
        return [*effects, Reply(reply, language, client_id=client_id, about_id=question.about_id)]
    if kind == "yes_no":
        if said == "no":
            return [RaiseFlag("not_well", client_id), Reply("check_in_not_well", language, client_id=client_id)]
        return [Reply("check_in_well", language, client_id=client_id)]
    return []


def _unclear(situation: Situation, now: datetime) -> list[Effect]:
    client_id = _only_client(situation)
    reason = "which_person" if len(situation.asked) > 1 else "other_text"
    effects: list[Effect] = [RaiseFlag(reason, client_id)]
    if _may_be_polite(situation, now) and not situation.stopped:
        effects.append(Reply("not_understood", situation.language, client_id=client_id))
    return effects


def _may_be_polite(situation: Situation, now: datetime) -> bool:
    return situation.noise_replied_at is None or now - situation.noise_replied_at >= POLITE_EVERY


def _muted(effects: Sequence[Effect], situation: Situation) -> list[Effect]:
    """Take the reply away where the other side is probably a machine, or the phone is stopped, and tell a person."""
    replies = [e for e in effects if isinstance(e, Reply | TellServices)]
    if not replies:
        return [*effects]
    if not any(_is_too_much(reply, situation.replies_last_hour) for reply in replies):
        return [*effects]
    asked = [effect for r in replies if isinstance(r, TellServices) for effect in r.otherwise]
    return [*_without_replies([*effects, *asked]), RaiseFlag("loop", _only_client(situation))]


def _is_too_much(reply: Reply | TellServices, sent: tuple[str, ...]) -> bool:
    services = sum(purpose.startswith(SERVICE_TEXTS) for purpose in sent)
    if isinstance(reply, TellServices):
        return services >= SERVICES_AN_HOUR
    return len(sent) - services >= AUTOMATIC_AN_HOUR or sent.count(reply.purpose) >= IDENTICAL_AN_HOUR


def _only_client(situation: Situation) -> UUID | None:
    """The client, when the phone belongs to one person alone."""
    return situation.clients[0].id if len(situation.clients) == 1 else None
