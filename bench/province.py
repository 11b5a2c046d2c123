"""A large database for measuring pages and reports: a province of communes, two years of texts, all of it as the program keeps it.

Ciphertext is real, under each client's own key, so pages can be opened. Rows go in by COPY, past policies and foreign keys, in two
processes, with the indexes of the large tables made afterwards. `python -m bench.province` makes one, says what it took, and times the reports.
"""

import argparse
import multiprocessing
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg

from bench import ground
from bench.ground import Ground
from gateway import embedded
from gateway.domain.reports import REPORTS, period_of
from gateway.store import channels, clients, staff, units
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import count_reports, read_report, seal_audit
from gateway.vault import DataKey, Vault

DAYS, DISTRICTS, COMMUNES = 730, 21, 344
OUT_OF = (42, 50)  # of so many texts, so many go out
PROCESSES = 2
STATES = ("delivered",) * 80 + ("sent",) * 8 + ("failed",) * 5 + ("expired",) * 2 + ("suppressed",) * 3 + ("cancelled",) * 2
BODIES = {"vi": "Nhac ban: co lich hen luc 8:00 Thu Sau ngay 11/12. Tra loi 1: se den, 2: doi lich.", "en": "Reminder: you have an appointment on Friday at 8:00. Reply 1: yes.",
          "fr": "Rappel : rendez-vous vendredi a 8:00. Repondez 1 : oui."}  # fmt: skip
ANSWERS = ("1", "2", "da", "cam on", "goi lai cho toi")
LARGE = ("outbound", "inbound", "attempts")
OUTBOUND = ("id, unit_id, client_id, key_id, channel_id, purpose, consent_purpose, language, lane, expects, answered_at, semantics, send_after, send_before, "
            "to_enc, to_hash, body_enc, body_hash, encoding, segments, state, attempt_id, attempts, carrier_id, redacted_at, created_at, state_at")  # fmt: skip
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


def tree(here: Ground) -> tuple[UUID, list[UUID], UUID]:
    """A province, its communes, the simulator's channel; staff `boss` of all, `worker` of the first commune, `analyst`."""
    about = {"time_zone": "Asia/Ho_Chi_Minh", "language": "vi", "region": "VN"}
    with unit_of_work(here.engine, SYSTEM) as work:
        top = units.add(work, kind="province", code="SV", name="Tỉnh Thử", details={"phone": "0238 555 0100", "helplines": "115"}, **about)
        districts = [units.add(work, kind="district", code=f"SV-{n:02d}", name=f"Huyện {n}", parent_id=top, **about) for n in range(DISTRICTS)]
        communes = [units.add(work, kind="commune", code=f"SV-{n % DISTRICTS:02d}-{n:03d}", name=f"Xã {n}", parent_id=districts[n % DISTRICTS], **about)
                    for n in range(COMMUNES)]  # fmt: skip
        for code, role, home in (("boss", "administrator", top), ("analyst", "analyst", top), ("worker", "case_worker", communes[0])):
            staff.add(work, here.vault, unit_id=home, code=code, name="Bench", role=role, language="vi")
        channel = channels.add(work, here.vault, unit_id=top, name="sim", kind="simulator", settings={"secret": "bench", "sender": "+84900000000"})
    return top, communes, channel


def people(owner: psycopg.Connection, vault: Vault, communes: list[UUID], count: int) -> list[Person]:
    """Clients of all communes with phone, consents and search words."""
    made, rows = list[Person](), {table: list[tuple[object, ...]]() for table in ("keys", "clients", "phones", "client_words", "consents")}
    now = datetime.now(UTC) - timedelta(days=DAYS)
    for n in range(count):
        client_id, key_id, phone_id, unit, phone = uuid4(), uuid4(), uuid4(), communes[n % len(communes)], ground.number(n)
        key, wrapped = vault.new_key(key_id)
        person = Person(client_id, unit, key_id, key, phone, vault.hash_phone(phone), ("vi", "vi", "vi", "en", "fr")[n % 5])
        name = f"Nguyễn Thị Bench{n % 5000}"
        rows["keys"].append((key_id, unit, wrapped))
        rows["clients"].append((client_id, unit, key_id, f"KH-{n:06d}", key.encrypt(name, "clients.name", client_id), person.language, now, now))
        rows["phones"].append((phone_id, client_id, unit, 0, key.encrypt(phone, "phones.phone", phone_id), person.phone_hash))
        rows["client_words"] += [(client_id, unit, vault.hash_word(word)) for word in clients.search_words(name, [phone])]
        rows["consents"] += [(client_id, unit, purpose, True, "signed form", now) for purpose in ("reminder", "check_in")]
        made.append(person)
    columns = {"keys": "id, unit_id, wrapped", "clients": "id, unit_id, key_id, code, name_enc, language, created_at, updated_at",
               "phones": "id, client_id, unit_id, rank, phone_enc, phone_hash", "client_words": "client_id, unit_id, word_hash",
               "consents": "client_id, unit_id, purpose, granted, basis, changed_at"}  # fmt: skip
    for table, lines in rows.items():
        with owner.cursor().copy(f"COPY {table} ({columns[table]}) FROM STDIN") as copy:
            for line in lines:
                copy.write_row(line)
    owner.commit()
    return made


