"""Writes the example registers: invented people, in an invented province of Vietnam and an invented English
town.

    python examples/make_register.py [--into FOLDER] [--seed WORD] [--today 2026-03-02]

The same seed and day give the same bytes. Nobody in the files exists; the places are put together from common
syllables. README.md beside this file says what the mess in them is for.
"""

import argparse
import csv
import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar

SEED = "outreach"
TODAY = date(2026, 3, 2)

CLIENTS, DISTRICTS, COMMUNES = 3810, 21, 344

Row = list[str]
T = TypeVar("T")


def words(text: str, between: str | None = None) -> list[str]:
    """The words of the text, or its parts between commas."""
    return text.split(between)


UNIT_HEADINGS = words(
    "code,parent,kind,name,time_zone,language,region,opens,closes,tones,service,phone,helplines", ","
)
VIETNAM = ["Asia/Ho_Chi_Minh", "vi", "VN", "08:00", "20:00", "saves", "Nhóm Lá Xanh", "0590001000", "115"]
ENGLAND = [
    "Europe/London", "en", "GB", "09:00", "20:00", "never", "Green Leaf", "07700900999",
    "999, NHS 111 option 2 or Samaritans 116 123",
]  # fmt: skip

CLIENT_HEADINGS = words(
    "Mã khách hàng,Họ và tên,Số điện thoại,Số điện thoại khác,Ngôn ngữ,Múi giờ,Giờ được nhắn,Mức kín đáo,"
    "Mã xã,Xã/Phường,Huyện,Nhóm,Trạng thái,Từ chối nhận tin,Đồng ý nhận tin,Căn cứ đồng ý,Ngày đồng ý,Ghi chú",
    ",",
)
PHONE, UNIT = CLIENT_HEADINGS.index("Số điện thoại"), CLIENT_HEADINGS.index("Mã xã")
VISIT_HEADINGS = words("Mã lịch hẹn,Mã khách hàng,days_from_today,Giờ hẹn,Mã xã,Trạng thái", ",")
MIXED_HEADINGS = words("Mã lịch hẹn,Mã khách hàng,Ngày hẹn,Giờ hẹn,Mã xã", ",")

ENGLAND_HEADINGS = words(
    "Client code,Name,Mobile,Language,Time zone,Allowed hours,Discreet level,Clinic,Status,Opted out,Consent,"
    "Consent basis,Consent date",
    ",",
)
ENGLAND_VISIT_HEADINGS = words("Appointment id,Client code,days_from_today,Time,Clinic,State", ",")

FAMILY = words(
    "Nguyễn Trần Lê Phạm Hoàng Huỳnh Phan Vũ Võ Đặng Bùi Đỗ Hồ Ngô Dương Lý Lò Quàng Vàng Giàng Hà Cầm"
)
MIDDLE_MEN = words("Văn Hữu Đức Công Quang Minh Xuân Thanh Ngọc Đình Bá Duy")
MIDDLE_WOMEN = words("Thị Thị Thị Ngọc Thu Thanh Kim Hồng Mai Bích Diệu Như")
MEN = words(
    "Hùng Dũng Huy Nam Sơn Tuấn Long Bình Thắng Hải Cường Khánh Lâm Phúc Tùng Việt Quân Thành Được Hưng Đạt"
)
WOMEN = words(
    "Hương Lan Hoa Mai Linh Thảo Nga Hằng Yến Trang Phượng Thủy Ánh Dung Hiền Loan Nhung Oanh Xuân Đào Ước"
)
PLACE_FIRST = words(
    "An Bình Cẩm Châu Đại Đồng Hòa Hồng Hưng Khánh Lạc Liên Minh Mỹ Nam Ngọc Phú Phúc Quang Sơn Tam Tân Thanh"
)
PLACE_LAST = words(
    "Trạch Lũng Khê Xá Đường Thượng Trung Lĩnh Vực Đàm Cốc Giao Lạng Nghĩa Thủy Điền Hậu Lương"
)

BRITISH_FIRST = words(
    "Aisha Alan Beth Carl Dawn Ewan Fay Gareth Hana Ian Jodie Karim Leah Mick Nia Omar Paula Ravi Sian Tomasz"
)
BRITISH_LAST = words(
    "Ashworth Begum Cole Dyson Entwistle Farrow Grant Hussain Ingham Jones Kowalski Lomax Nuttall O'Neill"
)

