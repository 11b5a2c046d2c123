"""What every carrier file speaks: the values that go in and out, closed lists of outcomes, and `Channel`.

A channel is a module of pure functions: it makes requests and reads answers, `gateway.wire` carries them. So
a carrier file can neither hold a transaction open nor send anything twice.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Literal, Protocol
from urllib.parse import quote, unquote_to_bytes, urlsplit
from uuid import UUID

from gateway.domain.errors import Refused
from gateway.domain.told import N_

Settings = Mapping[str, str]
"""The channel's `fields` by name, and "callback_url": its address at our side, <public URL>/c/<public id>."""

Outcome = Literal[
    "accepted",  # the carrier has it and gave an id
    "not_sent_retry",  # no byte of the request reached the carrier
    "throttled",  # refused without processing: slow down, try again
    "permanent",  # this number or this text can never work
    "opted_out",  # the carrier says the person stopped
    "filtered",  # a filter stopped the text; a retry makes it worse
    "channel_down",  # account, sender or configuration
    "unknown",  # may or may not have been accepted: reconcile, never send again blindly
]
Reason = Literal[
    "not_reached", "rate_limited", "queue_full", "daily_limit", "bad_number", "landline", "unreachable",
    "bad_text", "expired", "unrecognised", "opted_out", "filtered", "bad_credentials", "bad_sender",
    "country_off", "suspended", "misconfigured", "no_answer", "server_error", "unreadable",
]  # fmt: skip
LONGEST_DIALLED = 2_000
"""Characters of all that is typed in one dialogue by USSD, which lasts three minutes."""
LONG_ENOUGH = 22
"""Characters of a secret of 128 bits."""
_IN_THE_HOUSE = (".local", ".lan", ".home.arpa", ".internal")
Phase = Literal["not_sent", "sent", "answered"]
"""How far a request came: no byte written; written without a whole answer; answered."""
State = Literal["accepted", "sent", "delivered", "failed", "expired", "cancelled"]
Road = Literal["http", "smpp", "files"]
"""How texts travel: by one request each, or by a line that a process holds open (docs/decisions/0011-lines-held-open.md)."""

OUTCOMES: Mapping[Reason, Outcome] = {
    "not_reached": "not_sent_retry",
    "rate_limited": "throttled",
    "queue_full": "throttled",
    "daily_limit": "throttled",
    "bad_number": "permanent",
    "landline": "permanent",
    "unreachable": "permanent",
    "bad_text": "permanent",
    "unrecognised": "permanent",
    "expired": "permanent",
    "opted_out": "opted_out",
    "filtered": "filtered",
    "bad_credentials": "channel_down",
    "bad_sender": "channel_down",
    "country_off": "channel_down",
    "suspended": "channel_down",
    "misconfigured": "channel_down",
    "no_answer": "unknown",
    "server_error": "unknown",
    "unreadable": "unknown",
}
"""What follows from a reason, said only here; a carrier file translates its codes into reasons."""


class BadCallback(Refused):
    """A callback with a valid signature lacks what its kind must have. Answer 400 and keep its raw body."""


class BadList(Refused):
    """The carrier's list of messages could not be read: nothing is known, ask again later."""


@dataclass(frozen=True, slots=True)
class WireRequest:
    """An HTTP request, ready to be written. Host and Content-Length are the wire's.

    `guarded`: a person typed the address, so it leads to no private network but to hosts that the settings of the process name.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class WireReply:
    """A whole HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class CallbackRequest:
    """A carrier's post to us, untouched.

    `url` is the configured public address + raw path + raw query, never what a Host header says. Header names are in lower case.
    `received_at` tells posts apart of a carrier that gives them no id.
    """

    url: str
    path: str
    raw_query: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime | None = None

    def header(self, name: str) -> str:
        """A header by its lower-case name, "" when it is absent."""
        return self.headers.get(name, "")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One attempt to send a text. `token` is the attempt's own and comes back in each report."""

    id: UUID
    token: str
    to: str
    body: str
    validity_s: int | None = None
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a longer text this is: the `number`th of `total`, which share a `reference` that the phone uses again later."""

    reference: str
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class Inbound:
    """A client's text. `text` is as typed: nothing stripped; bytes that are no UTF-8 are kept as \\xNN."""

    carrier_id: str
    sender_phone: str
    to_phone: str
    text: str
    sent_at: datetime | None = None
    opt_out: Literal["stop", "start", "help"] | None = None
    media: bool = False
    call: bool = False  # no text but a call to our number, which is never answered
    part: Part | None = None  # of a longer text that the carrier does not put together


