"""One row of a list of services -> an entry of the directory, or every reason why it cannot be taken."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from gateway.domain import cells, columns, opening, register_words, wording
from gateway.domain.columns import Columns
from gateway.domain.errors import Refused
from gateway.domain.opening import Hours
from gateway.domain.services import CATEGORIES, LONGEST_SHORT_NAME
from gateway.domain.told import N_

LONGEST_CODE, LONGEST = 40, 200

# Headings in English and Vietnamese; the first of each is what an export writes.
HEADINGS = {
    field: tuple(listed.split(", "))
    for field, listed in {
        "code": "code, service code, mã, mã dịch vụ",
        "category": "category, kind, loại, loại dịch vụ",
        "name": "name, service, tên, tên dịch vụ",
        "short_name": "short name, discreet name, tên ngắn, tên kín đáo",
        "units": "units, units served, unit, clinic, đơn vị, mã đơn vị, mã xã, nơi phục vụ",
        "languages": "languages, language, ngôn ngữ, tiếng",
        "address": "address, địa chỉ",
        "hours": "hours, opening hours, giờ mở cửa, giờ làm việc",
        "phone": "phone, telephone, tel, điện thoại, số điện thoại, SĐT",
        "who": "who may come, who, for whom, đối tượng, ai được đến",
        "cost": "cost, price, chi phí, giá",
        "checked_on": "checked on, last checked, ngày kiểm tra, kiểm tra ngày",
        "checked_by": "checked by, người kiểm tra",
    }.items()
}
# In examples, which must not grow old: how many days ago it was checked.
_DAYS_AGO = "checked_days_ago"
REQUIRED = ("code", "category", "name", "short_name", "units")
# What columns hold, as errors name it.
N_("category"), N_("short name"), N_("units"), N_("languages"), N_("address"), N_("who"), N_("cost"), N_("checked on"), N_("checked by")

_CATEGORY_WORDS = {
    cells.key(word): category
    for category, listed in {
        "health_insurance": "bảo hiểm y tế, bảo hiểm, assurance santé, insurance",
        "work": "việc làm, học nghề, emploi, job",
        "loan": "vay vốn, trợ cấp, prêt, benefits, money",
        "housing": "nhà ở, chỗ ở, logement",
        "papers": "giấy tờ, papiers, documents",
        "health_care": "chăm sóc sức khỏe, y tế, santé, health",
        "family": "gia đình, famille, children",
        "food": "ăn mặc, thực phẩm, nourriture, clothes",
        "supplies": "vật dụng, kim tiêm, matériel, needles, needle exchange",
        "treatment": "điều trị, traitement",
        "group": "nhóm tự lực, sinh hoạt nhóm, groupe, groups, peer support",
    }.items()
    for word in (category, CATEGORIES[category], *listed.split(", "))
}
_PHONE = re.compile(r"\+?[0-9][0-9 .()/-]{2,}")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as its list has it; `units` and `checked_by` are codes, looked up by whoever keeps it."""

    code: str
    category: str
    name: str
    short_name: str
    units: tuple[str, ...]
    languages: tuple[str, ...]
    address: str
    phone: str
    hours: Hours | None
    who: str
    cost: str
    checked_on: date | None
    checked_by: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot be taken, with all its reasons."""

    reasons: tuple[str, ...]


def find_columns(headings: Sequence[str]) -> Columns:
    """The list's columns. Refused without code, category, name, short name and units."""
    return columns.find(headings, {**HEADINGS, _DAYS_AGO: (_DAYS_AGO,)}, required=REQUIRED)


def read(row: Sequence[str], found: Columns, today: date, forbidden: tuple[str, ...]) -> Row | Rejected:
    """The entry of this row. `forbidden` are the words no text may hold, in every language. Takes any text without failing."""
    typed = {field: found.cell(row, field) for field in HEADINGS}
    try:
        if days := found.cell(row, _DAYS_AGO):
            typed["checked_on"] = cells.later(today, -cells.read_count(days)).isoformat()
    except Refused as refused:
        return Rejected((N_("checked on: {why}").format(why=refused),))
    return check(typed, today, forbidden)


def check(typed: dict[str, str], today: date, forbidden: tuple[str, ...]) -> Row | Rejected:
    """The entry from its fields as they were typed, by the names of HEADINGS."""
    reasons = [reason for field in ("name", "short_name", "units", "code") if (reason := _missing(field, typed[field]))]
    reasons += _too_long(typed) + _telling(typed, forbidden)

    def tried(field: str, reader: Callable[[str], T]) -> T | None:
        try:
            return reader(typed[field]) if typed[field] else None
        except Refused as refused:
            reasons.append(f"{_called(field)}: {refused}")
            return None

    category = _CATEGORY_WORDS.get(cells.key(typed["category"]), "")
    if not category:
        reasons.append(N_("category: not known; use one of {categories}").format(categories=", ".join(CATEGORIES)))
    hours = tried("hours", opening.read)
    languages = tried("languages", _languages) or ()
    checked_on = tried("checked_on", cells.read_date)
    if checked_on is not None and checked_on > today:
        reasons.append(N_("checked on: lies in the future"))
    if typed["phone"] and not _PHONE.fullmatch(typed["phone"]):
        reasons.append(N_("phone: not a number to call"))
    if reasons:
        return Rejected(tuple(reasons))
    return Row(
        typed["code"], category, typed["name"], typed["short_name"], tuple(dict.fromkeys(listed(typed["units"]))), languages,
        typed["address"], typed["phone"], hours, typed["who"], typed["cost"], checked_on, typed["checked_by"],
    )  # fmt: skip


def listed(text: str) -> list[str]:
    """The parts of a cell that holds several codes: "SV-01; SV-02"."""
    return [part for part in re.split(r"[;,|\s]+", text) if part]


def _languages(text: str) -> tuple[str, ...]:
    found = [register_words.LANGUAGES.get(cells.key(part)) for part in re.split(r"[;,|/]+", text) if part.strip()]
    if None in found:
        raise Refused("one is not known: give codes, such as vi, en")
    return tuple(dict.fromkeys(language for language in found if language))


def _called(field: str) -> str:
    return field.replace("_", " ")


def _missing(field: str, value: str) -> str | None:
    missing = {
        "name": N_("name: missing"), "short_name": N_("short name: missing, and texts use it"),
        "units": N_("units: missing, and nobody would be told of it"), "code": N_("code: missing"),
    }  # fmt: skip
    return None if (listed(value) if field == "units" else value) else missing[field]


def _too_long(typed: dict[str, str]) -> list[str]:
    limits = {"code": LONGEST_CODE, "short_name": LONGEST_SHORT_NAME}
    too_long = N_("{what}: longer than {most} characters")
    return [
        too_long.format(what=_called(field), most=limits.get(field, LONGEST))
        for field in ("code", "name", "short_name", "address", "phone", "who", "cost")
        if len(typed[field]) > limits.get(field, LONGEST)
    ]


def _telling(typed: dict[str, str], forbidden: tuple[str, ...]) -> list[str]:
    """What of the parts that texts hold would tell a stranger who goes there. House numbers are no such words."""
    tells = N_("{what}: holds a word that no text may hold, since others read the phone too: say it neutrally")
    braces = N_("{what}: holds a brace")
    words = tuple(word for word in forbidden if not word.isdecimal())
    parts = ("short_name", "address", "phone")
    return [tells.format(what=_called(field)) for field in parts if wording.forbidden_in(typed[field], words)] + [
        braces.format(what=_called(field)) for field in parts if "{" in typed[field] or "}" in typed[field]
    ]
