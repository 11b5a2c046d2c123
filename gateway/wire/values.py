"""What goes in and comes out, and its limits."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Literal

from gateway.channels.base import Phase, WireReply
from gateway.domain.errors import GatewayError

Error = Literal[
    "bad_request", "dns", "private", "connect", "tls", "connect_timeout", "too_late",  # not_sent
    "timeout", "closed", "malformed", "too_large",  # sent
    "shutdown",  # either
]  # fmt: skip


class WireClosed(GatewayError):
    """The pipeline was closed; nothing of what was just submitted is sent."""


@dataclass(frozen=True, slots=True)
class WireResult:
    """How far a request came. Only "not_sent" says that no byte of it left."""

    reply: WireReply | None
    phase: Phase
    error: Error | None = None


Callback = Callable[[WireResult], None]


def awake_s() -> float:
    """Seconds on a clock that nobody sets and that goes on while the machine sleeps, where the system has one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_open` bounds the requests, and so the connections, in flight.

    The first byte of a request leaves within `connect_s` of its submission (or `since`) or never, even if this process
    stood still meanwhile: by then others may have taken it for dead. The whole answer must be there `read_s` after
    that, however it trickles. `ca_file` stands in for the system's certificates. `public_only`: connects to no address of
    this machine or a private network, whatever a name resolves to; so does every guarded request, but for `private_hosts`.
    Nothing connects to one of a cloud's own services.
    """

    max_open: int = 2000
    connect_s: float = 5
    read_s: float = 30
    idle_s: float = 20
    resolve_s: float = 30
    max_reply_bytes: int = 4 << 20
    ca_file: str | None = None
    public_only: bool = False
    private_hosts: frozenset[str] = frozenset()

    @property
    def tick_s(self) -> float:
        """How often the time-outs are looked at."""
        return min(0.25, self.connect_s / 4, self.read_s / 4)


# Addresses that stand for an IPv4 one: what they lead to counts.
_NAT64 = IPv6Network("64:ff9b::/96")
# Where clouds tell their machines keys and names, beside the link-local addresses.
_CLOUDS = frozenset(map(ip_address, ("100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254")))


def is_public(ip: str) -> bool:
    """Whether an address is anybody's to reach: none of this machine, of a private or shared network, of a cloud's own services."""
    address = _meant(ip)
    return address.is_global and not (address.is_multicast or address.is_reserved or address in _CLOUDS)


def is_reachable(ip: str) -> bool:
    """Whether anything of ours may stand at an address: a carrier, or a phone in the house, but not a cloud's own services."""
    address = _meant(ip)
    return not (address.is_link_local or address.is_multicast or address.is_unspecified or address in _CLOUDS)


def _meant(ip: str) -> IPv4Address | IPv6Address:
    """The address that it leads to."""
    address = ip_address(ip.partition("%")[0])
    if isinstance(address, IPv4Address) or address.is_loopback or address.is_unspecified:
        return address
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if inner is None and (address in _NAT64 or int(address) >> 32 == 0):
        inner = IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address
