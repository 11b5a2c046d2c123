"""The fake carrier on the virtual clock. It posts many callbacks at a time, signed, to the gateway's real webhook over HTTP."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from gateway.channels.base import WireRequest
from gateway.wire import Wire
from tests.carrier import FakeCarrier
from tests.carrier.callbacks import fields
from tests.carrier.messages import Message
from tests.carrier.scripts import Script

AT_ONCE = 64
"""Posts that are open at a time: more than the web process has threads."""
ACCOUNT = "AC" + "0" * 32


@dataclass(frozen=True, slots=True)
class TextIn:
    """A client's text. `sid`: that text once more."""

    phone: str
    words: str
    sid: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What the carrier says of a text, word by word in this order."""

    message: Message
    words: tuple[str, ...]
    code: int | None = None


class Network(FakeCarrier):
    """Twilio's wire format over HTTP. Reports only when told to, so that they come at a moment of the virtual clock."""

    def __init__(self, number: str, now_s: Callable[[], float]) -> None:
        super().__init__(reports=(), now_s=now_s)
        self.number = number
        self._taken = 0
        self._signs = RequestValidator("token")
        self._wire = Wire(max_open=AT_ONCE, connect_s=60, read_s=15)

    def start(self) -> "Network":
        super().start()
        self._wire.start()
        return self

    def stop(self) -> None:
        self._wire.close()
        super().stop()

    def take(self) -> list[Message]:
        """What was accepted since the last look."""
        fresh = self.messages[self._taken :]
        self._taken += len(fresh)
        return [message for message in fresh if message.direction != "inbound"]

    def bring_in(self, texts: Sequence[TextIn]) -> list[tuple[str, int]]:
        """Post clients' texts; the SID of each and the status of the answer, 0 when there was none."""
        messages = [self._written(text) for text in texts]
        statuses = self._post((self.inbound_url, fields(message) | {"Body": message.body, "NumMedia": "0", "NumSegments": "1"})
                              for message in messages)  # fmt: skip
        return [(message.sid, status) for message, status in zip(messages, statuses, strict=True)]

    def _written(self, text: TextIn) -> Message:
        if text.sid is not None:
            return self.carrier.messages.by_sid[text.sid]
        form = {"From": text.phone, "To": self.number, "Body": text.words}
        return self.carrier.messages.add(Message(ACCOUNT, form, "inbound", self.carrier.now_s))

    def report_all(self, reports: Iterable[Report]) -> None:
        """Post reports: the first word of each, then the second."""
        reports = [report for report in reports if report.words]
        while reports:
            posts = []
            for report in reports:
                word, code = report.words[0], report.code
                report.message.report(word, code)
                form = fields(report.message) | {"MessageStatus": word, "SmsStatus": word}
                posts.append((report.message.callback, form | ({"ErrorCode": str(code)} if code and word in ("failed", "undelivered") else {})))
            self._post(posts)
            reports = [Report(report.message, report.words[1:], report.code) for report in reports if report.words[1:]]

    def _post(self, posts: Iterable[tuple[str, Mapping[str, str]]]) -> list[int]:
        """Sign and post forms; the status of each answer, 0 when there was none."""
        asked = list(posts)
        results = self._wire.call_all(self._request(url, form) for url, form in asked)
        statuses = [result.reply.status if result.reply else 0 for result in results]
        self.posted.extend((url, dict(form), status) for (url, form), status in zip(asked, statuses, strict=True))
        return statuses

    def _request(self, url: str, form: Mapping[str, str]) -> WireRequest:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": self._signs.compute_signature(url, form)}
        return WireRequest("POST", url, headers, urlencode(form).encode())

    def behave(self, script: Script, upcoming: Iterable[Script] = ()) -> None:
        """From now on, and before that for so many requests."""
        self.carrier.scripts["create"].default = script
        self.carrier.scripts["create"].next = deque(upcoming)

    def forget(self, before_s: float) -> None:
        """The carrier keeps no text for ever, nor do we keep what was posted."""
        books = self.carrier.messages
        kept = [message for message in books.all if message.created_s >= before_s]
        assert self._taken == len(books.all), "what was accepted was not taken yet"
        books.all[:] = []
        books.by_sid.clear()
        books.by_to.clear()
        for message in kept:
            books.add(message)
        self._taken = len(kept)
        self.posted.clear()
