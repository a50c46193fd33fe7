"""The company records of this hub's organisation in a ConnectWise system."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from connectors.connectwise.values import id_of
from connectors.kit.contract import several


class Companies:
    """Tickets of these companies are synchronised; those of the vendor's other customers are not."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values

    @cached_property
    def ids(self) -> list[int]:
        """The IDs of the companies; the first one is used for tickets that the hub opens."""
        return [id_of(key) for key in (self.values["company_id"], *several(self.values.get("more_companies", "")))]

    def where(self) -> str:
        """A condition for the tickets of these companies."""
        first, *more = self.ids
        return f"company/id in ({','.join(map(str, [first, *more]))})" if more else f"company/id={first}"
