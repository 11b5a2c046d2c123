"""Between a bind and its SMSC: TLS, silence, and a cable that is pulled."""

import asyncio
import ssl
import threading
from contextlib import suppress
from typing import Any


class Relay:
    """Passes everything on to a port of this machine, unless it is told to be silent."""

    def __init__(self, to_port: int, tls: ssl.SSLContext | None = None) -> None:
        self._to, self._tls = to_port, tls
        self._loop = asyncio.new_event_loop()
        self._writers: list[asyncio.StreamWriter] = []
        self._silent = False
        self.port = 0
        self.connections = 0

    def __enter__(self) -> "Relay":
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def fall_silent(self) -> None:
        """Nothing passes any more; new connections are taken, and hear nothing."""
        self._silent = True

    def speak(self) -> None:
        """What comes from now on passes."""
        self._silent = False

    def cut(self) -> None:
        """End every connection."""
        self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _begin(self) -> None:
        server = await asyncio.start_server(self._meet, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers += [writer, there[1]]
        await asyncio.gather(self._pass(reader, there[1]), self._pass(there[0], writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: Any) -> None:
        with suppress(OSError):
            while octets := await reader.read(65_536):
                if not self._silent:
                    writer.write(octets)
        writer.close()
