"""Where faults are played: servers of one's own, the gateway's real processes, a carrier that misbehaves on demand.

House: PostgreSQL, Valkey, the processes and the carrier, started once for a run's worker and kept running.
Stage: one case in it: a unit, a Twilio channel with a number of its own, what was planned. `check_invariants` follows.
"""

import json
import os
import resource
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import redis
from sqlalchemy import Engine, text

from gateway.domain.phone import Phone
from gateway.store import base, channels, clients, messages, routes, switches, unknowns
from gateway.store.base import Work, unit_of_work
from gateway.vault import DataKey, Vault, parse_keys
from tests import builders, servers
from tests.builders import World
from tests.carrier import FakeCarrier
from tests.faults.processes import Processes, free_port, until

FULL = os.environ.get("FAULTS") == "full"
"""`make faults-full`: the settings of service and the lengths of faults; otherwise both are shortened."""
SHORT = {
    "GATEWAY_LEASE_SECONDS": "6", "GATEWAY_RECONCILE_AFTER_SECONDS": "1", "GATEWAY_READ_TIMEOUT_SECONDS": "2",
    "GATEWAY_CONNECT_TIMEOUT_SECONDS": "2", "GATEWAY_POLL_SECONDS": "0.25",
}  # fmt: skip
LEASE_S, SETTLE_S, READ_S = (90.0, 60.0, 30.0) if FULL else (6.0, 1.0, 2.0)
SETTLED_WITHIN_S = LEASE_S + READ_S + SETTLE_S + 30
"""By then what a dead worker left is settled: its lease lapsed, the carrier was asked, one more attempt was made."""

_phones, _stages = count(1), count(1)
DONE = ("accepted", "sent", "delivered", "failed", "expired", "cancelled", "suppressed")


@dataclass(frozen=True, slots=True)
class House:
    """What all cases of a run's worker share."""

    servers: servers.OwnServers
    processes: Processes
    carrier: FakeCarrier
    engine: Engine
    vault: Vault
    redis_url: str

    def restore(self) -> None:
        """Everything runs again, with the usual settings; the carrier behaves."""
        self.servers.start()
        self.engine.dispose()
        self.carrier.script()
        for scripts in self.carrier.carrier.scripts.values():
            scripts.next.clear()
            scripts.by_recipient.clear()
        self.carrier.carrier.latency_ms = 0
        self.carrier.carrier.reports = ()
        self.processes.restore()


