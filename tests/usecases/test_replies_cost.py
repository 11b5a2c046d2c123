"""Where a reply costs the client money, a text that asks for one says so, and takes no segment more if that can be avoided."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from gateway.domain import segments
from gateway.store import channels, clients
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import compose, send_text, tell_client
from gateway.vault import Vault
from tests.builders import CONTENT, World, world

COSTS = {"en": "costs a", "vi": "tinh cuoc", "fr": "payante"}


@pytest.fixture
def here(engine: Engine, vault: Vault, now: datetime) -> World:
    return world(engine, vault, now)


def sent(here: World, purpose: str, language: str = "en", discreet: int = 1) -> list[str]:
    client = here.client(language=language, discreet=discreet)
    with unit_of_work(here.engine, SYSTEM, here.now) as work:
        person = tell_client.as_recipient(clients.recipients(work, here.vault, [client])[client])
        send_text.queue(work, here.vault, CONTENT, person, purpose, {"starts_at": here.now + timedelta(days=1)}, lane=2,
                        dedupe_key=f"{client}", send_before=here.now + timedelta(hours=1))  # fmt: skip
    return here.bodies("o.client_id = :id", id=client)


def costs(here: World, cost: bool = True) -> None:
    with unit_of_work(here.engine) as work:
        channels.set_replies_cost(work, here.channel_id, cost)


@pytest.mark.parametrize("language", ["en", "vi", "fr"])
def test_only_a_text_that_asks_says_it_and_only_where_it_is_so(here: World, language: str) -> None:
    (free,) = sent(here, "check_in", language)
    costs(here)
    (asks,) = sent(here, "check_in", language)
    (tells,) = sent(here, "appointment_cancelled", language)
    assert COSTS[language] in segments.fold(asks) and segments.fold(asks).startswith(segments.fold(free))
    assert COSTS[language] not in segments.fold(tells) and COSTS[language] not in segments.fold(free)
    assert segments.count(asks).segments == segments.count(free).segments == 1
    costs(here, False)
    assert sent(here, "check_in", language) == [free]


def test_the_ping_before_a_hidden_text_says_it_too(here: World) -> None:
    costs(here)
    ping, _text = sorted(sent(here, "appointment_cancelled", discreet=2), key=lambda body: "costs" not in body)
    assert "costs a" in ping


@given(said=st.text(st.sampled_from("abc đạ{"), min_size=1, max_size=330), tones=st.sampled_from(["never", "saves", "always"]),
       language=st.sampled_from(["en", "vi", "fr"]), most=st.integers(1, 3))  # fmt: skip
def test_it_never_makes_a_text_longer_than_it_may_be(said: str, tones: str, language: str, most: int) -> None:
    plain = segments.count(segments.cheapest(said, tones))  # type: ignore[arg-type]
    with_cost = segments.count(compose.with_cost(CONTENT, language, said, tones, most))
    extra = CONTENT.languages[language].extra_segments if with_cost.encoding == "UCS-2" else 0
    assert with_cost.segments <= max(plain.segments, most + extra)


def test_where_one_segment_more_is_needed_the_short_words_are_said_if_the_text_may_take_it() -> None:
    said = "x" * 155
    assert compose.with_cost(CONTENT, "en", said, "saves", 2) == f"{said} Reply costs a text."
    assert compose.with_cost(CONTENT, "en", said, "saves", 1) == said
    assert compose.with_cost(CONTENT, "en", "x" * 135, "saves", 1) == "x" * 135 + " Reply costs a text."
    assert CONTENT.templates["replies_cost", "en"].body in compose.with_cost(CONTENT, "en", "x" * 100, "saves", 1)
