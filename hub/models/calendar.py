"""Working hours in versions. A published version is immutable."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.sla.calendars import BadCalendar, CalendarSpec
from hub.translation import localized

from .fields import PublicIdField
from .publication import Publication


class Calendar(models.Model):
    """One version of an organisation's working hours: time zone, weekly windows, holidays, exceptions."""

    public_id = PublicIdField()
    name = models.CharField(_("name"), max_length=150)
    version = models.PositiveIntegerField(_("version"), default=1)
    status = models.CharField(_("status"), max_length=16, choices=Publication, default=Publication.DRAFT)
    time_zone = models.CharField(
        _("time zone"), max_length=64, default="UTC", help_text=_("IANA name, for example Europe/Berlin.")
    )
    weekly = models.JSONField(
        _("working hours"),
        default=dict,
        help_text=_('Per weekday: {"mon": [["09:00", "17:00"]]}. "24:00" ends the day; 22:00-06:00 runs overnight.'),
    )
    holidays = models.JSONField(_("holidays"), default=list, blank=True, help_text=_('Closed dates: ["2026-12-25"].'))
    exceptions = models.JSONField(
        _("exceptions"),
        default=dict,
        blank=True,
        help_text=_('Dates with different hours: {"2026-12-24": [["09:00", "12:00"]]}.'),
    )

    class Meta:
        verbose_name = _("calendar")
        verbose_name_plural = _("calendars")
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="calendar_version_once_per_name"),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "published", "retired"]), name="calendar_status_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    def clean(self) -> None:
        try:
            self.spec()
        except (BadCalendar, AttributeError, TypeError) as error:
            raise ValidationError(localized(str(error))) from error

    def spec(self) -> CalendarSpec:
        """The calendar as `hub.sla` reads it. Raises BadCalendar if a value is not valid."""
        return CalendarSpec.parse(
            zone=self.time_zone, weekly=self.weekly, holidays=self.holidays, exceptions=self.exceptions
        )
