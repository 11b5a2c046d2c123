"""What a campaign is: for whom, which texts, when. Read from a file or options, checked before anything is kept."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, time, timedelta
from typing import Any, Literal, Self, get_args

from gateway.domain import dialogues, reminders
from gateway.domain.errors import Refused
from gateway.domain.schedules import LASTS, OneOff
from gateway.domain.templates import About, Policy
from gateway.domain.told import N_

Kind = Literal["one_off", "reminders"]

# Texts of these kinds are sent of our own accord; `manual` is one person's text to one client, never a campaign's.
KINDS_OF_TEXT = frozenset({"reminder", "prompt", "notice"})
NEVER = frozenset({"manual", "message_waiting"})
OF_AN_APPOINTMENT = frozenset({"day", "date", "time"})

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
    """One text of a campaign, or the dialogue that begins with it (see `dialogues.purpose`); `timing` as campaign files write it."""

    purpose: str
    timing: Mapping[str, str]


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

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The spec that `to_dict` gave."""
        steps = tuple(StepSpec(**step) for step in data["steps"])
        return cls(**{**data, "steps": steps, "audience": _audience(data["audience"])})


def read(data: Mapping[str, Any]) -> Spec:
    """The campaign that a file or the options describe. Raises Refused with everything that is wrong."""
    faults = _unknown(data, {"name", "kind", "audience", "language", "steps", "values", "prices"}, "")
    kind, steps = data.get("kind"), data.get("steps")
    if not isinstance(data.get("name"), str) or not data["name"].strip():
        faults.append(N_("name is missing: what staff call the campaign"))
    if kind not in get_args(Kind):
        faults.append(N_("kind must be one_off or reminders"))
    faults += [N_("{table} must be a table").format(table=table) for table in ("audience", "language", "values", "prices") if not _is_table(data, table)]
    if not isinstance(steps, list) or not steps or not all(isinstance(step, Mapping) for step in steps):
        faults.append(N_("steps are missing: at least one [[steps]] with a template"))
    if faults:
        raise _refused(faults)
    faults += _step_faults(data["kind"], data["steps"]) + _table_faults(data)
    if faults:
        raise _refused(faults)
    language, prices = data.get("language", {}), dict(data.get("prices", {}))
    return Spec(
        name=data["name"].strip(), kind=data["kind"], steps=tuple(_step(step) for step in data["steps"]),
        audience=_audience(data.get("audience", {})), policy=language.get("missing", "dont_send"),
        default_language=language.get("default"), values=data.get("values", {}), currency=str(prices.pop("currency", "")),
        prices={prefix: float(price) for prefix, price in prices.items()},
    )  # fmt: skip


def _refused(faults: list[str]) -> Refused:
    return Refused("the campaign is not complete; nothing was kept:", *faults)


def _is_table(data: Mapping[str, Any], name: str) -> bool:
    return isinstance(data.get(name, {}), Mapping)


def _unknown(data: Mapping[str, Any], known: set[str], where: str) -> list[str]:
    unknown = N_("{key} is not known; known are {known}")
    return [unknown.format(key=where + key, known=", ".join(sorted(known))) for key in sorted(set(data) - known)]


def _step_faults(kind: Kind, steps: list[Mapping[str, Any]]) -> list[str]:
    single = N_("a one_off campaign has one step; make another campaign for another text")
    faults = [single] if kind == "one_off" and len(steps) > 1 else []
    known = {"template", "before", "at"} if kind == "reminders" else {"template", "dialogue", "not_before", "at", "lasts"}
    for number, step in enumerate(steps, 1):
        where = N_("step {number}: {fault}").format(number=number, fault="")
        faults += _unknown(step, known, where)
        if not isinstance(step.get("template", step.get("dialogue")), str):
            faults.append(where + N_("template is missing"))
        if "template" in step and "dialogue" in step:
            faults.append(where + N_("give a template or a dialogue, not both"))
        if kind == "reminders" and "before" not in step:
            faults.append(where + N_('before is missing, such as before = "1d"'))
            continue
        try:
            timing = _step(step).timing
            reminder_step("", timing) if kind == "reminders" else one_off(timing)
        except Refused as wrong:
            faults.append(where + str(wrong))
    return faults


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
    for name, value in data.get("values", {}).items():
        if not isinstance(value, str) and not (isinstance(value, Mapping) and all(isinstance(said, str) for said in value.values())):
            faults.append(N_("values: {name} must be a text, or a table of one text for each language").format(name=name))
    for prefix, price in prices.items():
        if prefix != "currency" and not (_PREFIX.fullmatch(prefix) and isinstance(price, int | float) and price >= 0):
            faults.append(N_('prices: {prefix!r} must be a prefix such as "+84" with the price of one segment').format(prefix=prefix))
    return faults


def _audience(data: Mapping[str, Any]) -> Audience:
    lists = {name: tuple(value) for name, value in data.items() if name != "unverified"}
    return Audience(**lists, unverified=bool(data.get("unverified", False)))


def _step(data: Mapping[str, Any]) -> StepSpec:
    """Times as text, however the file wrote them: TOML has times and dates of its own."""
    timing = {k: v.isoformat() if isinstance(v, datetime | time) else str(v) for k, v in data.items() if k not in ("template", "dialogue")}
    return StepSpec(dialogues.purpose(str(data["dialogue"])) if "dialogue" in data else str(data.get("template")), timing)


def reminder_step(step_id: str, timing: Mapping[str, str]) -> reminders.Step:
    """The step before an appointment. Raises Refused."""
    at = timing.get("at")
    return reminders.read_step(step_id, timing["before"], at[:5] if at else None)


def one_off(timing: Mapping[str, str]) -> OneOff:
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
    if kind == "one_off" and dated:
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
        return N_("outside the audience")
    if person.status != "active":
        return N_("client paused") if person.status == "paused" else N_("client closed")
    if not person.has_phone:
        return N_("no phone")
    if person.stopped:
        return N_("opted out ({why})").format(why=person.stopped)
    if not person.consented:
        return N_("no consent for {consent}").format(consent=consent_purpose)
    return N_("number to be verified") if person.to_verify and not unverified else None
