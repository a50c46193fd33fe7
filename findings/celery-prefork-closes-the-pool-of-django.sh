#!/usr/bin/env bash
# Celery 5.7.0 with Django 5.2.19, psycopg 3.3.9 and psycopg-pool 3.3.3: under the prefork pool, Celery closes Django's
# whole pool of PostgreSQL sessions before and after every task.
#
# Guess:     with OPTIONS = {"pool": {"min_size": 1}}, a worker process opens one session and runs all its tasks over it.
# Seen:      twenty tasks of one process open forty sessions: each task starts a pool with its threads, which opens one
#            session, and a second one because a client is waiting. With CELERY_DB_REUSE_MAX, a setting that no page on
#            pools mentions, no further session is opened.
# Source:    celery/fixups/django.py: `close_database`, and `_close_database`, which calls `close_pool` under prefork.
# Why it is met: the pool of Django 5.1 and newer is turned on to save sessions, and Celery is where most of them arise.
# Fails when: twenty tasks open fewer than twenty sessions, or more than four with the setting.
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
worker=
cleanup() {
    [ -z "$worker" ] || { kill "$worker" 2>/dev/null; wait "$worker" 2>/dev/null; } || true
    (cd / && "${as[@]}" "$bin/pg_ctl" -D "$work/pg/data" -m immediate stop >/dev/null) || true
    rm -rf "$work"
}
trap cleanup EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    celery==5.7.0 Django==5.2.19 'psycopg[binary]==3.3.9' psycopg-pool==3.3.3 2>/dev/null
mkdir "$work/queue"
cat > "$work/app.py" <<PY
import os
from celery import Celery
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "app_settings")
app = Celery("app", broker="filesystem://")
app.conf.broker_transport_options = {"data_folder_in": "$work/queue", "data_folder_out": "$work/queue"}
if os.environ.get("REUSE"):
    app.conf["CELERY_DB_REUSE_MAX"] = 1_000_000

@app.task(ignore_result=True)
def count():
    from django.db import close_old_connections, connection
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO done VALUES (1)")
    close_old_connections()
PY
cat > "$work/app_settings.py" <<PY
SECRET_KEY = "x"
INSTALLED_APPS = []
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres",
    "HOST": "127.0.0.1", "PORT": $port, "OPTIONS": {"pool": {"min_size": 1, "max_size": 4}}}}
PY
cd "$work"
ask() { psql -h 127.0.0.1 -p "$port" -U postgres -Atc "$1"; }
ask "CREATE TABLE done (n int)" >/dev/null

sessions_of_twenty_tasks() {
    ask "TRUNCATE done" >/dev/null
    REUSE=$1 "$work/venv/bin/celery" -A app worker -P prefork -c 1 -l error >"$work/worker.log" 2>&1 &
    worker=$!
    "$work/venv/bin/python" -c "import app; app.count.delay()"
    for _ in $(seq 120); do [ "$(ask 'SELECT count(*) FROM done')" = 1 ] && break; sleep 0.5; done
    sleep 2
    local before after asked=0
    before=$(ask "SELECT sessions FROM pg_stat_database WHERE datname = 'postgres'")
    "$work/venv/bin/python" -c "import app; [app.count.delay() for _ in range(20)]"
    for _ in $(seq 120); do
        asked=$((asked + 1))
        [ "$(ask 'SELECT count(*) FROM done')" = 21 ] && break
        sleep 0.5
    done
    sleep 2
    after=$(ask "SELECT sessions FROM pg_stat_database WHERE datname = 'postgres'")
    kill "$worker"; wait "$worker" 2>/dev/null || true
    worker=
    echo $((after - before - asked - 1))  # without those of this script
}
plain=$(sessions_of_twenty_tasks "")
kept=$(sessions_of_twenty_tasks 1)
echo "new sessions for 20 tasks of one worker process: $plain; with CELERY_DB_REUSE_MAX: $kept"
[ "$plain" -ge 20 ] && [ "$kept" -le 4 ] || { echo "The behaviour has changed." >&2; exit 1; }
