"""What the fake carrier posts to us: signed status callbacks and clients' texts."""

import asyncio
from typing import Any

import aiohttp
from twilio.request_validator import RequestValidator
from yarl import URL

from tests.carrier.messages import Message
from tests.carrier.scripts import Script


class Callbacks:
    """Posts callbacks; `posted` keeps what was posted and the status, 0 when there was no answer."""

    def __init__(self, auth_token: str) -> None:
        self.auth_token = auth_token
        self.posted: list[tuple[str, dict[str, str], int]] = []
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def report(self, message: Message, script: Script, statuses: tuple[str, ...]) -> None:
        """Call the statuses back, one after the other, without waiting for it."""
        if message.callback and statuses:
            task = asyncio.get_running_loop().create_task(self.report_all(message, script, statuses))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def report_all(self, message: Message, script: Script, statuses: tuple[str, ...]) -> None:
        """Call the statuses back and wait for the answers."""
        for status in statuses:
            if not script.report_first:
                await asyncio.sleep(script.report_ms / 1000)
            message.report(status, script.report_code)
            form = fields(message) | {"MessageStatus": status, "SmsStatus": status}
            if script.report_code and status in ("failed", "undelivered"):
                form["ErrorCode"] = str(script.report_code)
            await self.post(message.callback, form)

    async def text(self, message: Message, url: str, opt_out: str | None) -> int:
        """Post a client's text to the gateway; the status of the answer."""
        form = fields(message) | {"Body": message.body, "NumMedia": message.media, "NumSegments": "1"}
        return await self.post(url, form | ({"OptOutType": opt_out} if opt_out else {}))

    async def post(self, url: str, form: dict[str, str]) -> int:
        """Sign and post a form; its status, 0 when there was no answer. Twilio waits 15 s."""
        signature = RequestValidator(self.auth_token).compute_signature(url, form)
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(15), auto_decompress=False)
        try:
            headers = {"X-Twilio-Signature": signature}
            address = URL(url, encoded=True)
            async with self._session.post(
                address, data=form, headers=headers, allow_redirects=False
            ) as reply:
                status = reply.status
        except (aiohttp.ClientError, TimeoutError):
            status = 0
        self.posted.append((url, form, status))
        return status

    async def close(self) -> None:
        """Stop calling back."""
        for task in list(self._tasks):
            task.cancel()
        if self._session is not None:
            await self._session.close()


def fields(message: Message) -> dict[str, Any]:
    """What every callback about a text holds."""
    form = {
        "AccountSid": message.account,
        "ApiVersion": "2010-04-01",
        "From": message.sender,
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "To": message.to,
    }
    return form | ({"MessagingServiceSid": message.service} if message.service else {})
