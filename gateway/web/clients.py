"""One client: what was said and what is planned, what they agreed to, when they are expected, and what staff do about it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway.domain import flags as rules
from gateway.domain import scales, windows
from gateway.domain.errors import NotFound, Refused
from gateway.parts import Gateway
from gateway.store import (
    appointments,
    clients,
    consents,
    enrolments,
    flags,
    notes,
    occurrences,
    scores,
    sessions,
    staff,
)
from gateway.store.answers import of_client as answers_of
from gateway.store.base import Work
from gateway.store.clients import Found
from gateway.usecases import (
    book_appointment,
    change_client,
    change_consent,
    enter_score,
    join_programme,
    look_at_client,
    reply_to_client,
    start_dialogue,
)
from gateway.web import charts, client_edit, client_list, client_words, forms, guard, page, spoken

LATEST_TEXTS = 30

Answer = Response | str | tuple[str, int]
Act = Callable[[Work, Found], None]


def blueprint(gateway: Gateway) -> Blueprint:
    """What staff read and do about clients."""
    routes = Blueprint("clients", __name__, url_prefix="/clients")
    client_list.add(routes, gateway)
    _add_pages(routes, gateway)
    _add_words(routes, gateway)
    _add_agreement(routes, gateway)
    _add_appointments(routes, gateway)
    _add_state(routes, gateway)
    _add_care(routes, gateway)
    client_edit.add(routes, gateway)
    return routes


# --- reading --------------------------------------------------------------------------------------------------------


def _add_pages(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("/<uuid:client>")
    def show(client: UUID) -> str:
        return shown(gateway, client)

    @routes.post("/<uuid:client>/reveal")
    def reveal(client: UUID) -> Answer:
        """Whole numbers, for a reason that is written down. Not kept by a reload."""
        try:
            with page.work() as work:
                found = clients.get(work, client)
                phones = look_at_client.reveal(work, gateway.vault, found, forms.field("reason", 200)).phones
        except NotFound:
            raise
        except Refused as refused:
            return shown(gateway, client, error=refused.told(page.shown)), 400
        return shown(gateway, client, revealed=[phone.e164 for phone in phones])


def shown(gateway: Gateway, client_id: UUID, **beside: Any) -> str:
    """A client's page; `beside` is what a deed that was not done leaves to be shown with it."""
    with page.work() as work:
        found = clients.get(work, client_id)
        values: dict[str, Any] = {
            "record": look_at_client.record(work, gateway.vault, found), "client": found, "now": work.now, "error": "", "draft": "",
            "message_id": uuid4(), "note_id": uuid4(), "revealed": None, "purposes": consents.PURPOSES, "outcomes": rules.OUTCOMES,
            "others": client_words.others_on_phones(work, found), "notes": notes.of_client(work, gateway.vault, found.id),
            "stop_words": client_words.stop, "source_words": client_words.source, "local": client_words.local,
            "discreet_words": page.gettext()(client_edit.DISCREET[found.discreet]), "flags": _flags(work, found), "rules": rules.RULES, "dates": enrolments.dates(work, found.id),
        }  # fmt: skip
        parts = (_said(work, gateway, found), _agreed(work, gateway, found), _expected(work, found), _answered(work, gateway, found))
        for part in parts:
            values |= part
        return page.render("clients/show.html", **(values | beside))


def _said(work: Work, gateway: Gateway, found: Found) -> dict[str, Any]:
    before = _before() or work.now + timedelta(days=1)
    texts = look_at_client.conversation(work, gateway.vault, found, before, LATEST_TEXTS)
    _ = page.gettext()
    return {
        "thread": spoken.thread(texts, work.now, _),
        "earlier": texts[0].at.isoformat() if len(texts) == LATEST_TEXTS else None, "is_past": _before() is not None,
        "why_not": reply_to_client.why_not(work, gateway.vault, gateway.content, found),
        "canned": reply_to_client.canned(work, gateway.vault, gateway.content, found),
        "ahead": occurrences.ahead(work, found.id),
    }  # fmt: skip


def _before() -> datetime | None:
    """Where in the conversation the reader is; an address that nobody of us wrote says nothing."""
    try:
        at = datetime.fromisoformat(request.args.get("before", "").replace(" ", "+"))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _agreed(work: Work, gateway: Gateway, found: Found) -> dict[str, Any]:
    return {
        "consents": {each.purpose: each for each in consents.current(work, found.id)},
        "consent_history": list(consents.history(work, found.id))[::-1], "stops": client_words.stops(work, gateway, found),
    }  # fmt: skip


