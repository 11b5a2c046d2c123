"""Who works, and on what: opens the database and the keys for a staff member named by `--as`."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any

import click
from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError

from gateway import content, embedded
from gateway.cli import language
from gateway.config import Settings
from gateway.domain.errors import NotAllowed, NotFound, Refused
from gateway.domain.told import Word
from gateway.store import base, staff, units
from gateway.vault import Vault, parse_keys

# Roles that work with people; an analyst sees figures, never persons.
PEOPLE = ("case_worker", "reviewer", "supervisor", "administrator")
CARE = ("case_worker", "supervisor", "administrator")
LEAD = ("supervisor", "administrator")
ADMIN = ("administrator",)


@dataclass
class Session:
    """An open gateway and who works with it."""

    settings: Settings
    engine: Engine
    vault: Vault
    actor: base.Actor

    @cached_property
    def content(self) -> content.Content:
        """What we say, read when first asked for."""
        return content.load()

    def work(self) -> AbstractContextManager[base.Work]:
        """A transaction as the staff member: the rows of other units are not there."""
        return _shown_once_committed(self.engine, self.actor)

    def system(self) -> AbstractContextManager[base.Work]:
        """A transaction for what reaches beyond the member's rights, after they were checked; audit with `by=actor`."""
        return _shown_once_committed(self.engine, base.SYSTEM)

    def zone(self, work: base.Work) -> str:
        """The time zone of the member's unit, in which lists show times."""
        assert self.actor.unit_id is not None
        return units.get(work, self.actor.unit_id).time_zone


@contextmanager
def _shown_once_committed(engine: Engine, actor: base.Actor) -> Iterator[base.Work]:
    """A transaction whose block may print: it is seen after the commit alone, so that nobody sees what the trail does not say they saw.

    Else `… | head -1` would end the command while it prints, and take the trail's row with it.
    """
    said = io.StringIO()
    with base.unit_of_work(engine, actor) as work, redirect_stdout(said):
        yield work
    click.echo(said.getvalue(), nl=False)


@contextmanager
def open(as_code: str | None, *roles: str) -> Iterator[Session]:
    """The session of a staff member with one of the roles (default: those who work with people).

    Raises Refused for an unknown or inactive one, NotAllowed for another role. `as_code` None: the system itself, which
    only the first staff member needs.
    """
    with embedded.running(Settings.from_env(os.environ)) as settings:
        vault = Vault(parse_keys(settings.master_keys), parse_keys(settings.index_keys))
        engine = base.connect(settings.database_url, pool_size=1)
        try:
            yield Session(settings, engine, vault, _actor(engine, as_code, roles or PEOPLE))
        except (OperationalError, InterfaceError) as error:
            if base.is_tangled(error):
                raise
            raise Refused(
                "The database went away ({error}). Look whether the change is there before you try again.",
                error=type(error.orig).__name__,
            ) from None
        finally:
            engine.dispose()


def _actor(engine: Engine, as_code: str | None, roles: tuple[str, ...]) -> base.Actor:
    try:
        with base.unit_of_work(engine) as work:
            if as_code is None:
                return _nobody_yet(work)
            member = staff.by_code(work, as_code)
            language.choose(member.language)
    except NotFound:
        raise Refused("no staff member {code!r}: --as takes the code that `staff add` gave", code=as_code) from None
    except (OperationalError, ProgrammingError) as error:
        raise Refused(
            "The database cannot be used ({error}): run `python -m gateway doctor`", error=type(error.orig).__name__
        ) from None
    if not member.active:
        raise Refused("staff member {code!r} is no longer active", code=as_code)
    if member.role not in roles:
        allowed = [Word(role) for role in roles]
        raise NotAllowed("the role {role} may not do this; it takes: {roles}", role=Word(member.role), roles=allowed)
    return member.actor


def _nobody_yet(work: base.Work) -> base.Actor:
    if staff.any_there(work):
        raise Refused("--as STAFF is missing: only before the first staff member exists can it be left out")
    return base.SYSTEM


def as_staff(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option `--as STAFF`, which every command that touches people takes."""
    return click.option("--as", "as_code", required=True, metavar="STAFF", help="Code of the staff member who does this.")(_again(command))


def as_administrator(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same option where the very first staff member cannot give it yet."""
    said = "Code of an administrator; left out before the first one exists."
    return click.option("--as", "as_code", metavar="STAFF", help=said)(_again(command))


def _again(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command, done again when a deadlock undid it. Each writes in one transaction, or leaves what it wrote as it is."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        return base.untangled(lambda: command(*args, **kwargs))

    return run
