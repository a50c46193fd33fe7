"""The mapping that the wizard's mapping page writes: always a draft, published only when the connection goes live."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models import Max

from connectors.engine.mapping import mapping_suggestions
from connectors.engine.mapping.mapping_suggestions import NoteProposal, StatusProposal
from connectors.models import Connection, FieldRule, Mapping, NoteRule, StatusRule, ValueRule
from connectors.wizard.forms.mapping import WordsForm
from connectors.wizard.forms.settings import Picklists
from hub.models import Priority, Publication


def newest(connection: Connection) -> Mapping | None:
    """The newest draft, or the published mapping if there is no draft."""
    rows = Mapping.objects.filter(connection=connection).exclude(status=Publication.RETIRED)
    return rows.filter(status=Publication.DRAFT).order_by("-version").first() or rows.first()


def proposals(
    connection: Connection, choices: Picklists
) -> tuple[list[StatusProposal], dict[str, str], list[NoteProposal]]:
    """The initial values of the mapping page: what is mapped already, and suggestions for new values."""
    statuses = mapping_suggestions.statuses(choices.get("status", ()))
    priorities = mapping_suggestions.priorities(choices.get("priority", ()))
    notes = mapping_suggestions.notes(choices.get("visibility", ()))
    mapping = newest(connection)
    if mapping is None:
        return statuses, priorities, notes
    known = {rule.theirs: rule for rule in mapping.statuses.all()}
    audiences = {rule.theirs: rule for rule in mapping.notes.all()}
    said = {(rule.says, rule.place) for rule in known.values()}
    return (
        [_as_known(row, known.get(row.choice.value), said) for row in statuses],
        priorities | {rule.ours: rule.theirs for rule in mapping.values.all()},
        [_as_written(row, audiences.get(row.choice.value)) for row in notes],
    )


def _as_known(row: StatusProposal, rule: StatusRule | None, said: set[tuple[str, str]]) -> StatusProposal:
    if rule is None:
        is_said = (row.says, row.choice.place) in said or (row.says, "") in said
        return replace(row, says="" if is_said else row.says)
    # What an admin has decided is no longer doubtful.
    return replace(row, verb=rule.verb, waits_on=rule.waits_on, says=rule.says, ground="", is_doubtful=False)


def _as_written(row: NoteProposal, rule: NoteRule | None) -> NoteProposal:
    if rule is None:
        return replace(row, is_written=False, is_written_for_legs=False, is_written_for_vendor=False)
    return replace(
        row,
        audience=rule.audience,
        is_written=rule.is_written,
        is_written_for_legs=rule.is_written_for_legs,
        is_written_for_vendor=rule.is_written_for_vendor,
    )


def pack(connection: Connection, notes: list[NoteProposal]) -> str:
    """Where the hand-off pack goes: as mapped already, or else as suggested."""
    mapping = newest(connection)
    return mapping.pack if mapping is not None else mapping_suggestions.pack(notes)


@transaction.atomic
def write(connection: Connection, form: WordsForm) -> Mapping:
    """Save the form as a new draft; the field rules are taken over from the newest mapping."""
    before = newest(connection)
    fields = list(before.fields.values_list("field", "direction", "authority", "sync_when")) if before else []
    Mapping.objects.filter(connection=connection, status=Publication.DRAFT).delete()
    last = Mapping.objects.filter(connection=connection).aggregate(last=Max("version"))["last"] or 0
    draft = Mapping.objects.create(connection=connection, version=last + 1, pack=form.cleaned_data["pack"])
    FieldRule.objects.bulk_create(
        FieldRule(mapping=draft, field=field, direction=direction, authority=authority, sync_when=when)
        for field, direction, authority, when in fields or mapping_suggestions.FIELDS
    )
    said = form.cleaned_data
    labels = {choice.value: choice.label for choice in form.choices.get("priority", ())}
    ValueRule.objects.bulk_create(
        ValueRule(mapping=draft, field="priority", ours=ours, theirs=theirs, label=labels.get(theirs, ""))
        for ours, theirs in _once((ours, said.get(f"priority_{ours}") or "") for ours in Priority.values)
    )
    for index, row in enumerate(form.statuses):
        if said.get(f"verb_{index}"):
            StatusRule.objects.create(
                mapping=draft,
                theirs=row.choice.value,
                label=row.choice.label[:100],
                verb=said[f"verb_{index}"],
                waits_on=said.get(f"waits_{index}") or "",
                says=said.get(f"says_{index}") or "",
                place=row.choice.place[:100],
            )
    for index, note in enumerate(form.notes):
        if said.get(f"audience_{index}"):
            NoteRule.objects.create(
                mapping=draft,
                theirs=note.choice.value,
                label=note.choice.label[:100],
                audience=said[f"audience_{index}"],
                is_written=bool(said.get(f"written_{index}")),
                is_written_for_legs=bool(said.get(f"legs_{index}")),
                is_written_for_vendor=bool(said.get(f"vendor_{index}")),
            )
    return draft


def _once(pairs: Any) -> list[tuple[str, str]]:
    """Pairs that have a counterpart. Two of our values may share one of the vendor's, which is read as the first."""
    return [(ours, theirs) for ours, theirs in pairs if theirs]
