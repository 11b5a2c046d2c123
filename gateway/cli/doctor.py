"""`python -m gateway doctor`: whether everything the gateway stands on is right, one line each."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from gateway import config, content, embedded, parts, queues, store
from gateway.channels import registry
from gateway.config import Settings
from gateway.domain.errors import GatewayError
from gateway.store import channels, health, server
from gateway.store.base import unit_of_work

LARGEST_SKEW = timedelta(seconds=5)
SMALLEST_DISK_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `level`: ok, note (worth knowing), WRONG (must be put right)."""

    level: str
    about: str
    what: str


def ok(about: str, what: str) -> Finding:
    return Finding("ok", about, what)


def note(about: str, what: str) -> Finding:
    return Finding("note", about, what)


def wrong(about: str, what: str) -> Finding:
    return Finding("WRONG", about, what)


@click.command("doctor")
def doctor() -> None:
    """Check settings, servers, roles, keys, templates, channels, clock and disk; exit 1 when something is wrong."""
    level = "ok"
    for finding in examine(os.environ):
        click.echo(f"{finding.level:<6}{finding.about:<15}{finding.what}")
        level = "WRONG" if finding.level == "WRONG" else level
    raise SystemExit(1 if level == "WRONG" else 0)


def examine(environ: Mapping[str, str]) -> Iterator[Finding]:
    """All findings. A check that cannot be made is a finding too."""
    try:
        settings = Settings.from_env(environ)
    except GatewayError as error:
        for line in str(error).splitlines()[1:]:
            yield wrong("settings", line.strip())
        return
    yield from _settings(environ)
    yield from _disk(settings.var)
    try:
        with embedded.running(settings) as ready:
            found = list(_safely(_database, ready))
            yield from found
            stored = (_keys, _channels, _processes) if all(finding.level != "WRONG" for finding in found) else ()
            for check in (_redis, _texts, _words, *stored):
                yield from _safely(check, ready)
    except GatewayError as error:
        yield wrong("servers", str(error))


