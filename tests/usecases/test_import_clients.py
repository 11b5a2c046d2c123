"""A register comes in: whatever the mess, all of it or nothing, and the second time nothing."""

import csv
import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from gateway.domain.errors import Refused
from gateway.store import clients, consents, erasure, staff
from gateway.store.base import Actor, unit_of_work
from gateway.usecases import change_consent, import_clients, run_imports, tables
from gateway.usecases.import_clients import Counts
from gateway.usecases.sheets import BadRows
from gateway.usecases.tables import BadRow, Options, Table
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World
from tests.servers import Database

HEADINGS = "Mã khách hàng,Họ và tên,Số điện thoại,Ngôn ngữ,Giờ được nhắn,Mức kín đáo,Mã xã,Nhóm,Trạng thái,Từ chối nhận tin,Đồng ý nhận tin,Căn cứ đồng ý"
SIGNED = "nhắc hẹn,phiếu ký"
TABLES = ("clients", "phones", "client_words", "consents", "consent_history", "keys", "stops", "outbound")


@dataclass
class Register:
    """A world, and a file that is imported into it."""

    world: World
    actor: Actor
    path: Path
    told: list[tuple[int, str, str]] = field(default_factory=list)

    def write(self, *rows: str, headings: str = HEADINGS, encoding: str = "utf-8-sig", end: str = "\n") -> "Register":
        """Write the file."""
        self.path.write_bytes(end.join((headings, *rows, "")).encode(encoding))
        return self

    def run(self, **options: Any) -> Counts:
        """Import it."""
        self.told.clear()
        return self.take_over(lambda line, what, reason, cells: self.told.append((line, what, reason)), **options)

    def take_over(self, bad: BadRow, dry_run: bool = False, **options: Any) -> Counts:
        """Import it, and tell `bad` of rows."""
        table = Table(self.path, Options(**options), bad)
        counts = run_imports.run(self.world.engine, self.world.vault, CONTENT, self.actor, "clients", table, dry_run=dry_run)
        assert isinstance(counts, Counts)
        return counts

    def read(self, code: str) -> clients.Record:
        """A client as staff see them."""
        with unit_of_work(self.world.engine, self.actor) as work:
            return clients.read(work, self.world.vault, clients.by_code(work, code).id)

    def consents(self, code: str) -> dict[str, tuple[bool, str]]:
        """What a client agreed to."""
        with unit_of_work(self.world.engine, self.actor) as work:
            return {each.purpose: (each.granted, each.basis) for each in consents.current(work, clients.by_code(work, code).id)}

    def stopped(self, phone: str) -> bool:
        """Whether a phone wants no texts."""
        with unit_of_work(self.world.engine) as work:
            return bool(consents.stopped(work, [self.world.vault.hash_phone(phone)]))

    def contents(self) -> dict[str, list[Any]]:
        """All that an import might write, with the version of each row."""
        return {table: self.world.rows(f"SELECT xmin::text, ctid::text, t.* FROM {table} t ORDER BY ctid") for table in TABLES}


@pytest.fixture
def register(engine: Engine, vault: Vault, now, tmp_path: Path) -> Register:
    world = builders.world(engine, vault, now)
    builders.unit(engine, now, code="P01-1", parent_id=world.unit_id, name="xã Một")
    builders.unit(engine, now, code="P02", name="xã Khác")
    with unit_of_work(engine) as work:
        staff.add(work, vault, unit_id=world.unit_id, code="boss", name="B", role="administrator", language="vi")
        actor = staff.by_code(work, "boss").actor
    return Register(world, actor, tmp_path / "register.csv")


def test_a_row_becomes_a_client(register: Register) -> None:
    counts = register.write(f"K1,Nguyễn Thị Được,0912 000 123,vi,09:00-17:00,2,P01-1,việc làm,đang theo dõi,,{SIGNED}").run()
    assert (counts.new, counts.invalid, register.told) == (1, 0, [])
    record = register.read("K1")
    assert (record.name, [n.e164 for n in record.phones]) == ("Nguyễn Thị Được", ["+84912000123"])
    assert (record.found.unit_code, record.found.discreet, record.found.groups) == ("P01-1", 2, ["việc làm"])
    assert record.hours is not None and record.hours.opens.hour == 9
    assert register.consents("K1") == {"reminder": (True, "signed")}
    with unit_of_work(register.world.engine, register.actor) as work:
        assert [found.code for found in clients.search(work, register.world.vault, "duoc 0123")] == ["K1"]


