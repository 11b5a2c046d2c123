"""A carrier described in TOML: what to ask it, what its answers mean, where in its posts everything stands. See docs/generic-http.md.

Nothing in a description is run. Texts of ours are put into {places} of fixed names, once; a value is found by its name, or by a path
of names and figures through JSON; words and codes are compared whole. No patterns, no conditions, no expressions.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any, get_args
from urllib.parse import urlsplit

from gateway.channels import base
from gateway.channels.base import SENDERS, Capabilities, Reason, State
from gateway.domain.told import N_

LONGEST = 20_000
PLACE = re.compile(r"\{(\w+)\}")
OURS = ("to", "to_digits", "text", "token", "sender", "validity_s", "validity_min", "report_url")
ACCOUNT = ("user", "password", "basic")
# What an answer can mean; the others are for what we find out without one.
REASONS = tuple(reason for reason in get_args(Reason) if reason not in ("not_reached", "no_answer", "unreadable"))
STATES: tuple[str, ...] = get_args(State)

_TEXT, _LIST, _WORDS = N_("text in quotes"), N_("a list of texts"), N_("a table of texts")
_TABLE, _NUMBER = N_("a table"), N_("a whole number")
_FIELDS = N_("a table of texts, numbers, true or false, and of lists and tables of them")
_DEEPEST = 8
_MOST_DOTS = 60
"""In one line: tomllib takes seconds over a name of thousands of steps."""
_KNOWN: Mapping[str, Mapping[str, Any]] = {
    "send": {
        "method": ("POST", "PUT", "GET"), "address": _TEXT, "encoding": ("form", "json", "query"), "headers": _WORDS, "body": _FIELDS,
        "charset": ("UCS-2", "GSM-7"), "longest": _NUMBER,
    },
    "answer": {"format": ("json", "form", "text"), "id": _TEXT, "code": _TEXT, "accepted": _LIST, "reasons": _WORDS, "statuses": _WORDS},
    "inbound": {
        "format": ("form", "json", "query"), "from": _TEXT, "to": _TEXT, "text": _TEXT, "id": _TEXT, "time": _TEXT,
        "numbers": ("as written", "international"),
    },
    "report": {
        "format": ("form", "json", "query"), "id": _TEXT, "token": _TEXT, "state": _TEXT, "code": _TEXT, "states": _WORDS, "reasons": _WORDS,
        "reach": ("handset", "network"),
    },
    "callback": {
        "by": ("key", "header", "hmac"), "header": _TEXT, "hash": ("sha256", "sha512", "sha1"), "written": ("hex", "base64"), "prefix": _TEXT,
        "answer": _TEXT,
    },
}  # fmt: skip
_NEEDED = {"send": ("address", "body"), "answer": ("id",), "inbound": ("from", "text"), "report": ("state", "states"), "callback": ()}
_HEADER = re.compile(r"[A-Za-z0-9_-]{1,60}")
_OF_THE_WIRE = ("host", "content-length", "transfer-encoding", "connection", "content-type")


@dataclass(frozen=True, slots=True)
class Send:
    """One text's request. `encoding` says where the body's fields go: into a form, a JSON object, or the address."""

    method: str
    address: str
    encoding: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What answers mean. `code` "": the HTTP status alone tells."""

    format: str
    id: str
    code: str
    accepted: Sequence[str]
    reasons: Mapping[str, Reason]
    statuses: Mapping[str, Reason]


@dataclass(frozen=True, slots=True)
class Incoming:
    """Where in a post of the carrier's things stand; "" where it does not say them."""

    format: str
    sender: str
    to: str
    text: str
    id: str
    time: str
    is_international: bool


@dataclass(frozen=True, slots=True)
class Reports:
    """The same of a report, and what its words mean."""

    format: str
    id: str
    token: str
    state: str
    code: str
    states: Mapping[str, State]
    reasons: Mapping[str, Reason]


@dataclass(frozen=True, slots=True)
class Callback:
    """By what the carrier's posts are known, and what they are answered."""

    by: str
    header: str
    hash: str
    written: str
    prefix: str
    answer: str


@dataclass(frozen=True, slots=True)
class Description:
    """A whole one; without `inbound` clients cannot answer, without `report` nothing is known of delivery."""

    send: Send
    answer: Answer
    inbound: Incoming | None
    report: Reports | None
    callback: Callback
    capabilities: Capabilities


