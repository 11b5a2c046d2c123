"""What people type into spreadsheet cells -> dates, times, hours, yes and no. Refused when it is not certain.

Dates are read day first, as in Vietnam and England: 3/4/2026 is the third of April, and 4/13/2026 is refused,
not turned round. Years of two digits are 2000 to 2099. A number such as 46000 is a spreadsheet's own count of
days (1900 system: day 1 is 1 January 1900, with its extra 29 February 1900); its fraction is the time of day.
"""

import re
import unicodedata
from datetime import date, time, timedelta

from gateway.domain import segments
from gateway.domain.errors import Refused
from gateway.domain.windows import Window

_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_WORD_BREAKS = re.compile(r"[\W_]+")

YES = frozenset({"1", "x", "v", "y", "yes", "true", "co", "ok", "dongy", "✓", "✔", "☑"})
NO = frozenset({"", "0", "n", "no", "false", "k", "ko", "khong", "chua", "none", "-"})

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_WORD = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_YEAR = r"(?P<y>\d{4}|\d{2})"
_DATES = (
    re.compile(r"(?P<y>\d{4})([-/.])(?P<m>\d{1,2})\2(?P<d>\d{1,2})"),
    re.compile(rf"(?P<d>\d{{1,2}})\s*([-/. ])\s*(?P<m>\d{{1,2}})\s*\2\s*{_YEAR}"),
    re.compile(rf"(?P<d>\d{{1,2}}) thang (?P<m>\d{{1,2}})(?: nam|,)? {_YEAR}"),
    re.compile(rf"(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[ -](?P<word>{_MONTH_WORD})\.?,?[ -]{_YEAR}"),
)
_SERIAL = re.compile(r"(\d{5})(?:[.,](\d+))?")
_SERIAL_DAY_0 = date(1899, 12, 30)
_SERIALS = range(20_000, 80_000)  # 1954 to 2119: below and above it is some other number

_TIME = re.compile(
    r"(?P<h>\d{1,2})(?:\s*(?:[:.hg]|gio)\s*(?P<m>\d{2})?)?(?::\d{2}(?:\.\d+)?)?\s*(?:phut)?\s*"
    r"(?P<half>am|a\.m\.|pm|p\.m\.|sa|ch|sang|trua|chieu|toi)?"
)
_FRACTION = re.compile(r"0[.,](\d+)")
_WEEKDAY = re.compile(
    r"(?:(?:thu (?:hai|ba|tu|nam|sau|bay|[2-7])|chu nhat|cn|t[2-7])[,.]? (?=\d|ngay)"
    r"|(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?[,.]? )?(?:ngay )?"
)
_DATE_AND_TIME = (
    re.compile(r"(?P<day>.*\d{2})(?:t| - |,? luc |,? at |,? )(?P<at>\d{1,2}.*)"),
    re.compile(r"(?P<at>\d{1,2}\s*(?:[:hg]|gio)\s*(?:\d{2})?(?: ?phut)?)(?: - |,? ngay |,? )(?P<day>\d.*)"),
)
_TO = re.compile(r"\s*(?:[-–—~]|\bto\b|\buntil\b|\bđến\b|\btới\b|\bden\b)\s*", re.IGNORECASE)


def clean(text: str) -> str:
    """The text in NFC on one line, without control and direction marks, and with single plain spaces.

    A leading ' before = + - @ goes too: exports put it there so that spreadsheets see text and no formula.
    """
    if not text.isprintable():
        text = _UNSEEN.sub("", text)
    text = " ".join(unicodedata.normalize("NFC", text).split())
    return text[1:] if text[:2] in ("'=", "'+", "'-", "'@") else text


def key(text: str) -> str:
    """What two spellings of a word share: no tones, case, spaces or punctuation, and plain digits."""
    plain = segments.fold(unicodedata.normalize("NFKC", text)).casefold()
    return _WORD_BREAKS.sub("", plain)


def is_yes(text: str) -> bool:
    """A cell that says yes or no; empty is no. Anything else is Refused."""
    word = _plain(text)
    if word in NO:
        return False
    if word in YES or key(word) in YES:
        return True
    raise Refused("neither yes nor no")


def read_date(text: str) -> date:
    """The day in the cell; a time of day after it is passed over."""
    return read_day_and_time(text)[0]