def test_the_mess_is_counted_and_every_bad_row_has_its_line_and_reason(register: Register) -> None:
    counts = register.write(
        "K1,Lò Văn Một,0912000001,,,,,,,,,",
        "K2,Lò Văn Hai,01212000002,,,,,,,,,",
        "K3,Lò Văn Ba,912000003,,,,,,,,,",
        "K4,Lò Văn Bốn,02093000004,,,,,,,,,",
        "K5,,0912000005,,,,,,,,,",
        "",
        "K1,Lò Văn Một,0912000001,,,,,,,,,",
        "K1,Người Khác,0912000009,,,,,,,,,",
        "K6,Lò Văn Sáu,115,,,,,,,,,",
        "K7,Lò Văn Bảy,0912000007 / 02093000004,,,,,,,,,",
        "K8,Lò Văn Tám,0912000008,,,,P02,,,,,",
        'K9,"Lò Văn Chín,0912000009,,,,,,,,,',
        "K10,Lò Văn Mười,0912000010,,,,,,,x,,",
    ).run()
    assert (counts.new, counts.updated, counts.duplicate, counts.invalid, counts.opted_out) == (5, 0, 2, 5, 1)
    assert counts.to_verify == 2
    reasons = {line: f"{what}: {reason}" for line, what, reason in register.told}
    assert reasons.keys() == {5, 6, 8, 9, 10, 11, 12, 13}
    assert "fixed line" in reasons[5] and "name: missing" in reasons[6] and "unit: not among yours" in reasons[12]
    assert reasons[8] == "duplicate: the same as line 2" and "same code" in reasons[9]
    assert reasons[11].startswith("taken: phone") and "quotation mark" in reasons[13]
    assert register.stopped("+84912000010") and not register.stopped("+84912000001")
    assert [n.to_verify is not None for n in register.read("K2").phones] == [True]


def test_with_another_number_what_is_planned_goes_there(register: Register) -> None:
    register.write(f"K1,Lò Văn Một,0912000001,,,,,,,,{SIGNED}").run()
    client = register.read("K1").found.id
    planned = register.world.planned(client)
    register.write(f"K1,Lò Văn Một,0912000777,,,,,,,,{SIGNED}").run()
    assert register.world.state(planned) == "planned"
    to = bytes(register.world.value("SELECT to_hash FROM outbound WHERE id = :id", id=planned))
    assert to == register.world.vault.hash_phone("+84912000777")


def test_a_second_import_of_the_same_file_writes_nothing(register: Register) -> None:
    register.write(f"K1,Một,0912000001,,,,,,,,{SIGNED}", "K2,Hai,0912000002,,,,,,,x,,", "K3,Ba,01212000003,,,,,,,,,").run()
    before = register.contents()
    counts = register.run()
    assert (counts.new, counts.updated, counts.unchanged, counts.opted_out) == (0, 0, 3, 1)
    assert register.contents() == before


def test_a_changed_row_changes_what_it_says_and_leaves_the_rest(register: Register) -> None:
    register.write(f"K1,Một,0912000001,vi,09:00-17:00,2,P01-1,a,tạm dừng,,{SIGNED}").run()
    counts = register.write("K1,Một Mới,0912000001,,,,,,,,,").run()
    assert (counts.new, counts.updated) == (0, 1)
    record = register.read("K1")
    assert (record.name, record.found.discreet, record.found.unit_code, record.found.status) == ("Một Mới", 2, "P01-1", "paused")
    assert record.hours is not None and register.consents("K1") == {"reminder": (True, "signed")}
    with unit_of_work(register.world.engine) as work:
        assert [found.code for found in clients.search(work, register.world.vault, "moi")] == ["K1"]


