"""Which three services a client is told of: near before far, checked before doubtful, open before closed."""

import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content import ROOT, load
from gateway.domain import opening, segments, service_rows, services
from gateway.domain.service_rows import HEADINGS, Rejected, Row
from gateway.domain.services import ANY, CATEGORIES, LONGEST_SHORT_NAME, MOST_TOLD, Found, Service
from gateway.usecases import find_services
from gateway.usecases.compose import Recipient
from gateway.vault import DataKey

ZONE = "Asia/Ho_Chi_Minh"
NOW = datetime(2026, 2, 10, 3, 0, tzinfo=UTC)  # Tuesday, 10:00 there
PATH = [UUID(int=n) for n in (1, 2, 3)]
CONTENT = load()
FORBIDDEN = tuple(word for language in CONTENT.languages.values() for word in language.forbidden)
NOBODY = UUID(int=0)


def service(code: str, unit: int = 1, hours: str | None = "Mon-Fri 08:00-17:00", checked: str | None = "2026-01-10", *languages: str,
            more: Sequence[int] = (), **fields: str) -> Service:  # fmt: skip
    return Service(
        id=uuid5(NOBODY, code), code=code, category="housing", name=code, short_name=fields.pop("short_name", code),
        units=[UUID(int=n) for n in (unit, *more)], languages=languages, hours=opening.read(hours) if hours else None,
        checked_on=date.fromisoformat(checked) if checked else None, **fields,
    )  # type: ignore[arg-type]  # fmt: skip


def codes(*known: Service, language: str = "vi", now: datetime = NOW, holidays: Sequence[date] = ()) -> list[str]:
    return [found.service.code for found in services.rank(known, PATH, language, ZONE, now, holidays)]


def test_the_nearest_unit_goes_first_then_its_parent() -> None:
    assert codes(service("far", 3), service("near", 1), service("middle", 2)) == ["near", "middle", "far"]


def test_at_most_three_and_none_that_serves_somebody_else() -> None:
    assert codes(*(service(f"s{n}") for n in range(5)), service("elsewhere", 9)) == ["s0", "s1", "s2"]


def test_what_serves_several_units_is_as_near_as_the_nearest() -> None:
    assert codes(service("a", 2), service("b", 3, more=[1])) == ["b", "a"]


def test_open_now_goes_before_opening_soon_before_hours_nobody_knows() -> None:
    assert codes(service("unknown", hours=None), service("later", hours="Tue 14:00-16:00"), service("open")) == ["open", "later", "unknown"]


def test_who_speaks_the_clients_language_goes_first() -> None:
    assert codes(service("a", 1, "24/7", "2026-01-10", "en"), service("b", 1, "24/7", "2026-01-10", "en", "vi"), language="vi") == ["b", "a"]


def test_what_was_not_checked_for_six_months_is_said_last() -> None:
    assert codes(service("old", 1, "24/7", "2025-08-10"), service("never", 1, "24/7", None), service("far", 3, "24/7", "2025-08-11")) == [
        "far", "never", "old",
    ]  # fmt: skip


def test_what_does_not_open_within_a_month_is_left_out() -> None:
    shut = [NOW.date() + timedelta(days=day) for day in range(-1, 60)]
    assert codes(service("shut"), service("always", hours="24/7"), holidays=shut) == ["always"]


@pytest.mark.parametrize(("topic", "category"), [(ANY, None), (1, "health_insurance"), (11, "group"), ("housing", "housing")])
def test_a_topic_is_a_key_or_a_number(topic: str | int, category: str | None) -> None:
    assert services.category_of(topic) == category


@pytest.mark.parametrize("topic", [0, 12, -1, "", "nothing"])
def test_other_topics_are_none(topic: str | int) -> None:
    with pytest.raises(KeyError):
        services.category_of(topic)


def test_the_words_clients_type_are_those_of_the_categories_in_every_language() -> None:
    for lexicon in CONTENT.lexicons.values():
        named = {a.phrase.list_name for many in lexicon.by_anchor.values() for a in many if a.phrase.meaning == "services"}
        assert named == set(CATEGORIES)


def test_what_dialogues_send_information_about_is_a_category() -> None:
    for path in sorted((ROOT / "templates_sms" / "dialogues").glob("*/dialogue.toml")):
        steps = tomllib.loads(path.read_text("utf-8"))["steps"]
        asked = {step["inform"] for step in steps.values() if "inform" in step}
        assert {topic for name in asked for topic in steps[name]["options"]} <= {*CATEGORIES, "nothing"}, path.parent.name


known = st.lists(
    st.builds(
        lambda n, unit, hours, checked: service(f"s{n}", unit, hours, checked),
        st.integers(0, 10**6), st.integers(1, 4), st.sampled_from([None, "24/7", "Mon-Fri 08:00-17:00", "Sat 20:00-02:00"]),
        st.sampled_from([None, "2025-01-01", "2026-02-01"]),
    ), max_size=12, unique_by=lambda s: s.code,
)  # fmt: skip


@given(known, st.integers(0, 14 * 24 * 60).map(lambda minute: NOW + timedelta(minutes=minute)))
def test_the_order_of_the_list_makes_no_difference_and_nothing_is_told_twice(many: list[Service], now: datetime) -> None:
    told = codes(*many, now=now)
    assert told == codes(*reversed(many), now=now)
    near = [s for s in many if s.units[0] in PATH]
    assert len(told) == len(set(told)) == min(MOST_TOLD, len(near))
    fresh = {s.code for s in near if not services.is_due(s.checked_on, now.date())}
    assert len(fresh & set(told)) == min(MOST_TOLD, len(fresh))


