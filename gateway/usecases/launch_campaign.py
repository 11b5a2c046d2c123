"""A campaign's life: created, previewed, approved by a person, paused, resumed, cancelled."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from uuid import UUID, uuid4

from sqlalchemy import Engine

from gateway.content import Content
from gateway.domain import campaigns as rules
from gateway.domain import dialogues, phone
from gateway.domain.campaigns import Spec
from gateway.domain.errors import NotAllowed, Refused
from gateway.domain.routing import NO_ANSWER
from gateway.domain.told import N_, Word
from gateway.store import (
    approvals,
    audit,
    campaigns,
    clients,
    occurrences,
    routes,
    sessions,
    staff,
    templates,
    units,
)
from gateway.store.base import SYSTEM, Actor, Work, unit_of_work, untangled
from gateway.store.campaigns import Audience, Campaign, Counts
from gateway.usecases import compose, current_texts, plan_due, preview_campaign
from gateway.usecases.preview_campaign import Preview
from gateway.vault import DataKey, Vault

# More people than this hear from us only when a second person has looked (features.md: two-person check for big sends).
SELF_APPROVAL_UP_TO = 500
CANCEL_AT_ONCE = 5000
_NOBODY = UUID(int=0)


def create(work: Work, content: Content, spec: Spec, campaign_id: UUID | None = None) -> Campaign:
    """Keep a draft, for the actor's units only, in place of the draft of this id. Raises Refused with what is wrong; nothing is kept then."""
    made = draw_up(work, content, spec, campaign_id)
    campaigns.add(work, made)
    if approvals.waits(work, made.id):
        raise approvals.under_way()  # what was approved is what is sent
    audit.add(work, "campaign.create", "campaign", made.id, made.unit_id)
    return campaigns.by_name(work, spec.name)


def draw_up(work: Work, content: Content, spec: Spec, campaign_id: UUID | None = None) -> Campaign:
    """The draft as `create` would keep it. Raises Refused with what is wrong."""
    unit_id = work.actor.unit_id
    if unit_id is None:
        raise Refused("a campaign is made by a staff member")
    content = current_texts.now(work, content)
    if wrong := faults(content, spec):
        raise Refused("the campaign's texts are not fit to be sent; nothing was kept:", *wrong)
    audience = audience_of(work, spec.audience, unit_id)
    if lost := _lost_answers(work, content, spec, audience):
        raise Refused("the campaign's texts are not fit to be sent; nothing was kept:", *lost)
    consent = next(t.about.consent for (purpose, _), t in content.sendable.items() if purpose == spec.steps[0].purpose)
    versions = {step.purpose: content.version(step.purpose) for step in spec.steps}
    return campaigns.draft(work, campaign_id or uuid4(), unit_id, spec, audience, consent, versions)


def _lost_answers(work: Work, content: Content, spec: Spec, audience: Audience) -> list[str]:
    """Why an answer that a text asks for would not come back, where that is so of all phones of a country; [] else."""
    asking = {purpose for (purpose, _), template in content.sendable.items() if template.about.wants_reply}
    if not any(step.purpose in asking or dialogues.name_of(step.purpose) is not None for step in spec.steps):
        return []
    regions = {units.get(work, unit_id).region for unit_id in audience.units}
    return [NO_ANSWER] if routes.table(work).loses_answers({phone.country_of(region) for region in regions}) else []


def audience_of(work: Work, asked: rules.Audience, own_unit_id: UUID) -> Audience:
    """The audience by ids; every code must be one that the actor sees."""
    return Audience(
        [units.by_code(work, code).id for code in asked.units] or [own_unit_id], asked.groups, asked.languages,
        [staff.by_code(work, code).id for code in asked.workers], [clients.by_code(work, code).id for code in asked.clients],
    )  # fmt: skip


