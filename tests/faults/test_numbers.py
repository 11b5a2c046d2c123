"""Numbers as registers, staff and carriers write them: one number each, or refused with its reason; some never texted.

Case 35 of the fault table.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from gateway.cli import main
from gateway.vault import Vault
from tests import builders
from tests.builders import World
from tests.faults.processes import until
from tests.faults.stage import Stage

MOVED, ZERO = "old prefix", "leading 0"

TAKEN: list[tuple[str, str, str, str | None]] = [  # typed, region, the number, what was changed about it
    ("0120 123 4501", "VN", "+84701234501", MOVED), ("0121.123.4502", "VN", "+84791234502", MOVED), ("+84 168 123 4503", "VN", "+84381234503", MOVED),
    ("84199 123 4504", "VN", "+84591234504", MOVED), ("1681234505", "VN", "+84381234505", ZERO), ("84912345506", "VN", "+84912345506", None),
    ("0084912345507", "VN", "+84912345507", None), ("084 912 345 508", "VN", "+84912345508", None), ("0844666509", "VN", "+84844666509", None),
    ("844666510", "VN", "+84844666510", ZERO), ("912345511", "VN", "+84912345511", ZERO), ("912345512.0", "VN", "+84912345512", ZERO),
    ("０９１２３４５５１３", "VN", "+84912345513", None), ("＋８４ ９１２ ３４５ ５１４", "VN", "+84912345514", None), ("+84 (0)912 345 515", "VN", "+84912345515", None),
    ("+44 (0)7911 123516", "VN", "+447911123516", None), ("'+84912345517", "VN", "+84912345517", None), ("SĐT: 0912345518 (mẹ)", "VN", "+84912345518", None),
    ("07911 123519", "GB", "+447911123519", None), ("+44 (0)7911 123520", "GB", "+447911123520", None), ("7911123521", "GB", "+447911123521", ZERO),
    ("0044 7911 123522", "GB", "+447911123522", None), ("447911123523", "GB", "+447911123523", None), ("０７９１１１２３５２４", "GB", "+447911123524", None),
]  # fmt: skip
REFUSED: list[tuple[str, str, str]] = [  # typed, region, a word of the reason
    ("1900 1234", "VN", "premium"), ("+84 1900 561234", "VN", "premium"), ("115", "VN", "emergency"), ("113", "VN", "emergency"),
    ("+84115", "VN", "emergency"), ("8088", "VN", "short code"), ("0209 3000 004", "VN", "fixed line"), ("1800 1234", "VN", "free-phone"),
    ("không có", "VN", "no digits"), ("9.12E+08", "VN", "rounded"), ("0912 345", "VN", "No such number"), ("*101#", "VN", "code to dial"),
    ("0912345601 0912345602", "VN", "more than one"), ("09O2345678", "VN", "letters"), ("+999 912345678", "VN", "country code"),
    ("0909 879 0000", "GB", "premium"), ("999", "GB", "emergency"), ("112", "GB", "emergency"), ("118 118", "GB", "short code"),
    ("020 7946 0000", "GB", "fixed line"), ("0800 111 222", "GB", "free-phone"),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Office:
    """A unit in a country, and the command line of its administrator."""

    world: World
    environ: Mapping[str, str]
    region: str
    boss: str

    def try_(self, *arguments: object) -> Result:
        return CliRunner().invoke(main, [*map(str, arguments), "--as", self.boss], env=dict(self.environ))

    def phones(self) -> dict[str, list[tuple[str, str | None]]]:
        """Every client's numbers by their code, with what is to be verified about each."""
        rows = self.world.rows("SELECT c.code, p.id, p.phone_enc, p.to_verify, c.key_id, k.wrapped FROM phones p JOIN clients c ON c.id = p.client_id"
                               " JOIN keys k ON k.id = c.key_id ORDER BY p.rank")  # fmt: skip
        found: dict[str, list[tuple[str, str | None]]] = {}
        for row in rows:
            number = self.world.vault.open_key(row.wrapped, row.key_id).decrypt(row.phone_enc, "phones.phone", row.id)
            found.setdefault(row.code, []).append((number, row.to_verify))
        return found


@pytest.fixture(params=["VN", "GB"])
def office(request: pytest.FixtureRequest, engine: Engine, vault: Vault, environ: dict[str, str]) -> Office:
    now = datetime.now(UTC)
    unit_id = builders.unit(engine, now, region=request.param)
    world = World(engine, vault, unit_id, builders.channel(engine, vault, now, unit_id), now)
    boss = world.value("SELECT code FROM staff WHERE id = :id", id=world.staff("+84919992001", role="administrator"))
    return Office(world, environ, request.param, boss)


def fits(to_verify: str | None, changed: str | None) -> bool:
    return to_verify is None if changed is None else changed in (to_verify or "")


