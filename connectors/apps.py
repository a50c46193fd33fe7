from __future__ import annotations

from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    name = "connectors"

    def ready(self) -> None:
        from connectors import jobs  # noqa: F401  registers the timed jobs
        from connectors.engine import outbox  # noqa: F401  connects it to events
        from connectors.engine.inbound import alert_acknowledgements  # noqa: F401  connects it to events