@dataclass(frozen=True, slots=True)
class Dialled:
    """One step of a dialogue by USSD. `text` is all that was typed since the code was dialled, joined by `*`."""

    session_id: str
    phone: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery report. `state` None: a word we do not know; keep the last good state and flag it."""

    token: str | None
    carrier_id: str
    state: State | None
    code: str | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One message as the carrier's list shows it."""

    carrier_id: str
    to: str
    sender: str
    body: str
    created_at: datetime | None
    state: State | None
    code: str | None
    direction: Literal["inbound", "outbound"]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the carrier's list, newest first; `next` asks for the one after it, None on the last."""

    found: tuple[Found, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of one attempt."""

    outcome: Outcome
    carrier_id: str | None = None
    code: str | None = None
    reason: Reason | None = None
    retry_after_s: int | None = None


Sender = Literal["number", "short code", "name"]
"""What a text comes from; nobody can answer a name."""
SENDERS: tuple[Sender, ...] = (N_("number"), N_("short code"), N_("name"))  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a carrier can do. `receipts` says how far "delivered" goes."""

    two_way: bool
    receipts: Literal["handset", "network", "none"]
    charset: Literal["GSM-7", "UCS-2"]
    max_chars: int
    ussd: bool = False
    can_list: bool = False
    validity: bool = False
    calls: bool = False  # it reports calls to our numbers
    texts: bool = True  # it carries texts; False: menus alone
    road: Road = "http"
    senders: tuple[Sender, ...] = ("number",)  # what clients may see it come from
    one_way: tuple[str, ...] = ()  # beginnings of phones whose answers it does not bring back; a channel's row may say more
    no_handset: tuple[str, ...] = ()  # beginnings of phones of which reports come from the network alone

    def receipts_of(self, phone: str | None) -> Literal["handset", "network", "none"]:
        """How far "delivered" goes for a phone."""
        alone = self.receipts == "handset" and phone is not None and phone.startswith(self.no_handset)
        return "network" if alone else self.receipts


@dataclass(frozen=True, slots=True)
class Field:
    """One setting of a channel; a secret one is stored encrypted and never shown again. A long one has many lines."""

    name: str
    about: str
    secret: bool = False
    required: bool = True
    default: str = ""
    long: bool = False
    made: bool = False  # made up by us where it is left empty: nobody else has to know it


class Channel(Protocol):
    """What a carrier file offers; a module with these names is one. See docs/adding-a-carrier.md."""

    kind: str
    fields: tuple[Field, ...]
    capabilities: Capabilities

    def check(self, settings: Settings) -> list[str]:
        """What is wrong with the settings, in sentences for an administrator; empty when they will do."""

    def verify(self, settings: Settings, request: CallbackRequest) -> bool:
        """Whether the carrier signed this callback. Never raises; False for anything odd."""

    def read_inbound(self, request: CallbackRequest) -> Inbound:
        """The client's text in a verified callback. Raises BadCallback."""

    def read_report(self, request: CallbackRequest) -> Report:
        """The delivery report in a verified callback. Raises BadCallback."""

    def read_call(self, request: CallbackRequest) -> Inbound | None:
        """The call to our number in a verified callback, as a text without words. None: the caller withheld their number.

        Raises BadCallback, as for everything where the carrier reports no calls.
        """

    def call_reply(self) -> WireReply:
        """The answer to a call that is safely kept: it is not taken, so that it costs the caller nothing."""

    def read_ussd(self, request: CallbackRequest) -> Dialled:
        """What was typed in a verified callback. Raises BadCallback, as for everything where the carrier has no USSD."""

    def ussd_reply(self, screen: str, goes_on: bool) -> WireReply:
        """What the phone shows next; without `goes_on` the dialogue ends with it."""

    def inbound_reply(self) -> WireReply:
        """The answer to a callback that is safely kept; it sends nothing to the client."""

    def send_request(self, settings: Settings, outgoing: Outgoing) -> WireRequest:
        """The request that sends one text. It is to be written once at most."""

    def read_answer(self, reply: WireReply) -> SendResult:
        """What the answer to `send_request` means. Never raises: what cannot be read is `unknown`."""

    def list_request(self, settings: Settings, to: str, page: str | None = None) -> WireRequest | None:
        """Ask which messages to `to` the carrier has, for reconciliation. None: it cannot be asked."""

    def inbound_list_request(
        self, settings: Settings, number: str, since_at: datetime | None = None, page: str | None = None
    ) -> WireRequest | None:
        """Ask which texts came to our `number`, for back-fill. None: it cannot be asked.

        `since_at` is a hint and may bring older ones. Give the time of the last complete back-fill, not of
        the last text seen: one that came through can be newer than one that was lost.
        """

    def own_numbers(self, settings: Settings) -> tuple[str, ...]:
        """The numbers clients text to, each to be asked about in a back-fill. None, where the carrier cannot be asked."""

    def read_list(self, reply: WireReply) -> Page:
        """One page of either list. Raises BadList."""

    def redact_request(self, settings: Settings, carrier_id: str) -> WireRequest | None:
        """Blank the text at the carrier, once its state is final. None: the carrier keeps none."""


class Held(Channel, Protocol):
    """A carrier at the end of a line that a process of ours holds open. What comes in by it, that process posts to the channel's callbacks."""

    def hold_request(self, settings: Settings) -> WireRequest:
        """What the line is held by: where it leads, and as JSON all that its keeper has to know.

        "callback_url" and "secret" are among that: what comes in is posted there, signed as `is_signed` checks it.
        """


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The X-Signature of what a line's keeper posts."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def is_signed(settings: Settings, request: CallbackRequest) -> bool:
    """Whether a line's keeper posted this: X-Timestamp, and X-Signature by the channel's "secret". Never raises."""
    timestamp, given, secret = request.header("x-timestamp"), request.header("x-signature"), settings.get("secret")
    if not (secret and timestamp.isascii() and timestamp.isdigit() and given.isascii()):
        return False
    return hmac.compare_digest(sign(secret, timestamp, request.body), given)


def refused(reason: Reason, code: str | None = None, retry_after_s: int | None = None) -> SendResult:
    """The result for a reason, with the outcome that belongs to it."""
    return SendResult(OUTCOMES[reason], None, code, reason, retry_after_s)


def call(carrier_id: str, caller: str, to: str) -> Inbound | None:
    """A call as a text without words; None where `caller` is no number that could be called back."""
    known = caller.removeprefix("+")
    return Inbound(carrier_id, caller, to, "", call=True) if known.isascii() and known.isdigit() and len(known) > 5 else None


def dialled(session_id: object, caller: object, text: object) -> Dialled:
    """A step of a dialogue. Raises BadCallback without a readable id, a phone and a text."""
    session, phone = opaque(session_id), str(caller).removeprefix("+")
    if session is None or not isinstance(text, str) or len(text) > LONGEST_DIALLED or not (phone.isascii() and phone.isdigit() and 5 < len(phone) < 16):
        raise BadCallback("The callback lacks a session, a phone or a text: see the protocol.")
    return Dialled(session, f"+{phone}", well_formed(text))


def retry_after(reply: WireReply) -> int | None:
    """The Retry-After header in seconds, at most a day; None when absent or not a plain number."""
    value = reply.headers.get("retry-after", "").strip()
    return min(int(value), 86_400) if value.isascii() and value.isdigit() and len(value) < 10 else None


def read(channel: Channel, phase: Phase, reply: WireReply | None) -> SendResult:
    """What became of an attempt, from how far its request came and the answer if there is one."""
    if phase == "not_sent":
        return refused("not_reached")
    return channel.read_answer(reply) if reply is not None else refused("no_answer")


def check_fields(fields: tuple[Field, ...], settings: Settings) -> list[str]:
    """What is missing, unknown or badly pasted in a channel's settings."""
    known, long = {field.name for field in fields} | {"callback_url"}, {field.name for field in fields if field.long}
    faults = [N_("{name} is missing: {about}").format(name=f.name, about=f.about) for f in fields if f.required and not settings.get(f.name)]
    for name, value in settings.items():
        if name not in known:
            no_setting = N_("{name} is no setting of this channel; it has {names}")
            faults.append(no_setting.format(name=name, names=", ".join(f.name for f in fields)))
        elif name not in long and (value != value.strip() or not value.isprintable()):
            odd = N_("{name} has a space at an end or a character that cannot be seen: paste it again")
            faults.append(odd.format(name=name))
    if settings.get("base_url") and not _is_base_url(settings["base_url"]):
        faults.append(
            N_("base_url must be http:// or https:// and a host, without a query: https://api.example.org")
        )
    return faults


def _is_base_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        odd = parts.query or parts.fragment or parts.username or parts.port == 0
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not odd
    except ValueError:
        return False


def report_url(settings: Settings, token: str) -> str:
    """Where the carrier posts reports of one attempt: its token comes back in the query."""
    return f"{settings['callback_url']}/report?t={quote(token, safe='')}"


def token_of(request: CallbackRequest) -> str | None:
    """Our token from a report's address; None when it carries none."""
    return opaque(first(read_form(request.raw_query.encode("latin-1", "replace")), "t"))


def is_secret(secret: str | None, given: str) -> bool:
    """Whether that is the secret, in constant time. Nobody knows one that is empty or missing."""
    return bool(secret) and hmac.compare_digest(str(secret).encode(), given.encode("utf-8", "replace"))


def bears_secret(settings: Settings, request: CallbackRequest) -> bool:
    """For carriers that sign nothing: whether the channel's `secret` comes as ?key=… or in the header X-Gateway-Key."""
    query = read_form(request.raw_query.encode("latin-1", "replace"))
    return is_secret(settings.get("secret"), request.header("x-gateway-key") or first(query, "key"))


def check_secret(settings: Settings) -> list[str]:
    """Whether the channel's `secret` has the 128 bits that nobody guesses, and stands in an address as it is."""
    secret = settings.get("secret", "")
    faults = [N_("secret is too short: 22 characters or more")] if 0 < len(secret) < LONG_ENOUGH else []
    safe = secret.isascii() and secret.replace("-", "").replace("_", "").isalnum()
    return faults if safe or not secret else [*faults, N_("secret stands in an address: letters, figures, - and _ alone")]


def check_encrypted(settings: Settings) -> list[str]:
    """Whether texts and passwords on their way to `base_url` can be read by others."""
    near = not settings.get("base_url", "").lower().startswith("http://") or is_near(host_of(settings["base_url"]))
    leaves = N_("base_url leads out of the house without encryption: https:// to everything but a machine in your own network")
    return [] if near else [leaves]


def host_of(url: str) -> str:
    """The host in an address, in lower case; "" when there is none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def is_near(host: str) -> bool:
    """Whether a host lies in the house, by its address or the end of its name: only there a text may go unencrypted."""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(_IN_THE_HOUSE)
    return address.is_private or address.is_loopback or address.is_link_local


def opaque(value: object) -> str | None:
    """An id or code as the carrier wrote it, never trimmed or changed; None when it cannot be one."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text if 0 < len(text) <= 200 and text.isascii() and text.isprintable() else None


def well_formed(text: str) -> str:
    """The text with lone surrogates, which nothing else can carry, escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def instant(value: object) -> datetime | None:
    """A moment in ISO 8601 with its zone; None for anything else: a clock whose zone is not told says nothing."""
    try:
        at = datetime.fromisoformat(str(value))
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None


def read_form(body: bytes, errors: str = "backslashreplace") -> dict[str, list[str]]:
    """Form fields as they were sent: blanks, spaces and NUL kept; `errors` is for what is no UTF-8."""
    form: dict[str, list[str]] = {}
    for pair in body.split(b"&"):
        if pair:
            name, _, value = pair.replace(b"+", b" ").partition(b"=")
            decoded = unquote_to_bytes(value).decode("utf-8", errors)
            form.setdefault(unquote_to_bytes(name).decode("utf-8", errors), []).append(decoded)
    return form


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body, {} when there is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def first(form: Mapping[str, list[str]], name: str) -> str:
    """The first value of a field, "" when it is absent."""
    return form.get(name, [""])[0]
