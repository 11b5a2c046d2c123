"""What is wrong with a dialogue: ways that lead nowhere, texts that are missing or too long, words that collide."""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.domain import cells, segments, templates, wording
from gateway.domain.dialogues import skins
from gateway.domain.dialogues.definition import Dialogue, Step
from gateway.domain.dialogues.skins import SCREEN, Limits, Navigation
from gateway.domain.interpret import Expecting
from gateway.domain.templates import About, Template
from gateway.domain.told import N_
from gateway.domain.wording import Finding, Language, Read

_BEHIND_A_FIGURE = re.compile(r"\d[\s:=(]*([^\W\d_][^\d.,;:?!()\n]*)")
_TAKEN = N_("{phrase!r} stops, starts or asks for help when it is typed back: use another word for the answer.")
_ANY = 99
"""Segments: here screens are what counts."""


@dataclass(frozen=True, slots=True)
class Tongue:
    """A language to check a dialogue in: how it is written, how replies in it are read, its words for back and more."""

    language: Language
    read: Read
    navigation: Navigation


def lint(dialogue: Dialogue, tongues: Mapping[str, Tongue], limits: Limits = SCREEN) -> list[Finding]:
    """What is wrong with it in the languages it has to be in; empty when it is fit to be used."""
    file = f"dialogues/{dialogue.name}/dialogue.toml"
    found = [Finding(file, what) for what in (*_ways(dialogue), *_same_words(dialogue))]
    for code in sorted({*tongues, *dialogue.texts}):
        where = f"dialogues/{dialogue.name}/{code}.txt"
        if code not in tongues:
            found.append(Finding(where, N_("there is no locales/{code}/.").format(code=code)))
        elif code not in dialogue.texts:
            found.append(Finding(where, N_("is missing: say it in this language too.")))
        else:
            found += [*_texts(where, dialogue, code, tongues[code], limits), *_stops(where, dialogue, code, tongues)]
    return list(dict.fromkeys(found))


def _ways(dialogue: Dialogue) -> Iterator[str]:
    """Dead ends, steps nobody comes to, loops without a way out."""
    for step in dialogue.steps.values():
        for value in step.values:
            if step.after(value) is None:
                yield N_("step {step}: a dead end: nothing follows on {value}.").format(step=step.name, value=value)
    reached = _from(dialogue, dialogue.first)
    for name in dialogue.steps:
        if name not in reached:
            yield N_("step {step}: nobody ever comes here.").format(step=name)
        elif not any(dialogue.steps[each].kind == "end" for each in _from(dialogue, name)):
            yield N_("step {step}: a loop with no way out: no end can be reached from here.").format(step=name)


def _from(dialogue: Dialogue, start: str) -> set[str]:
    """The steps that can be reached, the start with them."""
    reached, coming = set[str](), [start]
    while coming:
        name = coming.pop()
        if name not in reached:
            reached.add(name)
            coming += dialogue.steps[name].follows.values()
    return reached


def _texts(where: str, dialogue: Dialogue, code: str, tongue: Tongue, limits: Limits) -> Iterator[Finding]:
    texts = dialogue.texts[code]
    for key in _keys(dialogue):
        if key not in texts:
            yield Finding(where, N_("[{key}] is missing.").format(key=key))
    for key, text in texts.items():
        step = dialogue.steps.get(key.partition(".")[0])
        if step is None or key not in _may_have(step):
            yield Finding(where, N_("[{key}] belongs to no step.").format(key=key))
            continue
        wrong = (
            _wording(dialogue, text, tongue), _screens(dialogue, step, dialogue.text(code, key), tongue, limits),
            _figures(step, key, text), _taken(step, text, tongue.read),
        )  # fmt: skip
        yield from (Finding(f"{where} [{key}]", what) for what in itertools.chain(*wrong))


def _keys(dialogue: Dialogue) -> list[str]:
    """What has to be said: each step, each question in other words, what any language has, and each repeated question."""
    keys = []
    for step in dialogue.steps.values():
        keys.append(step.name)
        if step.kind != "end":
            keys += dialogue.rewordings(step.name) or [f"{step.name}.again"]
        if step.silence and step.silence.remind:
            keys.append(f"{step.name}.remind")
    return keys


def _may_have(step: Step) -> set[str]:
    endings = ("", ".again", ".again2", ".remind") if step.kind != "end" else ("",)
    return {step.name + ending for ending in endings}


