"""Staff and a client do something about the same at the same moment: neither meets a fault of ours."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from flask import Flask

from gateway.channels.base import Inbound
from gateway.queues import silent
from gateway.store import channels
from gateway.store.base import unit_of_work
from gateway.usecases import receive_message
from tests.builders import CONTENT
from tests.faults.interleaving import Lane, play
from tests.servers import Database
from tests.usecases.test_sessions import Talk
from tests.usecases.test_silence import wait
from tests.web.office import Office
from tests.web.test_flags import _revision


@pytest.fixture
def lanes(database: Database, office: Office) -> Iterator[tuple[Lane, Lane]]:
    """One for the pages, whose transactions are taken forward statement by statement, and one for the text."""
    pages, text = Lane("staff", database.url), Lane("text", database.url)
    app: Flask = office.app
    app.extensions["gateway"] = replace(app.extensions["gateway"], engine=pages.engine)
    yield pages, text
    pages.engine.dispose()
    text.engine.dispose()


@pytest.mark.parametrize("begun", [3, 4])  # statements of the page before the text comes; then one waits for the other and the other for it
def test_closing_what_silence_opened_and_the_clients_answer_do_not_undo_each_other(
    office: Office, lanes: tuple[Lane, Lane], database: Database, begun: int
) -> None:
    world, (pages, text) = office.world, lanes
    client = world.client(language="en")
    talk = Talk(world, office.member(), client, world.now)
    talk.start("weekly_check_in")
    wait(talk, 60)
    world.run("""INSERT INTO sessions SELECT (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid(), 'status', 'suspended'))).* FROM sessions s""")
    number = world.value("SELECT number FROM flags WHERE reason = 'no_reply'")
    office.at(talk.now)
    browser = replace(office, world=replace(world, now=talk.now)).browser()
    revision = _revision(browser.read(f"/flags/{number}"))
    with unit_of_work(world.engine) as work:
        channel = channels.get(work, world.vault, world.channel_id)
    statuses = list[int]()

    def close(_engine: object) -> None:
        statuses.append(browser.post(f"/flags/{number}/close", outcome="spoke_to_client", revision=revision).status_code)

    message = Inbound(str(uuid4()), talk.phone, "+84900000000", "1")
    pages.begin(close)
    text.begin(lambda engine: receive_message.receive(engine, world.vault, CONTENT, channel, message, silent, talk.now))
    with psycopg.connect(database.admin_url, autocommit=True) as admin:
        play([pages, text], [0] * begun + [1] * 10 + [0] * 2 + [1] * 60, admin)
    assert (world.value("SELECT state FROM flags WHERE number = :number", number=number), talk.answers()) == ("closed", [("ask", "yes")])
    assert statuses in ([303], [400])  # 400: the client was first, and the page says so