# --- what is said -----------------------------------------------------------------------------------------------------

letters = st.sampled_from("aăâđêôơưếệ HNoO")
hours = st.sampled_from([None, "24/7", "Mon-Sun 00:30-23:30", "Wed 12:30-13:30", "Tue 11:00-12:00", "Fri 20:00-02:00"])


@given(st.text(letters, min_size=1, max_size=LONGEST_SHORT_NAME), st.text(letters, max_size=200), st.sampled_from(["", "0590 001 101"]),
       hours, st.sampled_from(["en", "vi", "fr"]), st.sampled_from(["never", "saves", "always"]), st.booleans())  # fmt: skip
def test_each_text_is_one_segment_whatever_the_names_and_tones(
    short_name: str, address: str, phone: str, hours: str | None, language: str, tones: str, holidays: bool
) -> None:
    entry = service("s", 1, hours, short_name=short_name, address=address, phone=phone)
    off = [NOW.date() + timedelta(days=day) for day in range(8)] if holidays else []
    for found in services.rank([entry], PATH, language, ZONE, NOW, off):
        text = told(found, language, tones)
        assert segments.count(text).segments == 1
        assert segments.fold(text).startswith(segments.fold(segments.tidy(short_name)))


def told(found: Found, language: str, tones: str = "never") -> str:
    person = Recipient(NOBODY, NOBODY, DataKey(bytes(32)), "+84912345678", language, ZONE, tones=tones)
    return find_services.word(CONTENT, person, found, NOW).body


@pytest.mark.parametrize(("hours", "text"), [
    ("Mon-Fri 08:00-17:00", "House, 1 Mill Lane, 0590 1. Open now, until 5:00pm."),
    ("24/7", "House, 1 Mill Lane, 0590 1. Open day and night."),
    ("Tue 13:00-15:00", "House, 1 Mill Lane, 0590 1. Opens at 1:00pm today."),
    ("Wed 08:00-17:00", "House, 1 Mill Lane, 0590 1. Closed now, opens tomorrow at 8:00am."),
    ("Mon 08:00-17:00", "House, 1 Mill Lane, 0590 1. Closed now, opens Monday at 8:00am."),
    ("Tue 08:00-09:00", "House, 1 Mill Lane, 0590 1. Closed, opens 17 February at 8:00am."),
    (None, "House, 1 Mill Lane, 0590 1. Opening hours not known."),
])  # fmt: skip
def test_it_says_how_the_place_stands_on_its_own_clock(hours: str | None, text: str) -> None:
    (found,) = services.rank([service("s", 1, hours, short_name="House", address="1 Mill Lane", phone="0590 1")], PATH, "en", ZONE, NOW)
    assert told(found, "en") == text


# --- rows of a list ---------------------------------------------------------------------------------------------------

GOOD = {"code": "H1", "category": "nhà ở", "name": "Night shelter for drug users", "short_name": "Meadow House", "units": "P01; P02", "languages": "vi, en",
        "address": "113 Mill Lane", "hours": "T2-T6 8h-17h", "phone": "0590 001 101", "who": "", "cost": "", "checked_on": "1/2/2026", "checked_by": ""}  # fmt: skip


def read(**changes: str) -> Row | Rejected:
    columns = service_rows.find_columns([words[0] for words in HEADINGS.values()])
    return service_rows.read([*(GOOD | changes).values()], columns, NOW.date(), FORBIDDEN)


def test_a_row_is_read_as_it_was_meant() -> None:
    row = read()
    assert isinstance(row, Row)
    assert (row.category, row.units, row.languages, str(row.hours), row.checked_on) == (
        "housing", ("P01", "P02"), ("vi", "en"), "Mon-Fri 08:00-17:00", date(2026, 2, 1),
    )  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), [
    ({"code": ""}, "code: missing"),
    ({"category": "pets"}, "category: not known; use one of health_insurance"),
    ({"short_name": ""}, "short name: missing"),
    ({"short_name": "Needle exchange"}, "short name: holds a word that no text may hold"),
    ({"short_name": "Phong kham so 3"}, "short name: holds a word that no text may hold"),
    ({"short_name": "x" * 31}, "short name: longer than 30 characters"),
    ({"short_name": "House {phone}"}, "short name: holds a brace"),
    ({"address": "behind the Methadone Clinic"}, "address: holds a word"),
    ({"units": " ; "}, "units: missing"),
    ({"languages": "vi, klingon"}, "languages: one is not known"),
    ({"hours": "8-17"}, "hours: hours that cannot be read"),
    ({"phone": "ask Anna"}, "phone: not a number to call"),
    ({"checked_on": "1/3/2026"}, "checked on: lies in the future"),
    ({"checked_on": "yesterday"}, "checked on: not a date"),
])  # fmt: skip
def test_a_bad_row_has_its_reason(change: dict[str, str], reason: str) -> None:
    row = read(**change)
    assert isinstance(row, Rejected)
    assert len(row.reasons) == 1 and row.reasons[0].startswith(reason)


@given(st.lists(st.text(max_size=30), min_size=len(HEADINGS), max_size=len(HEADINGS)))
def test_any_row_is_taken_or_refused(row: list[str]) -> None:
    columns = service_rows.find_columns([words[0] for words in HEADINGS.values()])
    assert isinstance(service_rows.read(row, columns, NOW.date(), FORBIDDEN), Row | Rejected)
