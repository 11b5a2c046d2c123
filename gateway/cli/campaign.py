"""`campaign`: texts to many people, looked at before they go and stopped when they must not."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from gateway.cli import programme, rehearse, screen, session
from gateway.cli.language import _, shown
from gateway.domain import campaigns as rules
from gateway.domain.errors import Refused
from gateway.domain.told import N_
from gateway.store import audit, campaigns, enrolments, routes
from gateway.store.campaigns import Campaign, Counts
from gateway.usecases import launch_campaign, preview_campaign
from gateway.usecases.preview_campaign import Preview


@click.group()
def campaign() -> None:
    """Texts to many clients at once, again and again, and reminders of appointments. Nothing is sent before `approve`."""


for command in (rehearse.rehearse, programme.enrol, programme.leave):
    campaign.add_command(command)


@campaign.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="What staff call it.")
@click.option("--reminder", "reminders", multiple=True, metavar="TEMPLATE=1d@17:00", help="A step before appointments; several may be given.")
@click.option("--text", "purpose", metavar="TEMPLATE", help="One text, once, instead of reminders.")
@click.option("--dialogue", metavar="NAME", help="A dialogue that begins once, instead of a text.")
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
    screen.say("draft {name!r} kept; look at it with `python -m gateway campaign preview {name!r}`", name=made.spec.name)


def _read(file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise Refused("{file} is no TOML file: {why}", file=file.name, why=broken) from None


def _asked(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as a campaign file says them."""
    lists = {name: list(options[name]) for name in ("units", "groups", "languages", "workers", "clients") if options[name]}
    language = {"missing": options["missing"], "default": options["default_language"]}
    prices: dict[str, Any] = {prefix: screen.price(price) for prefix, price in screen.pairs(options["prices"], N_("a price")).items()}
    if options["currency"]:
        prices["currency"] = options["currency"]
    return {
        "name": options["name"], "kind": "one_off" if options["purpose"] or options["dialogue"] else "reminders", "steps": _steps(options),
        "audience": lists | ({"unverified": True} if options["unverified"] else {}),
        "language": {name: value for name, value in language.items() if value}, "values": _values(options["values"]), "prices": prices,
    }  # fmt: skip


def _steps(options: Mapping[str, Any]) -> list[dict[str, str]]:
    if sum(bool(options[name]) for name in ("purpose", "dialogue", "reminders")) > 1:
        raise Refused("give one of --text, --dialogue, and --reminder for steps before appointments")
    if options["purpose"] or options["dialogue"]:
        timing = {name: options[name] for name in ("not_before", "at", "lasts") if options[name]}
        content = {"template": options["purpose"]} if options["purpose"] else {"dialogue": options["dialogue"]}
        return [{**content, **timing}]
    steps = []
    for template, typed in screen.pairs(options["reminders"], N_("a reminder")).items():
        before, _at, at = typed.partition("@")
        steps.append({"template": template, "before": before} | ({"at": at} if at else {}))
    return steps


