"""`make bench-inbound`: signed Twilio posts, the full turn committed before 2xx, beside bare Flask with one insert."""

import argparse
import socket

import psycopg
from twilio.request_validator import RequestValidator

from bench import ground, load
from bench.ground import Ground
from gateway import embedded

# What people answer, and what nobody understands: each kind of turn has its share.
WORDS = ("1", "2", "co a", "da", "HELP", "xin chao", "may gio mo cua", "goi lai cho em", "cam on", "ok")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def posts(url: str, count: int, people: int) -> list[load.WireRequest]:
    """A different text from each client in turn, signed for `url`."""
    validator = RequestValidator("token")
    forms = (
        {"MessageSid": f"SM{n:032x}", "AccountSid": ground.ACCOUNT, "From": ground.number(n % people), "To": "+15005550006",
         "Body": WORDS[(n + n // people) % len(WORDS)], "NumMedia": "0"}
        for n in range(count)
    )  # fmt: skip
    return [load.twilio_post(url, form, validator) for form in forms]


def gateway(here: Ground, count: int, people: int, port: int) -> tuple[load.Load, float, float]:
    """The web process; what it did, its CPU seconds per 1,000 and its peak memory."""
    settings = {"account_sid": ground.ACCOUNT, "auth_token": "token", "sender": "+15005550006", "base_url": "http://127.0.0.1:9"}
    _, channel_id, _ = ground.people(here, people, settings=settings)
    with ground.process(here, "-m", "gateway", "web", GATEWAY_PORT=str(port), GATEWAY_WEB_WORKERS="2") as web:
        wait_listening(port)
        url = f"http://127.0.0.1:{port}/c/{channel_id}/inbound"
        load.run(posts(url, 200, people), at_once=8)
        before = ground.cpu_seconds(web.pid) + ground.cpu_seconds(here.postgres_pid())
        did = load.run(posts(url, count + 200, people)[200:])
        cpu = ground.cpu_seconds(web.pid) + ground.cpu_seconds(here.postgres_pid()) - before
        kept = ground.value(here, "SELECT count(*) FROM inbound WHERE handled_at IS NOT NULL")
        assert kept == count + 200, f"{kept} kept and decided about"
        return did, cpu / count * 1000, max(ground.peak_mb(pid) for pid in [web.pid, *ground.children(web.pid)])


def bare(here: Ground, count: int, people: int, port: int) -> load.Load:
    """Flask with one insert, on the same server."""
    addresses = embedded.start(here.var)
    with psycopg.connect(addresses.admin_url, autocommit=True) as owner:
        owner.execute("CREATE TABLE bare (sid text PRIMARY KEY, sender text, body text)")
    with ground.process(here, "-m", "bench.bare", str(port), BARE_URL=addresses.admin_url):
        wait_listening(port)
        url = f"http://127.0.0.1:{port}/sms"
        load.run(posts(url, 200, people), at_once=8)
        return load.run(posts(url, count + 200, people)[200:])


def wait_listening(port: int) -> None:
    def there() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    ground.wait_for(there, 30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=5_000)
    given = parser.parse_args()
    port, peer_port = free_port(), free_port()
    with ground.ground(GATEWAY_PUBLIC_URL=f"http://127.0.0.1:{port}") as here:
        did, cpu, megabytes = gateway(here, given.count, given.people, port)
        peer = bare(here, given.count, given.people, peer_port)
    print(
        f"full turn: {did.rate:,.0f}/s, p50 {did.p50_ms:.1f} ms, p99 {did.p99_ms:.1f} ms, {did.failed} failed, "
        f"{cpu:.2f} CPU-s per 1,000 with PostgreSQL; peak {megabytes:.0f} MB\n"
        f"  bare Flask with one insert: {peer.rate:,.0f}/s, p99 {peer.p99_ms:.1f} ms, {peer.failed} failed"
        f" -> {did.rate / peer.rate:.2f} of its rate"
    )


if __name__ == "__main__":
    main()

