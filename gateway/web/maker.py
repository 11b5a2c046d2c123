"""Making a campaign in three steps: who, what, when. A draft is kept between them; nothing is sent by any of this."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway.content import Content
from gateway.domain import campaigns as rules
from gateway.domain import dialogues, rounds
from gateway.domain.errors import NotFound, Refused
from gateway.parts import Gateway
from gateway.store import campaigns, clients, drafts, occurrences, staff, units
from gateway.store.base import Work
from gateway.store.drafts import Draft
from gateway.usecases import current_texts, launch_campaign, preview_campaign
from gateway.usecases.preview_campaign import Preview, Reach
from gateway.web import maker_forms as forms
from gateway.web import page
from gateway.web.campaigns import MOST

STEPS = ("who", "what", "when")
NEXT = {"who": "what", "what": "when", "when": "when"}


@dataclass(slots=True)
class Seen:
    """What the draft would do as it stands: counts as far as they are known, and why it cannot be kept yet."""

    reach: Reach
    preview: Preview | None
    wrong: str


def blueprint(gateway: Gateway) -> Blueprint:
    """The steps, each a form; "do" says what comes next: look (count only), add, remove, save, keep."""
    routes = Blueprint("maker", __name__, url_prefix="/campaigns/drafts")

    @routes.get("/new")
    def new() -> str:
        return page.render("campaigns/new.html", kinds=forms.KINDS, draft=uuid4(), name="", kind="one_off")

    @routes.post("/new")
    def begin() -> Response | tuple[str, int]:
        _ = page.gettext()
        name, kind = " ".join(request.form.get("name", "").split()), request.form.get("kind", "")
        draft = read_uuid(request.form.get("draft", ""))
        if not 0 < len(name) <= 80 or kind not in forms.KINDS:
            error = _("Give it a name of at most 80 characters, and say when it is sent.")
            return page.render("campaigns/new.html", kinds=forms.KINDS, draft=draft, name=name[:80], kind=kind, error=error), 400
        with page.work() as work:
            assert work.actor.unit_id is not None
            drafts.add(work, draft, work.actor.unit_id, {"name": name, "kind": kind})
        return page.go("maker.who", draft=draft)

    @routes.get("/<uuid:draft>/who")
    def who(draft: UUID) -> str:
        return _show(gateway, draft, "who")

    @routes.post("/<uuid:draft>/who")
    def set_who(draft: UUID) -> Response | str | tuple[str, int]:
        return _take(gateway, draft, "who", lambda made: forms.who(request.form, made))

    @routes.get("/<uuid:draft>/what")
    def what(draft: UUID) -> str:
        return _show(gateway, draft, "what")

    @routes.post("/<uuid:draft>/what")
    def set_what(draft: UUID) -> Response | str | tuple[str, int]:
        return _take(gateway, draft, "what", lambda made: forms.what(request.form, made, gateway.content))

    @routes.get("/<uuid:draft>/when")
    def when(draft: UUID) -> str:
        return _show(gateway, draft, "when")

    @routes.post("/<uuid:draft>/when")
    def set_when(draft: UUID) -> Response | str | tuple[str, int]:
        return _take(gateway, draft, "when", lambda made: forms.when(request.form, made))

    @routes.post("/<uuid:draft>/drop")
    def drop(draft: UUID) -> Response:
        with page.work() as work:
            drafts.drop(work, drafts.get(work, draft).id)
        return page.go("campaigns.show")

    return routes


def read_uuid(typed: str) -> UUID:
    """An id that a form of ours carries. Raises Refused."""
    try:
        return UUID(typed)
    except ValueError:
        raise Refused("this form is not one of ours") from None


def _take(gateway: Gateway, draft_id: UUID, step: str, read: Callable[[Mapping[str, Any]], forms.Made]) -> Response | str | tuple[str, int]:
    """What a step's form does: show what it would come to, keep the step, or make the campaign of it."""
    do = request.form.get("do", "save")
    try:
        with page.work() as work:
            found = drafts.get(work, draft_id)
            made = read(found.content)
            if do == "look":
                return _render(gateway, work, found, step, made)
            if _revision() == found.revision or made != found.content:  # a second click brings what the first one kept
                drafts.save(work, found.id, _revision(), made)
            if do == "keep":
                launch_campaign.create(work, gateway.content, rules.read(made), found.id)
                drafts.drop(work, found.id)
    except NotFound:
        if do == "keep" and _is_kept(draft_id):
            return page.go("campaigns.look", campaign=draft_id)
        raise
    except Refused as refused:
        with page.work() as work:
            found = drafts.get(work, draft_id)
            return _render(gateway, work, found, step, read(found.content), refused.told(page.gettext())), 400
    if do == "keep":
        return page.go("campaigns.look", campaign=draft_id)
    return page.go(f"maker.{NEXT[step] if do == 'save' else step}", draft=draft_id)


