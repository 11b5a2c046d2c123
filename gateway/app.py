"""The web side put together: webhooks, the health page, and the simulator where it may be shown."""

from typing import Any

from flask import Flask, Response, jsonify
from werkzeug.middleware.proxy_fix import ProxyFix

from gateway import parts, webhooks
from gateway.bodies import Bodies
from gateway.config import Settings
from gateway.store import health
from gateway.store.base import with_patience
from gateway.usecases.outage import Outage
from gateway.web import metrics, roles, simulator, staff


def create_app(settings: Settings) -> Flask:
    """The WSGI application of one web process."""
    gateway = parts.build(settings, pool_size=settings.web_threads + 1)  # one each, and one for reports
    gateway.content.listen()
    app = Flask("gateway", root_path=str(parts.__file__).removesuffix("parts.py") + "web", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = webhooks.MAX_BODY
    app.url_map.strict_slashes = False
    if settings.proxies:  # the last of these many to touch the header is ours; what was in it before may be anybody's invention
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=0)  # type: ignore[method-assign]
    app.extensions["gateway"] = gateway
    app.extensions["outage"] = outage = parts.outage(gateway)
    app.register_blueprint(webhooks.blueprint(gateway, outage))
    if simulator.may_be_shown(settings):
        app.register_blueprint(simulator.blueprint(gateway))
    app.add_url_rule("/health", "health", lambda: _health(gateway, outage))
    app.add_url_rule("/metrics", "metrics", lambda: metrics.answer(gateway))
    app.after_request(_harden)
    staff.install(app, gateway)
    large = {rule.rule: roles.LARGE[rule.endpoint] for rule in app.url_map.iter_rules() if rule.endpoint in roles.LARGE}
    app.extensions["bodies"] = app.wsgi_app = Bodies(app.wsgi_app, settings.web_threads, webhooks.MAX_BODY, large)  # type: ignore[method-assign]
    return app


def _health(gateway: parts.Gateway, outage: Outage) -> tuple[Response, int]:
    """Whether the database answers and workers and clock are alive; 503 when messages would not go out.

    `spooling`: what comes in is kept on this machine's disk and not yet in the database, as of now.
    """
    state: dict[str, Any] = health.look(with_patience(gateway.engine, parts.PATIENCE_SECONDS))
    state["spooling"] = outage.stands_in or outage.spool.look() or bool(outage.spool.waiting(later=True))
    state["redis"] = gateway.bell.answers()
    return jsonify(state), 200 if state["ok"] else 503


def _harden(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("Cache-Control", "no-store")
    return response
