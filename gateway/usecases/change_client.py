"""Add and change clients. What was before and what is now goes into the audit trail, under the client's own key."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from gateway.domain import cells, register, register_words
from gateway.domain.errors import Refused
from gateway.domain.routing import UNREACHED, Table
from gateway.domain.told import N_
from gateway.domain.windows import Window
from gateway.store import audit, clients, enrolments, erasure, messages, notes, routes, units, ussd
from gateway.store.base import Actor, Work
from gateway.usecases import change_consent, handle_flag
from gateway.vault import Vault

ACTIONS = {"active": "resume", "paused": "pause", "closed": "close"}
"""What is done to a client who gets this status."""
LONGEST_DATE_NAME = 60


def checked_code(code: str) -> str:
    """The code, tidied. Raises Refused."""
    code = cells.clean(code)
    if not 0 < len(code) <= register.LONGEST_CODE or code.startswith(erasure.PREFIX):
        raise Refused("a code has 1 to {most} characters and does not begin with {prefix}", most=register.LONGEST_CODE, prefix=erasure.PREFIX)
    return code


def checked_name(name: str) -> str:
    """The name, tidied. Raises Refused."""
    name = cells.clean(name)
    if not 0 < len(name) <= register.LONGEST_NAME:
        raise Refused("a name has 1 to {most} characters", most=register.LONGEST_NAME)
    return name


def checked_language(language: str) -> str:
    """The code of a language given by code or name. Raises Refused."""
    found = register_words.LANGUAGES.get(cells.key(language))
    if found is None:
        raise Refused("this language is not known: give its code, such as vi, en or fr")
    return found


def checked_date_name(name: str) -> str:
    """The name of a day that programmes count from, tidied. Raises Refused."""
    name = cells.clean(name)
    if not 0 < len(name) <= LONGEST_DATE_NAME:
        raise Refused("a date's name is a word or two, such as discharge")
    return name


def add(work: Work, vault: Vault, new: clients.New, agreed: Mapping[str, str]) -> clients.Found:
    """Keep a client, and what they agreed to: purpose -> basis. Raises Refused when the code is taken."""
    clients.add(work, vault, new)
    found = clients.get(work, new.id)
    audit.add(work, "client.add", "client", new.id, new.unit_id)
    for purpose, basis in agreed.items():
        change_consent.change(work, vault, found, purpose, True, basis)
    return found


def write_note(work: Work, vault: Vault, found: clients.Found, note_id: UUID, body: str) -> None:
    """Write a note about a client. Sent twice it is one note."""
    if notes.add(work, vault, note_id, handle_flag.checked_note(body), unit_id=found.unit_id, client_id=found.id):
        audit.add(work, "client.note", "client", found.id, found.unit_id)


def set_date(work: Work, vault: Vault, found: clients.Found, name: str, day: date | None) -> None:
    """Keep a day of a client under a name that programmes count from, such as discharge; None forgets it."""
    name = checked_date_name(name)
    before = dict(enrolments.dates(work, found.id)).get(name)
    enrolments.set_date(work, found.id, name, day)
    audit.add(work, "client.date", "client", found.id, found.unit_id, private=audit.private(work, vault, found.id, {name: [before, day]}))


def regroup(work: Work, found: clients.Found, group: str, take_in: bool) -> bool:
    """Take a client into a group, or out of it; False when it was so already."""
    clients.lock(work, [found.id])
    now = [each for each in clients.get(work, found.id).groups if each != group] + ([group] if take_in else [])
    if sorted(now) == sorted(found.groups):
        return False
    clients.set_groups(work, found.id, now)
    audit.add(work, "client.group", "client", found.id, found.unit_id, {"group": group, "in": take_in})
    return True


def edit(work: Work, vault: Vault, found: clients.Found, changes: Mapping[str, Any]) -> None:
    """Write what is in `changes`; see `clients.edit`. With another number, what is planned goes there: somebody else may have the old one."""
    clients.lock(work, [found.id])
    before = _shown(clients.read(work, vault, found.id))
    clients.edit(work, vault, found.id, changes)
    if "phones" in changes:
        follow_phones(work, vault, [found.id])
    after = _shown(clients.read(work, vault, found.id))
    values = {name: [before[name], after[name]] for name in sorted(changes) if before[name] != after[name]}
    audit.add(work, "client.edit", "client", found.id, found.unit_id, {"changed": sorted(changes)},
              private=audit.private(work, vault, found.id, values))  # fmt: skip


def follow_phones(work: Work, vault: Vault, client_ids: Sequence[UUID]) -> None:
    """After numbers of clients changed: what is planned for them goes to those they have now, each text by a channel that carries it.

    What none carries is cancelled, and all of it where a person has to verify the number first. Take the clients' rows first.
    """
    rows = messages.misdirected(work, client_ids)
    people = clients.recipients(work, vault, {row.client_id for row in rows}) if rows else {}
    known = routes.table(work) if rows else Table(())
    for row in rows:
        person = people[row.client_id]
        if person.phone is None or person.to_verify:
            messages.drop(work, [row.id], ["cancelled"], [N_("number to be verified") if person.to_verify else UNREACHED])
            continue
        asked = replace(routes.asked_of(row, vault), phone=person.phone, who=vault.hash_phone(person.phone))
        road = routes.best(known, asked)
        if road is None:
            messages.drop(work, [row.id], ["cancelled"], [routes.why_not(known, asked)])
        else:
            messages.redirect(work, vault, row.id, person.key, person.phone, road.id)


def _shown(record: clients.Record) -> dict[str, Any]:
    """What can be changed of a client, as JSON takes it."""
    found = record.found
    return {
        "name": record.name, "phones": [phone.e164 for phone in record.phones], "fields": dict(record.fields), "hours": _span(record.hours),
        "language": found.language, "time_zone": record.time_zone, "tones": record.tones, "discreet": found.discreet,
        "groups": list(found.groups), "worker_id": found.worker_id, "texts_a_day": record.texts_a_day, "texts_a_week": record.texts_a_week,
    }  # fmt: skip


def _span(hours: Window | None) -> str | None:
    return None if hours is None else f"{hours.opens:%H:%M}-{hours.closes:%H:%M}"


def set_status(work: Work, vault: Vault, found: clients.Found, status: str, reason: str | None) -> None:
    """active, paused (only answers and urgent texts go out) or closed (what is planned is cancelled)."""
    if found.status_reason == "erased":
        raise Refused("this client was erased: there is nobody to text")
    clients.lock(work, [found.id])
    clients.set_status(work, found.id, status, reason)
    if status == "closed":
        clients.cancel_planned(work, found.id, "client closed")
    values = {"status": [found.status, status]} | ({"reason": reason} if reason else {})
    audit.add(work, f"client.{ACTIONS[status]}", "client", found.id, found.unit_id, private=audit.private(work, vault, found.id, values))


def move(work: Work, found: clients.Found, home: units.Unit) -> None:
    """Give a client with all that was said to another unit, whose staff see them from now on."""
    clients.lock(work, [found.id])
    clients.move(work, found.id, home.id)
    audit.add(work, "client.move", "client", found.id, home.id, {"from": found.unit_code, "to": home.code})


def reset_pin(work: Work, found: clients.Found, by: Actor) -> int:
    """Let a client choose a new PIN; how many were forgotten. Runs as the system: only it reaches PINs."""
    count = ussd.reset_pin(work, found.id)
    audit.add(work, "client.pin_reset", "client", found.id, found.unit_id, by=by)
    return count