def read_day_and_time(text: str) -> tuple[date, time | None]:
    """The day and, where the cell also holds one, the time of day (12/03/2026 9h30)."""
    plain = _WEEKDAY.sub("", _plain(text), count=1)
    if serial := _SERIAL.fullmatch(plain):
        return _from_serial(int(serial[1]), serial[2])
    if day := _day(plain):
        return day, None
    for pattern in _DATE_AND_TIME:
        if (parts := pattern.fullmatch(plain)) and (day := _day(_WEEKDAY.sub("", parts["day"], count=1))):
            return day, read_time(parts["at"])
    raise Refused("not a date; write it as 31/12/2026 or 2026-12-31")


def _from_serial(days: int, fraction: str | None) -> tuple[date, time | None]:
    if days not in _SERIALS:
        raise Refused("a number that is no date")
    at = _from_fraction(fraction) if fraction else None
    return _SERIAL_DAY_0 + timedelta(days=days), at


def _from_fraction(digits: str) -> time:
    """The part of a day that a spreadsheet keeps for a time of day, to the nearest minute."""
    minutes = min(round(float("0." + digits) * 24 * 60), 24 * 60 - 1)
    return time(minutes // 60, minutes % 60)


def _day(plain: str) -> date | None:
    """The day, if the text is written like one; Refused if it is written like one that does not exist."""
    found = next((found for pattern in _DATES if (found := pattern.fullmatch(plain))), None)
    if found is None:
        return None
    parts = found.groupdict()
    year = int(parts["y"]) + (2000 if len(parts["y"]) == 2 else 0)
    month = _MONTHS.index(parts["word"][:3]) + 1 if "word" in parts else int(parts["m"])
    if not 1900 <= year <= 2100:
        raise Refused("not a date; the year lies outside 1900 to 2100")
    try:
        return date(year, month, int(parts["d"]))
    except ValueError:
        raise Refused("no such day; dates are read day first, as in 31/12/2026") from None


def read_time(text: str) -> time:
    """A time of day: 09:00, 9h30, 9 giờ 30, 2h chiều, 2:30 PM, 2:30 CH, or a spreadsheet's fraction."""
    plain = _plain(text)
    if fraction := _FRACTION.fullmatch(plain):
        return _from_fraction(fraction[1])
    found = _TIME.fullmatch(plain)
    if found is None:
        raise Refused("not a time of day; write it as 09:30")
    hour, minute, half = int(found["h"]), int(found["m"] or 0), (found["half"] or "").replace(".", "")
    if half in ("am", "sa", "sang") and hour == 12:
        hour = 0
    elif half in ("pm", "ch", "chieu", "toi", "trua") and hour < (11 if half == "trua" else 12):
        hour += 12
    if hour > 23 or minute > 59:
        raise Refused("no such time of day; write it as 09:30")
    return time(hour, minute)


def read_window(text: str) -> Window | None:
    """Allowed hours such as 08:00-20:00, 8h đến 20h or 8am to 8pm; None for the whole day (00:00-24:00).

    Over midnight only from noon on: "8-5" is somebody's 17:00 and must not become the middle of the night.
    """
    ends = _TO.split(unicodedata.normalize("NFKC", clean(text)))
    if len(ends) != 2:
        raise Refused("not hours; write them as 08:00-20:00")
    opens = read_time(ends[0])
    closes = time(0) if re.fullmatch(r"24\s*(?:[:h.]\s*(?:00)?)?", ends[1].casefold()) else read_time(ends[1])
    if opens == closes == time(0):
        return None
    if opens == closes or (time(0) < closes < opens < time(12)):
        raise Refused("hours that end before they begin; write them as 08:00-17:00")
    return Window(opens, closes)


def _plain(text: str) -> str:
    """One line in small letters without tones, its digits 0 to 9 whatever the keyboard made of them."""
    return segments.fold(unicodedata.normalize("NFKC", clean(text))).casefold()


def later(day: date, days: int) -> date:
    """That many days after (or before) the day; Refused when the calendar ends first."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        raise Refused("not a number of days that leads to a date") from None


def read_count(text: str) -> int:
    """A whole number, perhaps negative; Refused otherwise."""
    plain = _plain(text).replace("−", "-")
    if not re.fullmatch(r"[+-]?\d{1,6}(?:\.0)?", plain):
        raise Refused("not a whole number")
    return int(float(plain))
