"""Texts: what we say, in every language side by side; changed by one person, in use when a second one approved."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway.content import Content
from gateway.domain import segments, wording
from gateway.domain.errors import Refused
from gateway.domain.templates import Bodies
from gateway.parts import Gateway
from gateway.store import campaigns, text_changes
from gateway.store.base import Work
from gateway.store.text_changes import Change
from gateway.usecases import current_texts
from gateway.web import page
from gateway.web.maker import read_uuid
from gateway.web.maker_forms import Form

LONGEST = 1600


@dataclass(frozen=True, slots=True)
class Counted:
    """A text at its longest realistic values: as it is written, and as it is sent without tones."""

    text: str
    counted: segments.Segments
    forcing: list[str]
    folded: str
    folded_counted: segments.Segments

    @classmethod
    def of(cls, body: str, language: wording.Language) -> "Counted":
        """Counted as it would be sent."""
        text = segments.tidy(wording.fill(body, language.longest))
        folded = segments.fold(text)
        return cls(text, segments.count(text), segments.forcing(text), folded, segments.count(folded))


@dataclass(frozen=True, slots=True)
class Side:
    """One language of a purpose as it stands in the form: fields by "" and ".open"."""

    code: str
    fields: dict[str, tuple[str, Counted]]
    findings: list[str]


def blueprint(gateway: Gateway) -> Blueprint:
    """The library, one purpose with its editor, and the two deeds on it."""
    routes = Blueprint("texts", __name__, url_prefix="/texts")

    @routes.get("/")
    def show() -> str:
        with page.work() as work:
            content = current_texts.now(work, gateway.content)
            waiting = text_changes.waiting(work)
        rows = []
        for purpose in content.purposes:
            known = content.available(purpose)
            shown = content.templates[purpose, read if (read := page.language()) in known else known[0]]
            rows.append((purpose, shown.about, _sizes(content, purpose), shown.body))
        return page.render("texts/list.html", rows=rows, waiting=waiting)

    @routes.get("/one")
    def look() -> str:
        with page.work() as work:
            content = current_texts.now(work, gateway.content)
            purpose = _purpose(content, request.args.get("of", content.purposes[0]))
            return _render(gateway, work, content, purpose, _bodies(content, purpose))

    @routes.post("/count")
    def count() -> str:
        with page.work() as work:
            content = current_texts.now(work, gateway.content)
            purpose = _purpose(content, request.form.get("of", ""))
            return _render(gateway, work, content, purpose, _typed(request.form, content, purpose))

    @routes.post("/propose")
    def propose() -> Response | tuple[str, int]:
        _ = page.gettext()
        with page.work() as work:
            content = current_texts.now(work, gateway.content)
            purpose = _purpose(content, request.form.get("of", ""))
        typed = _typed(request.form, content, purpose)
        try:
            with page.work() as work:
                current_texts.propose(work, gateway.content, purpose, request.form.get("version", ""), typed)
        except Refused as refused:
            with page.work() as work:
                return _render(gateway, work, content, purpose, typed, refused.told(_)), 400
        page.tell(_("It is kept, and used when a second person has approved it."))
        return page.go("texts.look", of=purpose)

    @routes.post("/decide")
    def decide() -> Response:
        _ = page.gettext()
        approves = request.form.get("decision") == "approved"
        with page.work() as work:
            change = text_changes.get(work, read_uuid(request.form.get("change", "")))
            current_texts.decide(work, gateway.content, change, "approved" if approves else "refused")
        page.tell(_("The text is in use from now on. Campaigns that run keep the words they began with.") if approves else _("The change is refused."))
        return page.go("texts.look", of=change.purpose)

    return routes


def _purpose(content: Content, typed: str) -> str:
    if typed not in content.purposes:
        raise Refused("there is no such text")
    return typed


def _sizes(content: Content, purpose: str) -> dict[str, int]:
    """Segments at the longest values, by language; as sent where tones go when that saves segments."""
    found = {}
    for code in content.available(purpose):
        counted = Counted.of(content.templates[purpose, code].body, content.languages[code])
        found[code] = min(counted.counted.segments, counted.folded_counted.segments)
    return found


def _bodies(content: Content, purpose: str) -> dict[str, tuple[str, str | None]]:
    found = {code: content.templates[purpose, code] for code in content.available(purpose)}
    return {code: (template.body, template.open_body) for code, template in found.items()}


def _typed(form: Form, content: Content, purpose: str) -> dict[str, tuple[str, str | None]]:
    """What the form holds, on one line as texts are; a language that the form leaves out stays as it is."""
    found: dict[str, tuple[str, str | None]] = {}
    for code, (body, open_body) in _bodies(content, purpose).items():
        said, named = (" ".join(form.get(f"{field}-{code}", old or "")[:LONGEST].split()) for field, old in (("body", body), ("open", open_body)))
        found[code] = (said, named if open_body is not None else None)
    return found


def _render(gateway: Gateway, work: Work, content: Content, purpose: str, texts: Bodies, error: str = "") -> str:
    findings = current_texts.lint(content, purpose, texts)
    sides = []
    for code, (body, open_body) in texts.items():
        fields = {"body": body} | ({"open": open_body} if open_body is not None else {})
        language = content.languages[code]
        theirs = [finding.what for finding in findings if finding.where.rpartition("/")[2].partition(".")[0] == code]
        sides.append(Side(code, {name: (words, Counted.of(words, language)) for name, words in fields.items()}, theirs))
    history = text_changes.of(work, purpose)
    values: dict[str, Any] = {
        "about": content.templates[purpose, sides[0].code].about, "version": content.version(purpose), "history": history,
        "waiting": next((change for change in history if change.decision is None), None), "changeable": current_texts.may_change(content, purpose),
        "first": gateway.content.version(purpose), "now_used": _bodies(content, purpose), "price": _price(work),
    }  # fmt: skip
    return page.render("texts/one.html", purpose=purpose, sides=sides, error=error, mine=_is_mine(values["waiting"]), longest=LONGEST, **values)


def _is_mine(change: Change | None) -> bool:
    return change is not None and change.made_by == page.member().id


def _price(work: Work) -> tuple[str, float, str] | None:
    """What a segment cost in the latest campaign with a price: numbers that begin with, price, currency."""
    for each in campaigns.list_all(work):
        for prefix, price in each.spec.prices.items():
            return prefix, price, each.spec.currency
    return None
