"""Publishing policy: a published version never changes; a change is a new version."""

from __future__ import annotations

from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from hub.core.ids import new_ulid
from hub.models import Calendar, Contract, Publication


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
    if wrong := _wrong_promiser(contract):
        raise NotPublishable(wrong)
    beside = (
        Contract.objects.filter(
            kind=contract.kind,
            organisation=contract.organisation,
            service=contract.service,
            status=Publication.PUBLISHED,
            history_policy="",
        )
        .exclude(name=contract.name)
        .first()
    )
    if beside is not None:
        raise NotPublishable(
            f"{beside} is in force for the same; only one can be. Make a new version of it, or retire it first."
        )
    if not contract.targets.exists():
        raise NotPublishable(f"{contract} has no targets: nothing would be measured.")
    Contract.objects.filter(name=contract.name, status=Publication.PUBLISHED).update(status=Publication.RETIRED)
    contract.status = Publication.PUBLISHED
    contract.save(update_fields=["status"])
    return contract


def _wrong_promiser(contract: Contract) -> str:
    """An SLA is our own promise, a UC one that is made to us; an OLA is made by a team, of ours or of a vendor."""
    if contract.history_policy:
        return ""
    if contract.organisation is None:
        return f"Say who promises {contract}."
    if contract.kind == Contract.Kind.SLA and not contract.organisation.is_us:
        return f"{contract} is promised by {contract.organisation}; an SLA is our own promise, theirs is a UC."
    if contract.kind == Contract.Kind.UC and contract.organisation.is_us:
        return f"{contract} is promised by us; a UC is what a vendor promises, ours is an SLA."
    return ""


@transaction.atomic
def retire_contract(contract: Contract) -> Contract:
    """Nothing new begins by it; clocks that run keep it."""
    contract = Contract.objects.select_for_update().get(pk=contract.pk)
    if contract.status != Publication.PUBLISHED:
        raise NotPublishable(f"{contract} is {contract.status}; only what is in force can be retired.")
    contract.status = Publication.RETIRED
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
