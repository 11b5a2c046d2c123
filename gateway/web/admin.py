"""Administration: whether everything runs, the switch that stops sending, what is understood, how long things are kept."""

from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway.domain.errors import NotFound, Refused
from gateway.domain.interpret import UNSIGNED
from gateway.domain.told import N_
from gateway.parts import Gateway
from gateway.store import channels, health, switches
from gateway.usecases import change_channel
from gateway.web import page

KEPT = (
    (N_("Stops"), N_("without end, as a hash")),
    (N_("Consents and their history"), N_("until erasure")),
    (N_("Audit trail"), N_("without end; what it says of a client until erasure")),
    (N_("Counts for reports"), N_("without end; no persons in them")),
    (N_("Texts, attempts, reports, flags"), N_("no end is enforced yet: erase clients who have left")),
    (N_("Menus dialled by USSD"), N_("one day, as ciphertext; PINs until erasure or a reset, as salted hashes")),
    (N_("Logs"), N_("ids only; as long as whoever runs the gateway keeps them")),
    (N_("Jobs in Redis"), N_("ids of channels, for seconds; failed ones for a day")),
)
"""What docs/erasure-and-retention.md says."""
LISTS = (
    N_("polite"), N_("negation"), N_("numbers"), N_("stop"), N_("start"), N_("help"), N_("yes"), N_("no"), N_("callback"), N_("info"), N_("crisis"),
    N_("wrong number"), N_("language"), N_("appointment"), N_("services"), N_("idioms"),
)
"""What the lists of words are called."""


def blueprint(gateway: Gateway) -> Blueprint:
    """What is looked at rather than changed, and the kill switch."""
    routes = Blueprint("admin", __name__, url_prefix="/administration")

    @routes.get("")
    def show() -> str:
        with page.work() as work:
            return page.render("admin/show.html", is_sending=switches.is_on(work, "sending"), channels=channels.states(work), health=health.look(gateway.engine))

    @routes.post("/sending")
    def sending() -> Response:
        _ = page.gettext()
        if (wanted := request.form.get("sending")) not in ("on", "off"):
            raise Refused("sending is on or off")
        with page.system() as work:
            change_channel.switch_sending(work, wanted == "on", page.member().actor)
        page.tell(_("Sending is on.") if wanted == "on" else _("Sending is off: only urgent texts go out."))
        return page.go("admin.show")

    @routes.get("/words")
    def words() -> str:
        chosen = request.args.get("language", page.language())
        if chosen not in gateway.content.lexicons:
            raise NotFound("no such language")
        lists = gateway.content.word_lists(chosen)
        return page.render("admin/words.html", chosen=chosen, lists=lists, meaning=request.args.get("meaning", ""), spoken=gateway.content.lexicons,
                           unsigned=UNSIGNED)  # fmt: skip

    @routes.get("/retention")
    def kept() -> str:
        return page.render("admin/kept.html", kept=KEPT)

    return routes
