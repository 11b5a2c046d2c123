"""`python -m gateway web`: the web process, one of the Procfile's."""

import gc
import os
import signal
from functools import partial
from typing import Any

import click
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from gateway import app, content, embedded, parts
from gateway.config import Settings
from gateway.vault import Vault, parse_keys

WAITING_REQUESTS = 512
"""Connections held open at a time by each worker. Granian counts idle ones too, and at its end drops those past it."""

HEADERS_MS = 10_000
"""How long a connection may take over its headers, and may be idle."""

LONGEST_END_SECONDS = 8


@click.command("web")
def serve() -> None:
    """Serve the webhooks and pages until SIGTERM; open requests are answered first."""
    with embedded.running(Settings.from_env(os.environ)) as settings:
        parts.spool(settings, Vault(parse_keys(settings.master_keys), parse_keys(settings.index_keys)))  # refused here, once
        # Once for all workers, which are forked from here: it takes each half a second and 50 MB else.
        content.load().listen()
        gc.freeze()
        server = Server(
            "gateway.app",
            address=settings.host,
            port=settings.port,
            interface=Interfaces.WSGI,
            workers=settings.web_workers,
            blocking_threads=WAITING_REQUESTS,  # most of them wait for a body; settings.web_threads work (gateway/bodies.py)
            backpressure=WAITING_REQUESTS,
            backlog=1024,
            websockets=False,
            http=HTTPModes.http1,  # what a proxy and the carriers speak; looking for more costs each request
            http1_settings=HTTP1Settings(header_read_timeout=HEADERS_MS),
            workers_kill_timeout=LONGEST_END_SECONDS,
            log_level=LogLevels.error,
        )
        server.serve(target_loader=partial(_load, settings), wrap_loader=False)


def _load(settings: Settings) -> Any:
    # Granian's own handlers come after this; until then the forked worker has its parent's, which would lose the signal.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    made = app.create_app(settings)
    # What every page needs is there for good: looking through it for garbage stops a process for a tenth of a second.
    gc.collect()
    gc.freeze()
    made.extensions["outage"].start()
    made.extensions["bodies"].start(settings.port)
    return made
