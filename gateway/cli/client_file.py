"""`client import`, and what every command checks about a client before it is kept."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.domain.errors import Refused
from gateway.domain.told import N_
from gateway.store import consents
from gateway.usecases import change_client
from gateway.usecases import import_clients as importing
from gateway.usecases.sheets import BadRows


def read_consents(agreed: Sequence[str]) -> dict[str, str]:
    """PURPOSE:BASIS options as purpose -> basis. Raises Refused."""
    found = {}
    for each in agreed:
        purpose, _colon, basis = each.partition(":")
        if purpose not in consents.PURPOSES or not basis.strip():
            raise Refused("a consent is PURPOSE:BASIS, such as reminder:\"signed form\"; purposes: {purposes}", purposes=consents.PURPOSES)
        found[purpose] = basis.strip()
    return found


def bad_rows(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option of imports that says where bad rows go."""
    return click.option("--bad-rows", type=click.Path(dir_okay=False, path_type=Path),
                        help="Where refused rows go, with their reasons; FILE.bad.csv by default.")(command)  # fmt: skip


def bad_rows_path(file: Path, given: Path | None) -> Path:
    """Where bad rows go. Raises Refused for the file itself."""
    path = given or file.with_name(f"{file.stem}.bad.csv")
    if path.resolve() == file.resolve():
        raise Refused("--bad-rows names the file that is read: give another one")
    return path


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--unit", help="Code of the unit of rows that name none; your own by default.")
@click.option("--consent", "agreed", multiple=True, metavar="PURPOSE:BASIS", help="For rows that are silent on a purpose.")
@click.option("--basis", help="Of consents in the file that give none.")
@click.option("--yes-means", multiple=True, type=click.Choice(consents.PURPOSES), help="What a bare yes in a consent column means.")
@click.option("--field", "own", multiple=True, metavar="HEADING", help="Keep this column as a field of your own.")
@click.option("--date", "dates", multiple=True, metavar="HEADING=NAME", help="This column holds a day that programmes count from, such as Left=discharge.")
@click.option("--dry-run", is_flag=True, help="Read, judge and count; change nothing.")
@bad_rows
@session.as_staff
def import_clients(
    file: Path, unit: str | None, agreed: Sequence[str], basis: str | None, yes_means: tuple[str, ...], own: tuple[str, ...],
    dates: Sequence[str], dry_run: bool, bad_rows: Path | None, as_code: str,
) -> None:  # fmt: skip
    """Take over a register (CSV) with English or Vietnamese headings: all of it, or nothing.

    People are known by their code. Whoever is there already is changed where the row says something else; importing the
    same file again changes nothing.
    """
    named = {heading: change_client.checked_date_name(name) for heading, name in screen.pairs(dates, N_("a date's column")).items()}
    options = importing.Options(unit, read_consents(agreed), basis, yes_means, own, named, dry_run)
    target = bad_rows_path(file, bad_rows)
    with session.open(as_code, *session.CARE) as s:
        with BadRows(target, shown) as bad, click.progressbar(length=file.stat().st_size, label=_("Reading")) as bar:
            counts = importing.run(
                s.engine, s.vault, s.actor, file, options, bad.write, lambda done, _size: bar.update(done - bar.pos)
            )
        _report(counts, dry_run, target, bad.count)


def _report(counts: importing.Counts, dry_run: bool, target: Path, bad: int) -> None:
    if dry_run:
        screen.say("nothing was changed (--dry-run); it would be:")
    screen.say("new {new}, updated {updated}, unchanged {unchanged}, duplicate {duplicate}, invalid {invalid}, opted out {opted_out}, "
               "numbers to verify {to_verify}", **{name: getattr(counts, name) for name in importing.Counts.__slots__})  # fmt: skip
    if counts.ignored_columns:
        screen.warn("{count} columns were not kept; --field keeps one", count=len(counts.ignored_columns))
    if bad:
        screen.warn("{count} rows with their reasons: {file}", count=bad, file=target)