def _expected(work: Work, found: Found) -> dict[str, Any]:
    since = work.now - timedelta(days=365)
    all_of = appointments.list_between(work, since, windows.FAR_FUTURE, client_id=found.id, most=200)
    return {
        "upcoming": [each for each in all_of if each.starts_at > work.now and each.status == "booked"],
        "past": [each for each in all_of if each.starts_at <= work.now or each.status != "booked"][-10:][::-1],
        "workers": staff.who_see(work, found.unit_id),
    }  # fmt: skip


def _answered(work: Work, gateway: Gateway, found: Found) -> dict[str, Any]:
    _ = page.gettext()
    asked = client_words.check_ins(answers_of(work, found.id), sessions.of_client(work, gateway.vault, found.id, 24))
    bars = [charts.Bar(each.height, each.kind, f"{page.when(each.at)}: {page.shown(each.answer) if each.answer else _('no answer')}") for each in asked]
    kept: dict[str, Any] = {}
    for score in scores.of_client(work, gateway.vault, found.id):
        kept.setdefault(score.scale, []).append(score)
    return {
        "dialogues": {name: page.titled(name) for name in sorted(gateway.content.dialogues, key=page.titled)},
        "session_id": uuid4(), "programmes": enrolments.programmes(work, found.id), "check_ins": asked[::-1],
        "check_in_chart": charts.bars(bars, _("Answers to check-ins, the oldest first")) if bars else None,
        "scores": [(scales.SCALES[name], of_scale, client_words.score_chart(scales.SCALES[name], of_scale, _)) for name, of_scale in kept.items()],
        "scales": scales.SCALES,
    }  # fmt: skip


def _flags(work: Work, found: Found) -> list[flags.Flag]:
    wanted = flags.Wanted(client_id=found.id)
    return [*flags.list_open(work, found.id), *flags.search(work, flags.Wanted(show="closed", client_id=wanted.client_id), 10)]


# --- deeds ----------------------------------------------------------------------------------------------------------


def deed(gateway: Gateway, client_id: UUID, act: Act, said: str) -> Answer:
    """Do something about a client, who is looked up before the form is read."""
    return page.do(
        lambda work: act(work, clients.get(work, client_id)),
        lambda why: shown(gateway, client_id, error=why.told(page.shown), draft=forms.field("text")), said, "clients.show", client=client_id,
    )  # fmt: skip


