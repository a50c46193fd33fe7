"""The base of every connector: a name, settings and a check of the settings.

What else a connector can do depends on its base classes: `TicketConnector`, `MailConnector`, `AlertConnector`,
`HookConnector`, `ListeningConnector`, `ProfileConnector`. The engine tests for them with `isinstance`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ClassVar

from connectors.kit.errors import ConnectorError, Refused, Unclear, Unsupported
from hub.core.sentences import sentence

from .ports import Limits, Ports
from .settings import Checked, Choice, Setting

NOT_UNDERSTOOD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What a record with unexpected content raises, such as a missing field or an impossible date."""
LONGEST_WHY = 300
"""The most characters of an unexpected error that are shown."""


class Connector:
    """One kind of system that a connection can use."""

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
        """Make real requests with these settings; errors name the setting at fault."""
        raise Unsupported(sentence("%(connector)s cannot be checked.", connector=self.label))

    def picklists(self) -> Mapping[str, tuple[Choice, ...]]:
        """The values in use in this system, by field."""
        raise Unsupported(sentence("%(connector)s has no picklists.", connector=self.label))


def _guarded(verb: Callable[..., Any], *, is_write: bool) -> Callable[..., Any]:
    @wraps(verb)
    def guarded(self: Connector, *args: Any, **more: Any) -> Any:
        try:
            return verb(self, *args, **more)
        except ConnectorError:
            raise
        except NOT_UNDERSTOOD as error:
            what = " ".join(f"{type(error).__name__} in {verb.__name__}: {error}".split())[:LONGEST_WHY]
            why = sentence(
                "%(connector)s returned an unexpected response (%(details)s).", connector=self.label, details=what
            )
            # A write may have taken effect although its response cannot be read.
            raise (Unclear(why) if is_write else Refused(why)) from error

    return guarded