def _safely(check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    """A check's findings; what it raises becomes one. Messages of the servers are left out: they hold addresses."""
    about = check.__name__.strip("_")
    try:
        yield from check(settings)
    except GatewayError as error:
        yield wrong(about, str(error))
    except (SQLAlchemyError, RedisError, OSError) as error:
        yield wrong(about, f"cannot be asked ({type(error).__name__}): does it run, and is its address right?")
    except Exception as error:  # the doctor reports what nobody foresaw, too
        yield wrong(about, f"the check itself failed ({type(error).__name__})")


def _settings(environ: Mapping[str, str]) -> Iterator[Finding]:
    known = {setting.metadata["name"] for setting in config.named()}
    if strange := sorted(name for name in environ if name.startswith("GATEWAY_") and name not in known):
        yield note("settings", f"{', '.join(strange)}: no such setting (docs/configuration.md lists them)")
    else:
        yield ok("settings", "can be read")


def _disk(var: Path) -> Iterator[Finding]:
    there = next(folder for folder in (var, *var.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free < SMALLEST_DISK_BYTES:
        yield wrong("disk", f"{free / 1e9:.1f} GB free at {there}: free some, or what comes in cannot be kept")
    else:
        yield ok("disk", f"{free / 1e9:.0f} GB free at {there}")


def _database(settings: Settings) -> Iterator[Finding]:
    gateway = parts.build(settings)
    said = server.read(gateway.engine)
    if said.version < embedded.binaries.OLDEST_POSTGRES:
        yield wrong("database", f"PostgreSQL {said.version} is too old: {embedded.binaries.OLDEST_POSTGRES} is needed")
    elif not said.durable:
        yield wrong("database", "fsync or full_page_writes is off: a power cut loses messages; switch them on")
    else:
        yield ok("database", f"PostgreSQL {said.version}{', embedded' if settings.embedded else ''}")
    skew = abs(said.now - datetime.now(UTC))
    if skew > LARGEST_SKEW:
        yield wrong("time", f"differs by {skew.total_seconds():.0f} s from the database's: start NTP on both machines")
    else:
        yield ok("time", f"within {LARGEST_SKEW.seconds} s of the database's")
    if missing := store.missing_migrations(settings.database_url):
        yield wrong("migrations", f"{len(missing)} missing: run `python -m gateway migrate`")
        return
    yield ok("migrations", "all made")
    yield from _roles(said)


def _roles(said: server.Server) -> Iterator[Finding]:
    if said.privileged:
        yield wrong("roles", "the login role is a superuser or has BYPASSRLS, so units are not kept apart: use a plain role")
    elif said.lacks:
        yield wrong("roles", f"the login role lacks {', '.join(said.lacks)}: as the owner, GRANT them to it")
    else:
        yield ok("roles", "the login role is plain and has what it needs")
    if said.unguarded:
        yield wrong("row security", f"not forced on, or owned by the login role: {', '.join(said.unguarded)}")
    else:
        yield ok("row security", "forced on every table of units")


def _redis(settings: Settings) -> Iterator[Finding]:
    with queues.connect(settings.redis_url) as client:
        said = client.info()
        version = str(said.get("valkey_version") or said["redis_version"])
        if int(version.split(".")[0]) < embedded.binaries.OLDEST_REDIS:
            yield wrong("redis", f"{version} is too old: {embedded.binaries.OLDEST_REDIS} is needed")
        elif said.get("maxmemory_policy", "noeviction") != "noeviction":
            yield note("redis", "may drop what it holds when memory is short: set maxmemory-policy noeviction")
        else:
            yield ok("redis", f"{said.get('server_name', 'redis')} {version}")


def _keys(settings: Settings) -> Iterator[Finding]:
    gateway = parts.build(settings)
    with unit_of_work(gateway.engine) as work:
        opened = len(channels.list_all(work, gateway.vault))
    yield ok("keys", f"open what is encrypted ({opened} channels tried)" if opened else "well-formed; nothing to try them on")


def _texts(settings: Settings) -> Iterator[Finding]:
    library = content.load()
    if findings := library.lint():
        yield wrong("templates", f"{len(findings)} findings: `python -m gateway template lint` shows them")
    else:
        purposes = len({purpose for purpose, _ in library.templates})
        yield ok("templates", f"{purposes} purposes in {', '.join(library.languages)}")


def _words(settings: Settings) -> Iterator[Finding]:
    library = content.load()
    for language in library.languages:
        if language not in library.lexicons:
            yield wrong("words", f"locales/{language}/words.toml is not there: nothing in this language is understood")
            continue
        signatures = library.lexicons[language].signatures
        unsigned = [name for name, signed in signatures.items() if not signed or signed.startswith("not signed")]
        if unsigned:
            yield note("words", f"{language}: {len(unsigned)} of {len(signatures)} lists not signed by a native clinician")
        else:
            yield ok("words", f"{language}: every list is signed")


def _channels(settings: Settings) -> Iterator[Finding]:
    gateway = parts.build(settings)
    with unit_of_work(gateway.engine) as work:
        known = channels.list_all(work, gateway.vault)
    if not any(channel.state == "active" for channel in known):
        yield note("channels", "none is active: nothing can be sent; `python -m gateway channel add`")
    for channel in known:
        address = {"callback_url": f"{settings.public_url}/c/{channel.id}"}
        if complaints := registry.by_kind(channel.kind).check(channel.settings | address):
            yield wrong("channels", f"{channel.name}: {'; '.join(complaints)}")
        elif channel.kind != "simulator" and not settings.public_url.startswith("https://"):
            yield note("channels", f"{channel.name}: set GATEWAY_PUBLIC_URL to the https address the carrier reaches")
        elif channel.state != "active":
            yield note("channels", f"{channel.name}: {channel.state}")
        else:
            yield ok("channels", f"{channel.name} ({channel.kind})")


def _processes(settings: Settings) -> Iterator[Finding]:
    state = health.look(parts.build(settings).engine)
    for name in ("clock", "send"):
        yield ok("processes", f"{name} runs") if state.get(name) else note("processes", f"{name} does not run: `make run`")
