"""Campaigns: what runs, how far it has come, and the deeds on one: approve, pause, resume, cancel, send again."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, request
from markupsafe import Markup
from werkzeug.wrappers import Response

from gateway.domain import campaigns as rules
from gateway.domain.errors import Refused
from gateway.parts import Gateway
from gateway.store import (
    approvals,
    audit,
    campaigns,
    drafts,
    enrolments,
    occurrences,
    rehearsals,
    routes,
    staff,
)
from gateway.store.base import SYSTEM, Work, unit_of_work
from gateway.store.campaigns import Campaign, Counts
from gateway.usecases import draw_timeline, launch_campaign, preview_campaign, rehearse_asked
from gateway.usecases.preview_campaign import Reach
from gateway.usecases.rehearse_campaign import Rehearsal
from gateway.web import guard, page, roles

MOST = 200
"""People whose texts a page writes to count them; of more it estimates, and the approval goes through all."""
LIVE_UP_TO = 20_000
"""Texts of a campaign that are counted while somebody looks; of a larger one the page shows what the clock counted last."""
AT_ONCE = 50
SPANS = (7, 31, 92, 366)


def blueprint(gateway: Gateway) -> Blueprint:
    """The list, one campaign, its calendar, and what is done with it."""
    paths = Blueprint("campaigns", __name__, url_prefix="/campaigns")

    @paths.get("/")
    def show() -> str:
        at = page.at()
        with page.work() as work:
            found = campaigns.page(work, AT_ONCE + 1, (at - 1) * AT_ONCE)
            found, more = found[:AT_ONCE], len(found) > AT_ONCE
            making = drafts.list_seen(work) if page.member().role in roles.CARE else []
        with unit_of_work(gateway.engine, SYSTEM, guard.now()) as work:  # clients may have moved beyond the member's units since
            started = [each.id for each in found if each.started_at is not None]
            kept = campaigns.kept_counts(work, started)
            counts = {each: kept.get(each) or campaigns.counts(work, each) for each in started}
        return page.render("campaigns/list.html", campaigns=found, drafts=making, counts=counts, at=at, more=more)

    @paths.get("/<uuid:campaign>")
    def look(campaign: UUID) -> str:
        return _page(gateway, campaign)

    @paths.get("/<uuid:campaign>/calendar")
    def calendar(campaign: UUID) -> str:
        with page.work() as work:
            found = _get(work, campaign)
            asked = rehearsals.of(work, found.id)
        seen = Rehearsal.from_dict(asked.found) if asked and asked.found else None
        drawn = Markup(draw_timeline.draw(found.spec.name, seen, page.gettext(), page.retold())) if seen else ""  # noqa: S704 - it escapes all words
        return page.render("campaigns/calendar.html", campaign=found, asked=asked, seen=seen, spans=SPANS, drawn=drawn)

    @paths.post("/<uuid:campaign>/calendar")
    def rehearse(campaign: UUID) -> Response:
        """The clock works it out; the page tells how far it is."""
        days = next((span for span in SPANS if str(span) == request.form.get("days")), SPANS[1])
        with page.work() as work:
            rehearse_asked.ask(work, campaign, days)
        return page.go("campaigns.calendar", campaign=campaign)

    _deeds(paths, gateway)
    return paths


def _deeds(paths: Blueprint, gateway: Gateway) -> None:
    @paths.post("/<uuid:campaign>/approve")
    def approve(campaign: UUID) -> Response | tuple[str, int]:
        with page.work() as work:
            found = _get(work, campaign)
        return _done(gateway, found, lambda: _ask(gateway, found), "")

    @paths.post("/<uuid:campaign>/pause")
    def pause(campaign: UUID) -> Response | tuple[str, int]:
        _ = page.gettext()
        return _set(gateway, campaign, lambda work, name: launch_campaign.pause(work, name, _reason()), _("It is paused: nothing of it leaves until somebody resumes it."))

    @paths.post("/<uuid:campaign>/resume")
    def resume(campaign: UUID) -> Response | tuple[str, int]:
        _ = page.gettext()
        return _set(gateway, campaign, launch_campaign.resume, _("It runs again."))

    @paths.post("/<uuid:campaign>/resend")
    def resend(campaign: UUID) -> Response | tuple[str, int]:
        _ = page.gettext()
        sent = []
        return _set(gateway, campaign, lambda work, name: sent.append(launch_campaign.resend(work, name, gateway.bell.ring)),
                    lambda: _("{count} texts are sent again.").format(count=sum(sent)))  # fmt: skip

    @paths.post("/<uuid:campaign>/cancel")
    def cancel(campaign: UUID) -> Response | tuple[str, int]:
        _ = page.gettext()
        with page.work() as work:
            found = _get(work, campaign)
        went: list[Counts] = []
        actor = page.member().actor
        return _done(gateway, found, lambda: went.append(launch_campaign.cancel(gateway.engine, actor, found.spec.name, _reason(), guard.now())),
                     lambda: _went(went[0]))  # fmt: skip

    @paths.post("/<uuid:campaign>/change")
    def change(campaign: UUID) -> Response:
        """Back into the making, under the same id: what is kept there takes its place."""
        with page.work() as work:
            found = _get(work, campaign)
            if found.state != "draft" or approvals.waits(work, found.id):
                raise Refused("only a draft is changed; copy this one instead")
            drafts.add(work, found.id, found.unit_id, rules.written(found.spec))
        return page.go("maker.who", draft=found.id)

    @paths.post("/<uuid:campaign>/copy")
    def copy(campaign: UUID) -> Response:
        _ = page.gettext()
        with page.work() as work:
            found = _get(work, campaign)
            made = rules.written(found.spec) | {"name": _("{name} (copy)").format(name=found.spec.name)}
            assert work.actor.unit_id is not None
            drafts.add(work, new := uuid4(), work.actor.unit_id, made)
        return page.go("maker.who", draft=new)


def _get(work: Work, campaign_id: UUID) -> Campaign:
    return campaigns.by_id(work, campaign_id)


def _reason() -> str:
    return " ".join(request.form.get("reason", "").split())[:200]


def _went(counts: Counts) -> str:
    _ = page.gettext()
    states = counts.by_state
    return _("It is cancelled: {gone} texts went, {pending} are on their way, {cancelled} were cancelled.").format(
        gone=states["accepted"] + states["unknown"], pending=states["pending"], cancelled=states["cancelled"]
    )


def _set(
    gateway: Gateway, campaign_id: UUID, deed: Callable[[Work, str], object], told: str | Callable[[], str]
) -> Response | tuple[str, int]:  # fmt: skip
    """A deed in one transaction, on a campaign that whoever asks can see."""
    with page.work() as work:
        found = _get(work, campaign_id)

    def do() -> None:
        with page.work() as work:
            deed(work, found.spec.name)

    return _done(gateway, found, do, told)


def _done(gateway: Gateway, found: Campaign, deed: Callable[[], object], told: str | Callable[[], str]) -> Response | tuple[str, int]:
    """Do it if the campaign is still in the state in which its button was shown; else show how it is now."""
    try:
        if request.form.get("state") != found.state:
            raise _changed()
        deed()
    except Refused as refused:
        return _page(gateway, found.id, refused.told(page.gettext())), 400
    if said := told if isinstance(told, str) else told():
        page.tell("{said}", said=said)
    return page.go("campaigns.look", campaign=found.id)


def _changed() -> Refused:
    return Refused("this campaign has changed since the page was opened: look at it again first")


def _ask(gateway: Gateway, found: Campaign) -> None:
    limit = gateway.settings.self_approval_up_to
    with page.work() as work:
        found = campaigns.by_name(work, found.spec.name, lock=True)
        if request.form.get("seen") != found.edition:
            raise _changed()
        people = occurrences.count_people(work, found)
        reached = preview_campaign.exclusions(work, found)[None]
        if found.created_by == work.actor.staff_id and found.kind != "programme" and reached > limit:
            raise launch_campaign.not_its_maker(reached, limit)
        approvals.ask(work, found.id, found.unit_id, people)
        audit.add(work, "campaign.ask", "campaign", found.id, found.unit_id)


def _page(gateway: Gateway, campaign_id: UUID, error: str = "") -> str:
    care = page.member().role in roles.CARE
    with page.work() as work:
        found = _get(work, campaign_id)
        approval = approvals.of(work, found.id) if page.member().role in roles.PEOPLE else None  # why not may name clients' codes
        waits = approval is not None and approval.settled_at is None
        seen, reach = None, Reach()
        if found.state == "draft" and care and not waits:
            size = occurrences.size(work, found)
            seen = preview_campaign.preview(work, gateway.vault, gateway.content, found, most=MOST, size=size)
            reach = preview_campaign.reach(work, found, size=size)
            audit.add(work, "campaign.preview", "campaign", found.id, found.unit_id)
        people = {staff_id: code for code, staff_id in staff.codes(work).items()}
        limit = gateway.settings.self_approval_up_to
        second = seen is not None and found.created_by == page.member().id and reach.people[None] + seen.later > limit
        values: dict[str, Any] = {"second": second, "limit": limit, "reach": reach, "faults": launch_campaign.fault_lines(seen) if seen else []}
    with unit_of_work(gateway.engine, SYSTEM, guard.now()) as work:
        counts = campaigns.kept_counts(work, [found.id]).get(found.id)
        if counts is None or counts.planned <= LIVE_UP_TO:
            counts = campaigns.counts(work, found.id)
        in_it = enrolments.count(work, found.id) if found.kind == "programme" else []
        stopped = routes.stopped_for(work, found.id) if found.state in ("running", "paused") else []
        again = campaigns.to_resend(work, found.id) if found.state in ("running", "done") else 0
    return page.render(
        "campaigns/one.html", campaign=found, approval=approval, waits=waits, seen=seen, people=people, counts=counts, in_it=in_it,
        again=again, stopped=stopped, error=error, **values,
    )  # fmt: skip
