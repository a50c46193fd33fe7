from __future__ import annotations

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"

    def ready(self) -> None:
        from workflows import jobs  # noqa: F401  registers the timed jobs
        from workflows.rules import actions, guards, scheduling  # noqa: F401  registers what rules are made of