def _values(typed: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, words in screen.pairs(typed, N_("a value")).items():
        place, _dot, language = name.partition(".")
        if not language:
            values[place] = words
        elif isinstance(values.setdefault(place, {}), dict):
            values[place][language] = words
        else:
            raise Refused("the value for {place} is given both with and without a language", place=place)
    return values


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


def _headline(found: Campaign) -> str:
    kind = shown(found.kind.replace("_", " "))
    return _("{name}: {kind}, {state}").format(name=found.spec.name, kind=kind, state=shown(found.state))


def _show_preview(found: Campaign, seen: Preview) -> None:
    click.echo(_headline(found))
    screen.say("recipients now: {recipients}; texts: {texts}; segments: {segments}",
               recipients=seen.recipients, texts=seen.texts, segments=seen.segments)  # fmt: skip
    for prefix, price in sorted(seen.prices.items()):
        cost = _("no price known") if price.cost is None else f"{price.cost:.2f} {found.spec.currency}".rstrip()
        screen.say("  to {prefix}…: {texts} texts, {segments} segments, {cost}",
                   prefix=prefix, texts=price.texts, segments=price.segments, cost=cost)  # fmt: skip
    _show_counts(_("excluded"), seen.excluded)
    _show_counts(_("steps that are not sent any more"), seen.skipped)
    _show_counts(_("languages"), seen.notes)
    for language, samples in sorted(seen.samples.items()):
        click.echo(f"{language}:")
        for told in samples:
            screen.say("  {purpose}, {encoding}, segments {segments}: {text}", purpose=told.purpose, encoding=told.encoding,
                       segments=told.segments, text=screen.one_line(told.body))  # fmt: skip
    for fault in launch_campaign.fault_lines(seen):
        screen.warn("NOT FIT TO BE SENT: {fault}", fault=shown(fault))


def _show_counts(heading: str, counts: Mapping[str, int]) -> None:
    if counts:
        click.echo(f"{heading}: {sum(counts.values())}")
    for reason, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        click.echo(f"  {count:>7}  {shown(reason)}")


@campaign.command()
@click.argument("name")
@session.as_staff
def approve(name: str, as_code: str) -> None:
    """Start it. Every text is written and checked first; its words never change from then on."""
    with session.open(as_code, *session.LEAD) as s:
        seen = launch_campaign.approve(s.engine, s.vault, s.content, s.actor, name, self_approval_up_to=s.settings.self_approval_up_to)
    screen.say("{name} is running: {recipients} recipients now, {texts} texts, {segments} segments",
               name=name, recipients=seen.recipients, texts=seen.texts, segments=seen.segments)  # fmt: skip


@campaign.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; shown in lists.")
@session.as_staff
def pause(name: str, reason: str, as_code: str) -> None:
    """Hold back everything that has not left; `resume` lets it go."""
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        launch_campaign.pause(work, name, reason)
    screen.say("{name} is paused", name=name)


@campaign.command()
@click.argument("name")
@session.as_staff
def resume(name: str, as_code: str) -> None:
    """Go on after a pause; what is no longer worth sending expires."""
    with session.open(as_code, *session.LEAD) as s, s.work() as work:
        launch_campaign.resume(work, name)
    screen.say("{name} is running", name=name)


@campaign.command()
@click.argument("name")
@click.option("--reason", default="", help="Why; shown in lists.")
@session.as_staff
def cancel(name: str, reason: str, as_code: str) -> None:
    """Stop it for good, at once, and say how many texts went."""
    with session.open(as_code, *session.CARE) as s:
        counts = launch_campaign.cancel(s.engine, s.actor, name, reason)
    states = counts.by_state
    screen.say("{name} is cancelled: {gone} went, {pending} on their way, {cancelled} cancelled", name=name,
               gone=states["accepted"] + states["unknown"], pending=states["pending"], cancelled=states["cancelled"])  # fmt: skip


@campaign.command()
@click.argument("name")
@session.as_staff
def status(name: str, as_code: str) -> None:
    """How far it has come: every planned text is in one state, with its reason."""
    with session.open(as_code, *session.PEOPLE, "analyst") as s:
        with s.work() as work:
            found = campaigns.by_name(work, name)
        with s.system() as work:  # clients may have moved beyond the member's units since
            _show_status(found, campaigns.counts(work, found.id), enrolments.count(work, found.id), routes.stopped_for(work, found.id))


def _show_status(found: Campaign, counts: Counts, in_it: Sequence[tuple[str, int]], stopped: Sequence[routes.Waiting]) -> None:
    click.echo(_headline(found))
    for each in stopped:
        if each.is_full:
            screen.say("channel {name} has used up its day's allowance for campaigns: {texts} wait for it", name=each.name, texts=each.texts)
            continue
        screen.warn("CHANNEL {name} IS STOPPED ({why}): {sent} sent, {texts} wait for it", name=each.name,
                    why=" ".join(filter(None, (shown(each.reason), *each.off))), sent=counts.by_state["accepted"], texts=each.texts)  # fmt: skip
    if "expand_at" in (found.to_do or {}):
        screen.say("recipients are counted when its time comes")
    for why, count in in_it:
        click.echo(f"  {count:>7}  {shown(why)}")
    parts = " + ".join(f"{count} {shown(state)}" for state, count in counts.by_state.items())
    screen.say("planned {count} = {parts}", count=counts.planned, parts=parts)
    for (state, reason), count in counts.reasons.items():
        click.echo(f"  {count:>7}  {shown(state)}: {shown(reason)}")


@campaign.command("list")
@session.as_staff
def list_campaigns(as_code: str) -> None:
    """The campaigns of your units, the newest first."""
    with session.open(as_code, *session.PEOPLE, "analyst") as s, s.work() as work:
        zone = s.zone(work)
        screen.table(
            (_("name"), _("kind"), _("state"), _("started"), _("steps")),
            [(c.spec.name, shown(c.kind.replace("_", " ")), shown(c.state), screen.local(c.started_at, zone), ", ".join(step.purpose for step in c.steps))
             for c in campaigns.list_all(work)],
        )  # fmt: skip
