"""Figures for a monitor, in Prometheus's text format: channels and health. No persons, and for this machine alone."""

from collections.abc import Callable, Iterator, Mapping

from flask import Response

from gateway.parts import Gateway
from gateway.store import channels, health
from gateway.store.base import SYSTEM, unit_of_work
from gateway.store.channels import State
from gateway.web import loopback

PREFIX = "gateway"
OF_A_CHANNEL: Mapping[str, tuple[str, Callable[[State], int]]] = {
    "channel_active": ("1 while texts leave by the channel", lambda each: int(each.state == "active")),
    "channel_weight": ("share of its clients that the channel keeps, in per cent", lambda each: each.weight),
    "channel_countries_off": ("countries that its carrier refuses", lambda each: len(each.off)),
    "channel_well_last_hour": ("attempts of the last hour that went well", lambda each: each.well),
    "channel_bad_last_hour": ("attempts of the last hour that went badly", lambda each: each.bad),
    "channel_slow_last_hour": ("of those that went well, those that took too long", lambda each: each.slow),
    "channel_reported_last_hour": ("reports of the last hour that told more of a text than was known", lambda each: each.reported),
    "channel_segments_today": ("segments counted against the day's allowance", lambda each: each.used),
    "channel_segments_a_day": ("the day's allowance, 0 for any number", lambda each: each.daily or 0),
}


def answer(gateway: Gateway) -> Response:
    """All figures. 404 for whoever does not ask from this machine itself."""
    loopback.refuse_strangers()
    state = health.look(gateway.engine)
    lines = [line for name, value in state.items() for line in _metric(f"health_{name}", "see /health", [("", int(value or 0))])]
    if state["database"]:
        with unit_of_work(gateway.engine, SYSTEM) as work:
            lines += _of_channels(channels.states(work, measured=True))
    return Response("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")


def _of_channels(found: list[State]) -> Iterator[str]:
    for name, (about, value) in OF_A_CHANNEL.items():
        yield from _metric(name, about, [(f'{{channel="{_escaped(each.name)}",kind="{each.kind}"}}', value(each)) for each in found])


def _metric(name: str, about: str, values: list[tuple[str, int]]) -> Iterator[str]:
    yield f"# HELP {PREFIX}_{name} {about}"
    yield f"# TYPE {PREFIX}_{name} gauge"
    for labels, value in values:
        yield f"{PREFIX}_{name}{labels} {value}"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
