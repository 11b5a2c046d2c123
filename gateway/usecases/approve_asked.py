"""Start the campaigns whose approval was asked for on a page: every text of each is checked first, which may take minutes."""

from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway import log
from gateway.content import Content
from gateway.domain.errors import NotAllowed, Refused
from gateway.domain.told import N_
from gateway.store import approvals
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import launch_campaign
from gateway.vault import Vault

MAY_APPROVE = frozenset({"supervisor", "administrator"})


def approve(engine: Engine, vault: Vault, content: Content, self_approval_up_to: int, now: datetime | None = None) -> int:
    """Do the approval that was asked for first, as whoever asked; 0 when there is none.

    What it came to is kept: the campaign runs, or why it was not started. Killed in between it is done again from the beginning.
    """
    with unit_of_work(engine, SYSTEM, now) as work:
        asked = approvals.next_asked(work)
    if asked is None:
        return 0
    refused = None
    try:
        if not asked.active or asked.actor.role not in MAY_APPROVE:
            raise NotAllowed("whoever asked for this may not approve any more")
        launch_campaign.approve(engine, vault, content, asked.actor, asked.name, now, self_approval_up_to,
                                progress=partial(_progress, engine, asked.campaign_id))  # fmt: skip
    except Refused as why:
        refused = str(why)
    except SQLAlchemyError:
        raise  # the database went away: it is tried again
    except Exception as error:
        log.error("approval_failed", error, campaign=asked.campaign_id)
        refused = N_("something went wrong here, and it is in the log ({error})").format(error=type(error).__name__)
    with unit_of_work(engine, SYSTEM, now) as work:
        approvals.settle(work, asked.campaign_id, refused)
    return 1


def _progress(engine: Engine, campaign_id: UUID, seen: int) -> None:
    with unit_of_work(engine, SYSTEM) as work:
        approvals.progress(work, campaign_id, seen)
