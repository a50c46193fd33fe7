"""The company records of this hub's organisation in an Autotask database."""

from __future__ import annotations

from functools import cached_property

from connectors.autotask.api import Api
from connectors.autotask.queries import condition, eq
from connectors.autotask.values import Json, id_of
from connectors.kit.contract import Choice, several
from connectors.kit.errors import Missing, Refused
from hub.core.sentences import sentence


class Companies:
    """Tickets of these companies are synchronised; those of the vendor's other customers are not."""

    def __init__(self, api: Api) -> None:
        self.api = api

    @cached_property
    def ids(self) -> list[int]:
        """The IDs of the companies; the first one is used for tickets that the hub opens."""
        values = self.api.values
        more = [id_of(key, field="more_companies") for key in several(values.get("more_companies", ""))]
        return [id_of(values["company_id"], field="company_id"), *more]

    def where(self) -> Json:
        """A filter for the tickets of these companies."""
        first, *more = self.ids
        return condition("in", "companyID", [first, *more]) if more else eq("companyID", first)

    def first(self) -> Json:
        """The company of tickets that the hub opens. A missing record is a 404 or an empty item."""
        try:
            answer = self.api.http().get(f"V1.0/Companies/{id_of(self.api.values['company_id'], field='company_id')}")
        except Missing:
            answer = None
        item = (answer or {}).get("item")
        if not item:
            raise Refused(
                sentence("There is no company with this ID, or the API user has no access to it."), field="company_id"
            )
        return dict(item)

    def choices(self) -> tuple[Choice, ...]:
        """Every active company of the database."""
        return tuple(
            Choice(
                value=str(c["id"]), label=str(c.get("companyName") or c["id"]), is_active=bool(c.get("isActive", True))
            )
            for c in self.api.query("Companies", [eq("isActive", True)])
        )