def _is_kept(campaign_id: UUID) -> bool:
    """A second click on "make it" finds the campaign that the first one made."""
    with page.work() as work:
        return campaigns.by_id(work, campaign_id).id == campaign_id


def _revision() -> int:
    typed = request.form.get("revision", "")
    return int(typed) if typed.isdecimal() and len(typed) < 9 else 0


def _show(gateway: Gateway, draft_id: UUID, step: str) -> str:
    with page.work() as work:
        found = drafts.get(work, draft_id)
        return _render(gateway, work, found, step, dict(found.content))


def _render(gateway: Gateway, work: Work, draft: Draft, step: str, made: forms.Made, error: str = "") -> str:
    content = current_texts.now(work, gateway.content)
    choices: dict[str, Callable[[], dict[str, Any]]] = {
        "who": lambda: _choices(work, made.get("audience", {})),
        "what": lambda: {"purposes": _purposes(content, made["kind"]), "places": lambda purpose: forms.places(content, purpose),
                         "purpose_of": forms.purpose_of, "value_of": forms.value_of},
        "when": lambda: {"purpose_of": forms.purpose_of, "often": forms.OFTEN, "days": forms.WEEKDAYS, "holidays": forms.HOLIDAYS,
                         "chosen": forms.often(str(made.get("schedule", {}).get("every", ""))), "weekdays": rounds.WEEKDAYS,
                         "events": forms.EXITS, "minutes": forms.minutes},
    }  # fmt: skip
    return page.render(
        f"campaigns/{step}.html", draft=draft, made=made, step=step, steps=STEPS, kinds=forms.KINDS, seen=_look(gateway, work, draft, made),
        error=error, **choices[step](),
    )  # fmt: skip


def _choices(work: Work, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What an audience may be chosen from; what was asked for is among it, even if nobody is in it now."""
    return {
        "units": units.names(work), "groups": sorted({*clients.groups(work), *asked.get("groups", [])}),
        "workers": sorted({*staff.codes(work), *asked.get("workers", [])}),
    }  # fmt: skip


def _purposes(content: Content, kind: rules.Kind) -> dict[str, str]:
    """What such a campaign may say -> how it begins, in the reader's language where it is written in it."""
    sendable, read = content.sendable, page.language()
    fits = {purpose for (purpose, _), each in sendable.items() if not rules.text_faults(kind, purpose, each.about)}
    if kind == "reminders":
        fits = {purpose for purpose in fits if dialogues.name_of(purpose) is None}
    first = {purpose: sendable.get((purpose, read)) or next(each for (known, _), each in sendable.items() if known == purpose) for purpose in sorted(fits)}
    if kind == "reminders":
        first = dict(sorted(first.items(), key=lambda each: each[1].about.kind != "reminder"))
    return {purpose: f"{page.titled(purpose)}: {template.body[:60]}" for purpose, template in first.items()}


def _look(gateway: Gateway, work: Work, draft: Draft, made: forms.Made) -> Seen:
    """The campaign as it would be kept now, else the people of its audience alone."""
    try:
        campaign = launch_campaign.draw_up(work, gateway.content, rules.read(made), draft.id)
    except Refused as refused:
        return Seen(_audience_alone(work, draft, made), None, refused.told(page.gettext()))
    size = occurrences.size(work, campaign)
    seen = preview_campaign.preview(work, gateway.vault, gateway.content, campaign, most=MOST, size=size)
    return Seen(preview_campaign.reach(work, campaign, size=size), seen, "")


def _audience_alone(work: Work, draft: Draft, made: forms.Made) -> Reach:
    spec = rules.Spec(made["name"], made["kind"], (), rules.read_audience(made.get("audience", {})))
    try:
        audience = launch_campaign.audience_of(work, spec.audience, draft.unit_id)
    except Refused:
        return Reach()
    return preview_campaign.reach(work, campaigns.draft(work, draft.id, draft.unit_id, spec, audience, "", {}))
