"""A cry for help is answered once, by a send worker or by the deputy of a web process: whoever claims it on the machine's disk first.

The database alone cannot tell them apart. It may have kept a text whose 2xx was lost with it, which then waits in the spool too; and one
process may still reach it while another does not. So either writes its name into the spool's folder before the answer leaves.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from gateway import log
from gateway.spool import WORKER, Spool
from gateway.store import inbound, messages
from gateway.store.base import Work
from gateway.usecases import adopt
from gateway.vault import Vault

WAIT_SECONDS = 60.0
LOOK_AGAIN = timedelta(seconds=2)


class Turns:
    """A send worker's side of it. What the deputy has claimed waits until the spool is emptied, as long as somebody is to empty it.

    When nobody is, for `wait_s`, it leaves all the same: rather twice than never. Without a spool on this machine there is no deputy.
    """

    def __init__(self, spool: Spool, vault: Vault, wait_s: float = WAIT_SECONDS) -> None:
        self._spool, self._vault, self._wait_s = spool, vault, wait_s
        self._mine: dict[UUID, list[UUID]] = {}  # claimed and on their way: the names of what they answer
        self._waits: dict[UUID, float] = {}  # since when the deputy is waited for in vain

    def take(self, work: Work, answers: Sequence[UUID]) -> set[UUID]:
        """Claim these locked answers to cries for help; those that the deputy has, and that are put off."""
        if not answers or not self._spool.is_there():
            return set()
        theirs = {answer for answer, names in self._names(work, answers).items() if not self._claim(answer, names)}
        if theirs:
            try:
                messages.hold(work, list(theirs), [work.now + LOOK_AGAIN] * len(theirs), ["answered while the database was away"] * len(theirs))
            except Exception:  # the database is gone: so are these, and the deputy may have to answer
                self.give_back(set(answers) - theirs)
                raise
        return theirs

    def _names(self, work: Work, answers: Sequence[UUID]) -> dict[UUID, list[UUID]]:
        names = defaultdict(list)
        for row in inbound.answered(work, answers):
            names[row.answer_id].append(
                adopt.about(self._vault, row.channel_id, row.carrier_id, bytes(row.from_hash), bytes(row.body_hash))
            )
        return names

    def _claim(self, answer: UUID, names: list[UUID]) -> bool:
        try:
            if self._spool.claim(names, WORKER):
                self._waits.pop(answer, None)
                self._mine[answer] = names
                return True
        except OSError as error:  # a full disk: the deputy can write no journal then, and says nothing
            log.error("answer_not_claimed", error, message=answer)
            return True
        since = self._waits.setdefault(answer, time.monotonic())
        if self._spool.is_held():
            self._waits[answer] = time.monotonic()
        elif time.monotonic() - since >= self._wait_s:
            log.warning("deputy_gone", message=answer)
            return True
        return False

    def ended(self, answer: UUID, may_have_left: Callable[[], bool]) -> None:
        """The carrier took it, or may have; or it surely did not, and whoever is next may."""
        names = self._mine.pop(answer, [])
        if names and may_have_left():
            with suppress(OSError):  # a full disk: the deputy can write no journal then, and says nothing
                self._spool.given(names)
        elif names:  # but what the same answer by another channel still needs
            others = {name for each in list(self._mine.values()) for name in each}
            self._spool.unclaim([name for name in names if name not in others], WORKER)

    def give_back(self, answers: Iterable[UUID]) -> None:
        """Nothing of these has left."""
        for answer in answers:
            self.ended(answer, lambda: False)
