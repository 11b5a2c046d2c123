"""Work out what was asked for on a page: all that a campaign would send. It may take minutes, so nobody waits for it."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from gateway.content import Content
from gateway.domain.errors import NotAllowed, Refused
from gateway.store import audit, campaigns, occurrences, rehearsals
from gateway.store.base import SYSTEM, Work, unit_of_work
from gateway.store.rehearsals import Next
from gateway.usecases import asked, rehearse_campaign
from gateway.vault import Vault

MOST = 10_000
"""People (or appointments) of a campaign that is rehearsed here, half a minute's work; of more, the command does it."""


def ask(work: Work, campaign_id: UUID, days: int) -> None:
    """Have it worked out for the actor. Raises Refused for a campaign that is over, or of too many people."""
    found = campaigns.by_id(work, campaign_id)
    if found.state not in ("draft", "running", "paused"):
        raise Refused("the campaign is over: nothing would be sent any more")
    people = occurrences.count_people(work, found)
    if people > MOST:
        raise Refused("So many people are rehearsed by command: `python -m gateway campaign rehearse`.")
    rehearsals.ask(work, found.id, found.unit_id, days, people)
    audit.add(work, "campaign.rehearse", "campaign", found.id, found.unit_id)


def rehearse(engine: Engine, vault: Vault, content: Content, now: datetime | None = None) -> int:
    """Do the one that was asked for first; 0 when there is none. Killed in between it is done again from the beginning."""
    with unit_of_work(engine, SYSTEM, now) as work:
        following = rehearsals.next_asked(work)
    if following is None:
        return 0
    found, refused = asked.come_to(lambda: _rehearse(engine, vault, content, following, now), "rehearsal_failed", campaign=following.campaign_id)
    with unit_of_work(engine, SYSTEM, now) as work:
        rehearsals.settle(work, following, found, refused)
    return 1


def _rehearse(engine: Engine, vault: Vault, content: Content, following: Next, now: datetime | None) -> dict[str, Any]:
    if not following.active:
        raise NotAllowed("whoever asked for this may not any more")
    with unit_of_work(engine, following.actor, now) as work:
        campaign = campaigns.by_id(work, following.campaign_id)
        until = work.now + timedelta(days=following.days)
        return rehearse_campaign.rehearse(work, vault, content, campaign, until, progress=partial(_progress, engine, following)).to_dict()


def _progress(engine: Engine, following: Next, seen: int) -> None:
    with unit_of_work(engine, SYSTEM) as work:
        rehearsals.progress(work, following, seen)
