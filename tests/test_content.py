"""The real library and languages, and copies of them with something changed."""

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway import content
from gateway.content import ROOT, Content
from gateway.domain import interpret, segments, templates
from gateway.domain.errors import Refused
from gateway.domain.interpret import Expecting
from gateway.domain.templates import TemplateError

LIBRARY = content.load()
LANGUAGES = ("en", "fr", "vi")
EXPECTED = """
    answer_noted appointment_cancelled appointment_confirmed appointment_declined appointment_missed
    appointment_moved appointment_reminder_1d appointment_reminder_2h appointment_reminder_7d
    appointment_reschedule callback_noted check_in check_in_not_well check_in_well crisis_answer crisis_answer_closed
    daily_visit help info_noted language_changed manual message_waiting not_understood
    service_information staff_alert staff_alert_away staff_alert_taken staff_alert_yours staff_phone_changed started stop_confirmed stop_doubt unknown_sender welcome
    wrong_number_noted
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for folder in ("templates_sms", "locales"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def test_the_library_is_fit_to_be_sent() -> None:
    assert [f"{finding.where} {finding.what}" for finding in LIBRARY.lint()] == []


def test_every_purpose_is_there_in_every_language() -> None:
    assert set(EXPECTED.split()) <= set(LIBRARY.purposes)
    assert sorted(LIBRARY.templates) == [
        (purpose, code) for purpose in LIBRARY.purposes for code in LANGUAGES
    ]
    assert sorted(LIBRARY.lexicons) == list(LANGUAGES)


def test_staff_have_a_name_of_their_own_for_every_text_and_dialogue_in_every_language() -> None:
    for purpose in [*LIBRARY.purposes, *LIBRARY.dialogues]:
        titles = {language: LIBRARY.title(purpose, language) for language in LANGUAGES}
        assert purpose not in titles.values() and len(set(titles.values())) == len(LANGUAGES), titles
    assert LIBRARY.title("dialogues/weekly_check_in", "vi") == "Hỏi thăm hằng tuần"
    assert LIBRARY.title("weekly_check_in", "sw") == "Weekly check-in"
    assert LIBRARY.title("of_our_own", "vi") == "of_our_own"


def test_every_purpose_is_documented() -> None:
    documented = re.findall(r"`(\w+)`", (ROOT / "docs" / "writing-templates.md").read_text("utf-8"))
    assert set(LIBRARY.purposes) - set(documented) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_figure_a_question_offers_is_understood(language: str) -> None:
    understood = {"appointment": ["yes", "reschedule", "no"], "yes_no": ["yes", "no"], "ready": ["yes"]}
    for purpose in LIBRARY.purposes:
        expects = LIBRARY.templates[purpose, language].about.expects
        meanings = [
            interpret.interpret(str(figure), LIBRARY.lexicons, language, Expecting.parse(expects)).meaning
            for figure in range(1, 1 + len(understood.get(expects, [])))
        ]
        assert (purpose, meanings) == (purpose, understood.get(expects, []))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_stranger_and_a_client_get_the_same_words(language: str) -> None:
    stranger, client = (
        LIBRARY.templates[purpose, language] for purpose in ("unknown_sender", "not_understood")
    )
    assert (stranger.body, stranger.open_body) == (client.body, client.open_body)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_discreet_crisis_answer_gives_the_lines_and_nothing_away(language: str) -> None:
    said = templates.render(LIBRARY.templates["crisis_answer", language], {"helplines": "115"})
    assert "115" in said
    assert segments.count(segments.fold(said)).segments == 1


def test_the_crisis_answer_in_vietnamese_reads_as_agreed() -> None:
    said = templates.render(LIBRARY.templates["crisis_answer", "vi"], {"helplines": "115"})
    assert segments.fold(said).startswith("Tin nhan da nhan. Can giup ngay: goi 115.")


def test_no_text_sends_anyone_to_the_police() -> None:
    texts = [f"{template.body} {template.open_body}" for template in LIBRARY.templates.values()]
    assert not [text for text in texts if "113" in text]


def test_vietnamese_folds_into_one_segment_except_where_staff_write_freely() -> None:
    longest = LIBRARY.languages["vi"].longest
    for purpose in LIBRARY.purposes:
        said = templates.render(LIBRARY.templates[purpose, "vi"], longest)
        folded = segments.count(segments.fold(said))
        assert (purpose, folded.encoding, folded.segments) == (purpose, "GSM-7", 1)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", {"day": "Tuesday", "date": "24 June", "time": "9:05am"}),
        ("vi", {"day": "Thứ Ba", "date": "24/6", "time": "9:05"}),
        ("fr", {"day": "mardi", "date": "24 juin", "time": "9h05"}),
    ],
)
def test_a_moment_is_said_in_the_language_on_the_clients_own_clock(
    language: str, said: dict[str, str]
) -> None:
    instant = datetime(2025, 6, 24, 2, 5, 59, tzinfo=UTC)
    assert LIBRARY.when(instant, "Asia/Ho_Chi_Minh", language) == said


def test_the_clock_changes_with_summer_time() -> None:
    before = datetime(2025, 3, 30, 0, 59, tzinfo=UTC)
    times = [LIBRARY.when(before + timedelta(minutes=m), "Europe/London", "en")["time"] for m in (0, 1)]
    assert times == ["12:59am", "2:00am"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_moment_of_a_year_is_longer_than_lint_believes_or_holds_a_strange_character(language: str) -> None:
    known = LIBRARY.languages[language]
    start = datetime(2024, 1, 1, tzinfo=UTC)
    for hours in range(0, 366 * 24, 7):
        for name, said in LIBRARY.when(start + timedelta(hours=hours), "UTC", language).items():
            assert segments.count(said).units <= segments.count(known.longest[name]).units, said
            assert set(segments.forcing(said)) <= known.letters
            assert segments.tidy(said) == said


def test_a_language_is_added_by_files_alone(copy: Path) -> None:
    shutil.copytree(copy / "locales" / "en", copy / "locales" / "es")
    language = copy / "locales" / "es" / "language.toml"
    language.write_text(language.read_text().replace('"en_GB"', '"es"').replace('"h:mma"', '"H:mm"'))
    assert "templates_sms/check_in/es.txt" in {finding.where for finding in Content(copy).lint()}
    for folder in (copy / "templates_sms").iterdir():
        for english in folder.glob("en*.txt"):
            shutil.copy(english, folder / english.name.replace("en", "es", 1))
    spanish = Content(copy)
    assert [finding.what for finding in spanish.lint() if "/es" in finding.where] == []
    assert spanish.when(datetime(2025, 6, 24, 7, tzinfo=UTC), "UTC", "es") == {
        "day": "martes",
        "date": "24 junio",
        "time": "7:00",
    }


def test_an_empty_file_is_no_text(copy: Path) -> None:
    (copy / "templates_sms" / "check_in" / "vi.txt").write_text(" \n")
    changed = Content(copy)
    assert changed.available("check_in") == ["en", "fr"]
    assert [finding.where for finding in changed.lint()] == ["templates_sms/check_in/vi.txt"]


def test_a_menu_that_says_too_much_is_found(copy: Path) -> None:
    menu = copy / "templates_sms" / "ussd" / "en.txt"
    menu.write_text(menu.read_text().replace("[topic_treatment]\nsupport", "[topic_treatment]\ntreatment"))
    (finding,) = Content(copy).lint()
    assert (finding.where, "'treatment'" in finding.what) == ("templates_sms/ussd/en.txt [topic_treatment]", True)


def test_a_version_changes_with_any_word_of_its_purpose_and_no_other(copy: Path) -> None:
    (copy / "templates_sms" / "check_in" / "fr.txt").write_text("Bonjour. 1 ou 2 ?")
    changed = Content(copy)
    assert [
        purpose for purpose in LIBRARY.purposes if changed.version(purpose) != LIBRARY.version(purpose)
    ] == ["check_in"]


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("templates_sms/help/about.toml", 'kind = "', "help/about.toml cannot be read"),
        ("templates_sms/help/km.txt", "x", "help/km.txt: there is no locales/km/"),
        ("templates_sms/help/en.txt", b"\xff", "help/en.txt cannot be read"),
        ("locales/vi/language.toml", 'name = "x"', "locales/vi/language.toml: 'locale' is missing"),
        ("locales/vi/forbidden.toml", "= 1", "vi/forbidden.toml cannot be read"),
    ],
)
def test_a_broken_file_is_refused_by_name(copy: Path, path: str, text: str | bytes, said: str) -> None:
    (copy / path).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(TemplateError, match=re.escape(said)):
        Content(copy)


def test_a_terminal_speaks_the_language_of_its_locale() -> None:
    assert content.language_of({"LANG": "vi_VN.UTF-8"}) == "vi"
    assert content.language_of({"LANG": "C.UTF-8", "LC_ALL": "fr"}) == "fr"
    assert content.language_of({"LANG": "km_KH"}) == content.language_of({}) == "en"


def test_an_untranslated_string_stays_english() -> None:
    assert LIBRARY.gettext("vi")("without tones") == "không dấu"
    assert LIBRARY.gettext("vi")("never seen") == LIBRARY.gettext("km")("never seen") == "never seen"


@pytest.mark.parametrize(("old", "new", "said"), [
    ('no = "not_well"', 'no = "nowhere"', "dialogues/weekly_check_in/dialogue.toml, step ask: no leads to nowhere, which is no step."),
    ("hours = 48", "", "dialogues/weekly_check_in/dialogue.toml, step ask: hours is missing."),
    ("[silence]", "[[silence", "dialogues/weekly_check_in/dialogue.toml cannot be read"),
])  # fmt: skip
def test_a_broken_dialogue_is_refused_when_it_is_read_with_file_step_and_reason(copy: Path, old: str, new: str, said: str) -> None:
    path = copy / "templates_sms" / "dialogues" / "weekly_check_in" / "dialogue.toml"
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(Refused, match=re.escape(said)):
        _ = Content(copy).dialogues


def test_a_campaign_may_begin_with_a_template_or_with_the_first_question_of_a_dialogue() -> None:
    assert set(LIBRARY.sendable) - set(LIBRARY.templates) == {(f"dialogues/{name}", code) for name in LIBRARY.dialogues for code in LANGUAGES}
    assert LIBRARY.version("dialogues/weekly_check_in") == LIBRARY.dialogues["weekly_check_in"].version
