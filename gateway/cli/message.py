"""`message`: one text to one client, and what became of it."""

from uuid import uuid4

import click

from gateway import queues
from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.domain import messages as lanes
from gateway.store import audit, clients, threads
from gateway.usecases import reply_to_client


@click.group()
def message() -> None:
    """Texts to clients."""


@message.command()
@click.argument("code")
@click.argument("text")
@click.option("--hours", type=click.IntRange(1, 168), default=24, show_default=True, help="Not sent any more after that.")
@session.as_staff
def send(code: str, text: str, hours: int, as_code: str) -> None:
    """Send one text to one client, within their allowed hours."""
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        client = clients.by_code(work, code)
        reply_to_client.send(work, s.vault, s.content, client, text, message_key=uuid4(), hours=hours, ring=queues.silent)
    screen.say("queued for {code}; `python -m gateway message list --client {code}` shows what became of it", code=code)


@message.command("list")
@click.option("--client", "code", help="Code of one client.")
@click.option("--state", help="planned, delivered, failed, expired, suppressed, …")
@click.option("--most", type=click.IntRange(1, 1000), default=50, show_default=True)
@session.as_staff
def list_messages(code: str | None, state: str | None, most: int, as_code: str) -> None:
    """The latest texts to clients of your units, without their words."""
    with session.open(as_code) as s, s.work() as work:
        client = clients.by_code(work, code) if code else None
        zone = s.zone(work)
        found = threads.list_sent(work, client.id if client else None, state, most)
        audit.add(work, "message.list", "client" if client else "unit", client.id if client else str(s.actor.unit_id),
                  client.unit_id if client else s.actor.unit_id, {"state": state, "shown": len(found)})  # type: ignore[arg-type]  # fmt: skip
        screen.table(
            (_("id"), _("client"), _("purpose"), _("state"), _("since"), _("segments"), _("reason")),
            [(m.id, m.client_code, m.purpose, shown(m.state), screen.local(m.state_at, zone), m.segments, shown(m.reason))
             for m in found],
        )  # fmt: skip


@message.command()
@click.argument("message_id", type=click.UUID)
@session.as_staff
def show(message_id: object, as_code: str) -> None:
    """One text with its words and every attempt to send it."""
    with session.open(as_code) as s, s.work() as work:
        sent, body, attempts = threads.read_sent(work, s.vault, message_id)  # type: ignore[arg-type]
        zone = s.zone(work)
        audit.add(work, "message.show", "outbound", sent.id, sent.unit_id, client_id=sent.client_id)
        screen.say("to client {client}: {purpose}, {language}, {lane} lane, segments {segments}", client=sent.client_code or "-",
                   purpose=sent.purpose, language=sent.language, lane=shown(lanes.LANES[sent.lane]), segments=sent.segments)  # fmt: skip
        screen.say("text: {text}", text=_("(cannot be read from here)") if body is None else screen.one_line(body))
        screen.say("{state} since {since}: {reason}", state=shown(sent.state), since=screen.local(sent.state_at, zone),
                   reason=_why(sent.reason, sent.code) or "-")  # fmt: skip
        screen.say("not before {since}, not after {until}", since=screen.local(sent.send_after, zone),
                   until=screen.local(sent.send_before, zone))  # fmt: skip
        for each in attempts:
            screen.say("attempt {number}: {state}", number=each.number,
                       state=f"{shown(each.state)} {_why(each.reason, each.code)}".rstrip())  # fmt: skip


def _why(reason: str | None, code: str | None) -> str:
    """The reason, and the carrier's own code."""
    return " ".join(filter(None, (shown(reason) if reason else "", code)))
