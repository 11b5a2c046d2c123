"""SMPP 3.4: an aggregator or a mobile network itself, by one bind that a process of ours holds open (`gateway/wire/smpp.py`).

    we send      submit_sm, one for each part of a text, with an esm_class of 0x40 and a header where there are several; the last part asks
                 for a report. Of the PDU this file says everything but the sequence number.
                 -> submit_sm_resp: a command_status and, for each part taken, an id
    it tells us  deliver_sm: a client's text, or (esm_class 0x04) a report, "id:... sub:... dlvrd:... stat:DELIVRD err:000 ..."
                 posted by the bind's keeper to our own callbacks, as JSON, signed with the channel's secret (base.is_signed):
                 POST <callback_url>/inbound and <callback_url>/report
                 {"id", "from", "from_ton", "to", "to_ton", "esm_class", "data_coding", "octets": hex,
                  "receipted_message_id", "message_state", "sar": [reference, number, total], "report_ids"}
    we answer    204, and only then the SMSC hears deliver_sm_resp with status 0

Our token cannot travel, so a report is matched by the carrier's id, which some write in hexadecimal in one place and in decimal in the
other: the setting report_ids. A text of which some parts were taken and some refused is `unknown` and never sent again. There is
nothing to list: an attempt without an answer waits for a person.
"""

import json
import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from gateway.channels import base, without
from gateway.channels.base import Capabilities, Field, Reason, State
from gateway.domain import gsm7, segments
from gateway.domain.told import N_

# settings
kind = "smpp"
fields: tuple[Field, ...] = (
    Field("host", N_("the SMSC's name or address")),
    Field("port", N_("its port"), required=False, default="2775"),
    Field("system_id", N_("the login that the carrier gave, at most 15 characters")),
    Field("password", N_("its password, at most 8 characters"), secret=True),
    Field("sender", N_("the number, short code or name that texts come from, as it was registered")),
    Field("tls", N_("yes or no: encrypted. Without it everybody between here and there can read every text"), required=False, default="yes"),
    Field("ca_file", N_("a file of certificates to trust, where the SMSC's is not of a public authority"), required=False),
    Field("system_type", N_("if the carrier asks for one"), required=False),
    Field("window", N_("how many may wait for their answer at once; ask the carrier"), required=False, default="10"),
    Field("enquire_s", N_("after how many quiet seconds the SMSC is asked whether it is there"), required=False, default="20"),
    Field("alphabet", N_("gsm, or ucs2 where the carrier's default alphabet is another"), required=False, default="gsm"),
    Field("reference_bits", N_("8 or 16: how the parts of a long text are numbered"), required=False, default="8"),
    Field("report_ids", N_("same, hex-decimal (answers in hexadecimal, reports in decimal) or decimal-hex"), required=False, default="same"),
    Field("secret", N_("what our own process signs with; leave it empty and one is made"), secret=True, required=False, made=True),
)  # fmt: skip
capabilities = Capabilities(two_way=True, receipts="network", charset="UCS-2", max_chars=1600, validity=True, road="smpp")
LONGEST_VALIDITY_S = 7 * 86_400
_CHOICES = {
    "tls": ("yes", "no"), "alphabet": ("gsm", "ucs2"), "reference_bits": ("8", "16"), "report_ids": ("same", "hex-decimal", "decimal-hex"),
}  # fmt: skip
_BOUNDS = {"port": (1, 65_535), "window": (1, 1000), "enquire_s": (1, 600)}
_LONGEST = {"system_id": 15, "password": 8, "system_type": 12, "sender": 20}
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}", re.ASCII)
_ADDRESS = re.compile(r"\+?[0-9]{3,20}|[A-Za-z0-9 ._&-]{1,11}", re.ASCII)

# without
read_call, call_reply = without.calls
read_ussd, ussd_reply = without.ussd
own_numbers, list_request, inbound_list_request, read_list = without.lists  # query_sm asks by the carrier's id, which an unknown attempt lacks
redact_request = without.redaction  # how long the carrier keeps a text is for the contract with it
inbound_reply = without.content

