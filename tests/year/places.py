"""I5: where no name, phone or text may be seen, and only what was said there since the last look."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import redis

from tests.faults.invariants import CANARY
from tests.faults.stage import redis_text
from tests.year import words
from tests.year.ledger import Broken
from tests.year.network import Network

SECRET = re.compile("|".join([CANARY.pattern, r"4477\d{8}", *(re.escape(said) for each in words.CRISIS.values() for said in each)]))

COMPLAINT = re.compile(rb'"level": "(warning|error)".*?"event": "(\w+)"')


class Places:
    """The processes' logs, Redis, and the addresses of ours that the carrier is given and posts to."""

    def __init__(self, folder: Path, client: "redis.Redis", network: Network) -> None:
        self._folder, self._redis, self._network = folder, client, network
        self._read: dict[Path, int] = {}
        self.complaints: Counter[str] = Counter()
        """Warnings and errors in the processes' logs, by event."""

    def look(self) -> None:
        """Raises Broken when something personal is there."""
        no_canary({
            **{path.name: self._fresh(path) for path in sorted(self._folder.glob("*.log"))},
            "Redis": redis_text(self._redis),
            "addresses of ours at the carrier": "\n".join({message.callback for message in self._network.messages}),
            "addresses posted to": "\n".join({url for url, _, _ in self._network.posted}),
        })  # fmt: skip

    def _fresh(self, path: Path) -> str:
        with path.open("rb") as file:
            file.seek(self._read.get(path, 0))
            said = file.read()
        self._read[path] = self._read.get(path, 0) + len(said)
        self.complaints.update(b" ".join(found).decode() for found in COMPLAINT.findall(said))
        return said.decode(errors="replace")


def no_canary(places: Mapping[str, str]) -> None:
    """Raises Broken when something personal is in any of these texts."""
    for place, said in places.items():
        said = unquote(said)
        found = SECRET.search(said)
        if found is not None:
            raise Broken("I5", f"personal data in {place}: {said[max(found.start() - 150, 0) : found.end() + 50]!r}")
