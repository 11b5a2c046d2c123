"""Every setting, read once from the environment when a process starts. docs/configuration.md lists them.

Only what starts a process reads settings (the command line, the app's factory, the workers); everything below is given
values.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from gateway.domain.errors import Refused

_KEYS = re.compile(r"[\w-]+:[A-Za-z0-9_-]{43}=?(,[\w-]+:[A-Za-z0-9_-]{43}=?)*", re.ASCII)


# What reads a value raises Refused with what is wrong, and never repeats a value that may be secret.


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not value.isdecimal() or not low <= int(value) <= high:
            raise Refused("{value!r} is not a whole number from {low} to {high}", value=value, low=low, high=high)
        return int(value)

    return read


def _duration(low: float, high: float) -> Callable[[str], float]:
    def read(value: str) -> float:
        if not re.fullmatch(r"\d+(\.\d+)?", value, re.ASCII) or not low <= float(value) <= high:
            raise Refused("{value!r} is not a number from {low:g} to {high:g}", value=value, low=low, high=high)
        return float(value)

    return read


def _url(*schemes: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value and not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise Refused("must begin with {schemes}", schemes=[f"{scheme}://" for scheme in schemes])
        return value

    return read


def _public_url(value: str) -> str:
    parts = urlsplit(_url("https", "http")(value))
    if value and (not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment or parts.username):
        raise Refused("{value!r} must be a scheme and a host only, such as https://sms.example.org", value=value)
    return value.rstrip("/")


def _region(value: str) -> str:
    if not re.fullmatch("[A-Z]{2}", value):
        raise Refused("{value!r} is not a country as two capital letters, such as VN or GB", value=value)
    return value


def _keys(value: str) -> str:
    if value and not _KEYS.fullmatch(value):
        raise Refused('must look like "id:base64url,id:base64url", 32 bytes each; make one with `python -m gateway key`')
    return value


def _addresses(value: str) -> tuple[str, ...]:
    found = tuple(each.strip() for each in value.split(",") if each.strip())
    if any(not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", each) for each in found):
        raise Refused("must be mail addresses with commas between them, such as oncall@example.org")
    return found


def _network(value: str) -> str:
    if value not in ("public", "any"):
        raise Refused("{value!r} is neither public nor any", value=value)
    return value


def _hosts(value: str) -> frozenset[str]:
    hosts = frozenset(host.strip().lower() for host in value.split(",") if host.strip())
    if wrong := sorted(host for host in hosts if set("/@?# ") & set(host)):
        raise Refused("{value!r} is no host: a name or an address alone, without https://", value=wrong[0])
    return hosts


def _setting(name: str, read: Callable[[str], Any], default: str, *, secret: bool = False) -> Any:
    return field(repr=not secret, metadata={"name": name, "read": read, "default": default})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a process needs to know before it starts. An empty address or key means: the embedded server's.

    `embedded.running` fills those in; `embedded` stays true for a database of our own making.
    """

    database_url: str = _setting("DATABASE_URL", _url("postgresql"), "", secret=True)
    admin_url: str = _setting("GATEWAY_ADMIN_DATABASE_URL", _url("postgresql"), "", secret=True)
    redis_url: str = _setting("REDIS_URL", _url("redis", "rediss", "unix"), "", secret=True)
    master_keys: str = _setting("GATEWAY_MASTER_KEYS", _keys, "", secret=True)
    index_keys: str = _setting("GATEWAY_INDEX_KEYS", _keys, "", secret=True)
    var: Path = _setting("GATEWAY_VAR", lambda value: Path(value).absolute(), "var")
    spool: Path | None = _setting("GATEWAY_SPOOL", lambda value: Path(value).absolute() if value else None, "")
    spool_megabytes: int = _setting("GATEWAY_SPOOL_MEGABYTES", _whole(1, 1_000_000), "512")
    public_url: str = _setting("GATEWAY_PUBLIC_URL", _public_url, "")
    host: str = _setting("GATEWAY_HOST", str, "127.0.0.1")
    port: int = _setting("GATEWAY_PORT", _whole(1, 65535), "8000")
    proxies: int = _setting("GATEWAY_PROXIES", _whole(0, 9), "0")
    region: str = _setting("GATEWAY_REGION", _region, "VN")
    web_threads: int = _setting("GATEWAY_WEB_THREADS", _whole(1, 64), "16")
    web_workers: int = _setting("GATEWAY_WEB_WORKERS", _whole(1, 64), "2")
    lease_seconds: float = _setting("GATEWAY_LEASE_SECONDS", _duration(0.5, 3600), "90")
    reconcile_after_seconds: float = _setting("GATEWAY_RECONCILE_AFTER_SECONDS", _duration(0.1, 3600), "60")
    connect_timeout_seconds: float = _setting("GATEWAY_CONNECT_TIMEOUT_SECONDS", _duration(0.1, 60), "2")
    read_timeout_seconds: float = _setting("GATEWAY_READ_TIMEOUT_SECONDS", _duration(0.1, 300), "30")
    poll_seconds: float = _setting("GATEWAY_POLL_SECONDS", _duration(0.05, 60), "1")
    self_approval_up_to: int = _setting("GATEWAY_SELF_APPROVAL_UP_TO", _whole(0, 1_000_000), "500")
    report_timeout_hours: float = _setting("GATEWAY_REPORT_TIMEOUT_HOURS", _duration(0.001, 720), "72")
    mail_server: str = _setting("GATEWAY_MAIL_SERVER", _url("smtps", "smtp"), "", secret=True)
    mail_from: tuple[str, ...] = _setting("GATEWAY_MAIL_FROM", _addresses, "", secret=True)
    mail_to: tuple[str, ...] = _setting("GATEWAY_MAIL_TO", _addresses, "", secret=True)
    hook_url: str = _setting("GATEWAY_HOOK_URL", _url("https", "http"), "", secret=True)
    hook_key: str = _setting("GATEWAY_HOOK_KEY", str, "", secret=True)
    hook_network: str = _setting("GATEWAY_HOOK_NETWORK", _network, "public")
    private_hosts: frozenset[str] = _setting("GATEWAY_PRIVATE_HOSTS", _hosts, "")
    silent_after_seconds: float = _setting("GATEWAY_SILENT_AFTER_SECONDS", _duration(1, 3600), "300")
    embedded: bool = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """The settings. Raises Refused, which names everything that is wrong, not only the first."""
        values: dict[str, Any] = {}
        wrong = []
        for setting in named():
            name, about = setting.metadata["name"], setting.metadata
            try:
                values[setting.name] = about["read"](environ.get(name, "").strip() or about["default"])
            except Refused as error:
                wrong.append(Refused("{setting}: {why}", setting=name, why=error))
        wrong += _missing(environ) + _half(environ)
        if wrong:
            raise Refused("These settings are wrong (docs/configuration.md explains each):", *wrong)
        settings = cls(**values, embedded=not values["database_url"])
        return settings if settings.public_url else replace(settings, public_url=settings.local_url)

    @property
    def spool_folder(self) -> Path:
        """Where what comes in is kept while PostgreSQL is away."""
        return self.spool or self.var / "spool"

    @property
    def local_url(self) -> str:
        """Where this machine reaches the web process."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - read, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def named() -> list[Field[Any]]:
    """The settings that are read from the environment; the name is in the metadata of each."""
    return [setting for setting in fields(Settings) if setting.metadata]


def _missing(environ: Mapping[str, str]) -> list[Refused]:
    """A database of its own brings keys of its own: they must not lie on this machine's disk beside it."""
    if not environ.get("DATABASE_URL"):
        return []
    return [
        Refused(
            "{setting}: must be set, because DATABASE_URL is; make one with `python -m gateway key` and keep a copy elsewhere",
            setting=name,
        )
        for name in ("GATEWAY_MASTER_KEYS", "GATEWAY_INDEX_KEYS")
        if not environ.get(name, "").strip()
    ]


