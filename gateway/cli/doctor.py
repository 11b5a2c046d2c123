"""`python -m gateway doctor`: whether everything the gateway stands on is right, one line each."""

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import click
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from gateway import config, content, embedded, parts, queues
from gateway.channels import base, registry
from gateway.cli.language import _, shown
from gateway.config import Settings
from gateway.domain import windows
from gateway.domain.errors import GatewayError
from gateway.domain.told import N_
from gateway.store import channels, escalations, health, occurrences, schema, server
from gateway.store.base import unit_of_work
from gateway.vault import Vault, parse_keys

LARGEST_SKEW = timedelta(seconds=5)
SMALLEST_DISK_BYTES = 1_000_000_000
CONNECT_SECONDS = 5
WEEK_HOURS = 7 * 24
MOST_UNITS = 10

# Levels and what findings are about, as they are shown.
N_("ok"), N_("note"), N_("WRONG"), N_("settings"), N_("disk"), N_("servers"), N_("database"), N_("time"), N_("migrations")
N_("roles"), N_("row security"), N_("redis"), N_("keys"), N_("templates"), N_("texts"), N_("words"), N_("channels"), N_("processes")
N_("on call"), N_("second way"), N_("spool")


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
        click.echo(f"{shown(finding.level):<6}{shown(finding.about):<15}{finding.what}")
        level = "WRONG" if finding.level == "WRONG" else level
    raise SystemExit(1 if level == "WRONG" else 0)


def examine(environ: Mapping[str, str]) -> Iterator[Finding]:
    """All findings. A check that cannot be made is a finding too."""
    try:
        settings = Settings.from_env(environ)
    except GatewayError as error:
        for line in error.told(shown).splitlines()[1:]:
            yield wrong("settings", line.strip())
        return
    yield from _settings(environ)
    yield from _disk(settings.var)
    try:
        with embedded.running(settings) as ready:
            found = list(_safely(_database, ready))
            yield from found
            stored = (_keys, _channels, _on_call, _zones, _processes) if all(finding.level != "WRONG" for finding in found) else ()
            for check in (_spool, _redis, _texts, _words, _second_way, *stored):
                yield from _safely(check, ready)
    except GatewayError as error:
        yield wrong("servers", error.told(shown))


