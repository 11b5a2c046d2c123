from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.routing import Asked, Road, Rule, Table

PROVINCE, COMMUNE, OTHER = (UUID(int=n) for n in (1, 2, 3))
PREFIXES = ("+", "+8", "+84", "+8491", "+44", "+447700")


def road(n: int, **changes: object) -> Road:
    return Road(**({"id": UUID(int=100 + n), "name": f"channel{n}"} | changes))  # type: ignore[arg-type]


def asked(**changes: object) -> Asked:
    fields = {"phone": "+84911000001", "who": b"w" * 32, "unit_id": COMMUNE, "language": "vi", "purpose": "check_in"}
    return Asked(**(fields | changes))  # type: ignore[arg-type]


def everybody(number: int = 400) -> list[Asked]:
    return [asked(who=f"person {n}".encode()) for n in range(number)]


some_prefixes = st.lists(st.sampled_from(PREFIXES), max_size=2).map(tuple)
some_roads = st.lists(
    st.builds(
        dict, prefix=st.sampled_from(PREFIXES), one_way=some_prefixes, off=some_prefixes, is_open=st.booleans(), has_room=st.booleans(),
        weight=st.sampled_from((0, 25, 50, 75, 100)), daily=st.none() | st.integers(1, 5000), prices=st.dictionaries(st.sampled_from(PREFIXES), st.floats(0, 9)),
    ), max_size=5,
).map(lambda all_: [road(n, **fields) for n, fields in enumerate(all_)])  # fmt: skip
some_units = st.none() | st.dictionaries(st.sampled_from((PROVINCE, COMMUNE, OTHER)), st.integers(0, 3), min_size=1)
some_rules = st.lists(
    st.builds(
        Rule, st.integers(100, 105).map(lambda n: UUID(int=n)), some_units, st.none() | st.sampled_from(PREFIXES),
        st.sampled_from((None, "vi", "en")), st.sampled_from((None, "check_in", "manual")),
    ), max_size=6,
)  # fmt: skip
some_texts = st.builds(
    Asked, st.sampled_from(("+84911000001", "+84381000002", "+447700900001", "+33600000000")), st.binary(min_size=32, max_size=32),
    st.sampled_from((PROVINCE, COMMUNE, OTHER)), st.sampled_from(("vi", "en", "fr")), st.sampled_from(("check_in", "manual")), st.booleans(), st.booleans(),
)  # fmt: skip


@given(some_roads, some_rules, some_texts)
def test_a_text_leaves_by_a_channel_that_reaches_its_phone_and_brings_its_answer_back(roads, rules, text) -> None:
    found = Table(roads, rules).choose(text)
    assert found is None or (found.reaches(text.phone) and (not text.answers or found.is_two_way(text.phone)))


@given(some_roads, some_rules, some_texts)
def test_the_same_text_always_leaves_by_the_same_channel(roads, rules, text) -> None:
    assert Table(roads, rules).choose(text) == Table(roads, rules).choose(text)


@given(some_roads, some_rules, some_texts)
def test_a_text_has_no_channel_only_where_none_would_do(roads, rules, text) -> None:
    ruled = {rule.channel_id for rule in rules}
    would_do = [
        each for each in roads if each.reaches(text.phone) and (not text.answers or each.is_two_way(text.phone))
        and (each.id not in ruled or any(rule.channel_id == each.id and rule.fits(text) for rule in rules))
    ]  # fmt: skip
    assert (Table(roads, rules).choose(text) is None) == (not would_do)


@given(some_roads, some_rules, some_texts)
def test_a_text_waits_on_a_closed_channel_only_where_every_one_is_closed_to_it(roads, rules, text) -> None:
    table = Table(roads, rules)
    found = table.choose(text)
    if found is not None and not found.is_open:
        assert not any(each.is_open and each.has_room and not each.off for tier in table.order(text) for each in tier)


@given(some_roads, some_rules, some_texts, st.integers(0, 4))
def test_a_channel_that_loses_weight_moves_nobody_else(roads, rules, text, which) -> None:
    if which < len(roads):
        worse = [each if n != which else road(n, **_fields(each) | {"weight": 0}) for n, each in enumerate(roads)]
        before, after = Table(roads, rules).choose(text), Table(worse, rules).choose(text)
        assert (before and before.id) == (after and after.id) or before.id == roads[which].id  # type: ignore[union-attr]


def _fields(each: Road) -> dict[str, object]:
    names = ("prefix", "prices", "one_way", "off", "is_open", "has_room", "weight", "daily")
    return {name: getattr(each, name) for name in names}


def test_without_rules_the_longest_prefix_comes_first_then_the_price_then_the_name() -> None:
    near, dear, cheap, unpriced = road(1, prefix="+84"), road(2, prices={"+": 9}), road(3, prices={"+": 9, "+84": 2}), road(4)
    assert Table([near, dear, cheap, unpriced]).order(asked()) == [[near], [cheap], [dear], [unpriced]]


def test_a_rule_with_more_conditions_goes_first_then_that_of_the_nearer_unit() -> None:
    roads = [road(n) for n in range(4)]
    rules = [
        Rule(roads[0].id, prefix="+84"), Rule(roads[1].id, {COMMUNE: 1}), Rule(roads[2].id, {COMMUNE: 0}), Rule(roads[3].id, {COMMUNE: 1}, language="vi"),
    ]  # fmt: skip
    assert [tier[0].name for tier in Table(roads, rules).order(asked())] == ["channel3", "channel2", "channel1", "channel0"]


def test_a_channel_with_rules_carries_nothing_else() -> None:
    sim, other = road(1, prefix="+84"), road(2)
    table = Table([sim, other], [Rule(sim.id, {COMMUNE: 0})])
    assert table.choose(asked()) == sim
    assert table.choose(asked(unit_id=OTHER)) == other


def test_sims_of_one_rule_share_by_their_allowance_and_a_person_keeps_their_number() -> None:
    small, large = road(1, daily=100), road(2, daily=300)
    table = Table([small, large], [Rule(small.id, {COMMUNE: 0}), Rule(large.id, {COMMUNE: 0})])
    counts = Counter(table.choose(each) for each in everybody())
    assert 0.15 < counts[small] / 400 < 0.35


def test_a_channel_at_half_weight_keeps_half_of_its_clients_and_gets_the_others_back() -> None:
    well, worse, other = road(1, prefix="+84"), road(1, prefix="+84", weight=50), road(2)
    kept = [each for each in everybody() if Table([worse, other]).choose(each) == worse]
    assert 0.4 < len(kept) / 400 < 0.6
    lower = Table([road(1, prefix="+84", weight=25), other])
    assert {each.who for each in everybody() if lower.choose(each) != other} < {each.who for each in kept}
    assert all(Table([well, other]).choose(each) == well for each in everybody())


def test_a_campaign_leaves_a_full_sim_while_answers_still_go_through_it() -> None:
    full, other = road(1, prefix="+84", has_room=False), road(2)
    table = Table([full, other])
    assert table.choose(asked()) == other
    assert table.choose(asked(bulk=False)) == full


def test_a_country_that_is_off_is_reached_by_another_channel() -> None:
    refused, other = road(1, prefix="+84", off=("+84",)), road(2)
    assert Table([refused, other]).choose(asked()) == other
    assert Table([refused]).choose(asked()) == refused  # it waits there
