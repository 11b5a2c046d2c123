"""A mail server and a receiver of webhooks, for the second way of alerts: both keep what they get, and can be told to refuse."""

import hashlib
import hmac
import json
import socketserver
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class MailServer:
    """Takes mail by SMTP without TLS or password. `refuse`: answers 554 to it."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuse = False
        outer = self

        class Talk(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer.talk(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk)
        self._server.daemon_threads = True
        self.url = f"smtp://127.0.0.1:{self._server.server_address[1]}"

    def talk(self, client: socketserver.StreamRequestHandler) -> None:
        client.wfile.write(b"220 test\r\n")
        while command := client.rfile.readline().strip().upper():
            match command[:4]:
                case b"DATA":
                    client.wfile.write(b"354 go on\r\n")
                    lines = []
                    while (line := client.rfile.readline()) != b".\r\n":
                        lines.append(line)
                    if not self.refuse:
                        self.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))  # type: ignore[arg-type]
                    client.wfile.write(b"554 no\r\n" if self.refuse else b"250 kept\r\n")
                case b"QUIT":
                    client.wfile.write(b"221 bye\r\n")
                    return
                case _:
                    client.wfile.write(b"250 yes\r\n")

    def __enter__(self) -> "MailServer":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class HookServer:
    """Takes signed posts. `status` is what it answers; only those with the right signature are kept in `posts`."""

    def __init__(self, key: str) -> None:
        self.posts: list[dict[str, Any]] = []
        self.forged = 0
        self.status = 204
        outer = self

        class Post(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                signed = self.headers["X-Timestamp"].encode() + b"." + body
                right = hmac.compare_digest(hmac.new(key.encode(), signed, hashlib.sha256).hexdigest(), self.headers["X-Signature"])
                outer.forged += not right
                if right and outer.status < 300:
                    outer.posts.append(json.loads(body))
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Post)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def __enter__(self) -> "HookServer":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
