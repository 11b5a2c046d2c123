"""The world at the start: units, holidays, staff, clients with consents, the channel, and campaigns approved by a person."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine

from gateway.content import Content
from gateway.domain import campaigns as rules
from gateway.domain.phone import Phone
from gateway.domain.windows import Window
from gateway.store import channels, clients, staff, units
from gateway.store.base import SYSTEM, Actor, Work, unit_of_work
from gateway.usecases import launch_campaign, seed_holidays
from gateway.vault import Vault
from tests.year.network import ACCOUNT
from tests.year.town import ENGLAND, Person

ALERT_PHONE = "+84920000001"
NUMBER = "+15005550001"
DETAILS = {"phone": "0238 555 0100", "service": "Ban tu van", "helplines": "115"}
PURPOSES = ("reminder", "check_in", "service_information")
FILES = Path(__file__).parents[2] / "examples" / "campaigns"
COMMUNES_EACH = 11  # clients
TOPIC = "bảo hiểm y tế"


@dataclass(frozen=True, slots=True)
class Province:
    """What was made. `actor` is a supervisor, who sees it all."""

    channel_id: UUID
    actor: Actor
    admin: Actor


def build(engine: Engine, vault: Vault, content: Content, town: Sequence[Person], carrier_url: str, seed: int) -> Province:
    """Make it all, and approve the campaigns."""
    with unit_of_work(engine, SYSTEM) as work:
        top = _unit(work, "SV", "province", None)
        england = _unit(work, "GL", "district", top, time_zone="Europe/London", language="en", region="GB", hours=Window(time(9), time(19)))
        districts = [_unit(work, f"SV-{n:02d}", "district", top) for n in range(1, 22)]
        communes = [_unit(work, f"C{n:04d}", "commune", districts[n % 21]) for n in range(-(-len(town) // COMMUNES_EACH))]
        years = (work.now.year, work.now.year + 1)
        seed_holidays.seed(work, top, "VN", None, years, "vi")
        seed_holidays.seed(work, england, "GB", "ENG", years, "en")
        made = {
            code: staff.add(work, vault, unit_id=top, code=code, name="Canary Staff", role=role, language="en",
                            phone=ALERT_PHONE if role == "supervisor" else None, on_duty=role == "supervisor")
            for code, role in (("boss", "supervisor"), ("admin", "administrator"))
        }  # fmt: skip
        channel_id = channels.add(work, vault, unit_id=top, name="carrier", kind="twilio", settings={
            "account_sid": ACCOUNT, "auth_token": "token", "sender": NUMBER, "base_url": carrier_url})  # fmt: skip
        _people(work, vault, town, communes, england, Random(f"{seed}:register"))
    actor = Actor(made["boss"], top, "supervisor")
    admin = Actor(made["admin"], top, "administrator")
    for spec in _campaigns():
        with unit_of_work(engine, actor) as work:
            launch_campaign.create(work, content, rules.read(spec))
        launch_campaign.approve(engine, vault, content, admin, spec["name"])
    return Province(channel_id, actor, admin)


def _unit(work: Work, code: str, kind: str, parent: UUID | None, **changes: Any) -> UUID:
    fields: dict[str, Any] = {
        "kind": kind, "code": code, "name": f"Canary {code}", "time_zone": "Asia/Ho_Chi_Minh", "language": "vi", "region": "VN",
        "hours": Window(time(8), time(20)), "details": DETAILS, "parent_id": parent,
    }  # fmt: skip
    return units.add(work, **(fields | changes))


def _people(work: Work, vault: Vault, town: Sequence[Person], communes: Sequence[UUID], england: UUID, chance: Random) -> None:
    keys, rows, phones, consents = [], [], [], []
    for person in town:
        unit_id = england if person.zone is ENGLAND else communes[person.number // COMMUNES_EACH % len(communes)]
        groups = (TOPIC,) if chance.random() < 0.5 else ()
        new = clients.New(unit_id, person.code, person.name, [Phone(person.phone, None)], person.language, groups=groups, id=person.id)
        key_id = uuid4()
        key, wrapped = vault.new_key(key_id)
        keys.append({"id": key_id, "unit_id": unit_id, "wrapped": wrapped})
        rows.append(clients.client_row(new, key_id, key, work.now))
        phones += clients.phone_rows(vault, new.id, unit_id, key, new.phones)
        consents += [
            {"client_id": new.id, "unit_id": unit_id, "purpose": purpose, "granted": True, "basis": "signed form", "changed_at": work.now}
            for purpose in PURPOSES
        ]  # fmt: skip
    for table, made in (("keys", keys), ("clients", rows), ("phones", phones), ("consents", consents)):
        work.insert(table, made)


def _campaigns() -> list[Mapping[str, Any]]:
    """Those of the examples: the weekly check-in, reminders, information by topic, and the programme after discharge."""
    names = ("province-weekly-check-in", "province-reminders", "province-topics", "province-after-discharge")
    return [tomllib.loads((FILES / f"{name}.toml").read_text("utf-8")) for name in names]
