"""`client import`, what every import command does, and what every command checks about a client before it is kept."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.domain.errors import Refused
from gateway.domain.told import N_
from gateway.store import consents
from gateway.usecases import change_client, run_imports
from gateway.usecases.sheets import BadRows
from gateway.usecases.tables import Options, Table

NOTHING_CHOSEN = Options()


def read_consents(agreed: Sequence[str]) -> dict[str, str]:
    """PURPOSE:BASIS options as purpose -> basis. Raises Refused."""
    found = {}
    for each in agreed:
        purpose, _colon, basis = each.partition(":")
        if purpose not in consents.PURPOSES or not basis.strip():
            raise Refused("a consent is PURPOSE:BASIS, such as reminder:\"signed form\"; purposes: {purposes}", purposes=consents.PURPOSES)
        found[purpose] = basis.strip()
    return found


def a_file(command: Callable[..., Any]) -> Callable[..., Any]:
    """What all imports take: the file, --dry-run, and where bad rows go."""
    command = click.option("--bad-rows", type=click.Path(dir_okay=False, path_type=Path),
                           help="Where refused rows go, with their reasons; FILE.bad.csv by default.")(command)  # fmt: skip
    command = click.option("--dry-run", is_flag=True, help="Read, judge and count; change nothing.")(command)
    return click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))(command)


def take_over(s: session.Session, kind: str, file: Path, dry_run: bool, bad_rows: Path | None, options: Options = NOTHING_CHOSEN) -> Any:
    """Import a file while a bar says how far it is, and say where its bad rows are; what was counted. Raises Refused."""
    target = bad_rows or file.with_name(f"{file.stem}.bad.csv")
    if target.resolve() == file.resolve():
        raise Refused("--bad-rows names the file that is read: give another one")
    with BadRows(target, shown) as bad, click.progressbar(length=100, label=_("Reading")) as bar:
        table = Table(file, options, bad.write, lambda done, size: bar.update(100 * done // max(size, 1) - bar.pos))
        counts = run_imports.run(s.engine, s.vault, s.content, s.actor, kind, table, dry_run=dry_run)
    if dry_run:
        screen.say("nothing was changed (--dry-run); it would be:")
    if bad.count:
        screen.warn("{count} rows with their reasons: {file}", count=bad.count, file=target)
    return counts


@click.command("import")
@a_file
@click.option("--unit", help="Code of the unit of rows that name none; your own by default.")
@click.option("--consent", "agreed", multiple=True, metavar="PURPOSE:BASIS", help="For rows that are silent on a purpose.")
@click.option("--basis", help="Of consents in the file that give none.")
@click.option("--yes-means", multiple=True, type=click.Choice(consents.PURPOSES), help="What a bare yes in a consent column means.")
@click.option("--field", "own", multiple=True, metavar="HEADING", help="Keep this column as a field of your own.")
@click.option("--date", "dates", multiple=True, metavar="HEADING=NAME", help="This column holds a day that programmes count from, such as Left=discharge.")
@session.as_staff
def import_clients(
    file: Path, unit: str | None, agreed: Sequence[str], basis: str | None, yes_means: tuple[str, ...], own: tuple[str, ...],
    dates: Sequence[str], dry_run: bool, bad_rows: Path | None, as_code: str,
) -> None:  # fmt: skip
    """Take over a register (.xlsx or CSV) with English or Vietnamese headings: all of it, or nothing.

    People are known by their code. Whoever is there already is changed where the row says something else; importing the
    same file again changes nothing.
    """
    named = {heading: change_client.checked_date_name(name) for heading, name in screen.pairs(dates, N_("a date's column")).items()}
    options = Options(unit, read_consents(agreed), basis, yes_means, own, named)
    with session.open(as_code, *session.CARE) as s:
        counts = take_over(s, "clients", file, dry_run, bad_rows, options)
    screen.say("new {new}, updated {updated}, unchanged {unchanged}, duplicate {duplicate}, invalid {invalid}, opted out {opted_out}, "
               "numbers to verify {to_verify}", **{name: getattr(counts, name) for name in counts.__slots__})  # fmt: skip
    if counts.ignored_columns:
        screen.warn("{count} columns were not kept; --field keeps one", count=len(counts.ignored_columns))
