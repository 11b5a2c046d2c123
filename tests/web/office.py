"""The staff pages over a small world: two communes of one province, staff of every role, browsers that are signed in."""

import os
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from gateway import app
from gateway.config import Settings
from gateway.store import credentials, flags, logins, staff
from gateway.store.base import SYSTEM, unit_of_work
from gateway.vault import Vault
from gateway.web.guard import Visit
from tests import builders
from tests.builders import World
from tests.servers import RUN

PASSWORD = "seven quiet herons"


@dataclass(frozen=True, slots=True)
class Browser:
    """Signed in as somebody. A form is posted as the page would: with what binds it to this browser."""

    http: FlaskClient
    token: str
    staff_id: UUID

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.http.get(path, headers=headers)

    def post(self, path: str, **form: Any) -> TestResponse:
        return self.http.post(path, data={"form_token": Visit(self.token, None).form_token, **form})

    def read(self, path: str) -> str:
        """The page's HTML; it must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.location)
        return answer.get_data(as_text=True)

    def press(self, path: str, **form: Any) -> str:
        """The HTML of the page that a deed leads to."""
        answer = self.post(path, **form)
        assert answer.status_code == 303, (path, answer.status_code, answer.get_data(as_text=True))
        return self.read(answer.location)


@dataclass(frozen=True, slots=True)
class Office:
    """The pages and the world behind them. `world.unit_id` is a commune, `other_id` its neighbour, `top_id` the province."""

    app: Flask
    world: World
    top_id: UUID
    other_id: UUID

    def member(self, role: str = "case_worker", *, unit_id: UUID | None = None, language: str = "en", code: str = "") -> UUID:
        """A staff member of the commune, without a password."""
        with unit_of_work(self.world.engine, SYSTEM, self.world.now) as work:
            return staff.add(work, self.world.vault, unit_id=unit_id or self.world.unit_id, code=code or secrets.token_hex(4),
                             name="Canary Staff", role=role, language=language)  # fmt: skip

    def sign_in(self, staff_id: UUID, stage: str = "in") -> Browser:
        """A browser of theirs that is signed in already."""
        token, http = secrets.token_urlsafe(32), self.app.test_client()
        with unit_of_work(self.world.engine, SYSTEM, self.world.now) as work:
            if not self._has_password(staff_id):
                credentials.set_password(work, staff_id, "none fits")
            logins.add(work, token, staff_id, stage, "a test")
        http.set_cookie("visit", token)
        return Browser(http, token, staff_id)

    def _has_password(self, staff_id: UUID) -> bool:
        return bool(self.world.value("SELECT 1 FROM credentials WHERE staff_id = :id", id=staff_id))

    def browser(self, role: str = "case_worker", *, unit_id: UUID | None = None, language: str = "en") -> Browser:
        """Somebody of this role, signed in."""
        return self.sign_in(self.member(role, unit_id=unit_id, language=language))

    def flag(self, client_id: UUID | None = None, reason: str = "callback", unit_id: UUID | None = None) -> int:
        """An open flag; its number."""
        with unit_of_work(self.world.engine, SYSTEM, self.world.now) as work:
            opened = flags.add(work, unit_id=unit_id or self.world.unit_id, reason=reason, dedupe_key=secrets.token_hex(8), client_id=client_id)
        assert opened is not None
        return opened.number

    def at(self, moment: datetime) -> None:
        """Move the pages' clock."""
        self.app.config["NOW"] = moment


def office(engine: Engine, vault: Vault, environ: dict[str, str], now: datetime) -> Office:
    """Nobody works there yet."""
    top = builders.unit(engine, now, code="P", kind="province")
    unit_id = builders.unit(engine, now, code="P01", parent_id=top)
    other_id = builders.unit(engine, now, code="P02", parent_id=top)
    world = World(engine, vault, unit_id, builders.channel(engine, vault, now, top), now)
    made = app.create_app(replace(Settings.from_env(environ), embedded=True))  # as for practice, so that all pages are there
    made.jinja_env.bytecode_cache = FileSystemBytecodeCache(os.environ[RUN])  # each test has an application of its own, and they all have the same pages
    made.config["NOW"] = now
    return Office(made, world, top, other_id)
