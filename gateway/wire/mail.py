"""One e-mail at a time, by SMTP: for alarms, which must not depend on any carrier."""

import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from gateway.domain.errors import GatewayError

TIMEOUT_SECONDS = 10.0


class NotMailed(GatewayError):
    """The server did not take the mail; nothing is known of what it said, which may hold addresses."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where mail is handed in, and between whom. `url`: smtps://, or smtp:// with STARTTLS where the server offers it."""

    url: str = field(repr=False)
    sender: str = field(repr=False)
    to: Sequence[str] = field(repr=False)

    def send(self, message_id: str, subject: str, body: str) -> None:
        """Hand one mail in; the same id twice is the same mail to whoever reads. Raises NotMailed.

        A password goes out under TLS alone.
        """
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.sender, ", ".join(self.to), subject
        mail["Message-ID"], mail["Auto-Submitted"] = f"<{message_id}@{self.sender.rpartition('@')[2]}>", "auto-generated"
        mail.set_content(body)
        try:
            with self._connect() as server:
                server.send_message(mail)
        except (OSError, smtplib.SMTPException) as error:
            raise NotMailed("the mail server did not take it ({error})", error=type(error).__name__) from None

    def _connect(self) -> smtplib.SMTP:
        parts, tls = urlsplit(self.url), ssl.create_default_context()
        host, secure = parts.hostname or "", parts.scheme == "smtps"
        server = (
            smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT_SECONDS, context=tls)
            if secure
            else smtplib.SMTP(host, parts.port or 587, timeout=TIMEOUT_SECONDS)
        )
        if not secure:
            server.ehlo()
            if server.has_extn("starttls") or parts.username:
                server.starttls(context=tls)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        return server
