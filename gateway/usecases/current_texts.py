"""The texts in use now: those of the files, with what staff changed and a second person approved."""

import hashlib
import json
from uuid import UUID, uuid4

from gateway.content import Content
from gateway.domain import campaigns, templates, wording
from gateway.domain.errors import NotAllowed, Refused
from gateway.domain.templates import Bodies
from gateway.store import audit, text_changes
from gateway.store.base import Work
from gateway.store.text_changes import Change


def now(work: Work, content: Content) -> Content:
    """The library with the approved changes. Campaigns that run keep the words they began with."""
    return content.changed(tuple((purpose, base, version, tuple(sorted(texts.items()))) for purpose, base, version, texts in text_changes.approved(work)))


def may_change(content: Content, purpose: str) -> bool:
    """Whether staff may change it: what we text of our own accord. Answers, alerts and dialogues come with the program."""
    about = next((each.about for (known, _), each in content.templates.items() if known == purpose), None)
    return about is not None and about.kind in campaigns.KINDS_OF_TEXT and purpose != "manual"


def lint(content: Content, purpose: str, texts: Bodies) -> list[wording.Finding]:
    """What is wrong with these texts of a purpose; [] when they are fit to be sent."""
    return [finding for each in templates.reworded(content.templates, purpose, "", texts).values() for finding in content.lint_one(each)]


def propose(work: Work, content: Content, purpose: str, base: str, texts: Bodies) -> UUID:
    """Keep other words for a purpose until a second person approves them. Raises Refused with what is wrong with them.

    `base` is the version that was changed: if another is in use by now, nothing is kept.
    """
    content = now(work, content)
    if not may_change(content, purpose):
        raise Refused("this text is not one that staff change: it comes with the program")
    if content.version(purpose) != base:
        raise Refused("this text was changed meanwhile: reload the page and look at it first")
    changed = {code: both for code, both in texts.items() if both != _bodies(content, purpose, code)}
    if not changed:
        raise Refused("nothing was changed")
    if findings := lint(content, purpose, changed):
        raise Refused("not kept; these texts are not fit to be sent:", *(f"{finding.where}: {finding.what}" for finding in findings))
    assert work.actor.unit_id is not None
    change_id, digest = uuid4(), hashlib.sha256(json.dumps([purpose, base, sorted(changed.items())]).encode()).hexdigest()
    text_changes.add(work, change_id, work.actor.unit_id, purpose, base, digest[:12], changed)
    audit.add(work, "text.propose", "text", change_id, work.actor.unit_id, {"purpose": purpose, "languages": sorted(changed)})
    return change_id


def _bodies(content: Content, purpose: str, language: str) -> tuple[str, str | None] | None:
    known = content.templates.get((purpose, language))
    return None if known is None else (known.body, known.open_body)


def decide(work: Work, content: Content, change: Change, decision: str) -> None:
    """Approve or refuse a change. Raises NotAllowed when its maker approves it, or neither is an administrator; Refused when the text in use is another by now."""
    if decision == "approved":
        if change.made_by == work.actor.staff_id:
            raise NotAllowed("a second person approves a text, not whoever wrote it")
        if "administrator" not in (work.actor.role, change.maker_role):
            raise NotAllowed("the texts of all units change: one of the two is an administrator")
        if now(work, content).version(change.purpose) != change.base:
            raise Refused("this text was changed meanwhile: refuse the change and make it anew")
    text_changes.decide(work, change.id, decision)
    assert work.actor.unit_id is not None
    audit.add(work, f"text.{decision}", "text", change.id, work.actor.unit_id, {"purpose": change.purpose})
