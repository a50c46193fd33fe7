from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from hub import redaction


class HubConfig(AppConfig):
    name = "hub"
    verbose_name = _("Ticket Hub")

    def ready(self) -> None:
        # The Celery app has to exist before a task is published, or Celery's default app would take the task.
        from hub import celery, checks, jobs  # noqa: F401
        from hub.core import sessions  # noqa: F401

        redaction.install()
        redaction.know(str(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS, *settings.SEAL_KEYS))
        for address in (settings.DATABASE_ADDRESS, settings.LISTEN_URL, settings.CELERY_BROKER_URL, settings.MAIL_URL):
            redaction.know_address(address)
