"""What a decision may lead to: a closed list. `decide` says them, `usecases.apply_effects` alone carries them out."""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class StopPhone:
    """The phone wants no more texts: everyone on it is stopped, what is planned is cancelled."""

    reason: str  # stop | wrong_number | in_doubt | carrier


@dataclass(frozen=True, slots=True)
class DoubtPhone:
    """Somebody else may have the phone: nothing of our own accord is sent to it until a person has asked."""

    why: str


@dataclass(frozen=True, slots=True)
class StartPhone:
    """The phone wants texts again: earlier consents count again, nothing new is granted."""


@dataclass(frozen=True, slots=True)
class AnswerAppointment:
    """The client said whether they come: confirmed, declined or reschedule."""

    appointment_id: UUID
    answer: str


@dataclass(frozen=True, slots=True)
class RecordAnswer:
    """The answer to an open question; closes it."""

    outbound_id: UUID
    client_id: UUID
    value: str


@dataclass(frozen=True, slots=True)
class ReleaseWaiting:
    """The client can read now: the text that waited behind the ping goes out."""

    ping_id: UUID


@dataclass(frozen=True, slots=True)
class SetLanguage:
    """Texts to this client are in `language` from now on."""

    client_id: UUID
    language: str


@dataclass(frozen=True, slots=True)
class RaiseFlag:
    """A person should look; urgent ones alert whoever is on duty by a text to their own phone."""

    reason: str
    client_id: UUID | None = None
    about_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class TakeFlag:
    """A staff member took a flag by answering the alert; nobody else is alerted any more."""

    flag_id: UUID
    staff_id: UUID


@dataclass(frozen=True, slots=True)
class Reply:
    """A text back to the phone that wrote, through the channel it wrote to."""

    purpose: str
    language: str
    urgent: bool = False
    client_id: UUID | None = None
    about_id: UUID | None = None
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TellServices:
    """The services near the client for a topic (`services.TOPICS`, or a number), each in a text; `otherwise` where there are none."""

    topic: str | int
    language: str
    client_id: UUID | None = None
    otherwise: tuple[RaiseFlag | Reply, ...] = ()


Effect = (
    StopPhone | DoubtPhone | StartPhone | AnswerAppointment | RecordAnswer | ReleaseWaiting | SetLanguage | RaiseFlag | TakeFlag | Reply
    | TellServices
)
