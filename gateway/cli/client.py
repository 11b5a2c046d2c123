"""`client`: the people reached."""

from collections.abc import Sequence
from typing import Any

import click

from gateway.cli import client_file, client_scores, programme, screen, session
from gateway.cli.language import _, shown
from gateway.domain import windows
from gateway.domain.errors import Refused
from gateway.domain.told import N_
from gateway.store import appointments, audit, base, clients, consents, flags, phones, staff, units
from gateway.usecases import change_client, change_consent, erase_client, look_at_client


@click.group()
def client() -> None:
    """The people reached. Every look at one is logged; numbers are masked unless revealed with a reason."""


for each in (programme.date, client_file.import_clients, client_scores.score, client_scores.list_scores):
    client.add_command(each)


def _about(command: Any) -> Any:
    """What `add` and `edit` can say of a client."""
    for option in reversed((
        click.option("--phone", "phones", multiple=True, help="Mobile number; may be given again, the first one is texted."),
        click.option("--language", help="Of texts, such as vi."),
        click.option("--zone", help="Time zone, when it is not the unit's."),
        click.option("--hours", help="When they may be texted: 08:00-20:00; always for the unit's hours."),
        click.option("--discreet", type=click.IntRange(0, 2), help="0 names the service, 1 does not, 2 asks first."),
        click.option("--tones", type=click.Choice(["never", "saves", "always"]), help="When to fold Vietnamese."),
        click.option("--texts-a-day", type=click.IntRange(0, 3), help="At most so many texts of our own accord; 0: as the unit."),
        click.option("--texts-a-week", type=click.IntRange(0, 21), help="The same for any seven days."),
        click.option("--group", "groups", multiple=True, help="May be given again."),
        click.option("--worker", help="Code of the staff member who looks after them."),
        click.option("--field", "fields", multiple=True, metavar="NAME=VALUE", help="Your own field; an empty value takes it out."),
    )):  # fmt: skip
        command = option(command)
    return command


@client.command()
@click.argument("code")
@click.argument("name")
@click.option("--unit", help="Code of the unit; your own by default.")
@click.option("--consent", "agreed", multiple=True, metavar="PURPOSE:BASIS", help="Such as reminder:\"signed form\".")
@_about
@session.as_staff
def add(code: str, name: str, unit: str | None, agreed: Sequence[str], as_code: str, **about: Any) -> None:
    """Add a client. Without a consent they are kept and never texted."""
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        assert s.actor.unit_id is not None
        home = units.by_code(work, unit) if unit else units.get(work, s.actor.unit_id)
        changes = _changes(work, s, home, about)
        if not changes.get("phones"):
            raise Refused("--phone is missing: a client has one or more phones")
        known = {"language": home.language, "code": change_client.checked_code(code), "name": change_client.checked_name(name)}
        new = clients.New(unit_id=home.id, **(known | changes))
        change_client.add(work, s.vault, new, client_file.read_consents(agreed))
    screen.say("client {code} added in {unit}", code=code, unit=home.code)
    if not agreed:
        screen.say("without a consent no texts go out")


@client.command()
@click.argument("code")
@click.option("--name")
@_about
@session.as_staff
def edit(code: str, name: str | None, as_code: str, **about: Any) -> None:
    """Change what is given, leave the rest. Phones, where given, replace all phones."""
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        found = clients.by_code(work, code)
        changes = _changes(work, s, units.get(work, found.unit_id), about)
        if name is not None:
            changes["name"] = change_client.checked_name(name)
        if "fields" in changes:
            kept = clients.read(work, s.vault, found.id).fields
            changes["fields"] = {key: value for key, value in {**kept, **changes["fields"]}.items() if value}
        if not changes:
            raise Refused("nothing to change: see `client edit --help`")
        change_client.edit(work, s.vault, found, changes)
    screen.say("client {code} changed: {what}", code=code, what=", ".join(shown(name) for name in sorted(changes)))


def _changes(work: base.Work, s: session.Session, home: units.Unit, about: dict[str, Any]) -> dict[str, Any]:
    """The options given, as columns."""
    changes = {name: value for name in ("discreet", "tones") if (value := about[name]) is not None}
    changes |= {name: value or None for name in ("texts_a_day", "texts_a_week") if (value := about[name]) is not None}
    if about["phones"]:
        changes["phones"] = screen.phones(about["phones"], home.region)
    if about["language"]:
        changes["language"] = change_client.checked_language(about["language"])
    if about["zone"]:
        changes["time_zone"] = windows.zone_of(about["zone"]).key
    if about["hours"]:
        changes["hours"] = screen.hours(about["hours"])
    if about["groups"]:
        changes["groups"] = list(about["groups"])
    if about["worker"]:
        changes["worker_id"] = staff.by_code(work, about["worker"]).id
    if about["fields"]:
        changes["fields"] = screen.pairs(about["fields"], N_("a field"))
    return changes


