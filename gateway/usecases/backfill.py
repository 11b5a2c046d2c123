"""Fetch texts that the carrier holds and we never got: an outage longer than its retries loses a webhook for good."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine

from gateway import log
from gateway.channels import base, registry
from gateway.content import Content
from gateway.store import channels, inbound
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import receive_message
from gateway.vault import Vault
from gateway.wire import Wire

# How far each run looks back beyond the last complete one: a text may be listed late.
OVERLAP = timedelta(hours=1)
FIRST_LOOK_BACK = timedelta(days=1)
MAX_PAGES = 50  # of one number in one look; the next look goes on from there
GOES_ON = timedelta(days=1)  # with a look begun longer ago a new one begins: its pages may be there no more


def backfill(
    engine: Engine, vault: Vault, content: Content, wire: Wire, ring: Callable[[UUID], None], now: datetime | None = None
) -> int:
    """Ask every channel that can list for the texts clients sent since the last complete look; how many were missing.

    Those we have make no second row (unique carrier id); those we miss are kept, marked late, and decided about, cries for help first.
    """
    with unit_of_work(engine, SYSTEM, now) as work:
        asked = [c for c in channels.list_all(work, vault) if c.state != "disabled" and c.kind in registry.kinds()]
        began_at = work.now
    missing = 0
    for channel in asked:
        carrier = registry.of(channel.kind, channel.settings)
        if not carrier.capabilities.can_list:
            continue
        look = _Look.of(channel, carrier, began_at)
        try:
            listed = _not_kept(engine, vault, channel, _listed(carrier, channel, wire, look))
        except Exception as error:  # one channel must not hold up the others
            log.error("backfill_later", error, channel=channel.id)
            continue
        kept = [_keep(engine, vault, content, channel, message, ring, now) for message in _in_turn(content, listed)]
        missing += sum(filter(None, kept))
        if None not in kept:
            _mark(engine, channel, look, now)
    return missing


@dataclass(slots=True)
class _Look:
    """A look through a channel's list: from when on, and for each of our numbers the page to begin with, None the first.

    A number whose list was read to its end is not in `pages` any more.
    """

    began_at: datetime
    since: datetime
    pages: dict[str, str | None]

    @classmethod
    def of(cls, channel: channels.Channel, carrier: base.Channel, now: datetime) -> "_Look":
        """What is left of the last one, else a new one."""
        if (rest := channel.backfill_rest) is not None:
            look = cls(datetime.fromisoformat(rest["began_at"]), datetime.fromisoformat(rest["since"]), dict(rest["pages"]))
            if now - look.began_at < GOES_ON:
                return look
        since = (channel.backfilled_to or now - FIRST_LOOK_BACK) - OVERLAP
        return cls(now, since, dict.fromkeys(carrier.own_numbers(channel.settings)))


def _mark(engine: Engine, channel: channels.Channel, look: _Look, now: datetime | None) -> None:
    """Complete, or to go on where it stopped."""
    with unit_of_work(engine, SYSTEM, now) as work:
        if not look.pages:
            channels.mark_backfilled(work, channel.id, look.began_at)
            return
        log.warning("backfill_goes_on", channel=channel.id, pages=MAX_PAGES)
        channels.mark_backfilling(work, channel.id, {"began_at": look.began_at.isoformat(), "since": look.since.isoformat(), "pages": look.pages})


def _listed(carrier: base.Channel, channel: channels.Channel, wire: Wire, look: _Look) -> list[base.Found]:
    """What it lists of the next pages. The look moves on with them."""
    found: list[base.Found] = []
    for number, page in list(look.pages.items()):
        for _ in range(MAX_PAGES):
            page, fresh = _page(carrier, channel, wire, number, look.since, page)
            found += [each for each in fresh if each.direction == "inbound"]
            if page is None:
                del look.pages[number]
                break
            look.pages[number] = page
    found.reverse()  # lists are newest first, also within a second
    return sorted(found, key=lambda f: (f.created_at is None, f.created_at))


def _page(
    carrier: base.Channel, channel: channels.Channel, wire: Wire, number: str, since: datetime, page: str | None
) -> tuple[str | None, list[base.Found]]:  # fmt: skip
    """A page's texts since then, and the page after it; None when all that is as recent is listed. Raises BadList."""
    request = carrier.inbound_list_request(channel.settings, number, since, page)
    if request is None:
        return None, []
    reply = wire.call(request).reply
    if reply is None:
        raise base.BadList("the carrier did not answer")
    listed = carrier.read_list(reply)
    fresh = [f for f in listed.found if f.created_at is None or f.created_at >= since]
    return listed.next if fresh else None, fresh


def _not_kept(engine: Engine, vault: Vault, channel: channels.Channel, listed: list[base.Found]) -> list[base.Inbound]:
    """Those of which we have no row. Nearly all were kept when they were posted: one question for all of them."""
    messages = [base.Inbound(found.carrier_id, found.sender, found.to, found.body, found.created_at) for found in listed]
    if not messages:
        return []
    with unit_of_work(engine, SYSTEM) as work:
        kept = inbound.kept(work, channel.id, [message.carrier_id for message in messages])
    came = (receive_message.came(engine, vault, channel, message) for message in messages)
    return [text.message for text in came if (text.message.carrier_id, text.phone_hash, text.body_hash) not in kept]


def _in_turn(content: Content, listed: list[base.Inbound]) -> list[base.Inbound]:
    """Phones that cried for help first, each phone's texts in their order."""
    crying = {m.sender_phone for m in listed if "crisis" in receive_message.wants(content, m.text, content.lexicons)}
    return sorted(listed, key=lambda message: message.sender_phone not in crying)


def _keep(
    engine: Engine, vault: Vault, content: Content, channel: channels.Channel, message: base.Inbound, ring: Callable[[UUID], None],
    now: datetime | None,
) -> int | None:  # fmt: skip
    """1 for a text we did not have, 0 for one we had; None for one that could not be kept now, and is looked for again."""
    try:
        kept = receive_message.receive(engine, vault, content, channel, message, ring, now, late=True)
    except Exception as error:
        log.error("backfill_not_kept", error, channel=channel.id)
        return None
    return 0 if kept is None else 1
