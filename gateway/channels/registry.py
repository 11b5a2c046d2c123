"""The channels there are. Adding a carrier adds one line here."""

from gateway.channels import africastalking, android, base, kannel, simulator, twilio
from gateway.domain.errors import Refused

_BY_KIND: dict[str, base.Channel] = {
    africastalking.kind: africastalking,
    android.kind: android,
    kannel.kind: kannel,
    simulator.kind: simulator,
    twilio.kind: twilio,
}


def kinds() -> tuple[str, ...]:
    """The names by which a channel can be chosen."""
    return tuple(_BY_KIND)


def by_kind(kind: str) -> base.Channel:
    """The channel of that kind. Raises Refused with the kinds there are."""
    if kind not in _BY_KIND:
        raise Refused("There is no channel of kind {kind!r}; choose one of: {kinds}.", kind=kind, kinds=[*_BY_KIND])
    return _BY_KIND[kind]
