"""migrate, which reports changes of models that no migration has, except those of words."""

from __future__ import annotations

from django.core.management.commands import migrate

from hub.management.commands.makemigrations import WithoutWords


class Command(migrate.Command):
    autodetector = WithoutWords
