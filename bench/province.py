"""A large database for measuring pages and reports: a province of communes, two years of texts, all of it as the program keeps it.

Ciphertext is real, under each client's own key, so pages can be opened. Rows go in by COPY, past policies and foreign keys, in two
processes, with the indexes of the large tables made afterwards. `python -m bench.province` makes one, says what it took, and times the reports.
"""

import argparse
import multiprocessing
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg

from bench import ground, province_work
from bench.ground import Ground
from gateway import embedded
from gateway.domain.reports import REPORTS, period_of
from gateway.store import channels, clients, staff, units
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import count_campaigns, count_reports, read_report, seal_audit
from gateway.vault import DataKey, Vault

DAYS, DISTRICTS, COMMUNES = 730, 21, 344
IN_OF = (8, 50)  # of so many texts, so many come in
PROCESSES = 2
STATES = ("delivered",) * 80 + ("sent",) * 8 + ("failed",) * 5 + ("expired",) * 2 + ("suppressed",) * 3 + ("cancelled",) * 2
BODIES = {"vi": "Nhac ban: co lich hen luc 8:00 Thu Sau ngay 11/12. Tra loi 1: se den, 2: doi lich.", "en": "Reminder: you have an appointment on Friday at 8:00. Reply 1: yes.",
          "fr": "Rappel : rendez-vous vendredi a 8:00. Repondez 1 : oui."}  # fmt: skip
ANSWERS = ("1", "2", "da", "cam on", "goi lai cho toi")
GROUPS = {0: "{sugar}", 1: "{lungs}", 2: "{sugar,mind}", 3: "{mind}"}  # of every ten people
LARGE = ("outbound", "inbound", "attempts", "occurrences")
OUTBOUND = ("id, unit_id, client_id, key_id, channel_id, campaign_id, occurrence_id, purpose, consent_purpose, language, lane, expects, answered_at, semantics, "
            "send_after, send_before, to_enc, to_hash, body_enc, body_hash, encoding, segments, state, reason, attempt_id, attempts, carrier_id, redacted_at, created_at, "
            "state_at")  # fmt: skip
INBOUND = "id, unit_id, channel_id, client_id, key_id, carrier_id, from_enc, from_hash, body_enc, body_hash, received_at, handled_at, meaning"


@dataclass(frozen=True, slots=True)
class Person:
    """A client, with what their texts need."""

    id: UUID
    unit_id: UUID
    key_id: UUID
    key: DataKey
    phone: str
    phone_hash: bytes
    language: str


@dataclass(frozen=True, slots=True)
class Tree:
    """A province of communes with the simulator's channel; `workers` by commune."""

    top: UUID
    communes: list[UUID]
    workers: dict[UUID, UUID]
    channel: UUID


def tree(here: Ground) -> Tree:
    """Units and staff: `boss` and `lead` of all, `analyst`, `worker` of the first commune, and one in each other."""
    about = {"time_zone": "Asia/Ho_Chi_Minh", "language": "vi", "region": "VN"}
    with unit_of_work(here.engine, SYSTEM) as work:
        top = units.add(work, kind="province", code="SV", name="Tỉnh Thử", details={"phone": "0238 555 0100", "helplines": "115"}, **about)
        districts = [units.add(work, kind="district", code=f"SV-{n:02d}", name=f"Huyện {n}", parent_id=top, **about) for n in range(DISTRICTS)]
        communes = [units.add(work, kind="commune", code=f"SV-{n % DISTRICTS:02d}-{n:03d}", name=f"Xã {n}", parent_id=districts[n % DISTRICTS], **about)
                    for n in range(COMMUNES)]  # fmt: skip

        def member(code: str, role: str, home: UUID) -> UUID:
            return staff.add(work, here.vault, unit_id=home, code=code, name="Bench", role=role, language="vi")

        for code, role in (("boss", "administrator"), ("lead", "supervisor"), ("analyst", "analyst")):
            member(code, role, top)
        workers = {home: member(f"worker-{n}" if n else "worker", "case_worker", home) for n, home in enumerate(communes)}
        channel = channels.add(work, here.vault, unit_id=top, name="sim", kind="simulator", settings={"secret": "bench", "sender": "+84900000000"})
    return Tree(top, communes, workers, channel)


