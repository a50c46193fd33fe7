from __future__ import annotations

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"

    def ready(self) -> None:
        from workflows import actions, jobs  # noqa: F401  what rules can do, and the timed jobs
        from workflows.rules import guards, scheduling  # noqa: F401  what rules are made of
