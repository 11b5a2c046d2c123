"""How the fake carrier behaves: a Script says it for one request, MODES names the usual ones."""

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Script:
    """What happens to one request, and to the reports that follow it.

    answer   json | html | empty | wrong_json | no_sid
    end      answer | close (without a byte) | hang | trickle (a byte each 50 ms)
    reports  statuses called back in this order, `report_ms` apart; `report_first`: before the answer
    """

    status: int = 201
    accept: bool = True
    code: int | None = None
    retry_after: int | None = None
    answer: str = "json"
    end: str = "answer"
    only_reused: bool = False  # a fresh connection is served well
    delay_ms: int | None = None
    reports: tuple[str, ...] | None = None
    report_ms: int = 20
    report_code: int | None = None
    report_first: bool = False


MODES: dict[str, Script] = {
    "ok": Script(),
    "429": Script(status=429, accept=False, code=20429),
    "500": Script(status=500, accept=False, code=20500),
    "503": Script(status=503, accept=False, code=20503),
    "accept_500": Script(status=500, code=20500),
    "accept_503": Script(status=503, code=20503),
    "close": Script(accept=False, end="close"),
    "accept_close": Script(end="close"),
    "close_reused": Script(end="close", only_reused=True),
    "hang": Script(accept=False, end="hang"),
    "accept_hang": Script(end="hang"),
    "trickle": Script(end="trickle"),
    "html": Script(answer="html"),
    "empty": Script(answer="empty"),
    "wrong_json": Script(answer="wrong_json"),
    "no_sid": Script(answer="no_sid"),
    "error": Script(status=400, accept=False, code=21211),
    "report_first": Script(report_first=True),
    "reports_reversed": Script(reports=("delivered", "sent", "queued")),
    "reports_twice": Script(reports=("sent", "sent", "delivered", "delivered")),
    "reports_late": Script(report_ms=3000),
    "undelivered": Script(reports=("sent", "undelivered"), report_code=30003),
}


def make(mode: str, **changes: Any) -> Script:
    """A named mode with changes: make("error", code=21610)."""
    if "reports" in changes:
        changes["reports"] = tuple(changes["reports"])
    return replace(MODES[mode], **changes)


@dataclass(slots=True)
class Scripts:
    """Which script a request follows: its recipient's, else one for the next requests, else the default."""

    default: Script = field(default_factory=Script)
    next: deque[Script] = field(default_factory=deque)
    by_recipient: dict[str, Script] = field(default_factory=dict)

    def choose(self, to: str) -> Script:
        """The script for one request, taken off if it was for the next ones only."""
        if to in self.by_recipient:
            return self.by_recipient[to]
        return self.next.popleft() if self.next else self.default
