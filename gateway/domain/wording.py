"""Whether a text is fit to be sent: neutral words, few segments, the right places, plain answers.

Source of the rules: field practice of HIV and drug services (a text is a voicemail that anyone may play),
carriers' keywords, and the arithmetic of segments. docs/writing-templates.md explains each finding.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from gateway.domain import segments, templates
from gateway.domain.interpret import Expecting, Meaning
from gateway.domain.templates import Template
from gateway.domain.told import N_

Read = Callable[[str, Expecting], Meaning]
"""How an incoming text in the template's language would be understood."""

# Whole-message words that carriers act on themselves (Twilio's defaults, CTIA). "Yes" opts in.
CARRIER_WORDS = frozenset(
    {
        "stop",
        "stopall",
        "unsubscribe",
        "cancel",
        "end",
        "quit",
        "optout",
        "revoke",
        "start",
        "yes",
        "unstop",
        "help",
        "info",
    }
)
CARRIERS = "carrier"
NEVER_AN_ANSWER = frozenset({"stop", "start", "help", "wrong_number", "crisis"})

_CAPITALS = re.compile(r"(?<!\[)\b[A-Z]{2,}(?: [A-Z]{2,})*\b(?!\])")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class Language:
    """What `locales/<code>/language.toml` and `forbidden.toml` say."""

    code: str
    name: str
    locale: str  # for Babel
    day: str  # CLDR date patterns
    date: str
    time: str
    letters: frozenset[str]  # that it may use beyond GSM-7
    extra_segments: int  # that its letters may cost beyond a template's limit
    longest: Mapping[str, str]  # the longest realistic value of each placeholder
    forbidden: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """`where` is the file, `what` says what is wrong and what to do."""

    where: str
    what: str


def forbidden_in(text: str, forbidden: tuple[str, ...]) -> list[str]:
    """The forbidden words in a text, as they stand there: whole words, with their tones or without any."""
    return [match[0] for match in _pattern(forbidden).finditer(segments.tidy(text).casefold())]


def telling(text: str, language: Language) -> list[str]:
    """What is wrong with the words of a text that may lie open."""
    says = N_("says {word!r}, which tells a stranger too much: use a neutral word.")
    return [says.format(word=word) for word in forbidden_in(text, language.forbidden)]


