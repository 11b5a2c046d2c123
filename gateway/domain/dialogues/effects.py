"""What a dialogue may lead to, beside the effects that any reply may have."""

from dataclasses import dataclass
from uuid import UUID

from gateway.domain import effects


@dataclass(frozen=True, slots=True)
class KeepAnswer:
    """The client's answer at a step. A later one at the same step of the session takes its place."""

    session_id: UUID
    client_id: UUID
    step: str
    value: str


@dataclass(frozen=True, slots=True)
class CloseFlag:
    """What silence had opened is settled: the client answered after all. Nothing happens if a person closed it before."""

    reason: str
    client_id: UUID
    session_id: UUID
    outcome: str


@dataclass(frozen=True, slots=True)
class SendInformation:
    """Services near the client for a topic, in a text of its own."""

    session_id: UUID
    client_id: UUID
    topic: str


@dataclass(frozen=True, slots=True)
class RequestReferral:
    """The client wants to be put in touch with a service for a topic: a task for a person, who asks for consent."""

    session_id: UUID
    client_id: UUID
    topic: str


Effect = effects.StopPhone | effects.RaiseFlag | effects.Reply | KeepAnswer | CloseFlag | SendInformation | RequestReferral
