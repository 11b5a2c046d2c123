"""When a channel fails: its clients' texts leave by another one, and staff hear of it. Nothing that may have left is sent again.

Called by the clock. Only texts that are still planned, of which no attempt ever left, move; at each step what happened before is
in PostgreSQL, so that a killed clock loses nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import Engine

from gateway import log
from gateway.channels import registry
from gateway.content import Content
from gateway.domain import health
from gateway.domain.messages import BULK, REPLY
from gateway.domain.routing import Table, carries
from gateway.store import channels, flags, routes
from gateway.store.base import SYSTEM, Work, unit_of_work
from gateway.usecases import escalate
from gateway.vault import Vault

PAGE, MOST = 500, 100_000


def move_traffic(engine: Engine, vault: Vault, content: Content, ring: Callable[[UUID], None], now: datetime | None = None) -> int:
    """Weigh the channels by how they worked lately, tell staff of faults, move what is due; how many texts moved."""
    with unit_of_work(engine, SYSTEM, now) as work:
        for channel_id, unit_id, reason, once in [*_weigh(work), *_faults(work)]:
            _flag(work, vault, content, channel_id, unit_id, reason, once, ring)
        leaving = routes.leaving(work)
    return sum(_move_from(engine, vault, channel, ring, now) for channel in leaving)


def _weigh(work: Work) -> Iterator[tuple[UUID, UUID, str, str]]:
    """Write the weights that follow from what is measured; of which channels in trouble staff are to hear, since no other can help them out."""
    for verdict in health.judge(routes.seen(work), work.now):
        routes.weigh(work, verdict)
        if verdict.weight != verdict.was:
            log.warning("channel_weighed", channel=verdict.id, weight=verdict.weight, was=verdict.was)
        if verdict.is_alone:
            yield verdict.id, channels.unit_of(work, verdict.id), "channels_troubled", f"{work.now:%Y-%m-%d}"
    routes.forget_minutes(work)


def _faults(work: Work) -> Iterator[tuple[UUID, UUID, str, str]]:
    """The channels that a fault has stopped, of which staff did not hear yet; once a day for each fault."""
    routes.reopen(work)
    channels.pause_unheld(work, (*registry.of_road("smpp"), *registry.of_road("files")), health.UNHELD, health.SURE)
    for row in routes.faults(work):
        fault = " ".join([row.state_reason or "", *row.off]).strip() if row.state == "paused" or row.off else None
        if fault != row.told:
            routes.tell(work, row.id, fault)
            if fault is not None:
                yield row.id, row.unit_id, "channel_stopped", f"{fault}:{work.now:%Y-%m-%d}"


def _flag(
    work: Work, vault: Vault, content: Content, channel_id: UUID, unit_id: UUID, reason: str, once: str, ring: Callable[[UUID], None]
) -> None:  # fmt: skip
    flag = flags.add(work, unit_id=unit_id, reason=reason, about_id=channel_id, dedupe_key=f"{reason}:{channel_id}:{once}")
    if flag is not None and escalate.begin(work, vault, content, unit_id, flag.id, flag.number):
        for road in routes.table(work).roads:
            work.after_commit(partial(ring, road))


def _move_from(engine: Engine, vault: Vault, channel: routes.Leaving, ring: Callable[[UUID], None], now: datetime | None) -> int:
    with unit_of_work(engine, SYSTEM, now) as work:
        table = routes.table(work)
        ids = routes.due(work, channel, MOST) if set(table.roads) - {channel.id} else []
    moved = sum(_move_page(engine, vault, channel, table, ids[at : at + PAGE], ring, now) for at in range(0, len(ids), PAGE))
    if moved:
        log.info("texts_moved", channel=channel.id, texts=moved)
    if len(ids) < MOST:
        with unit_of_work(engine, SYSTEM, now) as work:
            routes.looked(work, channel.id)
    return moved


def _move_page(engine: Engine, vault: Vault, channel: routes.Leaving, table: Table, ids: list[UUID], ring: Callable[[UUID], None], now: datetime | None) -> int:
    with unit_of_work(engine, SYSTEM, now) as work:
        moves = move(work, vault, table, channel.id, ids, channel.is_stopped)
        for road_id in set(moves.values()):
            work.after_commit(partial(ring, road_id))
        return len(moves)


def move(work: Work, vault: Vault, table: Table, channel_id: UUID, ids: Sequence[UUID], is_stopped: bool = True) -> dict[UUID, UUID]:
    """Let those of these unsent texts leave by other channels that can: text -> channel.

    An answer stays where the client wrote as long as that works. From a channel that is not stopped it goes only where answers come back.
    Alerts and answers rather take one that may not hold their words than none.
    """
    moves, own = {}, table.roads.get(channel_id)
    for row in routes.held(work, channel_id, ids):
        try:
            asked = routes.asked_of(row, vault)
        except Exception as error:  # one unreadable row must not hold up the others
            log.error("text_not_moved", error, message=row.id)
            continue
        if row.lane == REPLY:
            if own is not None and own.weight > 0 and carries(own, asked):
                continue
            asked = replace(asked, answers=asked.answers or not is_stopped)
        road = table.choose(asked)
        if row.lane != BULK and (road is None or not carries(road, asked)):
            road = table.choose(asked.anyhow())
        if road is not None and road.id != channel_id and road.is_open:
            moves[row.id] = road.id
    if moves:
        routes.move(work, moves)
    return moves