def test_people_are_known_by_their_code_never_by_their_phone(register: Register) -> None:
    counts = register.write("K1,Một,0912000001,,,,,,,,,", "K2,Hai,0912000001,,,,,,,,,").run()
    assert counts.new == 2
    assert register.read("K2").phones == register.read("K1").phones


def test_a_register_moves_a_client_with_their_key(register: Register) -> None:
    register.write("K1,Một,0912000001,,,,P01,,,,,").run()
    assert register.write("K1,Một,0912000001,,,,xã Một,,,,,").run().updated == 1
    units = register.world.rows("""SELECT c.unit_id AS a, k.unit_id AS b, p.unit_id AS c FROM clients c
                                   JOIN keys k ON k.id = c.key_id JOIN phones p ON p.client_id = c.id""")[0]
    assert len(set(units)) == 1 and register.read("K1").found.unit_code == "P01-1"


def test_a_code_of_another_unit_is_refused_and_tells_nothing(register: Register) -> None:
    other = register.world.value("SELECT id FROM units WHERE code = 'P02'")
    theirs = register.world.client(unit_id=other)
    code = register.world.value("SELECT code FROM clients WHERE id = :id", id=theirs)
    counts = register.write(f"{code},Một,0912000001,,,,,,,,{SIGNED}", "K2,Hai,0912000002,,,,,,,,,").run()
    assert (counts.new, counts.invalid) == (1, 1)
    assert register.told == [(2, "refused", "code: in use already (perhaps in another unit)")]
    assert register.world.value("SELECT count(*) FROM clients") == 2


def test_consent_comes_from_an_option_where_the_row_is_silent(register: Register) -> None:
    register.write(f"K1,Một,0912000001,,,,,,,,{SIGNED}", "K2,Hai,0912000002,,,,,,,,không,")
    register.run(consents={"reminder": "care plan", "check_in": "care plan"})
    assert register.consents("K1") == {"reminder": (True, "signed"), "check_in": (True, "care plan")}
    assert not any(granted for granted, _ in register.consents("K2").values())


def test_without_any_basis_a_client_is_kept_with_no_consent(register: Register) -> None:
    assert register.write("K1,Một,0912000001,,,,,,,,nhắc hẹn,").run().new == 1
    assert register.consents("K1") == {}
    assert "without a basis" in register.told[0][2]


def test_a_register_does_not_undo_a_revocation(register: Register) -> None:
    register.write(f"K1,Một,0912000001,,,,,,,,{SIGNED}").run()
    with unit_of_work(register.world.engine) as work:
        change_consent.change(work, register.world.vault, clients.by_code(work, "K1"), "reminder", False, "said so")
    register.write(f"K1,Một Mới,0912000001,,,,,,,,{SIGNED}").run()
    assert register.consents("K1") == {"reminder": (False, "said so")}


def test_an_opt_out_stops_the_phone_and_cancels_what_is_planned_for_all_on_it(register: Register) -> None:
    other = register.world.client("+84912000001")
    planned = register.world.planned(other)
    register.write("K1,Một,0912000001,,,,,,,x,,").run()
    assert register.world.state(planned) == "cancelled"
    assert register.world.value("SELECT count(*) FROM consent_history WHERE purpose = 'all'") == 2


def test_an_opt_out_counts_even_in_a_row_that_is_refused_or_doubled(register: Register) -> None:
    register.write("K1,Một,0912000001,,,,,,,,,", "K2,Hai,0912000002,,,,,,,,,").run()
    register.write("K1,,,,,,,,,x,,", "K2,Hai,0912000002,,,,,,,,,", "K2,Hai,0912000002,,,,,,,x,,",
                   "K3,,,,,,,,,x,,", *("" for _ in range(tables.AT_ONCE)), "K3,Ba,0912000003,,,,,,,,,").run()  # fmt: skip
    assert all(register.stopped(f"+8491200000{n}") for n in (1, 2, 3))


def test_whoever_started_again_is_not_stopped_by_the_same_file(register: Register) -> None:
    register.write("K1,Một,0912000001,,,,,,,x,,").run()
    with unit_of_work(register.world.engine) as work:
        consents.start_phone(work, register.world.vault.hash_phone("+84912000001"), "inbound")
    register.run()
    assert not register.stopped("+84912000001")


