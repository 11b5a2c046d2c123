"""What is found in a quick way is what the plain way finds, for everybody who may look."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import Engine, text

from gateway.domain import campaigns as rules
from gateway.store import appointments, campaigns, clients, flags, occurrences, units
from gateway.store.base import SYSTEM, Actor, Work, unit_of_work
from gateway.store.campaigns import Audience
from gateway.store.clients import Wanted
from gateway.store.occurrences import Size
from gateway.usecases import sweep
from gateway.vault import Vault
from tests import builders
from tests.builders import World

PLAIN_GROUPS = "SELECT DISTINCT unnest(groups) AS name FROM clients WHERE groups <> '{}' ORDER BY 1 LIMIT 200"


@pytest.fixture
def world(engine: Engine, vault: Vault, now: datetime) -> World:
    """A district with two communes, in each three clients of some groups, one of them flagged."""
    made = builders.world(engine, vault, now)
    for code in ("P01-1", "P01-2"):
        below = builders.unit(engine, now, code, made.unit_id, details={"phone": code})
        ids = [made.client(unit_id=below, language=language) for language in ("vi", "vi", "fr")]
        with unit_of_work(engine, SYSTEM, now) as work:
            flags.add(work, unit_id=below, reason="callback", dedupe_key=code, client_id=ids[0])
            for client_id, groups in zip(ids, (["a"], ["b", code], []), strict=True):
                clients.set_groups(work, client_id, groups)
    return made


@pytest.fixture
def lookers(world: World) -> Mapping[str, Actor]:
    """Whoever may look, by name."""
    with unit_of_work(world.engine) as work:
        below = units.by_code(work, "P01-1").id
    roles = {"lead": (world.unit_id, "supervisor"), "worker": (below, "case_worker"), "reviewer": (below, "reviewer")}
    found = {"system": SYSTEM}
    for name, (unit_id, role) in roles.items():
        staff_id = replace(world, unit_id=unit_id).staff("+84900000001", role=role)
        found[name] = Actor(staff_id, unit_id, role)
    return found


def _groups(world: World, who: Actor) -> list[str]:
    with unit_of_work(world.engine, who) as work:
        names = clients.groups(work)
        assert names == [row.name for row in work.all(text(PLAIN_GROUPS))]
    return names


def test_names_of_groups_are_those_of_the_clients_whom_one_may_see(world: World, lookers: Mapping[str, Actor]) -> None:
    assert {name: _groups(world, who) for name, who in lookers.items()} == {
        "system": ["P01-1", "P01-2", "a", "b"], "lead": ["P01-1", "P01-2", "a", "b"], "worker": ["P01-1", "a", "b"], "reviewer": ["a"],
    }  # fmt: skip


def test_names_of_groups_follow_whoever_joins_leaves_or_moves(world: World, lookers: Mapping[str, Actor]) -> None:
    with unit_of_work(world.engine) as work:
        here, there = (units.by_code(work, code).id for code in ("P01-1", "P01-2"))
    alone = world.client(unit_id=there)
    deeds: list[tuple[Callable[[Work], object], list[str]]] = [
        (lambda work: clients.set_groups(work, alone, ["new"]), ["P01-1", "a", "b"]),
        (lambda work: clients.move(work, alone, here), ["P01-1", "a", "b", "new"]),
        (lambda work: clients.set_groups(work, alone, ["a", "other"]), ["P01-1", "a", "b", "other"]),
        (lambda work: clients.set_groups(work, alone, []), ["P01-1", "a", "b"]),
        (lambda work: work.execute(text("UPDATE clients SET groups = '{}' WHERE 'b' = ANY(groups)")), ["a"]),
    ]
    for deed, names in deeds:
        with unit_of_work(world.engine, SYSTEM, world.now) as work:
            deed(work)
        assert {name: _groups(world, who) for name, who in lookers.items()}["worker"] == names


def test_a_name_that_nobody_is_in_any_more_is_forgotten_and_comes_back_with_whoever_joins(world: World, lookers: Mapping[str, Actor]) -> None:
    world.run("UPDATE clients SET groups = '{}' WHERE 'b' = ANY(groups)")
    assert sweep.forget_groups(world.engine) == 4
    assert {row.name for row in world.rows("SELECT name FROM unit_groups")} == {"a"}
    assert sweep.forget_groups(world.engine) == 0
    world.run("UPDATE clients SET groups = '{b}' WHERE groups = '{}' AND language = 'fr'")
    assert _groups(world, lookers["worker"]) == ["a", "b"]


def test_units_seen_know_what_each_of_them_knows_by_itself(world: World, lookers: Mapping[str, Actor]) -> None:
    for who in lookers.values():
        with unit_of_work(world.engine, who) as work:
            seen = units.list_seen(work)
            assert seen == [units.get(work, each.id) for each in seen]
            assert {each.known["phone"] for each in seen} >= {"P01-1"}


def test_clients_of_few_units_are_listed_as_those_of_many_are(world: World, lookers: Mapping[str, Actor]) -> None:
    with unit_of_work(world.engine) as work:
        here = units.by_code(work, "P01-1").id
    many = [Wanted(), Wanted(language="vi"), Wanted(group="b"), Wanted(consent="reminder"), Wanted(status="active", language="fr")]
    for wanted in many:
        with unit_of_work(world.engine) as work:
            all_of = clients.page(work, wanted, 50)
            theirs = {"lead": all_of, "worker": [each for each in all_of if each.unit_id == here]}
        for name, expected in theirs.items():
            with unit_of_work(world.engine, lookers[name]) as work:
                assert clients.page(work, wanted, 50) == expected
                assert clients.page(work, wanted, 50, all_of[0].code) == [each for each in expected if each != all_of[0]]


@pytest.mark.parametrize("audience", [{}, {"groups": ["b"]}, {"languages": ["fr"]}, {"groups": ["nobody"]}])
def test_people_are_drawn_alike_in_both_ways_and_counted_as_planning_would(
    world: World, lookers: Mapping[str, Actor], audience: dict[str, list[str]]
) -> None:
    spec = rules.Spec("Drawn", "one_off", (), rules.Audience())
    for who in lookers.values():
        with unit_of_work(world.engine, who, world.now) as work:
            campaign = campaigns.draft(work, world.unit_id, world.unit_id, spec, Audience([world.unit_id], **audience), "reminder", {})
            size = occurrences.size(work, campaign)
            assert size.people == occurrences.count_people(work, campaign)
            assert size.audience == sum(row.people for row in occurrences.grouped(work, campaign) if row.covered)
            for most in (1, 2, 50):
                few, more = (occurrences.drawn(work, campaign, most, each) for each in (Size(1, 1), Size(10**6, 10**6)))
                assert sorted(map(str, few)) == sorted(map(str, more))
                assert sum(row.people for row in few) == min(most, size.audience)


def test_appointments_that_are_cancelled_are_expected_by_nobody(world: World, lookers: Mapping[str, Actor]) -> None:
    ids = [world.appointment(world.client(), world.now) for _ in range(3)]
    world.run("UPDATE appointments SET status = 'cancelled' WHERE id = :id", id=ids[0])
    ends = world.now.replace(year=world.now.year + 1)
    with unit_of_work(world.engine, lookers["lead"]) as work:
        assert appointments.count_expected(work, world.now, ends) == 2
        assert {each.id for each in appointments.list_between(work, world.now, ends, cancelled=False)} == {*ids[1:]}
        assert {each.id for each in appointments.list_between(work, world.now, ends)} == {*ids}
