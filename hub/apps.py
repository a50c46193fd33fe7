from __future__ import annotations

from django.apps import AppConfig


class HubConfig(AppConfig):
    name = "hub"
    verbose_name = "Ticket Hub"

    def ready(self) -> None:
        from hub import checks  # noqa: F401