def test_an_erased_person_is_not_brought_back(register: Register) -> None:
    register.write("K1,Một,0912000001,,,,,,,,,").run()
    with unit_of_work(register.world.engine) as work:
        erasure.erase(work, register.world.vault, clients.by_code(work, "K1").id, None)
    hidden = register.world.value("SELECT code FROM clients")
    counts = register.write("K1,Một,0912000001,,,,,,,,,", f"{hidden},Một,0912000001,,,,,,,,,").run()
    assert (counts.new, counts.updated, counts.invalid) == (0, 0, 2) and all("erased" in reason for _, _, reason in register.told)


def test_a_verified_number_stays_verified(register: Register) -> None:
    register.write("K1,Một,01212000001,,,,,,,,,").run()
    register.world.run("UPDATE phones SET to_verify = NULL")
    register.write("K1,Một,01212000001 / 0912000002,,,,,,,,,").run()
    assert [n.to_verify for n in register.read("K1").phones] == [None, None]


def test_a_dry_run_counts_the_same_and_changes_nothing(register: Register) -> None:
    register.write("K1,Một,0912000001,,,,,,,x,,", "K2,,,,,,,,,,,")
    before = register.contents()
    dry = register.run(dry_run=True)
    assert register.contents() == before and register.world.value("SELECT count(*) FROM audit") == 0
    assert register.run() == dry


