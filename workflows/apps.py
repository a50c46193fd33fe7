from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"

    def ready(self) -> None:
        from workflows import jobs  # noqa: F401  the timed jobs

        for subject in ("tickets", "engagements", "messages"):  # what rules can do, in the order of the builder's list
            import_module(f"workflows.actions.{subject}")
        from workflows.rules import guards, scheduling  # noqa: F401  what rules are made of
