"""makemigrations, without the words of the models: labels, help texts and choices do not concern the database."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import makemigrations
from django.db import models
from django.db.migrations.autodetector import MigrationAutodetector

WORDS = frozenset({"verbose_name", "help_text", "choices"})


class WithoutWords(MigrationAutodetector):
    """Detects changes of models, except those of words (docs/decisions/0038)."""

    def deep_deconstruct(self, obj: Any) -> Any:
        found = super().deep_deconstruct(obj)
        if isinstance(obj, models.Field):
            path, args, kwargs = found
            return path, args, {name: value for name, value in kwargs.items() if name not in WORDS}
        return found

    def generate_altered_options(self) -> None:
        for state in (self.from_state, self.to_state):
            for model in state.models.values():
                for name in ("verbose_name", "verbose_name_plural"):
                    model.options.pop(name, None)
        super().generate_altered_options()


class Command(makemigrations.Command):
    autodetector = WithoutWords
