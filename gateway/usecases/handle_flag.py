"""What staff do with a flag: take it, give it to a colleague, label it, write on it, put it off, close it.

Each deed holds the flag's row, so that of two people who do the same at once the second sees what the first did. A page
says of which revision its form is: when the flag has changed since, nothing is done and the page shows what is new.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from gateway.domain import cells
from gateway.domain.errors import Refused
from gateway.domain.told import N_, Word
from gateway.store import audit, clients, flags, notes, staff, threads
from gateway.store.base import Work
from gateway.store.flags import Flag
from gateway.usecases import look_at_client
from gateway.vault import Vault

LONGEST_LABEL, LONGEST_NOTE = 30, 4000
SNOOZE_AT_MOST = timedelta(days=7)


class Changed(Refused):
    """The flag is no longer as the page showed it."""


def hold(work: Work, number: int, revision: int | None = None) -> Flag:
    """The flag, which nobody else changes until the transaction ends.

    Raises NotFound; Changed when it is no longer of the revision that a page was made from.
    """
    found = flags.by_number(work, number, held=True)
    if revision is not None and found.revision != revision:
        raise Changed("Flag {number} has changed while this page was open: look what is new, then decide again.", number=number)
    return found


def take(work: Work, number: int) -> Flag:
    """Make the actor its owner. Raises Refused, naming the owner, when a colleague has it."""
    found = hold(work, number)
    if found.owner_id is not None and found.owner_id != work.actor.staff_id and found.state != "closed":
        raise Refused("{owner} has taken flag {number} already.", owner=found.owner_code or Word(N_("somebody above your unit")), number=number)
    if found.owner_id != work.actor.staff_id or found.state == "closed":
        assert work.actor.staff_id is not None
        flags.assign(work, found.id, work.actor.staff_id)
        _note(work, found, "flag.take")
    return found


def assign(work: Work, found: Flag, owner: staff.Member) -> None:
    """Give a held flag to somebody, who must be able to see it. It wakes, if it slept."""
    if not owner.active or owner.role == "analyst":
        raise Refused("{code!r} cannot own a flag: inactive, or an analyst", code=owner.code)
    if owner.id not in {each.id for each in staff.who_see(work, found.unit_id)}:
        raise Refused("{code!r} does not work with people of unit {unit} and could not see the flag", code=owner.code, unit=found.unit_code)
    flags.assign(work, found.id, owner.id)
    _note(work, found, "flag.assign", {"to": owner.code})


def close(work: Work, found: Flag, outcome: str) -> None:
    """Close a held flag with what came of it. Raises Refused for what is no outcome, or when it is closed."""
    flags.close(work, found.id, outcome)
    _note(work, found, "flag.close", {"outcome": outcome})


def label(work: Work, found: Flag, word: str) -> None:
    """Put a word of one's own on a held flag; "" takes it off."""
    word = cells.clean(word)
    if len(word) > LONGEST_LABEL:
        raise Refused("a label has at most {most} characters", most=LONGEST_LABEL)
    flags.set_label(work, found.id, word)
    _note(work, found, "flag.label")


def write(work: Work, vault: Vault, found: Flag, note_id: UUID, body: str) -> None:
    """Write a note on a flag. Sent twice it is one note."""
    if notes.add(work, vault, note_id, checked_note(body), unit_id=found.unit_id, client_id=found.client_id, flag_id=found.id,
                 inbound_id=found.inbound_id):  # fmt: skip
        _note(work, found, "flag.note")


def checked_note(body: str) -> str:
    """The note as it is kept. Raises Refused for none, and for a book."""
    body = body.strip().replace("\r\n", "\n").replace("\0", "")
    if not 0 < len(body) <= LONGEST_NOTE:
        raise Refused("a note has 1 to {most} characters", most=LONGEST_NOTE)
    return body


def snooze(work: Work, found: Flag, until: datetime) -> None:
    """Leave a held flag out of the list until then. Raises Refused for an urgent or closed one, and for a week or more."""
    if found.severity == "urgent":
        raise Refused("an urgent flag cannot be put off: take it, or give it to a colleague")
    if found.state == "closed":
        raise Refused("this flag is closed: nothing was changed")
    if not work.now < until <= work.now + SNOOZE_AT_MOST:
        raise Refused("give an hour that lies ahead, at most {days} days from now", days=SNOOZE_AT_MOST.days)
    flags.snooze(work, found.id, until)
    _note(work, found, "flag.snooze", {"until": until})


def number_to_call(work: Work, vault: Vault, found: Flag) -> str | None:
    """The whole number of whom a flag is about; the look is in the trail. None where there is none, or it cannot be read."""
    reason = f"flag {found.number}"
    _note(work, found, "flag.call")
    if found.client_id is not None:
        phones = look_at_client.reveal(work, vault, clients.get(work, found.client_id), reason).phones
        return phones[0].e164 if phones else None
    return threads.sender(work, vault, found.inbound_id) if found.inbound_id is not None else None


def look(work: Work, number: int) -> Flag:
    """A flag for a person to read; the look is in the trail."""
    found = flags.by_number(work, number)
    audit.add(work, "flag.show", "flag", found.id, found.unit_id, {"number": number}, client_id=found.client_id)
    return found


def answered(work: Work, found: Flag) -> None:
    """Write down that the client was answered by text about a flag."""
    if found.state == "closed":
        raise Refused("this flag is closed: nothing was changed")
    flags.revise(work, found.id)
    _note(work, found, "flag.reply")


def _note(work: Work, found: Flag, action: str, detail: dict[str, Any] | None = None) -> None:
    revision = flags.get(work, found.id).revision
    audit.add(work, action, "flag", found.id, found.unit_id, {"number": found.number, "revision": revision, **(detail or {})},
              client_id=found.client_id)  # fmt: skip