def faults(content: Content, spec: Spec) -> list[str]:
    """What is wrong with the templates asked for, and with the values given for them; [] when they may be sent."""
    abouts = {purpose: template.about for (purpose, _), template in content.sendable.items()}
    purposes = [step.purpose for step in spec.steps]
    if unknown := [purpose for purpose in purposes if purpose not in abouts]:
        none = N_("there is no template {purpose!r}: `python -m gateway template lint` checks those there are")
        return [none.format(purpose=purpose) for purpose in unknown]
    found = [fault for purpose in purposes for fault in rules.text_faults(spec.kind, purpose, abouts[purpose])]
    if len({abouts[purpose].consent for purpose in purposes}) > 1:
        found.append(N_("its texts need different consents; make a campaign for each"))
    places = {place for purpose in purposes for place in abouts[purpose].placeholders + abouts[purpose].open_placeholders}
    no_place = N_("values: no text of this campaign has a place {{{name}}}")
    found += [no_place.format(name=name) for values in _all_values(spec) for name in values if name not in places]
    known = content.languages
    asked = [spec.default_language, *spec.audience.languages, *_languages_of(spec)]
    no_language = N_("there is no language {name!r}; there are {languages}")
    found += [no_language.format(name=name, languages=", ".join(known)) for name in asked if name and name not in known]
    return list(dict.fromkeys(found)) or _value_faults(content, spec)


def _languages_of(spec: Spec) -> list[str]:
    every = (value for values in _all_values(spec) for value in values.values())
    return sorted({language for value in every if isinstance(value, Mapping) for language in value})


def _all_values(spec: Spec) -> list[Mapping[str, object]]:
    return [spec.values, *(step.values for step in spec.steps)]


def _value_faults(content: Content, spec: Spec) -> list[str]:
    """Write each text once with the values given (and the longest of all others), in every language they are given in."""
    found, library = [], content.sendable
    for language, spoken in content.languages.items():
        nobody = compose.Recipient(_NOBODY, _NOBODY, DataKey(bytes(32)), "", language, "UTC", details=dict(spoken.longest))
        for step in spec.steps:
            values = {**spec.values, **step.values}
            if any(isinstance(value, Mapping) and language not in value for value in values.values()):
                continue  # whoever speaks it is counted by the preview
            try:
                compose.compose(content, nobody, step.purpose, values, pinned=library)
            except compose.NoLanguage:
                continue
            except compose.Unsendable as fault:
                found.append(str(fault))
    return found


def approve(
    engine: Engine, vault: Vault, content: Content, actor: Actor, name: str, now: datetime | None = None,
    self_approval_up_to: int = SELF_APPROVAL_UP_TO, progress: Callable[[int], None] = preview_campaign.silently,
) -> Preview:  # fmt: skip
    """Start a draft: its words are pinned, and the clock begins to plan it within seconds. What the approver agreed to.

    Every text is written and checked first. Raises Refused when one is not fit to be sent, or when nobody would get a
    one-off text; NotAllowed when its maker approves a campaign for more people than `self_approval_up_to`. `progress` is told how
    many people were gone through.
    """
    with unit_of_work(engine, actor, now) as work:
        content = current_texts.now(work, content)
        versions = {step.purpose: content.version(step.purpose) for step in campaigns.by_name(work, name).steps}
    versions |= {plan_due.PING: content.version(plan_due.PING)}
    with unit_of_work(engine, SYSTEM, now) as work:
        templates.pin(work, [one for (purpose, _), one in content.sendable.items() if purpose in versions])
        for dialogue in filter(None, map(dialogues.name_of, versions)):
            sessions.pin(work, content.dialogues[dialogue])
    with unit_of_work(engine, actor, now) as work:
        campaign = campaigns.by_name(work, name, lock=True)
        _must_be(campaign, "draft")
        seen = preview_campaign.preview(work, vault, content, campaign, progress=progress)
        _may_start(campaign, seen, actor, self_approval_up_to)
        campaigns.start(work, campaign.id, versions, _to_do(work, campaign))
        _audit(work, "approve", campaign, {"recipients": seen.recipients, "texts": seen.texts, "segments": seen.segments})
        return seen


def _may_start(campaign: Campaign, seen: Preview, actor: Actor, self_approval_up_to: int) -> None:
    if seen.faults:
        raise Refused("not started; these texts are not fit to be sent:", *fault_lines(seen))
    if campaign.kind == "one_off" and not seen.recipients and "not_before" not in campaign.steps[0].timing:
        raise Refused("not started: nobody would get it; `campaign preview` counts the reasons")
    if campaign.created_by == actor.staff_id and seen.recipients + seen.later > self_approval_up_to:
        raise not_its_maker(seen.recipients + seen.later, self_approval_up_to)