# Prefixes of 11-digit numbers, out of use since 2018; the last seven digits stayed.
OLD = words("0120 0121 0126 0123 0127 0162 0168 0199")
NEW = words(
    "032 033 034 035 036 037 038 039 070 076 077 078 079 081 082 083 085 086 088 090 091 093 094 096 097 098"
)


class Chance:
    """Draws that only use `random()`, whose sequence Python keeps the same from version to version."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def below(self, count: int) -> int:
        """A whole number from 0 to count - 1."""
        return int(self._random.random() * count)

    def pick(self, things: Sequence[T]) -> T:
        """One of the things."""
        return things[self.below(len(things))]

    def shuffled(self, things: Iterable[T]) -> list[T]:
        """The things in another order."""
        return [
            thing
            for _, _, thing in sorted((self._random.random(), n, thing) for n, thing in enumerate(things))
        ]

    def deal(self, counts: Mapping[str, int], total: int, rest: str) -> list[str]:
        """Each word as often as it says, `rest` for what remains, in a random order."""
        words = [word for word, count in counts.items() for _ in range(count)]
        return self.shuffled(words + [rest] * (total - len(words)))


# --- places -------------------------------------------------------------------------------------------------


def place_names(chance: Chance, count: int) -> list[str]:
    """Different names of two syllables."""
    return chance.shuffled(f"{first} {last}" for first in PLACE_FIRST for last in PLACE_LAST)[:count]


def province_units(chance: Chance) -> list[Row]:
    """The province, its districts, their communes: 16 or 17 in each."""
    places = place_names(chance, COMMUNES + DISTRICTS)
    names, seats = places[:COMMUNES], places[COMMUNES:]
    units = [["SV", "", "province", "tỉnh Sơn Vĩnh", *VIETNAM]]
    units += [[f"SV-{n:02}", "SV", "district", f"huyện {seat}", *VIETNAM] for n, seat in enumerate(seats, 1)]
    for n, name in enumerate(names):
        district, number = n % DISTRICTS + 1, n // DISTRICTS + 1
        units.append(
            [f"SV-{district:02}-{number:02}", f"SV-{district:02}", "commune", f"xã {name}", *VIETNAM]
        )
    return units


def england_units() -> list[Row]:
    """One service with three places."""
    places = {"GL-N": "Northgate", "GL-M": "Market Street", "GL-W": "Waterside"}
    units = [["GL", "", "service", "Green Leaf", *ENGLAND]]
    return units + [[code, "GL", "clinic", name, *ENGLAND] for code, name in places.items()]


# --- phones -------------------------------------------------------------------------------------------------

# How many clients have their number written how. What is left over is written plainly.
WRITTEN = {
    "spaced": 420, "plus 84": 160, "84": 120, "0084": 30, "full width": 25, "lost zero": 310,
    "lost zero of 084": 6, "old prefix": 240, "old prefix, lost zero": 40, "two in a cell": 150,
    "mobile and fixed line": 30, "second column": 90, "fixed line": 70, "premium or short": 12,
    "a digit too few or too many": 28, "words": 15, "empty": 60,
}  # fmt: skip
USELESS = {"fixed line", "premium or short", "a digit too few or too many", "words", "empty"}


def mobile(chance: Chance, taken: set[str]) -> str:
    """A new mobile number in today's form. All have 000 after the prefix, to be recognised by."""
    while True:
        number = f"{chance.pick(NEW)}000{chance.below(10_000):04}"
        if number not in taken:
            taken.add(number)
            return number


def written(chance: Chance, way: str, number: str, taken: set[str]) -> tuple[str, str]:
    """The two phone cells of a client, from the number as it should be."""
    old = chance.pick(OLD)
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    fixed = f"02{chance.pick(['09', '16', '28', '38'])}3000{chance.below(1000):03}"
    ways: dict[str, Callable[[], str]] = {
        "spaced": lambda: chance.pick(["{} {} {}", " {}.{}.{}", "{}-{}-{} "]).format(
            number[:4], number[4:7], number[7:]
        ),
        "plus 84": lambda: "+84 " + number[1:],
        "84": lambda: "84" + number[1:],
        "0084": lambda: "0084" + number[1:],
        "full width": lambda: number.translate(wide),
        "lost zero": lambda: number[1:],
        "lost zero of 084": lambda: f"84000{chance.below(10_000):04}",
        "old prefix": lambda: old + number[3:],
        "old prefix, lost zero": lambda: old[1:] + number[3:],
        "two in a cell": lambda: number + chance.pick([" / ", "; ", ", ", " - "]) + mobile(chance, taken),
        "mobile and fixed line": lambda: f"{number} / {fixed}",
        "fixed line": lambda: fixed,
        "premium or short": lambda: chance.pick(["19000012", "1900000123", "115", "5656", "9029"]),
        "a digit too few or too many": lambda: chance.pick([number[:-1], number[:-2], number + "0"]),
        "words": lambda: chance.pick(["không có", "chưa có máy", "hỏi chị gái"]),
        "empty": lambda: "",
    }
    first = ways[way]() if way in ways else number
    return first, mobile(chance, taken) if way == "second column" else ""


