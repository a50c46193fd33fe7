"""What can go wrong with a vendor's system, by what to do next. A connector raises nothing else.

No message contains a header, a credential or the body of a request.
"""

from __future__ import annotations


class ConnectorError(Exception):
    """A failure in a vendor's system; the message can be shown to people."""


class TryLater(ConnectorError):
    """The system is busy or down, and the request had no effect: try again, after `after` seconds if it said so.

    `field` names the setting at fault when settings are checked, such as an address at which nothing answers.
    """

    def __init__(self, message: str, *, after: float | None = None, field: str = "") -> None:
        super().__init__(message)
        self.after, self.field = after, field


class Unclear(ConnectorError):
    """The request was sent, and its outcome is unknown: look for our mark before sending it again."""


class LockedOut(ConnectorError):
    """Our credentials are rejected: stop the connection, keep its messages, notify a person.

    `field` names the setting that is probably wrong.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Refused(ConnectorError):
    """The vendor's system refused the request: park it and notify a person. `field` names the setting at fault."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Forbidden(Refused):
    """Our credentials are valid, but our user lacks the permission: park the request and notify a person."""


class Missing(ConnectorError):
    """The record no longer exists in the vendor's system: notify a person."""


class Unsupported(ConnectorError):
    """The vendor's system has no such function: skip the request. quality.toml and the documentation list it."""


class BadSignature(ConnectorError):
    """A webhook call whose signature does not match its sender."""
