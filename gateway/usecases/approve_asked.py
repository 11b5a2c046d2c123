"""Start the campaigns whose approval was asked for on a page: every text of each is checked first, which may take minutes."""

from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import Engine

from gateway.content import Content
from gateway.domain.errors import NotAllowed
from gateway.store import approvals
from gateway.store.approvals import Asked
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import asked, launch_campaign
from gateway.vault import Vault

MAY_APPROVE = frozenset({"supervisor", "administrator"})


def approve(engine: Engine, vault: Vault, content: Content, self_approval_up_to: int, now: datetime | None = None) -> int:
    """Do the approval that was asked for first, as whoever asked; 0 when there is none.

    What it came to is kept: the campaign runs, or why it was not started. Killed in between it is done again from the beginning.
    """
    with unit_of_work(engine, SYSTEM, now) as work:
        following = approvals.next_asked(work)
    if following is None:
        return 0
    _, refused = asked.come_to(
        lambda: _approve(engine, vault, content, self_approval_up_to, following, now), "approval_failed", campaign=following.campaign_id
    )
    with unit_of_work(engine, SYSTEM, now) as work:
        approvals.settle(work, following.campaign_id, refused)
    return 1


def _approve(engine: Engine, vault: Vault, content: Content, self_approval_up_to: int, following: Asked, now: datetime | None) -> None:
    if not following.active or following.actor.role not in MAY_APPROVE:
        raise NotAllowed("whoever asked for this may not approve any more")
    launch_campaign.approve(engine, vault, content, following.actor, following.name, now, self_approval_up_to,
                            progress=partial(_progress, engine, following.campaign_id))  # fmt: skip


def _progress(engine: Engine, campaign_id: UUID, seen: int) -> None:
    with unit_of_work(engine, SYSTEM) as work:
        approvals.progress(work, campaign_id, seen)