# --- clients of the province --------------------------------------------------------------------------------


def fold(text: str) -> str:
    """Without tones, as older registers were typed."""
    apart = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(c for c in apart if not unicodedata.combining(c))


def person(chance: Chance) -> str:
    """An invented Vietnamese name."""
    middle, given = (MIDDLE_MEN, MEN) if chance.below(100) < 68 else (MIDDLE_WOMEN, WOMEN)
    return f"{chance.pick(FAMILY)} {chance.pick(middle)} {chance.pick(given)}"


def mistyped(chance: Chance, text: str) -> str:
    """The same words as another hand, or another program, would have typed them."""
    match chance.below(25):
        case 0 | 1:
            return text.upper()
        case 2:
            return fold(text)
        case 3:
            return unicodedata.normalize("NFD", text)
        case 4:
            return chance.pick(
                [f" {text}", f"{text}  ", text.replace(" ", "  "), text.replace(" ", "\N{NO-BREAK SPACE}")]
            )
        case _:
            return text


def messy_date(chance: Chance, day: date) -> str:
    """A day in one of the ways registers write it, all day first; or as a spreadsheet's count of days."""
    ways = [
        "{0:%d/%m/%Y}",
        "{0.day}/{0.month}/{0.year}",
        "{0.day}-{0.month}-{0:%y}",
        "{0:%Y-%m-%d}",
        "{0:%d.%m.%Y}",
    ]
    way = chance.pick([*ways, *ways, "ngày {0.day} tháng {0.month} năm {0.year}", "{1}"])
    return way.format(day, (day - date(1899, 12, 30)).days)


# For these columns, how many clients have which word; the others have the last one.
DEALT = {
    "Ngôn ngữ": ({"": 640, "Việt": 380, "Tiếng Việt": 300, "VI": 110, "H'Mông": 55, "en": 9, "fr": 6}, "vi"),
    "Múi giờ": ({"Asia/Ho_Chi_Minh": 280, "GMT+7": 3, "Asia/Hanoi": 3}, ""),
    "Giờ được nhắn": (
        {
            "08:00-20:00": 120,
            "8h-11h30": 60,
            "18h30 - 21h": 50,
            "9h đến 17h": 40,
            "21h-23h": 5,
            "sau giờ làm": 3,
        },
        "",
    ),
    "Mức kín đáo": ({"1": 460, "2": 450, "0": 190, "kín": 30, "5": 8}, ""),
    "Nhóm": ({"việc làm": 300, "bảo hiểm y tế": 420, "việc làm, bảo hiểm y tế": 60}, ""),
    "Trạng thái": ({"tạm dừng": 190, "đã đóng": 190, "": 80}, "đang theo dõi"),
    "Từ chối nhận tin": ({"x": 57, "có": 19}, ""),
    "Đồng ý nhận tin": (
        {"nhắc hẹn": 230, "nhắc hẹn; hỏi thăm; thông tin dịch vụ": 800, "": 300, "không": 70, "có": 70},
        "nhắc hẹn; hỏi thăm",
    ),
    "Căn cứ đồng ý": ({"đồng ý bằng lời": 450, "": 110}, "phiếu ký"),
    "Ngày đồng ý": ({"31/02/2025": 8, "13/25/2025": 7, "": 420}, "a day"),
    "Ghi chú": ({"gọi buổi tối": 110, "hay đổi số": 90, "ở với mẹ": 120}, ""),
}


