"""What a campaign is: for whom, which texts, when. Read from a file or options, checked before anything is kept."""

import re
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Literal, Self, get_args

from gateway.domain import dialogues, reminders, rounds
from gateway.domain.errors import Refused
from gateway.domain.schedules import LASTS, OneOff
from gateway.domain.templates import About, Policy
from gateway.domain.told import N_

Kind = Literal["one_off", "reminders", "recurring", "programme"]
AGAIN: frozenset[Kind] = frozenset({"recurring", "programme"})  # with a [schedule]

# Texts of these kinds are sent of our own accord; `manual` is one person's text to one client, never a campaign's.
KINDS_OF_TEXT = frozenset({"reminder", "prompt", "notice"})
NEVER = frozenset({"manual", "message_waiting"})
OF_AN_APPOINTMENT = frozenset({"day", "date", "time"})

# What ends a programme for a client who has done it since they were enrolled.
EVENTS = (N_("reply"), N_("appointment_booked"), N_("appointment_attended"))
ENROLMENT = "enrolment"
OUTSIDE = N_("outside the audience")

_HOURS = re.compile(r"(\d{1,3})h")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_PREFIX = re.compile(r"\+\d{0,14}")


@dataclass(frozen=True, slots=True)
class Audience:
    """Clients of any of the `units` and all below them who fit every other list that is not empty. Codes of people.

    Phones that a person still has to check are left out, unless `unverified`.
    """

    units: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    unverified: bool = False


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One text of a campaign, or the dialogue that begins with it (see `dialogues.purpose`); `timing` as campaign files write it.

    `topic`: only for clients in the group of this name.
    """

    purpose: str
    timing: Mapping[str, Any]
    topic: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)  # before those of the campaign


@dataclass(frozen=True, slots=True)
class Spec:
    """A campaign as it was asked for."""

    name: str
    kind: Kind
    steps: tuple[StepSpec, ...]
    audience: Audience = Audience()
    policy: Policy = "dont_send"  # where a text is missing in the client's language
    default_language: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)  # for the templates' places: words, or words by language
    prices: Mapping[str, float] = field(default_factory=dict)  # of one segment, by prefix of the phone
    currency: str = ""
    schedule: Mapping[str, Any] = field(default_factory=dict)  # of a recurring campaign or a programme, as files write it

    @property
    def since(self) -> str:
        """What a programme's days are counted from: the enrolment, or a date of the client by its name."""
        return str(self.schedule.get("since", ENROLMENT))

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The spec that `to_dict` gave."""
        steps = tuple(StepSpec(**step) for step in data["steps"])
        return cls(**{**data, "steps": steps, "audience": read_audience(data["audience"])})


def read(data: Mapping[str, Any]) -> Spec:
    """The campaign that a file or the options describe. Raises Refused with everything that is wrong."""
    faults = _unknown(data, {"name", "kind", "audience", "language", "schedule", "steps", "values", "prices"}, "")
    kind, steps = data.get("kind"), data.get("steps")
    if not isinstance(data.get("name"), str) or not data["name"].strip():
        faults.append(N_("name is missing: what staff call the campaign"))
    if kind not in get_args(Kind):
        faults.append(N_("kind must be one_off, reminders, recurring or programme"))
    faults += [N_("{table} must be a table").format(table=table) for table in ("audience", "language", "schedule", "values", "prices") if not _is_table(data, table)]
    if not isinstance(steps, list) or not steps or not all(isinstance(step, Mapping) for step in steps):
        faults.append(N_("steps are missing: at least one [[steps]] with a template"))
    if faults:
        raise _refused(faults)
    faults += _step_faults(data["kind"], data["steps"], data.get("schedule", {})) + _table_faults(data) + _schedule_faults(data)
    if faults:
        raise _refused(faults)
    language, prices = data.get("language", {}), dict(data.get("prices", {}))
    return Spec(
        name=data["name"].strip(), kind=data["kind"], steps=tuple(_step(step) for step in data["steps"]),
        audience=read_audience(data.get("audience", {})), policy=language.get("missing", "dont_send"),
        default_language=language.get("default"), values=data.get("values", {}), currency=str(prices.pop("currency", "")),
        prices={prefix: float(price) for prefix, price in prices.items()}, schedule=_plain(data.get("schedule", {})),
    )  # fmt: skip


def written(spec: Spec) -> dict[str, Any]:
    """What `read` makes this campaign of."""
    asked = asdict(spec.audience)
    audience: dict[str, Any] = {name: list(value) for name, value in asked.items() if name != "unverified" and value}
    language = {"missing": spec.policy} | ({"default": spec.default_language} if spec.default_language else {})
    prices = dict(spec.prices) | ({"currency": spec.currency} if spec.currency else {})
    return {
        "name": spec.name, "kind": spec.kind, "steps": [_written_step(step) for step in spec.steps], "language": language,
        "audience": audience | ({"unverified": True} if spec.audience.unverified else {}),
        **{name: dict(value) for name, value in (("values", spec.values), ("prices", prices), ("schedule", spec.schedule)) if value},
    }  # fmt: skip


def _written_step(step: StepSpec) -> dict[str, Any]:
    name = dialogues.name_of(step.purpose)
    said = {"template": step.purpose} if name is None else {"dialogue": name}
    topic = {"topic": step.topic} if step.topic is not None else {}
    return {**said, **step.timing, **topic, **({"values": dict(step.values)} if step.values else {})}


def _refused(faults: list[str]) -> Refused:
    return Refused("the campaign is not complete; nothing was kept:", *faults)


def _is_table(data: Mapping[str, Any], name: str) -> bool:
    return isinstance(data.get(name, {}), Mapping)


def _unknown(data: Mapping[str, Any], known: Set[str], where: str) -> list[str]:
    unknown = N_("{key} is not known; known are {known}")
    return [unknown.format(key=where + key, known=", ".join(sorted(known))) for key in sorted(set(data) - known)]


_OF_A_STEP: Mapping[Kind, frozenset[str]] = {
    "one_off": frozenset({"template", "dialogue", "not_before", "at", "lasts"}),
    "reminders": frozenset({"template", "before", "at"}),
    "recurring": frozenset({"template", "dialogue", "topic", "values"}),
    "programme": frozenset({"template", "dialogue", "topic", "values", "day", "every", "times"}) | rounds.TIMING,
}
_OF_A_SCHEDULE: Mapping[Kind, frozenset[str]] = {
    "recurring": frozenset({"every", "start"}) | rounds.TIMING,
    "programme": frozenset({"since", "enrol", "exit"}) | rounds.TIMING,
}


def _step_faults(kind: Kind, steps: list[Mapping[str, Any]], schedule: Mapping[str, Any]) -> list[str]:
    single = N_("a one_off campaign has one step; make another campaign for another text")
    faults = [single] if kind == "one_off" and len(steps) > 1 else []
    for number, step in enumerate(steps, 1):
        where = N_("step {number}: {fault}").format(number=number, fault="")
        faults += _unknown(step, _OF_A_STEP[kind], where)
        if not isinstance(step.get("template", step.get("dialogue")), str):
            faults.append(where + N_("template is missing"))
        if "template" in step and "dialogue" in step:
            faults.append(where + N_("give a template or a dialogue, not both"))
        if kind == "reminders" and "before" not in step:
            faults.append(where + N_('before is missing, such as before = "1d"'))
            continue
        if not isinstance(step.get("topic", ""), str):
            faults.append(where + N_("topic is the name of one group of clients"))
        faults += [where + fault for fault in _value_faults(step.get("values", {}))]
        try:
            _check_timing(kind, _step(step).timing, schedule)
        except Refused as wrong:
            faults.append(where + str(wrong))
    return faults


def _check_timing(kind: Kind, timing: Mapping[str, Any], schedule: Mapping[str, Any]) -> None:
    match kind:
        case "reminders":
            reminder_step("", timing)
        case "one_off":
            one_off(timing)
        case "programme":
            rounds.read_step({**_plain(schedule), **timing})


def _schedule_faults(data: Mapping[str, Any]) -> list[str]:
    kind, schedule = data["kind"], data.get("schedule", {})
    if kind not in AGAIN:
        return [N_("schedule is for campaigns of kind recurring or programme")] if schedule else []
    faults = _unknown(schedule, _OF_A_SCHEDULE[kind], "schedule: ")
    try:
        (rounds.read_recurring if kind == "recurring" else rounds.read_timing)(_plain(schedule))
    except Refused as wrong:
        faults.append(f"schedule: {wrong}")
    if not isinstance(schedule.get("since", ""), str):
        faults.append(N_("schedule: since is enrolment, or the name of a date that clients have"))
    if schedule.get("enrol", "audience") not in ("audience", "by_hand"):
        faults.append(N_("schedule: enrol must be audience or by_hand"))
    exits = schedule.get("exit", [])
    if not isinstance(exits, list) or not set(map(str, exits)) <= set(EVENTS):
        faults.append(N_("schedule: exit must be a list of {events}").format(events=", ".join(EVENTS)))
    return faults


def _plain(value: Any) -> Any:
    """As JSON can hold it: TOML has times and dates of its own."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date | time) else value


