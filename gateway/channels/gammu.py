"""gammu-smsd by its files backend: a USB modem or an old phone with a local SIM, beside this machine.

    we write     <folder>/outbox/OUTC<date>_<time>_00_<recipient>_<our token>.txt, in UTF-16: the name is gammu's own form
    it moves it  to <folder>/sent or <folder>/error; we read that, tell our own callback, and delete the file
    it writes    <folder>/inbox/IN<date>_<time>_<serial>_<sender>_<part>.txt, in UTF-16; deleted when it is kept here
    posted by the folders' keeper (gateway/wire/files.py) to our own callbacks, as JSON, signed with the channel's secret (base.is_signed):
                 POST <callback_url>/inbound {"id", "from", "to", "text", "media"}
                 POST <callback_url>/report  {"token", "stat": "sent"}
    we answer    204

"sent" says that the network took it; of the handset gammu's files say nothing. A file in `error` says that gammu failed, not how far it
came: `unknown`. Nothing can be listed: an attempt without an outcome waits for a person.
"""

import json
from collections.abc import Mapping
from typing import Any

from gateway.channels import base, without
from gateway.channels.base import Capabilities, Field, State
from gateway.domain.told import N_

# settings
kind = "gammu"
fields: tuple[Field, ...] = (
    Field("number", N_("the SIM's own number, that clients see and answer to")),
    Field("folder", N_("where gammu-smsd has its folders inbox, outbox, sent and error"), required=False, default="/var/spool/gammu"),
    Field("pid_file", N_("the file in which gammu-smsd says that it runs"), required=False, default="/run/gammu-smsd.pid"),
    Field("secret", N_("what our own process signs with; leave it empty and one is made"), secret=True, required=False, made=True),
)
capabilities = Capabilities(two_way=True, receipts="network", charset="UCS-2", max_chars=1600, road="files")

# without
read_call, call_reply = without.calls
read_ussd, ussd_reply = without.ussd
own_numbers, list_request, inbound_list_request, read_list = without.lists
redact_request = without.redaction  # the file is deleted once it is read
inbound_reply = without.content

# inbound fields
_INBOUND = ("id", "from", "to", "text")
_REPORT = ("token", "stat")

# report table: the folder a text was found in
_STATES: Mapping[str, State] = {"sent": "delivered"}


def check(settings: base.Settings) -> list[str]:
    """See Channel.check."""
    faults = base.check_fields(fields, settings)
    for name in ("folder", "pid_file"):
        if not settings.get(name, "/").startswith("/"):
            faults.append(N_("{name} is a whole path, such as /var/spool/gammu").format(name=name))
    return faults


# verify
def verify(settings: base.Settings, request: base.CallbackRequest) -> bool:
    """See Channel.verify. Only the keeper of the folders posts here."""
    return base.is_signed(settings, request)


# read
def read_inbound(request: base.CallbackRequest) -> base.Inbound:
    """See Channel.read_inbound. gammu puts the parts of a long text together, and the keeper its files."""
    posted = _read(request, _INBOUND)
    if base.opaque(posted["id"]) is None:
        raise base.BadCallback("The callback lacks {missing}: see the protocol.", missing="a readable id")
    return base.Inbound(posted["id"], posted["from"], posted["to"], base.well_formed(posted["text"]), media=posted.get("media") is True)


def read_report(request: base.CallbackRequest) -> base.Report:
    """See Channel.read_report."""
    posted = _read(request, _REPORT)
    token = base.opaque(posted["token"])
    if token is None:
        raise base.BadCallback("The callback lacks {missing}: see the protocol.", missing="token")
    return base.Report(token, token, _STATES.get(posted["stat"]))


def _read(request: base.CallbackRequest, needed: tuple[str, ...]) -> dict[str, Any]:
    posted = base.read_object(request.body)
    if missing := [name for name in needed if not isinstance(posted.get(name), str)]:
        raise base.BadCallback("The callback lacks {missing}: see the protocol.", missing=", ".join(missing))
    return posted


# request
def hold_request(settings: base.Settings) -> base.WireRequest:
    """See Held.hold_request."""
    told = {
        "folder": settings.get("folder") or "/var/spool/gammu", "pid_file": settings.get("pid_file") or "/run/gammu-smsd.pid",
        "number": settings["number"], "secret": settings.get("secret", ""), "callback_url": settings["callback_url"],
    }  # fmt: skip
    return base.WireRequest("HOLD", "files://outbox", {}, json.dumps(told).encode())


def send_request(settings: base.Settings, outgoing: base.Outgoing) -> base.WireRequest:
    """See Channel.send_request."""
    message = {"to": outgoing.to, "text": outgoing.body, "token": outgoing.token}
    return base.WireRequest("WRITE", "files://outbox", {}, json.dumps(message).encode())


# read_answer
def read_answer(reply: base.WireReply) -> base.SendResult:
    """See Channel.read_answer. The keeper gives {"stat": the folder, "token"}."""
    answer = base.read_object(reply.body)
    token = base.opaque(answer.get("token"))
    if reply.status == 200 and answer.get("stat") == "sent" and token is not None:
        return base.SendResult("accepted", token)
    if reply.status == 200 and answer.get("stat") == "error":
        return base.SendResult("unknown", None, "error", "server_error")
    return base.refused("unreadable")
