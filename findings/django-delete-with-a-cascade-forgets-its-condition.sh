#!/usr/bin/env bash
# Django 5.2.19: whether QuerySet.delete() keeps its condition depends on the relations of the model.
#
# Guess:     filter(state="ready").delete() is one DELETE with that condition, as update() is one UPDATE: a row that a
#            worker takes at the last moment is not deleted.
# Seen:      without relations it is. If any model refers to the rows with CASCADE or SET_NULL, even without a single such row,
#            Django reads the rows first and then deletes them by primary key. A row whose state changes between the two
#            statements is deleted all the same, and counted as deleted. (Under READ COMMITTED, the transaction of the delete
#            does not prevent this; select_for_update() before it does.)
# Source:    django/db/models/deletion.py (Collector.can_fast_delete, Collector.delete).
# Why it is met: queues in tables: "cancel what has not been sent yet" is a delete with a condition, and the day the
#            queue gets a table of attempts that cascades, it begins to delete what is being sent.
# Fails when: the row that changed survives, or the model without relations loses its row.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 2>/dev/null
mkdir "$work/rows"
cat > "$work/rows/__init__.py" </dev/null
cat > "$work/rows/models.py" <<'PY'
from django.db import models


class Plain(models.Model):
    state = models.CharField(max_length=9)


class Queued(models.Model):
    state = models.CharField(max_length=9)


class Attempt(models.Model):
    queued = models.ForeignKey(Queued, models.CASCADE)
PY
cat > "$work/try.py" <<'PY'
import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["rows"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
from django.db import connection
from rows.models import Attempt, Plain, Queued

with connection.schema_editor() as editor:
    for model in (Plain, Queued, Attempt):
        editor.create_model(model)


def left(model):
    """How many of two rows are left if a worker takes one before the rows themselves are deleted."""
    model.objects.bulk_create([model(state="ready"), model(state="ready")])
    table = model._meta.db_table

    def worker(execute, sql, params, many, context):
        if sql.startswith(f'DELETE FROM "{table}"'):
            print("  ", sql)
            connection.connection.execute(f"UPDATE {table} SET state = 'sending' WHERE id = 1")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(worker):
        deleted, _by_model = model.objects.filter(state="ready").delete()
    print(f"{model.__name__}: {deleted} deleted, {model.objects.count()} left")
    return model.objects.count()


assert left(Plain) == 1, "a plain model no longer keeps the row that was taken"
assert left(Queued) == 0, "a model with a cascade keeps the row that was taken: Django has changed"
PY
cd "$work" && "$work/venv/bin/python" "$work/try.py"
