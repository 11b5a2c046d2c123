"""Flags: reasons for a person to look. The list, one flag with all that bears on it, and what staff do with it."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway.domain import flags as rules
from gateway.domain import segments, windows
from gateway.domain.errors import Refused
from gateway.parts import Gateway
from gateway.store import audit, clients, escalations, flags, notes, staff, threads, units
from gateway.store.base import Work
from gateway.store.flags import Flag, Wanted
from gateway.usecases import escalate, handle_flag, look_at_client, reply_to_client
from gateway.web import client_words, flag_words, forms, page, safely, spoken

AT_ONCE = 50
LATEST_TEXTS = 8

Answer = Response | str | tuple[str, int]


def blueprint(gateway: Gateway) -> Blueprint:
    """What staff read and do about flags."""
    routes = Blueprint("flags", __name__, url_prefix="/flags")
    routes.add_app_template_global(safely.said, "said")
    routes.add_app_template_global(safely.word, "word")
    routes.add_app_template_global(flag_words.time_left, "time_left")
    _add_pages(routes, gateway)
    _add_owning(routes, gateway)
    _add_writing(routes, gateway)
    _add_reply(routes, gateway)
    return routes


# --- reading --------------------------------------------------------------------------------------------------------


def _add_pages(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("/")
    def listed() -> str:
        at = page.at()
        with page.work() as work:
            wanted, chosen = _wanted(work)
            found = flags.search(work, wanted, AT_ONCE + 1, (at - 1) * AT_ONCE)
            return page.render(
                "flags/list.html", flags=found[:AT_ONCE], more=len(found) > AT_ONCE, at=at, chosen=chosen, show=flag_words.SHOW,
                rules=rules.RULES, outcomes=rules.OUTCOMES, severities=rules.SEVERITIES[::-1], labels=flags.labels(work), units=units.names(work), now=work.now,
            )  # fmt: skip

    @routes.get("/urgent")
    def urgent() -> Answer:
        """What stands at the top of every page; by itself it is a list like the others."""
        if "HX-Request" not in request.headers:
            return page.go("flags.listed", show="unowned", severity="urgent")
        with page.work() as work:
            urgent = flags.untaken(work)
            unheard = _unheard([flag.id for flag in urgent if work.now - flag.opened_at > escalate.PATIENCE])
            return page.render("flags/urgent.html", urgent=urgent, unheard=unheard, rules=rules.RULES, now=work.now)

    @routes.get("/<int:flag>")
    def show(flag: int) -> str:
        return _shown(gateway, flag)


def _unheard(flag_ids: list[UUID]) -> set[UUID]:
    with page.system() as work:
        return escalations.unheard(work, flag_ids)


def _wanted(work: Work) -> tuple[Wanted, dict[str, str]]:
    """What the address asks for, and the same as it stands there; what it does not know is left out."""
    asked = {name: request.args.get(name, "") for name in ("show", "severity", "reason", "label", "unit")}
    mine = asked["show"] == "mine"
    known = {unit.code: unit.id for unit in units.names(work)} if asked["unit"] else {}
    wanted = Wanted(
        show=asked["show"] if asked["show"] in flags.SHOW else "open", owner_id=work.actor.staff_id if mine else None,
        severity=asked["severity"] if asked["severity"] in rules.SEVERITIES else None,
        reason=asked["reason"] if asked["reason"] in rules.RULES else None, label=asked["label"] or None, unit_id=known.get(asked["unit"]),
    )  # fmt: skip
    return wanted, {name: value for name, value in asked.items() if value}


def _shown(gateway: Gateway, number: int, **beside: Any) -> str:
    """One flag's page; `beside` is what a deed that was not done leaves to be shown with it."""
    with page.work() as work:
        found = handle_flag.look(work, number)
        since = request.args.get("since", found.revision, int)
        told = _about_client(work, gateway, found) if found.client_id is not None else {"unknown": _unknown(work, gateway, found)}
        values: dict[str, Any] = {
            "flag": found, "rule": rules.RULES[found.reason], "outcomes": rules.OUTCOMES, "now": work.now, "since": since,
            "asked": flag_words.asked(work, gateway, found), "notes": notes.of_flag(work, gateway.vault, found.id),
            "history": _history(work, found, since), "colleagues": staff.who_see(work, found.unit_id),
            "wake_at": _tomorrow(found, work), "note_id": uuid4(), "message_id": uuid4(), "error": "", "draft": "", "number_to_call": None,
        }  # fmt: skip
        return page.render("flags/show.html", **(values | told | beside))


def _about_client(work: Work, gateway: Gateway, found: Flag) -> dict[str, Any]:
    assert found.client_id is not None
    client, _ = clients.get(work, found.client_id), page.gettext()
    texts = look_at_client.conversation(work, gateway.vault, client, work.now + timedelta(days=1), LATEST_TEXTS)
    return {
        "client": client, "thread": spoken.thread(texts, work.now, _),
        "why_not": reply_to_client.why_not(work, gateway.vault, gateway.content, client),
        "canned": reply_to_client.canned(work, gateway.vault, gateway.content, client), "counted": segments.count(""),
    }  # fmt: skip


def _unknown(work: Work, gateway: Gateway, found: Flag) -> tuple[str | None, bool] | None:
    """What somebody wrote who is no client."""
    return threads.received(work, gateway.vault, found.inbound_id) if found.inbound_id is not None else None