def test_an_import_takes_each_number_as_the_one_it_is_and_refuses_the_rest_with_their_reasons(office: Office, tmp_path: Path) -> None:
    good = [row for row in TAKEN if row[1] == office.region]
    bad = [row for row in REFUSED if row[1] == office.region and "more than one" not in row[2]]
    file, refused = tmp_path / "register.csv", tmp_path / "refused.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        lines = csv.writer(out)
        lines.writerow(["code", "name", "phone"])
        lines.writerows([f"K{n}", "Canary", typed] for n, (typed, *_) in enumerate([*good, *bad]))
    result = office.try_("client", "import", file, "--consent", "check_in:signed form", "--bad-rows", refused)
    assert result.exit_code == 0, result.output
    assert f"new {len(good)}, updated 0, unchanged 0, duplicate 0, invalid {len(bad)}" in result.output
    phones = office.phones()
    for n, (typed, _, number, changed) in enumerate(good):
        ((kept, to_verify),) = phones[f"K{n}"]
        assert kept == number, typed
        assert fits(to_verify, changed), typed
    with refused.open(encoding="utf-8-sig", newline="") as said:
        reasons = {code: reason for _, _, reason, code, *_ in csv.reader(said)}
    for n, (typed, _, reason) in enumerate(bad, len(good)):
        assert reason in reasons[f"K{n}"], typed


def test_commands_take_and_refuse_the_same_numbers_as_an_import(office: Office) -> None:
    for n, (typed, region, number, changed) in enumerate(TAKEN):
        if region == office.region:
            result = office.try_("client", "add", f"A{n}", "Canary", "--phone", typed)
            assert result.exit_code == 0, (typed, result.output)
            ((kept, to_verify),) = office.phones()[f"A{n}"]
            assert (kept, fits(to_verify, changed)) == (number, True), typed
    for typed, region, reason in REFUSED:
        if region == office.region:
            for command in (["client", "add", "B1", "Canary"], ["staff", "add", "B2", "Canary", "--unit", "P01", "--role", "case_worker"]):
                result = office.try_(*command, "--phone", typed)
                assert (result.exit_code, reason in result.output) == (2, True), (typed, command, result.output)
    assert office.world.value("SELECT count(*) FROM clients WHERE code LIKE 'B%'") == 0


def test_the_number_command_says_the_same() -> None:
    for region in ("VN", "GB"):
        asked = [row[0] for row in (*TAKEN, *REFUSED) if row[1] == region]
        result = CliRunner().invoke(main, ["number", "--region", region], input="\n".join(asked))
        answers = [json.loads(line) for line in result.output.splitlines()]
        expected = [row[2] for row in TAKEN if row[1] == region]
        assert [answer.get("phone") for answer in answers[: len(expected)]] == expected
        for answer, (typed, _, reason) in zip(answers[len(expected) :], [row for row in REFUSED if row[1] == region], strict=True):
            assert reason in answer["refused"], typed


def test_a_number_that_was_altered_is_texted_by_no_campaign_before_somebody_verified_it(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    old, plain = ("0168 123 4503", "0912 345 678") if office.region == "VN" else ("7911123521", "07911 123522")
    file.write_text(f"code,name,phone\nOLD,Canary,{old}\nNEW,Canary,{plain}\n", encoding="utf-8")
    assert office.try_("client", "import", file, "--consent", "check_in:signed form").exit_code == 0
    assert office.try_("campaign", "create", "--name", "canary", "--text", "check_in").exit_code == 0
    seen = office.try_("campaign", "preview", "canary").output
    assert "recipients now: 1" in seen and "1  number to be verified" in seen
    assert "OLD" in office.try_("client", "list", "--to-verify").output
    assert office.try_("client", "edit", "OLD", "--phone", office.phones()["OLD"][0][0]).exit_code == 0
    assert "recipients now: 2" in office.try_("campaign", "preview", "canary").output


# --- who texts us ---------------------------------------------------------------------------------------------------

NO_PERSON = ["115", "999", "+84115", "8088", "1900561234", "+841900561234", "+449098790000", "VIETTEL", "Ngân hàng", "19001234"]


def test_what_is_no_persons_phone_is_kept_for_staff_and_never_texted_back(stage: Stage) -> None:
    stage.world.staff("+84919992002")
    for sender in NO_PERSON:
        for words in ("HELP", "khuyen mai canary", "toi muon chet"):
            assert stage.say(sender, words)[1] == 200
    assert stage.world.value("SELECT count(*) FROM inbound WHERE channel_id = :c", c=stage.world.channel_id) == 3 * len(NO_PERSON)
    texted = stage.world.rows("SELECT DISTINCT purpose FROM outbound WHERE channel_id = :c AND inbound_id IS NOT NULL", c=stage.world.channel_id)
    assert texted == []
    until(lambda: len(stage.received("+84919992002")) == len(NO_PERSON), what="an alert for each")


def test_a_client_is_known_by_their_number_however_the_carrier_writes_it(stage: Stage) -> None:
    client = stage.world.client("+84912345901")
    for n, sender in enumerate(["+84912345901", "84912345901", "0912345901", "0084912345901"]):
        assert stage.say(sender, f"canary {n}")[1] == 200
    assert stage.world.value("SELECT count(*) FROM inbound WHERE client_id = :c", c=client) == 4


@pytest.mark.parametrize("sender", ["+842093000004", "+447911123999", "+12025550123", "+84999999999"])
def test_a_cry_for_help_from_any_phone_a_person_may_have_is_answered(stage: Stage, sender: str) -> None:
    stage.world.staff("+84919992003")
    stage.say(sender, "toi muon chet")
    until(lambda: stage.received(sender) and stage.received("+84919992003"), 15, "answer and alert")
