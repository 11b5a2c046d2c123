"""Words that must not leave: refused before the first message, and never changed under a running campaign.

Case 33 of the fault table.
"""

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest

from gateway.content import Content
from gateway.domain import campaigns as rules
from gateway.domain.errors import Refused
from gateway.store import clients
from gateway.store.base import Actor, unit_of_work
from gateway.usecases import launch_campaign, tell_client
from gateway.usecases.preview_campaign import Preview
from tests.builders import CONTENT
from tests.faults.processes import until
from tests.faults.stage import Stage

GOOD = {"vi": "Lich lam viec moi: 8:00-16:30.", "en": "New opening hours: 8:00-16:30.", "fr": "Nouveaux horaires : 8:00-16:30."}
_bosses = count(1)


def boss(stage: Stage) -> Actor:
    staff_id = stage.world.staff(f"+84919994{next(_bosses):03d}", role="supervisor")
    return Actor(staff_id, stage.world.unit_id, "supervisor")


def launch(stage: Stage, purpose: str, content: Content = CONTENT, **changes: Any) -> Preview:
    """A one-off campaign, created and approved. Raises Refused."""
    asked = {"name": f"canary {uuid4()}", "kind": "one_off", "steps": [{"template": purpose}], **changes}
    actor = boss(stage)
    with unit_of_work(stage.engine, actor) as work:
        launch_campaign.create(work, content, rules.read(asked))
    return launch_campaign.approve(stage.engine, stage.vault, content, actor, asked["name"])


def informed(stage: Stage, **people: Any) -> UUID:
    """A client who agreed to everything."""
    return stage.world.client(consent=("reminder", "check_in", "service_information"), **people)


def altered(purpose: str, language: str, **changes: Any) -> Content:
    """The library with one text other than it is on disk; without it if nothing is said. The purpose has a new version then."""
    other = Content.__new__(Content)
    other.__dict__.update(CONTENT.__dict__)
    version = uuid4().hex[:12]
    texts = {key: replace(text, version=version) for key, text in CONTENT.templates.items() if key[0] == purpose}
    text = texts.pop((purpose, language))
    texts |= {(purpose, language): replace(text, **changes)} if changes else {}
    other.templates = {key: text for key, text in CONTENT.templates.items() if key[0] != purpose} | texts
    return other


def nothing_left(stage: Stage) -> bool:
    planned = stage.world.value("SELECT count(*) FROM outbound WHERE unit_id = :u", u=stage.world.unit_id)
    return planned == 0 and stage.accepted() == []


def everybody_told(stage: Stage, number: int) -> None:
    """Wait until so many texts of campaigns have left or say why not."""
    settled = "SELECT count(*) FROM occurrences WHERE unit_id = :u AND state <> 'waiting'"
    until(lambda: stage.world.value(settled, u=stage.world.unit_id) >= number, what="the planning")
    on_its_way = "SELECT count(*) FROM outbound WHERE unit_id = :u AND state IN ('planned', 'submitting')"
    until(lambda: not stage.world.value(on_its_way, u=stage.world.unit_id), what="the leaving of all texts")


@pytest.mark.parametrize(("wrong", "values"), [
    ("a value is missing", {}),
    ("a value is empty", {"info": ""}),
    ("a value is empty in one language", {"info": {"vi": ""}}),
    ("a value is there in another language only", {"info": {"en": GOOD["en"]}}),
    ("a value nobody asked for", {"info": GOOD, "phon": "x"}),
    ("a line break", {"info": "Lich moi\nTu thu hai"}),
    ("a carriage return", {"info": "Lich moi\rTu thu hai"}),
    ("a line separator", {"info": "Lich moi\u2028Tu thu hai"}),
    ("a NUL", {"info": "Lich moi\x00"}),
    ("the name of a drug", {"info": {**GOOD, "vi": "Phat methadone luc 8:00"}}),
    ("the name of a drug without tones", {"info": "Noi dieu tri moi"}),
    ("the name of a drug, its marks apart and something unseen within", {"info": "Nơi đie\u0302\u0300u\u200b trị mới"}),
    ("a place within a value", {"info": "Goi {phone} nhe"}),
    ("a place that nobody knows", {"info": "Chao {first_name}"}),
    ("many words", {"info": "Lich lam viec moi: tu thu hai den thu sau, 8:00-16:30. " * 6}),
])  # fmt: skip
def test_wrong_words_are_refused_before_anything_is_planned(stage: Stage, wrong: str, values: dict[str, Any]) -> None:
    informed(stage)
    with pytest.raises(Refused):
        launch(stage, "service_information", values=values)
    assert nothing_left(stage)


