"""`python -m gateway web`: the web process, one of the Procfile's."""

import os
from functools import partial
from typing import Any

import click
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

from gateway import app, embedded
from gateway.config import Settings

WAITING_REQUESTS = 512
"""Connections held open at a time by each worker. Granian counts idle ones too, and at its end drops those past it."""


@click.command("web")
def serve() -> None:
    """Serve the webhooks and pages until SIGTERM; open requests are answered first."""
    with embedded.running(Settings.from_env(os.environ)) as settings:
        server = Server(
            "gateway.app",
            address=settings.host,
            port=settings.port,
            interface=Interfaces.WSGI,
            workers=settings.web_workers,
            blocking_threads=settings.web_threads,
            backpressure=WAITING_REQUESTS,
            backlog=1024,
            websockets=False,
            log_level=LogLevels.error,
        )
        server.serve(target_loader=partial(_load, settings), wrap_loader=False)


def _load(settings: Settings) -> Any:
    return app.create_app(settings)
