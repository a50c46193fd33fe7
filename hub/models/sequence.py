"""Counters for databases without native sequences."""

from __future__ import annotations

from django.db import models


class Sequence(models.Model):
    """The last number given out; used where the database has no sequences (SQLite)."""

    name = models.CharField(max_length=32, primary_key=True)
    last = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name}: {self.last}"
