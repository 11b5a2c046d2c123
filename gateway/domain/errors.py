"""Errors people meet.

GatewayError
└── Refused             what was asked cannot be done as it stands
    ├── NotFound        the thing named is not there (or not the actor's to see)
    ├── NotAllowed      the actor's role does not permit it
    └── TooMany         too many failed tries: wait
"""

from gateway.domain.told import N_, Gettext, Word


class GatewayError(Exception):
    """Anything the gateway raises on purpose: an English message with {named} places, their values, and lines below it.

    Details are errors, or texts of ours kept in English. They are told in the reader's language too, and so is a value that
    is an error, a `told.Word`, or a list of such. Without values nothing is filled in, so a finished text may hold braces.
    """

    def __init__(self, message: str = "", *details: "str | GatewayError", **values: object) -> None:
        super().__init__(message)
        self.message, self.details, self.values = message, details, values

    def __str__(self) -> str:
        return self.told(str)

    def told(self, _: Gettext) -> str:
        """All of it in the language of a gettext, or of `told.Retold`, which translates finished texts too."""
        message = _(self.message) if self.message else ""
        if self.values:
            message = message.format(**{name: _said(value, _) for name, value in self.values.items()})
        lines = (detail.told(_) if isinstance(detail, GatewayError) else _(detail) for detail in self.details)
        return "\n  ".join([message, *lines])


def _said(value: object, _: Gettext) -> object:
    if isinstance(value, GatewayError):
        return value.told(_)
    if isinstance(value, list | tuple):
        return ", ".join(str(_said(each, _)) for each in value)
    return _(value) if isinstance(value, Word) else value


class Refused(GatewayError):
    """Bad input. The message is shown to whoever gave it: what happened, what it means, what to do.

    It never holds a phone number, a name or a text. The command line exits with 2.
    """


class NotFound(Refused):
    """Nothing by that id or code, or not within the actor's units: the two are told apart for nobody."""


class NotAllowed(Refused):
    """The actor's role does not permit this."""


class TooMany(Refused):
    """Too many failed tries; `wait_s` until the next one is looked at."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(N_("Too many tries: wait {count} seconds, then try again."), count=max(1, round(wait_s + 0.5)))
        self.wait_s = wait_s
