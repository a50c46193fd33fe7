"""Publishing policy: a published version never changes; a change is a new version."""

from __future__ import annotations

from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from hub.models import Calendar, Contract, Publication
from hub.models.fields import new_ulid


class NotPublishable(Exception):
    """This version cannot be published; the message says why."""


@transaction.atomic
def publish_calendar(calendar: Calendar) -> Calendar:
    """Make a draft final. Contracts name a version, so nothing that runs changes."""
    calendar = Calendar.objects.select_for_update().get(pk=calendar.pk)
    _must_be_draft(calendar.status, calendar)
    try:
        calendar.full_clean()
    except ValidationError as error:
        raise NotPublishable(f"{calendar}: {' '.join(error.messages)}") from error
    calendar.status = Publication.PUBLISHED
    calendar.save(update_fields=["status"])
    return calendar


@transaction.atomic
def publish_contract(contract: Contract) -> Contract:
    """Make a draft final; the version before it is retired. Clocks that run keep the version they began with."""
    contract = Contract.objects.select_for_update(of=("self",)).select_related("calendar").get(pk=contract.pk)
    _must_be_draft(contract.status, contract)
    if contract.calendar.status != Publication.PUBLISHED:
        raise NotPublishable(f"Publish its calendar {contract.calendar} first.")
    if not contract.targets.exists():
        raise NotPublishable(f"{contract} has no targets: nothing would be measured.")
    Contract.objects.filter(name=contract.name, status=Publication.PUBLISHED).update(status=Publication.RETIRED)
    contract.status = Publication.PUBLISHED
    contract.save(update_fields=["status"])
    return contract


@transaction.atomic
def new_calendar_version(calendar: Calendar) -> Calendar:
    """A draft that begins as a copy."""
    return _copy(calendar)


@transaction.atomic
def new_contract_version(contract: Contract) -> Contract:
    """A draft that begins as a copy, targets included."""
    targets = list(contract.targets.all())
    draft = _copy(contract)
    for target in targets:
        target.pk, target.contract = None, draft
        target.save(force_insert=True)
    return draft


Versioned = TypeVar("Versioned", Calendar, Contract)


def _copy(row: Versioned) -> Versioned:
    kind = type(row)
    found = kind._default_manager.get(pk=row.pk)
    last = kind._default_manager.filter(name=row.name).aggregate(last=Max("version"))["last"]
    found.pk, found.public_id = None, new_ulid()
    found.version, found.status = last + 1, Publication.DRAFT
    found.save(force_insert=True)
    return found


def _must_be_draft(status: str, what: object) -> None:
    if status != Publication.DRAFT:
        raise NotPublishable(f"{what} is {status} and stays as it is; make a new version of it.")
