"""Run the fake carrier as a process of its own, until SIGTERM."""

import argparse
import json
import os
import resource
import signal

from tests.carrier import REPORTS, FakeCarrier


def main() -> None:
    """Print the address as one JSON line, then serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m tests.carrier", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--auth-token", default="token")
    parser.add_argument("--inbound-url", default="")
    parser.add_argument("--no-reports", action="store_true")
    chosen = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    reports = () if chosen.no_reports else REPORTS
    carrier = FakeCarrier(
        chosen.auth_token, chosen.latency_ms, reports, chosen.inbound_url, chosen.port
    ).start()
    print(json.dumps({"url": carrier.url, "pid": os.getpid()}), flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    carrier.stop()


if __name__ == "__main__":
    main()
