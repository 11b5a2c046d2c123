"""A campaign's life: checked before it is kept, seen before it goes, stopped when it must not."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from gateway.domain import campaigns as rules
from gateway.domain.errors import NotAllowed, NotFound, Refused
from gateway.queues import silent
from gateway.store import campaigns
from gateway.store.base import SYSTEM, Actor, unit_of_work
from gateway.usecases import launch_campaign, plan_due, preview_campaign, send_due
from gateway.usecases.preview_campaign import Preview
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World

EXAMPLES = Path(__file__).parents[2] / "examples" / "campaigns"
CHECK_IN: Mapping[str, Any] = {"name": "Check-in", "kind": "one_off", "steps": [{"template": "check_in"}]}
INFO: Mapping[str, Any] = {
    "name": "Info", "kind": "one_off", "steps": [{"template": "service_information"}],
    "values": {"info": {"vi": "Tư vấn miễn phí tại xã.", "en": "Free advice in the village."}, "phone": "0238 555 0100"},
}  # fmt: skip


@pytest.fixture
def world(engine: Engine, vault: Vault, now: datetime) -> World:
    return builders.world(engine, vault, now)


@pytest.fixture
def boss(world: World) -> Actor:
    return actor(world, "supervisor")


def actor(world: World, role: str = "case_worker", unit_id: UUID | None = None) -> Actor:
    staff_id = replace(world, unit_id=unit_id or world.unit_id).staff("+84980000001", role=role)
    return Actor(staff_id, unit_id or world.unit_id, role)


def create(world: World, who: Actor, asked: Mapping[str, Any] = CHECK_IN, **changes: Any) -> campaigns.Campaign:
    with unit_of_work(world.engine, who, world.now) as work:
        return launch_campaign.create(work, CONTENT, rules.read({**asked, **changes}))


def look(world: World, who: Actor, name: str = "Check-in") -> Preview:
    with unit_of_work(world.engine, who, world.now) as work:
        return preview_campaign.preview(work, world.vault, CONTENT, campaigns.by_name(work, name), limit=2)


def approve(world: World, who: Actor, name: str = "Check-in", **limits: int) -> Preview:
    return launch_campaign.approve(world.engine, world.vault, CONTENT, who, name, world.now, **limits)


def plan(world: World, at: datetime | None = None) -> None:
    while plan_due.plan_due(world.engine, world.vault, CONTENT, silent, at or world.now):
        pass


def counts(world: World, campaign_id: UUID) -> campaigns.Counts:
    with unit_of_work(world.engine) as work:
        return campaigns.counts(work, campaign_id)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_example_campaigns_are_complete(path: Path) -> None:
    spec = rules.read(tomllib.loads(path.read_text("utf-8")))
    assert rules.Spec.from_dict(spec.to_dict()) == spec
    assert rules.read(rules.written(spec)) == spec
    assert launch_campaign.faults(CONTENT, spec) == []


@pytest.mark.parametrize(("changes", "said"), [
    ({"name": " "}, "name is missing"),
    ({"kind": "weekly"}, "kind must be"),
    ({"steps": []}, "steps are missing"),
    ({"colour": "red"}, "colour is not known"),
    ({"audience": {"units": "A"}}, "must be a list"),
    ({"audience": {"town": ["A"]}}, "audience: town is not known"),
    ({"language": {"missing": "guess"}}, "language: missing must be"),
    ({"language": {"missing": "campaign_default"}}, "needs default"),
    ({"prices": {"84": 1}}, "prices"),
    ({"values": {"info": 3}}, "values: info"),
    ({"steps": [{"template": "check_in"}, {"template": "check_in"}]}, "one step"),
    ({"steps": [{"template": "check_in", "at": "noon"}]}, "17:00"),
    ({"steps": [{"template": "check_in", "lasts": "long"}]}, "lasts"),
    ({"steps": [{"template": "check_in", "not_before": "soon"}]}, "not_before"),
    ({"kind": "reminders"}, "before is missing"),
    ({"kind": "reminders", "steps": [{"template": "appointment_reminder_1d", "before": "soon"}]}, "1d12h"),
])  # fmt: skip
def test_an_incomplete_campaign_is_refused_with_what_is_wrong(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        rules.read({**CHECK_IN, **changes})


@pytest.mark.parametrize(("changes", "said"), [
    ({"steps": [{"template": "nonsense"}]}, "no template 'nonsense'"),
    ({"steps": [{"template": "crisis_answer"}]}, "not a text that a campaign sends"),
    ({"steps": [{"template": "manual"}]}, "not a text that a campaign sends"),
    ({"steps": [{"template": "appointment_reminder_1d"}]}, "kind reminders"),
    ({"values": {"info": "x"}}, r"no place|has a place \{info\}"),
    ({"language": {"missing": "campaign_default", "default": "xx"}}, "no language 'xx'"),
    ({"audience": {"units": ["NOWHERE"]}}, "NOWHERE"),
    ({"audience": {"workers": ["NOBODY"]}}, "NOBODY"),
])  # fmt: skip
def test_nothing_is_kept_of_a_campaign_that_cannot_be_sent(world: World, boss: Actor, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        create(world, boss, **changes)
    assert world.value("SELECT count(*) FROM campaigns") == 0


@pytest.mark.parametrize("info", ["Methadone at the clinic", "two\nlines", "long " * 60])
def test_a_value_may_not_carry_in_what_the_template_may_not_say(world: World, boss: Actor, info: str) -> None:
    with pytest.raises(Refused, match="not fit to be sent") as refused:
        create(world, boss, INFO, values={"info": info})
    assert info.split()[0] not in str(refused.value)


def test_a_name_is_taken_once(world: World, boss: Actor) -> None:
    create(world, boss)
    with pytest.raises(Refused, match="another name"):
        create(world, boss)


def test_a_campaign_reaches_no_further_than_its_makers_units(world: World, now: datetime) -> None:
    below = builders.unit(world.engine, now, "P01-01", world.unit_id)
    elsewhere = builders.unit(world.engine, now, "P02")
    maker = actor(world)
    with pytest.raises(NotFound):
        create(world, maker, audience={"units": ["P02"]})
    create(world, maker)
    for unit_id in (world.unit_id, below, elsewhere):
        world.client(unit_id=unit_id)
    assert look(world, maker).recipients == 2
    with pytest.raises(NotFound):
        look(world, actor(world, unit_id=elsewhere))


def test_a_preview_counts_recipients_and_exclusions_by_reason(world: World, boss: Actor, now: datetime) -> None:
    create(world, boss, audience={"groups": ["a"]})
    ids = [world.client() for _ in range(7)]
    world.run("UPDATE clients SET groups = '{a}' WHERE id <> :id", id=ids[0])
    world.run("UPDATE clients SET status = 'paused' WHERE id = :id", id=ids[1])
    world.run("UPDATE clients SET status = 'closed' WHERE id = :id", id=ids[2])
    world.run("DELETE FROM phones WHERE client_id = :id", id=ids[3])
    world.run("UPDATE phones SET to_verify = 'old prefix' WHERE client_id = :id", id=ids[4])
    world.run("UPDATE consents SET granted = false WHERE client_id = :id", id=ids[5])
    seen = look(world, boss)
    assert (seen.recipients, seen.texts) == (1, 1)
    assert seen.excluded == {
        "outside the audience": 1, "client paused": 1, "client closed": 1, "no phone": 1, "number to be verified": 1,
        "no consent for check_in": 1,
    }  # fmt: skip


def test_a_preview_shows_texts_segments_and_cost_in_each_language(world: World, boss: Actor) -> None:
    create(world, boss, prices={"+84": 450, "+8499": 700, "currency": "VND"})
    world.client(language="vi")
    world.client("+84990000001", language="en", discreet=2)
    seen = look(world, boss)
    assert sorted(seen.samples) == ["en", "vi"]
    assert seen.samples["vi"][0].body == CONTENT.templates["check_in", "vi"].body
    assert {told.purpose for told in seen.samples["en"]} == {"check_in", "message_waiting"}
    assert {prefix: (p.texts, p.cost) for prefix, p in seen.prices.items()} == {"+84": (1, 450.0), "+8499": (2, 1400.0)}


def test_a_look_at_a_large_audience_is_an_estimate_from_some_of_it(world: World, boss: Actor) -> None:
    create(world, boss, audience={"groups": ["a"]}, prices={"+84": 450, "currency": "VND"})
    ids = [world.client() for _ in range(6)]
    world.run("UPDATE clients SET groups = '{a}' WHERE id <> :id", id=ids[0])
    with unit_of_work(world.engine, boss, world.now) as work:
        campaign = campaigns.by_name(work, "Check-in")
        seen = preview_campaign.preview(work, world.vault, CONTENT, campaign, most=3)
        exact, some = (preview_campaign.reach(work, campaign, most) for most in (5, 4))
    assert (seen.is_about, seen.looked_at, seen.of_all) == (True, 3, 6)
    assert (seen.texts, seen.prices["+84"].cost) in ((6, 2700.0), (4, 1800.0))
    assert (exact.people, exact.is_about) == ({None: 5}, False)
    assert (some.people, some.is_about) == ({None: 5}, True)


def test_a_preview_of_reminders_lists_the_steps_that_come_too_late(world: World, boss: Actor, now: datetime) -> None:
    steps = [{"template": "appointment_reminder_7d", "before": "7d"}, {"template": "appointment_reminder_2h", "before": "2h"}]
    create(world, boss, {"name": "Check-in", "kind": "reminders", "steps": steps})
    world.appointment(world.client(), now + timedelta(days=2))
    seen = look(world, boss)
    assert (seen.recipients, seen.texts, seen.skipped) == (1, 1, {"in the past": 1})


def test_nothing_starts_while_one_text_cannot_be_sent(world: World, boss: Actor) -> None:
    create(world, boss, INFO)
    world.client(consent=("service_information",))
    broken = world.client(consent=("service_information",), language="fr")
    with pytest.raises(Refused, match=r"no value for \{info\}") as refused:
        approve(world, boss, "Info")
    assert world.value("SELECT code FROM clients WHERE id = :id", id=broken) in str(refused.value)
    assert world.value("SELECT state FROM campaigns") == "draft"


def test_a_text_for_nobody_does_not_start(world: World, boss: Actor) -> None:
    create(world, boss)
    with pytest.raises(Refused, match="nobody would get it"):
        approve(world, boss)


def test_above_a_number_of_recipients_a_second_person_approves(world: World, boss: Actor) -> None:
    create(world, boss)
    for _ in range(3):
        world.client()
    with pytest.raises(NotAllowed, match="a second person"):
        approve(world, boss, self_approval_up_to=2)
    second = actor(world, "supervisor")
    approve(world, second, self_approval_up_to=2)
    assert world.value("SELECT approved_by FROM campaigns") == second.staff_id


def test_a_campaign_starts_once(world: World, boss: Actor) -> None:
    create(world, boss)
    world.client()
    approve(world, boss)
    with pytest.raises(Refused, match="is running, not draft"):
        approve(world, boss)


def test_every_language_is_pinned_at_the_start(world: World, boss: Actor) -> None:
    create(world, boss)
    world.client()
    approve(world, boss)
    pinned = {(row.purpose, row.language) for row in world.rows("SELECT purpose, language FROM templates")}
    assert pinned == {key for key in CONTENT.templates if key[0] in ("check_in", "message_waiting")}


def test_a_paused_campaign_plans_and_sends_nothing_until_it_is_resumed(world: World, boss: Actor, now: datetime) -> None:
    create(world, boss)
    world.client()
    approve(world, boss)
    with unit_of_work(world.engine, boss, now) as work:
        launch_campaign.pause(work, "Check-in", "wrong group")
    plan(world)
    assert world.value("SELECT count(*) FROM outbound") == 0
    with unit_of_work(world.engine, boss, now) as work:
        launch_campaign.resume(work, "Check-in")
    plan(world)
    assert world.value("SELECT state FROM outbound") == "planned"


def test_a_reminder_booked_during_a_pause_is_there_after_it(world: World, boss: Actor, now: datetime) -> None:
    create(world, boss, {"name": "R", "kind": "reminders", "steps": [{"template": "appointment_reminder_1d", "before": "1d"}]})
    approve(world, boss, "R")
    with unit_of_work(world.engine, boss, now) as work:
        launch_campaign.pause(work, "R", "")
    world.appointment(world.client(), now + timedelta(days=2))
    plan(world)
    with unit_of_work(world.engine, boss, now) as work:
        launch_campaign.resume(work, "R")
    plan(world, now + timedelta(days=1))
    assert world.value("SELECT count(*) FROM outbound") == 1


def test_cancelling_stops_what_has_not_left_and_says_how_many_went(world: World, boss: Actor, now: datetime) -> None:
    made = create(world, boss)
    for _ in range(5):
        world.client()
    approve(world, boss)
    plan(world)
    sent = send_due.claim(world.engine, world.vault, world.channel_id, 2, now)
    world.run("UPDATE outbound SET state = 'accepted' WHERE id = :id", id=sent.sends[0].message_id)
    seen = launch_campaign.cancel(world.engine, boss, "Check-in", "wrong text", now).by_state
    assert (seen["accepted"], seen["pending"], seen["cancelled"]) == (1, 1, 3)
    assert send_due.claim(world.engine, world.vault, world.channel_id, 5, now).sends == []
    assert counts(world, made.id).planned == 5


def test_what_a_cancellation_left_behind_is_cancelled_by_the_clock(world: World, boss: Actor, now: datetime) -> None:
    made = create(world, boss)
    world.client()
    approve(world, boss)
    plan(world)
    with unit_of_work(world.engine, SYSTEM, now) as work:
        campaigns.set_state(work, made.id, "cancelled")
        campaigns.set_to_do(work, made.id, {"cancel": True})
    plan(world)
    assert counts(world, made.id).reasons == {("cancelled", "campaign cancelled"): 1}
    assert world.value("SELECT spec ? 'to_do' FROM campaigns") is False


def test_a_cancelled_draft_can_no_longer_start(world: World, boss: Actor, now: datetime) -> None:
    create(world, boss)
    launch_campaign.cancel(world.engine, boss, "Check-in", "", now)
    with pytest.raises(Refused, match="is cancelled, not draft"):
        approve(world, boss)


def test_a_status_accounts_for_every_planned_text(world: World, boss: Actor, now: datetime) -> None:
    made = create(world, boss)
    for _ in range(8):
        world.client()
    world.client(discreet=2)
    world.client(consent=())
    approve(world, boss)
    plan(world)
    ids = [row.id for row in world.rows("SELECT id FROM outbound WHERE waits_for IS NULL AND purpose = 'check_in' ORDER BY id")]
    for message_id, state in zip(ids, ("delivered", "sent", "failed", "expired", "suppressed", "cancelled", "unknown"), strict=False):
        world.run("UPDATE outbound SET state = :state WHERE id = :id", id=message_id, state=state)
    seen = counts(world, made.id)
    assert seen.by_state == {"accepted": 2, "failed": 1, "expired": 1, "suppressed": 2, "cancelled": 1, "unknown": 1, "pending": 2}
    assert seen.planned == sum(seen.by_state.values()) == 10


def test_staff_of_another_unit_can_neither_see_nor_stop_it(world: World, boss: Actor, now: datetime) -> None:
    create(world, boss)
    stranger = actor(world, "supervisor", builders.unit(world.engine, now, "P02"))
    for call in (approve, lambda w, who: launch_campaign.cancel(w.engine, who, "Check-in", "", now)):
        with pytest.raises(NotFound):
            call(world, stranger)


def test_every_deed_is_in_the_audit_trail(world: World, boss: Actor, now: datetime) -> None:
    create(world, boss)
    world.client()
    approve(world, boss)
    launch_campaign.cancel(world.engine, boss, "Check-in", "", now)
    rows = world.rows("SELECT action, staff_id FROM audit WHERE subject = 'campaign' ORDER BY id")
    assert [(row.action, row.staff_id) for row in rows] == [
        (f"campaign.{deed}", boss.staff_id) for deed in ("create", "approve", "cancel")]  # fmt: skip