def recurring(spec: Spec) -> rounds.Recurring:
    """The days of a recurring campaign. Raises Refused."""
    return rounds.read_recurring(spec.schedule)


def step_days(spec: Spec, step: StepSpec) -> rounds.StepDays:
    """The days of a programme's step. Raises Refused."""
    return rounds.read_step({**spec.schedule, **step.timing})


def next_in_sequence(steps: Sequence[StepSpec], groups: Collection[str], had: Collection[int]) -> int | None:
    """Which step a client of these groups gets next, after those they had; None when they had them all.

    A campaign of one step says the same each time.
    """
    theirs = [place for place, step in enumerate(steps) if step.topic is None or step.topic in groups]
    if len(steps) == 1:
        return theirs[0] if theirs else None
    return next((place for place in theirs if place not in had), None)


def _table_faults(data: Mapping[str, Any]) -> list[str]:
    audience, language, prices = (data.get(name, {}) for name in ("audience", "language", "prices"))
    faults = _unknown(audience, {"units", "groups", "languages", "workers", "clients", "unverified"}, "audience: ")
    for name, value in audience.items():
        if name != "unverified" and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            faults.append(N_('audience: {name} must be a list of codes, such as ["A", "B"]').format(name=name))
    if not isinstance(audience.get("unverified", False), bool):
        faults.append(N_("audience: unverified must be true or false"))
    faults += _unknown(language, {"missing", "default"}, "language: ")
    if language.get("missing", "dont_send") not in get_args(Policy):
        faults.append(N_("language: missing must be one of {policies}").format(policies=", ".join(get_args(Policy))))
    if language.get("missing") == "campaign_default" and not isinstance(language.get("default"), str):
        faults.append(N_("language: campaign_default needs default, the language to send instead"))
    faults += _value_faults(data.get("values", {}))
    for prefix, price in prices.items():
        if prefix != "currency" and not (_PREFIX.fullmatch(prefix) and isinstance(price, int | float) and price >= 0):
            faults.append(N_('prices: {prefix!r} must be a prefix such as "+84" with the price of one segment').format(prefix=prefix))
    return faults