@lru_cache
def _pattern(forbidden: tuple[str, ...]) -> re.Pattern[str]:
    """`addict*` stands for every word that begins so. Words that merely fold alike stay apart."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(_phrase, forbidden)) or '(?!)'})(?!\w)")


def _phrase(entry: str) -> str:
    return r"\s+".join(_either(word) for word in entry.casefold().split())


def _either(word: str) -> str:
    stem, rest = (word[:-1], r"\w*") if word.endswith("*") else (word, "")
    return f"(?:{re.escape(stem)}|{re.escape(segments.fold(stem))}){rest}"


def lint_library(
    library: Mapping[tuple[str, str], Template], languages: Mapping[str, Language], reads: Mapping[str, Read]
) -> list[Finding]:
    """Every finding over all templates: `lint` of each, and the languages and word lists that are missing."""
    unread = N_("is missing: no reply in this language can be understood, and no answer be checked.")
    found = [Finding(f"locales/{code}/words.toml", unread) for code in languages if code not in reads]
    for purpose in sorted({purpose for purpose, _ in library}):
        versions = {code: library[purpose, code] for code in languages if (purpose, code) in library}
        some_open = any(template.open_body for template in versions.values())
        for code in languages:
            template = versions.get(code)
            if template is None:
                found.append(
                    Finding(
                        _file(purpose, code), N_("is missing or empty: write it, nothing else is sent for it.")
                    )
                )
            elif some_open and not template.open_body:
                found.append(
                    Finding(
                        _file(purpose, code, ".open"), N_("is missing or empty, though other languages have it.")
                    )
                )
    for (_, code), template in sorted(library.items()):
        found += lint(template, languages[code], reads.get(code))
    return found


def lint(template: Template, language: Language, read: Read | None) -> list[Finding]:
    """What is wrong with both texts of one template; answers and keywords only where `read` can tell."""
    about = template.about
    found = [
        ("", what)
        for what in _lint(template, template.body, about.placeholders, about.segments, language, read)
    ]
    if template.open_body:
        names = about.placeholders + about.open_placeholders
        texts = _lint(template, template.open_body, names, about.open_segments, language, read)
        found += [(".open", what) for what in texts]
    return [Finding(_file(template.purpose, template.language, variant), what) for variant, what in found]


def _file(purpose: str, language: str, variant: str = "") -> str:
    return f"templates_sms/{purpose}/{language}{variant}.txt"


def _lint(
    template: Template, body: str, names: tuple[str, ...], limit: int, language: Language, read: Read | None
) -> Iterator[str]:
    fixed = templates.without_places(body)
    yield from _wrong_places(body, fixed, names)
    yield from telling(fixed, language)
    yield from _accidental(body, language)
    yield from _too_long(body, limit, language)
    if read is not None:
        yield from _wrong_keywords(fixed, template, read)
    if read is not None and template.about.expects != "none":
        yield from _wrong_answers(fixed, template, read)


def _wrong_places(body: str, fixed: str, names: tuple[str, ...]) -> Iterator[str]:
    used = templates.places(body)
    for name in used:
        if name not in names:
            yield N_("{{{name}}} is not among the placeholders of about.toml: correct or list it.").format(name=name)
    for name in names:
        if name not in used:
            yield N_("{{{name}}} of about.toml is missing here.").format(name=name)
    if "{" in fixed or "}" in fixed:
        yield N_("holds a brace that is no placeholder: placeholders are {{small_letters}}.").format()
    if "\n" in body:
        yield N_("holds a line break: write it as one line.")


def _accidental(body: str, language: Language) -> Iterator[str]:
    odd = [c for c in segments.forcing(body) if c not in language.letters]
    if not odd and segments.tidy(body) != body:
        odd = sorted(set(body) - set(segments.tidy(body)))
    if odd or segments.tidy(body) != body:
        named = ", ".join(f"{c} (U+{ord(c):04X})" for c in odd) or N_("letters with separate marks (NFD)")
        costly = N_("holds {letters}, which costs segments by accident: write {tidy!r}.")
        yield costly.format(letters=named, tidy=segments.tidy(body))


def _too_long(body: str, limit: int, language: Language) -> Iterator[str]:
    unknown = [name for name in templates.places(body) if name not in language.longest]
    if unknown:
        none = N_("no longest value for {names} in locales/{language}/language.toml: add it.")
        yield none.format(names=", ".join(unknown), language=language.code)
        return
    text = segments.tidy(fill(body, language.longest))
    for counted, takes in (
        (segments.count(text), N_("takes {cost}, {allowed} are allowed: shorten it.")),
        (segments.count(segments.fold(text)), N_("takes without tones {cost}, {allowed} are allowed: shorten it.")),
    ):
        allowed = limit + (language.extra_segments if counted.encoding == "UCS-2" else 0)
        if counted.segments > allowed:
            cost = N_("{segments} {encoding} segments ({units} units) at the longest values")
            cost = cost.format(segments=counted.segments, encoding=counted.encoding, units=counted.units)
            yield takes.format(cost=cost, allowed=allowed)


def fill(body: str, values: Mapping[str, str]) -> str:
    """The text with the values it has; for counting and previews, never for sending."""
    return re.sub(r"\{([a-z_]+)\}", lambda match: values.get(match[1], match[0]), body)


def _wrong_keywords(fixed: str, template: Template, read: Read) -> Iterator[str]:
    """A word in capitals is one to be typed back: it must do what the text promises."""
    taught = {word: read(word, Expecting("none")).meaning for word in _CAPITALS.findall(fixed)}
    keywords = template.about.keywords
    for word, meaning in taught.items():
        if meaning not in keywords:
            taught_wrong = N_("teaches {word!r}, which is understood as {meaning!r}; keywords of about.toml: {keywords}.")
            yield taught_wrong.format(word=word, meaning=meaning, keywords=", ".join(keywords) or "-")
    if template.about.expects == "none":
        for meaning in set(keywords) - set(taught.values()):
            untaught = N_("teaches no word for {meaning!r}, as about.toml promises: write the word in capitals.")
            yield untaught.format(meaning=meaning)


def _wrong_answers(fixed: str, template: Template, read: Read) -> Iterator[str]:
    """Each answer has its figure, and no word of the question does something else when typed back."""
    expecting = Expecting.parse(template.about.expects)
    for figure in _figures(expecting):
        if not re.search(rf"\b{figure}\b", fixed):
            unsaid = N_("does not say what {figure} means, though {expected!r} is expected.")
            yield unsaid.format(figure=figure, expected=template.about.expects)
    for phrase in _phrases(fixed):
        meaning = _meant(phrase, expecting, read)
        if meaning and meaning not in template.about.keywords:
            taken = N_("asks with {phrase!r}; typed back it is taken for {meaning!r}: use another word.")
            if meaning == CARRIERS:
                taken = N_("asks with {phrase!r}; typed back it is taken for a carrier's own keyword: use another word.")
            yield taken.format(phrase=phrase, meaning=meaning)


def _figures(expecting: Expecting) -> range:
    last = {"yes_no": 2, "appointment": 3, "ready": 1}.get(expecting.kind)
    return range(1, last + 1) if last else range(expecting.low, expecting.high + 1)


def _phrases(fixed: str) -> list[str]:
    """Every one, two and three words in a row that no punctuation or figure separates."""
    phrases = []
    for clause in re.split(r"[^\w\s']|\d", fixed):
        words = _WORD.findall(clause)
        phrases += [" ".join(words[i : i + n]) for n in (1, 2, 3) for i in range(len(words) - n + 1)]
    return list(dict.fromkeys(phrases))


def _meant(phrase: str, expecting: Expecting, read: Read) -> str | None:
    if phrase.casefold() in CARRIER_WORDS:
        return "stop" if phrase.casefold() == "stop" else CARRIERS
    asked, bare = read(phrase, expecting), read(phrase, Expecting("none"))
    if asked.doubt == "stop":
        return "stop"
    return next((m.meaning for m in (asked, bare) if m.meaning in NEVER_AN_ANSWER), None)
