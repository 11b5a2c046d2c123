"""Import a register: the file, what its columns are, what would come of it, and then the import itself, which can be undone."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from gateway.domain import columns, register_words
from gateway.domain.errors import Refused
from gateway.domain.told import N_
from gateway.parts import Gateway
from gateway.store import consents, imports, units
from gateway.usecases import run_imports, sheets
from gateway.web import forms, guard, page

Answer = AnyResponse | str | tuple[str, int]

FIELDS = (*register_words.HEADINGS, "own", "")
BAD_SHOWN = 20
STATES = {
    "checking": N_("is being checked"), "checked": N_("checked; nothing is taken over yet"), "waiting": N_("is being taken over"),
    "done": N_("taken over"), "failed": N_("cannot be taken over"), "undone": N_("undone"),
}  # fmt: skip
N_("checking")


def blueprint(gateway: Gateway) -> Blueprint:
    """What staff do to bring a register in."""
    routes = Blueprint("imports", __name__, url_prefix="/imports")
    _add_files(routes, gateway)
    _add_steps(routes, gateway)
    return routes


def _add_files(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("/")
    def listed() -> str:
        return _list("")

    @routes.post("/")
    def upload() -> Answer:
        file = request.files.get("file")
        try:
            with page.work() as work:
                import_id = run_imports.keep(work, gateway.vault, file.read() if file else b"")
        except Refused as refused:
            return _list(refused.told(page.shown)), 400
        return page.go("imports.show", register=import_id)

    @routes.get("/<uuid:register>")
    def show(register: UUID) -> str:
        return _shown(gateway, register)

    @routes.post("/<uuid:register>/bad")
    def bad(register: UUID) -> AnyResponse:
        """The rows that were not taken as a table, with their reasons."""
        _ = page.gettext()
        with page.work() as work:
            imports.get(work, register)
            rows = [(line, page.shown(what), page.shown(why), *cells) for line, what, why, cells in imports.bad_rows(work, gateway.vault, register)]
        table = "".join(sheets.lines((_("line"), _("what"), _("reason"), _("row")), rows))
        return Response("\ufeff" + table, mimetype="text/csv", headers={"Content-Disposition": 'attachment; filename="rows.csv"'})


def _list(error: str) -> str:
    with page.work() as work:
        return page.render("imports/list.html", imports=imports.latest(work), states=STATES, error=error)


def _shown(gateway: Gateway, register: UUID, error: str = "") -> str:
    with page.work() as work:
        found = imports.get(work, register)
        headings = imports.headings(work, gateway.vault, register) if found.has_file else []
        guessed = columns.guess(headings, register_words.HEADINGS, ("phone", "groups", "consent"))
        chosen = {int(place): name for place, name in found.options.get("columns", {}).items()}
        return page.render(
            "imports/show.html", register=found, states=STATES, error=error, bad=imports.bad_rows(work, gateway.vault, register)[:BAD_SHOWN],
            columns=[(place, name, chosen.get(place, guess or "")) for place, (name, guess) in enumerate(zip(headings, guessed, strict=True))],
            fields=[(name, _field(name)) for name in FIELDS], units=units.list_seen(work), purposes=consents.PURPOSES,
            can_undo=found.state == "done" and found.applied_at is not None and work.now - found.applied_at < imports.KEPT,
        )  # fmt: skip


def _field(name: str) -> str:
    _ = page.gettext()
    return {"own": _("keep as an own field"), "": _("leave out")}.get(name) or page.shown(name.replace("_", " "))


def _add_steps(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/<uuid:register>/check")
    def check(register: UUID) -> Answer:
        """Other columns or other choices: see again what would come of it."""
        with page.work() as work:
            imports.get(work, register)
            imports.check_again(work, register, _options())
        return page.go("imports.show", register=register)

    @routes.post("/<uuid:register>/start")
    def start(register: UUID) -> Answer:
        with page.work() as work:
            imports.get(work, register)
            imports.start(work, register)
        return page.go("imports.show", register=register)

    @routes.post("/<uuid:register>/undo")
    def undo(register: UUID) -> Answer:
        _ = page.gettext()
        with page.work() as work:
            found = imports.get(work, register)
        try:
            with guard.house(gateway).work() as work:
                undone, kept = run_imports.undo(work, found, page.member().actor)
        except Refused as refused:
            return _shown(gateway, register, refused.told(page.shown)), 400
        page.tell(_("Undone for {undone} clients; {kept} stay as they are, since something happened with them."), undone=undone, kept=kept)
        return page.go("imports.show", register=register)


def _options() -> dict[str, Any]:
    """What the form chose; what it does not know is left out."""
    places = {name.removeprefix("column-"): value for name, value in request.form.items() if name.startswith("column-") and value in FIELDS}
    basis = forms.field("agreed_basis", 200)
    return {
        "columns": {place: value for place, value in places.items() if place.isdigit()}, "unit": forms.field("unit", 40), "basis": forms.field("basis", 200),
        "yes_means": [each for each in request.form.getlist("yes_means") if each in consents.PURPOSES],
        "consents": {each: basis for each in request.form.getlist("agreed") if each in consents.PURPOSES and basis},
    }  # fmt: skip
