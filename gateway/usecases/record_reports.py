"""Delivery reports: kept and applied in bulk, durable before the carrier hears 2xx."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine

from gateway import log
from gateway.channels import base
from gateway.store import channels, flags, messages, routes
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import apply_effects, tell_worker

# What a report's reason says of the phone or of the account.
_UNREACHABLE = frozenset({"bad_number", "landline", "unreachable", "filtered", "unrecognised"})
# The whole account is meant, and all that leaves now is lost. Never until a person resumes it: reports of old texts go on coming.
_PAUSE_SECONDS = {"suspended": 300, "daily_limit": 3600}
# A carrier that takes a text and reports the limit later loses it: unlike one that refuses, it is not tried with alerts meanwhile.
_PAUSED_AS = {"daily_limit": "daily_limit_reported"}


def record(
    engine: Engine, reports: Sequence[tuple[UUID, base.Report]], now: datetime | None = None, wait_s: float = 0
) -> int:
    """Keep and apply reports of any channels in one transaction; how many messages changed.

    A status never falls; a delivered after a time-out still raises it; a word nobody knows is kept and changes nothing.
    A report that the person opted out at the carrier stops the phone here too; one that the account is stopped pauses the channel.
    """
    with unit_of_work(engine, SYSTEM, now, wait_s=wait_s) as work:
        said = [_reported(channel_id, report) for channel_id, report in reports]
        opted_out = messages.phones_of(work, [report for report in said if report.reason == "opted_out"])
        changed = messages.report(work, said)
        tell_worker.not_sent(work, [row.id for row in changed if row.state == "expired"])
        # An opt-out holds whatever the message's state: it may come late, or of an earlier attempt. Told again, it undoes no START.
        for phone in opted_out:
            apply_effects.stop_phone(work, phone.to_hash, "carrier", "carrier", phone.id)
        for row in changed:
            if row.reason != "opted_out" and row.state == "failed" and row.reason in _UNREACHABLE:
                flags.add(work, unit_id=row.unit_id, reason="cannot_reach", client_id=row.client_id, inbound_id=None,
                          about_id=row.id, dedupe_key=f"cannot_reach:{row.id}")  # fmt: skip
        stopped = {(row.channel_id, row.reason) for row in changed if row.state == "failed" and row.reason in _PAUSE_SECONDS}
        for channel_id, reason in stopped:
            channels.pause(work, channel_id, _PAUSED_AS.get(reason, reason), _PAUSE_SECONDS[reason])
            log.error("channel_down", channel=channel_id, reason=reason)
        routes.count_reports(work, Counter(row.channel_id for row in changed))  # after their channels, as outcomes are
    for channel_id, report in reports:
        if report.state is None:
            log.warning("report_not_understood", channel=channel_id, code=report.code)
    return len(changed)


def _reported(channel_id: UUID, report: base.Report) -> messages.Reported:
    state = "failed" if report.state == "cancelled" else report.state or "unrecognised"
    return messages.Reported(channel_id, _token(report.token), report.carrier_id, state, report.code, report.reason)


def _token(token: str | None) -> UUID | None:
    try:
        return UUID(token) if token else None
    except ValueError:
        return None
