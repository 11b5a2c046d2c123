"""What we say and what we understand, read once from `templates_sms/` and `locales/`.

A language is a folder in `locales/` with `language.toml` (how it writes dates, what its letters may cost),
`forbidden.toml`, `words.toml` (what clients type) and `LC_MESSAGES/messages.po`, and one text file beside
each `about.toml`. Nothing in the program lists the languages.

Strings for pages and the command line are English in the source, written `_("…")` so that `pybabel extract`
finds them; `_ = content.load().gettext(language)`. Values go in afterwards: `_("{n} sent").format(n=3)`.
"""

import hashlib
import tomllib
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from datetime import date, datetime, time
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, Self, cast
from zoneinfo import ZoneInfo

from babel import dates
from babel.messages.pofile import read_po

from gateway.domain import dialogues, interpret, segments, templates, wording
from gateway.domain.dialogues import Dialogue
from gateway.domain.templates import Template, TemplateError
from gateway.domain.wording import Finding, Language

ROOT = Path(__file__).parents[1]
Change = tuple[str, str, str, tuple[tuple[str, tuple[str, str | None]], ...]]
"""Purpose, the version that was changed, the version it makes, and for languages the text and the one that names the service."""


class Content:
    """Everything under one root, read when made (words and translations: when first used); never changes."""

    def __init__(self, root: Path) -> None:
        self._locales = root / "locales"
        self._dialogues = root / "templates_sms" / "dialogues"
        folders = sorted(path.parent for path in self._locales.glob("*/language.toml"))
        self.languages: dict[str, Language] = {folder.name: _language(folder) for folder in folders}
        self.templates: dict[tuple[str, str], Template] = {}
        for path in sorted((root / "templates_sms").glob("*/about.toml")):
            for template in _purpose(path.parent, self.languages):
                self.templates[template.purpose, template.language] = template

    def changed(self, changes: tuple[Change, ...]) -> Self:
        """The library with changes, in their order. One that was made to another version than it finds is passed over."""
        return cast(Self, _changed(self, changes)) if changes else self

    @cached_property
    def lexicons(self) -> dict[str, interpret.Lexicon]:
        """What clients type, by language."""
        paths = sorted(self._locales.glob("*/words.toml"))
        return {path.parent.name: _lexicon(path) for path in paths}

    def word_lists(self, language: str) -> dict[str, dict[str, Any]]:
        """What clients type and what it means, as it is written down: meaning -> list -> phrases. Read each time."""
        data = _toml(self._locales / language / "words.toml")
        return {name: table for name, table in data.items() if isinstance(table, dict) and "signed" in table}

    @cached_property
    def dialogues(self) -> dict[str, Dialogue]:
        """What is asked step by step, by name. TemplateError or Refused names file, step and reason of one that is broken."""
        return read_dialogues(self._dialogues)

    @cached_property
    def menu(self) -> dict[str, dict[str, str]]:
        """What the menu dialled by USSD says, by language: place -> text. TemplateError for a language that lacks one."""
        folder = self._dialogues.parent / "ussd"
        found = {code: dialogues.sections(f"ussd/{code}.txt", _whole(folder / f"{code}.txt")) for code in self.languages}
        for code, said in found.items():
            if lacking := sorted({key for each in found.values() for key in each} - said.keys()):
                raise TemplateError("templates_sms/ussd/{language}.txt: [{key}] is missing.", language=code, key=lacking[0])
        return found

    @property
    def sendable(self) -> dict[tuple[str, str], Template]:
        """What a campaign may begin with: the templates, and the first question of every dialogue."""
        firsts = (dialogues.say(dialogue, [dialogue.first]) for dialogue in self.dialogues.values())
        return self.templates | {key: first for each in firsts for key, first in each.items()}

    def title(self, purpose: str, language: str) -> str:
        """What staff who read this language call a text or dialogue: by templates_sms/titles.toml, else its folder's name."""
        name = dialogues.name_of(purpose) or purpose
        titles = self._titles.get(name, {})
        return titles.get(language) or titles.get("en") or name

    @cached_property
    def _titles(self) -> dict[str, dict[str, str]]:
        return dict(_toml(self._dialogues.parent / "titles.toml"))

    @cached_property
    def translations(self) -> dict[str, dict[str, str]]:
        """English strings of the program and what they are in each language."""
        return {
            code: _translations(self._locales / code / "LC_MESSAGES" / "messages.po")
            for code in self.languages
        }

    @cached_property
    def purposes(self) -> list[str]:
        """Everything there are words for, in at least one language."""
        return sorted({purpose for purpose, _language in self.templates})

    def version(self, purpose: str) -> str:
        """Changes with any file of the purpose, or dialogue, in any language. LookupError for an unknown one."""
        if (name := dialogues.name_of(purpose)) is not None:
            return self.dialogues[name].version
        return self.templates[purpose, self.available(purpose)[0]].version

    def available(self, purpose: str) -> list[str]:
        """The languages a purpose is written in."""
        return [code for code in self.languages if (purpose, code) in self.templates]

    def helplines(self, phone: str) -> str:
        """Whom the holder of this phone can call now, where their unit does not say: locales/helplines.toml."""
        numbers: dict[str, str] = self._helplines["numbers"]
        return numbers[max((prefix for prefix in numbers if phone.startswith(prefix)), key=len, default="+")]

    @cached_property
    def _helplines(self) -> dict[str, Any]:
        return _toml(self._locales / "helplines.toml")

    def gettext(self, language: str) -> Callable[[str], str]:
        """A function from the program's English strings to the language's; untranslated ones stay English."""
        messages = self.translations.get(language, {})
        return lambda text: messages.get(text) or text

    def when(self, instant: datetime, zone: str, language: str) -> dict[str, str]:
        """The values `day`, `date` and `time` of an instant, as a clock on the wall in `zone` shows it."""
        local = instant.astimezone(ZoneInfo(zone))
        spoken = self.languages[language]
        day, on = _dated(spoken.locale, spoken.day, spoken.date, local.date())
        return {"day": day, "date": on, "time": _timed(spoken.locale, spoken.time, local.hour, local.minute)}

    def sample(self, purpose: str, language: str, at: datetime, zone: str) -> str:
        """A text as most people read it, with a moment in it; places that differ by client stay as they are."""
        return wording.fill(self.templates[purpose, language].body, self.when(at, zone, language))

    def listen(self) -> None:
        """Read all that replies are understood by now, not while the first client waits."""
        for lexicon in self.lexicons.values():
            _ = lexicon.witness and lexicon.witness.learnt

    def lint(self) -> list[Finding]:
        """What is wrong with the library; empty when every text is fit to be sent.

        Its words are read by the rules alone: half a sentence of ours is no reply that anything was learnt from.
        """
        reads: dict[str, wording.Read] = {
            code: partial(self._read, code) for code in self.lexicons if code in self.languages
        }
        return [*wording.lint_library(self.templates, self.languages, reads), *self._lint_menu()]

    def _lint_menu(self) -> list[Finding]:
        try:
            menu = self.menu
        except TemplateError as broken:
            return [Finding("templates_sms/ussd", str(broken))]
        return [
            Finding(f"templates_sms/ussd/{code}.txt [{place}]", what)
            for code, said in menu.items() for place, text in said.items() for what in wording.telling(text, self.languages[code])
        ]  # fmt: skip

    def lint_one(self, template: Template) -> list[Finding]:
        """What is wrong with one template, perhaps not in the library."""
        code = template.language
        return wording.lint(template, self.languages[code], partial(self._read, code) if code in self.lexicons else None)

    def _read(self, language: str, text: str, expecting: interpret.Expecting) -> interpret.Meaning:
        return interpret.interpret(text, self._rules, language, expecting)

    @cached_property
    def _rules(self) -> dict[str, interpret.Lexicon]:
        return {code: replace(lexicon, witness=None) for code, lexicon in self.lexicons.items()}


