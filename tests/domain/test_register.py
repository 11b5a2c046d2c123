import unicodedata
from datetime import date, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain import cells, register
from gateway.domain.errors import Refused
from gateway.domain.register import Consent, Reading, Rejected, Row
from gateway.domain.register_words import APPOINTMENT_HEADINGS, DATE_HEADINGS, HEADINGS
from gateway.domain.windows import Window

VIETNAM = Reading("VN")
GOOD = {"code": "KH-1", "name": "Nguyễn Văn An", "phone": "0912 000 123"}


def read(reading: Reading = VIETNAM, **said: str) -> Row | Rejected:
    """The client of a row with these columns besides code, name and phone; headings have _ for a space."""
    row = GOOD | {heading.replace("_", " "): cell for heading, cell in said.items()}
    return register.read(list(row.values()), register.find_columns(list(row)), reading)


def client(reading: Reading = VIETNAM, **said: str) -> Row:
    row = read(reading, **said)
    assert isinstance(row, Row), row
    return row


def reasons(**said: str) -> tuple[str, ...]:
    row = read(VIETNAM, **said)
    assert isinstance(row, Rejected), row
    return row.reasons


# --- headings


@pytest.mark.parametrize(
    "headings",
    [
        ["Mã khách hàng", "Họ và tên", "Số điện thoại"],
        ["MA KHACH HANG", "ho va ten", "so dien thoai"],
        [unicodedata.normalize("NFD", name) for name in ("Mã  khách hàng ", "Họ và tên", "SĐT")],
        ["\ufeffClient code", "NAME", "Mobile"],
        ["client_code", "full-name", "Phone number"],
    ],
)
def test_headings_are_known_in_both_languages_however_typed(headings: list[str]) -> None:
    assert register.find_columns(headings).places == {"code": (0,), "name": (1,), "phone": (2,)}


def test_several_phone_columns_are_all_read() -> None:
    found = register.find_columns(["Code", "Name", "Phone 1", "Phone 2", "Số điện thoại khác"])
    row = register.read(["1", "An", "0912000123", "0352000456", "0912 000 123"], found, VIETNAM)
    assert isinstance(row, Row)
    assert [each.e164 for each in row.phones] == ["+84912000123", "+84352000456"]


def test_a_missing_column_is_named_without_repeating_the_first_line() -> None:
    with pytest.raises(Refused, match="phone") as refused:
        register.find_columns(["KH-1", "code", "Nguyễn Văn An", "name"])
    assert "Nguyễn" not in str(refused.value)


def test_two_columns_for_one_thing_are_refused() -> None:
    with pytest.raises(Refused, match="Columns 1 and 4"):
        register.find_columns(["Code", "Name", "Phone", "Mã khách hàng"])


def test_columns_nobody_asked_for_are_named_and_not_kept() -> None:
    found = register.find_columns([*GOOD, "Chẩn đoán", "Bus line"], own=["bus line"])
    assert found.ignored == ("Chẩn đoán",)
    row = register.read([*GOOD.values(), "secret", " 32 "], found, VIETNAM)
    assert isinstance(row, Row)
    assert row.own == (("Bus line", "32"),)


def test_no_heading_stands_for_two_fields() -> None:
    for headings in (HEADINGS | DATE_HEADINGS, APPOINTMENT_HEADINGS):
        keys = [cells.key(word) for words in headings.values() for word in set(map(cells.key, words))]
        assert len(keys) == len(set(keys))


# --- what a row says


def test_a_bare_row_says_no_more_than_it_does() -> None:
    assert client() == Row(
        code="KH-1", name="Nguyễn Văn An", phones=client().phones, language=None, zone=None, hours=None, any_hour=False,
        discreet=None, tones=None, unit=None, worker=None, groups=(), status=None, status_reason=None, opted_out=False,
        consents=(), dates=(), own=(), warnings=(),
    )  # fmt: skip
    assert [each.e164 for each in client().phones] == ["+84912000123"]


def test_a_full_row() -> None:
    row = client(
        ngôn_ngữ="Tiếng Việt", múi_giờ="Asia/Ho_Chi_Minh", giờ_được_nhắn="8h-11h30", mức_kín_đáo="kín", mã_xã="SV-01-02",
        xã="Xã Bình An", nhóm="việc làm; bảo hiểm", trạng_thái="tạm dừng", dấu="không dấu",
    )  # fmt: skip
    assert (row.language, row.zone, row.discreet, row.unit) == ("vi", "Asia/Ho_Chi_Minh", 2, "SV-01-02")
    assert row.hours == Window(time(8), time(11, 30))
    assert (row.groups, row.status, row.tones) == (("việc làm", "bảo hiểm"), "paused", "always")