_TOGETHER = (("GATEWAY_MAIL_SERVER", "GATEWAY_MAIL_FROM", "GATEWAY_MAIL_TO"), ("GATEWAY_HOOK_URL", "GATEWAY_HOOK_KEY"))
SHORTEST_KEY = 16


def _half(environ: Mapping[str, str]) -> list[Refused]:
    """A second way of alerts that is set up by half would tell nobody, and be trusted."""
    given = {name for names in _TOGETHER for name in names if environ.get(name, "").strip()}
    wrong = [
        Refused("{setting}: must be set, because {other} is", setting=name, other=next(each for each in names if each in given))
        for names in _TOGETHER
        for name in names
        if name not in given and given & set(names)
    ]
    key, url = environ.get("GATEWAY_HOOK_KEY", "").strip(), environ.get("GATEWAY_HOOK_URL", "").strip()
    if key and len(key) < SHORTEST_KEY:
        wrong.append(Refused("GATEWAY_HOOK_KEY: must have at least {least} characters", least=SHORTEST_KEY))
    if url.startswith("http://") and environ.get("GATEWAY_HOOK_NETWORK", "").strip() != "any":
        wrong.append(Refused("GATEWAY_HOOK_URL: must begin with https://, or GATEWAY_HOOK_NETWORK be any"))
    return wrong
