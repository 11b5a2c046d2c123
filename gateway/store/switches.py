"""What can be switched off at once, for everyone."""

from sqlalchemy import text

from gateway.store.base import SYSTEM, Actor, Work

_IS_ON = text("SELECT is_on FROM switches WHERE name = :name")


def is_on(work: Work, name: str) -> bool:
    """Whether it is on; a switch nobody knows is off."""
    return bool(work.value(_IS_ON, name=name))


def turn(work: Work, name: str, on: bool, by: Actor = SYSTEM) -> None:
    """Turn it on or off, from this commit on."""
    work.execute(
        text("UPDATE switches SET is_on = :on, changed_at = :now, changed_by = :by WHERE name = :name"),
        {"name": name, "on": on, "now": work.now, "by": by.staff_id},
    )
