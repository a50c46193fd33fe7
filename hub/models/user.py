"""Users and their memberships."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hub.sla.calendars import load_zone

from .fields import PublicIdField, is_zone


def time_zone_of_us() -> str:
    """The time zone of our organisation, which new users get; UTC before the first run."""
    rows = apps.get_model("hub", "Organisation")._default_manager.filter(is_us=True)
    return str(rows.values_list("time_zone", flat=True).first() or "UTC")


class UserManager(BaseUserManager["User"]):
    """Creates users who log in with their e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        fields.setdefault("time_zone", time_zone_of_us())
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who logs in, by e-mail address. Memberships grant rights."""

    class Density(models.TextChoices):
        COMFORTABLE = "comfortable", _("comfortable")
        COMPACT = "compact", _("compact")

    class Theme(models.TextChoices):
        SYSTEM = "", _("as the system")
        LIGHT = "light", _("light")
        DARK = "dark", _("dark")

    class StartPage(models.TextChoices):
        BY_ROLE = "", _("by role: Board for managers, My work for agents")
        BOARD = "board", _("board")
        WORK = "work", _("my work")
        TICKETS = "tickets", _("tickets")

    public_id = PublicIdField()
    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=150)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[is_zone])
    language = models.CharField(
        _("language"),
        max_length=10,
        choices=settings.LANGUAGES,
        default="",
        blank=True,
        help_text=_("For pages and e-mails. If empty, pages use the browser's language and e-mails are in English."),
    )
    has_shortcuts = models.BooleanField(
        _("keyboard shortcuts"), default=True, help_text=_("Single keys act on lists and tickets; press ? for a list.")
    )
    shortcut_keys = models.JSONField(default=dict, blank=True, editable=False)
    """The keys that this person has chosen, by the usual key; see `console.shortcuts`."""
    density = models.CharField(_("density"), max_length=12, choices=Density, default=Density.COMFORTABLE)
    theme = models.CharField(
        _("theme"),
        max_length=8,
        choices=Theme,
        default=Theme.SYSTEM,
        blank=True,
        help_text=_("The button in the header chooses another one for this browser."),
    )
    start_page = models.CharField(
        _("start page"), max_length=8, choices=StartPage, default=StartPage.BY_ROLE, blank=True
    )
    absent_from = models.DateField(_("absent from"), null=True, blank=True)
    absent_until = models.DateField(_("absent until"), null=True, blank=True)
    substitute = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("substitute"),
        help_text=_("Gets new assignments and a copy of the notices during the absence."),
    )
    is_staff = models.BooleanField(_("may use the admin"), default=False)
    is_active = models.BooleanField(_("may log in"), default=True)
    sessions_ended = models.PositiveIntegerField(default=0, editable=False)
    """How often all sessions of this user were ended. The number is part of each session's authentication hash."""
    reset_asked_at = models.DateTimeField(null=True, editable=False)
    """When a password reset was last requested by e-mail (machine time). It limits how often such mail is sent."""

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.name or self.email

    def is_absent(self, at: datetime) -> bool:
        """Whether the user is absent on this day, in the user's time zone. Both days of the absence count."""
        if self.absent_from is None and self.absent_until is None:
            return False
        day = at.astimezone(load_zone(self.time_zone)).date()
        return (self.absent_from or day) <= day <= (self.absent_until or day)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """The hash that each session carries: a new password or ending all sessions invalidates it."""
        value = f"{self.password}\x1f{self.sessions_ended}"
        return salted_hmac("hub.models.User.session", value, secret=secret, algorithm="sha256").hexdigest()

    @cached_property
    def seats(self) -> tuple[Seat, ...]:
        """The memberships of this user. Read once: a user object lives as long as a request."""
        rows = self.memberships.order_by("pk").values_list("role", "organisation_id", "organisation__is_us")
        return tuple(Seat(*row) for row in rows)


class Seat(NamedTuple):
    """One membership, reduced to what decides about rights."""

    role: str
    organisation_id: int
    is_us: bool


class Membership(models.Model):
    """The right of one user to act for one organisation in one role.

    The role “vendor” is not possible in our own organisation: a vendor reads what is addressed to its own organisation,
    and that would be everything internal. A database trigger rejects such a row on both databases.
    """

    class Role(models.TextChoices):
        MANAGER = "manager", _("manager")
        AGENT = "agent", _("agent")
        ADMIN = "admin", _("admin")
        VENDOR = "vendor", _("vendor")
        REQUESTER = "requester", _("requester")
        EXECUTIVE = "executive", _("executive")
        AUDITOR = "auditor", _("auditor")

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships", verbose_name=_("user"))
    organisation = models.ForeignKey(
        "hub.Organisation", models.PROTECT, related_name="memberships", verbose_name=_("organisation")
    )
    role = models.CharField(_("role"), max_length=16, choices=Role)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "organisation", "role"], name="membership_once_per_user_organisation_role"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    role__in=["manager", "agent", "admin", "vendor", "requester", "executive", "auditor"]
                ),
                name="membership_role_is_known",
            ),
        ]

    def __str__(self) -> str:
        return gettext("%(user)s: %(role)s at %(organisation)s") % {
            "user": self.user,
            "role": self.get_role_display(),
            "organisation": self.organisation,
        }

    def clean(self) -> None:
        if self.role == self.Role.VENDOR and self.organisation_id and self.organisation.is_us:
            raise ValidationError(
                {"role": _("The role “vendor” is not possible in our own organisation. Choose agent or requester.")}
            )
