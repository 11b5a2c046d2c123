"""What every process holds: its settings, the database, the keys, the words and the bell. Built once, at its start."""

from dataclasses import dataclass
from functools import cache

from sqlalchemy import Engine

from gateway import content, vault
from gateway.config import Settings
from gateway.queues import Bell
from gateway.spool import Spool
from gateway.store import base
from gateway.usecases.outage import Outage
from gateway.usecases.second_way import Hook, SecondWay
from gateway.usecases.turns import Turns
from gateway.wire import Wire
from gateway.wire.mail import Mailbox

STUCK_SECONDS = 30.0
PATIENCE_SECONDS = 5.0
"""How long what a carrier posted may wait for PostgreSQL before it is spooled: carriers hang up after 15 s."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts, handed down to where they are needed."""

    settings: Settings
    engine: Engine
    vault: vault.Vault
    content: content.Content
    bell: Bell


def build(settings: Settings, pool_size: int = 6) -> Gateway:
    """The parts for these settings. Raises what is wrong with keys or templates; connects to nothing yet."""
    words = content.load()
    _ = words.dialogues, words.menu  # a broken one is refused here
    return Gateway(
        settings=settings,
        engine=base.connect(settings.database_url, pool_size, stuck_s=min(STUCK_SECONDS, settings.lease_seconds)),
        vault=vault.Vault(vault.parse_keys(settings.master_keys), vault.parse_keys(settings.index_keys)),
        content=words,
        bell=Bell(settings.redis_url),
    )


def second_way(settings: Settings) -> SecondWay:
    """The way of alerts that needs no carrier, as far as it is set up. It has a wire of its own, which no carrier can fill."""
    mailbox = Mailbox(settings.mail_server, settings.mail_from[0], settings.mail_to) if settings.mail_server else None
    hook = None
    if settings.hook_url:
        hook = Hook(settings.hook_url, settings.hook_key, Wire(4, read_s=10, public_only=settings.hook_network == "public").start())
    return SecondWay(mailbox, hook)


def spool(settings: Settings, keys: vault.Vault) -> Spool:
    """The folder that stands in for PostgreSQL. Raises Refused when nothing can be written there."""
    made = Spool(settings.spool_folder, keys, settings.spool_megabytes * 2**20)
    made.open()
    return made


def turns(gateway: Gateway) -> Turns:
    """Who answers a cry for help, as far as a send worker has a say. There need be no spool on its machine."""
    return Turns(Spool(gateway.settings.spool_folder, gateway.vault, 0), gateway.vault)


def outage(gateway: Gateway) -> Outage:
    """What a web process holds against PostgreSQL being away. The wire and the second way are made when they are needed."""
    settings = gateway.settings
    wire = cache(lambda: Wire(
        32, connect_s=settings.connect_timeout_seconds, read_s=settings.read_timeout_seconds, private_hosts=settings.private_hosts
    ).start())  # fmt: skip
    return Outage(
        base.with_patience(gateway.engine, PATIENCE_SECONDS), gateway.vault, gateway.content, gateway.bell.ring, spool(settings, gateway.vault),
        cache(lambda: second_way(settings)), wire, settings.public_url,
    )  # fmt: skip