@client.command()
@click.argument("code")
@click.option("--reveal", metavar="REASON", help="Show whole numbers; the reason is logged.")
@session.as_staff
def show(code: str, reveal: str | None, as_code: str) -> None:
    """All about one client."""
    with session.open(as_code) as s, s.work() as work:
        found = clients.by_code(work, code)
        if reveal is None:
            _print(look_at_client.record(work, s.vault, found), reveal=False)
        else:
            _print(look_at_client.reveal(work, s.vault, found, reveal), reveal=True)
        _print_consent(work, found)
        _print_open(work, found)


def _print(record: clients.Record, reveal: bool) -> None:
    found = record.found
    screen.say("client {code}: {name}", code=found.code, name=record.name)
    why = f" ({_(found.status_reason)})" if found.status_reason else ""
    screen.say("unit {unit}, {status}", unit=found.unit_code, status=shown(found.status) + why)
    for phone in record.phones:
        doubt = "  " + _("TO VERIFY: {why}").format(why=shown(phone.to_verify)) if phone.to_verify else ""
        screen.say("phone {phone}", phone=screen.number(phone.e164, reveal) + doubt)
    hours = screen.span(record.hours.opens, record.hours.closes) if record.hours else _("as the unit")
    screen.say("language {language}, discreet level {level}, hours {hours}, zone {zone}", language=found.language,
               level=found.discreet, hours=hours, zone=found.zone)  # fmt: skip
    if record.time_zone is not None and (wrong := windows.zone_or(record.time_zone, "UTC")[1]):
        screen.say("NOTE: {why}", why=shown(wrong))
    if record.texts_a_day or record.texts_a_week:
        screen.say("at most {a_day} texts a day, {a_week} a week", a_day=record.texts_a_day or "-", a_week=record.texts_a_week or "-")
    screen.say("groups {groups}, last wrote {at}", groups=", ".join(found.groups) or "-",
               at=screen.local(found.last_inbound_at, found.zone))  # fmt: skip
    for name, value in record.fields.items():
        click.echo(f"{screen.one_line(name)}: {screen.one_line(value)}")


def _print_consent(work: base.Work, found: clients.Found) -> None:
    for reason in consents.stopped(work, clients.phone_hashes(work, found.id)).values():
        screen.say("NO TEXTS: a phone is stopped ({reason})", reason=shown(reason))
    for consent in consents.current(work, found.id):
        since = screen.local(consent.changed_at, found.zone)
        screen.say("consent {purpose}: {answer} ({basis}), since {since}", purpose=shown(consent.purpose),
                   answer=_("yes") if consent.granted else _("NO"), basis=_basis(consent.basis), since=since)  # fmt: skip


def _basis(basis: str) -> str:
    """A basis that imports write, "signed (2024-12-05)", in the reader's language; what staff wrote as they wrote it."""
    word, bracket, day = basis.partition(" (")
    return _(word) + bracket + day


def _print_open(work: base.Work, found: clients.Found) -> None:
    ahead = appointments.list_between(work, work.now, windows.FAR_FUTURE, client_id=found.id, status="booked", most=10)
    for each in ahead:
        screen.say("appointment {at}  {answer}  {id}", at=screen.local(each.starts_at, found.zone),
                   answer=shown(each.answer) if each.answer else _("no answer"), id=each.id)  # fmt: skip
    for flag in flags.list_open(work, found.id):
        screen.say("flag {number}: {reason}, {severity}, due {due}", number=flag.number, reason=shown(flag.reason),
                   severity=shown(flag.severity), due=screen.local(flag.due_at, found.zone))  # fmt: skip


def _table(found: Sequence[clients.Found]) -> None:
    screen.table(
        (_("code"), _("unit"), _("status"), _("language"), _("discreet"), _("groups"), _("last wrote")),
        [(c.code, c.unit_code, shown(c.status), c.language, c.discreet, ",".join(c.groups), screen.local(c.last_inbound_at, c.zone))
         for c in found],
    )  # fmt: skip


@client.command("list")
@click.option("--unit", help="Code of a unit; those below count too.")
@click.option("--status", type=click.Choice(["active", "paused", "closed"]))
@click.option("--group")
@click.option("--to-verify", is_flag=True, help="Only with a phone that was altered or is old.")
@click.option("--most", type=click.IntRange(1, 100_000), default=100, show_default=True)
@session.as_staff
def list_clients(unit: str | None, status: str | None, group: str | None, to_verify: bool, most: int, as_code: str) -> None:
    """Clients of your units by code, without names."""
    with session.open(as_code) as s, s.work() as work:
        unit_id = units.by_code(work, unit).id if unit else None
        _table(clients.list_seen(work, unit_id=unit_id, status=status, group=group, to_verify=to_verify, most=most))


@client.command()
@click.argument("words")
@session.as_staff
def search(words: str, as_code: str) -> None:
    """Find clients by words of their name (tones do not matter) or the last four digits of a phone."""
    with session.open(as_code) as s, s.work() as work:
        found = clients.search(work, s.vault, words)
        assert s.actor.unit_id is not None
        audit.add(work, "client.search", "unit", s.actor.unit_id, s.actor.unit_id, {"found": [str(c.id) for c in found]})
        _table(found)


