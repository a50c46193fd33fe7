"""Publishing calendars and contracts: a published version never changes; a change is a new version."""

from __future__ import annotations

from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from hub.core.ids import new_ulid
from hub.core.sentences import sentence
from hub.models import Calendar, Contract, Priority, Publication
from hub.translation import Refusal


class NotPublishable(Refusal):
    """The version cannot be published or retired; the message says why."""


@transaction.atomic
def publish_calendar(calendar: Calendar) -> Calendar:
    """Publish a draft. Contracts refer to one version of a calendar, so running clocks do not change."""
    calendar = Calendar.objects.select_for_update().get(pk=calendar.pk)
    _must_be_draft(calendar.status, calendar)
    try:
        calendar.full_clean()
    except ValidationError as error:
        raise NotPublishable(
            sentence("%(calendar)s: %(reason)s", calendar=calendar, reason=" ".join(error.messages))
        ) from error
    calendar.status = Publication.PUBLISHED
    calendar.save(update_fields=["status"])
    return calendar


@transaction.atomic
def publish_contract(contract: Contract) -> Contract:
    """Publish a draft and retire the previous version. Running clocks keep the version they started with."""
    contract = Contract.objects.select_for_update(of=("self",)).select_related("calendar").get(pk=contract.pk)
    _must_be_draft(contract.status, contract)
    if contract.calendar.status != Publication.PUBLISHED:
        raise NotPublishable(sentence("Publish the calendar %(calendar)s first.", calendar=contract.calendar))
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
            sentence(
                "%(contract)s is already in force for the same organisation and service. Make a new version of it, "
                "or retire it first.",
                contract=beside,
            )
        )
    if not contract.targets.exists():
        raise NotPublishable(sentence("%(contract)s has no targets. Add at least one.", contract=contract))
    Contract.objects.filter(name=contract.name, status=Publication.PUBLISHED).update(status=Publication.RETIRED)
    contract.status = Publication.PUBLISHED
    contract.save(update_fields=["status"])
    return contract


def priorities_without_goal(contract: Contract) -> list[str]:
    """The priorities for which no target of the contract has a goal: their tickets never breach it."""
    with_goal = contract.targets.filter(goal_seconds__isnull=False).values_list("priority", flat=True)
    return [priority for priority in Priority.values if priority not in set(with_goal)]


def _wrong_promiser(contract: Contract) -> str:
    """Why the organisation does not fit the kind of contract; empty if it does. An OLA can be of any organisation."""
    if contract.history_policy:
        return ""
    if contract.organisation is None:
        return sentence("Name the organisation that promises %(contract)s.", contract=contract)
    if contract.kind == Contract.Kind.SLA and not contract.organisation.is_us:
        return sentence(
            "%(contract)s is promised by %(organisation)s. An SLA is our own promise; a vendor's contract is a UC.",
            contract=contract,
            organisation=contract.organisation,
        )
    if contract.kind == Contract.Kind.UC and contract.organisation.is_us:
        return sentence(
            "%(contract)s is promised by us. A UC is a vendor's promise; our own contract is an SLA.", contract=contract
        )
    return ""


@transaction.atomic
def retire_contract(contract: Contract) -> Contract:
    """No new clock starts under the contract; running clocks keep it."""
    contract = Contract.objects.select_for_update().get(pk=contract.pk)
    if contract.status != Publication.PUBLISHED:
        raise NotPublishable(
            sentence("%(contract)s is not in force. Only a contract in force can be retired.", contract=contract)
        )
    contract.status = Publication.RETIRED
    contract.save(update_fields=["status"])
    return contract


@transaction.atomic
def new_calendar_version(calendar: Calendar) -> Calendar:
    """A draft with the same content."""
    return _copy(calendar)


@transaction.atomic
def new_contract_version(contract: Contract) -> Contract:
    """A draft with the same content, including the targets."""
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
        raise NotPublishable(
            sentence("%(what)s has been published and can no longer be changed. Make a new version of it.", what=what)
        )
