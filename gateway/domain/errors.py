"""Errors people meet.

GatewayError
└── Refused             what was asked cannot be done as it stands
    ├── NotFound        the thing named is not there (or not the actor's to see)
    └── NotAllowed      the actor's role does not permit it
"""


class GatewayError(Exception):
    """Anything the gateway raises on purpose."""


class Refused(GatewayError):
    """Bad input. The message is shown to whoever gave it: what happened, what it means, what to do.

    It never holds a phone number, a name or a text. The command line exits with 2.
    """


class NotFound(Refused):
    """Nothing by that id or code, or not within the actor's units: the two are told apart for nobody."""


class NotAllowed(Refused):
    """The actor's role does not permit this."""