def province_clients(chance: Chance, units: Sequence[Row], today: date) -> tuple[list[Row], list[str]]:
    """The register, and the codes of clients whose row is sound enough to have appointments."""
    communes = [unit for unit in units if unit[2] == "commune"]
    homes = chance.shuffled(communes + [chance.pick(communes) for _ in range(CLIENTS - COMMUNES)])
    ways = chance.deal(WRITTEN, CLIENTS, "plain")
    dealt = {heading: chance.deal(counts, CLIENTS, rest) for heading, (counts, rest) in DEALT.items()}
    names = {unit[0]: unit[3] for unit in units}
    rows, sound, taken, numbers = [], [], set[str](), list[str]()
    for n, (home, way) in enumerate(zip(homes, ways, strict=True)):
        shares = numbers and way == "plain" and chance.below(18) == 0
        numbers.append(chance.pick(numbers) if shares else mobile(chance, taken))
        client = {heading: cells[n] for heading, cells in dealt.items()}
        client["Mã khách hàng"], client["Họ và tên"] = f"KH-{n + 1:05}", mistyped(chance, person(chance))
        client["Số điện thoại"], client["Số điện thoại khác"] = written(chance, way, numbers[-1], taken)
        client["Mã xã"], client["Xã/Phường"] = home[0], mistyped(chance, names[home[0]])
        client["Huyện"] = names[home[1]]
        if client["Ngày đồng ý"] == "a day":
            client["Ngày đồng ý"] = messy_date(chance, today - timedelta(days=1 + chance.below(700)))
        rows.append([client[heading] for heading in CLIENT_HEADINGS])
        if (
            way not in USELESS
            and client["Giờ được nhắn"] != "sau giờ làm"
            and client["Trạng thái"] != "đã đóng"
        ):
            sound.append(client["Mã khách hàng"])
    return rows + again(chance, rows, taken), sound


def again(chance: Chance, rows: Sequence[Row], taken: set[str]) -> list[Row]:
    """Rows of people who are there already: 45 to the letter, 20 typed otherwise, 30 with changed data."""
    copied = [chance.pick(rows) for _ in range(45)]
    retyped = [
        [cell and f" {unicodedata.normalize('NFD', cell)} " for cell in chance.pick(rows)] for _ in range(20)
    ]
    changed = [list(row) for row in chance.shuffled(rows)[:30]]
    for n, row in enumerate(changed):
        place = PHONE if n % 3 else UNIT
        row[place] = mobile(chance, taken) if place == PHONE else chance.pick(rows)[UNIT]
    return chance.shuffled([*copied, *retyped, *changed])


# --- appointments -------------------------------------------------------------------------------------------


def appointments(
    chance: Chance, homes: Mapping[str, str], codes: Sequence[str], count: int, past: int
) -> list[Row]:
    """id, client, days from the day of loading, local time, unit, state: `past` of them lie behind."""
    rows = []
    for n in range(count):
        code = chance.pick(codes)
        days = -1 - chance.below(14) if n < past else chance.below(29)
        at = f"{chance.pick(range(8, 17)):02}:{chance.pick([0, 15, 30, 45]):02}"
        state = chance.pick(["attended", "attended", "attended", "missed"]) if n < past else "booked"
        rows.append([f"A-{n + 1:05}", code, str(days), at, homes[code], state])
    return rows


def mixed_appointments(
    chance: Chance, homes: Mapping[str, str], codes: Sequence[str], today: date
) -> list[Row]:
    """id, client, day, time, unit as many hands write them; every tenth has something that cannot be read."""
    rows = []
    for n in range(120):
        code, day = chance.pick(codes), today + timedelta(days=1 + chance.below(60))
        hour, minute = 8 + chance.below(9), chance.pick([0, 30])
        at = chance.pick(["{0}:{1:02}", "{0}h{1:02}", "{0} giờ {1:02}", "{0:02}.{1:02}"]).format(hour, minute)
        written_on = messy_date(chance, day)
        if n % 10 == 9:
            written_on, at = chance.pick(
                [("30/02/2026", at), ("thứ Hai tới", at), (written_on, "sáng"), ("", at)]
            )
        elif n % 4 == 0:
            written_on, at = f"{day:%d/%m/%Y} {hour}h{minute:02}", ""
        rows.append([f"B-{n + 1:03}", code, written_on, at, homes[code]])
    return rows


# --- England ------------------------------------------------------------------------------------------------


