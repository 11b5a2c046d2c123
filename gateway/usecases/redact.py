"""Blank the carrier's copy of a text once its fate is final: our erasure cannot reach a carrier's log later."""

from datetime import datetime

from sqlalchemy import Engine

from gateway.channels import registry
from gateway.store import channels, leftovers
from gateway.store.base import SYSTEM, unit_of_work
from gateway.vault import Vault
from gateway.wire import Wire

BATCH = 200
ASKED_AT_ONCE = 20


def redact(engine: Engine, vault: Vault, wire: Wire, now: datetime | None = None) -> int:
    """Blank up to 200 texts of each channel; how many are blank now. A carrier that refuses is asked again next time."""
    with unit_of_work(engine, SYSTEM, now) as work:
        final = leftovers.unredacted(work, BATCH)
        by_id = {c.id: c for c in channels.list_all(work, vault)} if final else {}
    asked, blank = [], []
    for row in final:
        channel = by_id[row.channel_id]
        if channel.kind not in registry.kinds():  # it is no more, and must not hold up the others
            continue
        request = registry.of(channel.kind, channel.settings).redact_request(channel.settings, row.carrier_id)
        asked += [(row.id, request)] if request is not None else []
        blank += [row.id] if request is None else []
    for start in range(0, len(asked), ASKED_AT_ONCE):
        some = asked[start : start + ASKED_AT_ONCE]
        results = wire.call_all(request for _, request in some)
        blank += [row_id for (row_id, _), result in zip(some, results, strict=True) if _is_blanked(result.reply)]
    if blank:
        with unit_of_work(engine, SYSTEM, now) as work:
            leftovers.mark_redacted(work, blank)
    return len(blank)


def _is_blanked(reply: object) -> bool:
    # 404: the carrier has no such message any more.
    status = getattr(reply, "status", 0)
    return 200 <= status < 300 or status == 404