def _add_words(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/<uuid:client>/text")
    def text(client: UUID) -> Answer:
        _ = page.gettext()

        def send(work: Work, found: Found) -> None:
            reply_to_client.send(work, gateway.vault, gateway.content, found, forms.field("text"), message_key=forms.made_id("message_id"),
                                 ring=gateway.bell.ring)  # fmt: skip

        return deed(gateway, client, send, _("Your text is on its way."))

    @routes.post("/<uuid:client>/draft")
    def draft(client: UUID) -> Answer:
        return client_words.draft(gateway, lambda work: clients.get(work, client), partial(shown, gateway, client))

    @routes.post("/<uuid:client>/note")
    def note(client: UUID) -> Answer:
        _ = page.gettext()
        return deed(gateway, client, lambda work, found: change_client.write_note(work, gateway.vault, found, forms.made_id("note_id"), forms.field("note")),
                    _("Your note is kept."))  # fmt: skip


def _add_agreement(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/<uuid:client>/consent")
    def consent(client: UUID) -> Answer:
        _ = page.gettext()

        def change(work: Work, found: Found) -> None:
            if (purpose := forms.field("purpose")) not in consents.PURPOSES:
                raise Refused("choose what the consent is for")
            change_consent.change(work, gateway.vault, found, purpose, forms.field("answer") == "yes", forms.field("basis", 200))

        return deed(gateway, client, change, _("The consent is written down."))

    @routes.post("/<uuid:client>/stop")
    def stop(client: UUID) -> Answer:
        """They want no texts and said so: reaches everyone on their phones, whatever their unit."""
        _ = page.gettext()
        with page.work() as work:
            found = clients.get(work, client)
        return _as_system(gateway, found, lambda work: change_consent.stop(work, found, page.member().actor), _("No more texts go to this client."))

    @routes.post("/<uuid:client>/start")
    def start(client: UUID) -> Answer:
        _ = page.gettext()
        with page.work() as work:
            found = clients.get(work, client)

        def begin(work: Work) -> None:
            if not (basis := forms.field("basis", 200)):
                raise Refused("only the client's own wish undoes a stop: write how it can be proved")
            change_consent.start(work, gateway.vault, found, basis, page.member().actor)

        return _as_system(gateway, found, begin, _("Texts go out again, as far as the client agreed to them."))


def _as_system(gateway: Gateway, found: Found, act: Callable[[Work], object], said: str) -> Answer:
    return page.do(act, lambda why: shown(gateway, found.id, error=why.told(page.shown)), said, "clients.show", opened=guard.house(gateway).work,
                   client=found.id)  # fmt: skip


def _add_appointments(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/<uuid:client>/book")
    def book(client: UUID) -> Answer:
        _ = page.gettext()

        def add(work: Work, found: Found) -> None:
            worker = staff.by_code(work, code).id if (code := forms.field("worker")) else None
            book_appointment.book(work, found, forms.moment("starts_at", client_words.zone_of_unit(work, found)), worker)

        return deed(gateway, client, add, _("The appointment is booked."))

    @routes.post("/<uuid:client>/appointment")
    def appointment(client: UUID) -> Answer:
        """Move, cancel or close one of the client's appointments; tell them, where that is wished."""
        _, told = page.gettext(), []

        def change(work: Work, found: Found) -> None:
            told.append(client_words.change_appointment(work, gateway, found))

        answer = deed(gateway, client, change, _("The appointment is changed."))
        if told and told[0] is not None:
            page.tell(_("The appointment is changed, and the client is NOT told by text. Please call them: {reason}"), reason=page.shown(told[0]))
        return answer


def _add_state(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/<uuid:client>/status")
    def status(client: UUID) -> Answer:
        _ = page.gettext()

        def change(work: Work, found: Found) -> None:
            wanted, reason = forms.field("status"), forms.field("reason", 200)
            if wanted not in change_client.ACTIONS:
                raise Refused("choose what the client is to be")
            if wanted != "active" and not reason:
                raise Refused("a pause or an end takes its reason, without names or numbers")
            change_client.set_status(work, gateway.vault, found, wanted, reason or None)

        return deed(gateway, client, change, _("It is written down."))

    @routes.post("/<uuid:client>/date")
    def date(client: UUID) -> Answer:
        _ = page.gettext()
        return deed(gateway, client, lambda work, found: client_words.set_date(work, gateway, found), _("The day is kept."))


def _add_care(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/<uuid:client>/ask")
    def ask(client: UUID) -> Answer:
        """The first question of a dialogue, once however often the button is pressed."""
        _ = page.gettext()
        with page.work() as work:
            found = clients.get(work, client)
        try:
            if (name := forms.field("dialogue", 60)) not in gateway.content.dialogues:
                raise Refused("choose what to ask")
            start_dialogue.start(gateway.engine, gateway.vault, gateway.content, page.member().actor, name, found.code, guard.now(),
                                 forms.made_id("session_id"))  # fmt: skip
        except Refused as refused:
            return shown(gateway, client, error=refused.told(page.shown)), 400
        page.tell(_("It is asked now. What they answer, and silence, lead on by themselves."))
        return page.go("clients.show", client=client)

    @routes.post("/<uuid:client>/programme")
    def programme(client: UUID) -> Answer:
        _, name, ends = page.gettext(), forms.field("programme", 200), forms.field("do") == "leave"

        def change(work: Work, found: Found) -> None:
            if name not in (each.name for each in enrolments.programmes(work, found.id)):
                raise Refused("choose a programme that runs")
            (join_programme.leave if ends else join_programme.join)(work, name, [found.id])

        said = _("The programme is ended for this client; what waited is cancelled.") if ends else _("The client is in the programme.")
        return deed(gateway, client, change, said)

    @routes.post("/<uuid:client>/score")
    def score(client: UUID) -> Answer:
        """From a meeting face to face."""
        _ = page.gettext()

        def keep(work: Work, found: Found) -> None:
            on = forms.day("on") if forms.field("on") else None
            enter_score.enter(work, gateway.vault, found, forms.field("scale", 20), forms.whole("value"), on)

        return deed(gateway, client, keep, _("The score is kept."))