def england_clients(chance: Chance, today: date) -> tuple[list[Row], list[str]]:
    """60 clients. Mobile numbers are of the range Ofcom keeps for drama, which nobody can have."""
    numbers = chance.shuffled(f"07700900{n:03}" for n in range(990))
    ways = chance.deal(
        {"+44 (0)": 8, "44": 4, "lost zero": 5, "spaced": 10, "fixed": 2, "premium": 1, "empty": 2}, 60, ""
    )
    rows, sound = [], []
    for n, (way, number) in enumerate(zip(ways, numbers, strict=False)):
        phone = {
            "+44 (0)": f"+44 (0){number[1:5]} {number[5:]}",
            "44": "44" + number[1:],
            "lost zero": number[1:],
            "spaced": f"{number[:5]} {number[5:8]} {number[8:]}",
            "fixed": f"01632960{number[-3:]}",
            "premium": f"09098790{number[-3:]}",
            "empty": "",
        }.get(way, number)
        day = today - timedelta(days=1 + chance.below(400))
        row = [
            f"GL{n + 1:03}", f"{chance.pick(BRITISH_FIRST)} {chance.pick(BRITISH_LAST)}", phone,
            chance.pick(["en"] * 12 + ["English", "", "pl", "fr"]),
            chance.pick(["", "", "", "Europe/London"]),
            chance.pick([""] * 8 + ["9am-5pm", "10:00-18:00"]), chance.pick(["", "", "1", "2", "0"]),
            chance.pick(["GL-N", "GL-M", "GL-W"]), "active", chance.pick(["no"] * 14 + ["yes"]),
            chance.pick(["reminders; check-ins"] * 6 + ["reminders", "reminders; information", ""]),
            chance.pick(["signed form"] * 3 + ["verbal"]),
            chance.pick([f"{day:%d/%m/%Y}", f"{day.day} {day:%b} {day.year}"]),
        ]  # fmt: skip
        rows.append(row)
        if way not in ("fixed", "premium", "empty"):
            sound.append(row[0])
    return rows, sound


# --- files --------------------------------------------------------------------------------------------------


def write(path: Path, headings: Sequence[str], rows: Sequence[Row], encoding: str = "utf-8") -> None:
    """One CSV file, with the same bytes on every system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([list(headings), *rows])
    print(f"{path.parent.name}/{path.name}: {len(rows)} rows")


def write_province(folder: Path, seed: str, today: date) -> None:
    """Vietnam. The clients' file begins with a byte order mark, as spreadsheets in Vietnam save it."""
    units = province_units(Chance(f"{seed} units"))
    clients, sound = province_clients(Chance(f"{seed} clients"), units, today)
    homes = {row[0]: row[UNIT] for row in clients[:CLIENTS]}
    chance = Chance(f"{seed} appointments")
    write(folder / "units.csv", UNIT_HEADINGS, units)
    write(folder / "clients.csv", CLIENT_HEADINGS, clients, "utf-8-sig")
    coming = appointments(chance, homes, sound, count=1400, past=200)
    write(folder / "appointments.csv", VISIT_HEADINGS, coming)
    mixed = mixed_appointments(chance, homes, sound, today)
    write(folder / "appointments_mixed.csv", MIXED_HEADINGS, mixed)
    kinds = Counter(unit[2] for unit in units)
    print(f"  {kinds['province']} province, {kinds['district']} districts, {kinds['commune']} communes")
    print(f"  {len(homes)} clients, {len(set(homes.values()))} communes with clients")
    print(f"  {len(clients) - CLIENTS} rows of clients who are there already")


def write_england(folder: Path, seed: str, today: date) -> None:
    """A small English service."""
    chance = Chance(f"{seed} england")
    clients, sound = england_clients(chance, today)
    coming = appointments(chance, {row[0]: row[7] for row in clients}, sound, count=70, past=10)
    write(folder / "units.csv", UNIT_HEADINGS, england_units())
    write(folder / "clients.csv", ENGLAND_HEADINGS, clients)
    write(folder / "appointments.csv", ENGLAND_VISIT_HEADINGS, coming)


def main() -> None:
    """Write both registers and say how much is in them."""
    options = argparse.ArgumentParser(description="Write the example registers.")
    options.add_argument("--into", type=Path, default=Path(__file__).parent, help="folder to write to")
    options.add_argument("--seed", default=SEED, help="another word gives other people")
    options.add_argument(
        "--today", type=date.fromisoformat, default=TODAY, help="the day that dates count from"
    )
    chosen = options.parse_args()
    write_province(chosen.into / "province", chosen.seed, chosen.today)
    write_england(chosen.into / "england", chosen.seed, chosen.today)


if __name__ == "__main__":
    main()
