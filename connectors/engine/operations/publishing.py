"""Publishing mappings and resuming connections. Neither writes anything to the vendor's system."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Max

from connectors.engine import outbox
from connectors.engine.inbound import refetch
from connectors.engine.mapping import field_names
from connectors.engine.outbound import parked_items
from connectors.models import Connection, FieldRule, Link, Mapping, NoteRule, StatusRule, ValueRule
from hub.core import wakeups
from hub.core.sentences import sentence
from hub.models import Priority, Publication, UnmappedValue, WaitsOn


@transaction.atomic
def publish_mapping(mapping: Mapping) -> Mapping:
    """Publish a draft, and read again what was held for an unmapped value; ValueError if it is not a draft."""
    mapping = Mapping.objects.select_for_update(of=("self",)).select_related("connection").get(pk=mapping.pk)
    if mapping.status != Publication.DRAFT:
        raise ValueError(
            sentence(
                "%(mapping)s is %(status)s and cannot be changed. Create a new draft.",
                mapping=mapping,
                status=mapping.get_status_display(),
            )
        )
    Mapping.objects.filter(connection=mapping.connection, status=Publication.PUBLISHED).update(
        status=Publication.RETIRED
    )
    mapping.status = Publication.PUBLISHED
    mapping.save(update_fields=["status"])
    connection = mapping.connection
    UnmappedValue.objects.filter(source=connection.public_id, resolved_at=None).delete()
    # Everything is read again as if it were new, because what was held may be mapped now.
    for link in Link.objects.filter(connection=connection, state=Link.State.ACTIVE):
        link.heard_at = None
        link.save(update_fields=["heard_at"])
        for item in link.outbound.filter(state="parked"):
            parked_items.retry(item)
    refetch.mark_dirty(connection)
    return mapping


@transaction.atomic
def new_mapping_version(mapping: Mapping) -> Mapping:
    """Create a draft with a copy of all rules."""
    last = Mapping.objects.filter(connection=mapping.connection).aggregate(last=Max("version"))["last"]
    draft = Mapping.objects.create(connection=mapping.connection, version=last + 1, pack=mapping.pack)
    for kind in (FieldRule, ValueRule, StatusRule, NoteRule):
        for rule in kind._default_manager.filter(mapping=mapping).order_by("pk"):
            rule.pk, rule.mapping = None, draft
            rule.save(force_insert=True)
    return draft


@transaction.atomic
def give_meaning(connection: Connection, *, field: str, value: str, meaning: str, waits_on: str = "") -> Mapping:
    """Map one of the vendor's values and publish the mapping, so that what was held for it continues.

    `meaning` is a verb for a status, a priority of ours, or an audience for a visibility. ValueError says what is
    wrong with it.
    """
    published = Mapping.objects.filter(connection=connection, status=Publication.PUBLISHED).first()
    if published is None:
        raise ValueError(sentence("%(connection)s has no mapping yet. Create one first.", connection=connection))
    draft = new_mapping_version(published)
    if field == "status" and meaning in StatusRule.Verb.values:
        if waits_on and waits_on not in WaitsOn.values:
            raise ValueError(sentence("A ticket cannot wait for “%(who)s”.", who=waits_on))
        if meaning == StatusRule.Verb.WAIT and not waits_on:
            raise ValueError(sentence("Choose who it waits for: this decides whose clock runs."))
        if waits_on and meaning != StatusRule.Verb.WAIT:
            raise ValueError(sentence("“Waiting for” can only be set for a status that means waiting."))
        StatusRule.objects.create(mapping=draft, theirs=value, label=value, verb=meaning, waits_on=waits_on)
    elif field == "priority" and meaning in Priority.values:
        ValueRule.objects.create(mapping=draft, field=field, ours=meaning, theirs=value, label=value)
    elif field == "visibility" and meaning in NoteRule.Audience.values:
        NoteRule.objects.create(mapping=draft, theirs=value, label=value, audience=meaning)
    else:
        raise ValueError(
            sentence(
                "“%(meaning)s” is not a valid meaning for %(field)s.",
                meaning=meaning,
                field=field_names.name_of(field),
            )
        )
    return publish_mapping(draft)


def seen_to(connection: Connection) -> None:
    """Mark the records missing from the vendor's list as handled."""
    Connection.objects.filter(pk=connection.pk).update(left_out="")


def resume(connection: Connection) -> None:
    """Resume a connection that was paused or locked out; its queue continues where it stopped."""
    Connection.objects.filter(pk=connection.pk).update(
        state=Connection.State.ACTIVE,
        failures=0,
        resting_until=None,
        last_error="",
        next_poll_at=None,
    )
    wakeups.wake()
    for link in Link.objects.filter(connection=connection, state=Link.State.ACTIVE, outbound__state="ready").distinct():
        outbox.wake(link)
