"""What every process holds: its settings, the database, the keys, the words and the bell. Built once, at its start."""

from dataclasses import dataclass

from sqlalchemy import Engine

from gateway import content, vault
from gateway.config import Settings
from gateway.queues import Bell
from gateway.store import base

STUCK_SECONDS = 30.0


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
