from __future__ import annotations

from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    name = "connectors"

    def ready(self) -> None:
        # Connects the outbox to the one signal.
        from connectors.engine import outbox  # noqa: F401