def people(owner: psycopg.Connection, vault: Vault, at: Tree, count: int) -> list[Person]:
    """Clients of all communes with phone, consents and search words."""
    made, rows = list[Person](), {table: list[tuple[object, ...]]() for table in ("keys", "clients", "phones", "client_words", "consents")}
    now = datetime.now(UTC) - timedelta(days=DAYS)
    for n in range(count):
        client_id, key_id, phone_id, unit, phone = uuid4(), uuid4(), uuid4(), at.communes[n % COMMUNES], ground.number(n)
        key, wrapped = vault.new_key(key_id)
        person = Person(client_id, unit, key_id, key, phone, vault.hash_phone(phone), ("vi", "vi", "vi", "en", "fr")[n % 5])
        name = f"Nguyễn Thị Bench{n % 5000}"
        rows["keys"].append((key_id, unit, wrapped))
        rows["clients"].append((client_id, unit, key_id, f"KH-{n:06d}", key.encrypt(name, "clients.name", client_id), person.language, GROUPS.get(n % 10, "{}"),
                                at.workers[unit], now, now))  # fmt: skip
        rows["phones"].append((phone_id, client_id, unit, 0, key.encrypt(phone, "phones.phone", phone_id), person.phone_hash))
        rows["client_words"] += [(client_id, unit, vault.hash_word(word)) for word in clients.search_words(name, [phone])]
        rows["consents"] += [(client_id, unit, purpose, True, "signed form", now) for purpose in ("reminder", "check_in")]
        made.append(person)
    columns = {"keys": "id, unit_id, wrapped", "clients": "id, unit_id, key_id, code, name_enc, language, groups, worker_id, created_at, updated_at",
               "phones": "id, client_id, unit_id, rank, phone_enc, phone_hash", "client_words": "client_id, unit_id, word_hash",
               "consents": "client_id, unit_id, purpose, granted, basis, changed_at"}  # fmt: skip
    for table, lines in rows.items():
        with owner.cursor().copy(f"COPY {table} ({columns[table]}) FROM STDIN") as copy:
            for line in lines:
                copy.write_row(line)
    owner.commit()
    return made