# inbound fields
_POSTED: Mapping[str, type] = {
    "id": str, "from": str, "from_ton": int, "to": str, "to_ton": int, "esm_class": int, "data_coding": int, "octets": str,
}  # fmt: skip
_UDHI = 0x40
_RECEIPT_TYPES = (0x04, 0x20)  # a report, and one on the way to the last
_CLASSES_7BIT = (0x00, 0x10, 0x11, 0x12, 0x13, 0xF0, 0xF1, 0xF2, 0xF3)
_INTERNATIONAL, _UNKNOWN, _ALPHANUMERIC = 1, 0, 5

# report table: stat, or the number in message_state
_STATES: Mapping[str, tuple[State | None, Reason | None]] = {
    "ENROUTE": ("sent", None), "ACCEPTD": ("accepted", None), "DELIVRD": ("delivered", None), "EXPIRED": ("expired", None),
    "DELETED": ("cancelled", None), "UNDELIV": ("failed", "unreachable"), "REJECTD": ("failed", "unrecognised"),
    "UNKNOWN": (None, None),
}  # fmt: skip
_NUMBERED = {1: "ENROUTE", 2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 6: "ACCEPTD", 7: "UNKNOWN", 8: "REJECTD"}
_RECEIPT_ID = re.compile(r"\bid:\s*([^\s]+)", re.ASCII | re.IGNORECASE)
_RECEIPT_STAT = re.compile(r"\bstat:\s*([A-Za-z]+)", re.ASCII | re.IGNORECASE)
_RECEIPT_ERR = re.compile(r"\berr:\s*([A-Za-z0-9]+)", re.ASCII | re.IGNORECASE)
# command_status of submit_sm_resp (SMPP 3.4, table 5-2). What is not here was refused all the same: `unrecognised`.
_REASONS: Mapping[int, Reason] = {
    0x01: "bad_text", 0x02: "misconfigured", 0x03: "misconfigured", 0x04: "misconfigured", 0x06: "misconfigured", 0x07: "misconfigured",
    0x08: "server_error", 0x0A: "bad_sender", 0x0B: "bad_number", 0x0D: "bad_credentials", 0x0E: "bad_credentials",
    0x0F: "bad_credentials", 0x14: "queue_full", 0x15: "misconfigured", 0x43: "misconfigured", 0x48: "bad_sender", 0x49: "bad_sender",
    0x50: "bad_number", 0x51: "bad_number", 0x53: "misconfigured", 0x58: "rate_limited", 0x61: "misconfigured", 0x62: "misconfigured",
    0x64: "queue_full", 0xC0: "misconfigured", 0xC1: "misconfigured", 0xC2: "misconfigured", 0xC3: "misconfigured",
    0xC4: "misconfigured", 0xFE: "unreachable", 0xFF: "server_error",
}  # fmt: skip


def check(settings: base.Settings) -> list[str]:
    """See Channel.check."""
    faults = base.check_fields(fields, settings)
    for name, choices in _CHOICES.items():
        if (settings.get(name) or choices[0]) not in choices:
            faults.append(N_("{name} is one of: {choices}").format(name=name, choices=", ".join(choices)))
    for name, (low, high) in _BOUNDS.items():
        value = settings.get(name) or "1"
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            faults.append(N_("{name} is a whole number from {low} to {high}").format(name=name, low=low, high=high))
    for name, most in _LONGEST.items():
        if len(settings.get(name, "")) > most or not settings.get(name, "").isascii():
            faults.append(N_("{name} has at most {most} characters, all plain ones").format(name=name, most=most))
    if not _is_host(settings.get("host", "localhost")):
        faults.append(N_("host is a name such as smsc.example.org, or an address, and nothing else: the port is a setting of its own"))
    if not _ADDRESS.fullmatch(settings.get("sender", "1234")):
        faults.append(N_("sender is a number such as +84901234567, a short code or a name of at most 11 letters"))
    return faults


