"""`flag`: reasons for a person to look."""

import click

from gateway.cli import dialogue, screen, session
from gateway.cli.language import _, shown
from gateway.domain import flags as rules
from gateway.store import clients, escalations, flags, sessions, staff, threads
from gateway.store.base import Work
from gateway.usecases import handle_flag, set_on_call

MOST_STEPS = 12  # of a flag that goes round for days


@click.group()
def flag() -> None:
    """Reasons for a person to look. Only a person closes one, and says what came of it."""


@flag.command("list")
@session.as_staff
def list_flags(as_code: str) -> None:
    """Open flags of your units, the gravest and soonest due first."""
    with session.open(as_code) as s, s.work() as work:
        zone = s.zone(work)
        found, all_open = flags.list_open(work), flags.count_open(work)
        screen.table(
            (_("flag"), _("severity"), _("due"), _("client"), _("what"), _("owner")),
            [(f.number, shown(f.severity), screen.local(f.due_at, zone) + (" " + _("OVERDUE") if f.due_at < work.now else ""),
              f.client_code, shown(rules.RULES[f.reason].what), f.owner_code) for f in found],
        )  # fmt: skip
    if all_open > len(found):
        screen.say("the first {shown} of {all} open flags", shown=len(found), all=all_open)


@flag.command()
@click.argument("number", type=click.IntRange(1, 2**63 - 1))
@session.as_staff
def show(number: int, as_code: str) -> None:
    """One flag with the text it is about."""
    with session.open(as_code) as s, s.work() as work:
        found, zone = handle_flag.look(work, number), s.zone(work)
        screen.say("flag {number}: {what} ({reason})", number=number, what=shown(rules.RULES[found.reason].what), reason=shown(found.reason))
        screen.say("severity {severity}, {state}, owner {owner}, client {client}", severity=shown(found.severity),
                   state=shown(found.state), owner=found.owner_code or "-", client=found.client_code or "-")  # fmt: skip
        screen.say("opened {opened}, due {due}, outcome {outcome}", opened=screen.local(found.opened_at, zone),
                   due=screen.local(found.due_at, zone), outcome=shown(rules.OUTCOMES.get(found.outcome or "")))  # fmt: skip
        if found.inbound_id is not None:
            screen.say("text: {text}", text=screen.words(*threads.received(work, s.vault, found.inbound_id)))
        _print_asked(work, s, found)
        _print_alerts(work, s, found)


def _print_alerts(work: Work, s: session.Session, found: flags.Flag) -> None:
    """Of an urgent flag: who heard of it and what became of that, and who hears next."""
    steps, zone = escalations.of(work, found.id), s.zone(work)
    latest = [step for step in steps if step.way != "again" and (step.done_at is not None or found.state == "open")][-MOST_STEPS:]
    if latest:
        with s.system() as all_units:  # whoever was alerted may be of a unit above
            codes = staff.codes_of(all_units, [step.staff_id for step in latest if step.staff_id is not None])
        screen.table(
            (_("alert"), _("staff"), _("when"), _("what came of it")),
            [(shown(set_on_call.WAYS[step.way]), codes.get(step.staff_id), screen.local(step.done_at or step.due_at, zone),
              ", ".join(shown(said) for said in (step.result, step.state) if said) or _("to come")) for step in latest],
        )  # fmt: skip
    if found.state == "open" and steps and not any(step.way == "text" for step in steps if step.round == steps[-1].round):
        screen.say("nobody is on call who could be texted: `python -m gateway oncall set` changes that")


def _print_asked(work: Work, s: session.Session, found: flags.Flag) -> None:
    """Of a flag about a dialogue: what was asked and answered, and where the number to call is."""
    run = sessions.find(work, s.vault, found.about_id) if found.about_id is not None else None
    if run is None or found.client_id is None:
        return
    screen.say("asked {at} ({dialogue}):", at=screen.local(run.asked_at, s.zone(work)), dialogue=run.dialogue)
    dialogue.print_run(work, s.content, run, s.zone(work))
    phones = clients.read(work, s.vault, found.client_id).phones
    screen.say("call {phone}: `python -m gateway client show {code} --reveal REASON` shows the number",
               phone=screen.number(phones[0].e164 if phones else None), code=run.client_code)  # fmt: skip


@flag.command()
@click.argument("number", type=click.IntRange(1, 2**63 - 1))
@session.as_staff
def take(number: int, as_code: str) -> None:
    """Make a flag your own. Nobody is alerted about it any more; an OK to the alert's text does the same."""
    with session.open(as_code) as s, s.work() as work:
        handle_flag.take(work, number)
    screen.say("flag {number} is with {owner}", number=number, owner=as_code)


@flag.command()
@click.argument("number", type=click.IntRange(1, 2**63 - 1))
@click.option("--to", "to", required=True, help="Code of the new owner.")
@session.as_staff
def assign(number: int, to: str, as_code: str) -> None:
    """Give a flag to a colleague. Nobody is alerted about it any more."""
    with session.open(as_code) as s, s.work() as work:
        owner = staff.by_code(work, to)
        handle_flag.assign(work, handle_flag.hold(work, number), owner)
    screen.say("flag {number} is with {owner}", number=number, owner=owner.code)


@flag.command()
@click.argument("number", type=click.IntRange(1, 2**63 - 1))
@click.option("--outcome", required=True, metavar="OUTCOME", help="What came of it: " + ", ".join(rules.OUTCOMES) + ".")
@session.as_staff
def close(number: int, outcome: str, as_code: str) -> None:
    """Close a flag with what came of it."""
    with session.open(as_code) as s, s.work() as work:
        handle_flag.close(work, handle_flag.hold(work, number), outcome)
    screen.say("flag {number} closed: {outcome}", number=number, outcome=shown(rules.OUTCOMES[outcome]))
