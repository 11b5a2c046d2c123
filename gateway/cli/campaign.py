"""`campaign`: texts to many people, looked at before they go and stopped when they must not."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from gateway.cli import screen, session
from gateway.domain import campaigns as rules
from gateway.domain.errors import Refused
from gateway.store import audit, campaigns
from gateway.store.campaigns import Campaign, Counts
from gateway.usecases import launch_campaign, preview_campaign
from gateway.usecases.preview_campaign import Preview


@click.group()
def campaign() -> None:
    """Texts to many clients at once, and reminders of appointments. Nothing is sent before `approve`."""


@campaign.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="What staff call it.")
@click.option("--reminder", "reminders", multiple=True, metavar="TEMPLATE=1d@17:00", help="A step before appointments; several may be given.")
@click.option("--text", "purpose", metavar="TEMPLATE", help="One text, once, instead of reminders.")
@click.option("--not-before", help="Earliest moment of the one text: 2030-01-31T09:00 on each client's clock.")
@click.option("--at", help="Time of day of the one text on each client's clock: 10:00.")
@click.option("--lasts", help="How long the one text is worth sending: 48h.")
@click.option("--unit", "units", multiple=True, help="Code of a unit; all below it belong to it. Default: yours.")
@click.option("--group", "groups", multiple=True, help="Only clients of this group.")
@click.option("--language", "languages", multiple=True, help="Only clients of this language.")
@click.option("--worker", "workers", multiple=True, help="Only clients of this staff member.")
@click.option("--client", "clients", multiple=True, help="Only this client.")
@click.option("--unverified", is_flag=True, help="Also to phones that somebody should check first.")
@click.option("--missing", type=click.Choice(["dont_send", "campaign_default", "unit_default"]), help="Where a language has no text.")
@click.option("--default-language", help="The language of campaign_default.")
@click.option("--value", "values", multiple=True, metavar="NAME[.LANGUAGE]=WORDS", help="What stands in a place of the template.")
@click.option("--price", "prices", multiple=True, metavar="PREFIX=PRICE", help="Of one segment to phones of a prefix: +84=450.")
@click.option("--currency", default="", help="Of the prices.")
@session.as_staff
def create(file: Path | None, as_code: str, **options: Any) -> None:
    """Keep a draft, from a TOML FILE (see examples/campaigns) or from options."""
    given = [name for name, value in options.items() if value]
    if file is not None and given:
        raise Refused("give a file or options, not both")
    spec = rules.read(_read(file) if file is not None else _asked(options))
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        made = launch_campaign.create(work, s.content, spec)
    click.echo(f"draft {made.spec.name!r} kept; look at it with `python -m gateway campaign preview {made.spec.name!r}`")


def _read(file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise Refused(f"{file.name} is no TOML file: {broken}") from None


def _asked(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as a campaign file says them."""
    lists = {name: list(options[name]) for name in ("units", "groups", "languages", "workers", "clients") if options[name]}
    language = {"missing": options["missing"], "default": options["default_language"]}
    prices: dict[str, Any] = {prefix: _price(price) for prefix, price in screen.pairs(options["prices"], "a price").items()}
    if options["currency"]:
        prices["currency"] = options["currency"]
    return {
        "name": options["name"], "kind": "one_off" if options["purpose"] else "reminders", "steps": _steps(options),
        "audience": lists | ({"unverified": True} if options["unverified"] else {}),
        "language": {name: value for name, value in language.items() if value}, "values": _values(options["values"]), "prices": prices,
    }  # fmt: skip


def _steps(options: Mapping[str, Any]) -> list[dict[str, str]]:
    if options["purpose"] and options["reminders"]:
        raise Refused("give --text for one text, or --reminder for steps before appointments, not both")
    if options["purpose"]:
        timing = {name: options[name] for name in ("not_before", "at", "lasts") if options[name]}
        return [{"template": options["purpose"], **timing}]
    steps = []
    for template, typed in screen.pairs(options["reminders"], "a reminder").items():
        before, _, at = typed.partition("@")
        steps.append({"template": template, "before": before} | ({"at": at} if at else {}))
    return steps


