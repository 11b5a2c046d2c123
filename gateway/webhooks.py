"""Where carriers post: /c/<channel>/inbound, /c/<channel>/call, /c/<channel>/ussd and /c/<channel>/report.

Verified, durable, and only then answered 2xx: in PostgreSQL, or in the spool while it is away.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from gateway import bodies, log
from gateway.channels import registry
from gateway.channels.base import BadCallback, CallbackRequest, Dialled, Inbound, Report, WireReply
from gateway.domain.errors import NotFound
from gateway.parts import PATIENCE_SECONDS, Gateway
from gateway.store import channels
from gateway.store.base import SYSTEM, is_away, unit_of_work, with_patience
from gateway.usecases import answer_ussd, hear_ussd, receive_message, record_reports
from gateway.usecases.crowd import Copies, Crowd, Crowded
from gateway.usecases.group_commit import GroupCommit
from gateway.usecases.outage import Outage

T = TypeVar("T")
MAX_BODY = 256 * 1024
REMEMBER_SECONDS = 5.0


def blueprint(gateway: Gateway, outage: Outage) -> Blueprint:
    """The carriers' routes. What neither PostgreSQL nor the spool can keep is answered 503, so that a carrier that tries again does."""
    routes = Blueprint("webhooks", __name__)
    known, crowd, copies = _Channels(gateway, outage), Crowd(gateway.content), Copies()
    engine, ring = with_patience(gateway.engine, PATIENCE_SECONDS), gateway.bell.ring
    kept = (engine, gateway.vault, gateway.content)
    texts = GroupCommit[tuple[channels.Channel, Inbound]](
        _watched(outage, lambda batch: receive_message.receive_all(*kept, batch, ring)),
        _watched(outage, lambda text: receive_message.receive(*kept, *text, ring)),
    )
    reports = GroupCommit[tuple[UUID, Report]](
        _watched(outage, lambda batch: record_reports.record(engine, batch, wait_s=receive_message.WAIT_SECONDS)),
        _watched(outage, lambda report: record_reports.record(engine, [report])),
    )
    steps = GroupCommit[answer_ussd.Post](
        _watched(outage, lambda batch: answer_ussd.answer_all(*kept, batch, ring)),
        _watched(outage, lambda post: answer_ussd.answer(*kept, post, ring)),
        threads=ThreadPoolExecutor(gateway.settings.web_threads + 1, "ussd"),
    )

    def keep(kind: str, channel: channels.Channel, callback: CallbackRequest, write: Callable[[], None]) -> None:
        """Durable when it returns, in the database or the spool. Raises when it is in neither."""
        try:
            if not outage.stands_in:
                write()
                return
        except Exception as error:
            log.error("webhook_spooled", error, channel=channel.id, said=type(getattr(error, "orig", None)).__name__)
        outage.keep(kind, channel.id, callback)

    def keep_text(kind: str, channel: channels.Channel, callback: CallbackRequest, text: Inbound) -> None:
        """The same for a text or a call; one that is being kept just now is kept once, and raises what that raised."""

        def write() -> None:
            with crowd.one_more(text.sender_phone, text.text):
                keep(kind, channel, callback, lambda: texts.add((channel, text)))

        copies.once((channel.id, text), write, request.environ.get(bodies.LEAVE, lambda: None))

    @routes.route("/c/<uuid:channel_id>/inbound", methods=["GET", "POST"])  # some aggregators know no other way than GET
    def inbound(channel_id: UUID) -> Response:
        channel, callback = known.get(channel_id), _callback(gateway)
        carrier = registry.of(channel.kind, channel.settings)
        if not carrier.verify(channel.settings, callback):
            return _forged(channel_id)
        text = carrier.read_inbound(callback)
        keep_text("inbound", channel, callback, text)
        return _response(carrier.inbound_reply())

    @routes.post("/c/<uuid:channel_id>/call")
    def call(channel_id: UUID) -> Response:
        channel, callback = known.get(channel_id), _callback(gateway)
        carrier = registry.of(channel.kind, channel.settings)
        if not carrier.verify(channel.settings, callback):
            return _forged(channel_id)
        if (called := carrier.read_call(callback)) is None:
            log.info("caller_unknown", channel=channel_id)  # nobody can be called back
        else:
            keep_text("call", channel, callback, called)
        return _response(carrier.call_reply())

    @routes.post("/c/<uuid:channel_id>/ussd")
    def ussd(channel_id: UUID) -> Response:
        callback = _callback(gateway)
        dialled: Dialled | None = None
        try:
            channel = known.get(channel_id)
            carrier = registry.of(channel.kind, channel.settings)
            if not carrier.verify(channel.settings, callback):
                return _forged(channel_id)
            dialled = carrier.read_ussd(callback)
            post = answer_ussd.Post(channel, dialled)
            if outage.stands_in:
                raise Away
            steps.add(post, answer_ussd.LONGEST_SECONDS)
            assert post.screen is not None
            screen = post.screen
        except (NotFound, BadCallback):
            raise
        except Exception as error:
            if dialled is None:
                raise  # which carrier posts is not known: nothing can be shown
            log.error("ussd_failed", error, channel=channel_id, said=type(getattr(error, "orig", None)).__name__)
            if (words := hear_ussd.words(gateway.vault, channel_id, dialled)) is not None:
                with suppress(Exception):  # said in the log; the screen with whom to call is shown all the same
                    outage.keep_words(channel_id, words)
            screen = answer_ussd.not_now(gateway.content, dialled.phone)
        return _response(carrier.ussd_reply(screen.text, screen.goes_on))

    @routes.route("/c/<uuid:channel_id>/report", methods=["GET", "POST"])  # Kannel knows no other way than GET for a report
    def report(channel_id: UUID) -> Response:
        channel, callback = known.get(channel_id), _callback(gateway)
        carrier = registry.of(channel.kind, channel.settings)
        if not carrier.verify(channel.settings, callback):
            return _forged(channel_id)
        said = carrier.read_report(callback)
        keep("report", channel, callback, lambda: reports.add((channel_id, said)))
        return _response(carrier.inbound_reply())

    @routes.errorhandler(NotFound)
    def no_channel(_: NotFound) -> Response:
        return Response("no such channel\n", 404, content_type="text/plain")

    @routes.errorhandler(BadCallback)
    def bad(error: BadCallback) -> Response:
        log.warning("bad_callback", why=str(error))
        return Response("bad request\n", 400, content_type="text/plain")

    @routes.errorhandler(Crowded)
    def crowded(_: Crowded) -> Response:
        log.warning("one_phone_floods")
        return Response("try again\n", 503, {"Retry-After": "5"}, content_type="text/plain")

    @routes.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        if isinstance(error, HTTPException):  # too large, the wrong method: the carrier's own fault
            return Response(f"{error.name}\n", error.code, content_type="text/plain")
        log.error("webhook_refused", error, said=type(getattr(error, "orig", None)).__name__)
        return Response("try again\n", 503, {"Retry-After": "5"}, content_type="text/plain")

    return routes


