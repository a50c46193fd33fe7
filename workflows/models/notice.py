"""Notifications about tickets to people and systems: sent, combined, or held back with a reason."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hub.models import Leg, Organisation, Ticket
from hub.models.fields import PublicIdField, SentenceField


class Channel(models.TextChoices):
    MAIL = "mail", _("e-mail")
    CONSOLE = "console", _("in the console")
    WEBHOOK = "webhook", _("signed webhook")
    SLACK = "slack", _("Slack")
    TEAMS = "teams", _("Teams")


class Endpoint(models.Model):
    """A system of ours that receives notices over HTTP. The hub creates its secret, seals it and shows it once."""

    public_id = PublicIdField()
    name = models.CharField(_("name"), max_length=150, unique=True)
    channel = models.CharField(
        _("kind"), max_length=16, choices=[c for c in Channel.choices if c[0] in ("webhook", "slack", "teams")]
    )
    url = models.URLField(_("URL"), max_length=500)
    sealed = models.BinaryField(blank=True, default=b"", editable=False)
    has_hex_signature = models.BooleanField(_("legacy signature"), default=False, editable=False)
    """The secret predates Standard Webhooks signing: both signatures are sent until it is renewed."""
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("notification endpoint")
        verbose_name_plural = _("notification endpoints")
        constraints = [
            models.CheckConstraint(
                condition=Q(channel__in=["webhook", "slack", "teams"]), name="endpoint_kind_is_known"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Notice(models.Model):
    """One notification for one recipient. `key` makes it unique: a second one for the same reason is not created."""

    class State(models.TextChoices):
        READY = "ready", _("queued")
        SENT = "sent", _("sent")
        MERGED = "merged", _("combined with others")
        HELD = "held", _("held back")
        FAILED = "failed", _("failed")

    public_id = PublicIdField()
    key = models.CharField(max_length=200, unique=True)
    kind = models.SlugField(_("kind"), max_length=60)
    channel = models.CharField(_("channel"), max_length=16, choices=Channel)
    to = models.CharField(_("recipient"), max_length=320)
    """An e-mail address, an endpoint's public id, or a user's."""
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="notices", verbose_name=_("user")
    )
    organisation = models.ForeignKey(
        Organisation, models.CASCADE, null=True, blank=True, related_name="notices", verbose_name=_("organisation")
    )
    ticket = models.ForeignKey(Ticket, models.CASCADE, null=True, blank=True, related_name="notices")
    leg = models.ForeignKey(Leg, models.CASCADE, null=True, blank=True, related_name="notices")
    subject = models.CharField(_("subject"), max_length=300)
    body = models.TextField(_("text"))
    url = models.CharField(max_length=500, blank=True)
    is_urgent = models.BooleanField(_("urgent"), default=False)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.READY)
    why = SentenceField(_("reason"), blank=True)
    made_at = models.DateTimeField(_("created at"))
    due_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    read_at = models.DateTimeField(_("read at"), null=True, blank=True)
    merged_into = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="merged")
    undo_window = models.CharField(max_length=26, blank=True, default="", editable=False)
    """The window in which the action it is about can be undone; empty once it has closed."""

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["ready", "sent", "merged", "held", "failed"]), name="notice_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(channel__in=["mail", "console", "webhook", "slack", "teams"]),
                name="notice_channel_is_known",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], condition=Q(state="ready"), name="notice_next_to_send"),
            models.Index(fields=["channel", "to", "-sent_at"], name="notice_by_recipient_and_sent"),
            models.Index(fields=["user", "-id"], condition=Q(channel="console"), name="notice_of_user"),
            models.Index(fields=["undo_window"], condition=~Q(undo_window=""), name="notice_held"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} → {self.to}"


class Suppression(models.Model):
    """An address to which no more e-mail is sent: mail bounced, or the recipient unsubscribed."""

    address = models.EmailField(_("address"), unique=True)
    why = SentenceField(_("reason"))
    since = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppressed addresses")

    def __str__(self) -> str:
        return self.address


class NoticeTemplate(models.Model):
    """The wording of one kind of notice for one audience in one language; without one, the built-in wording is used."""

    class Audience(models.TextChoices):
        US = "us", _("our people")
        REQUESTER = "requester", _("the requester")
        VENDOR = "vendor", _("a vendor")

    kind = models.SlugField(_("kind"), max_length=60)
    audience = models.CharField(_("audience"), max_length=16, choices=Audience, default=Audience.US)
    language = models.CharField(_("language"), max_length=10, default="en")
    subject = models.CharField(_("subject"), max_length=300)
    body = models.TextField(_("text"))

    class Meta:
        verbose_name = _("notice template")
        verbose_name_plural = _("notice templates")
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "audience", "language"], name="template_once_per_audience_language"
            ),
            models.CheckConstraint(
                condition=Q(audience__in=["us", "requester", "vendor"]), name="template_audience_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} ({self.get_audience_display()}, {self.language})"


class NoticePreference(models.Model):
    """How one person wants to be notified, for every kind of notice or for one."""

    class Pace(models.TextChoices):
        AT_ONCE = "at_once", _("immediately")
        DAILY = "daily", _("daily summary")
        NEVER = "never", _("never")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notice_preferences")
    kind = models.SlugField(
        _("kind"),
        max_length=60,
        blank=True,
        help_text=_("Leave empty for every kind that has no preference of its own."),
    )
    mail = models.CharField(_("by e-mail"), max_length=16, choices=Pace, default=Pace.AT_ONCE)
    console = models.BooleanField(_("in the console"), default=True)
    is_quiet_at_night = models.BooleanField(
        _("only in working hours"), default=True, help_text=_("Urgent notifications are sent at any time.")
    )

    class Meta:
        verbose_name = _("notice preference")
        verbose_name_plural = _("notice preferences")
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="preference_once_per_user_and_kind")]

    def __str__(self) -> str:
        return gettext("%(user)s: %(kind)s") % {"user": self.user, "kind": self.kind or _("everything")}


class Digest(models.Model):
    """When an organisation without a system gets its next e-mail about its open tickets."""

    organisation = models.OneToOneField(Organisation, models.CASCADE, related_name="digest")
    next_run_at = models.DateTimeField(_("next digest at"))

    class Meta:
        verbose_name = _("digest")
        verbose_name_plural = _("digests")

    def __str__(self) -> str:
        return f"{self.organisation}"