@pytest.mark.parametrize(("encoding", "end"), [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-16", "\r\n"), ("utf-16-le", "\n")])
def test_encodings_that_spreadsheets_write(register: Register, encoding: str, end: str) -> None:
    register.write("K1,Nguyễn Thị Được,0912000001,,,,,,,,,", encoding=encoding, end=end).run()
    assert register.read("K1").name == "Nguyễn Thị Được"


def test_the_old_code_page_of_windows(register: Register) -> None:
    register.path.write_bytes("code,name,phone\nK1,Tr\u00e2\u0300n V\u0103n \u0110o\u0323,0912000001\n".encode("cp1258"))
    register.run()
    assert register.read("K1").name == "Trần Văn Đọ"


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_separators(register: Register, delimiter: str) -> None:
    register.write(f'K1{delimiter}"Một{delimiter}Hai"{delimiter}0912000001', headings=delimiter.join(("code", "name", "phone"))).run()
    assert register.read("K1").name.startswith("Một")


def test_a_cell_with_line_breaks_is_one_row(register: Register) -> None:
    register.write('K1,"Nguyễn\nVăn Một","0912000001\n0912000002"', "K2,,", headings="code,name,phone").run()
    assert (register.read("K1").name, len(register.read("K1").phones)) == ("Nguyễn Văn Một", 2)
    assert register.told[0][0] == 5


@pytest.mark.parametrize(("content", "says"), [
    (b"", "no headings"), (b"\n\n", "no headings"), (b"code,name\n", "phone"), (b"PK\x03\x04junk", "workbook"),
    (b"\0\1\2\3" * 2000, "none is named"), ("code,name,phone\nK1,Được Ước,\n".encode() + b"\xff\n", "not UTF-8"),
    (b"a" * 200_000, "longer than"), (b"code,name,phone,phone,code\n", "both named"),
])  # fmt: skip
def test_a_file_that_is_no_register_is_refused_whole(register: Register, content: bytes, says: str) -> None:
    register.path.write_bytes(content)
    with pytest.raises(Refused, match=says):
        register.run()


def test_hostile_cells_are_kept_or_refused_but_break_nothing(register: Register) -> None:
    nasty = ["=cmd|'/c calc'!A1", "'; DROP TABLE clients; --", "\x00\x1b[2J", "\u202eevil", "😀" * 200, "\\copy", "\\N", "\\."]
    rows = [f'K{n},"{cell}",0912{n:06}' for n, cell in enumerate(nasty)]
    counts = register.write(*rows, headings="code,name,phone").run()
    assert counts.new + counts.invalid == len(nasty)
    assert register.read("K6").name == "\\N" and register.read("K7").name == "\\."


def test_the_file_of_bad_rows_is_closed_to_others_and_runs_no_formula(register: Register, tmp_path: Path) -> None:
    register.write("K1,=HYPERLINK(1),+84 209 3000 004", headings="code,name,phone")
    with BadRows(tmp_path / "bad.csv") as bad:
        register.take_over(bad.write)
    assert stat.S_IMODE(bad.path.stat().st_mode) == 0o600
    with bad.path.open(encoding="utf-8-sig", newline="") as file:
        line, what, reason, *cells = list(csv.reader(file))[1]
    assert (line, what, cells[1], cells[2]) == ("2", "refused", "'=HYPERLINK(1)", "'+84 209 3000 004") and "fixed line" in reason


def test_no_file_of_bad_rows_when_there_are_none(register: Register, tmp_path: Path) -> None:
    with BadRows(tmp_path / "bad.csv") as bad:
        register.write("K1,Một,0912000001", headings="code,name,phone").run()
    assert not bad.path.exists()


SLOWLY = """
import sys, time
from pathlib import Path
from uuid import UUID
from gateway import content
from gateway.store import base
from gateway.usecases import run_imports
from gateway.usecases.tables import Options, Table
from gateway.vault import Vault, parse_keys
url, master, index, path, staff_id, unit_id = sys.argv[1:]
def progress(done, size):
    print("staged", flush=True)
    time.sleep(0.2)
run_imports.run(base.connect(url), Vault(parse_keys(master), parse_keys(index)), content.load(), base.Actor(UUID(staff_id), UUID(unit_id), "administrator"),
                "clients", Table(Path(path), Options(), lambda *row: None, progress))
"""


def test_an_import_that_is_killed_leaves_nothing(register: Register, database: Database, keys: dict[str, str]) -> None:
    register.write(*(f"K{n},Người {n},0912{n:06}" for n in range(5000)), headings="code,name,phone")
    before = register.contents()
    arguments = [database.url, *keys.values(), str(register.path), str(register.actor.staff_id), str(register.actor.unit_id)]
    process = subprocess.Popen([sys.executable, "-c", SLOWLY, *arguments], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": "."})
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    while register.world.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'") > 1:
        time.sleep(0.02)
    assert register.contents() == before
    assert register.run().new == 5000


def test_two_imports_at_once_wait_for_each_other(register: Register) -> None:
    register.write("K1,Một,0912000001", headings="code,name,phone")
    with unit_of_work(register.world.engine, register.actor) as work:
        import_clients.take_over(work, register.world.vault, Table(register.path, Options(), lambda *row: None), Counts())
        waiting = "SELECT pg_try_advisory_xact_lock(hashtextextended('gateway client import', 0))"
        assert register.world.value(waiting) is False
    assert register.run().unchanged == 1


def test_days_that_programmes_count_from_come_with_the_register(register: Register) -> None:
    headings = "Mã khách hàng,Họ và tên,Số điện thoại,Ngày ra viện,Rời trại"
    dates = {"Rời trại": "camp"}
    register.write("K1,An,0912000001,05/03/2026,1/2/2026", "K2,Ba,0912000002,5/13/2026,", "K3,Ca,0912000003,,", headings=headings)
    counts = register.run(dates=dates)
    kept = "SELECT string_agg(c.code || ' ' || d.name || ' ' || d.on_date, ', ' ORDER BY c.code, d.name) FROM client_dates d JOIN clients c ON c.id = d.client_id"
    assert (counts.new, register.world.value(kept)) == (3, "K1 camp 2026-02-01, K1 discharge 2026-03-05")
    assert [(line, what) for line, what, why in register.told if "date discharge: " in why] == [(3, "taken")]
    assert register.run(dates=dates).unchanged == 3

    register.write("K1,An,0912000001,,2/2/2026", "K2,Ba,0912000002,13/5/2026,", headings=headings)
    assert register.run(dates=dates).updated == 2
    assert register.world.value(kept) == "K1 camp 2026-02-02, K1 discharge 2026-03-05, K2 discharge 2026-05-13"
    assert register.run(dates=dates, dry_run=True).unchanged == 2
