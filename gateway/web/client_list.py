"""Clients: the list with its filters, search, groups of many at once, and the list as a file."""

from uuid import UUID

from flask import Blueprint, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from gateway.domain import cells
from gateway.domain.errors import NotFound, Refused
from gateway.parts import Gateway
from gateway.store import clients, consents, exports, staff, units
from gateway.store.base import Work
from gateway.store.clients import Wanted
from gateway.usecases import change_client, export_clients, find_clients
from gateway.web import forms, page

AT_ONCE = 50
STATUSES = ("active", "paused", "closed")
FILTERS = ("unit", "status", "language", "group", "consent", "worker", "verify")


def add(routes: Blueprint, gateway: Gateway) -> None:
    """The routes of many clients."""
    _add_list(routes, gateway)
    _add_many(routes, gateway)


def _add_list(routes: Blueprint, gateway: Gateway) -> None:
    @routes.get("/")
    def listed() -> str:
        with page.work() as work:
            after = _code_of(work, request.args.get("after", ""))
            found = clients.page(work, _wanted(work, request.args), AT_ONCE + 1, after)
            return _rendered(work, found[:AT_ONCE], request.args, more=len(found) > AT_ONCE)

    @routes.post("/search")
    def search() -> str | tuple[str, int]:
        """By POST: what is searched for stands in no address, and so in no log and no history."""
        wanted = forms.field("wanted", 200)
        with page.work() as work:
            if not wanted:
                return _rendered(work, [], MultiDict(), error=page.gettext()("Type a phone number, its last four digits, a code or words of a name.")), 400
            return _rendered(work, find_clients.find(work, gateway.vault, wanted), MultiDict(), searched=True)


def _code_of(work: Work, client: str) -> str:
    """The list goes on after this client: the address holds an id, no code."""
    try:
        return clients.get(work, UUID(client)).code if client else ""
    except (ValueError, NotFound):
        return ""


def _wanted(work: Work, asked: MultiDict[str, str]) -> Wanted:
    """What the filters say; what they do not know is left out."""
    seen = {unit.code: unit.id for unit in units.names(work)} if asked.get("unit") else {}
    workers = staff.codes(work) if asked.get("worker") else {}
    return Wanted(
        unit_id=seen.get(asked.get("unit", "")), status=asked.get("status") if asked.get("status") in STATUSES else None,
        language=asked.get("language") or None, group=asked.get("group") or None,
        consent=asked.get("consent") if asked.get("consent") in consents.PURPOSES else None,
        worker_id=workers.get(asked.get("worker", "")), to_verify=True if asked.get("verify") else None,
    )  # fmt: skip


def _rendered(
    work: Work, found: list[clients.Found], asked: MultiDict[str, str], *, more: bool = False, searched: bool = False, error: str = ""
) -> str:
    chosen = {name: asked[name] for name in FILTERS if asked.get(name)}
    seen, groups, workers = units.names(work), clients.groups(work), sorted(staff.codes(work))
    known = {
        "known_units": [(each.code, f"{each.code} {each.name}") for each in seen], "known_groups": [(each, each) for each in groups],
        "known_statuses": [(each, page.shown(each)) for each in STATUSES], "known_workers": [(each, each) for each in workers],
        "known_languages": [(code, spoken.name) for code, spoken in page.gateway().content.languages.items()],
        "known_purposes": [(each, page.shown(each)) for each in consents.PURPOSES],
    }  # fmt: skip
    return page.render("clients/list.html", clients=found, more=more, chosen=chosen, searched=searched, error=error, units=seen,
                       groups=groups, workers=workers, **known)  # fmt: skip


def _add_many(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/group")
    def group() -> AnyResponse | tuple[str, int]:
        """Take the ticked clients into a group, or out of it."""
        _, name = page.gettext(), cells.clean(forms.field("group", 60))
        try:
            ids = [UUID(each) for each in request.form.getlist("client")]
        except ValueError:
            ids = []
        with page.work() as work:
            if not name or not ids:
                said = _("Tick clients and give the name of a group.")
                return _rendered(work, clients.page(work, Wanted(), AT_ONCE), MultiDict(), error=said), 400
            count = sum(change_client.regroup(work, clients.get(work, each), name, request.form.get("do") != "out") for each in sorted(set(ids)))
        page.tell(_("Changed: {count}"), count=count)
        return page.go("clients.listed", group=name) if request.form.get("do") != "out" else page.go("clients.listed")

    _add_export(routes, gateway)


def _add_export(routes: Blueprint, gateway: Gateway) -> None:
    @routes.post("/export")
    def export() -> AnyResponse | tuple[str, int]:
        """Have the list written as a file, for a reason that is written down."""
        with page.work() as work:
            try:
                export_clients.ask(work, _wanted(work, request.form), forms.field("reason", 200))
            except Refused as refused:
                return _rendered(work, [], request.form, error=refused.told(page.shown)), 400
        return page.go("clients.exported")

    @routes.get("/export")
    def exported() -> str:
        """How far it is."""
        with page.work() as work:
            return page.render("clients/export.html", export=exports.of(work))

    @routes.post("/export/file")
    def download() -> AnyResponse:
        with page.work() as work:
            file = export_clients.take(work, gateway.vault)
        return page.go("clients.exported") if file is None else page.file(file, "clients.csv")