@lru_cache(maxsize=8)
def _changed(content: Any, changes: tuple[Change, ...]) -> Any:
    made = copy(content)
    made.templates = dict(content.templates)
    for purpose, base, version, texts in changes:
        if any(template.version == base for (known, _), template in made.templates.items() if known == purpose):
            same = {key: replace(template, version=version) for key, template in made.templates.items() if key[0] == purpose}
            made.templates |= same | templates.reworded(made.templates, purpose, version, dict(texts))
    return made


def read_dialogues(folder: Path) -> dict[str, Dialogue]:
    """Every dialogue below a folder, by name. Raises Refused with file, step and reason for one that is broken."""
    found = {}
    for path in sorted(folder.glob(f"*/{dialogues.FILE}")):
        files = {file.name: _whole(file) for file in (path, *sorted(path.parent.glob("*.txt")))}
        found[path.parent.name] = dialogues.read(path.parent.name, files)
    return found


def load(root: Path | None = None) -> Content:
    """Read all content, once per process and root. TemplateError names the file that is broken."""
    return _load(root or ROOT)


_load = lru_cache(Content)


def language_of(environment: Mapping[str, str]) -> str:
    """The language of a terminal: `LANG=vi_VN.UTF-8` is `vi`; English when it names none of ours."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        code = environment.get(name, "").partition("_")[0].partition(".")[0]
        if code in load().languages:
            return code
    return "en"


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except ValueError as broken:
        raise TemplateError("{file} cannot be read: {why}.", file="/".join(path.parts[-3:]), why=broken) from broken


def _text(path: Path) -> str:
    return _whole(path).strip()


def _whole(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as broken:
        raise TemplateError("{file} cannot be read: {why}.", file="/".join(path.parts[-3:]), why=broken) from broken


def _lexicon(words: Path) -> interpret.Lexicon:
    weights = words.with_name("weights.tsv")
    read = (lambda: _text(weights).split("\n")) if weights.exists() else None
    return interpret.lexicon(words.parent.name, _toml(words), read)


def _language(folder: Path) -> Language:
    data, forbidden = _toml(folder / "language.toml"), _toml(folder / "forbidden.toml")
    try:
        return Language(
            code=folder.name,
            name=data["name"],
            locale=data["locale"],
            letters=frozenset(data["letters"]),
            extra_segments=data["extra_segments"],
            longest=data["longest"],
            forbidden=tuple(word for group in forbidden.values() for word in group),
            **data["dates"],
        )
    except (KeyError, TypeError) as wrong:
        raise TemplateError(
            "locales/{language}/language.toml: {key} is missing or unknown.", language=folder.name, key=wrong
        ) from wrong


def _purpose(folder: Path, languages: Mapping[str, Language]) -> list[Template]:
    """The purpose in each language that has words for it: an empty file is no text."""
    about = templates.read_about(folder.name, _toml(folder / "about.toml"))
    texts = {path.name.removesuffix(".txt"): _text(path) for path in folder.glob("*.txt")}
    for name in texts:
        if name.removesuffix(".open") not in languages:
            raise TemplateError(
                "templates_sms/{purpose}/{name}.txt: there is no locales/{language}/.",
                purpose=folder.name,
                name=name,
                language=name.removesuffix(".open"),
            )
    version = _version(folder)
    return [
        Template(folder.name, code, texts[code], about, version, texts.get(f"{code}.open") or None)
        for code in languages
        if texts.get(code)
    ]


def _version(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def _translations(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    with path.open("rb") as file:
        return {
            m.id: m.string
            for m in read_po(file)
            if isinstance(m.id, str) and isinstance(m.string, str) and not m.fuzzy
        }


@lru_cache(maxsize=4096)
def _dated(locale: str, day: str, pattern: str, on: date) -> tuple[str, str]:
    return _plain(dates.format_date(on, day, locale)), _plain(dates.format_date(on, pattern, locale))


@lru_cache(maxsize=8192)
def _timed(locale: str, pattern: str, hour: int, minute: int) -> str:
    return _plain(dates.format_time(time(hour, minute), pattern, locale=locale))


def _plain(text: str) -> str:
    return segments.tidy(text)
