"""Dialogues: what is asked step by step, and what follows on each answer and on silence. SMS and USSD are two skins of one.

definition.py  a dialogue and its steps, read from plain data      skins.py   a turn as one SMS, or as screens with "0 back, 98 more"
answers.py     what was heard -> the value a step takes, or none   checks.py  `lint`: what is wrong with a dialogue
effects.py     what a step may lead to, beside the common list     drawing.py `draw`: a dialogue as a Mermaid diagram
sayings.py     what a turn says, as a text like every other        precedence.py  which of two dialogues goes first
walk.py        `begin`, `step`, `back`, `suspend`, `resume`: pure, so that the same inputs always lead to the same states
"""

from gateway.domain.dialogues.answers import REQUESTS, Heard, as_taught
from gateway.domain.dialogues.checks import Tongue, lint
from gateway.domain.dialogues.definition import FILE, Dialogue, Silence, Step, parse, read, sections
from gateway.domain.dialogues.drawing import draw
from gateway.domain.dialogues.effects import CloseFlag, Effect, KeepAnswer, RequestReferral, SendInformation
from gateway.domain.dialogues.precedence import goes_on, make_room, waits_behind
from gateway.domain.dialogues.sayings import name_of, purpose, say
from gateway.domain.dialogues.skins import SCREEN, Limits, Navigation, pressed, screens, sms
from gateway.domain.dialogues.walk import MoveSession, State, Turn, back, begin, due_at, resume, step, suspend

__all__ = [
    "FILE",
    "REQUESTS",
    "SCREEN",
    "CloseFlag",
    "Dialogue",
    "Effect",
    "Heard",
    "KeepAnswer",
    "Limits",
    "MoveSession",
    "Navigation",
    "RequestReferral",
    "SendInformation",
    "Silence",
    "State",
    "Step",
    "Tongue",
    "Turn",
    "as_taught",
    "back",
    "begin",
    "draw",
    "due_at",
    "goes_on",
    "lint",
    "make_room",
    "name_of",
    "parse",
    "pressed",
    "purpose",
    "read",
    "resume",
    "say",
    "screens",
    "sections",
    "sms",
    "step",
    "suspend",
    "waits_behind",
]
