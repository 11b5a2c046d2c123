"""Who works here: added, let in, changed, put on duty, shown out, and let in again. What they leave behind waits for somebody else."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from gateway import log
from gateway.content import Content
from gateway.domain import messages as lanes
from gateway.domain import phone as phones
from gateway.domain.errors import NotAllowed, Refused
from gateway.store import audit, credentials, escalations, flags, staff, units
from gateway.store.base import Actor, Work
from gateway.usecases import compose, escalate, send_text, sign_in
from gateway.vault import Vault

TOLD_WITHIN = timedelta(days=1)
LEAD = ("supervisor", "administrator")


def add(
    work: Work, vault: Vault, home: units.Unit, by: Actor, *, code: str, name: str, role: str, phone: str | None, language: str | None,
    languages: Collection[str],
) -> UUID:  # fmt: skip
    """Keep a staff member of a unit that the actor sees. Runs as the system. Raises Refused."""
    number = phones.parse(phone, home.region).e164 if phone else None
    if language:
        check_language(language, languages)
    staff_id = staff.add(work, vault, unit_id=home.id, code=code, name=name, role=role, language=language or home.language, phone=number)
    audit.add(work, "staff.add", "staff", staff_id, home.id, {"code": code, "role": role}, by=by)
    return staff_id


def check_language(language: str, languages: Collection[str]) -> None:
    """Raises Refused for one that there are no texts in."""
    if language not in languages:
        raise Refused("there are no texts in {language!r}, only in: {languages}", language=language, languages=[*languages])


def set_duty(work: Work, member: staff.Member, on: bool) -> None:
    """On or off duty. Everyone may say so for themselves, supervisors and administrators for their units. Raises NotAllowed, Refused."""
    if member.id != work.actor.staff_id and work.actor.role not in LEAD:
        raise NotAllowed("only a supervisor or administrator puts others on duty")
    if on and (not member.active or member.role == "analyst"):
        raise Refused("an inactive staff member or an analyst is not put on duty")
    staff.set_duty(work, member.id, on)
    audit.add(work, f"staff.duty_{'on' if on else 'off'}", "staff", member.id, member.unit_id, {"code": member.code})


def deactivate(work: Work, vault: Vault, content: Content, member: staff.Member, by: Actor) -> None:
    """Take every right from somebody the actor sees, at once. Runs as the system. Raises Refused for oneself."""
    if member.id == by.staff_id:
        raise Refused("nobody deactivates themselves: another administrator does")
    staff.set_active(work, member.id, False)
    left = _leave(work, vault, content, flags.release(work, member.id))
    audit.add(work, "staff.deactivate", "staff", member.id, member.unit_id, {"code": member.code, "flags": left}, by=by)


def _leave(work: Work, vault: Vault, content: Content, left: Sequence[Any]) -> list[int]:
    """Flags that wait for a person again: of urgent ones people hear anew, as when they were raised. Their numbers."""
    for flag in left:
        if flag.severity == "urgent":
            round = escalations.last_round(work, flag.id) + 1
            escalations.supersede(work, flag.id, round)
            escalate.begin(work, vault, content, flag.unit_id, flag.id, flag.number, round)
    return [flag.number for flag in left]


def edit(
    work: Work, vault: Vault, content: Content, member: staff.Member, by: Actor, *, language: str | None = None, role: str | None = None,
    home: units.Unit | None = None, name: str | None = None, phone: str | None = None,
) -> None:  # fmt: skip
    """Another language, role, unit (one that the actor sees), name or phone, where given; no phone any more: "". Runs as the system.

    With another role or unit they sign in anew. Another phone is told to both numbers. Raises Refused.
    """
    changed: dict[str, str] = {}
    if language and language != member.language:
        check_language(language, content.languages)
        staff.set_language(work, member.id, language)
        changed["language"] = language
    if role and role != member.role:
        if member.id == by.staff_id:
            raise Refused("nobody changes their own role: another administrator does")
        staff.set_role(work, member.id, role)
        if role == "analyst":
            _leave(work, vault, content, flags.release(work, member.id))
        changed["role"] = role
    if home is not None and home.id != member.unit_id:
        if member.id == by.staff_id:
            raise Refused("nobody moves themselves to another unit: another administrator does")
        staff.move(work, member.id, home.id)
        _leave(work, vault, content, flags.release(work, member.id, unseen=True))
        changed["unit"] = home.code
    changed |= _person(work, vault, content, staff.named(work, vault, member.id), name, phone)
    if changed:
        audit.add(work, "staff.edit", "staff", member.id, home.id if home else member.unit_id, changed, by=by)


def _person(work: Work, vault: Vault, content: Content, old: staff.Member, name: str | None, phone: str | None) -> dict[str, str]:
    """Who they are and where alerts reach them; that it changed, as the trail says it: what it was and is stands nowhere in the clear."""
    changed = {}
    if name and name != old.name:
        staff.set_name(work, vault, old.id, name)
        changed["name"] = "changed"
    if phone is None:
        return changed
    number = phones.parse(phone, units.get(work, old.unit_id).region).e164 if phone else None
    if number != old.phone:
        _tell_phone(work, vault, content, old)
        staff.set_phone(work, vault, old.id, number)
        _tell_phone(work, vault, content, old)
        changed["phone"] = "changed" if number else "taken out"
    return changed


def _tell_phone(work: Work, vault: Vault, content: Content, member: staff.Member) -> None:
    """Text the phone that is on file now that it changes; whoever did not expect it hears of it. No carrier: the trail says it alone."""
    person = staff.alerted(work, vault, [member.id]).get(member.id)
    if person is None:
        return
    try:
        with work.attempt():
            send_text.queue(work, vault, content, escalate.recipient(person), "staff_phone_changed", {}, lane=lanes.URGENT,
                            dedupe_key=f"staff_phone:{uuid4()}", send_before=work.now + TOLD_WITHIN)  # fmt: skip
    except (Refused, compose.Unsendable):
        log.warning("staff_phone_untold", staff=member.id)


def reactivate(work: Work, vault: Vault, member: staff.Member, by: Actor) -> str:
    """Let somebody the actor sees in again, by a new invitation, whose code it is. Runs as the system. Raises Refused for one who is active.

    Nothing of before lets them in: no password, second factor or browser.
    """
    if member.active:
        raise Refused("staff member {code!r} is active already", code=member.code)
    credentials.forget(work, member.id)
    staff.set_active(work, member.id, True)
    audit.add(work, "staff.reactivate", "staff", member.id, member.unit_id, {"code": member.code}, by=by)
    return sign_in.invite(work, vault, member.id, member.unit_id, by)


def invite(work: Work, vault: Vault, member: staff.Member, by: Actor, reset_second: bool = False) -> str:
    """The code by which they choose a password. Runs as the system. Raises Refused for somebody who is no longer active."""
    if not member.active:
        raise Refused("staff member {code!r} is no longer active", code=member.code)
    return sign_in.invite(work, vault, member.id, member.unit_id, by, reset_second)
