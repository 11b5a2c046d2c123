"""Import a table of clients, appointments or services: the file, what its columns are, what would come of it, then the import itself, which can be undone."""

from typing import Any
from uuid import UUID

from flask import Blueprint, request
from werkzeug.wrappers import Response as AnyResponse

from gateway.domain import columns
from gateway.domain.errors import NotAllowed, Refused
from gateway.domain.told import N_
from gateway.parts import Gateway
from gateway.store import consents, imports, units
from gateway.store.base import Work
from gateway.usecases import run_imports, sheets
from gateway.usecases.run_imports import KINDS
from gateway.web import forms, guard, page

Answer = AnyResponse | str | tuple[str, int]

BAD_SHOWN = 20
STATES = {
    "checking": N_("is being checked"), "checked": N_("checked; nothing is taken over yet"), "waiting": N_("is being taken over"),
    "done": N_("taken over"), "failed": N_("cannot be taken over"), "undone": N_("undone"),
}  # fmt: skip
TITLES = {"clients": N_("Import clients"), "appointments": N_("Import appointments"), "services": N_("Import services")}
KNOWN_BY = {
    "clients": N_("People are known by their code: whoever is there already is changed where the file says something else."),
    "appointments": N_("An appointment is known by its id: a second import only updates."),
    "services": N_("A service is known by its code: a second import only updates."),
}
UNDOING = {
    "clients": N_("For a day: of clients whom nobody changed since. Whoever opted out stays so."),
    "appointments": N_("For a day: of appointments that nobody changed since, and about which no text left since."),
    "services": N_("For a day: of services that nobody changed or checked since."),
}
BACK = {"clients": "clients.listed", "appointments": "appointments.show", "services": "services.show"}
COUNTS = {
    "new": N_("new"), "updated": N_("updated"), "moved": N_("moved"), "changed": N_("other changes (cancelled, attended, missed)"),
    "unchanged": N_("unchanged"), "duplicate": N_("duplicate"), "invalid": N_("invalid"), "opted_out": N_("opted out"),
    "to_verify": N_("numbers to verify"), "undone": N_("undone"), "kept": N_("as they are now, since something happened with them"),
}  # fmt: skip
TAKEN = ("new", "updated", "moved", "changed")
N_("discharge"), N_("release"), N_("treatment start"), N_("checking"), N_("clients"), N_("appointments"), N_("services")


def blueprint(gateway: Gateway) -> Blueprint:
    """What staff do to bring a table in."""
    routes = Blueprint("imports", __name__, url_prefix="/imports")
    _add_files(routes, gateway)
    _add_steps(routes, gateway)
    return routes


