from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings

from hub import redaction


class HubConfig(AppConfig):
    name = "hub"
    verbose_name = "Ticket Hub"

    def ready(self) -> None:
        # The app has to exist before a task is published, or Celery's default one would take it.
        from hub import celery, checks, jobs  # noqa: F401

        redaction.install()
        redaction.know(str(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS, *settings.SEAL_KEYS))
        for address in (settings.DATABASE_ADDRESS, settings.CELERY_BROKER_URL, settings.MAIL_URL):
            redaction.know_address(address)
