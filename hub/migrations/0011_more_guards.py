"""More of what the schema cannot say: no vendor at our own organisation, and no TRUNCATE of the record.

A session may allow TRUNCATE to itself (``SET hub.allow_truncate = 'on'``): the test runner, the bench and the
demonstration do, each on a database of its own.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

POSTGRESQL = """
CREATE FUNCTION hub_no_vendor_is_us() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.role = 'vendor' AND EXISTS (SELECT FROM hub_organisation WHERE id = NEW.organisation_id AND is_us) THEN
        RAISE EXCEPTION 'nobody is a vendor at our own organisation' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hub_no_vendor_is_us BEFORE INSERT OR UPDATE ON hub_membership
    FOR EACH ROW EXECUTE FUNCTION hub_no_vendor_is_us();
CREATE FUNCTION hub_we_have_no_vendors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.is_us AND EXISTS (SELECT FROM hub_membership WHERE organisation_id = NEW.id AND role = 'vendor') THEN
        RAISE EXCEPTION 'nobody is a vendor at our own organisation' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hub_we_have_no_vendors BEFORE UPDATE ON hub_organisation
    FOR EACH ROW EXECUTE FUNCTION hub_we_have_no_vendors();
CREATE FUNCTION hub_event_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('hub.allow_truncate', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'events are append-only';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER hub_event_no_truncate BEFORE TRUNCATE ON hub_event
    FOR EACH STATEMENT EXECUTE FUNCTION hub_event_no_truncate();
"""
NOT_ON_POSTGRESQL = """
DROP TRIGGER hub_no_vendor_is_us ON hub_membership; DROP FUNCTION hub_no_vendor_is_us();
DROP TRIGGER hub_we_have_no_vendors ON hub_organisation; DROP FUNCTION hub_we_have_no_vendors();
DROP TRIGGER hub_event_no_truncate ON hub_event; DROP FUNCTION hub_event_no_truncate();
"""
ON_MEMBERSHIP = """
CREATE TRIGGER hub_no_vendor_is_us_%(verb)s BEFORE %(verb)s ON hub_membership
WHEN NEW.role = 'vendor' AND EXISTS (SELECT 1 FROM hub_organisation WHERE id = NEW.organisation_id AND is_us)
BEGIN SELECT RAISE(ABORT, 'nobody is a vendor at our own organisation'); END
"""
SQLITE = {
    "hub_no_vendor_is_us_insert": ON_MEMBERSHIP % {"verb": "insert"},
    "hub_no_vendor_is_us_update": ON_MEMBERSHIP % {"verb": "update"},
    "hub_we_have_no_vendors": """
        CREATE TRIGGER hub_we_have_no_vendors BEFORE UPDATE ON hub_organisation
        WHEN NEW.is_us AND EXISTS (SELECT 1 FROM hub_membership WHERE organisation_id = NEW.id AND role = 'vendor')
        BEGIN SELECT RAISE(ABORT, 'nobody is a vendor at our own organisation'); END
    """,
}


def end_what_is_there(apps: Any, schema_editor: Any) -> None:
    """Such a membership never was meant; whoever had one keeps their other memberships."""
    apps.get_model("hub", "Membership").objects.filter(role="vendor", organisation__is_us=True).delete()


def guard(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL)
    else:
        for statement in SQLITE.values():
            schema_editor.execute(statement)


def unguard(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(NOT_ON_POSTGRESQL)
    else:
        for name in SQLITE:
            schema_editor.execute(f"DROP TRIGGER {name}")


class Migration(migrations.Migration):
    dependencies = [("hub", "0010_accounts")]

    operations = [
        migrations.RunPython(end_what_is_there, migrations.RunPython.noop),
        migrations.RunPython(guard, unguard),
    ]