def _add_files(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("/")
    def listed() -> str:
        return _list(_kind(request.args.get("kind", "")), "")

    @routes.post("/")
    def upload() -> Answer:
        kind, file = _kind(request.form.get("kind", "")), request.files.get("file")
        try:
            with page.work() as work:
                import_id = run_imports.keep(work, gateway.vault, kind, file.read() if file else b"")
        except Refused as refused:
            return _list(kind, refused.told(page.shown)), 400
        return page.go("imports.show", register=import_id)

    @routes.get("/<uuid:register>")
    def show(register: UUID) -> str:
        return _shown(gateway, register)

    @routes.post("/<uuid:register>/bad")
    def bad(register: UUID) -> AnyResponse:
        """The rows that were not taken as a table, with their reasons."""
        _ = page.gettext()
        with page.work() as work:
            _get(work, register)
            rows = [(line, page.shown(what), page.shown(why), *cells) for line, what, why, cells in imports.bad_rows(work, gateway.vault, register)]
        return page.file("".join(sheets.lines((_("line"), _("what"), _("reason"), _("row")), rows)), "rows.csv")


def _kind(asked: str) -> str:
    """The kind that is asked for. Raises NotAllowed when others may import it."""
    kind = asked if asked in KINDS else "clients"
    if page.member().role not in KINDS[kind].may:
        raise NotAllowed("your role may not import this")
    return kind


def _get(work: Work, register: UUID) -> imports.Import:
    """The import. Raises NotFound, and NotAllowed when others may import its kind."""
    found = imports.get(work, register)
    _kind(found.kind)
    return found


def _list(kind: str, error: str) -> str:
    with page.work() as work:
        return page.render("imports/list.html", kind=kind, title=TITLES[kind], known_by=KNOWN_BY[kind], back=BACK[kind],
                           imports=imports.latest(work, kind), states=STATES, error=error)  # fmt: skip


def _shown(gateway: Gateway, register: UUID, error: str = "") -> str:
    with page.work() as work:
        found = _get(work, register)
        kind = KINDS[found.kind]
        headings = imports.headings(work, gateway.vault, register) if found.has_file else []
        guessed = columns.guess(headings, kind.words, kind.several)
        chosen = {int(place): name for place, name in found.options.get("columns", {}).items()}
        return page.render(
            "imports/show.html", register=found, title=TITLES[found.kind], back=BACK[found.kind], undoing=UNDOING[found.kind], states=STATES,
            error=error, bad=imports.bad_rows(work, gateway.vault, register)[:BAD_SHOWN],
            columns=[(place, name, chosen.get(place, guess or "")) for place, (name, guess) in enumerate(zip(headings, guessed, strict=True))],
            fields=[(name, _field(name)) for name in _fields(found.kind)], units=units.names(work), purposes=consents.PURPOSES,
            counts=[(label, found.counts[name]) for name, label in COUNTS.items() if name in found.counts],
            taken=sum(found.counts.get(name, 0) for name in TAKEN),
            can_undo=found.state == "done" and found.applied_at is not None and work.now - found.applied_at < imports.KEPT,
        )  # fmt: skip


def _fields(kind: str) -> tuple[str, ...]:
    return (*KINDS[kind].words, *(["own"] if kind == "clients" else []), "")


def _field(name: str) -> str:
    _ = page.gettext()
    return {"own": _("keep as an own field"), "": _("leave out")}.get(name) or page.shown(name.replace("_", " "))


def _add_steps(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/<uuid:register>/check")
    def check(register: UUID) -> Answer:
        """Other columns or other choices: see again what would come of it."""
        with page.work() as work:
            found = _get(work, register)
            imports.check_again(work, register, _options(found.kind))
        return page.go("imports.show", register=register)

    @routes.post("/<uuid:register>/start")
    def start(register: UUID) -> Answer:
        with page.work() as work:
            _get(work, register)
            imports.start(work, register)
        return page.go("imports.show", register=register)

    @routes.post("/<uuid:register>/undo")
    def undo(register: UUID) -> Answer:
        _ = page.gettext()
        with page.work() as work:
            found = _get(work, register)
        try:
            with guard.house(gateway).work() as work:
                undone, kept = run_imports.undo(work, gateway.vault, found, page.member().actor)
        except Refused as refused:
            return _shown(gateway, register, refused.told(page.shown)), 400
        page.tell(_("Undone: {undone}. As they are now: {kept}, since something happened with them."), undone=undone, kept=kept)
        return page.go("imports.show", register=register)


def _options(kind: str) -> dict[str, Any]:
    """What the form chose; what it does not know is left out."""
    fields = _fields(kind)
    places = {name.removeprefix("column-"): value for name, value in request.form.items() if name.startswith("column-") and value in fields}
    basis = forms.field("agreed_basis", 200)
    return {
        "columns": {place: value for place, value in places.items() if place.isdecimal()}, "unit": forms.field("unit", 40), "basis": forms.field("basis", 200),
        "yes_means": [each for each in request.form.getlist("yes_means") if each in consents.PURPOSES],
        "consents": {each: basis for each in request.form.getlist("agreed") if each in consents.PURPOSES and basis},
    }  # fmt: skip