def test_two_rows_that_say_the_same_are_equal_however_typed() -> None:
    again = [unicodedata.normalize("NFD", f" {cell}  ") for cell in GOOD.values()]
    assert register.read(again, register.find_columns(list(GOOD)), VIETNAM) == client()


def test_two_numbers_in_a_cell_are_both_kept_and_a_bad_one_beside_a_good_one_is_a_warning() -> None:
    row = client(phone="0912000123 / 0243 8000 123")
    assert [each.e164 for each in row.phones] == ["+84912000123"]
    assert row.warnings[0].startswith("phone: ")


def test_an_altered_number_says_why() -> None:
    [phone] = client(phone="0168 000 1234").phones
    assert phone.e164 == "+84380001234"
    assert phone.changed is not None


@pytest.mark.parametrize("hours", ["00:00-24:00", "0h-24h"])
def test_any_hour_is_told_apart_from_no_word_about_hours(hours: str) -> None:
    assert (client(hours=hours).hours, client(hours=hours).any_hour) == (None, True)
    assert (client(hours="").hours, client(hours="").any_hour) == (None, False)


def test_hours_may_stand_in_two_columns() -> None:
    assert client(hours_from="8h", hours_to="20:00").hours == Window(time(8), time(20))


def test_a_language_without_texts_is_kept_and_an_unknown_one_warned_of() -> None:
    assert client(language="H'Mông").language == "hmn"
    assert client(language="Klingon").language is None
    assert client(language="Klingon").warnings


def test_a_bad_time_zone_never_drops_a_person() -> None:
    row = client(time_zone="GMT+7")
    assert row.zone is None
    assert row.warnings


def test_an_odd_discreet_level_is_the_most_discreet() -> None:
    assert client(discreet_level="5").discreet == 2
    assert client(discreet_level="0").discreet == 0


# --- consent and its opposite


def test_consent_needs_purpose_and_basis() -> None:
    row = client(consent="nhắc hẹn; hỏi thăm", consent_basis="phiếu ký", consent_date="12/03/2025")
    given_on = date(2025, 3, 12)
    assert row.consents == (
        Consent("reminder", True, "signed", given_on),
        Consent("check_in", True, "signed", given_on),
    )


def test_consent_without_a_basis_does_not_count() -> None:
    row = client(consent="reminders")
    assert row.consents == ()
    assert row.warnings == ("consent: given without a basis, so it does not count",)


def test_an_import_may_bring_the_basis_and_what_a_bare_yes_means() -> None:
    reading = Reading("VN", basis="forms checked by the supervisor", yes_means=("reminder",))
    assert client(reading, consent="có").consents == (
        Consent("reminder", True, "forms checked by the supervisor"),
    )
    assert client(consent="có", consent_basis="signed").consents == ()


def test_a_plain_no_refuses_every_purpose() -> None:
    assert {(each.purpose, each.granted) for each in client(consent="không").consents} == {
        (purpose, False) for purpose in ("reminder", "check_in", "service_information", "study")
    }


def test_a_purpose_may_have_its_own_column() -> None:
    row = client(consent_reminder="signed form", consent_check_in="no", consent_study="not sure")
    assert row.consents == (Consent("reminder", True, "signed"), Consent("check_in", False, "register"))
    assert row.warnings == ("consent: neither yes, no nor a known basis, so it is not recorded",)


def test_a_purpose_nobody_knows_is_not_recorded_and_the_others_are() -> None:
    row = client(consent="reminders, horoscopes", consent_basis="signed")
    assert [each.purpose for each in row.consents] == ["reminder"]
    assert row.warnings


@pytest.mark.parametrize("cell", ["x", "có", "Từ chối", "STOP", "12/03/2025", "?", "maybe"])
def test_an_opt_out_counts_even_when_it_is_in_doubt(cell: str) -> None:
    assert client(opted_out=cell).opted_out


@pytest.mark.parametrize("cell", ["", "không", "no", "0", "-"])
def test_a_clear_no_is_no_opt_out(cell: str) -> None:
    assert not client(opted_out=cell).opted_out


def test_a_status_may_say_that_no_texts_are_wanted() -> None:
    row = client(status="từ chối nhận tin")
    assert (row.status, row.opted_out) == (None, True)