@contextmanager
def open_house(folder: Path, keys: dict[str, str]) -> Iterator[House]:
    """A house with everything running, until the block ends."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the carrier holds thousands of connections
    with servers.own() as own, FakeCarrier(reports=()) as carrier:
        addresses = own.start()
        port = str(free_port())
        environ = {
            **os.environ, **keys, **({} if FULL else SHORT), "DATABASE_URL": addresses.database_url, "REDIS_URL": addresses.redis_url,
            "GATEWAY_VAR": str(folder / "var"), "GATEWAY_PORT": port, "GATEWAY_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "GATEWAY_WEB_WORKERS": "1",
        }  # fmt: skip
        vault = Vault(parse_keys(keys["GATEWAY_MASTER_KEYS"]), parse_keys(keys["GATEWAY_INDEX_KEYS"]))
        engine = base.connect(addresses.database_url)
        processes = Processes(environ, folder)
        try:
            yield House(own, processes, carrier, engine, vault, addresses.redis_url)
        finally:
            processes.kill_all()
            engine.dispose()


@dataclass(slots=True)
class Stage:
    """One case: `world` has its unit, channel and clients; `planned` the ids of all texts that `plan` made."""

    house: House
    world: World
    number: str  # of ours, that clients text to
    planned: list[UUID] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    """What was measured; printed at the end of the run."""
    others: list["Stage"] = field(default_factory=list)

    # --- what there is

    @property
    def processes(self) -> Processes:
        return self.house.processes

    @property
    def servers(self) -> servers.OwnServers:
        return self.house.servers

    @property
    def carrier(self) -> FakeCarrier:
        return self.house.carrier

    @property
    def engine(self) -> Engine:
        return self.house.engine

    @property
    def vault(self) -> Vault:
        return self.house.vault

    @property
    def inbound_url(self) -> str:
        """Where the carrier posts clients' texts."""
        return f"{self.processes.url}/c/{self.world.channel_id}/inbound"

    # --- what happens

    def beside(self, **channel_changes: Any) -> "Stage":
        """Another unit with a channel of its own in the same house; the invariants must hold for it too."""
        self.others.append(open_stage(self.house, **channel_changes))
        return self.others[-1]

    def plan(self, number: int, **changes: Any) -> list[UUID]:
        """So many due texts, each to a client of its own and worded differently, in one transaction; their ids.

        `changes` are fields of `messages.New`.
        """
        with unit_of_work(self.engine) as work:
            news = [self._text(person, work.now, changes) for person in self._people(work, number)]
            messages.add(work, self.vault, news)
        ids = [new.id for new in news]
        self.planned += ids
        return ids

    def clients(self, number: int) -> list[UUID]:
        """So many clients who may be texted for check-ins; their ids."""
        with unit_of_work(self.engine) as work:
            return [person.new.id for person in self._people(work, number)]

    def plan_for(self, client_id: UUID, **changes: Any) -> UUID:
        """A due text to a client made by `world.client`; its id."""
        with unit_of_work(self.engine) as work:
            now = work.now
        moments = {"send_after": now, "send_before": now + timedelta(hours=4)}
        message_id = self.world.planned(client_id, **({"body": f"Canary body {uuid4()}"} | moments | changes))
        self.planned.append(message_id)
        return message_id

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """Nobody can write to a table until the block ends: what needs to stays in the middle of its transaction."""
        with psycopg.connect(self.servers.start().admin_url) as admin:
            admin.execute(f"LOCK TABLE {table} IN SHARE MODE".encode())
            yield

    def until_blocked(self, within_s: float = 30) -> None:
        """Wait until a process stands in front of such a lock."""
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'gateway'"
        with psycopg.connect(self.servers.start().admin_url, autocommit=True) as admin:
            until(lambda: admin.execute(waiting).fetchone() != (0,), within_s, "a transaction that waits for the lock")

    def point_at(self, url: str) -> None:
        """Let the channel's carrier be at another address from the next claim on."""
        with unit_of_work(self.engine) as work:
            channel = channels.get(work, self.vault, self.world.channel_id)
            row = work.all(text("SELECT c.key_id, k.wrapped FROM channels c JOIN keys k ON k.id = c.key_id WHERE c.id = :id"),
                           id=channel.id)[0]  # fmt: skip
            sealed = self.vault.open_key(row.wrapped, row.key_id).encrypt(
                json.dumps(channel.settings | {"base_url": url}), "channels.settings", channel.id
            )
            work.execute(text("UPDATE channels SET settings_enc = :sealed WHERE id = :id"), {"sealed": sealed, "id": channel.id})

    def set_rate(self, messages_a_second: float) -> None:
        """Let the channel send so many a second from now on."""
        self.world.run("UPDATE channels SET rate = :rate WHERE id = :id", rate=messages_a_second, id=self.world.channel_id)

    def say(self, phone: str, words: str, **options: Any) -> tuple[str, int]:
        """A client texts: its SID at the carrier and the status of our answer (0: none)."""
        return self.carrier.text_in(phone, self.number, words, url=self.inbound_url, **options)

    def wait(self, seconds: float) -> None:
        """Let a fault last so long."""
        ends = time.monotonic() + seconds
        until(lambda: time.monotonic() > ends, seconds + 10)

    # --- what came of it

    def states(self, ids: Sequence[UUID] | None = None) -> dict[str, int]:
        """How many of the planned texts (or of these) are in each state."""
        rows = self.world.rows("SELECT state, count(*) FROM outbound WHERE id = ANY(:ids) GROUP BY state",
                               ids=list(self.planned if ids is None else ids))  # fmt: skip
        return {row.state: row.count for row in rows}

    def all_done(self, ids: Sequence[UUID] | None = None) -> bool:
        """Whether none of them is planned, on its way or unknown any more."""
        return set(self.states(ids)) <= set(DONE)

    def accepted(self) -> list[Any]:
        """What the carrier accepted through this case's channel."""
        return [m for m in self.carrier.messages if m.direction != "inbound" and m.sender == self.number]

    def received(self, phone: str) -> list[str]:
        """The texts that arrived at a phone, from this case's channel."""
        return [m.body for m in self.accepted() if m.to == phone]

    def phone_of(self, message_id: UUID) -> str:
        """Whom a text goes to."""
        row = self.world.rows(
            "SELECT o.id, o.to_enc, o.key_id, k.wrapped FROM outbound o JOIN keys k ON k.id = o.key_id WHERE o.id = :id", id=message_id
        )[0]
        return self.vault.open_key(row.wrapped, row.key_id).decrypt(row.to_enc, "outbound.to", row.id)

    def until_done(self, within_s: float = 60, ids: Sequence[UUID] | None = None) -> float:
        """Wait until all are done; the seconds it took."""
        try:
            return until(lambda: self.all_done(ids), within_s)
        except AssertionError:
            raise AssertionError(f"not all done within {within_s:g} s: {self.states(ids)}") from None

    def until_accepted(self, number: int, within_s: float = 60) -> float:
        """Wait until the carrier has accepted so many; the seconds it took."""
        return until(lambda: len(self.accepted()) >= number, within_s, f"the acceptance of {number}")

    def redis_text(self) -> str:
        """`redis_text` of the house; "" while it is away."""
        with suppress(redis.ConnectionError), redis.Redis.from_url(self.house.redis_url, socket_timeout=5) as client:
            return redis_text(client)
        return ""

    # --- inside

    def _people(self, work: Work, number: int) -> list["_Person"]:
        people = [self._person() for _ in range(number)]
        work.insert("keys", [{"id": p.key_id, "unit_id": self.world.unit_id, "wrapped": p.wrapped} for p in people])
        work.insert("clients", [clients.client_row(p.new, p.key_id, p.key, work.now) for p in people])
        phones = [row for p in people for row in clients.phone_rows(self.vault, p.new.id, p.new.unit_id, p.key, p.new.phones)]
        work.insert("phones", phones)
        work.insert("consents", [self._consent(p.new.id, work.now) for p in people])
        return people

    def _person(self) -> "_Person":
        n, key_id = next(_phones), uuid4()
        key, wrapped = self.vault.new_key(key_id)
        new = clients.New(unit_id=self.world.unit_id, code=f"F{n:06d}", name=f"Canary Person{n}", language="vi",
                          phones=[Phone(f"+8492{n:07d}", None)])  # fmt: skip
        return _Person(new, key_id, key, wrapped, n)

    def _consent(self, client_id: UUID, now: Any) -> dict[str, Any]:
        return {"client_id": client_id, "unit_id": self.world.unit_id, "purpose": "check_in", "granted": True,
                "basis": "signed form", "changed_at": now}  # fmt: skip

    def _text(self, person: "_Person", now: Any, changes: dict[str, Any]) -> messages.New:
        fields: dict[str, Any] = {
            "unit_id": self.world.unit_id, "key_id": person.key_id, "key": person.key, "channel_id": self.world.channel_id,
            "to": person.new.phones[0].e164, "body": f"Canary body {person.number}", "encoding": "GSM-7", "segments": 1,
            "purpose": "check_in", "language": "vi", "lane": 2, "semantics": "once_more", "dedupe_key": f"fault:{uuid4()}",
            "send_after": now, "send_before": now + timedelta(hours=4), "client_id": person.new.id, "consent_purpose": "check_in",
        }  # fmt: skip
        return messages.New(**(fields | changes))


