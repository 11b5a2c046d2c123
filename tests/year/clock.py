"""The virtual clock: `now()` of one database, for every process that is connected to it.

The gateway asks PostgreSQL for the time, once in each transaction. In this database a function of that name stands before
PostgreSQL's own in the search path, so that not a line of the gateway knows of it.
"""

from datetime import datetime

import psycopg

_INSTALL = """
  CREATE SCHEMA virtual;
  CREATE TABLE virtual.clock (at timestamptz NOT NULL) WITH (fillfactor = 10);
  INSERT INTO virtual.clock VALUES (now());
  CREATE FUNCTION virtual.now() RETURNS timestamptz STABLE LANGUAGE sql AS 'SELECT at FROM virtual.clock';
  GRANT USAGE ON SCHEMA virtual TO PUBLIC;
  GRANT SELECT ON virtual.clock TO PUBLIC;
  ALTER DATABASE {name} SET search_path = virtual, pg_catalog, public;
"""


class Clock:
    """Stands still until it is wound. To be made before anything else connects."""

    def __init__(self, admin_url: str, database: str, at: datetime, also: str = "SELECT") -> None:
        """`also`: SQL that only the owner may run, for the simulation's own needs."""
        self._admin = psycopg.connect(admin_url, autocommit=True)
        self._admin.execute(_INSTALL.format(name=database).encode())
        self._admin.execute(also.encode())
        self.now = at
        self.wind(at)

    def wind(self, at: datetime) -> None:
        """From now on it is `at`."""
        self.now = at
        self._admin.execute("UPDATE virtual.clock SET at = %s", [at])

    def now_s(self) -> float:
        """The same in seconds, for the carrier's books."""
        return self.now.timestamp()

    def close(self) -> None:
        self._admin.close()
