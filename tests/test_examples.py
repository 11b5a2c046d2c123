"""The example registers: written again they are the same, and they hold what examples/README.md says."""

import csv
import subprocess
import sys
import tomllib
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from gateway import content
from gateway.domain import appointments, campaigns, phone, register, segments, service_rows, templates
from gateway.domain.register import Reading, Rejected

EXAMPLES = Path(__file__).parent.parent / "examples"
README = (EXAMPLES / "README.md").read_text(encoding="utf-8")


def lines(name: str) -> list[list[str]]:
    with (EXAMPLES / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def clients(service: str, region: str) -> list[register.Row | Rejected]:
    headings, *rows = lines(f"{service}/clients.csv")
    found = register.find_columns(headings)
    return [register.read(row, found, Reading(region)) for row in rows]


def visits(name: str) -> list[appointments.Visit | appointments.Rejected]:
    headings, *rows = lines(name)
    found = appointments.find_columns(headings)
    return [appointments.read(row, found, date(2026, 3, 2)) for row in rows]


def test_the_script_writes_the_same_bytes_again_and_the_readme_says_what_it_prints(tmp_path: Path) -> None:
    script = [sys.executable, str(EXAMPLES / "make_register.py"), "--into", str(tmp_path)]
    printed = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert printed in README
    for written in sorted(tmp_path.glob("*/*.csv")):
        assert written.read_bytes() == (EXAMPLES / written.relative_to(tmp_path)).read_bytes(), written.name
    by_hand = {"services.csv", "newcomers.csv"}
    assert len(list(tmp_path.glob("*/*.csv"))) == len([path for path in EXAMPLES.glob("*/*.csv") if path.name not in by_hand])


@pytest.mark.parametrize(("service", "rows"), [("province", 88), ("england", 18)])
def test_the_directories_can_be_taken_whole_and_serve_units_that_exist(service: str, rows: int) -> None:
    known = {unit[0] for unit in lines(f"{service}/units.csv")[1:]}
    headings, *services = lines(f"{service}/services.csv")
    found = service_rows.find_columns(headings)
    forbidden = tuple(word for language in content.load().languages.values() for word in language.forbidden)
    for line in services:
        row = service_rows.read(line, found, date(2026, 3, 2), forbidden)
        assert isinstance(row, service_rows.Row), (line[0], row)
        assert set(row.units) <= known
    assert len(services) == rows and f"`{service}/services.csv` ({rows})" in README


def test_the_directories_name_no_number_that_somebody_may_have() -> None:
    """Helplines that are known to be right, numbers kept for stories in Britain, and a range like the province's own."""
    for service in ("province", "england"):
        for line in lines(f"{service}/services.csv")[1:]:
            number = line[8].replace(" ", "")
            invented = number.startswith(("0590001", "01632960", "07700900"))
            assert number == "" or invented or number in {"111", "115", "999", "116123"}, number


def test_the_province_has_its_communes_and_clients() -> None:
    _, *units = lines("province/units.csv")
    codes = {unit[0] for unit in units}
    assert Counter(unit[2] for unit in units) == {"province": 1, "district": 21, "commune": 344}
    assert len(codes) == len(units)
    assert all(unit[1] in codes for unit in units if unit[2] != "province")
    headings, *rows = lines("province/clients.csv")
    assert {row[headings.index("Mã xã")].strip() for row in rows} <= codes
    assert len({row[0].strip() for row in rows}) == 3810


@pytest.mark.parametrize(("service", "region"), [("province", "VN"), ("england", "GB")])
def test_the_readme_counts_what_becomes_of_each_row(service: str, region: str) -> None:
    seen: dict[str, register.Row] = {}
    counts: Counter[str] = Counter()
    for row in clients(service, region):
        if isinstance(row, Rejected):
            counts["refused"] += 1
            continue
        counts["new" if row.code not in seen else "same" if seen[row.code] == row else "other"] += 1
        seen[row.code] = row
    if service == "england":
        assert f"{counts['new']} new, {counts['refused']} refused" in README
    else:
        for name, label in (("new", "new"), ("same", "the same again"), ("refused", "refused, with reasons")):
            assert f"| {label} | {counts[name]:,} |" in README
        assert f"| the same client with other data | {counts['other']} |" in README


def test_every_vietnamese_mobile_can_be_recognised_as_an_example() -> None:
    numbers = {
        each.e164 for row in clients("province", "VN") if not isinstance(row, Rejected) for each in row.phones
    }
    assert all(number[5:8] == "000" or number[6:9] == "000" for number in numbers)


def test_english_numbers_are_of_the_range_that_nobody_can_have() -> None:
    numbers = {
        each.e164 for row in clients("england", "GB") if not isinstance(row, Rejected) for each in row.phones
    }
    assert all(number.startswith("+447700900") for number in numbers)


@pytest.mark.parametrize(("service", "region"), [("province", "VN"), ("england", "GB")])
def test_the_appointments_are_clean_and_of_clients_who_are_taken(service: str, region: str) -> None:
    codes = {row.code for row in clients(service, region) if not isinstance(row, Rejected)}
    for visit in visits(f"{service}/appointments.csv"):
        assert isinstance(visit, appointments.Visit)
        assert visit.client in codes


def test_the_mixed_appointments_are_nine_in_ten_readable() -> None:
    refused = [
        visit
        for visit in visits("province/appointments_mixed.csv")
        if isinstance(visit, appointments.Rejected)
    ]
    assert len(refused) == 12
    assert all(visit.reasons for visit in refused)


@pytest.mark.parametrize("path", sorted((EXAMPLES / "campaigns").glob("*.toml")), ids=lambda path: path.stem)
def test_each_campaign_names_texts_units_and_values_that_exist(path: Path) -> None:
    spec = campaigns.read(tomllib.loads(path.read_text(encoding="utf-8")))
    units = {unit[0]: dict(zip(lines(f"{service}/units.csv")[0], unit, strict=True))
             for service in ("province", "england") for unit in lines(f"{service}/units.csv")[1:]}  # fmt: skip
    assert set(spec.audience.units) <= units.keys()
    library = content.load()
    for step in spec.steps:
        for language in library.languages:
            template = library.sendable[step.purpose, language]
            assert campaigns.text_faults(spec.kind, step.purpose, template.about) == []
            said = {name: words[language] for name, words in spec.values.items()}
            if spec.kind == "one_off":
                text = templates.render(template, said | {"phone": units[spec.audience.units[0]]["phone"]})
                assert segments.count(segments.cheapest(text, "saves")).segments <= 2


def test_the_numbers_to_call_back_can_be_dialled() -> None:
    assert phone.parse("0590001000", "VN").e164 == "+84590001000"
    assert phone.parse("07700900999", "GB").e164 == "+447700900999"
