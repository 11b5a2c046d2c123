"""A gateway with the simulator's pages on a real HTTP server, and its world."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from flask import Flask
from sqlalchemy import Engine
from werkzeug.serving import make_server

from gateway import parts, webhooks
from gateway.config import Settings
from gateway.parts import Gateway
from gateway.queues import Bell
from gateway.store.base import unit_of_work
from gateway.vault import Vault
from gateway.web import simulator
from tests import builders
from tests.builders import World


@dataclass(frozen=True, slots=True)
class Simulated:
    """A running gateway; `app` is for Flask's test client."""

    url: str
    app: Flask
    world: World

    def ask(self, what: str, body: Any, **headers: str) -> tuple[int, Any]:
        """Status and JSON that a post over HTTP gets."""
        request = urllib.request.Request(
            f"{self.url}/simulator/{what}", json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read()
                return error.code, json.loads(text) if text.startswith(b"{") else text.decode()

    def message(self, to: str, body: str = "Hello", **changes: Any) -> dict[str, Any]:
        """What our channel hands to the network."""
        callback_url = f"{self.url}/c/{self.world.channel_id}"
        return {"token": str(uuid4()), "to": to, "body": body, "validity_s": 60, "sender": "+84900000000",
                "callback_url": callback_url, **changes}  # fmt: skip

    def carry(self, to: str, body: str = "Hello") -> str:
        """Have the network bring a text to a handset; its id."""
        status, answer = self.ask("carrier/messages", self.message(to, body))
        assert status == 201
        return str(answer["id"])

    def texts(self, phone: str) -> list[dict[str, Any]]:
        """What the handset holds."""
        status, answer = self.ask("texts", {"phone": phone})
        assert status == 200
        return list(answer["texts"])


@contextmanager
def running(engine: Engine, vault: Vault, redis_url: str, web_threads: int = 8) -> Iterator[Simulated]:
    """Serve until the block ends, on the database's own clock."""
    app = Flask("gateway")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    url = f"http://127.0.0.1:{server.port}"
    world = _world(engine, vault, {"secret": "s3cret", "sender": "+84900000000", "base_url": url})
    spool = TemporaryDirectory()
    settings = Settings.from_env({"GATEWAY_PORT": str(server.port), "GATEWAY_WEB_THREADS": str(web_threads), "GATEWAY_SPOOL": spool.name})
    builders.CONTENT.listen()
    gateway = Gateway(settings, engine, vault, builders.CONTENT, Bell(redis_url))
    app.register_blueprint(webhooks.blueprint(gateway, parts.outage(gateway)))
    app.register_blueprint(simulator.blueprint(gateway))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Simulated(url, app, world)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        spool.cleanup()


def _world(engine: Engine, vault: Vault, settings: dict[str, str]) -> World:
    """Open at any hour."""
    with unit_of_work(engine) as work:
        now = work.now
    unit_id = builders.unit(engine, now, hours=None)
    return World(engine, vault, unit_id, builders.channel(engine, vault, now, unit_id, settings=settings), now)


def until(check: Callable[[], Any]) -> Any:
    """What `check` gives as soon as it gives something."""
    for _ in range(3000):
        if found := check():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen within a minute")
