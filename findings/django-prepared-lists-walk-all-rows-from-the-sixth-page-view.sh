#!/usr/bin/env bash
# Django 5.2.19 with psycopg 3.3.9 on PostgreSQL: with prepared statements (OPTIONS = {"server_side_binding": True,
# "prepare_threshold": …}), a list with an index of its own is fast five times and then reads the whole table.
#
# Guess:     an index with a condition (Index(..., condition=Q(state__in=OPEN))) serves prepared statements as well, since
#            PostgreSQL compares the cost of a general plan with that of plans for the values, and keeps to the latter.
# Seen:      the oldest open rows, 50 of 3,000 among 300,000, are read by the index with the condition as long as statements are
#            planned for their values. From the sixth prepared execution on, the plan is a general one: states are values, so
#            nothing proves the condition of the index; and a guess of how many rows have one of three states says that
#            fifty of them are found at once by walking the index of all rows. Under LIMIT that looks cheaper than the other
#            plans. The same execution reads some hundred times as many pages of the database, in the same session for good.
# Source:    https://www.postgresql.org/docs/15/sql-prepare.html (generic and custom plans, plan_cache_mode);
#            https://www.psycopg.org/psycopg3/docs/advanced/prepare.html
# Why it is met: prepared statements are recommended for speed, and each list of open things has such an index; tests and the
#            first views of a page show nothing.
# Fails when: the later executions read fewer than ten times the pages of the first ones, or force_custom_plan does not help.
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
    -o "-p $port -k $work/pg -c listen_addresses=127.0.0.1 -c fsync=off" start >/dev/null)
cleanup() {
    (cd / && "${as[@]}" "$bin/pg_ctl" -D "$work/pg/data" -m immediate stop >/dev/null) || true
    rm -rf "$work"
}
trap cleanup EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check Django==5.2.19 'psycopg[binary]==3.3.9' 2>/dev/null
cat > "$work/try.py" <<PY
import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=[],
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres",
                           "HOST": "127.0.0.1", "PORT": $port,
                           "OPTIONS": {"server_side_binding": True, "prepare_threshold": 0}}},
)
django.setup()
from django.db import connection, models

OPEN = ["new", "active", "waiting"]


class Ticket(models.Model):
    state = models.CharField(max_length=10)
    changed = models.IntegerField(db_index=True)

    class Meta:
        app_label = "none"
        indexes = [models.Index(fields=["changed"], name="open_by_change", condition=models.Q(state__in=OPEN))]


with connection.schema_editor() as editor:
    editor.create_model(Ticket)
with connection.cursor() as cursor:  # what is open is new; the states of what has ended are many
    cursor.execute(
        "INSERT INTO none_ticket (state, changed) SELECT CASE WHEN n > 297000 THEN (ARRAY['new', 'active', 'waiting'])[1 + n % 3] "
        "ELSE (ARRAY['solved', 'closed', 'cancelled'])[1 + n % 3] END, n FROM generate_series(1, 300000) n"
    )
    cursor.execute("VACUUM ANALYZE none_ticket")


def pages():
    """How many pages of the table and its indexes PostgreSQL has read in this session."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            "SELECT heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit FROM pg_statio_user_tables "
            "WHERE relname = 'none_ticket'"
        )
        return cursor.fetchone()[0]


def views(times):
    """What each of so many views of the list reads."""
    found = []
    for _ in range(times):
        before = pages()
        assert len(list(Ticket.objects.filter(state__in=OPEN).order_by("changed")[:50])) == 50
        found.append(pages() - before)
    return found


read = views(10)
with connection.cursor() as cursor:
    cursor.execute("SET plan_cache_mode = force_custom_plan")
forced = views(3)
print(connection.cursor().execute("SHOW server_version").fetchone()[0].split()[0], read, "forced:", forced)
few, many = max(read[:5]), min(read[6:])
assert many > 10 * few, "the general plan is no longer chosen, or no longer slow"
assert max(forced) <= few, "force_custom_plan does not help"
PY
"$work/venv/bin/python" "$work/try.py"
echo "as described"