def test_an_opt_out_in_a_row_that_is_refused_still_counts() -> None:
    assert read(phone="", opted_out="x") == Rejected("KH-1", True, ("phone: missing",))


# --- refusals


def test_a_row_is_refused_with_all_its_reasons() -> None:
    given = reasons(code="", name=" ", phone="none", hours="late", status="??")
    assert {each.split(":")[0] for each in given} == {"code", "name", "phone", "allowed hours", "status"}


@pytest.mark.parametrize("phone", ["115", "1900 1234", "024 3800 0123", "không có", ""])
def test_a_client_without_a_number_to_text_is_refused(phone: str) -> None:
    assert reasons(phone=phone)


def test_no_reason_repeats_a_number_or_a_name() -> None:
    row = {
        "code": "KH-1",
        "name": "Canary " * 40,
        "phone": "0912000",
        "hours": "canary",
        "status": "canary",
        "discreet": "canary",
    }
    rejected = register.read(list(row.values()), register.find_columns(list(row)), VIETNAM)
    assert isinstance(rejected, Rejected)
    assert not [reason for reason in rejected.reasons if "anary" in reason or "0912" in reason]


def test_a_comma_too_many_is_noticed() -> None:
    found = register.find_columns(list(GOOD))
    row = register.read([*GOOD.values(), "shifted"], found, VIETNAM)
    assert isinstance(row, Rejected)
    assert isinstance(register.read([*GOOD.values(), "", " "], found, VIETNAM), Row)


def test_a_short_row_has_empty_cells_at_its_end() -> None:
    found = register.find_columns([*GOOD, "Language"])
    assert isinstance(register.read(list(GOOD.values()), found, VIETNAM), Row)


anything = st.text(st.characters(codec=None), max_size=25)
plausible = st.sampled_from(
    ["", "KH-1", "0912000123", "nhắc hẹn", "có", "x", "8h-20h", "2", "vi", "phiếu ký", "12/03/2025"]
)


@settings(max_examples=300, deadline=None)
@given(row=st.lists(anything | plausible, max_size=len(HEADINGS) + 2))
def test_any_row_is_a_client_or_has_its_reasons(row: list[str]) -> None:
    found = register.find_columns([words[0] for words in HEADINGS.values()])
    read = register.read(row, found, VIETNAM)
    assert hash(read) == hash(register.read(row, found, VIETNAM))
    if isinstance(read, Rejected):
        assert read.reasons
    else:
        assert all((read.code, read.name, read.phones))


@pytest.mark.parametrize(("heading", "name"), [
    ("Discharge date", "discharge"), ("Ngày ra viện", "discharge"), ("ngay xuat vien", "discharge"), ("Date de sortie", "discharge"),
    ("Ngày bắt đầu điều trị", "treatment_start"), ("Début du traitement", "treatment_start"), ("Release date", "release"),
])  # fmt: skip
def test_days_that_programmes_count_from_are_known_by_their_headings(heading: str, name: str) -> None:
    found = register.find_columns(["Code", "Name", "Phone", heading])
    row = register.read(["K1", "An", "0912000123", "4/3/2026"], found, VIETNAM)
    assert isinstance(row, Row) and row.dates == ((name, date(2026, 3, 4)),)  # day first


def test_a_column_of_days_may_be_named_and_must_be_there() -> None:
    headings = ["Code", "Name", "Phone", "Left us", "Moved in"]
    found = register.find_columns(headings, dates={"left us": "discharge", "Moved in": "housing"})
    row = register.read(["K1", "An", "0912000123", "31.12.2025", "46000"], found, VIETNAM)
    assert isinstance(row, Row) and row.dates == (("discharge", date(2025, 12, 31)), ("housing", date(2025, 12, 9)))
    with pytest.raises(Refused, match="Born"):
        register.find_columns(headings, dates={"Born": "birth"})
    with pytest.raises(Refused, match="4 and 5"):
        register.find_columns(headings, dates={"Left us": "discharge", "Moved in": "discharge"})


@pytest.mark.parametrize("cell", ["4/13/2026", "soon", "2026"])
def test_a_day_that_cannot_be_read_is_reported_and_not_guessed(cell: str) -> None:
    row = register.read(["K1", "An", "0912000123", cell], register.find_columns(["Code", "Name", "Phone", "Discharge"]), VIETNAM)
    assert isinstance(row, Row) and row.dates == () and "date discharge: " in row.warnings[0]
