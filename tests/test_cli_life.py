"""A whole life by commands: units, staff, a client, an appointment, texts, a flag, and the end of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text

from gateway.channels.base import Inbound
from gateway.cli import doctor, main
from gateway.config import Settings
from gateway.queues import silent
from gateway.store import channels
from gateway.store.base import unit_of_work
from gateway.usecases import receive_message
from gateway.vault import Vault
from tests.builders import CONTENT

PHONE = "0912 000 123"
E164 = "+84912000123"


@dataclass(frozen=True, slots=True)
class Office:
    """A database, and the command line on it."""

    engine: Engine
    vault: Vault
    environ: Mapping[str, str]

    def try_(self, *arguments: object) -> Result:
        """Run a command."""
        return CliRunner().invoke(main, [str(each) for each in arguments], env=dict(self.environ))

    def do(self, *arguments: object) -> str:
        """Run a command that succeeds; what it said."""
        result = self.try_(*arguments)
        assert result.exit_code == 0, (arguments, result.output, result.exception)
        return result.output

    def refused(self, *arguments: object) -> str:
        """Run a command that is refused; why."""
        result = self.try_(*arguments)
        assert result.exit_code == 2, (arguments, result.output, result.exception)
        return result.output

    def value(self, sql: str, **values: Any) -> Any:
        """One value, as the system sees it."""
        with unit_of_work(self.engine) as work:
            return work.value(text(sql), **values)

    def receive(self, body: str) -> None:
        """The client texts."""
        with unit_of_work(self.engine) as work:
            channel = channels.list_all(work, self.vault)[0]
        message = Inbound(carrier_id=body, sender_phone=E164, to_phone="+84900000000", text=body)
        receive_message.receive(self.engine, self.vault, CONTENT, channel, message, silent)


@pytest.fixture
def office(engine: Engine, vault: Vault, environ: dict[str, str]) -> Office:
    office = Office(engine, vault, environ)
    office.do("unit", "add", "P", "Tỉnh Thử", "--kind", "province", "--hours", "08:00-20:00", "--detail", "helplines=115",
              "--detail", "phone=0238 555 0100", "--detail", "service=Ban tu van")  # fmt: skip
    office.do("staff", "add", "boss", "Trần A", "--unit", "P", "--role", "administrator", "--language", "en")
    for code in ("X1", "X2"):
        office.do("unit", "add", code, f"Xã {code}", "--kind", "commune", "--parent", "P", "--as", "boss", "--hours", "08:00-20:00",
                  "--detail", "phone=0238 555 0100", "--detail", "helplines=115")  # fmt: skip
    for code, unit, role in (("lan", "X1", "case_worker"), ("hoa", "X2", "case_worker"), ("an", "P", "analyst")):
        office.do("staff", "add", code, "Lê Thị " + code, "--unit", unit, "--role", role, "--language", "en", "--phone", "0912 000 900", "--as", "boss")
    with unit_of_work(engine) as work:
        top = work.value(text("SELECT id FROM units WHERE code = 'P'"))
        channels.add(work, vault, unit_id=top, name="sim", kind="simulator",
                     settings={"secret": "s", "sender": "+84900000000", "base_url": "http://127.0.0.1:9"})  # fmt: skip
    office.do("client", "add", "K1", "Nguyễn Thị Được", "--phone", PHONE, "--consent", "reminder:signed form", "--as", "lan")
    return office


def _soon(days: int, clock: str = "09:30") -> str:
    return f"{(datetime.now(UTC) + timedelta(days=days)).date()} {clock}"


def _id(output: str) -> str:
    found = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", output)
    assert found is not None
    return found[0]


def test_a_whole_life(office: Office) -> None:
    office.do("staff", "duty", "lan", "on", "--as", "lan")
    booked = _id(office.do("appointment", "book", "K1", _soon(5), "--worker", "lan", "--as", "lan"))
    assert _soon(6) in office.do("appointment", "move", booked, _soon(6), "--tell", "--as", "lan")
    assert "K1" in office.do("appointment", "list", "--as", "lan")
    office.do("message", "send", "K1", "Hẹn gặp bạn nhé", "--as", "lan")
    office.receive("toi muon chet")
    assert "crisis" in office.do("inbox", "--as", "lan") and "toi muon chet" in office.do("inbox", "--as", "lan")
    number = re.search(r"^(\d+) +urgent", office.do("flag", "list", "--as", "lan"), re.MULTILINE)[1]
    assert "toi muon chet" in office.do("flag", "show", number, "--as", "lan")
    office.do("flag", "take", number, "--as", "lan")
    assert "no outcome" in office.refused("flag", "close", number, "--outcome", "fine", "--as", "lan")
    office.do("flag", "close", number, "--outcome", "client_safe", "--as", "lan")
    assert "2 planned" in office.do("client", "stop", "K1", "--as", "lan")
    assert "wants no texts" in office.refused("message", "send", "K1", "Chào bạn", "--as", "lan")
    office.do("client", "start", "K1", "--basis", "signed form", "--as", "lan")
    office.do("client", "pause", "K1", "--reason", "in hospital", "--as", "lan")
    office.do("client", "resume", "K1", "--as", "lan")
    office.do("appointment", "cancel", booked, "--as", "lan")
    office.do("client", "close", "K1", "--reason", "moved away", "--as", "lan")
    shown = office.do("client", "show", "K1", "--as", "lan")
    assert "closed (moved away)" in shown and "Nguyễn Thị Được" in shown and "912000123" not in shown


def test_every_deed_is_in_the_audit_trail_without_a_name_or_number(office: Office) -> None:
    office.do("client", "show", "K1", "--as", "lan")
    assert E164 in office.do("client", "show", "K1", "--reveal", "to call back", "--as", "lan")
    office.do("client", "search", "duoc", "--as", "lan")
    office.do("client", "stop", "K1", "--as", "lan")
    with unit_of_work(office.engine) as work:
        rows = work.all(text("SELECT action, detail::text, s.code FROM audit LEFT JOIN staff s ON s.id = staff_id ORDER BY audit.id"))
    deeds = [row.action for row in rows if row.code == "lan"]
    assert deeds == ["client.add", "client.consent", "client.show", "client.reveal", "client.search", "client.stop"]
    dumped = " ".join(str(row) for row in rows)
    assert "912000123" not in dumped and "Được" not in dumped and "to call back" not in dumped
    told = office.do("audit", "list", "--client", "K1", "--reveal", "who called?", "--as", "boss")
    assert "reason: to call back" in told and "reminder: - -> [true, \"signed form\"]" in told


def test_a_colleague_of_another_unit_finds_nothing(office: Office) -> None:
    booked = _id(office.do("appointment", "book", "K1", _soon(5), "--as", "lan"))
    for command in (("client", "show", "K1"), ("client", "stop", "K1"), ("message", "send", "K1", "x"),
                    ("appointment", "book", "K1", _soon(5)), ("appointment", "cancel", booked)):  # fmt: skip
        assert "units" in office.refused(*command, "--as", "hoa")
    assert "K1" not in office.do("client", "list", "--as", "hoa")
    assert "K1" in office.do("client", "list", "--as", "boss")
    assert "already" in office.refused("client", "add", "K1", "Ai", "--phone", PHONE, "--as", "hoa")


@pytest.mark.parametrize("command", ["client list", "client show K1", "inbox", "flag list", "message list", "appointment list",
                                     "client search x", "message send K1 x", "clinic-day cancel lan 2030-01-01"])  # fmt: skip
def test_an_analyst_sees_no_persons(office: Office, command: str) -> None:
    assert "analyst" in office.refused(*command.split(), "--as", "an")


def test_an_unknown_or_inactive_staff_member_is_refused(office: Office) -> None:
    assert "no staff member" in office.refused("client", "list", "--as", "nobody")
    office.do("staff", "deactivate", "lan", "--as", "boss")
    assert "no longer active" in office.refused("client", "list", "--as", "lan")
    assert "--as" in office.refused("staff", "add", "x", "X", "--unit", "P", "--role", "administrator")


@pytest.mark.parametrize(("command", "says"), [
    ("client add K2 Ai --phone 115 --as lan", "emergency"),
    ("client add K2 Ai --as lan", "--phone is missing"),
    ("client add K2 Ai --phone 0912000124 --consent reminder --as lan", "PURPOSE:BASIS"),
    ("client edit K1 --as lan", "nothing to change"),
    ("client edit K1 --hours 25-26 --as lan", "hours"),
    ("client edit K1 --zone Mars --as lan", "time zone"),
    ("client edit K1 --language klingon --as lan", "language"),
    ("client move K1 --unit X2 --as lan", "not among|no unit"),
    ("appointment book K1 31/2/2030 --as lan", "cannot be read"),
    ("appointment book K1 2020-01-01T09:00 --as lan", "passed"),
    ("appointment cancel nonsense --as lan", "UUID|uuid"),
    ("unit add X1 Xã --kind commune --parent P --as boss", "already"),
    ("unit add X3 Xã --kind commune --as lan", "may not"),
    ("unit add X3 Xã --kind commune --as boss", "--parent"),
    ("staff duty hoa on --as lan", "no staff member"),
    ("flag close 99 --outcome no_action --as lan", "no flag"),
    ("client import nowhere.csv --as lan", "does not exist"),
    ("message show 00000000-0000-0000-0000-000000000000 --as lan", "no such message"),
])  # fmt: skip
def test_bad_input_is_said_clearly_and_loses_nothing(office: Office, command: str, says: str) -> None:
    before = office.value("SELECT count(*) FROM audit")
    assert re.search(says, office.refused(*command.split()))
    assert office.value("SELECT count(*) FROM audit") == before


def test_an_edit_changes_what_is_given(office: Office) -> None:
    office.do("client", "edit", "K1", "--name", "Lò Văn Mai", "--discreet", "2", "--hours", "09:00-11:00", "--group", "a",
              "--field", "nhà=ven sông", "--worker", "lan", "--as", "lan")  # fmt: skip
    office.do("client", "edit", "K1", "--field", "xe=không", "--as", "lan")
    shown = office.do("client", "show", "K1", "--as", "lan")
    for said in ("Lò Văn Mai", "discreet level 2", "09:00-11:00", "groups a", "nhà: ven sông", "xe: không"):
        assert said in shown
    assert "K1" in office.do("client", "search", "mai", "--as", "lan")


def test_consent_is_written_purpose_by_purpose(office: Office) -> None:
    office.do("client", "consent", "K1", "check_in", "--grant", "said on the phone", "--as", "lan")
    office.do("client", "consent", "K1", "reminder", "--revoke", "said so", "--as", "lan")
    shown = office.do("client", "show", "K1", "--as", "lan")
    assert "consent check-in: yes (said on the phone)" in shown and "consent reminder: NO (said so)" in shown
    assert "no consent for reminder" in office.refused("message", "send", "K1", "Chào bạn", "--as", "lan")


def test_a_worker_of_the_province_moves_a_client(office: Office) -> None:
    office.do("client", "move", "K1", "--unit", "X2", "--as", "boss")
    assert "K1" in office.do("client", "list", "--as", "hoa") and "K1" not in office.do("client", "list", "--as", "lan")


def test_an_erased_client_is_gone(office: Office) -> None:
    assert "may not" in office.refused("client", "erase", "K1", "--yes", "--as", "lan")
    office.do("client", "erase", "K1", "--yes", "--as", "boss")
    assert "no client" in office.refused("client", "show", "K1", "--as", "lan")
    assert office.value("SELECT count(*) FROM phones") == 0 and office.value("SELECT count(*) FROM stops") == 1


def test_a_day_of_a_worker_is_cancelled_and_everyone_told(office: Office) -> None:
    office.do("appointment", "book", "K1", _soon(5), "--worker", "lan", "--as", "lan")
    day = _soon(5).split()[0]
    assert "K1" in office.do("clinic-day", "cancel", "lan", day, "--dry-run", "--as", "lan")
    assert "by text" in office.do("clinic-day", "cancel", "lan", day, "--as", "lan")
    assert "no booked appointments" in office.do("clinic-day", "cancel", "lan", day, "--as", "lan")
    assert office.value("SELECT count(*) FROM outbound WHERE purpose = 'appointment_cancelled' AND state = 'planned'") == 1


def test_a_register_and_its_appointments_come_in_by_command(office: Office, tmp_path: Path) -> None:
    register, visits = tmp_path / "register.csv", tmp_path / "visits.csv"
    register.write_text("code,name,phone\nK2,Mot,0912000002\nK3,Hai,115\n", encoding="utf-8")
    said = office.do("client", "import", register, "--consent", "reminder:signed form", "--dry-run", "--as", "lan")
    assert "nothing was changed" in said and "new 1" in said
    assert "invalid 1" in office.do("client", "import", register, "--consent", "reminder:signed form", "--as", "lan")
    assert "emergency" in (tmp_path / "register.bad.csv").read_text(encoding="utf-8-sig")
    assert "unchanged 1" in office.do("client", "import", register, "--consent", "reminder:signed form", "--as", "lan")
    visits.write_text("appointment id,client code,date,time\nA1,K2,1/12/2030,9h30\n", encoding="utf-8")
    assert "new 1" in office.do("appointment", "import", visits, "--as", "lan")
    assert "PURPOSE:BASIS" in office.refused("client", "import", register, "--consent", "reminder", "--as", "lan")


def test_what_became_of_a_message_can_be_seen(office: Office) -> None:
    office.do("message", "send", "K1", "Mai gặp nhé", "--as", "lan")
    listed = office.do("message", "list", "--client", "K1", "--as", "lan")
    assert "manual" in listed and "Mai gặp" not in listed
    assert "Mai gặp nhé" in office.do("message", "show", _id(listed), "--as", "lan")


def test_the_details_of_a_unit_can_be_changed(office: Office) -> None:
    office.do("unit", "edit", "X1", "--hours", "always", "--detail", "service.vi=Ban A", "--detail", "phone=", "--as", "boss")
    listed = office.do("unit", "list", "--as", "lan")
    assert "always" in listed and "service" in listed and "X2" not in listed


def test_a_misread_text_is_marked_and_listed_without_whose_it_is(office: Office) -> None:
    office.receive("em la Được, so 0912 345 678, dung nhan nua nha")
    text_id = office.do("inbox", "--as", "lan").split()[0]
    office.do("misread", "mark", text_id, "wrong_number", "--as", "lan")
    assert "-> wrong_number" in office.do("misread", "list", "--as", "lan")
    line = json.loads(office.do("misread", "list", "--anonymous", "--as", "lan"))
    assert line["text"] == "em la …, so …, dung nhan nua nha"
    assert (line["language"], line["meant"]) == ("vi", "wrong_number")
    assert office.value("SELECT count(*) FROM audit WHERE action IN ('misread.mark', 'misread.list')") == 3


def test_another_units_text_cannot_be_marked_as_misread(office: Office) -> None:
    office.receive("toi muon chet")
    text_id = office.do("inbox", "--as", "lan").split()[0]
    assert "no such text" in office.refused("misread", "mark", text_id, "other", "--as", "hoa")
    assert "no id" in office.refused("misread", "mark", "K1", "other", "--as", "lan")
    assert "Nothing is marked" in office.do("misread", "list", "--as", "hoa")


def test_a_client_may_ask_for_fewer_texts(office: Office) -> None:
    office.do("client", "edit", "K1", "--texts-a-day", 1, "--texts-a-week", 3, "--as", "lan")
    assert "at most 1 texts a day, 3 a week" in office.do("client", "show", "K1", "--as", "lan")
    office.do("client", "edit", "K1", "--texts-a-day", 0, "--texts-a-week", 0, "--as", "lan")
    assert "texts a day" not in office.do("client", "show", "K1", "--as", "lan")
    assert "4" in office.try_("client", "edit", "K1", "--texts-a-day", 4, "--as", "lan").output


def test_a_zone_that_is_known_no_more_is_said_and_the_units_holds(office: Office) -> None:
    with unit_of_work(office.engine) as work:
        work.execute(text("UPDATE clients SET time_zone = 'Mars/Olympus'"))
    assert "NOTE: the time zone is not known; the unit's is used" in office.do("client", "show", "K1", "--as", "lan")
    assert "clients have time zones that are not known (Mars/Olympus)" in next(each.what for each in doctor._zones(Settings.from_env(office.environ)))
