"""One transaction, one actor, one clock: `unit_of_work` opens everything that touches the database."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, Engine, TextClause, create_engine, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import Row
from sqlalchemy.exc import DBAPIError, OperationalError

from gateway import log


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
    _later: list[tuple[TextClause, Mapping[str, Any]]] = field(default_factory=list)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Have `call` run once the transaction is committed, and not at all when it is not."""
        self._after.append(call)

    def later(self, sql: TextClause, **values: Any) -> None:
        """Have a statement run before the next one that is not put off, or at the commit, many in one round trip."""
        self._later.append((sql, values))

    def put(self, table: str, row: Mapping[str, Any], on_conflict: str = "") -> None:
        """Insert one row, put off like `later`."""
        self.later(_insert_sql(table, tuple(row), on_conflict), **row)

    def execute(self, sql: TextClause, values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None) -> Any:
        """Run one statement; a list of values runs it for each."""
        return self._ready().execute(sql, values)

    def one(self, sql: TextClause, **values: Any) -> Row[Any] | None:
        """The only row, or None. Raises when there are several."""
        return self._ready().execute(sql, values).one_or_none()

    def all(self, sql: TextClause, **values: Any) -> Sequence[Row[Any]]:
        """All rows."""
        return self._ready().execute(sql, values).all()

    def value(self, sql: TextClause, **values: Any) -> Any:
        """The first column of the first row, or None."""
        return self._ready().execute(sql, values).scalar()

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

    def commit(self) -> None:
        """Commit, together with what was put off."""
        self._flush(commit=True)

    def _ready(self) -> Connection:
        """The connection, after what was put off."""
        if self._later:
            self._flush()
        return self.connection

    def _flush(self, commit: bool = False) -> None:
        waiting, self._later = self._later, []
        with _in_one_flush(self.connection) as driver:
            for sql, values in waiting:
                driver.execute(_compiled(sql), values)
            if commit:
                self.connection.commit()


_INSERTS: dict[tuple[str, tuple[str, ...], str], TextClause] = {}


def _insert_sql(table: str, columns: tuple[str, ...], on_conflict: str) -> TextClause:
    known = _INSERTS.get((table, columns, on_conflict))
    if known is None:
        names, values = ", ".join(columns), ", ".join(f":{c}" for c in columns)
        known = _INSERTS[table, columns, on_conflict] = text(
            f"INSERT INTO {table} ({names}) VALUES ({values}) {on_conflict}"
        )
    return known


def _insert_many(connection: Connection, table: str, rows: Sequence[Mapping[str, Any]], on_conflict: str) -> int:
    """COPY into a table that lives as long as the transaction, then one INSERT: several times as fast as row by row.

    COPY straight into the table is refused under row-level security.
    """
    columns = ", ".join(rows[0])
    incoming = f"incoming_{table}"
    cursor = connection.connection.cursor()
    cursor.execute(f"CREATE TEMP TABLE {incoming} ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA")
    with cursor.copy(f"COPY {incoming} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(tuple(row.values()))
    cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {incoming} {on_conflict}")
    inserted = int(cursor.rowcount)
    cursor.execute(f"DROP TABLE {incoming}")
    return inserted


@contextmanager
def _in_one_flush(connection: Connection) -> Iterator[Any]:
    """psycopg's connection in pipeline mode: what is executed in the block goes out together. Raises SQLAlchemy's errors."""
    driver = connection.connection.driver_connection
    assert driver is not None
    try:
        with driver.pipeline():
            yield driver
    except psycopg.OperationalError as error:
        raise OperationalError(None, None, error) from error
    except psycopg.Error as error:
        raise DBAPIError(None, None, error) from error


_COMPILED: dict[TextClause, str] = {}
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


def _compiled(sql: TextClause) -> str:
    """The statement as psycopg takes it; remembered, since statements are constants of their modules."""
    known = _COMPILED.get(sql)
    if known is None:
        known = _COMPILED[sql] = str(sql.compile(dialect=_DIALECT))
    return known


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


_BEGIN = {
    role: f"SELECT set_config('role', '{role}', true), set_config('gateway.actor', %(actor)s, true), now()"
    for role in ("gateway_system", "gateway_staff")
}
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(encode(%(lock)s, 'hex'), 1))"


@contextmanager
def unit_of_work(
    engine: Engine, actor: Actor = SYSTEM, now: datetime | None = None, lock: bytes | None = None
) -> Iterator[Work]:
    """One transaction for `actor`; commits at the end of the block, rolls back when it raises.

    `lock` (the system's alone) lets one transaction at a time through for the same bytes, in every process: what a phone
    writes is handled one after the other.

    The time is the database's unless given (simulation, tests). What was registered with `after_commit` runs after
    the commit, and an error in it is logged, never raised: the work is done by then.
    """
    with engine.connect() as connection:
        connection.begin()
        role = "gateway_system" if actor.staff_id is None else "gateway_staff"
        with _in_one_flush(connection) as driver:
            begun = driver.execute(_BEGIN[role], {"actor": str(actor.staff_id or "")})
            if lock is not None:
                driver.execute(_LOCK, {"lock": lock})
        work = Work(connection, actor, now or begun.fetchone()[2].astimezone(UTC))
        yield work
        work.commit()
    for call in work._after:
        try:
            call()
        except Exception as error:
            log.warning("after_commit_failed", error=type(error).__name__)
