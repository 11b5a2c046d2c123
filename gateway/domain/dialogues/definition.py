"""A dialogue and its steps, read from plain data. What is broken is refused with file, step and reason.

docs/writing-dialogues.md tells how they are written.
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from gateway.domain import flags
from gateway.domain.errors import Refused
from gateway.domain.interpret import Expecting
from gateway.domain.told import N_, Word

Kind = Literal["yes_no", "scale", "menu", "number", "date", "text", "end"]

FILE = "dialogue.toml"
REASONS = frozenset(flags.RULES)
"""Why a dialogue may call a person."""
MOST_REWORDINGS = 2

_RANGED = re.compile(r"(scale|number):(\d{1,3})-(\d{1,3})")
_FIGURES = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?")
_OPTION = re.compile(r"^(\d{1,2}) +(.+)$", re.MULTILINE)
_BEHIND_1_OR_2 = re.compile(r"\b([12])[\s:=]+([^\W\d_][^\d.,;:?!()\n]*)(?=[.,;:?!()\n]|$)")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SECTION = re.compile(r"\[([^\]]+)\]")
_CONSENTS = ("reminder", "check_in", "service_information", "study")
_TOP = {"source": str, "consent": str, "urgency": int, "first": str, "placeholders": list, "silence": dict, "steps": dict}
_STEP = {"expects": str, "options": list, "answers": dict, "silence": dict, "flag": str, "inform": str, "refer": str, "more": bool}
_SILENCE = {"hours": int, "remind": list, "flag": str}
_SAID = {str: N_("a text"), int: N_("a whole number"), list: N_("a list"), dict: N_("a table"), bool: N_("true or false")}


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer after `hours` raises `flag`; after each number of hours in `remind` the question is put once more."""

    hours: int
    remind: tuple[int, ...] = ()
    flag: str = "no_reply"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing said; a question unless its kind is "end". `flag`, `inform` and `refer` take effect on arrival."""

    name: str
    kind: Kind = "end"
    low: int = 0
    high: int = 0
    options: tuple[str, ...] = ()  # of a menu, from 1 on
    follows: Mapping[str, str] = field(default_factory=dict)  # answer -> step; "any" stands for all that are not named
    silence: Silence | None = None
    flag: str = ""
    inform: str = ""  # the menu step whose answer is the topic to send information about
    refer: str = ""  # the menu step whose answer is the topic the client wants a referral for
    more: bool = False  # its text may take several screens

    @property
    def expecting(self) -> Expecting:
        """What `interpret` has to look for; dates and free text are read from what was typed."""
        match self.kind:
            case "yes_no":
                return Expecting("yes_no")
            case "scale" | "number":
                return Expecting("scale", self.low, self.high)
            case "menu":
                return Expecting("menu", 1, len(self.options))
        return Expecting("none")

    @property
    def values(self) -> list[str]:
        """Every answer it takes; "any" for a date or a free text."""
        match self.kind:
            case "yes_no":
                return ["yes", "no"]
            case "scale" | "number":
                return [str(figure) for figure in range(self.low, self.high + 1)]
            case "menu":
                return list(self.options)
        return [] if self.kind == "end" else ["any"]

    def after(self, value: str) -> str | None:
        """The step that follows an answer."""
        return self.follows.get(value) or self.follows.get("any")


@dataclass(frozen=True, slots=True)
class Dialogue:
    """`texts`: language -> what is said: `ask`, put in other words as `ask.again` and `ask.again2`, once more as `ask.remind`."""

    name: str
    source: str  # the study or practice it follows
    consent: str
    first: str
    steps: Mapping[str, Step]
    texts: Mapping[str, Mapping[str, str]]
    urgency: int = 5  # 1 is the most urgent: it suspends an open dialogue of a higher figure
    placeholders: tuple[str, ...] = ()
    version: str = ""
    files: Mapping[str, str] = field(default_factory=dict, repr=False)  # what it was read from, to be kept while sessions run

    def rewordings(self, step: str) -> list[str]:
        """The keys of the other words for a question, in the order they are used."""
        known = {key for texts in self.texts.values() for key in texts}
        return [key for key in (f"{step}.again", f"{step}.again2")[:MOST_REWORDINGS] if key in known]

    def text(self, language: str, key: str) -> str:
        """What is said, with its places still open. Other words for a menu are followed by its options. Raises Refused."""
        texts, name = self.texts.get(language, {}), key.partition(".")[0]
        said = texts.get(key) or texts.get(name)
        if not said:
            missing = N_("The dialogue {dialogue} has no text [{key}] in {language!r}.")
            raise Refused(missing, dialogue=self.name, key=key, language=language)
        if key in texts and key != name and self.steps[name].kind == "menu":
            said = "\n".join([said, *(match[0] for match in _OPTION.finditer(texts.get(name, "")))])
        return said

    def labels(self, language: str, step: Step) -> dict[str, str]:
        """Option -> what its line in the text says: `work` -> "a job" of "2 a job"."""
        lines = dict(_OPTION.findall(self.texts[language].get(step.name, "")))
        return {option: lines.get(str(place), "") for place, option in enumerate(step.options, 1)}

    def taught(self, language: str, step: Step) -> list[tuple[str, str]]:
        """Each answer with the words that the texts give it: an option's line; of yes or no what stands whole behind its figure."""
        if step.kind != "yes_no":
            return list(self.labels(language, step).items())
        said = [text for key, text in self.texts[language].items() if key.partition(".")[0] == step.name]
        return [("yes" if figure == "1" else "no", words.strip()) for text in said for figure, words in _BEHIND_1_OR_2.findall(text)]