def _history(work: Work, found: Flag, since: int) -> list[tuple[Any, str, bool]]:
    """What was done, the newest first: the row, in words, and whether it came after the page was opened."""
    _ = page.gettext()
    rows = audit.of(work, "flag", found.id, but=("flag.show",))
    return [(row, spoken.deed(row.action, row.detail, rules.OUTCOMES, _), row.detail.get("revision", 0) > since) for row in rows]


def _tomorrow(found: Flag, work: Work) -> str:
    """When the unit opens next, as the field for a moment takes it: what most flags are put off to."""
    at = windows.next_open(found.clock.hours, found.clock.zone, work.now + timedelta(hours=12))
    return at.astimezone(windows.zone_of(found.clock.zone)).strftime("%Y-%m-%dT%H:00")


# --- deeds ----------------------------------------------------------------------------------------------------------


def _deed(gateway: Gateway, number: int, act: Callable[[Work, Flag], None], said: str, *, done: Callable[[Flag], bool] = lambda found: False) -> Answer:
    """Do something with the flag as the page showed it. `done`: a second click finds the first one's deed done."""
    def hold(work: Work) -> None:
        found = handle_flag.hold(work, number)
        if not done(found):
            act(work, handle_flag.hold(work, number, forms.whole("revision")))

    return _do(gateway, number, hold, said)


def _do(gateway: Gateway, number: int, act: Callable[[Work], object], said: str) -> Answer:
    return page.do(act, lambda why: _refused(gateway, number, why), said.format(number=number), "flags.show", flag=number)


def _refused(gateway: Gateway, number: int, refused: Refused) -> str:
    """The flag as it is now, what was wrong, and what the reader had typed."""
    typed = {"draft": forms.field("text"), "note": forms.field("note")}
    since = {"since": forms.whole("revision")} if isinstance(refused, handle_flag.Changed) else {}
    with page.work() as work:
        found = flags.by_number(work, number)
        history = {"history": _history(work, found, since["since"])} if since else {}
    return _shown(gateway, number, error=refused.told(page.shown), **typed, **history)


def _add_owning(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/<int:flag>/take")
    def take(flag: int) -> Answer:
        _ = page.gettext()
        return _do(gateway, flag, lambda work: handle_flag.take(work, flag), _("Flag {number} is with you."))

    @routes.post("/<int:flag>/assign")
    def assign(flag: int) -> Answer:
        _ = page.gettext()
        return _deed(gateway, flag, lambda work, found: handle_flag.assign(work, found, staff.by_code(work, forms.field("to"))),
                     _("Flag {number} was assigned to a colleague."), done=lambda found: found.owner_code == forms.field("to"))  # fmt: skip

    @routes.post("/<int:flag>/close")
    def close(flag: int) -> Answer:
        _ = page.gettext()

        def end(work: Work, found: Flag) -> None:
            if forms.field("note"):
                handle_flag.write(work, gateway.vault, found, forms.made_id("note_id"), forms.field("note"))
            handle_flag.close(work, found, forms.field("outcome"))

        return _deed(gateway, flag, end, _("Flag {number} is closed."), done=lambda found: found.outcome == forms.field("outcome"))


def _add_writing(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/<int:flag>/label")
    def label(flag: int) -> Answer:
        _ = page.gettext()
        return _deed(gateway, flag, lambda work, found: handle_flag.label(work, found, forms.field("label")),
                     _("The label of flag {number} is kept."), done=lambda found: found.label == forms.field("label"))  # fmt: skip

    @routes.post("/<int:flag>/snooze")
    def snooze(flag: int) -> Answer:
        _ = page.gettext()
        return _deed(gateway, flag, lambda work, found: handle_flag.snooze(work, found, forms.moment("until", found.clock.zone)),
                     _("Flag {number} comes back at that hour."))  # fmt: skip

    @routes.post("/<int:flag>/note")
    def note(flag: int) -> Answer:
        _ = page.gettext()

        def write(work: Work) -> None:  # of any revision: what is written down changes nothing
            handle_flag.write(work, gateway.vault, handle_flag.hold(work, flag), forms.made_id("note_id"), forms.field("note"))

        return _do(gateway, flag, write, _("Your note on flag {number} is kept."))


def _add_reply(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/<int:flag>/reply")
    def reply(flag: int) -> Answer:
        _ = page.gettext()

        def send(work: Work, found: Flag) -> None:
            client = clients.get(work, _client_of(found))
            handle_flag.answered(work, found)
            reply_to_client.send(work, gateway.vault, gateway.content, client, forms.field("text"), message_key=forms.made_id("message_id"),
                                 about_id=found.id, ring=gateway.bell.ring)  # fmt: skip

        def is_sent(found: Flag) -> bool:
            with page.work() as work:
                return reply_to_client.is_known(work, forms.made_id("message_id"))

        return _deed(gateway, flag, send, _("Your answer about flag {number} is on its way."), done=is_sent)

    @routes.post("/<int:flag>/draft")
    def draft(flag: int) -> Answer:
        return client_words.draft(gateway, lambda work: clients.get(work, _client_of(flags.by_number(work, flag))), partial(_shown, gateway, flag))

    @routes.post("/<int:flag>/call")
    def call(flag: int) -> Answer:
        with page.work() as work:
            number = handle_flag.number_to_call(work, gateway.vault, flags.by_number(work, flag))
        return _shown(gateway, flag, number_to_call=number or "")


def _client_of(found: Flag) -> Any:
    if found.client_id is None:
        raise Refused("nobody known is behind this flag: call the number instead")
    return found.client_id
