"""The catalogues are complete, and what is kept in English is found again when it is shown."""

import re
from collections.abc import Callable
from string import Formatter

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_keywords, parse_mapping_cfg
from babel.messages.pofile import read_po

from gateway import content
from gateway.channels.base import OUTCOMES
from gateway.content import ROOT
from gateway.domain import flags, interpret
from gateway.domain.errors import GatewayError, Refused
from gateway.domain.told import Retold, Word

LANGUAGES = ("vi", "fr")
VIETNAMESE = Retold(content.load().translations["vi"])


@pytest.fixture(scope="module")
def messages() -> set[str]:
    """Every message of the program, found as `make messages` finds them."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    words = re.search(r"^KEYWORDS := (.+)$", makefile, re.MULTILINE)
    assert words is not None
    keywords = DEFAULT_KEYWORDS | parse_keywords(words[1].split())
    with (ROOT / "babel.cfg").open() as mapping:
        methods, options = parse_mapping_cfg(mapping)  # type: ignore[no-untyped-call]
    return {message for _, _, message, _, _ in extract_from_dir(ROOT, methods, options, keywords=keywords)}


def catalogue(language: str) -> dict[str, str]:
    """The translations of a language; none is fuzzy."""
    with (ROOT / "locales" / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        entries = [entry for entry in read_po(file) if entry.id]
    assert [entry.id for entry in entries if entry.fuzzy] == []
    return {entry.id: entry.string for entry in entries}


def places(message: str) -> list[tuple[str, str, str]]:
    """Name, conversion and format of each place."""
    return sorted((name, how or "", form or "") for _, name, form, how in Formatter().parse(message) if name is not None)


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_every_message_is_in_the_catalogue_and_nothing_else_is(messages: set[str], language: str) -> None:
    known = catalogue(language).keys()
    assert sorted(messages - known) == [], "run `make messages` and translate what is new"
    assert sorted(known - messages) == [], "run `make messages`"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_translated_with_the_same_places(language: str) -> None:
    found = catalogue(language)
    assert [message for message, translation in found.items() if not translation] == []
    assert [message for message, translation in found.items() if places(message) != places(translation)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_stands_around_a_message_stays_around_it(language: str) -> None:
    for message, translation in catalogue(language).items():
        assert len(message) - len(message.lstrip()) == len(translation) - len(translation.lstrip(" ")) or message[0] == ";"
        assert message.endswith(":") == translation.endswith(":"), message


def test_every_word_of_a_closed_list_that_staff_see_is_translated() -> None:
    sql = "".join(path.read_text("utf-8") for path in (ROOT / "gateway" / "store" / "migrations" / "sql").glob("*.sql"))
    lists = re.findall(r"CHECK \((?:state|status|kind|role|severity|purpose|answer) IN\s*\(([^)]+)\)", sql)
    words = {word for listed in lists for word in re.findall(r"'(\w+)'", listed)} - {"one_off"} | {"one off"}
    words |= {*flags.RULES, *OUTCOMES, *interpret.MEANINGS}
    assert len(lists) > 9 and [word for word in sorted(words) if VIETNAMESE(word) == word] == []


@pytest.mark.parametrize(("kept", "shown"), [
    ("quiet hours", "ngoài giờ được nhắn"),
    ("opted out (stop)", "từ chối nhận tin (xin dừng tin)"),
    ("no consent for study; its time passes before then", "chưa đồng ý nghiên cứu; sẽ quá giờ gửi trước lúc đó"),
    ("quiet hours; no text in fr; sent in vi (the unit's language)", "ngoài giờ được nhắn; không có tin bằng fr; đã gửi bằng vi (ngôn ngữ của đơn vị)"),
    ("check_in, vi: takes 3 segments, 2 are allowed", "check_in, vi: tốn 3 phần, chỉ được 2"),
    ("the value for {phone} holds a forbidden word", "giá trị của {phone} có từ bị cấm"),
    ("phone: missing; name: missing", "điện thoại: thiếu; tên: thiếu"),
    ("a reason of an older program", "a reason of an older program"),
    ("no consent for {x}", "chưa đồng ý {x}"),
    ("somebody: quiet hours", "somebody: ngoài giờ được nhắn"),
    ("", ""),
])  # fmt: skip
def test_a_reason_kept_in_english_is_shown_in_vietnamese(kept: str, shown: str) -> None:
    assert VIETNAMESE(kept) == shown


def test_every_message_can_be_told_from_the_others_when_it_is_filled_in() -> None:
    """None may be taken for another with more fixed words: filled with figures, each finds its own translation."""
    for message, translation in catalogue("vi").items():
        names = {name for name, _, _ in places(message)}
        if not names or not re.search("[A-Za-z]{2}", re.sub(r"{[^{}]*}", "", message)):
            continue
        plain = [re.sub(r"{(\w+)[^{}]*}", r"{\1}", text) for text in (message, translation)]
        english, vietnamese = (text.format(**{name: f"<{at}>" for at, name in enumerate(sorted(names))}) for text in plain)
        assert VIETNAMESE(english) == vietnamese


def backwards(text: str) -> str:
    return {"no {what} {name}": "{name} {what} on", "key": "yek", "a line": "enil a"}.get(text, text)


@pytest.mark.parametrize(("error", "english", "told"), [
    (Refused("no {what} {name}", what=Word("key"), name="{0.__class__} {what}"), "no key {0.__class__} {what}",
     "{0.__class__} {what} yek on"),
    (Refused("no {what} {name}", what=[Word("key"), 2], name=Refused("a line")), "no key, 2 a line", "enil a yek, 2 on"),
    (Refused("key", "a line", Refused("a line")), "key\n  a line\n  a line", "yek\n  enil a\n  enil a"),
    (GatewayError("a finished {text} with 100 %"), "a finished {text} with 100 %", "a finished {text} with 100 %"),
    (GatewayError(), "", ""),
])  # fmt: skip
def test_an_error_is_told_in_a_language_and_what_is_filled_in_stays_what_it_is(error: GatewayError, english: str, told: str) -> None:
    translate: Callable[[str], str] = backwards
    assert (str(error), error.told(translate)) == (english, told)