def texts(url: str, vault: Vault, crowd: list[Person], channel: UUID, slices: list[int], of: int, begun: datetime) -> None:
    """Write these slices of the two years: one text for each client in each."""
    owner = psycopg.connect(url)
    owner.execute("SET session_replication_role = replica; SET synchronous_commit = off")
    dice = random.Random(slices[0])
    length = DAYS * 86400 / of
    hashes = {body: vault.hash_body(body).hex() for body in (*BODIES.values(), *ANSWERS)}
    for n in slices:
        outgoing = n * OUT_OF[0] // OUT_OF[1] != (n + 1) * OUT_OF[0] // OUT_OF[1]
        table, columns, line = ("outbound", OUTBOUND, _out) if outgoing else ("inbound", INBOUND, _in)
        with owner.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for at, chunk in enumerate(_chunks(crowd, 1000)):
                share = at * 1000 / len(crowd)
                copy.write("".join(line(person, channel, begun + timedelta(seconds=length * (n + share) + dice.random() * 3600), dice, hashes)
                                   for person in chunk))  # fmt: skip
        owner.commit()


def _chunks(crowd: list[Person], size: int) -> Iterator[list[Person]]:
    return (crowd[start : start + size] for start in range(0, len(crowd), size))


def _out(who: Person, channel: UUID, at: datetime, dice: random.Random, hashes: dict[str, str]) -> str:
    text_id, state, body = uuid4(), dice.choice(STATES), BODIES[who.language]
    left = state not in ("suppressed", "cancelled")
    answered = str(at + timedelta(hours=1)) if state == "delivered" and dice.random() < 0.4 else "\\N"
    return "\t".join((
        str(text_id), str(who.unit_id), str(who.id), str(who.key_id), str(channel), "appointment_reminder_1d", "reminder", who.language, "2", "appointment",
        answered, "once_more", str(at), str(at + timedelta(hours=8)), _hex(who.key.encrypt(who.phone, "outbound.to", text_id)), "\\\\x" + who.phone_hash.hex(),
        _hex(who.key.encrypt(body, "outbound.body", text_id)), "\\\\x" + hashes[body], "GSM-7", "1", state, str(uuid4()) if left else "\\N",
        "1" if left else "0", f"c{text_id.hex}" if left else "\\N", str(at) if left else "\\N", str(at), str(at + timedelta(seconds=9)))) + "\n"  # fmt: skip


def _in(who: Person, channel: UUID, at: datetime, dice: random.Random, hashes: dict[str, str]) -> str:
    text_id, body = uuid4(), dice.choice(ANSWERS)
    return "\t".join((
        str(text_id), str(who.unit_id), str(channel), str(who.id), str(who.key_id), f"i{text_id.hex}", _hex(who.key.encrypt(who.phone, "inbound.from", text_id)),
        "\\\\x" + who.phone_hash.hex(), _hex(who.key.encrypt(body, "inbound.body", text_id)), "\\\\x" + hashes[body], str(at), str(at), "other")) + "\n"  # fmt: skip


def _hex(value: bytes) -> str:
    return "\\\\x" + value.hex()


