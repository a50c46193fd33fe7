from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConnectorsConfig(AppConfig):
    name = "connectors"
    verbose_name = _("Connectors")

    def ready(self) -> None:
        from connectors import jobs  # noqa: F401  registers the timed jobs
        from connectors.engine import outbox, undoing  # noqa: F401  connects its receiver to events, and what it holds
        from connectors.engine.inbound import alert_acknowledgements  # noqa: F401  connects its receiver to events
        from connectors.queries import ticket_filter  # noqa: F401  registers the filter by synchronisation
