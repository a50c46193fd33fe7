"""The base of every connector: a name, settings, and a check of both.

What else a connector can do depends on the base classes it names: `TicketConnector`, `MailConnector`,
`AlertConnector`, `HookConnector`, `ListeningConnector`, `ProfileConnector`. The engine asks with `isinstance`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ClassVar

from connectors.kit.errors import ConnectorError, Refused, Unclear, Unsupported

from .ports import Limits, Ports
from .settings import Checked, Choice, Setting

NOT_UNDERSTOOD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What is raised by a record that is not as expected: a missing name, an impossible date."""
LONGEST_WHY = 300
"""The most characters of an unexpected error that are shown."""


class Connector:
    """One kind of system that a connection can speak to."""

    slug: ClassVar[str]
    label: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]] = ()
    limits: ClassVar[Limits | None] = None
    calls: ClassVar[Mapping[str, bool]] = {"check": False, "picklists": False}
    """The methods of this class that make calls, and whether they change something in the vendor's system."""

    def __init_subclass__(cls, **more: Any) -> None:
        """Only the kit's errors leave a connector, whatever the vendor answers."""
        super().__init_subclass__(**more)
        for base in cls.__mro__:
            for name, is_write in base.__dict__.get("calls", {}).items():
                if name in cls.__dict__:
                    setattr(cls, name, _guarded(cls.__dict__[name], is_write=is_write))

    def __init__(self, values: Mapping[str, str], ports: Ports) -> None:
        self.values = values
        self.ports = ports

    def check(self) -> Checked:
        """Make real calls with these settings; errors name the setting at fault."""
        raise Unsupported(f"{self.label} cannot be checked.")

    def picklists(self) -> Mapping[str, tuple[Choice, ...]]:
        """The values this tenant knows, per field."""
        raise Unsupported(f"{self.label} has no picklists.")


def _guarded(verb: Callable[..., Any], *, is_write: bool) -> Callable[..., Any]:
    @wraps(verb)
    def guarded(self: Connector, *args: Any, **more: Any) -> Any:
        try:
            return verb(self, *args, **more)
        except ConnectorError:
            raise
        except NOT_UNDERSTOOD as error:
            what = " ".join(f"{type(error).__name__} in {verb.__name__}: {error}".split())[:LONGEST_WHY]
            why = f"{self.label} answered with something that was not expected ({what})."
            # A write may have taken effect before its answer was not understood.
            raise (Unclear(why) if is_write else Refused(why)) from error

    return guarded