@dataclass(frozen=True, slots=True)
class _Person:
    new: clients.New
    key_id: UUID
    key: DataKey
    wrapped: bytes
    number: int


def open_stage(house: House, **channel_changes: Any) -> Stage:
    """A case of its own in the house: a unit that is always open, with staff on duty when the test adds some."""
    n = next(_stages)
    number = f"+1500555{n:04d}"
    with unit_of_work(house.engine) as work:
        now = work.now
    unit_id = builders.unit(house.engine, now, code=f"FAULT{n}", hours=None)
    settings = {"account_sid": "AC" + "0" * 32, "auth_token": "token", "sender": number, "base_url": house.carrier.url}
    channel_id = builders.channel(
        house.engine, house.vault, now, unit_id, kind="twilio", name=f"fault{n:04d}", settings=settings, **channel_changes
    )
    with unit_of_work(house.engine) as work:  # cases side by side do not help each other out
        routes.add(work, channel_id, unit_id=unit_id, prefix=None, language=None, purpose=None)
    return Stage(house, World(house.engine, house.vault, unit_id, channel_id, now), number)


def close_stages(house: House) -> None:
    """Nothing of past cases leaves or is asked for any more, and what they switched off is on again."""
    with unit_of_work(house.engine) as work:
        work.execute(text("UPDATE channels SET state = 'disabled'"))
        work.execute(text("UPDATE outbound SET state = 'cancelled' WHERE state = 'planned'"))
        work.execute(text("UPDATE flags SET state = 'assigned' WHERE state = 'open'"))  # nobody of a past case is alerted any more
        work.execute(text("UPDATE outbound SET reason = :over WHERE state = 'unknown'"), {"over": unknowns.FOR_A_PERSON + "over"})
        switches.turn(work, "sending", True)


def redis_text(client: "redis.Redis") -> str:
    """All keys and values of Redis, RQ's compressed ones unpacked."""
    return "\n".join(_readable(key) + _dump(client, key) for key in client.scan_iter(count=1000))


def _dump(client: Any, key: bytes) -> str:
    values: Iterable[bytes | None]
    match client.type(key):
        case b"string":
            values = [client.get(key)]
        case b"hash":
            values = [part for pair in client.hgetall(key).items() for part in pair]
        case b"list":
            values = client.lrange(key, 0, -1)
        case b"set":
            values = client.smembers(key)
        case b"zset":
            values = client.zrange(key, 0, -1)
        case b"stream":
            values = [part for _, fields in client.xrange(key) for pair in fields.items() for part in pair]
        case _:
            values = []
    return "\n".join(_readable(value) for value in values)


def _readable(value: bytes | None) -> str:
    with suppress(zlib.error):
        value = zlib.decompress(value or b"")
    return (value or b"").decode("utf-8", "replace")