def _safely(check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    """A check's findings; what it raises becomes one. Messages of the servers are left out: they hold addresses."""
    about = check.__name__.strip("_")
    try:
        yield from check(settings)
    except GatewayError as error:
        yield wrong(about, error.told(shown))
    except (SQLAlchemyError, RedisError, OSError) as error:
        yield wrong(about, _("cannot be asked ({error}): does it run, and is its address right?").format(error=type(error).__name__))
    except Exception as error:  # the doctor reports what nobody foresaw, too
        yield wrong(about, _("the check itself failed ({error})").format(error=type(error).__name__))


def _settings(environ: Mapping[str, str]) -> Iterator[Finding]:
    known = {setting.metadata["name"] for setting in config.named()}
    if strange := sorted(name for name in environ if name.startswith("GATEWAY_") and name not in known):
        no_such = _("{names}: no such setting (docs/configuration.md lists them)")
        yield note("settings", no_such.format(names=", ".join(strange)))
    else:
        yield ok("settings", _("can be read"))


def _disk(var: Path) -> Iterator[Finding]:
    there = next(folder for folder in (var, *var.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free < SMALLEST_DISK_BYTES:
        too_little = _("{gigabytes:.1f} GB free at {folder}: free some, or what comes in cannot be kept")
        yield wrong("disk", too_little.format(gigabytes=free / 1e9, folder=there))
    else:
        yield ok("disk", _("{gigabytes:.0f} GB free at {folder}").format(gigabytes=free / 1e9, folder=there))


def _spool(settings: Settings) -> Iterator[Finding]:
    spool = parts.spool(settings, Vault(parse_keys(settings.master_keys), parse_keys(settings.index_keys)))
    spool.look()
    if later := len(spool.waiting(later=True)):
        yield wrong("spool", _("{count} files that came in cannot be kept in the database: the log says why (spooled_not_kept)").format(count=later))
    elif waiting := len(spool.waiting()):
        yield note("spool", _("{count} files of what came in wait for PostgreSQL").format(count=waiting))
    else:
        yield ok("spool", _("{folder} can be written, nothing waits in it").format(folder=settings.spool_folder))


def _database(settings: Settings) -> Iterator[Finding]:
    gateway = parts.build(settings)
    said = server.read(gateway.engine)
    if said.version < embedded.binaries.OLDEST_POSTGRES:
        too_old = _("{version} is too old: {needed} is needed")
        yield wrong("database", too_old.format(version=f"PostgreSQL {said.version}", needed=embedded.binaries.OLDEST_POSTGRES))
    elif not said.durable:
        yield wrong("database", _("fsync or full_page_writes is off: a power cut loses messages; switch them on"))
    else:
        yield ok("database", f"PostgreSQL {said.version}" + (_(", embedded") if settings.embedded else ""))
    skew = abs(said.now - datetime.now(UTC))
    if skew > LARGEST_SKEW:
        differs = _("differs by {seconds:.0f} s from the database's: start NTP on both machines")
        yield wrong("time", differs.format(seconds=skew.total_seconds()))
    else:
        yield ok("time", _("within {seconds} s of the database's").format(seconds=LARGEST_SKEW.seconds))
    if missing := schema.missing_migrations(settings.database_url):
        yield wrong("migrations", _("{count} missing: run `python -m gateway migrate`").format(count=len(missing)))
        return
    yield ok("migrations", _("all made"))
    yield from _roles(said)


def _roles(said: server.Server) -> Iterator[Finding]:
    if said.privileged:
        yield wrong("roles", _("the login role is a superuser or has BYPASSRLS, so units are not kept apart: use a plain role"))
    elif said.lacks:
        lacks = _("the login role lacks {roles}: as the owner, GRANT them to it")
        yield wrong("roles", lacks.format(roles=", ".join(said.lacks)))
    else:
        yield ok("roles", _("the login role is plain and has what it needs"))
    if said.unguarded:
        unguarded = _("not forced on, or owned by the login role: {tables}")
        yield wrong("row security", unguarded.format(tables=", ".join(said.unguarded)))
    else:
        yield ok("row security", _("forced on every table of units"))


def _redis(settings: Settings) -> Iterator[Finding]:
    with queues.connect(settings.redis_url) as client:
        said = client.info()
        version = str(said.get("valkey_version") or said["redis_version"])
        if int(version.split(".")[0]) < embedded.binaries.OLDEST_REDIS:
            too_old = _("{version} is too old: {needed} is needed")
            yield wrong("redis", too_old.format(version=version, needed=embedded.binaries.OLDEST_REDIS))
        elif said.get("maxmemory_policy", "noeviction") != "noeviction":
            yield note("redis", _("may drop what it holds when memory is short: set maxmemory-policy noeviction"))
        else:
            yield ok("redis", f"{said.get('server_name', 'redis')} {version}")


def _keys(settings: Settings) -> Iterator[Finding]:
    gateway = parts.build(settings)
    with unit_of_work(gateway.engine) as work:
        opened = len(channels.list_all(work, gateway.vault))
    said = _("open what is encrypted ({count} channels tried)") if opened else _("well-formed; nothing to try them on")
    yield ok("keys", said.format(count=opened))


def _texts(settings: Settings) -> Iterator[Finding]:
    library = content.load()
    if findings := library.lint():
        unfit = _("{count} findings: `python -m gateway template lint` shows them")
        yield wrong("templates", unfit.format(count=len(findings)))
    else:
        purposes = len({purpose for purpose, _language in library.templates})
        said = _("{count} purposes in {languages}")
        yield ok("templates", said.format(count=purposes, languages=", ".join(library.languages)))


def _words(settings: Settings) -> Iterator[Finding]:
    library = content.load()
    for language in library.languages:
        if language not in library.lexicons:
            unread = _("locales/{language}/words.toml is not there: nothing in this language is understood")
            yield wrong("words", unread.format(language=language))
            continue
        signatures = library.lexicons[language].signatures
        unsigned = [name for name, signed in signatures.items() if not signed or signed.startswith("not signed")]
        if unsigned:
            lists = _("{language}: {count} of {all} lists not signed by a native clinician")
            yield note("words", lists.format(language=language, count=len(unsigned), all=len(signatures)))
        else:
            yield ok("words", _("{language}: every list is signed").format(language=language))


def _channels(settings: Settings) -> Iterator[Finding]:
    gateway = parts.build(settings)
    with unit_of_work(gateway.engine) as work:
        known = channels.list_all(work, gateway.vault)
    if not any(channel.state == "active" for channel in known):
        yield note("channels", _("none is active: nothing can be sent; `python -m gateway channel add`"))
    for channel in known:
        address = {"callback_url": f"{settings.public_url}/c/{channel.id}"}
        if complaints := registry.by_kind(channel.kind).check(channel.settings | address):
            yield wrong("channels", f"{channel.name}: {'; '.join(map(shown, complaints))}")
        elif host := _shut_off(channel, settings):
            unsent = _("{name}: nothing is sent to {host}, which lies in a private network: name it in GATEWAY_PRIVATE_HOSTS")
            yield wrong("channels", unsent.format(name=channel.name, host=host))
        elif folder := _no_folder(channel, settings):
            missing = _("{name}: there is no folder {folder}, which gammu-smsd and the process `lines` share (docs/gammu.md)")
            yield wrong("channels", missing.format(name=channel.name, folder=folder))
        elif silent_at := _no_answer(channel):
            silent = _("{name}: nothing answers at {address} from this machine: is the address right, and does the carrier let us in?")
            yield wrong("channels", silent.format(name=channel.name, address=silent_at))
        elif channel.kind != "simulator" and registry.by_kind(channel.kind).capabilities.road == "http" and not settings.public_url.startswith("https://"):
            unreached = _("{name}: set GATEWAY_PUBLIC_URL to the https address the carrier reaches")
            yield note("channels", unreached.format(name=channel.name))
        elif channel.state != "active":
            yield note("channels", f"{channel.name}: {shown(channel.state)}")
        else:
            yield ok("channels", f"{channel.name} ({channel.kind})")


def _shut_off(channel: channels.Channel, settings: Settings) -> str | None:
    """The host in the house that a channel's texts would go to and may not; None when it may, or lies elsewhere."""
    if not registry.capabilities(channel.kind, channel.settings).texts:
        return None
    ours = channel.settings | {"callback_url": settings.public_url}
    asked = registry.of(channel.kind, channel.settings).send_request(ours, base.Outgoing(uuid4(), "t", "+0", "x"))
    host = urlsplit(asked.url).hostname or ""
    return host if asked.guarded and base.is_near(host) and host not in settings.private_hosts else None


def _no_folder(channel: channels.Channel, settings: Settings) -> str | None:
    """The folder that a channel's texts would lie in and that is not on this machine."""
    if registry.by_kind(channel.kind).capabilities.road != "files" or channel.state == "disabled":
        return None
    hold = registry.held(channel.kind).hold_request(channel.settings | {"callback_url": settings.local_url})
    folder: str = json.loads(hold.body)["folder"]
    return None if Path(folder).is_dir() else folder


def _no_answer(channel: channels.Channel) -> str | None:
    """The address that a channel's bind leads to and that takes no connection. Nothing is bound: a carrier may allow one bind alone."""
    if registry.by_kind(channel.kind).capabilities.road != "smpp" or channel.state == "disabled":
        return None
    to = urlsplit(registry.held(channel.kind).hold_request(channel.settings | {"callback_url": ""}).url)
    try:
        socket.create_connection((to.hostname or "", to.port or 0), CONNECT_SECONDS).close()
    except (OSError, UnicodeError):
        return to.netloc
    return None


def _second_way(settings: Settings) -> Iterator[Finding]:
    ways = [way for way, given in ((_("e-mail"), settings.mail_server), (_("webhook"), settings.hook_url)) if given]
    if ways:
        yield ok("second way", ", ".join(ways) + ": " + _("`python -m gateway oncall test` tries it"))
    else:
        yield note("second way", _("none: when texts fail, or the gateway itself, nobody is told (docs/on-call.md)"))


def _on_call(settings: Settings) -> Iterator[Finding]:
    with unit_of_work(parts.build(settings).engine) as work:
        hours = (work.now + timedelta(hours=ahead) for ahead in range(WEEK_HOURS))
        at, units = next(((at, units) for at in hours if (units := escalations.uncovered(work, at))), (work.now, []))
        is_now = at == work.now
    named = ", ".join(units[:MOST_UNITS]) + (", …" if len(units) > MOST_UNITS else "")
    if units and is_now:
        yield wrong("on call", _("an urgent flag would be texted to nobody in {units}: `oncall set` or `staff duty`").format(units=named))
    elif units:
        gap = _("from {at} UTC at the latest an urgent flag would be texted to nobody in {units}")
        yield note("on call", gap.format(at=at.strftime("%Y-%m-%d %H:%M"), units=named))
    else:
        yield ok("on call", _("for every unit there is somebody to text, all week"))


def _zones(settings: Settings) -> Iterator[Finding]:
    """A zone may be known no more after a change of the tz database."""
    with unit_of_work(parts.build(settings).engine) as work:
        found = occurrences.zones(work)
    for zone in sorted({of_unit for own, of_unit in found if windows.zone_or(of_unit, "UTC")[1]}):
        yield wrong("time", _("units have the time zone {zone}, which is not known: `python -m gateway unit edit`").format(zone=zone))
    if lost := {own for own, of_unit in found if own != of_unit and windows.zone_or(own, "UTC")[1]}:
        yield note("time", _("clients have time zones that are not known ({zones}): their unit's is used").format(zones=", ".join(sorted(lost))))


def _processes(settings: Settings) -> Iterator[Finding]:
    state = health.look(parts.build(settings).engine)
    for name in ("clock", "send", *(["lines"] if "lines" in state else [])):
        runs = _("{name} runs").format(name=name)
        yield ok("processes", runs) if state.get(name) else note("processes", _("{name} does not run: `make run`").format(name=name))
