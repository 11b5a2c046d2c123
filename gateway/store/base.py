"""One transaction, one actor, one clock: `unit_of_work` opens everything that touches the database."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, Engine, TextClause, create_engine, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    MultipleResultsFound,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway import log

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a staff member, seen by the row-level policies, or (no id) the system, which sees all rows."""

    staff_id: UUID | None = None
    unit_id: UUID | None = None
    role: str = "system"


SYSTEM = Actor()


@dataclass(slots=True)
class Work:
    """An open transaction: its connection, who acts, what time it is, and what is to happen after the commit."""

    connection: Connection
    actor: Actor
    now: datetime
    _after: list[Callable[[], None]] = field(default_factory=list)
    _put: dict[TextClause, list[Mapping[str, Any]]] = field(default_factory=dict)
    _later: list[tuple[TextClause, Mapping[str, Any]]] = field(default_factory=list)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Have `call` run once the transaction is committed, and not at all when it is not."""
        self._after.append(call)

    def later(self, sql: TextClause, **values: Any) -> None:
        """Have a statement run before the next one that is not put off, or at the commit, many in one round trip."""
        self._later.append((sql, values))

    def put(self, table: str, row: Mapping[str, Any], on_conflict: str = "") -> None:
        """Insert one row, put off like `later` but ahead of it: the rows of a table go in together."""
        self._put.setdefault(_put_sql(table, tuple(row), on_conflict), []).append(row)

    def execute(self, sql: TextClause, values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None) -> Any:
        """Run one statement; a list of values runs it for each."""
        return self._ready().execute(sql, values)

    def one(self, sql: TextClause, **values: Any) -> Any:
        """The only row, or None. Raises when there are several."""
        rows = self.all(sql, **values)
        if len(rows) > 1:
            raise MultipleResultsFound
        return rows[0] if rows else None

    def all(self, sql: TextClause, **values: Any) -> list[Any]:
        """All rows, as named tuples."""
        self._ready()
        with _errors():
            cursor = _driver(self.connection).cursor(row_factory=namedtuple_row)
            rows: list[Any] = cursor.execute(_compiled(sql), values).fetchall()
        return rows

    def value(self, sql: TextClause, **values: Any) -> Any:
        """The first column of the first row, or None."""
        rows = self.all(sql, **values)
        return rows[0][0] if rows else None

    def together(self, *statements: tuple[TextClause, Mapping[str, Any]]) -> list[list[Any]]:
        """The rows of several queries, asked in one round trip; of constant statements alone, since they are remembered."""
        self._ready()
        with _in_one_flush(self.connection) as driver:
            asked = [driver.cursor(row_factory=namedtuple_row).execute(_compiled(sql), values) for sql, values in statements]
            return [cursor.fetchall() for cursor in asked]

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]], on_conflict: str = "") -> int:
        """Insert rows that all have the same columns, many at a time; the number inserted.

        `on_conflict` is SQL, such as "ON CONFLICT DO NOTHING".
        """
        if not rows:
            return 0
        if len(rows) == 1:
            columns = list(rows[0])
            sql = _insert_sql(table, tuple(columns), on_conflict)
            return int(self._ready().execute(sql, dict(rows[0])).rowcount)
        return _insert_many(self._ready(), table, rows, on_conflict)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A savepoint: what fails in the block is undone, also in the database, and the rest of the transaction holds."""
        with self._ready().begin_nested():
            try:
                yield
                self._ready()
            except BaseException:
                self._put, self._later = {}, []
                raise

    def commit(self) -> None:
        """Commit, together with what was put off. Raises when any statement of the transaction failed, whoever caught it."""
        driver: Any = self.connection.connection.driver_connection
        if driver.info.transaction_status == TransactionStatus.INERROR:  # its COMMIT would quietly be a ROLLBACK
            raise DatabaseError("COMMIT", None, psycopg.errors.InFailedSqlTransaction("an error was caught inside the transaction"))
        try:
            self._flush(commit=True)
        except BaseException:
            with suppress(psycopg.Error):  # a connection that is lost has nothing to roll back, and what was raised says so
                driver.rollback()  # SQLAlchemy believes that it has committed, and would hand on the failed transaction
            raise

    def _ready(self) -> Connection:
        """The connection, after what was put off."""
        if self._put or self._later:
            self._flush()
        return self.connection

    def _flush(self, commit: bool = False) -> None:
        rows, waiting = self._put, self._later
        self._put, self._later = {}, []
        with _in_one_flush(self.connection) as driver:
            for sql, put in rows.items():
                driver.execute(_compiled(sql), {"rows": json.dumps(put, default=_as_json)})
            for sql, values in waiting:
                driver.execute(_compiled(sql), values)
            if commit:
                self.connection.commit()


