"""Django's backend for PostgreSQL, with the limit that applies when parameters are bound on the server.

The protocol carries at most 65,535 parameters with one statement. Without server-side binding there is no limit, and
Django 5.2 knows none: `bulk_create` of many rows with a BinaryField, and `in_bulk`, fail with OperationalError instead
of taking several statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.backends.postgresql import base, features, operations

MOST_PARAMETERS = 65_535


class DatabaseFeatures(features.DatabaseFeatures):
    max_query_params = MOST_PARAMETERS


class DatabaseOperations(operations.DatabaseOperations):
    def bulk_batch_size(self, fields: Sequence[Any], objs: Sequence[Any]) -> int:
        """How many rows with so many fields one statement takes."""
        return max(1, min(len(objs), MOST_PARAMETERS // max(1, len(fields))))


class DatabaseWrapper(base.DatabaseWrapper):
    features_class = DatabaseFeatures
    ops_class = DatabaseOperations
