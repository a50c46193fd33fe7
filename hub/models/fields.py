"""Field types and validators shared by the models."""

from __future__ import annotations

from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db import models

from hub.core import sentences
from hub.core.ids import new_ulid
from hub.sla.calendars import BadCalendar, load_zone
from hub.translation import localized


def is_zone(name: str) -> None:
    """Raise ValidationError unless the name is an IANA time zone."""
    try:
        load_zone(name)
    except BadCalendar as error:
        raise ValidationError(localized(str(error))) from error


class PublicIdField(models.CharField):  # type: ignore[type-arg]
    """The public ULID of a row, used in URLs, the API and payloads."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs |= {"max_length": 26, "unique": True, "default": new_ulid, "editable": False}
        super().__init__(**kwargs)


class SentenceField(models.TextField):  # type: ignore[type-arg]
    """A text of the product, stored as message id and values, and read back in the active language.

    The stored text begins with the English wording, so filters on its beginning or a part of it work.
    """

    def get_prep_value(self, value: Any) -> Any:
        prepared = super().get_prep_value(value)
        return sentences.packed(prepared) if isinstance(prepared, str) else prepared

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return value if value is None else localized(sentences.unpacked(value))

    def deconstruct(self) -> Any:
        """Migrations see a plain text field: the column is the same."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs


def label_of(model: type[models.Model], field: str) -> str:
    """The label of a field, in the active language."""
    return str(cast("models.Field[Any, Any]", model._meta.get_field(field)).verbose_name)