def read(name: str, files: Mapping[str, str]) -> Dialogue:
    """The dialogue that its files (name -> text) hold; the version changes with any of them. Raises Refused."""
    digest = hashlib.sha256()
    for file, text in sorted(files.items()):
        digest.update(f"{file} {len(text)}\n{text}".encode())
    try:
        data = tomllib.loads(files.get(FILE, ""))
    except ValueError as broken:
        raise Refused("{file} cannot be read: {why}.", file=f"dialogues/{name}/{FILE}", why=broken) from broken
    texts = {file.removesuffix(".txt"): text for file, text in files.items() if file != FILE}
    return replace(parse(name, data, texts, digest.hexdigest()[:12]), files=dict(files))


def parse(name: str, data: Mapping[str, Any], texts: Mapping[str, str], version: str = "") -> Dialogue:
    """Read what `dialogue.toml` and the text files hold: `texts` is language -> a whole file. Raises Refused."""
    file = f"dialogues/{name}/dialogue.toml"
    _known(file, "", data, _TOP, {"source", "consent", "steps"})
    if not data["steps"]:
        raise _broken(file, "", N_("there are no steps"))
    if data["consent"] not in _CONSENTS:
        raise _broken(file, "", N_("consent must be one of {known}"), known=", ".join(_CONSENTS))
    general = data.get("silence")
    steps = {each: _step(file, each, step, general) for each, step in data["steps"].items()}
    dialogue = Dialogue(
        name, data["source"], data["consent"], data.get("first", next(iter(steps))), steps,
        {language: sections(f"dialogues/{name}/{language}.txt", text) for language, text in texts.items()},
        data.get("urgency", 5), tuple(data.get("placeholders", ())), version,
    )  # fmt: skip
    _check_links(file, dialogue)
    return dialogue


def _broken(file: str, step: str, reason: str, **values: object) -> Refused:
    wrong = Word(reason.format(**values))
    if step:
        return Refused("{file}, step {step}: {wrong}.", file=file, step=step, wrong=wrong)
    return Refused("{file}: {wrong}.", file=file, wrong=wrong)


def _known(file: str, step: str, data: object, types: Mapping[str, type], needed: set[str] | None = None) -> None:
    """Only known keys, each of its type, none that is needed missing."""
    if not isinstance(data, Mapping):
        raise _broken(file, step, N_("must be a table"))
    for key in sorted((needed or set()) - set(data)):
        raise _broken(file, step, N_("{key} is missing"), key=key)
    for key, value in data.items():
        if key not in types:
            raise _broken(file, step, N_("{key} is unknown; known: {known}"), key=key, known=", ".join(types))
        if type(value) is not types[key]:
            raise _broken(file, step, N_("{key} must be {what}"), key=key, what=_SAID[types[key]])


def _step(file: str, name: str, data: object, general: Mapping[str, Any] | None) -> Step:
    if not _NAME.fullmatch(name):
        raise _broken(file, name, N_("a name is written in small letters, figures and _"))
    _known(file, name, data, _STEP)
    assert isinstance(data, Mapping)
    effects = {key: data[key] for key in ("flag", "inform", "refer", "more") if key in data}
    if data.get("flag", "not_well") not in REASONS:
        raise _broken(file, name, N_("{flag} is no reason for a flag"), flag=data["flag"])
    if "expects" not in data:
        for key in ("options", "answers", "silence"):
            if key in data:
                raise _broken(file, name, N_("{key} needs `expects`"), key=key)
        return Step(name, **effects)
    kind, low, high = _expects(file, name, data["expects"])
    options = _options(file, name, kind, data.get("options", []))
    bare = Step(name, kind, low, high, options)
    return Step(name, kind, low, high, options, _follows(file, bare, data.get("answers", {})), _silence(file, name, data.get("silence", general)), **effects)


