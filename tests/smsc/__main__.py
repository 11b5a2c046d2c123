"""Run the fake SMSC as a process of its own, until SIGTERM: `python -m tests.smsc PORT`. It keeps nothing of what it takes."""

import asyncio
import signal
import sys
from typing import Any

import smpp34


async def _serve(port: int) -> None:
    server: Any = smpp34.Server(host="127.0.0.1", port=port, system_id="FAKE", inbound_capacity=1000)
    await server.start()
    print("listening", flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    answering = asyncio.create_task(_answer(server))
    await ended.wait()
    answering.cancel()
    await server.stop()


async def _answer(server: Any) -> None:
    number, esmes = 0, []
    while True:
        event = await server.next()
        if isinstance(event, smpp34.SubmitSmEvent):
            number += 1
            event.accept(message_id=str(number))
        elif isinstance(event, smpp34.Esme):
            esmes.append(event)  # one that is dropped is cut


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
