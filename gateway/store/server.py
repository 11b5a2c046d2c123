"""What the database server says about itself and about our place in it: `doctor` asks."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, text


@dataclass(frozen=True, slots=True)
class Server:
    """`privileged`: the login role could pass by row-level security. `lacks`: roles it needs and was not granted.

    `unguarded`: tables of units without forced row-level security, or owned by the login role, who may switch it off.
    """

    version: int
    now: datetime
    privileged: bool
    durable: bool
    lacks: tuple[str, ...]
    unguarded: tuple[str, ...]


OPEN = ("unit_tree", "staff_units", "channels")
"""Tables with a unit that everybody may read: they hold nothing personal (a channel's settings are encrypted)."""

_SERVER = text("""
  SELECT current_setting('server_version_num')::int / 10000 AS version, clock_timestamp() AS now,
    rolsuper OR rolbypassrls AS privileged,
    current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' AS durable
  FROM pg_roles WHERE rolname = current_user""")
_LACKS = text("""
  SELECT wanted FROM unnest(ARRAY['gateway_staff', 'gateway_reviewer', 'gateway_analyst', 'gateway_system']) AS wanted
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted AND pg_has_role(current_user, oid, 'MEMBER'))""")
_UNGUARDED = text("""
  SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'unit_id'
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
    AND c.relname <> ALL(:open)
  UNION SELECT relname FROM pg_class
  WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_get_userbyid(relowner) = current_user
  ORDER BY 1""")


def read(engine: Engine) -> Server:
    """Ask as the role that connects."""
    with engine.connect() as connection:
        said = connection.execute(_SERVER).one()
        lacks = connection.execute(_LACKS).scalars().all()
        unguarded = connection.execute(_UNGUARDED, {"open": list(OPEN)}).scalars().all()
    return Server(said.version, said.now, said.privileged, said.durable, tuple(lacks), tuple(unguarded))