def _is_host(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return all(_LABEL.fullmatch(label) for label in host.removesuffix(".").split("."))
    return "%" not in host


# verify
def verify(settings: base.Settings, request: base.CallbackRequest) -> bool:
    """See Channel.verify. Only the keeper of our own bind posts here."""
    return base.is_signed(settings, request)


# read
def read_inbound(request: base.CallbackRequest) -> base.Inbound:
    """See Channel.read_inbound. The id is the keeper's own: the same for a text that the SMSC gives again because it missed our answer."""
    posted = _read(request)
    part, octets = _part(posted)
    return base.Inbound(
        carrier_id=posted["id"], sender_phone=_phone(posted["from"], posted["from_ton"]), to_phone=_phone(posted["to"], posted["to_ton"]),
        text=base.well_formed(_decode(octets, posted["data_coding"])), part=part,
    )  # fmt: skip


def read_report(request: base.CallbackRequest) -> base.Report:
    """See Channel.read_report."""
    posted = _read(request)
    said = _decode(_part(posted)[1], 0)
    carrier_id = base.opaque(posted.get("receipted_message_id")) or _found(_RECEIPT_ID, said)
    if carrier_id is None:
        raise base.BadCallback("The callback lacks {missing}: see the protocol.", missing="id")
    numbered = posted.get("message_state")
    stat = (_found(_RECEIPT_STAT, said) or _NUMBERED.get(numbered if isinstance(numbered, int) else 0, "")).upper()[:7]
    state, reason = _STATES.get(stat, (None, None))
    return base.Report(None, _told_id(carrier_id, str(posted.get("report_ids"))), state, _code(stat, _found(_RECEIPT_ERR, said)), reason)


def _read(request: base.CallbackRequest) -> dict[str, Any]:
    posted = base.read_object(request.body)
    missing = [name for name, sort in _POSTED.items() if not isinstance(posted.get(name), sort)]
    if missing or base.opaque(posted["id"]) is None or not re.fullmatch("(?:[0-9a-f]{2})*", posted["octets"]):
        raise base.BadCallback("The callback lacks {missing}: see the protocol.", missing=", ".join(missing) or "a readable id or octets")
    return posted


def _found(pattern: re.Pattern[str], said: str) -> str | None:
    found = pattern.search(said)
    return base.opaque(found[1]) if found else None


def _code(stat: str, err: str | None) -> str | None:
    """What a person who asks the carrier is asked for."""
    return " ".join(filter(None, (stat, err if err and err.strip("0") else None))) or None


def _told_id(told: str, report_ids: str) -> str:
    """The id in a report as the answer to the submit wrote it, in lower case where letters are only a way of writing a number."""
    try:
        if report_ids == "hex-decimal":
            return f"{int(told):x}"
        if report_ids == "decimal-hex":
            return str(int(told, 16))
    except ValueError:
        pass
    return told


def _given_id(given: str, report_ids: str) -> str:
    """The id in an answer, written as `_told_id` writes it."""
    try:
        if report_ids == "hex-decimal":
            return f"{int(given, 16):x}"
        if report_ids == "decimal-hex":
            return str(int(given))
    except ValueError:
        pass
    return given


def _part(posted: Mapping[str, Any]) -> tuple[base.Part | None, bytes]:
    """Which part it is, by its header or by its sar parameters, and the octets behind the header."""
    octets = bytes.fromhex(posted["octets"])
    sar = posted.get("sar")
    if isinstance(sar, list) and len(sar) == 3 and all(type(each) is int for each in sar):
        return _whole_or(f"sar-{sar[0]}", sar[1], sar[2]), octets
    if not posted["esm_class"] & _UDHI or not octets or octets[0] >= len(octets):
        return None, octets
    header, rest = octets[1 : octets[0] + 1], octets[octets[0] + 1 :]
    while len(header) >= 2 and len(header) >= header[1] + 2:
        element, value, header = header[0], header[2 : header[1] + 2], header[header[1] + 2 :]
        if (element, len(value)) in ((0x00, 3), (0x08, 4)):
            return _whole_or(f"udh-{value[:-2].hex()}", value[-1], value[-2]), rest
    return None, rest


def _whole_or(reference: str, number: int, total: int) -> base.Part | None:
    return base.Part(reference, number, total) if total > 1 and 1 <= number <= total else None


def _decode(octets: bytes, data_coding: int) -> str:
    """What the octets say; those that say nothing in their own coding are shown as \\xNN."""
    if data_coding & 0xEC == 0x08:
        return octets.decode("utf-16-be", "surrogatepass" if len(octets) % 2 == 0 else "backslashreplace")
    if data_coding == 0x03:
        return octets.decode("latin-1")
    if data_coding in _CLASSES_7BIT and max(octets, default=0) < 0x80:
        return gsm7.decode(octets)
    return octets.decode("ascii" if data_coding == 0x01 else "utf-8", "backslashreplace")


def _phone(address: str, ton: int) -> str:
    """An address as a phone in E.164 where it is one; short codes, names and numbers of the country stay as they are."""
    digits = address.removeprefix("+")
    if ton == _ALPHANUMERIC or not digits.isdecimal() or not digits.isascii():
        return address
    if digits.startswith("00"):
        return f"+{digits[2:]}"
    is_whole = ton == _INTERNATIONAL or address != digits or (ton == _UNKNOWN and len(digits) >= 10 and digits[0] != "0")
    return f"+{digits}" if is_whole else digits


# request
def hold_request(settings: base.Settings) -> base.WireRequest:
    """See Held.hold_request."""
    told = {name: settings.get(name, "") for name in ("system_id", "password", "system_type", "ca_file", "secret", "callback_url")}
    numbers = {"window": int(settings.get("window") or 10), "enquire_s": int(settings.get("enquire_s") or 20)}
    body = told | numbers | {"report_ids": settings.get("report_ids") or "same"}
    return base.WireRequest("HOLD", _address(settings), {}, json.dumps(body).encode())


def _address(settings: base.Settings) -> str:
    host = f"[{settings['host']}]" if ":" in settings["host"] else settings["host"]
    return f"{'smpp' if settings.get('tls') == 'no' else 'smpps'}://{host}:{settings.get('port') or 2775}"


def send_request(settings: base.Settings, outgoing: base.Outgoing) -> base.WireRequest:
    """See Channel.send_request."""
    encoding = segments.count(outgoing.body).encoding if (settings.get("alphabet") or "gsm") == "gsm" else "UCS-2"
    wide = settings.get("reference_bits") == "16"
    texts = segments.split(outgoing.body, encoding, 7 if wide else 6)
    octets = [gsm7.encode(text) if encoding == "GSM-7" else text.encode("utf-16-be") for text in texts]
    if len(octets) > 1:
        octets = [_header(outgoing.id, number, len(octets), wide) + part for number, part in enumerate(octets, 1)]
    sender, from_ton = _addressed(outgoing.sender or settings["sender"])
    to, to_ton = _addressed(outgoing.to)
    message = {
        "from": sender, "from_ton": from_ton, "to": to, "to_ton": to_ton, "data_coding": 0 if encoding == "GSM-7" else 8,
        "esm_class": _UDHI if len(octets) > 1 else 0, "validity": _validity(outgoing.validity_s), "parts": [part.hex() for part in octets],
    }  # fmt: skip
    return base.WireRequest("SUBMIT", _address(settings), {}, json.dumps(message).encode())


def _header(message_id: UUID, number: int, total: int, wide: bool) -> bytes:
    reference = message_id.bytes[-2:] if wide else message_id.bytes[-1:]
    element = bytes([0x08 if wide else 0x00, len(reference) + 2]) + reference + bytes([total, number])
    return bytes([len(element)]) + element


def _addressed(address: str) -> tuple[str, int]:
    """An address as SMPP writes it, and its type of number."""
    if address.startswith("+"):
        return address[1:], _INTERNATIONAL
    return address, _UNKNOWN if address.isdecimal() else _ALPHANUMERIC


def _validity(seconds: int | None) -> str:
    """A relative time of SMPP: YYMMDDhhmmss000R."""
    if seconds is None:
        return ""
    minutes, rest = divmod(min(seconds, LONGEST_VALIDITY_S), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"0000{days:02}{hours:02}{minutes:02}{rest:02}000R"


# read_answer
def read_answer(reply: base.WireReply) -> base.SendResult:
    """See Channel.read_answer. The keeper gives {"parts": [[command_status, id], ...]}: all that was answered for the parts of one text."""
    parts = base.read_object(reply.body).get("parts")
    if reply.status != 200 or not isinstance(parts, list) or not parts:
        return base.refused("unreadable")
    if not all(isinstance(part, list) and len(part) == 2 and type(part[0]) is int for part in parts):
        return base.refused("unreadable")
    bad = [status for status, _ in parts if status != 0]
    if len(bad) == len(parts):
        return base.refused(_REASONS.get(bad[0], "unrecognised"), f"0x{bad[0]:02X}")
    if bad:  # some of it is on its way: the rest would come without its beginning, or the beginning twice
        return base.SendResult("unknown", None, f"0x{bad[0]:02X}", "server_error")
    carrier_id = base.opaque(parts[-1][1])
    if carrier_id is None:
        return base.refused("unreadable")
    return base.SendResult("accepted", _given_id(carrier_id, reply.headers.get("report_ids", "same")))
