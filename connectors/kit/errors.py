"""What can go wrong with a vendor, named by what to do next. Nothing else leaves a connector.

No message ever holds a header, a credential or the body of a call.
"""

from __future__ import annotations


class ConnectorError(Exception):
    """Something a vendor's system did; the message is fit for a person."""


class TryLater(ConnectorError):
    """Busy or down, surely without effect: try again, after `after` seconds where they said so.

    `field` names the setting at fault where it is tried for the first time, as an address nobody answers at.
    """

    def __init__(self, message: str, *, after: float | None = None, field: str = "") -> None:
        super().__init__(message)
        self.after, self.field = after, field


class Unclear(ConnectorError):
    """It was sent, and nobody can know whether it took effect: look for our mark before sending again."""


class LockedOut(ConnectorError):
    """Our credentials are not accepted: stop the connection, keep its messages, tell a person.

    `field` names the setting that is probably wrong.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Refused(ConnectorError):
    """Understood, and they said no: stop this message, tell a person. `field` names the setting at fault."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Forbidden(Refused):
    """They know us, and our user has no right to this one: stop this message, tell a person."""


class Missing(ConnectorError):
    """The record is not there any more: tell a person."""


class Unsupported(ConnectorError):
    """This cannot be said to them: skip it; quality.toml and the docs say so."""


class BadSignature(ConnectorError):
    """A hook that was not signed by who it claims to come from."""
