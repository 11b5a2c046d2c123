"""What the three steps of making a campaign ask for, as a campaign file would hold it: one check (domain.campaigns) serves both."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from werkzeug.datastructures import MultiDict

from gateway.content import Content
from gateway.domain import campaigns as rules
from gateway.domain import dialogues, rounds
from gateway.domain.told import N_

Form = MultiDict[str, str]
Made = dict[str, Any]

WHERE_FROM = frozenset({"day", "date", "time", "first_name"})
"""Places that are filled by themselves: nobody is asked for them."""

OFTEN = {
    "FREQ=DAILY": N_("every day"),
    "FREQ=WEEKLY;BYDAY={day}": N_("every week, on this weekday"),
    "FREQ=WEEKLY;INTERVAL=2;BYDAY={day}": N_("every second week, on this weekday"),
    "FREQ=MONTHLY;BYDAY=1{day}": N_("every month, the first such weekday"),
    "FREQ=MONTHLY;BYDAY=2{day}": N_("every month, the second such weekday"),
    "FREQ=MONTHLY;BYDAY=3{day}": N_("every month, the third such weekday"),
    "FREQ=MONTHLY;BYDAY=-1{day}": N_("every month, the last such weekday"),
    "first working day": N_("every month, the first working day"),
    "last working day": N_("every month, the last working day"),
    "": N_("by a rule of my own"),
}
"""How often -> what it is called; {day} is the weekday chosen beside it."""
WEEKDAYS = {
    "mo": N_("Monday"), "tu": N_("Tuesday"), "we": N_("Wednesday"), "th": N_("Thursday"), "fr": N_("Friday"), "sa": N_("Saturday"), "su": N_("Sunday"),
}  # fmt: skip
KINDS = {
    "one_off": N_("once: one text to everyone"), "reminders": N_("before each appointment"),
    "recurring": N_("again and again, such as every Monday"), "programme": N_("some days after a day of each client, such as their enrolment"),
}  # fmt: skip
EXITS = {
    "reply": N_("a text of theirs"), "appointment_booked": N_("an appointment was booked"), "appointment_attended": N_("they came to an appointment"),
}  # fmt: skip
HOLIDAYS = {
    "send": N_("send it on the holiday"), "after": N_("on the next day that is none"), "before": N_("on a day before"), "skip": N_("leave it out"),
}  # fmt: skip


def listed(typed: str) -> list[str]:
    """Codes that were typed behind each other."""
    return [part for part in re.split(r"[\s,;]+", typed) if part]


def who(form: Form, made: Mapping[str, Any]) -> Made:
    """The draft with its audience as the form has it."""
    audience: Made = {name: form.getlist(name) for name in ("units", "groups", "languages", "workers") if form.getlist(name)}
    if clients := listed(form.get("clients", "")):
        audience["clients"] = clients
    if "unverified" in form:
        audience["unverified"] = True
    return {**made, "audience": audience}


def what(form: Form, made: Mapping[str, Any], content: Content) -> Made:
    """The draft with its texts, and what stands in their places; a step that is there keeps its times."""
    kind, steps, old = made["kind"], [], list(made.get("steps", []))
    do = form.get("do", "")
    gone = do.removeprefix("remove-")
    values: Made = {}
    for at in listed(form.get("steps", "")):
        purpose = form.get(f"text-{at}", "")
        kept = {key: value for key, value in _old(old, at).items() if key not in ("template", "dialogue", "topic", "values")}
        step = {**kept, **said(purpose)}
        theirs = _values(form, at, content)
        if kind in rules.AGAIN:
            step |= {"topic": topic} if (topic := form.get(f"topic-{at}", "").strip()) else {}
            step |= {"values": theirs} if theirs else {}
        else:
            values |= theirs
        if purpose and at != gone:
            steps.append(step)
    if gone == do and (purpose := form.get("more", "")):
        steps.append(said(purpose) | _usual(kind, purpose))
    language = {"missing": form.get("missing", "dont_send")} | ({"default": default} if (default := form.get("default")) else {})
    return {**{key: value for key, value in made.items() if key not in ("values", "prices")}, "steps": steps, "language": language,
            **({"values": values} if values else {}), **_prices(form, made)}  # fmt: skip


def said(purpose: str) -> Made:
    """A step that says it."""
    name = dialogues.name_of(purpose)
    return {"template": purpose} if name is None else {"dialogue": name}


def _usual(kind: str, purpose: str) -> Made:
    """When a text of reminders is sent if nobody says otherwise: what its name ends in, such as 2h."""
    found = re.search(r"_(\d+[dhm])$", purpose) if kind == "reminders" else None
    return {"before": found[1]} if found else {}


def purpose_of(step: Mapping[str, Any]) -> str:
    """What a step says."""
    return dialogues.purpose(step["dialogue"]) if "dialogue" in step else str(step.get("template", ""))


def _old(steps: Sequence[Made], at: str) -> Made:
    return steps[int(at)] if at.isdecimal() and int(at) < len(steps) else {}


def _values(form: Form, at: str, content: Content) -> Made:
    """Words by place; by language where they were given so."""
    found: Made = {}
    for place in places(content, form.get(f"text-{at}", "")):
        words = {code: typed for code in content.languages if (typed := form.get(f"value-{at}-{place}-{code}", "").strip())}
        if words:
            found[place] = words
    return found


def places(content: Content, purpose: str) -> list[str]:
    """The places of a text that somebody may fill in."""
    about = next((each.about for (known, _), each in content.sendable.items() if known == purpose), None)
    return [place for place in about.placeholders if place not in WHERE_FROM] if about else []


def value_of(made: Mapping[str, Any], step: Mapping[str, Any], place: str, language: str) -> str:
    """What stands in a place now."""
    value = {**made.get("values", {}), **step.get("values", {})}.get(place, "")
    return str(value.get(language, "") if isinstance(value, Mapping) else value)


def _prices(form: Form, made: Mapping[str, Any]) -> Made:
    others = {key: value for key, value in made.get("prices", {}).items() if key != "currency"}
    for known in [*others][:1]:
        del others[known]  # the one that the form shows
    prefix, price, currency = (form.get(name, "").strip() for name in ("prefix", "price", "currency"))
    if prefix and price:
        others = {prefix: _number(price), **others}
    return {"prices": others | ({"currency": currency} if currency else {})} if others else {}


def _number(typed: str) -> float | str:
    try:
        return float(typed.replace(",", "."))
    except ValueError:
        return typed  # refused with all else when the campaign is checked


# --- when -----------------------------------------------------------------------------------------------------------


def when(form: Form, made: Mapping[str, Any]) -> Made:
    """The draft with the times of its steps, and what they have in common."""
    kind = made["kind"]
    names = {"one_off": ("not_before", "at", "lasts"), "reminders": ("before", "at"), "recurring": (), "programme": ("day", "every", "times")}[kind]
    steps = []
    for at, step in enumerate(made.get("steps", [])):
        typed = {name: form.get(f"{name}-{at}", "").strip() for name in names}
        others = {key: value for key, value in step.items() if key not in names}
        steps.append(others | {name: _timed(name, value) for name, value in typed.items() if value})
    schedule = _schedule(form, made) if kind in rules.AGAIN else {}
    return {**{key: value for key, value in made.items() if key != "schedule"}, "steps": steps, **({"schedule": schedule} if schedule else {})}


def _timed(name: str, typed: str) -> str:
    """As campaign files write it: hours and days may come as bare figures from the form."""
    if name == "lasts" and typed.isdecimal():
        return f"{typed}h"
    return f"{typed}d" if name == "before" and typed.isdecimal() else typed


def _schedule(form: Form, made: Mapping[str, Any]) -> Made:
    typed = {name: form.get(name, "").strip() for name in ("at", "spread", "lasts", "start", "since", "enrol")}
    schedule: Made = {name: _timed(name, value) for name, value in typed.items() if value}
    if schedule.get("spread", "").isdecimal():
        schedule["spread"] += "m"
    weekdays = [day for day in rounds.WEEKDAYS if day in form.getlist("weekdays")]
    if weekdays and len(weekdays) < len(rounds.WEEKDAYS):
        schedule["weekdays"] = weekdays
    if (holidays := form.get("holidays", "send")) != "send":
        schedule["holidays"] = holidays
    if exits := form.getlist("exit"):
        schedule["exit"] = exits
    if made["kind"] == "recurring":
        schedule["every"] = form.get("often", "").replace("{day}", form.get("day", "mo").upper()) or form.get("rule", "").strip()
    return schedule


def minutes(typed: str) -> str:
    """A length of time such as 1h30m in minutes, as the form shows it."""
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?", typed)
    return str(int(found[1] or 0) * 60 + int(found[2] or 0)) if typed and found else typed


def often(rule: str) -> tuple[str, str]:
    """Which of OFTEN a rule is, and its weekday; ("", "mo") for one of somebody's own."""
    for pattern in OFTEN:
        for day in rounds.WEEKDAYS:
            if pattern and pattern.replace("{day}", day.upper()) == rule:
                return pattern, day
    return "", "mo"
