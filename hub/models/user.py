"""Who logs in, and as what."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from .fields import PublicIdField, is_zone


class UserManager(BaseUserManager["User"]):
    """Makes users whose log-in name is their e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who logs in, by e-mail address. Rights come from memberships."""

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
        help_text=_("Of pages and e-mails. Empty: pages in the browser's language, e-mails in English."),
    )
    is_staff = models.BooleanField(_("may use the admin"), default=False)
    is_active = models.BooleanField(_("may log in"), default=True)
    sessions_ended = models.PositiveIntegerField(default=0, editable=False)
    """How often all sessions of this person were ended: a part of what each session is checked against."""
    reset_asked_at = models.DateTimeField(null=True, editable=False)
    """When a new password was last asked for by mail (machine time): the next mail waits a while."""

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.name or self.email

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session of this person carries: another password or ended sessions make it worthless."""
        value = f"{self.password}\x1f{self.sessions_ended}"
        return salted_hmac("hub.models.User.session", value, secret=secret, algorithm="sha256").hexdigest()

    @cached_property
    def seats(self) -> tuple[Seat, ...]:
        """Where this person acts, and as what. Read once: a user object lives as long as a request."""
        rows = self.memberships.order_by("pk").values_list("role", "organisation_id", "organisation__is_us")
        return tuple(Seat(*row) for row in rows)


class Seat(NamedTuple):
    """One membership, as rights are decided by it."""

    role: str
    organisation_id: int
    is_us: bool


class Membership(models.Model):
    """The right of one user to act for one organisation in one role.

    Nobody is a vendor at our own organisation: a trigger refuses such a row on both databases, for what
    is said to one's own organisation is everything that is internal.
    """

    class Role(models.TextChoices):
        MANAGER = "manager", _("manager")
        AGENT = "agent", _("agent")
        ADMIN = "admin", _("admin")
        VENDOR = "vendor", _("vendor")
        REQUESTER = "requester", _("requester")
        EXECUTIVE = "executive", _("executive")
        AUDITOR = "auditor", _("auditor")

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    organisation = models.ForeignKey("hub.Organisation", models.PROTECT, related_name="memberships")
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
        return f"{self.user}: {self.role} at {self.organisation}"

    def clean(self) -> None:
        if self.role == self.Role.VENDOR and self.organisation_id and self.organisation.is_us:
            raise ValidationError({"role": _("Nobody is a vendor at our own organisation: choose agent or requester.")})
