"""Publishing a mapping, and making a connection live. Neither writes anything at the vendor."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Max

from connectors.engine import outbox
from connectors.engine.inbound import looks
from connectors.models import Connection, FieldRule, Link, Mapping, NoteRule, StatusRule, ValueRule
from hub.core.sentences import sentence
from hub.models import Priority, Publication, UnmappedValue, WaitsOn


@transaction.atomic
def publish_mapping(mapping: Mapping) -> Mapping:
    """Make a draft the mapping in force; what waited for a meaning is looked at again."""
    mapping = Mapping.objects.select_for_update(of=("self",)).select_related("connection").get(pk=mapping.pk)
    if mapping.status != Publication.DRAFT:
        raise ValueError(
            sentence(
                "%(mapping)s is %(status)s and cannot be changed; make a new version.",
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
    # Everything is read again as if it were new: what was held is understood now.
    for link in Link.objects.filter(connection=connection, state=Link.State.ACTIVE):
        link.heard_at = None
        link.save(update_fields=["heard_at"])
        for item in link.outbound.filter(state="parked"):
            outbox.retry(item)
    looks.mark_dirty(connection)
    return mapping


@transaction.atomic
def new_mapping_version(mapping: Mapping) -> Mapping:
    """A draft that begins as a copy of all its rules."""
    last = Mapping.objects.filter(connection=mapping.connection).aggregate(last=Max("version"))["last"]
    draft = Mapping.objects.create(connection=mapping.connection, version=last + 1, pack=mapping.pack)
    for kind in (FieldRule, ValueRule, StatusRule, NoteRule):
        for rule in kind._default_manager.filter(mapping=mapping).order_by("pk"):
            rule.pk, rule.mapping = None, draft
            rule.save(force_insert=True)
    return draft


@transaction.atomic
def give_meaning(connection: Connection, *, field: str, value: str, meaning: str, waits_on: str = "") -> Mapping:
    """Map one value of theirs and publish: what waited for it goes on. ValueError says what does not fit.

    `meaning` is a verb for a status, a priority of ours, or an audience for a visibility.
    """
    published = Mapping.objects.filter(connection=connection, status=Publication.PUBLISHED).first()
    if published is None:
        raise ValueError(sentence("%(connection)s has no mapping yet; make one first.", connection=connection))
    draft = new_mapping_version(published)
    if field == "status" and meaning in StatusRule.Verb.values:
        if waits_on and waits_on not in WaitsOn.values:
            raise ValueError(sentence("A ticket cannot wait on “%(who)s”.", who=waits_on))
        if (meaning == StatusRule.Verb.WAIT) != bool(waits_on):
            raise ValueError(sentence("Choose who it waits on, only for a status that means waiting."))
        StatusRule.objects.create(mapping=draft, theirs=value, label=value, verb=meaning, waits_on=waits_on)
    elif field == "priority" and meaning in Priority.values:
        ValueRule.objects.create(mapping=draft, field=field, ours=meaning, theirs=value, label=value)
    elif field == "visibility" and meaning in NoteRule.Audience.values:
        NoteRule.objects.create(mapping=draft, theirs=value, label=value, audience=meaning)
    else:
        raise ValueError(sentence("“%(meaning)s” is not a meaning of a %(field)s.", meaning=meaning, field=field))
    return publish_mapping(draft)


def seen_to(connection: Connection) -> None:
    """Somebody has looked for what their list did not show."""
    Connection.objects.filter(pk=connection.pk).update(left_out="")


def resume(connection: Connection) -> None:
    """Let a connection that was paused or locked out go on; its queue is as it was."""
    Connection.objects.filter(pk=connection.pk).update(
        state=Connection.State.ACTIVE,
        failures=0,
        resting_until=None,
        last_error="",
        next_poll_at=None,
    )
    for link in Link.objects.filter(connection=connection, state=Link.State.ACTIVE, outbound__state="ready").distinct():
        outbox.wake(link)