@client.command()
@click.argument("code")
@session.as_staff
def stop(code: str, as_code: str) -> None:
    """They want no texts, and said so to you: stops their phones, and everyone on those phones, at once."""
    with session.open(as_code, *session.PEOPLE) as s:
        found = _seen(s, code)
        with s.system() as work:
            cancelled = change_consent.stop(work, found, s.actor)
    screen.say("{code}: no more texts; {count} planned ones cancelled", code=code, count=cancelled)


@client.command()
@click.argument("code")
@click.option("--basis", required=True, help="The client's own wish as it can be proved, such as \"signed form 22 Nov\".")
@session.as_staff
def start(code: str, basis: str, as_code: str) -> None:
    """They want texts again: undoes a stop. Earlier consents count again, none is added."""
    if not basis.strip():
        raise Refused("--basis is empty: only the client's own wish undoes a stop")
    with session.open(as_code, *session.CARE) as s:
        found = _seen(s, code)
        with s.system() as work:
            started = change_consent.start(work, s.vault, found, basis, s.actor)
    click.echo((_("{code}: texts go out again") if started else _("{code} was not stopped")).format(code=code))


def _seen(s: session.Session, code: str) -> clients.Found:
    with s.work() as work:
        return clients.by_code(work, code)


@client.command()
@click.argument("code")
@click.argument("purpose", type=click.Choice(consents.PURPOSES))
@click.option("--grant", metavar="BASIS", help="They agree; on what basis.")
@click.option("--revoke", metavar="REASON", help="They no longer agree; how they said so.")
@session.as_staff
def consent(code: str, purpose: str, grant: str | None, revoke: str | None, as_code: str) -> None:
    """Write what a client agrees to, purpose by purpose."""
    if (grant is None) == (revoke is None):
        raise Refused("give either --grant BASIS or --revoke REASON")
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        found = clients.by_code(work, code)
        changed = change_consent.change(work, s.vault, found, purpose, grant is not None, grant or revoke or "")
    said = _("{code}: {purpose} granted") if grant is not None else _("{code}: {purpose} revoked")
    click.echo((said if changed else _("{code}: it was so already")).format(code=code, purpose=shown(purpose)))


def _set_status(code: str, as_code: str, status: str, reason: str | None) -> None:
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        change_client.set_status(work, s.vault, clients.by_code(work, code), status, reason)
    screen.say("client {code} is {status}", code=code, status=shown(status))


_reason = click.option("--reason", required=True, help="Kept with the status; no names or numbers.")


@client.command()
@click.argument("code")
@_reason
@session.as_staff
def pause(code: str, reason: str, as_code: str) -> None:
    """Hold all texts but answers and urgent ones until `resume`."""
    _set_status(code, as_code, "paused", reason)


@client.command()
@click.argument("code")
@session.as_staff
def resume(code: str, as_code: str) -> None:
    """Text them again after `pause` or `close`."""
    _set_status(code, as_code, "active", None)


@client.command()
@click.argument("code")
@_reason
@session.as_staff
def close(code: str, reason: str, as_code: str) -> None:
    """They left: what is planned is cancelled, what they write is still kept."""
    _set_status(code, as_code, "closed", reason)


@client.command()
@click.argument("code")
@click.option("--unit", required=True, help="Code of the new unit, one of yours.")
@session.as_staff
def move(code: str, unit: str, as_code: str) -> None:
    """Give a client with all that was said to another unit. The old unit's staff no longer see them."""
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        found, home = clients.by_code(work, code), units.by_code(work, unit)
        change_client.move(work, found, home)
    screen.say("client {code} is with {unit}", code=code, unit=home.code)


@client.command()
@click.argument("code")
@session.as_staff
def verify(code: str, as_code: str) -> None:
    """Say that a client's phones are theirs, after asking them. Texts go out again; closing flags and undoing a stop are steps of their own."""
    with session.open(as_code, *session.CARE) as s:
        found = _seen(s, code)
        with s.system() as work:
            phones.verify(work, found.id)
            audit.add(work, "client.verify", "client", found.id, found.unit_id, by=s.actor)
    screen.say("the phones of client {code} are known to be theirs", code=code)


@client.command("pin-reset")
@click.argument("code")
@session.as_staff
def pin_reset(code: str, as_code: str) -> None:
    """Let a client choose a new PIN for the menu by USSD, when theirs is forgotten or locked. Make sure first that it is them."""
    with session.open(as_code, *session.CARE) as s:
        found = _seen(s, code)
        with s.system() as work:
            count = change_client.reset_pin(work, found, s.actor)
    if count:
        screen.say("client {code} chooses a new PIN at the next dialling", code=code)
    else:
        screen.say("client {code} has no PIN yet", code=code)


@client.command()
@click.argument("code")
@click.option("--yes", is_flag=True, help="Do not ask.")
@session.as_staff
def erase(code: str, yes: bool, as_code: str) -> None:
    """Forget a person for good, at their wish. Their texts, name and numbers can never be read again."""
    with session.open(as_code, *session.LEAD) as s:
        found = _seen(s, code)
        if not yes:
            click.confirm(_("Erase client {code} for good?").format(code=code), abort=True)
        with s.system() as work:
            erase_client.erase(work, s.vault, found, s.actor)
    screen.say("client {code} is erased", code=code)