def _wording(dialogue: Dialogue, text: str, tongue: Tongue) -> Iterator[str]:
    """The rules that hold for every text of ours."""
    used = templates.places(text)
    for name in used:
        if name not in dialogue.placeholders:
            yield N_("{{{name}}} is not among the placeholders of dialogue.toml.").format(name=name)
    about = About("prompt", "at_most_once", dialogue.consent, placeholders=tuple(used), segments=_ANY)
    line = Template(dialogue.name, tongue.language.code, text.replace("\n", "; "), about, dialogue.version)
    yield from (finding.what for finding in wording.lint(line, tongue.language, tongue.read))


def _screens(dialogue: Dialogue, step: Step, text: str, tongue: Tongue, limits: Limits) -> Iterator[str]:
    """One screen with its "0 back", unless the step says `more = true`; then it is cut between lines, never in one."""
    text = wording.fill(text, tongue.language.longest)
    back = step.kind != "end" and step.name != dialogue.first
    if not step.more:
        whole = f"{text}\n{tongue.navigation.back}" if back else text
        if not limits.hold(whole):
            options = N_("the options go beyond one screen ({units} units in {encoding}): add `more = true` to the step, or shorten them.")
            plain = N_("takes more than one screen ({units} units in {encoding}): shorten it.")
            counted = segments.count(whole)
            yield (options if step.kind == "menu" else plain).format(units=counted.units, encoding=counted.encoding)
        return
    both = f"\n{tongue.navigation.back}\n{tongue.navigation.more}"
    for line in text.split("\n"):
        if not limits.hold(line + both):
            yield N_("a line is longer than a screen: {line!r}.").format(line=line)
    if len(skins.screens(text, tongue.navigation, limits, back)) > 1 and skins.MORE in step.values:
        yield N_("takes several screens, and 98 is an answer: it cannot be “more” as well.")


def _figures(step: Step, key: str, text: str) -> Iterator[str]:
    """What each figure means is said: of a scale both ends, of a menu each option on a line of its own."""
    options = range(1, len(step.options) + 1) if key == step.name else ()
    for figure in {"yes_no": (1, 2), "scale": (step.low, step.high), "menu": options}.get(step.kind, ()):
        if not re.search(rf"^{figure} +\S" if step.kind == "menu" else rf"\b{figure}\b", text, re.MULTILINE):
            yield N_("does not say what {figure} means.").format(figure=figure)


def _taken(step: Step, text: str, read: Read) -> Iterator[str]:
    """The words that stand for an answer must do nothing else when they are typed back, with their tones or without."""
    for phrase in _answer_words(text) if step.kind != "end" else ():
        meant = {read(typed, step.expecting).meaning for typed in (phrase, segments.fold(phrase))}
        if meant & wording.NEVER_AN_ANSWER or phrase.casefold() in wording.CARRIER_WORDS:
            yield _TAKEN.format(phrase=phrase)


def _stops(where: str, dialogue: Dialogue, code: str, tongues: Mapping[str, Tongue]) -> Iterator[Finding]:
    """The words of an answer must stop nothing when they come late, and an option's in no language: it may be that of somebody else on the phone."""
    for step in dialogue.steps.values():
        reads = [tongue.read for other, tongue in tongues.items() if step.kind == "menu" or other == code]
        for _, words in dialogue.taught(code, step):
            if any(read(typed, Expecting("none")).meaning == "stop" for typed in (words, segments.fold(words)) for read in reads):
                yield Finding(f"{where} [{step.name}]", _TAKEN.format(phrase=words))


def _answer_words(text: str) -> list[str]:
    """What stands behind each figure, and the ends of it: "2 a new job" gives "a new job", "new job", "job"."""
    clauses = [clause.split() for clause in _BEHIND_A_FIGURE.findall(text)]
    return list(dict.fromkeys(" ".join(words[at:]) for words in clauses for at in range(len(words))))


def _same_words(dialogue: Dialogue) -> Iterator[str]:
    """The same words for two options of a menu, in one language or in two."""
    for step in dialogue.steps.values():
        meant: dict[str, str] = {}
        for language in sorted(dialogue.texts):
            for option, label in dialogue.labels(language, step).items():
                other = meant.setdefault(cells.key(label), option)
                if label and other != option:
                    what = N_("step {step}: {label!r} in {language} stands for {option} and for {other}.")
                    yield what.format(step=step.name, label=label, language=language, option=option, other=other)
