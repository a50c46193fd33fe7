from __future__ import annotations

from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    name = "connectors"

    def ready(self) -> None:
        from connectors import jobs  # noqa: F401  registers the timed jobs
        from connectors.engine.outbound import acknowledgements, outbox  # noqa: F401  connects them to events