@lru_cache(maxsize=64)  # read for each post and each batch of texts
def read(written: str) -> tuple[Description | None, tuple[str, ...]]:
    """The description, or None and what is wrong with it in sentences."""
    if len(written) > LONGEST:
        return None, (N_("the description is too long: {count} characters at most").format(count=LONGEST),)
    if any(line.count(".") > _MOST_DOTS for line in written.splitlines()):
        return None, (N_("the description is no TOML: {error}").format(error=""),)
    try:
        tables = tomllib.loads(written)
    except (ValueError, RecursionError) as error:  # a number of thousands of figures, too
        where = str(error) if isinstance(error, tomllib.TOMLDecodeError) else ""
        return None, (N_("the description is no TOML: {error}").format(error=where),)
    # A table of a wrong shape is looked into no further.
    faults = tuple(_shapes(tables)) or tuple(_meanings(tables))
    return (None, faults) if faults else (_build(tables), ())


def _shapes(tables: Mapping[str, Any]) -> Iterator[str]:
    """Tables and names that are missing or not known, and values of a wrong kind."""
    for name in tables:
        if name not in _KNOWN:
            yield N_("[{table}] is not known: a description has {names}").format(table=name, names=", ".join(_KNOWN))
    for table, known in _KNOWN.items():
        told = tables.get(table)
        if told is None:
            if table in ("send", "answer"):
                yield N_("[{table}] is missing").format(table=table)
        elif not isinstance(told, dict):
            yield N_("[{table}] must be {what}").format(table=table, what=_TABLE)
        else:
            yield from _names(table, told, known)


