"""`audit`: who did what, and whether the trail is as it was written."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from gateway import embedded
from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.config import Settings
from gateway.domain.errors import Refused
from gateway.store import base, clients, staff, units
from gateway.store.audit import Asked, Line
from gateway.usecases import read_audit, seal_audit, sheets


@click.group()
def audit() -> None:
    """Who did what to what, and when. Nobody can change it; `verify` shows whether anybody did."""


@audit.command("list")
@click.option("--since", help="First day.")
@click.option("--until", help="Last day.")
@click.option("--staff", "staff_code", help="Code of whoever did it.")
@click.option("--unit", help="Code of a unit; those below count too.")
@click.option("--client", help="Code of the client it is about.")
@click.option("--action", help="Such as client.reveal, or client.* for all that begin so.")
@click.option("--most", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--reveal", metavar="REASON", help="Show values before and after too; the reason is logged.")
@click.option("--csv", "file", type=click.Path(dir_okay=False, path_type=Path), help="All of it, not only the latest, as a table.")
@session.as_staff
def list_audit(most: int, reveal: str | None, file: Path | None, as_code: str, **asked: Any) -> None:
    """What was done in your units, the newest first. Looking is logged too."""
    with session.open(as_code, *session.LEAD) as s, s.work() as work:
        zone = s.zone(work)
        wanted = _asked(work, zone, **asked)
        if file is not None:
            count = sheets.write(file, _headings(), map(_cells, read_audit.every(work, s.vault, wanted, reveal)))
            screen.say("{count} rows in {file}, which only you can read", count=count, file=file)
            return
        found = read_audit.latest(work, s.vault, wanted, most, reveal)
    for line in found:
        detail = " ".join(f"{name}={_short(value)}" for name, value in line.detail.items())
        click.echo(f"{screen.local(line.at, zone)}  {_who(line)}  {line.action}  {_what(line)}  {screen.one_line(detail)}".rstrip())
        for said in _values(line) if reveal else ():
            click.echo(f"    {screen.one_line(said)}")
    if not found:
        screen.say("nothing of that kind was done")


def _asked(
    work: base.Work, zone: str, since: str | None, until: str | None, staff_code: str | None, unit: str | None, client: str | None,
    action: str | None,
) -> Asked:  # fmt: skip
    return Asked(
        since=screen.begin_of(screen.day(since), zone) if since else None,
        until=screen.end_of(screen.day(until), zone) if until else None,
        staff_id=staff.by_code(work, staff_code).id if staff_code else None,
        unit_id=units.by_code(work, unit).id if unit else None, action=action,
        client_id=clients.by_code(work, client).id if client else None,
    )  # fmt: skip


def _who(line: Line) -> str:
    return _("the system") if line.staff_id is None else line.staff_code or str(line.staff_id)[:8]


def _what(line: Line) -> str:
    if line.subject == "client":
        return f"{shown(line.subject)} {line.client_code or line.subject_id[:8]}"
    about = f" ({_('client {code}').format(code=line.client_code)})" if line.client_code else ""
    return f"{shown(line.subject)} {line.subject_id[:8]}{about}"


def _short(value: object) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, str | int) else json.dumps(value, ensure_ascii=False)


def _values(line: Line) -> Iterator[str]:
    """Each value with what it was and is, or why it cannot be said."""
    if line.has_values and line.values is None:
        yield _("(cannot be read any more: the client was erased or has moved)")
    for name, value in (line.values or {}).items():
        if isinstance(value, list) and len(value) == 2:
            yield f"{shown(name)}: {_short(value[0])} -> {_short(value[1])}"
        else:
            yield f"{shown(name)}: {_short(value)}"


def _headings() -> list[str]:
    return [_("time (UTC)"), _("number"), _("staff"), _("unit"), _("action"), _("subject"), _("id"), _("client"), _("details"), _("values")]


def _cells(line: Line) -> list[object]:
    values = None if line.values is None else json.dumps(line.values, ensure_ascii=False)
    return [line.at.strftime("%Y-%m-%d %H:%M:%S"), line.number, _who(line), line.unit_code, line.action, line.subject, line.subject_id,
            line.client_code, json.dumps(line.detail, ensure_ascii=False), values]  # fmt: skip


@audit.command()
@click.option("--kept", metavar="HASH", help="The hash of a seal that you wrote down before: it must still be there.")
def verify(kept: str | None) -> None:
    """Read the whole trail and say whether it is as it was sealed; exit 1 and the first fault when it is not.

    Write the hash down somewhere else: whoever owns the database could cut the end off, or seal all anew, and only that shows it.
    """
    hash = _hash(kept) if kept else None
    with embedded.running(Settings.from_env(os.environ)) as settings:
        engine = base.connect(settings.database_url, pool_size=1)
        found = seal_audit.verify(engine, hash)
        engine.dispose()
    if found.last is not None:
        screen.say("seals {seals}, rows {rows}; last sealed {at} UTC", seals=found.last.number, rows=found.last.last,
                   at=found.last.sealed_at.strftime("%Y-%m-%d %H:%M:%S"))  # fmt: skip
        screen.say("hash of the last seal: {hash}", hash=found.last.hash.hex())
    if found.waiting:
        assert found.waiting_since is not None
        screen.say("{count} rows wait to be sealed, since {at} UTC", count=found.waiting, at=found.waiting_since.strftime("%Y-%m-%d %H:%M:%S"))
    if found.fault is not None:
        fault = found.fault
        screen.say("WRONG: {what}", what=_(fault.what).format(seal=fault.seal, first=fault.first, last=fault.last))
    if found.kept is False:
        screen.say("WRONG: no seal has the hash you gave: the end was cut off, all was sealed anew, or an old backup was restored")
    if found.fault is not None or found.kept is False:
        raise SystemExit(1)
    screen.say("the trail is as it was sealed")


def _hash(typed: str) -> bytes:
    try:
        found = bytes.fromhex(typed)
    except ValueError:
        found = b""
    if len(found) != 32:
        raise Refused("the hash is 64 digits and letters a to f, as `audit verify` and the log show it")
    return found
