"""What the deputy said about a text that the database kept in its own way: nothing is said again, and all that left is in the rows."""

from dataclasses import replace
from uuid import UUID

from gateway.store import escalations, messages, staff
from gateway.store import parts as store_parts
from gateway.store.base import Work
from gateway.usecases import adopt, apply_effects, compose, crisis_words, escalate
from gateway.usecases.adopt import Already
from gateway.vault import Vault


def known(work: Work, vault: Vault, inbound_id: UUID, already: Already) -> None:
    """The text was kept, and its 2xx lost, just before PostgreSQL went away: what it led to and has not left counts as what was said."""
    if not already.texts() and already.second is None:
        return
    if already.answer is not None:
        key = f"reply:{inbound_id}:{crisis_words.PURPOSE}"
        adopt.spare(work, messages.id_of(key), already.answer)
        beside = messages.id_of(f"{key}:beside")
        if messages.is_planned(work, beside):
            messages.drop(work, [beside], ["cancelled"], ["answered while the database was away"])
    if (flag_id := escalations.flag_about(work, inbound_id)) is not None:
        _heard(work, vault, inbound_id, flag_id, already)
    rest(work, vault, inbound_id, already)


def _heard(work: Work, vault: Vault, inbound_id: UUID, flag_id: UUID, already: Already) -> None:
    """Steps about the flag that the deputy took are taken."""
    left = {staff_id: list(alerts) for staff_id, alerts in already.alerts.items()}
    for step in escalations.steps_of(work, flag_id):
        if step.way == "second" and step.done_at is None and already.second is not None:
            escalations.done(work, step.id, already.second)
        if step.way != "text" or not left.get(step.staff_id):
            continue
        said = left[step.staff_id].pop(0)
        if step.outbound_id is not None:
            adopt.spare(work, step.outbound_id, said)
        elif step.done_at is None:
            _keep_alert(work, vault, inbound_id, flag_id, step.staff_id, said)
            escalations.done(work, step.id, "texted", messages.id_of(_key(said)))


def rest(work: Work, vault: Vault, inbound_id: UUID, already: Already) -> None:
    """Whatever left and has no attempt yet becomes a text of its own: also what the database said itself, or would not have said."""
    tokens = [said.token for said in already.texts()]
    there = messages.attempted(work, tokens) if tokens else set()
    if already.answer is not None and already.answer.token not in there:
        sender = replace(_sender(work, vault, inbound_id), phone=already.answer.to, language=already.answer.language)
        key = f"reply:{inbound_id}:{crisis_words.PURPOSE}"  # its own where nothing was answered: what is decided later answers no more
        adopt.keep(work, vault, sender, already.answer, dedupe_key=_key(already.answer) if messages.is_known(work, key) else key, inbound_id=inbound_id,
                   send_before=work.now + apply_effects.URGENT_LIVES)  # fmt: skip
    flag_id = escalations.flag_about(work, inbound_id) if already.alerts else None
    for staff_id, alerts in already.alerts.items():
        for said in alerts:
            if said.token not in there:
                _keep_alert(work, vault, inbound_id, flag_id, staff_id, said)


def _keep_alert(work: Work, vault: Vault, inbound_id: UUID, flag_id: UUID | None, staff_id: UUID, said: adopt.Said) -> None:
    one = staff.alerted(work, vault, [staff_id]).get(staff_id)  # None: dismissed meanwhile
    person = escalate.recipient(one) if one is not None else replace(_sender(work, vault, inbound_id), client_id=None)
    adopt.keep(work, vault, person, said, dedupe_key=_key(said), about_id=flag_id, send_before=work.now + apply_effects.URGENT_LIVES)


def _key(said: adopt.Said) -> str:
    return f"away:{said.token}"


def _sender(work: Work, vault: Vault, inbound_id: UUID) -> compose.Recipient:
    row = store_parts.begun(work, vault, inbound_id).row
    return compose.Recipient(row.unit_id, row.key_id, vault.open_key(row.wrapped, row.key_id), "", "", "UTC", row.client_id)
