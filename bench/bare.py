"""The peer of bench/inbound.py: Flask, Twilio's signature checked, one insert and a commit. Nothing is decided."""

import os
import sys
from typing import Any

from flask import Flask, request
from granian.constants import Interfaces
from granian.server import Server
from sqlalchemy import create_engine, text
from twilio.request_validator import RequestValidator


def create_app() -> Flask:
    """The application; BARE_URL is the database's."""
    app = Flask("bare")
    engine = create_engine(os.environ["BARE_URL"].replace("postgresql://", "postgresql+psycopg://"), pool_size=8)
    validator = RequestValidator("token")
    insert = text("INSERT INTO bare (sid, sender, body) VALUES (:MessageSid, :From, :Body)")

    @app.post("/sms")
    def sms() -> tuple[str, int]:
        form = request.form.to_dict()
        if not validator.validate(request.url, form, request.headers["X-Twilio-Signature"]):
            return "", 403
        with engine.begin() as connection:
            connection.execute(insert, {name: form[name] for name in ("MessageSid", "From", "Body")})
        return "", 204

    return app


def _load() -> Any:
    return create_app()


if __name__ == "__main__":
    Server("bare", address="127.0.0.1", port=int(sys.argv[1]), interface=Interfaces.WSGI, workers=1, blocking_threads=8).serve(
        target_loader=_load, wrap_loader=False
    )