def test_the_same_campaign_with_right_words_leaves(stage: Stage) -> None:
    client = informed(stage)
    assert launch(stage, "service_information", values={"info": GOOD}).recipients == 1
    everybody_told(stage, 1)
    assert GOOD["vi"] in stage.received(stage.world.phone_of(client))[0]


def test_a_name_that_makes_a_text_two_parts_long_is_refused_for_everybody_and_named(stage: Stage) -> None:
    long, short = informed(stage, discreet=0), informed(stage, discreet=0)
    with unit_of_work(stage.engine) as work:
        clients.edit(work, stage.vault, long, {"name": "Canary " + "Wolfeschlegelsteinhausenbergerdorff" * 3})
    code = stage.world.value("SELECT code FROM clients WHERE id = :id", id=long)
    with pytest.raises(Refused, match=rf"segments.*{code}"):
        launch(stage, "check_in")
    assert nothing_left(stage)
    with unit_of_work(stage.engine) as work:
        clients.edit(work, stage.vault, long, {"name": "Canary An"})
    assert launch(stage, "check_in").recipients == 2
    everybody_told(stage, 2)
    assert "Person" in stage.received(stage.world.phone_of(short))[0]


def test_a_name_that_grows_too_long_after_the_approval_leaves_that_one_out_with_its_reason(stage: Stage) -> None:
    client, other = informed(stage, discreet=0), informed(stage, discreet=0)
    with unit_of_work(stage.engine) as work:
        begins_at = work.now + timedelta(seconds=4)
    launch(stage, "check_in", steps=[{"template": "check_in", "not_before": begins_at.isoformat()}])
    with unit_of_work(stage.engine) as work:
        clients.edit(work, stage.vault, client, {"name": "Canary " + "Wolfeschlegelsteinhausenbergerdorff" * 3})
    everybody_told(stage, 2)
    assert (len(stage.received(stage.world.phone_of(other))), stage.received(stage.world.phone_of(client))) == (1, [])
    assert "segments" in stage.world.value("SELECT reason FROM occurrences WHERE client_id = :c AND state = 'skipped'", c=client)


def test_a_language_without_a_text_is_left_out_as_was_chosen_and_nobody_hears_nothing(stage: Stage) -> None:
    french, here = informed(stage, language="fr"), informed(stage)
    seen = launch(stage, "check_in", altered("check_in", "fr"))
    assert (seen.recipients, dict(seen.excluded)) == (1, {"no text in fr; not sent, as the campaign says": 1})
    everybody_told(stage, 2)
    assert (len(stage.received(stage.world.phone_of(here))), stage.received(stage.world.phone_of(french))) == (1, [])
    reason = "SELECT reason FROM occurrences WHERE client_id = :c AND state = 'skipped'"
    assert stage.world.value(reason, c=french) == "no text in fr; not sent, as the campaign says"


def test_a_campaign_all_of_whose_people_lack_a_text_is_refused(stage: Stage) -> None:
    informed(stage, language="fr")
    with pytest.raises(Refused, match="nobody would get it"):
        launch(stage, "check_in", altered("check_in", "fr"))
    assert nothing_left(stage)


def test_a_template_with_a_place_that_nobody_knows_is_refused(stage: Stage) -> None:
    informed(stage)
    with pytest.raises(Refused):
        launch(stage, "check_in", altered("check_in", "vi", body="Canary {nobody_knows_this}"))
    assert nothing_left(stage)


def test_an_edit_while_a_campaign_runs_reaches_nobody_whom_it_was_not_approved_for(stage: Stage) -> None:
    """The clock process reads the library on disk; the campaign was approved with other words, which it keeps."""
    before, after = informed(stage), informed(stage)
    launch(stage, "check_in", altered("check_in", "vi", body="Canary: dao nay ban on khong? Tra loi 1: on, 2: chua."))
    everybody_told(stage, 2)
    for client in (before, after):
        assert stage.received(stage.world.phone_of(client)) == ["Canary: dao nay ban on khong? Tra loi 1: on, 2: chua."]


@pytest.mark.parametrize("words", ["Chao {first_name}, hen gap ban", "Thuoc methadone da co", "Dong mot\nDong hai", "a" * 400, ""])
def test_a_text_by_hand_with_wrong_words_is_refused_too(stage: Stage, words: str) -> None:
    client = informed(stage)
    with unit_of_work(stage.engine) as work:
        told = tell_client.tell(work, stage.vault, CONTENT, client, "manual", {"text": words}, dedupe_key=str(uuid4()),
                                send_before=work.now.replace(year=2099))  # fmt: skip
    assert told
    assert nothing_left(stage)


def test_whatever_was_sent_no_place_was_ever_left_unfilled(stage: Stage) -> None:
    """Of every text that left any house of this run."""
    assert [m.sid for m in stage.carrier.messages if m.direction != "inbound" and "{" in m.body] == []
