"""A way to PostgreSQL on which the answer to a commit can get lost: the commit holds, and whoever made it never hears so."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import parse_qs, urlsplit


class Wayside:
    """Passes on what is said, both ways. `url` leads through it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        folder = parse_qs(parts.query)["host"][0]
        port = parse_qs(parts.query).get("port", ["5432"])[0]
        self._behind = f"{folder}/.s.PGSQL.{port}"
        self._listener = socket.create_server(("127.0.0.1", 0))
        here = "{}:{}".format(*self._listener.getsockname())
        self.url = f"postgresql://{parts.netloc.partition('@')[0]}@{here}{parts.path}"
        self.lose_after: bytes | None = None
        """The answer to the next commit of a transaction that said this is lost, with its connection."""
        self.lost = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._behind)
                _Line(self, client, server)


class _Line:
    def __init__(self, way: Wayside, client: socket.socket, server: socket.socket) -> None:
        self._way, self._client, self._server = way, client, server
        self._marked = self._losing = False
        threading.Thread(target=self._there, daemon=True).start()
        threading.Thread(target=self._back, daemon=True).start()

    def _there(self) -> None:
        with suppress(OSError):
            while said := self._client.recv(1 << 16):
                word = self._way.lose_after
                self._marked |= word is not None and word in said
                if self._marked and b"COMMIT" in said:
                    self._losing, self._way.lose_after = True, None
                self._server.sendall(said)
        self._hang_up()

    def _back(self) -> None:
        with suppress(OSError):
            while said := self._server.recv(1 << 16):
                if self._losing:  # it is committed by now
                    self._way.lost += 1
                    break
                self._client.sendall(said)
        self._hang_up()

    def _hang_up(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def wayside(url: str) -> Iterator[Wayside]:
    """A way to the database at `url` until the block ends."""
    way = Wayside(url)
    try:
        yield way
    finally:
        way.close()
