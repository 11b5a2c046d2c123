"""Settle messages whose outcome nobody heard, by asking the carrier for what it has. Never by sending again blindly."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from gateway import log
from gateway.channels import base, registry
from gateway.domain import messages
from gateway.domain import reconcile as rule
from gateway.domain.told import N_
from gateway.store import channels, flags, unknowns
from gateway.store.base import SYSTEM, Work, unit_of_work
from gateway.store.messages import Outcome, record
from gateway.usecases import tell_worker
from gateway.vault import Vault, VaultError
from gateway.wire import Wire

MAX_PAGES = 20
ASKED_AT_ONCE = 20
# An alert must be there within a minute whatever died on its way: it is taken up sooner, and a second copy harms nobody.
URGENT_LEASE, URGENT_SETTLE = 0.5, 0.25


@dataclass(frozen=True, slots=True)
class _Phone:
    """The unknown attempts to one phone over one channel. `to` is empty where it cannot be read."""

    channel_id: UUID
    to: str
    attempts: Sequence[Any]
    bodies: dict[UUID, str]


def lapse(engine: Engine, lease: timedelta, now: datetime | None = None) -> int:
    """Messages left in `submitting` by a process that died become `unknown`: bytes may have left. How many."""
    with unit_of_work(engine, SYSTEM, now) as work:
        return unknowns.lapse(work, work.now - lease, work.now - lease * URGENT_LEASE)


def reconcile(
    engine: Engine, vault: Vault, wire: Wire, ring: Callable[[UUID], None], settle_delay: timedelta = messages.SETTLE_DELAY,
    now: datetime | None = None,
) -> int:  # fmt: skip
    """Ask carriers about attempts unknown for at least `settle_delay`; how many were settled.

    Found: adopted. Not shown: what the template's semantics allow, one more attempt or a person. What could not be
    asked (carrier down, list unreadable, channel without a list) waits and is asked again.
    """
    with unit_of_work(engine, SYSTEM, now) as work:
        waiting = unknowns.waiting(work, work.now - settle_delay, work.now - settle_delay * URGENT_SETTLE)
        open_channels = {c.id: c for c in channels.list_all(work, vault)}
    settled = 0
    for phone, shown in _ask_all(open_channels, wire, _by_phone(waiting, vault)):
        settled += _settle(engine, phone, shown, ring, now)
    return settled


def _by_phone(waiting: Sequence[Any], vault: Vault) -> list[_Phone]:
    groups: dict[tuple[UUID, bytes], list[Any]] = defaultdict(list)
    for row in waiting:
        groups[row.channel_id, bytes(row.to_hash)].append(row)
    phones = []
    for (channel_id, _), attempts in groups.items():
        bodies, to = {}, ""
        for row in attempts:
            try:
                key = vault.open_key(row.wrapped, row.key_id)
                to = key.decrypt(row.to_enc, "outbound.to", row.id)
                bodies[row.attempt_id] = key.decrypt(row.body_enc, "outbound.body", row.id)
            except VaultError as error:  # one unreadable row must not hold up the others
                log.error("message_unreadable", error, message=row.id)
                phones.append(_Phone(channel_id, "", [row], {row.attempt_id: ""}))
        if bodies:
            phones.append(_Phone(channel_id, to, [row for row in attempts if row.attempt_id in bodies], bodies))
    return phones


def _ask_all(
    open_channels: dict[UUID, channels.Channel], wire: Wire, phones: Sequence[_Phone]
) -> Iterator[tuple[_Phone, list[base.Found] | None]]:
    """What the carriers show for each phone, as answers come; those that could not be asked are left out.

    A carrier that answered none of the first is down: it is not asked about the others before the next time.
    """
    in_vain, answered = defaultdict[UUID, list[_Phone]](list), set[UUID]()

    def ask(phone: _Phone) -> list[base.Found] | None:
        failed = in_vain[phone.channel_id]
        try:
            if len(failed) >= ASKED_AT_ONCE and phone.channel_id not in answered:
                raise base.BadList("the carrier does not answer: asked again later")
            shown = _ask(open_channels[phone.channel_id], wire, phone)
        except base.BadList:
            failed.append(phone)  # by the thread that asked: the reader below may be busy while others go on asking
            raise
        answered.add(phone.channel_id)
        return shown

    with ThreadPoolExecutor(ASKED_AT_ONCE) as asking:
        asked = {asking.submit(ask, phone): phone for phone in phones}
        for answer in as_completed(asked):
            with suppress(base.BadList):
                yield asked[answer], answer.result()
    for channel_id, failed in in_vain.items():
        if failed:
            log.warning("reconcile_later", channel=channel_id, phones=len(failed))


def _ask(channel: channels.Channel, wire: Wire, phone: _Phone) -> list[base.Found] | None:
    """What the carrier shows for the phone since the first attempt; None when it cannot be asked at all."""
    if not phone.to or channel.kind not in registry.kinds():
        return None
    carrier = registry.of(channel.kind, channel.settings)
    oldest = min(row.started_at for row in phone.attempts) - rule.EARLIER
    found: list[base.Found] = []
    page: str | None = None
    for _ in range(MAX_PAGES):
        request = carrier.list_request(channel.settings, phone.to, page)
        if request is None:
            return None
        reply = wire.call(request).reply
        if reply is None:
            raise base.BadList("the carrier did not answer: asked again later")
        listed = carrier.read_list(reply)
        found += [f for f in listed.found if f.direction == "outbound"]
        times = [f.created_at for f in listed.found if f.created_at is not None]
        page = listed.next
        if page is None or (times and min(times) < oldest):
            return found
    raise base.BadList("the carrier's list does not end: asked again later")


def _settle(engine: Engine, phone: _Phone, shown: list[base.Found] | None, ring: Callable[[UUID], None], now: datetime | None) -> int:
    with unit_of_work(engine, SYSTEM, now) as work:
        still = {row.attempt_id for row in unknowns.lock(work, [row.id for row in phone.attempts])}
        attempts = [row for row in phone.attempts if row.attempt_id in still]
        taken = unknowns.taken(work, phone.channel_id, [f.carrier_id for f in shown or []])
        free = [rule.Shown(f.carrier_id, f.body, f.created_at) for f in shown or [] if f.carrier_id not in taken]
        unknown = [rule.Unknown(row.attempt_id, phone.bodies[row.attempt_id], row.started_at) for row in attempts]
        matched = rule.match(unknown, free)
        states = {f.carrier_id: f.state for f in shown or []}
        outcomes = []
        for row in attempts:
            carrier_id = matched.get(row.attempt_id)
            if carrier_id is not None:
                outcomes.append(_adopted(row, carrier_id, states[carrier_id]))
            elif (decided := _not_shown(work, row, shown is not None)) is not None:
                outcomes.append(decided)
        if outcomes:
            record(work, outcomes)
            tell_worker.not_sent(work, [outcome.message_id for outcome in outcomes if outcome.state == "expired"])
        if any(o.state == "planned" for o in outcomes):
            work.after_commit(lambda: ring(phone.channel_id))
        return len(outcomes)


def _adopted(row: Any, carrier_id: str, state: str | None) -> Outcome:
    shown = state if state in ("sent", "delivered", "failed", "expired") else "accepted"
    return Outcome(row.id, row.attempt_id, shown, "accepted", N_("found at the carrier"), carrier_id=carrier_id)


def _not_shown(work: Work, row: Any, asked: bool) -> Outcome | None:
    """One more attempt where the template allows it and there is time; else a person is told, once."""
    again = asked and rule_for(row) == "again"
    if again and work.now < row.send_before:
        return Outcome(row.id, row.attempt_id, "planned", "carrier_shows_none", N_("the carrier does not have it"), again_at=work.now)
    if again:
        return Outcome(row.id, row.attempt_id, "expired", "carrier_shows_none", N_("its time passed before it was settled"))
    flags.add(work, unit_id=row.unit_id, reason="delivery_unknown", client_id=row.client_id, inbound_id=None, about_id=row.id,
              dedupe_key=f"delivery_unknown:{row.id}")  # fmt: skip
    unknowns.leave_to_person(work, row.id, N_("the carrier does not show it") if asked else N_("the carrier cannot be asked"))
    return None


def rule_for(row: Any) -> str:
    """Whether a message that the carrier does not show goes out once more ("again") or waits for a person ("wait")."""
    return messages.reconcile(row.semantics, row.attempts)
