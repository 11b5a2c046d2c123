"""A process that says nothing for five minutes is told of by the other, once, and again each half hour."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from gateway.store import health
from gateway.store.base import connect, unit_of_work
from gateway.usecases.second_way import SecondWay
from gateway.usecases.watch import Watch
from gateway.wire.mail import Mailbox
from tests.builders import CONTENT
from tests.secondway import MailServer

MINUTE = timedelta(minutes=1)


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


def watch(engine: Engine, mail: MailServer, silent_after: timedelta = 5 * MINUTE) -> Watch:
    return Watch(engine, CONTENT, SecondWay(Mailbox(mail.url, "g@example.org", ["oncall@example.org"])), "clock", silent_after)


def beat(engine: Engine, now: datetime) -> None:
    with unit_of_work(engine, now=now) as work:
        health.beat(work, "clock", "clock-1")


def test_silence_is_told_once_by_one_of_several_and_again_after_half_an_hour(engine: Engine, now: datetime, mail: MailServer) -> None:
    one, two = watch(engine, mail), watch(engine, mail)
    beat(engine, now)
    said = [(minutes, each.look(now + minutes * MINUTE)) for minutes in range(60) for each in (one, two)]
    assert [minutes for minutes, what in said if what] == [6, 36]
    assert "clock" in mail.mails[0]["Subject"]
    assert len(mail.mails) == 2


def test_a_process_that_came_back_and_fell_silent_again_is_told_of_at_once(engine: Engine, now: datetime, mail: MailServer) -> None:
    looking = watch(engine, mail)
    beat(engine, now)
    assert looking.look(now + 6 * MINUTE) == "clock"
    beat(engine, now + 7 * MINUTE)
    assert looking.look(now + 8 * MINUTE) is None
    assert looking.look(now + 13 * MINUTE) == "clock"


def test_one_that_never_came_is_told_of_five_minutes_after_it_was_missed_first(engine: Engine, now: datetime, mail: MailServer) -> None:
    looking = watch(engine, mail)
    assert looking.look(now) is None
    assert looking.look(now + 6 * MINUTE) == "clock"
    assert health.look(engine)["clock"] is False


def test_what_could_not_be_told_is_told_at_the_next_look(engine: Engine, now: datetime, mail: MailServer) -> None:
    looking = watch(engine, mail)
    beat(engine, now)
    mail.refuse = True
    looking.look(now + 6 * MINUTE)
    mail.refuse = False
    looking.look(now + 6 * MINUTE + timedelta(seconds=10))
    assert len(mail.mails) == 1


def test_a_database_that_is_away_is_told_of_too(mail: MailServer) -> None:
    nowhere = connect("postgresql://nobody@127.0.0.1:9/nothing")
    looking = watch(nowhere, mail, timedelta(0))
    assert looking.look() == "PostgreSQL"
    assert looking.look() is None  # for half an hour
    assert "PostgreSQL" in mail.mails[0]["Subject"]
