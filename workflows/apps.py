from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkflowsConfig(AppConfig):
    name = "workflows"
    verbose_name = _("Workflows")

    def ready(self) -> None:
        from workflows import jobs, undoing  # noqa: F401  registers the timed jobs, and what they hold

        for subject in ("tickets", "engagements", "messages"):  # registers the actions, in the order of the docs
            import_module(f"workflows.actions.{subject}")
        from workflows.notifications import following  # noqa: F401  registers the receiver of news
        from workflows.rules import guards, scheduling  # noqa: F401  registers the guards and the receiver of events
