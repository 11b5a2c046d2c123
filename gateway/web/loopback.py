"""Pages without a login are for the users of this machine alone: the tests of that, by address and by request."""

from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

from flask import abort, request

_FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")


class Site(Protocol):
    """What the settings say of where this gateway is."""

    @property
    def embedded(self) -> bool: ...
    @property
    def host(self) -> str: ...
    @property
    def public_url(self) -> str: ...


def is_private(site: Site) -> bool:
    """Whether only users of this machine can come here, and the only persons are examples."""
    public_host = urlsplit(site.public_url).hostname or site.host
    return site.embedded and is_loopback(site.host) and is_loopback(public_host)


def is_loopback(host: str | None) -> bool:
    """Whether a host or address leads to this machine from this machine only."""
    if host is None or host == "localhost":
        return host is not None
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def refuse_strangers() -> None:
    """Before each request: 404 for one from elsewhere, through a proxy, or through a name that was made to lead here.

    403 for a post from the page of another site, which a browser on this machine would send.
    """
    host = request.headers.get("Host", "")
    direct = not any(name in request.headers for name in _FORWARDED)
    if not (direct and is_loopback(request.remote_addr) and is_loopback(_name(host))):
        abort(404)
    origin = request.headers.get("Origin")
    if request.method == "POST" and origin not in (None, f"{request.scheme}://{host}"):
        abort(403)


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