def texts(url: str, vault: Vault, crowd: list[Person], channel: UUID, slices: list[int], of: int, begun: datetime, waves: Sequence[Sequence[UUID]]) -> None:
    """Write these slices of the two years: one text for each client in each. `waves` are the campaigns of a slice, each for an equal part."""
    owner = psycopg.connect(url)
    owner.execute("SET session_replication_role = replica; SET synchronous_commit = off")
    dice = random.Random(slices[0])
    length = DAYS * 86400 / of
    hashes = {body: vault.hash_body(body).hex() for body in (*BODIES.values(), *ANSWERS)}
    for n in slices:
        came = list[str]()
        with owner.cursor().copy(f"COPY outbound ({OUTBOUND}) FROM STDIN") as copy:
            for start in range(0, len(crowd), 1000):
                lines, since = list[str](), length * (n + start / len(crowd))
                for k, person in enumerate(crowd[start : start + 1000], start):
                    at = begun + timedelta(seconds=min(since + dice.random() * 3600, DAYS * 86400 - 60))
                    if (n + k) % IN_OF[1] < IN_OF[0]:
                        came.append(_in(person, channel, at, dice, hashes))
                    else:
                        lines.append(_out(person, channel, at, dice, hashes, waves[n][k * len(waves[n]) // len(crowd)]))
                copy.write("".join(lines))
        with owner.cursor().copy(f"COPY inbound ({INBOUND}) FROM STDIN") as copy:
            copy.write("".join(came))
        owner.commit()


def _out(who: Person, channel: UUID, at: datetime, dice: random.Random, hashes: dict[str, str], campaign: UUID) -> str:
    text_id, state, body = uuid4(), dice.choice(STATES), BODIES[who.language]
    left = state not in ("suppressed", "cancelled")
    answered = str(at + timedelta(hours=1)) if state == "delivered" and dice.random() < 0.4 else "\\N"
    return "\t".join((
        str(text_id), str(who.unit_id), str(who.id), str(who.key_id), str(channel), str(campaign), str(uuid4()), "appointment_reminder_1d", "reminder", who.language,
        "2", "appointment", answered, "once_more", str(at), str(at + timedelta(hours=8)), _hex(who.key.encrypt(who.phone, "outbound.to", text_id)),
        "\\\\x" + who.phone_hash.hex(), _hex(who.key.encrypt(body, "outbound.body", text_id)), "\\\\x" + hashes[body], "GSM-7", "1", state,
        "unreachable" if state == "failed" else "\\N", str(uuid4()) if left else "\\N", "1" if left else "0", f"c{text_id.hex}" if left else "\\N",
        str(at) if left else "\\N", str(at), str(at + timedelta(seconds=9)))) + "\n"  # fmt: skip


def _in(who: Person, channel: UUID, at: datetime, dice: random.Random, hashes: dict[str, str]) -> str:
    text_id, body = uuid4(), dice.choice(ANSWERS)
    return "\t".join((
        str(text_id), str(who.unit_id), str(channel), str(who.id), str(who.key_id), f"i{text_id.hex}", _hex(who.key.encrypt(who.phone, "inbound.from", text_id)),
        "\\\\x" + who.phone_hash.hex(), _hex(who.key.encrypt(body, "inbound.body", text_id)), "\\\\x" + hashes[body], str(at), str(at), "other")) + "\n"  # fmt: skip


def _hex(value: bytes) -> str:
    return "\\\\x" + value.hex()


def fill(here: Ground, count: int = 100_000, each: int = 50) -> UUID:
    """Clients, and so many texts with each; the province's id. Prints what each part took."""
    began = time.perf_counter()

    def took(what: str) -> None:
        nonlocal began
        print(f"{what:<28}{time.perf_counter() - began:8.1f} s", flush=True)
        began = time.perf_counter()

    at = tree(here)
    url = embedded.start(here.var).admin_url
    with psycopg.connect(url) as owner:
        owner.execute("SET session_replication_role = replica; SET maintenance_work_mem = '512MB'; SET synchronous_commit = off")
        crowd = people(owner, here.vault, at, count)
        waves = province_work.campaigns_of(here, at.top, count, each)
        took(f"{count:,} clients")
        indexes = _drop_indexes(owner)
        begun = datetime.now(UTC) - timedelta(days=DAYS)
        workers = [multiprocessing.get_context("fork").Process(target=texts, args=(url, here.vault, crowd, at.channel, [*range(n, each, PROCESSES)], each, begun, waves))
                   for n in range(PROCESSES)]  # fmt: skip
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
        took(f"{count * each:,} texts")
        for statement in (*province_work.OF_TEXTS, *indexes):
            owner.execute(statement.encode())
        owner.commit()
        took("attempts, indexes")
        province_work.write(owner, here, crowd)
        took("the rest of the work")
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")
        owner.execute("CHECKPOINT")
    took("vacuum")
    return at.top


def _drop_indexes(owner: psycopg.Connection) -> list[str]:
    """Take the indexes off the large tables; the statements that make them again."""
    again = []
    for table in LARGE:
        keys = owner.execute("SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('p', 'u')", [table]).fetchall()
        for name, definition in keys:
            owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}".encode())
            again.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
        for name, definition in owner.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s", [table]).fetchall():
            owner.execute(f"DROP INDEX {name}".encode())
            again.append(definition)
    owner.commit()
    return again


def make(here: Ground, count: int, each: int) -> None:
    """The whole database unless it is there, and what the clock does in time: counting, sealing. Prints what each part took."""
    if not ground.value(here, "SELECT count(*) FROM units"):
        fill(here, count, each)
    began = time.perf_counter()
    while not ground.value(here, "SELECT 1 WHERE NOT EXISTS (SELECT FROM campaigns WHERE started_at IS NOT NULL AND id NOT IN (SELECT campaign_id FROM campaign_counts))"):
        count_campaigns.count_next(here.engine)
    print(f"counted campaigns: {time.perf_counter() - began:.1f} s", flush=True)
    began, took = time.perf_counter(), list[float]()
    while True:
        one = time.perf_counter()
        if not count_reports.count_next(here.engine):
            break
        took.append(time.perf_counter() - one)
    print(f"counted all, {len(took)} weeks and months: {time.perf_counter() - began:.1f} s; the slowest {max(took, default=0):.2f} s", flush=True)
    began, rows = time.perf_counter(), 0
    while sealed := seal_audit.seal(here.engine):
        rows += sealed
    print(f"sealed {rows:,} rows: {time.perf_counter() - began:.1f} s", flush=True)


def measure(here: Ground) -> None:
    """Print what reading reports and verifying take."""
    with unit_of_work(here.engine, SYSTEM) as work:
        analyst, top, district = staff.by_code(work, "analyst").actor, units.by_code(work, "SV"), units.by_code(work, "SV-03")
        now = work.now
    for name in REPORTS:
        for unit, grain in ((top, "month"), (top, "quarter"), (district, "quarter")):
            one = time.perf_counter()
            with unit_of_work(here.engine, SYSTEM) as work:
                read_report.of_period(work, analyst, name, unit, period_of((now - timedelta(days=100)).date(), grain), "unit")
            print(f"report {name:<14}{unit.code:<7}{grain:<8}{(time.perf_counter() - one) * 1000:8.1f} ms")
    began = time.perf_counter()
    assert seal_audit.verify(here.engine).fault is None
    print(f"verified: {time.perf_counter() - began:.1f} s")


def main() -> None:
    """Make it and measure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clients", type=int, default=100_000)
    options.add_argument("--each", type=int, default=50, help="texts with each client")
    options.add_argument("--keep", type=Path, help="a folder to make it in, which stays; measured alone when it is there already")
    asked = options.parse_args()
    with ground.ground(asked.keep) as here:
        make(here, asked.clients, asked.each)
        measure(here)


if __name__ == "__main__":
    main()
