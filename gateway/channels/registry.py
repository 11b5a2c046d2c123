"""The channels there are. Adding a carrier adds one line here."""

from collections.abc import Callable

from gateway.channels import (
    africastalking,
    android,
    base,
    gammu,
    generic,
    kannel,
    simulator,
    smpp,
    twilio,
    vonage,
)
from gateway.domain.errors import Refused

_BY_KIND: dict[str, base.Channel] = {
    africastalking.kind: africastalking,
    android.kind: android,
    gammu.kind: gammu,
    generic.kind: generic.Generic(),
    kannel.kind: kannel,
    simulator.kind: simulator,
    smpp.kind: smpp,
    twilio.kind: twilio,
    vonage.kind: vonage,
}
_HELD: dict[str, base.Held] = {gammu.kind: gammu, smpp.kind: smpp}
"""Those of another road than HTTP, once more."""


def kinds() -> tuple[str, ...]:
    """The names by which a channel can be chosen."""
    return tuple(_BY_KIND)


def of_road(road: base.Road) -> tuple[str, ...]:
    """The kinds whose texts travel by that road."""
    return tuple(kind for kind, channel in _BY_KIND.items() if channel.capabilities.road == road)


def held(kind: str) -> base.Held:
    """The channel of that kind, whose road is a line held open."""
    return _HELD[kind]


def by_kind(kind: str) -> base.Channel:
    """The channel of that kind. Raises Refused with the kinds there are."""
    if kind not in _BY_KIND:
        raise Refused("There is no channel of kind {kind!r}; choose one of: {kinds}.", kind=kind, kinds=[*_BY_KIND])
    return _BY_KIND[kind]


_CAN: dict[str, Callable[[base.Settings], base.Capabilities]] = {africastalking.kind: africastalking.can, generic.kind: generic.can}


def vary(kind: str) -> bool:
    """Whether what channels of that kind can do is said by their settings."""
    return kind in _CAN


def capabilities(kind: str, settings: base.Settings) -> base.Capabilities:
    """What a channel with these settings can do: all that its carrier can, unless they say less. Raises Refused."""
    return _CAN[kind](settings) if kind in _CAN else by_kind(kind).capabilities


def of(kind: str, settings: base.Settings) -> base.Channel:
    """The carrier of a channel: the same for all of its kind, unless its settings describe it. Raises Refused."""
    return generic.of(settings) if kind == generic.kind else by_kind(kind)