def not_its_maker(recipients: int, most: int) -> NotAllowed:
    """Why its maker may not approve a campaign for so many people."""
    return NotAllowed("{recipients} people would get it: above {most} a second person approves, not its maker", recipients=recipients, most=most)


def fault_lines(seen: Preview) -> list[str]:
    """What is wrong with which texts, with some of the clients concerned."""
    line = N_("{fault} ({count} texts, e.g. client {codes})")
    return [line.format(fault=fault, count=len(codes), codes=", ".join(codes[:3])) for fault, codes in seen.faults.items()]


def _to_do(work: Work, campaign: Campaign) -> Mapping[str, object]:
    """Where planning begins: at the first moment of a one-off text, or with the appointments booked already."""
    if campaign.kind in rules.AGAIN:
        return {"from": work.now.isoformat()}
    if campaign.kind == "reminders":
        return {"after": [work.now.isoformat(), str(_NOBODY)]}
    moments = plan_due.moments_of(campaign, occurrences.zones(work), work.now)
    return {"expand_at": min((moment.due_at for moment in moments.values()), default=work.now).isoformat()}


def pause(work: Work, name: str, reason: str) -> None:
    """Hold everything back that has not left. Reminders go on being planned, so that none is missing afterwards."""
    campaign = campaigns.by_name(work, name, lock=True)
    _must_be(campaign, "running")
    campaigns.set_state(work, campaign.id, "paused", reason)
    _audit(work, "pause", campaign, {"reason": reason})


def resume(work: Work, name: str) -> None:
    """Go on; what is no longer worth sending expires instead."""
    campaign = campaigns.by_name(work, name, lock=True)
    _must_be(campaign, "paused")
    campaigns.set_state(work, campaign.id, "running")
    _audit(work, "resume", campaign)


def cancel(engine: Engine, actor: Actor, name: str, reason: str, now: datetime | None = None) -> Counts:
    """Stop a campaign for good; how many texts went and how many were cancelled.

    From the first commit on nothing is claimed any more, since senders look at the campaign's state. The rows follow,
    here and, should we be interrupted, by the clock.
    """
    with unit_of_work(engine, actor, now) as work:
        campaign = campaigns.by_name(work, name, lock=True)
        _must_be(campaign, "draft", "running", "paused")
        campaigns.set_state(work, campaign.id, "cancelled", reason)
        campaigns.set_to_do(work, campaign.id, {"cancel": True})
        campaigns.count_again(work, campaign.id)
        _audit(work, "cancel", campaign, {"reason": reason})
    while untangled(lambda: _cancel_some(engine, campaign.id, now)):
        pass
    with unit_of_work(engine, SYSTEM, now) as work:
        return campaigns.counts(work, campaign.id)


def _cancel_some(engine: Engine, campaign_id: UUID, now: datetime | None) -> int:
    with unit_of_work(engine, SYSTEM, now) as work:
        return occurrences.cancel_all(work, campaign_id, CANCEL_AT_ONCE)


def resend(work: Work, name: str, ring: Callable[[UUID], None]) -> int:
    """Send again what the carrier refused for a reason that may have passed; how many. Nothing it may have taken goes twice."""
    campaign = campaigns.by_name(work, name, lock=True)
    _must_be(campaign, "running", "done")
    channels = campaigns.resend(work, campaign.id)
    campaigns.count_again(work, campaign.id)
    _audit(work, "resend", campaign, {"texts": len(channels)})
    for channel_id in set(channels):
        work.after_commit(partial(ring, channel_id))
    return len(channels)


def _must_be(campaign: Campaign, *states: str) -> None:
    if campaign.state not in states:
        raise Refused(
            "the campaign is {state}, not {states}: nothing was changed",
            state=Word(campaign.state), states=[Word(state) for state in states],
        )


def _audit(work: Work, action: str, campaign: Campaign, detail: Mapping[str, object] | None = None) -> None:
    audit.add(work, f"campaign.{action}", "campaign", campaign.id, campaign.unit_id, detail)
