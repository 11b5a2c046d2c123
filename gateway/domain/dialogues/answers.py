"""What was heard, and the value it has for a step."""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime

from gateway.domain import cells
from gateway.domain.dialogues.definition import Dialogue, Step
from gateway.domain.errors import Refused
from gateway.domain.interpret import Meaning

_DAY_AND_MONTH = re.compile(r"(\d{1,2})\s*[-/. ]\s*(\d{1,2})")
# Asked for instead of an answer, and answered elsewhere: the question stays open.
REQUESTS = frozenset({"start", "help", "wrong_number", "callback", "info", "language"})


@dataclass(frozen=True, slots=True)
class Heard:
    """What the client sent: its meaning, read with the step's `expecting`, and the text itself."""

    meaning: Meaning
    text: str

    @property
    def wants(self) -> frozenset[str]:
        """All that was meant."""
        return frozenset({self.meaning.meaning, *self.meaning.also})


def read(dialogue: Dialogue, step: Step, heard: Heard, now: datetime) -> str | None:
    """The answer as it is kept: yes, no, a figure, an option's name, a date as 2026-12-31, or the text."""
    match step.kind:
        case "yes_no":
            said = worded(dialogue, step, heard.text)
            return said or next((said for said in ("yes", "no") if said in heard.wants), None)
        case "scale" | "number":
            return str(heard.meaning.value) if _is_number(heard, step.low, step.high) else None
        case "menu":
            return _option(dialogue, step, heard)
        case "date":
            day = None if heard.wants & REQUESTS else _date(heard.text, now.date())
            return day.isoformat() if day else None
        case "text":
            return None if heard.wants & REQUESTS else heard.text.strip() or None
    return None


def as_taught(dialogue: Dialogue, step: Step, heard: Heard) -> Heard:
    """The same, without a doubt where the very words of an answer were typed: our question gave them. What is beyond doubt stays so."""
    if heard.meaning.doubt is None or worded(dialogue, step, heard.text) is None:
        return heard
    return Heard(replace(heard.meaning, doubt=None, also_doubt=None), heard.text)


def _is_number(heard: Heard, low: int, high: int) -> bool:
    value = heard.meaning.value
    return "number" in heard.wants and isinstance(value, int) and low <= value <= high


def _option(dialogue: Dialogue, step: Step, heard: Heard) -> str | None:
    """By its words in any language, or by its number: "un logement" is no 1."""
    if (option := worded(dialogue, step, heard.text)) is not None:
        return option
    value = heard.meaning.value
    return step.options[value - 1] if _is_number(heard, 1, len(step.options)) and isinstance(value, int) else None


def worded(dialogue: Dialogue, step: Step, text: str) -> str | None:
    """The answer whose very words were typed, in any language; None where they are those of none, or of two."""
    typed = cells.key(text)
    taught = (pair for language in dialogue.texts for pair in dialogue.taught(language, step))
    found = {value for value, words in taught if typed and cells.key(words) == typed}
    return found.pop() if len(found) == 1 else None


def _date(text: str, today: date) -> date | None:
    """The day that was typed; without a year the next such day."""
    try:
        return cells.read_date(text)
    except Refused:
        pass
    parts = _DAY_AND_MONTH.fullmatch(text.strip())
    days = [_day(year, int(parts[2]), int(parts[1])) for year in range(today.year, today.year + 5)] if parts else []
    return next((day for day in days if day and day >= today), None)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