def _values(typed: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, words in screen.pairs(typed, "a value").items():
        place, _, language = name.partition(".")
        if not language:
            values[place] = words
        elif isinstance(values.setdefault(place, {}), dict):
            values[place][language] = words
        else:
            raise Refused(f"the value for {place} is given both with and without a language")
    return values


def _price(typed: str) -> float:
    try:
        return float(typed)
    except ValueError:
        raise Refused("a price is a number, such as +84=450") from None


@campaign.command()
@click.argument("name")
@session.as_staff
def preview(name: str, as_code: str) -> None:
    """What it would do now: recipients, exclusions by reason, segments and cost, three texts in each language."""
    with session.open(as_code) as s, s.work() as work:
        found = campaigns.by_name(work, name)
        seen = preview_campaign.preview(work, s.vault, s.content, found)
        audit.add(work, "campaign.preview", "campaign", found.id, found.unit_id)
    _show_preview(found, seen)


def _show_preview(found: Campaign, seen: Preview) -> None:
    click.echo(f"{found.spec.name}: {found.kind.replace('_', ' ')}, {found.state}")
    click.echo(f"recipients now: {seen.recipients}; texts: {seen.texts}; segments: {seen.segments}")
    for prefix, price in sorted(seen.prices.items()):
        cost = "no price known" if price.cost is None else f"{price.cost:.2f} {found.spec.currency}".rstrip()
        click.echo(f"  to {prefix}…: {price.texts} texts, {price.segments} segments, {cost}")
    _show_counts("excluded", seen.excluded)
    _show_counts("steps that are not sent any more", seen.skipped)
    _show_counts("languages", seen.notes)
    for language, samples in sorted(seen.samples.items()):
        click.echo(f"{language}:")
        for told in samples:
            click.echo(f"  {told.purpose}, {told.encoding}, {told.segments} segment{'s' * (told.segments > 1)}: {screen.one_line(told.body)}")
    for line in launch_campaign.fault_lines(seen):
        click.echo(f"NOT FIT TO BE SENT: {line}", err=True)


def _show_counts(heading: str, counts: Mapping[str, int]) -> None:
    if counts:
        click.echo(f"{heading}: {sum(counts.values())}")
    for reason, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        click.echo(f"  {count:>7}  {reason}")


@campaign.command()
@click.argument("name")
@click.option(
    "--self-approval-up-to", envvar="GATEWAY_SELF_APPROVAL_UP_TO", type=click.IntRange(0), hidden=True,
    default=launch_campaign.SELF_APPROVAL_UP_TO,
)  # fmt: skip
@session.as_staff
def approve(name: str, self_approval_up_to: int, as_code: str) -> None:
    """Start it. Every text is written and checked first; its words never change from then on."""
    with session.open(as_code, *session.LEAD) as s:
        seen = launch_campaign.approve(s.engine, s.vault, s.content, s.actor, name, self_approval_up_to=self_approval_up_to)
    click.echo(f"{name} is running: {seen.recipients} recipients now, {seen.texts} texts, {seen.segments} segments")


@campaign.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; shown in lists.")
@session.as_staff
def pause(name: str, reason: str, as_code: str) -> None:
    """Hold back everything that has not left; `resume` lets it go."""
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        launch_campaign.pause(work, name, reason)
    click.echo(f"{name} is paused")


@campaign.command()
@click.argument("name")
@session.as_staff
def resume(name: str, as_code: str) -> None:
    """Go on after a pause; what is no longer worth sending expires."""
    with session.open(as_code, *session.LEAD) as s, s.work() as work:
        launch_campaign.resume(work, name)
    click.echo(f"{name} is running")


@campaign.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; shown in lists.")
@session.as_staff
def cancel(name: str, reason: str, as_code: str) -> None:
    """Stop it for good, at once, and say how many texts went."""
    with session.open(as_code, *session.CARE) as s:
        counts = launch_campaign.cancel(s.engine, s.actor, name, reason)
    states = counts.by_state
    click.echo(f"{name} is cancelled: {states['accepted'] + states['unknown']} went, {states['pending']} on their way, "
               f"{states['cancelled']} cancelled")  # fmt: skip


@campaign.command()
@click.argument("name")
@session.as_staff
def status(name: str, as_code: str) -> None:
    """How far it has come: every planned text is in one state, with its reason."""
    with session.open(as_code, *session.PEOPLE, "analyst") as s:
        with s.work() as work:
            found = campaigns.by_name(work, name)
        with s.system() as work:  # clients may have moved beyond the member's units since
            _show_status(found, campaigns.counts(work, found.id))


def _show_status(found: Campaign, counts: Counts) -> None:
    click.echo(f"{found.spec.name}: {found.kind.replace('_', ' ')}, {found.state}")
    if "expand_at" in (found.to_do or {}):
        click.echo("recipients are counted when its time comes")
    click.echo(f"planned {counts.planned} = " + " + ".join(f"{count} {state}" for state, count in counts.by_state.items()))
    for (state, reason), count in counts.reasons.items():
        click.echo(f"  {count:>7}  {state}: {reason}")


@campaign.command("list")
@session.as_staff
def list_campaigns(as_code: str) -> None:
    """The campaigns of your units, the newest first."""
    with session.open(as_code, *session.PEOPLE, "analyst") as s, s.work() as work:
        zone = s.zone(work)
        screen.table(
            ("name", "kind", "state", "started", "steps"),
            [(c.spec.name, c.kind, c.state, screen.local(c.started_at, zone), ", ".join(step.purpose for step in c.steps))
             for c in campaigns.list_all(work)],
        )  # fmt: skip