def _expects(file: str, step: str, text: str) -> tuple[Kind, int, int]:
    match text:
        case "yes_no" | "menu" | "date" | "text":
            return text, 0, 0
    ranged = _RANGED.fullmatch(text)
    if ranged is None or int(ranged[2]) >= int(ranged[3]):
        raise _broken(file, step, N_("expects must be yes_no, scale:LOW-HIGH, menu, number:LOW-HIGH, date or text"))
    return ("scale" if ranged[1] == "scale" else "number"), int(ranged[2]), int(ranged[3])


def _options(file: str, step: str, kind: Kind, options: list[Any]) -> tuple[str, ...]:
    if kind != "menu" and options:
        raise _broken(file, step, N_("only a menu has options"))
    fit = all(isinstance(option, str) and _NAME.fullmatch(option) and option != "any" for option in options)
    if kind == "menu" and not (fit and 2 <= len(set(options)) == len(options) <= 30):
        raise _broken(file, step, N_("a menu needs 2 to 30 options, each named once, in small letters"))
    return tuple(options)


def _follows(file: str, step: Step, answers: Mapping[str, Any]) -> dict[str, str]:
    """What follows on each answer; of "1-3" on each figure."""
    found: dict[str, str] = {}
    for answer, to in answers.items():
        if not isinstance(to, str):
            raise _broken(file, step.name, N_("what follows {answer} must be the name of a step"), answer=answer)
        for each in _spread(step, answer):
            if each in found:
                raise _broken(file, step.name, N_("{answer} is named twice"), answer=each)
            if each not in (*step.values, "any"):
                raise _broken(file, step.name, N_("{answer} is no answer to it"), answer=each)
            found[each] = to
    return found


def _spread(step: Step, answer: str) -> list[str]:
    figures = _FIGURES.fullmatch(answer) if step.kind in ("scale", "number") else None
    if figures is None:
        return [answer]
    return [str(each) for each in range(int(figures[1]), int(figures[2] or figures[1]) + 1)] or [answer]


def _silence(file: str, step: str, data: object) -> Silence:
    """Every question says what happens when nobody answers: silence is never overlooked."""
    if data is None:
        raise _broken(file, step, N_("silence is missing: say after how many hours a person looks"))
    _known(file, step, data, _SILENCE, {"hours"})
    assert isinstance(data, Mapping)
    silence = Silence(data["hours"], tuple(data.get("remind", ())), data.get("flag", "no_reply"))
    moments = (0, *silence.remind, silence.hours)
    if not all(type(hour) is int for hour in moments) or list(moments) != sorted(set(moments)) or silence.hours > 24 * 366:
        raise _broken(file, step, N_("silence: remind and hours must be whole hours that rise"))
    if silence.flag not in REASONS:
        raise _broken(file, step, N_("{flag} is no reason for a flag"), flag=silence.flag)
    return silence


def _check_links(file: str, dialogue: Dialogue) -> None:
    if dialogue.first not in dialogue.steps:
        raise _broken(file, "", N_("first names {to}, which is no step"), to=dialogue.first)
    for step in dialogue.steps.values():
        for answer, to in step.follows.items():
            if to not in dialogue.steps:
                raise _broken(file, step.name, N_("{answer} leads to {to}, which is no step"), answer=answer, to=to)
        for topic in filter(None, (step.inform, step.refer)):
            if topic not in dialogue.steps or dialogue.steps[topic].kind != "menu":
                raise _broken(file, step.name, N_("{topic} is no menu to take a topic from"), topic=topic)


def sections(file: str, text: str) -> dict[str, str]:
    """What stands under each [key]. Lines that begin with # are notes."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if section := _SECTION.fullmatch(line.strip()):
            if section[1] in found:
                raise _broken(file, section[1], N_("is there twice"))
            lines = found.setdefault(section[1], [])
        elif line.strip() and not line.startswith("#"):
            if not found:
                raise _broken(file, "", N_("begins without a [step]"))
            lines.append(line.strip())
    return {key: "\n".join(lines) for key, lines in found.items() if lines}