@cache
def _insert_sql(table: str, columns: tuple[str, ...], on_conflict: str) -> TextClause:
    names, values = ", ".join(columns), ", ".join(f":{c}" for c in columns)
    return text(f"INSERT INTO {table} ({names}) VALUES ({values}) {on_conflict}")


@cache
def _put_sql(table: str, columns: tuple[str, ...], on_conflict: str) -> TextClause:
    """Any number of rows as one parameter: one statement to prepare, and the table itself says what each value is."""
    names = ", ".join(columns)
    return text(
        f"INSERT INTO {table} ({names}) SELECT {names} FROM json_populate_recordset(CAST(NULL AS {table}), CAST(:rows AS json)) {on_conflict}"
    )


def _as_json(value: Any) -> str:
    match value:
        case bytes():
            return "\\x" + value.hex()
        case UUID() | datetime():
            return str(value)
    raise TypeError(f"{type(value).__name__} cannot be put: use `insert`")


def _insert_many(connection: Connection, table: str, rows: Sequence[Mapping[str, Any]], on_conflict: str) -> int:
    """COPY into a table that lives as long as the transaction, then one INSERT: several times as fast as row by row.

    COPY straight into the table is refused under row-level security.
    """
    columns = ", ".join(rows[0])
    incoming = f"incoming_{table}"
    cursor = connection.connection.cursor()
    cursor.execute(f"CREATE TEMP TABLE {incoming} ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA")
    types = _TYPES.get((table, columns)) or _TYPES.setdefault((table, columns), _types(cursor, incoming, columns))
    with cursor.copy(f"COPY {incoming} ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(tuple(row.values()))
    cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {incoming} {on_conflict}")
    inserted = int(cursor.rowcount)
    cursor.execute(f"DROP TABLE {incoming}")
    return inserted


_TYPES: dict[tuple[str, str], list[int]] = {}


def _types(cursor: Any, table: str, columns: str) -> list[int]:
    """What PostgreSQL keeps in these columns, which binary values must say exactly."""
    return [column.type_code for column in cursor.execute(f"SELECT {columns} FROM {table}").description]


@contextmanager
def _in_one_flush(connection: Connection) -> Iterator[Any]:
    """psycopg's connection in pipeline mode: what is executed in the block goes out together. Raises SQLAlchemy's errors."""
    driver = _driver(connection)
    with _errors(), driver.pipeline():
        yield driver


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


@contextmanager
def _errors() -> Iterator[None]:
    """Raises psycopg's errors as SQLAlchemy's."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise OperationalError(None, None, error) from error
    except psycopg.IntegrityError as error:
        raise IntegrityError(None, None, error) from error
    except psycopg.ProgrammingError as error:
        raise ProgrammingError(None, None, error) from error
    except psycopg.Error as error:
        raise DBAPIError(None, None, error) from error


_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


@lru_cache(maxsize=2048)
def _compiled(sql: TextClause) -> str:
    """The statement as psycopg takes it; remembered, since nearly all are constants of their modules."""
    return str(sql.compile(dialect=_DIALECT))


def connect(url: str, pool_size: int = 6, stuck_s: float | None = None, **options: Any) -> Engine:
    """An engine for the plain login role, which sees nothing until `unit_of_work` sets a role and an actor.

    With `stuck_s` PostgreSQL ends a transaction of a process that says nothing for so long: one that stands still
    (a paused machine) keeps the rows it has locked from nobody.
    """
    if stuck_s is not None:
        options["options"] = f"-c idle_in_transaction_session_timeout={round(stuck_s * 1000)}"
    url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    return create_engine(
        url, pool_size=pool_size, max_overflow=2, pool_recycle=1800,
        hide_parameters=True,  # an error's message must hold no value
        connect_args={"connect_timeout": 5, "prepare_threshold": 5, **options},
    )


PATIENCE = "patience_s"
"""An option of an engine: no transaction of it takes longer, even where PostgreSQL says nothing (`with_patience`)."""
_watched: dict[int, tuple[float, Any]] = {}  # transactions of impatient engines: by when each is over, and psycopg's connection
_watching = threading.Lock()


def with_patience(engine: Engine, seconds: float) -> Engine:
    """The same engine, whose transactions fail when they take longer: a lock is waited for a little less, and the connection
    to a server that hangs is cut, by a thread that looks four times a second.
    """
    _start_cutting()
    return engine.execution_options(**{PATIENCE: seconds})


@cache
def _start_cutting() -> None:
    threading.Thread(target=_cut, name="patience", daemon=True).start()


def _cut() -> None:
    while True:
        time.sleep(0.25)
        with _watching:  # nobody hands a connection on meanwhile
            for until, driver in _watched.values():
                if time.monotonic() > until:
                    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(driver.fileno())) as end:
                        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def _patient(connection: Connection, seconds: float) -> Iterator[None]:
    """Cut the connection when the block takes longer."""
    mine = id(connection)
    with _watching:
        _watched[mine] = time.monotonic() + seconds, _driver(connection)
    try:
        yield
    finally:
        with _watching:
            del _watched[mine]


# Statistics of tables that change by thousands a second come late, and a plan made for them goes through a whole table. What
# the system does names its rows, so it joins by index alone: a batch costs the same however large the tables are.
# There is then one good plan for each statement, made once for each connection.
_BY_INDEX = ", set_config('plan_cache_mode', 'force_generic_plan', true)" + "".join(
    f", set_config('{way}', 'off', true)"
    for way in ("enable_hashjoin", "enable_mergejoin", "enable_material", "enable_seqscan", "enable_bitmapscan", "jit")
)
# Only a gateway for practice ever moves its clock (store/practice.py).
_TIME = "now() + (SELECT ahead FROM practice_clock)"
_BEGIN = {
    role: f"SELECT set_config('role', '{role}', true), set_config('gateway.actor', %(actor)s, true), {_TIME}, set_config('lock_timeout', %(wait)s, true){by_index}"
    for role, by_index in (("gateway_system", _BY_INDEX), ("gateway_staff", ""), ("gateway_reviewer", ""), ("gateway_analyst", ""))
}
# What a role of staff is to PostgreSQL: a reviewer sees flagged persons alone, an analyst none.
_SQL_ROLES = {
    "case_worker": "gateway_staff", "supervisor": "gateway_staff", "administrator": "gateway_staff", "reviewer": "gateway_reviewer",
    "analyst": "gateway_analyst",
}  # fmt: skip


def is_away(error: BaseException) -> bool:
    """Whether PostgreSQL itself could not be reached, did not answer or takes no writes; a lock of another transaction is not that."""
    if isinstance(error, OperationalError | InterfaceError):
        return not isinstance(error.orig, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure)
    return isinstance(error, PoolTimeout) or (isinstance(error, DBAPIError) and isinstance(error.orig, psycopg.errors.ReadOnlySqlTransaction))


def is_tangled(error: DBAPIError) -> bool:
    """Whether PostgreSQL ended a transaction only because of another one: it wrote nothing, and may go well at once."""
    return isinstance(error.orig, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure)


def untangled(write: Callable[[], T]) -> T:
    """What `write`, one transaction, returns. When it `is_tangled` with another one it is called again, twice at most."""
    for _ in range(2):
        try:
            return write()
        except OperationalError as error:
            if not is_tangled(error):
                raise
    return write()


# In one order for all, so that no two wait for each other.
_LOCK = """
  SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended(encode(name, 'hex'), 1) AS key FROM unnest(%(names)s::bytea[]) name ORDER BY key) k"""


@contextmanager
def unit_of_work(
    engine: Engine, actor: Actor = SYSTEM, now: datetime | None = None, lock: Sequence[bytes] = (), wait_s: float = 0
) -> Iterator[Work]:
    """One transaction for `actor`; commits at the end of the block, rolls back when it raises.

    `lock` (the system's alone) lets one transaction at a time through for each name in it, in every process: what a phone
    writes is handled one after the other. A lock that is not free within `wait_s` (0: for ever) fails the transaction.

    The time is the database's (moved ahead, on a gateway for practice) unless given (simulation, tests). What was registered with `after_commit` runs after
    the commit, and an error in it is logged, never raised: the work is done by then.
    """
    patience_s = engine.get_execution_options().get(PATIENCE)
    with engine.connect() as connection, nullcontext() if patience_s is None else _patient(connection, patience_s):
        connection.begin()
        wait_s = wait_s or (patience_s or 0) * 0.8
        role = "gateway_system" if actor.staff_id is None else _SQL_ROLES[actor.role]
        with _in_one_flush(connection) as driver:
            begun = driver.execute(_BEGIN[role], {"actor": str(actor.staff_id or ""), "wait": f"{wait_s * 1000:.0f}"})
            if lock:
                driver.execute(_LOCK, {"names": list(lock)})
        work = Work(connection, actor, now or begun.fetchone()[2].astimezone(UTC))
        yield work
        work.commit()
    for call in work._after:
        try:
            call()
        except Exception as error:
            log.warning("after_commit_failed", error=type(error).__name__)
