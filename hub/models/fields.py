"""Identifiers and small field types shared by the models."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from ulid import ULID

from hub.sla.calendars import BadCalendar, load_zone


def new_ulid() -> str:
    """A new public id: 26 characters that sort by the time they were made."""
    return str(ULID())


def is_zone(name: str) -> None:
    """Refuse what is no IANA time zone."""
    try:
        load_zone(name)
    except BadCalendar as error:
        raise ValidationError(str(error)) from error


class PublicIdField(models.CharField):  # type: ignore[type-arg]
    """The public ULID of a row: what URLs, the API and payloads call it."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs |= {"max_length": 26, "unique": True, "default": new_ulid, "editable": False}
        super().__init__(**kwargs)
