from __future__ import annotations

from django.apps import AppConfig


class HubConfig(AppConfig):
    name = "hub"
    verbose_name = "Ticket Hub"

    def ready(self) -> None:
        # The app has to exist before a task is published, or Celery's default one would take it.
        from hub import celery, checks  # noqa: F401
