"""The commands that start, migrate and empty the gateway."""

import os
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

import gateway
from gateway import embedded, supervisor
from gateway.cli import screen
from gateway.cli.language import _
from gateway.config import Settings
from gateway.domain.errors import Refused
from gateway.store import base, credentials, schema, units
from gateway.usecases import load_example, sign_in
from gateway.vault import Vault, parse_keys
from gateway.web import simulator

PROCFILE = Path(gateway.__file__).parents[1] / "Procfile"


@click.command("run")
def run() -> None:
    """Start everything on this machine and keep it running until Ctrl-C.

    Without DATABASE_URL and REDIS_URL, PostgreSQL and Valkey are started from `./var`, and an empty database is filled
    with the example register.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = Settings.from_env(os.environ)
    with embedded.running(settings) as ready, embedded.revived(settings):
        migrate_to_head(ready)
        if settings.embedded:
            fill(ready)
        if simulator.may_be_shown(ready):
            screen.say("Phone simulator: {address}", address=f"{ready.local_url}/simulator")
        screen.say("Health:          {address}", address=f"{ready.local_url}/health")
        screen.say("Staff pages:     {address}", address=ready.public_url)
        if ready.embedded:
            show_ways_in(ready)
        if ready.embedded:
            screen.say("Ctrl-C stops everything; the data stays in {folder}", folder=ready.var)
        else:
            screen.say("Ctrl-C stops.")
        ready.var.mkdir(parents=True, exist_ok=True)
        environ = {**os.environ, "GATEWAY_VAR": str(ready.var), "PYTHONUNBUFFERED": "1"}
        supervisor.run(supervisor.parse(PROCFILE.read_text()), environ, ready.var / "processes", sys.stdout)


@click.command("migrate")
def migrate() -> None:
    """Bring the database to the newest schema."""
    with embedded.running(Settings.from_env(os.environ)) as settings:
        migrate_to_head(settings)
        screen.say("The database is up to date.")


@click.command("reset")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> None:
    """Delete the embedded database with all its clients, and the keys it was encrypted with."""
    var = Settings.from_env({**os.environ, "DATABASE_URL": ""}).var
    if not embedded.is_made(var):
        screen.say("{folder} holds no embedded database: nothing to do.", folder=var)
        return
    if not yes:
        click.confirm(_("Delete every client, message and key in {folder}, for good?").format(folder=var), abort=True)
    embedded.empty(var)
    screen.say("{folder} is empty.", folder=var)


def migrate_to_head(settings: Settings) -> None:
    """Run the migrations that the database lacks. Raises Refused when that needs an owner we were not told."""
    missing = schema.missing_migrations(settings.database_url)
    if missing and not settings.admin_url:
        raise Refused(
            "The database lacks the migrations {missing}, and its login role may not make them. Run "
            "`python -m gateway migrate` with GATEWAY_ADMIN_DATABASE_URL set to the address of the database's owner.",
            missing=missing[::-1],
        )
    if missing:
        screen.say("Preparing the database…")
        schema.migrate(settings.admin_url, urlsplit(settings.database_url).username)


def fill(settings: Settings) -> None:
    """Load the example register into a database without a single unit."""
    engine = base.connect(settings.database_url)
    try:
        with base.unit_of_work(engine) as work:
            if units.any_there(work):
                return
        screen.say("Loading the example register…")
        load_example.load(engine, Vault(parse_keys(settings.master_keys), parse_keys(settings.index_keys)))
    finally:
        engine.dispose()


def show_ways_in(settings: Settings) -> None:
    """Print, for the example's staff who have no password yet, the address at which they choose one."""
    engine, vault = base.connect(settings.database_url), Vault(parse_keys(settings.master_keys), parse_keys(settings.index_keys))
    try:
        with base.unit_of_work(engine) as work:
            found = credentials.lacking(work, [code for code, *_about in load_example.STAFF])
            codes = [(each.code, sign_in.invite(work, vault, each.id, each.unit_id, base.SYSTEM)) for each in found]
    finally:
        engine.dispose()
    if codes:
        screen.say("Choose a password for any of these; the administrator also sets up an app for the second factor:")
    for code, invitation in codes:
        click.echo(f"  {code:<11} {sign_in.invitation_address(settings.public_url, invitation)}")