class Away(Exception):
    """PostgreSQL is away, as others found."""


def _watched(outage: Outage, write: Callable[[T], object]) -> Callable[[T], None]:
    """The same, and the outage hears when PostgreSQL turns out to be away; nobody waits to find that out again."""

    def watched(item: T) -> None:
        if outage.stands_in:
            raise Away
        try:
            write(item)
        except Exception as error:
            if is_away(error):
                outage.noticed()
            raise

    return watched


class _Channels:
    """Channels with their secrets, remembered for a few seconds; while PostgreSQL is away, as they were last known."""

    def __init__(self, gateway: Gateway, outage: Outage) -> None:
        self._engine, self._vault, self._outage = with_patience(gateway.engine, PATIENCE_SECONDS), gateway.vault, outage
        self._known: dict[UUID, tuple[float, channels.Channel]] = {}
        self._lock = threading.Lock()

    def get(self, channel_id: UUID) -> channels.Channel:
        """The channel; NotFound when there is none, or it was disabled."""
        known = self._known.get(channel_id)
        if self._outage.stands_in and (last := known[1] if known is not None else self._outage.channel(channel_id)) is not None:
            return last
        if known is not None and (known[0] > time.monotonic() or not self._lock.acquire(blocking=False)):
            return known[1]  # fresh, or being read again by somebody else just now
        if known is None:
            self._lock.acquire()
        try:
            return self._read(channel_id)
        finally:
            self._lock.release()

    def _read(self, channel_id: UUID) -> channels.Channel:
        known = self._known.get(channel_id)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        if self._outage.stands_in and (kept := self._outage.channel(channel_id)) is not None:
            return kept  # whoever was let in before found PostgreSQL away
        try:
            with unit_of_work(self._engine, SYSTEM) as work:
                channel = channels.get(work, self._vault, channel_id)
        except Exception as error:
            last = known[1] if known is not None else self._outage.channel(channel_id)
            if not is_away(error) or last is None:
                raise
            self._outage.noticed()
            return last
        if channel.state == "disabled":
            self._known.pop(channel_id, None)
            raise NotFound("the channel is disabled")
        self._known[channel_id] = (time.monotonic() + REMEMBER_SECONDS, channel)
        return channel


def _callback(gateway: Gateway) -> CallbackRequest:
    """The request as it came, with the address the carrier signed: our configured one, whatever a proxy's headers say."""
    query = request.query_string.decode("latin-1")
    path = request.environ.get("RAW_URI", "").partition("?")[0] or request.path
    url = f"{gateway.settings.public_url}{path}" + (f"?{query}" if query else "")
    headers = {name.lower(): value for name, value in request.headers}
    return CallbackRequest(url, path, query, headers, request.get_data(cache=False), datetime.now(UTC))


def _forged(channel_id: UUID) -> Response:
    log.warning("bad_signature", channel=channel_id)
    return Response("forbidden\n", 403, content_type="text/plain")


def _response(reply: WireReply) -> Response:
    return Response(reply.body, reply.status, dict(reply.headers))
