#!/usr/bin/env bash
# Django 5.2.19 with psycopg 3.3.9: with OPTIONS = {"server_side_binding": True}, one BinaryField decides whether bulk_create()
# of many rows works.
#
# Guess:     bulk_create() splits a long list into statements that the database takes, as it does on SQLite and Oracle.
# Seen:      40,000 rows of two integer columns are written, because Django sends each column as one array (UNNEST). With a
#            BinaryField instead of one of the integers, the same call raises OperationalError ("number of parameters must be
#            between 0 and 65535") and writes nothing, as does in_bulk() of 70,000 keys. Without the option all of them work.
#            Django's features for PostgreSQL name no max_query_params.
# Source:    django/db/backends/postgresql/compiler.py (SQLInsertCompiler.assemble_as_sql: no UNNEST if a field has a
#            placeholder of its own), operations.py (no bulk_batch_size); PostgreSQL's protocol, message Bind: the number of
#            parameters is a 16-bit integer.
# Why it is met: prepared statements need server-side binding, and an import that worked for years fails once it is on.
# Fails when: the call with the BinaryField succeeds under the option, or one of the others fails.
# Needs:     the binaries of a PostgreSQL server (Debian: apt-get install postgresql).
set -euo pipefail
work=$(mktemp -d)
chmod 755 "$work"
bin=$(find /usr/lib/postgresql -name initdb -printf '%h\n' | sort -V | tail -1)
[ -n "$bin" ] || { echo "PostgreSQL's server is missing: apt-get install postgresql" >&2; exit 2; }
as=(env)
if [ "$(id -u)" = 0 ]; then as=(setpriv "--reuid=postgres" "--regid=postgres" --clear-groups); fi
mkdir -m 700 "$work/pg"
[ "$(id -u)" != 0 ] || chown postgres "$work/pg"
port=$((20000 + RANDOM % 20000))
(cd / && "${as[@]}" "$bin/initdb" -D "$work/pg/data" -U postgres -A trust --no-sync >/dev/null)
(cd / && "${as[@]}" "$bin/pg_ctl" -D "$work/pg/data" -w -l "$work/pg/log" \
    -o "-p $port -k $work/pg -c listen_addresses=127.0.0.1" start >/dev/null)
cleanup() {
    (cd / && "${as[@]}" "$bin/pg_ctl" -D "$work/pg/data" -m immediate stop >/dev/null) || true
    rm -rf "$work"
}
trap cleanup EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 'psycopg[binary]==3.3.9' 2>/dev/null
cat > "$work/try.py" <<PY
import sys

import django
from django.conf import settings

options = {"server_side_binding": True} if sys.argv[1] == "server" else {}
settings.configure(
    INSTALLED_APPS=[],
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres",
                           "HOST": "127.0.0.1", "PORT": $port, "OPTIONS": options}},
)
django.setup()
from django.db import DatabaseError, connection, models


class Plain(models.Model):
    first = models.IntegerField()
    second = models.IntegerField()

    class Meta:
        app_label = "none"


class WithBytes(models.Model):
    first = models.IntegerField()
    second = models.BinaryField()

    class Meta:
        app_label = "none"


with connection.schema_editor() as editor:
    editor.create_model(Plain)
    editor.create_model(WithBytes)


def tried(name, call):
    try:
        call()
        print(name, "works", end="; ")
    except DatabaseError as error:
        print(name, "fails:", str(error).rsplit(": ", 1)[-1], end="; ")


for model, value in ((Plain, int), (WithBytes, lambda n: b"x")):
    tried(model.__name__, lambda: model.objects.bulk_create(model(first=n, second=value(n)) for n in range(40_000)))
tried("in_bulk", lambda: Plain.objects.in_bulk(list(range(70_000))))
print("max_query_params:", connection.features.max_query_params, "rows:", WithBytes.objects.count())
with connection.schema_editor() as editor:
    editor.delete_model(Plain)
    editor.delete_model(WithBytes)
PY
client=$("$work/venv/bin/python" "$work/try.py" client)
server=$("$work/venv/bin/python" "$work/try.py" server)
echo "client-side: $client"
echo "server-side: $server"
[ "$client" = "Plain works; WithBytes works; in_bulk works; max_query_params: None rows: 40000" ] || exit 1
limit="number of parameters must be between 0 and 65535"
[ "$server" = "Plain works; WithBytes fails: $limit; in_bulk fails: $limit; max_query_params: None rows: 0" ] || exit 1
echo "As described."