def _value_faults(values: Any) -> list[str]:
    if not isinstance(values, Mapping):
        return [N_("{table} must be a table").format(table="values")]
    wrong = N_("values: {name} must be a text, or a table of one text for each language")
    return [
        wrong.format(name=name) for name, value in values.items()
        if not isinstance(value, str) and not (isinstance(value, Mapping) and all(isinstance(said, str) for said in value.values()))
    ]  # fmt: skip


def read_audience(data: Mapping[str, Any]) -> Audience:
    """The audience as campaign files have it; checked by `read`."""
    lists = {name: tuple(value) for name, value in data.items() if name != "unverified"}
    return Audience(**lists, unverified=bool(data.get("unverified", False)))


def _step(data: Mapping[str, Any]) -> StepSpec:
    """Times as text, however the file wrote them: TOML has times and dates of its own."""
    timing = {k: v.isoformat() if isinstance(v, datetime | time) else v if isinstance(v, list) else str(v)
              for k, v in data.items() if k not in ("template", "dialogue", "topic", "values")}  # fmt: skip
    purpose = dialogues.purpose(str(data["dialogue"])) if "dialogue" in data else str(data.get("template"))
    return StepSpec(purpose, timing, data.get("topic"), data.get("values", {}))


def reminder_step(step_id: str, timing: Mapping[str, Any]) -> reminders.Step:
    """The step before an appointment. Raises Refused."""
    at = timing.get("at")
    return reminders.read_step(step_id, timing["before"], at[:5] if at else None)


def one_off(timing: Mapping[str, Any]) -> OneOff:
    """The moment of a one-off text. Raises Refused."""
    clock = _CLOCK.match(timing["at"]) if "at" in timing else None
    lasts = _HOURS.fullmatch(timing["lasts"]) if "lasts" in timing else None
    if "at" in timing and clock is None:
        raise Refused("the time of day is written as 17:00")
    if "lasts" in timing and (lasts is None or not 1 <= int(lasts[1]) <= 720):
        raise Refused("lasts is written as hours, 1h to 720h: how long the text is still worth sending")
    try:
        not_before = datetime.fromisoformat(timing["not_before"]) if "not_before" in timing else None
    except ValueError:
        raise Refused("not_before is written as 2030-01-31T09:00, with a zone for one moment everywhere") from None
    return OneOff(not_before, time(int(clock[1]), int(clock[2])) if clock else None, timedelta(hours=int(lasts[1])) if lasts else LASTS)


def text_faults(kind: Kind, purpose: str, about: About) -> list[str]:
    """Why a template cannot be a step of such a campaign; [] when it can."""
    if about.kind not in KINDS_OF_TEXT or purpose in NEVER or not about.consent:
        return [N_("{purpose} is not a text that a campaign sends").format(purpose=purpose)]
    dated = OF_AN_APPOINTMENT & set(about.placeholders)
    if kind != "reminders" and dated:
        return [N_("{purpose} speaks of an appointment; use it in a campaign of kind reminders").format(purpose=purpose)]
    return []


@dataclass(frozen=True, slots=True)
class Candidate:
    """What decides whether a person gets a campaign's text at all. Asked when it is previewed and when it is due."""

    covered: bool  # in the audience
    status: str
    has_phone: bool
    to_verify: bool
    stopped: str | None
    consented: bool


def exclusion(person: Candidate, consent_purpose: str, unverified: bool) -> str | None:
    """Why this person gets nothing; None when they do. What a person can change by a word comes last."""
    if not person.covered:
        return OUTSIDE
    if person.status != "active":
        return N_("client paused") if person.status == "paused" else N_("client closed")
    if not person.has_phone:
        return N_("no phone")
    if person.stopped:
        return N_("opted out ({why})").format(why=person.stopped)
    if not person.consented:
        return N_("no consent for {consent}").format(consent=consent_purpose)
    return N_("number to be verified") if person.to_verify and not unverified else None
