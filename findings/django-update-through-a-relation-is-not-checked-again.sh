#!/bin/sh
# Django on PostgreSQL: an update whose filter names a field of a related row is no compare-and-set.
#
# Guess:    filter(pk=..., state="ready", link__epoch=1).update(state="sent") changes the row only while it is ready, also
#           if another transaction has changed it and commits while the update waits for the row's lock.
# Observed: it changes the row although the state is no longer "ready". Without the related field it does not.
# Why:      a filter across a relation becomes UPDATE ... WHERE id IN (SELECT ... JOIN ...). After waiting for the lock,
#           PostgreSQL checks WHERE again for the new version of the row, but the subquery keeps the rows it found before
#           (READ COMMITTED). With conditions on the table itself, they are checked again.
# Who meets it: queues, leases and optimistic locks that filter by a field of the parent row, such as an epoch or version.
# Sources:  https://www.postgresql.org/docs/15/transaction-iso.html#XACT-READ-COMMITTED
#           https://docs.djangoproject.com/en/5.2/ref/models/querysets/#update
# Versions: Django 5.2.9, psycopg 3.2.13, PostgreSQL 15. Needs a server: DATABASE_URL, or postgres on 127.0.0.1:5432.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "Django==5.2.9" "psycopg[binary]==3.2.13"
cat > "$work/run.py" <<'PY'
import os
import threading
import time
from urllib.parse import urlsplit

import django
from django.conf import settings

at = urlsplit(os.environ.get("DATABASE_URL") or "postgresql://postgres@127.0.0.1:5432/postgres")
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql", "NAME": at.path.lstrip("/"), "USER": at.username or "",
            "PASSWORD": at.password or "", "HOST": at.hostname, "PORT": at.port or 5432,
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()
from django.db import connection, models, transaction


class Link(models.Model):
    epoch = models.IntegerField()

    class Meta:
        app_label, db_table = "finding", "finding_link"


class Item(models.Model):
    link = models.ForeignKey(Link, models.CASCADE)
    state = models.CharField(max_length=9)

    class Meta:
        app_label, db_table = "finding", "finding_item"


def waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def raced(**more: int) -> int:
    """How many rows an update changes that waits for a transaction in which the item becomes `skipped`."""
    item, found = Item.objects.create(link=link, state="ready"), []

    def update() -> None:
        found.append(Item.objects.filter(pk=item.pk, state="ready", **more).update(state="sent"))
        connection.close()

    thread = threading.Thread(target=update)
    with transaction.atomic():
        Item.objects.filter(pk=item.pk).update(state="skipped")
        thread.start()
        end = time.monotonic() + 10
        while not waits() and time.monotonic() < end:
            time.sleep(0.05)
    thread.join()
    return found[0]


with connection.schema_editor() as editor:
    editor.create_model(Link)
    editor.create_model(Item)
try:
    link = Link.objects.create(epoch=1)
    through, own = raced(link__epoch=1), raced()
finally:
    with connection.schema_editor() as editor:
        editor.delete_model(Item)
        editor.delete_model(Link)
print(f"Django {django.__version__}, PostgreSQL {connection.pg_version}")
print(f"rows changed though the state was no longer 'ready': {through} through the relation, {own} without")
assert (through, own) == (1, 0), "The behaviour has changed."
PY
"$work/venv/bin/python" "$work/run.py"
