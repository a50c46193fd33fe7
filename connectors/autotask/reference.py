"""The field of an Autotask ticket that holds the hub's reference: `externalID`, or a user-defined field."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.autotask.queries import condition
from connectors.autotask.values import Json, text_of

EXTERNAL_ID = "externalID"


class ReferenceField:
    """Where the reference is, by the settings of a connection.

    A query can filter on one user-defined field only, and `userDefinedFields` is missing from a ticket on which
    none has a value:
    https://ww3.autotask.net/help/DeveloperHelp/Content/APIs/REST/Entities/UserdefinedFieldsUDFs.htm
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self.name = values.get("reference_field") or EXTERNAL_ID

    def of(self, item: Json) -> str:
        """The reference on a ticket."""
        if self.name == EXTERNAL_ID:
            return text_of(item.get(EXTERNAL_ID))
        udfs = item.get("userDefinedFields") or ()
        return next((text_of(udf.get("value")) for udf in udfs if udf.get("name") == self.name), "")

    def where(self, op: str, value: str) -> Json:
        """A filter on this field."""
        leaf = condition(op, self.name, value)
        return leaf if self.name == EXTERNAL_ID else leaf | {"udf": True}

    def written(self, reference: str) -> Json:
        """The part of a ticket's body that sets it."""
        if self.name == EXTERNAL_ID:
            return {EXTERNAL_ID: reference}
        return {"userDefinedFields": [{"name": self.name, "value": reference}]}
