"""The tables as the newest version wants them. Alembic is loaded here alone: what only works with the tables needs none of it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def migrate(admin_url: str, login_role: str | None) -> None:
    """Bring the database to the newest schema; `admin_url` owns it, `login_role` is the one the gateway connects as."""
    engine = create_engine(admin_url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        config = _config()
        config.attributes.update(connection=connection, login_role=login_role)
        command.upgrade(config, "head")
    engine.dispose()


def missing_migrations(url: str) -> list[str]:
    """Revisions that the database does not have yet; [] when it is up to date."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    script = ScriptDirectory.from_config(_config())
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    return [r.revision for r in script.iterate_revisions("head", current or "base")]
