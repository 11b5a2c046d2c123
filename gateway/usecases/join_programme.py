"""Take clients into a programme by hand, and end it for them: on the page of a client, and by command."""

from collections.abc import Sequence
from uuid import UUID

from gateway.domain.errors import Refused
from gateway.store import audit, campaigns, clients, enrolments
from gateway.store.base import Work
from gateway.usecases import plan_rounds


def join(work: Work, name: str, client_ids: Sequence[UUID]) -> int:
    """Take clients of the audience in; who left it begins anew. How many were not in it. Raises Refused, NotFound."""
    campaign = campaigns.by_name(work, name, lock=True)
    if campaign.state not in ("running", "paused"):
        raise Refused("the programme does not run: approve it first")
    taken = plan_rounds.enrol_by_hand(work, campaign, client_ids)
    audit.add(work, "campaign.enrol", "campaign", campaign.id, campaign.unit_id, {"clients": [str(each) for each in client_ids]})
    return taken


def leave(work: Work, name: str, client_ids: Sequence[UUID]) -> int:
    """End it for clients; what waits for them is cancelled. How many were in it. Raises Refused, NotFound."""
    campaign = campaigns.by_name(work, name)
    enrolments.must_be_programme(campaign)
    clients.lock(work, client_ids)
    ended = enrolments.leave(work, campaign.id, client_ids, enrolments.BY_STAFF)
    audit.add(work, "campaign.leave", "campaign", campaign.id, campaign.unit_id, {"clients": [str(each) for each in client_ids]})
    return ended
