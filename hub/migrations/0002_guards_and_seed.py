"""What the schema cannot say: append-only events, the ticket numbers, and the workflow everybody starts with.

On PostgreSQL a trigger refuses changes to events; erasing what a person wrote (texts, salt) stays
possible. SQLite has the refusal of the model.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

APPEND_ONLY = """
CREATE FUNCTION hub_event_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (to_jsonb(NEW) - 'texts' - 'salt') = (to_jsonb(OLD) - 'texts' - 'salt') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'events are append-only';
END $$;
CREATE TRIGGER hub_event_append_only BEFORE UPDATE OR DELETE ON hub_event
    FOR EACH ROW EXECUTE FUNCTION hub_event_append_only();
"""
ANY_CHANGE = "DROP TRIGGER hub_event_append_only ON hub_event; DROP FUNCTION hub_event_append_only();"

STATES = [
    ("new", "New", "new"),
    ("in-progress", "In progress", "active"),
    ("waiting", "Waiting for the requester", "waiting"),
    ("resolved", "Resolved", "resolved"),
    ("closed", "Closed", "closed"),
    ("cancelled", "Cancelled", "cancelled"),
]


def guard(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(APPEND_ONLY)
        schema_editor.execute("CREATE SEQUENCE hub_ticket_sequence START 1001")
    else:
        apps.get_model("hub", "Sequence").objects.get_or_create(name="ticket", defaults={"last": 1000})


def unguard(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(ANY_CHANGE)
        schema_editor.execute("DROP SEQUENCE hub_ticket_sequence")


def seed(apps: Any, schema_editor: Any) -> None:
    workflow = apps.get_model("hub", "Workflow").objects.create(name="Standard", is_default=True)
    version = apps.get_model("hub", "WorkflowVersion").objects.create(workflow=workflow, number=1, status="published")
    State = apps.get_model("hub", "State")
    State.objects.bulk_create(
        State(version=version, slug=slug, name=name, phase=phase, position=position, is_default=True)
        for position, (slug, name, phase) in enumerate(STATES)
    )


class Migration(migrations.Migration):
    dependencies = [("hub", "0001_record")]

    operations = [
        migrations.RunPython(guard, unguard),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