def _names(table: str, told: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[str]:
    for name in _NEEDED[table]:
        if name not in told:
            yield N_("[{table}] {name} is missing").format(table=table, name=name)
    for name, value in told.items():
        if name not in known:
            yield N_("[{table}] {name} is not known: it has {names}").format(table=table, name=name, names=", ".join(known))
        elif isinstance(known[name], tuple):
            if value not in known[name]:
                yield N_("[{table}] {name} is one of: {names}").format(table=table, name=name, names=", ".join(known[name]))
        elif not _is(known[name], value):
            yield N_("[{table}] {name} must be {what}").format(table=table, name=name, what=known[name])


def _is(kind: str, value: object) -> bool:
    if kind == _NUMBER:
        return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 10_000
    if kind == _TEXT:
        return isinstance(value, str)
    if kind == _LIST:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return isinstance(value, dict) and (_is_json(value) if kind == _FIELDS else all(isinstance(each, str) for each in value.values()))


def _is_json(value: object, levels: int = _DEEPEST) -> bool:
    """Whether it can stand in a body: no dates, nothing endless, and not too deep."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inner is not None:
        return levels > 0 and all(_is_json(each, levels - 1) for each in inner)
    return isinstance(value, str | int) or (isinstance(value, float) and isfinite(value))


def _meanings(tables: Mapping[str, Any]) -> Iterator[str]:
    """What cannot work, or would do harm."""
    send, answer, callback = tables["send"], tables["answer"], tables.get("callback", {})
    yield from _sends(send)
    yield from _ones_of("answer", "reasons", answer, REASONS)
    yield from _ones_of("answer", "statuses", answer, REASONS)
    if any(not (status.isdigit() and len(status) == 3 and 300 <= int(status) < 500) or status == "408" for status in answer.get("statuses", {})):
        yield N_("[answer] statuses are those of 300 to 499 but 408: the others do not say that the text did not leave")
    if both := sorted(set(answer.get("accepted", ())) & set(answer.get("reasons", {}))):
        yield N_("[answer] {names} cannot say that the text was taken and that it was refused").format(names=", ".join(both))
    if answer.get("code") and not answer.get("accepted"):
        yield N_("[answer] accepted is missing: which codes say that the text was taken")
    if answer.get("format", "json") != "json" and not answer.get("code"):
        yield N_("[answer] code is missing: of an answer that is no JSON only a code tells that it is the carrier's")
    yield from _ones_of("report", "states", tables.get("report", {}), STATES)
    yield from _ones_of("report", "reasons", tables.get("report", {}), REASONS)
    yield from _callbacks(tables, callback)


def _sends(send: Mapping[str, Any]) -> Iterator[str]:
    url, way = send["address"], (send.get("method", "POST"), send.get("encoding", "form"))
    if (way[0] == "GET") != (way[1] == "query"):
        yield N_("[send] GET goes with the encoding query, POST and PUT with form or json")
    try:
        parts = urlsplit(url)
        host, odd = parts.hostname or "", parts.fragment or parts.username or parts.port == 0 or "{" in parts.netloc or not url.isprintable() or " " in url
    except ValueError:
        host, odd, parts = "", True, urlsplit("")
    if odd or not host or parts.scheme not in ("http", "https"):
        yield N_("[send] address must be https:// and a host")
    elif parts.scheme == "http" and not base.is_near(host):
        yield N_("[send] address leads out of the house without encryption: https:// to everything but a machine in your own network")
    yield from _places("address", [url], ("user",))
    yield from _places("headers", send.get("headers", {}).values(), (*ACCOUNT, "token"))
    yield from _places("body", leaves(send["body"]), (*OURS, *ACCOUNT))
    if bad := [name for name in send.get("headers", {}) if not _HEADER.fullmatch(name) or name.lower() in _OF_THE_WIRE]:
        yield N_("[send] headers cannot have {names}").format(names=", ".join(bad))
    said = set(PLACE.findall(" ".join(leaves(send["body"]))))
    if "text" not in said or not said & {"to", "to_digits"}:
        yield N_("[send] body lacks {text}, or one of {to} and {to_digits}")
    if way[1] != "json" and not all(isinstance(value, str) for value in send["body"].values()):
        yield N_("[send] body must be {what}").format(what=_WORDS)


def _places(name: str, texts: Iterator[str] | Sequence[str] | Any, known: Sequence[str]) -> Iterator[str]:
    for place in sorted({place for text in texts for place in PLACE.findall(text)} - set(known)):
        yield N_("[send] {name} cannot have {place}; it can have {names}").format(
            name=name, place=f"{{{place}}}", names=", ".join(f"{{{each}}}" for each in known)
        )


def leaves(told: Any) -> list[str]:
    """All texts in a table, however deep."""
    if isinstance(told, str):
        return [told]
    inner = told.values() if isinstance(told, dict) else told if isinstance(told, list) else ()
    return [leaf for each in inner for leaf in leaves(each)]


def _ones_of(table: str, name: str, told: Mapping[str, Any], known: Sequence[str]) -> Iterator[str]:
    for value in sorted(set(told.get(name, {}).values()) - set(known)):
        yield N_("[{table}] {name}: {value} is none of {names}").format(table=table, name=name, value=value, names=", ".join(known))


def _callbacks(tables: Mapping[str, Any], callback: Mapping[str, Any]) -> Iterator[str]:
    by, report = callback.get("by", "key"), tables.get("report")
    if by != "key" and not _HEADER.fullmatch(callback.get("header", "")):
        yield N_("[callback] header is missing: the one that bears the secret or the signature")
    if by == "hmac" and any(tables.get(table, {}).get("format") == "query" for table in ("inbound", "report")):
        yield N_("[callback] a signature of the body says nothing of an address: the format query cannot be believed with hmac")
    if report is not None and not report.get("id") and not report.get("token") and (by == "hmac" or not _says_report_url(tables)):
        yield N_("[report] id or token is missing, and {report_url} is not given: no report could be told from another")


def _says_report_url(tables: Mapping[str, Any]) -> bool:
    return any("{report_url}" in leaf for leaf in leaves(tables["send"]["body"]))


def _build(tables: Mapping[str, Any]) -> Description:
    send, answer, callback = tables["send"], tables["answer"], tables.get("callback", {})
    inbound, report = tables.get("inbound"), tables.get("report")
    return Description(
        Send(send.get("method", "POST"), send["address"], send.get("encoding", "form"), send.get("headers", {}), send["body"]),
        Answer(answer.get("format", "json"), answer["id"], answer.get("code", ""), answer.get("accepted", ()), answer.get("reasons", {}),
               answer.get("statuses", {})),
        None if inbound is None else Incoming(
            inbound.get("format", "form"), inbound["from"], inbound.get("to", ""), inbound["text"], inbound.get("id", ""), inbound.get("time", ""),
            inbound.get("numbers") == "international"),
        None if report is None else Reports(
            report.get("format", "form"), report.get("id", ""), report.get("token", ""), report["state"], report.get("code", ""), report["states"],
            report.get("reasons", {})),
        Callback(callback.get("by", "key"), callback.get("header", "").lower(), callback.get("hash", "sha256"), callback.get("written", "hex"),
                 callback.get("prefix", ""), callback.get("answer", "")),
        Capabilities(
            two_way=inbound is not None, receipts="none" if report is None else report.get("reach", "network"), charset=send.get("charset", "UCS-2"),
            max_chars=send.get("longest", 1600), senders=SENDERS, validity=any("{validity" in leaf for leaf in leaves(send["body"])),
        ),
    )  # fmt: skip