# What follows from clients and texts by SQL alone.
_REST = (
    """INSERT INTO attempts (id, outbound_id, channel_id, number, state, carrier_id, started_at, settled_at)
       SELECT attempt_id, id, channel_id, 1, 'accepted', carrier_id, created_at, state_at FROM outbound WHERE attempt_id IS NOT NULL""",
    # Four visits a year for each client, the last of them still to come.
    f"""INSERT INTO appointments (id, client_id, unit_id, starts_at, status, answer, created_at, updated_at, planned_revision)
       SELECT gen_random_uuid(), c.id, c.unit_id, at, CASE WHEN at > now() THEN 'booked' WHEN n % 7 = 0 THEN 'missed' WHEN n % 11 = 0 THEN 'cancelled'
         WHEN n % 13 = 0 THEN 'booked' ELSE 'attended' END, (ARRAY['confirmed', 'confirmed', 'declined', 'reschedule', NULL])[1 + n % 5], at, at, 0
       FROM (SELECT id, unit_id, row_number() OVER () AS who FROM clients) c, generate_series(0, {DAYS // 91}) q,
         LATERAL (SELECT c.who + q AS n, date_trunc('hour', now()) - interval '{DAYS - 30} days' + q * interval '91 days' + (c.who % 2000) * interval '1 hour' AS at) x""",
    """INSERT INTO flags (id, unit_id, client_id, inbound_id, reason, severity, state, opened_at, due_at, closed_at, outcome, dedupe_key)
       SELECT gen_random_uuid(), unit_id, client_id, id, 'other_text', 'medium', CASE WHEN received_at > now() - interval '2 days' THEN 'open' ELSE 'closed' END,
         received_at, received_at + interval '8 hours', CASE WHEN received_at > now() - interval '2 days' THEN NULL ELSE received_at + interval '3 hours' END,
         CASE WHEN received_at > now() - interval '2 days' THEN NULL ELSE 'no_action' END, CAST(id AS text) FROM inbound WHERE random() < 0.1""",
    """INSERT INTO audit (unit_id, staff_id, action, subject, subject_id, client_id, at)
       SELECT unit_id, (SELECT id FROM staff WHERE code = 'boss'), 'client.show', 'client', id, id, created_at FROM clients""",
)  # fmt: skip


def fill(here: Ground, count: int = 100_000, each: int = 50) -> UUID:
    """Clients, and so many texts with each; the province's id. Prints what each part took."""
    began = time.perf_counter()

    def took(what: str) -> None:
        nonlocal began
        print(f"{what:<28}{time.perf_counter() - began:8.1f} s", flush=True)
        began = time.perf_counter()

    top, communes, channel = tree(here)
    url = embedded.start(here.var).admin_url
    with psycopg.connect(url) as owner:
        owner.execute("SET session_replication_role = replica; SET maintenance_work_mem = '1GB'; SET synchronous_commit = off")
        crowd = people(owner, here.vault, communes, count)
        took(f"{count:,} clients")
        indexes = _drop_indexes(owner)
        begun = datetime.now(UTC) - timedelta(days=DAYS)
        workers = [multiprocessing.get_context("fork").Process(target=texts, args=(url, here.vault, crowd, channel, [*range(n, each, PROCESSES)], each, begun))
                   for n in range(PROCESSES)]  # fmt: skip
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
        took(f"{count * each:,} texts")
        owner.execute(_REST[0].encode())
        for statement in indexes:
            owner.execute(statement.encode())
        owner.commit()
        took("attempts, indexes")
        for statement in _REST[1:]:
            owner.execute(statement.encode())
        owner.commit()
        took("visits, flags, audit trail")
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")
        owner.execute("CHECKPOINT")
    took("vacuum")
    return top


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


def measure(here: Ground) -> None:
    """Print what counting, reading and sealing take."""
    began, took = time.perf_counter(), list[float]()
    while True:
        one = time.perf_counter()
        if not count_reports.count_next(here.engine):
            break
        took.append(time.perf_counter() - one)
    print(f"counted all, {len(took)} weeks and months: {time.perf_counter() - began:.1f} s; the slowest {max(took):.2f} s")
    with unit_of_work(here.engine, SYSTEM) as work:
        analyst, top, district = staff.by_code(work, "analyst").actor, units.by_code(work, "SV"), units.by_code(work, "SV-03")
        now = work.now
    for name in REPORTS:
        for unit, grain in ((top, "month"), (top, "quarter"), (district, "quarter")):
            one = time.perf_counter()
            with unit_of_work(here.engine, SYSTEM) as work:
                read_report.of_period(work, analyst, name, unit, period_of((now - timedelta(days=100)).date(), grain), "unit")
            print(f"report {name:<14}{unit.code:<7}{grain:<8}{(time.perf_counter() - one) * 1000:8.1f} ms")
    began, rows = time.perf_counter(), 0
    while sealed := seal_audit.seal(here.engine):
        rows += sealed
    print(f"sealed {rows:,} rows: {time.perf_counter() - began:.1f} s")
    began = time.perf_counter()
    assert seal_audit.verify(here.engine).fault is None
    print(f"verified: {time.perf_counter() - began:.1f} s")


def main() -> None:
    """Make it and measure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clients", type=int, default=100_000)
    options.add_argument("--each", type=int, default=50, help="texts with each client")
    asked = options.parse_args()
    with ground.ground() as here:
        fill(here, asked.clients, asked.each)
        measure(here)


if __name__ == "__main__":
    main()
