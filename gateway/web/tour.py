"""The guided tour of new staff, on a gateway for practice: each step says what to do, leads to its page, and sees whether it was done.

It is there only where the simulator is, so that what is tried reaches nobody.
"""

from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, abort, url_for
from werkzeug.wrappers import Response

import gateway as house
from gateway.domain.told import N_
from gateway.parts import Gateway
from gateway.store import practice, tour
from gateway.store.tour import Places
from gateway.web import guard, page

SAMPLE = Path(house.__file__).parents[1] / "examples" / "province" / "newcomers.csv"
CRY = "toi muon chet"
"""What a client writes who wants to die, in Vietnamese without tones."""


@dataclass(frozen=True, slots=True)
class Step:
    """`name` is what `store.tour.done` calls it; `needs` the endpoint that whoever does it must be allowed to open."""

    name: str
    needs: str
    title: str
    what: str
    link: str


STEPS = (
    Step("register", "imports.upload", N_("Bring a register in"),
         N_("Save the example register, choose it on the page for imports and have it checked. Look at what would come of it, then take the clients over."),
         N_("To the imports")),
    Step("campaign", "maker.new", N_("Plan a campaign of reminders"),
         N_("Make a campaign that is sent before each appointment: tick nothing under Who, choose the reminder for the day before under What, leave When as it is. Then make it."),
         N_("Make a campaign")),
    Step("approval", "maker.new", N_("Have a second person approve it"),
         N_("A second person looks at a campaign before it starts. Somebody else signs in, opens yours under Campaigns, and approves it."),
         N_("To your campaign")),
    Step("answer", "maker.new", N_("Be the client: get a reminder and answer"),
         N_("Take the practice phone of somebody whom your campaign reminds. Move the practice clock on, by an hour or to tomorrow, until the reminder is there, and answer it with 1."),
         N_("To their phone")),
    Step("flag", "flags.close", N_("Answer a cry for help"),
         N_("Write “{cry}” (“I want to die”) from a practice phone. Come back to these pages: it is at the top of each, and sounds. Take the flag, and close it with what you did."),
         N_("To a phone")),
    Step("history", "clients.search", N_("Find a client's history"),
         N_("Look for the client who wrote, by their code or the last four digits of their phone, and open their page: all that was said is there."),
         N_("To the clients")),
)  # fmt: skip


def blueprint(gateway: Gateway) -> Blueprint:
    """The page with the steps, and the strip that other pages show while the tour is under way."""
    routes = Blueprint("tour", __name__, url_prefix="/tour")

    @routes.before_request
    def only_for_practice() -> None:
        with page.system() as work:
            if practice.reaches_people(work):
                abort(404)

    @routes.get("/")
    def show() -> str:
        member = page.member()
        with page.system() as work:
            done, second = tour.done(work, member.id), tour.second_persons(work, member.id, member.unit_id)
            places = tour.places(work, member.id)
        steps = [(step, done[step.name], _address(step.name, places)) for step in _mine()]
        return page.render("tour.html", steps=steps, current=_current(done), cry=CRY, second=second, reminded_at=places.reminded_at)

    @routes.post("/register")
    def register() -> Response:
        """The example register, to be saved and brought in."""
        return page.file(SAMPLE.read_text(encoding="utf-8-sig"), "newcomers.csv")

    @routes.post("/begin")
    def begin() -> Response:
        return _follow(gateway, True)

    @routes.post("/leave")
    def leave() -> Response:
        return _follow(gateway, False)

    routes.app_context_processor(lambda: {"tour_strip": _strip})
    return routes


def _follow(gateway: Gateway, on_tour: bool) -> Response:
    with guard.house(gateway).work() as work:
        tour.follow(work, page.member().id, on_tour)
    return page.go("tour.show")


def _mine() -> list[Step]:
    """The steps that whoever looks may do."""
    return [step for step in STEPS if page.may(step.needs)]


def _current(done: dict[str, bool]) -> int:
    """The number of the first step that is not done; one more than there are when all are."""
    left = [number for number, step in enumerate(_mine(), 1) if not done[step.name]]
    return left[0] if left else len(_mine()) + 1


def _strip() -> tuple[int, int, Step] | None:
    """Number of the step that is next, how many there are, and the step; None off the tour, at its end, and on its own page."""
    found = page.signed_in()
    if found is None or found.login.stage != "in" or not found.on_tour:
        return None
    with page.system() as work:
        number = _current(tour.done(work, found.member.id))
    steps = _mine()
    return None if number > len(steps) else (number, len(steps), steps[number - 1])


def _address(name: str, places: Places) -> str:
    """Where a step is done."""
    match name:
        case "register":
            return url_for("imports.listed")
        case "campaign":
            return url_for("maker.new")
        case "approval":
            return url_for("campaigns.look", campaign=places.campaign_id) if places.campaign_id else url_for("campaigns.show")
        case "answer":
            return url_for("simulator.look", language=page.language(), client=places.reminded_id)
        case "flag":
            return url_for("simulator.look", language=page.language(), client=places.crying_id)
    return url_for("clients.listed")
