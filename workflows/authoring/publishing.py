"""Versions of a workflow: draft, published (final), fading, retired. In-flight work keeps its version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from hub.core.ids import new_ulid
from hub.domain import history, tickets
from hub.domain.actors import Actor
from hub.domain.policies import NotPublishable
from hub.models import EventKind, State, Ticket, User, Workflow, WorkflowVersion
from workflows.authoring import serialization, validation
from workflows.models import PolicyRecord

Status = WorkflowVersion.Status


class Faulty(NotPublishable):
    """The version cannot be published; every fault says where it is."""

    def __init__(self, faults: list[validation.Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


@transaction.atomic
def publish(version: WorkflowVersion, *, user: User | None, why: str, at: datetime) -> WorkflowVersion:
    """Make a draft the version that new tickets begin on; the one before it fades. Who and why is written down."""
    version = WorkflowVersion.objects.select_for_update(of=("self",)).select_related("workflow").get(pk=version.pk)
    if version.status != Status.DRAFT:
        raise NotPublishable(
            _("%(version)s is %(status)s and cannot be changed; create a new version.")
            % {
                "version": version,
                "status": version.get_status_display(),
            }
        )
    found = validation.faults(version)
    if found:
        raise Faulty(found)
    before = WorkflowVersion.objects.filter(workflow=version.workflow, status=Status.PUBLISHED).first()
    if before is not None:
        WorkflowVersion.objects.filter(pk=before.pk).update(status=Status.FADING)
    version.status = Status.PUBLISHED
    version.fingerprint = f"{serialization.digest(version)[:32]}.{new_ulid()}"
    version.save(update_fields=["status", "fingerprint"])
    changes = serialization.differences(before, version) if before is not None else []
    details = {
        "before": str(before or ""),
        "digest": serialization.digest(version),
        "changes": [[each.where, each.before, each.after] for each in changes[:200]],
    }
    PolicyRecord.objects.create(version=version, verb="published", user=user, why=why, at=at, details=details)
    return version


@transaction.atomic
def new_draft(version: WorkflowVersion) -> WorkflowVersion:
    """A draft that begins as a copy of everything in a version."""
    return serialization.taken_in(serialization.exported(version), workflow=version.workflow)


@transaction.atomic
def begin(workflow: Workflow) -> WorkflowVersion | None:
    """The first draft of a new workflow: a copy of what is in force in the standard one; None where nothing is."""
    standard = WorkflowVersion.objects.filter(workflow__is_default=True, status=Status.PUBLISHED).first()
    if standard is None:
        return None
    return serialization.taken_in(serialization.exported(standard), workflow=workflow)


@transaction.atomic
def retire(version: WorkflowVersion, *, user: User | None, why: str, at: datetime) -> WorkflowVersion:
    """End a fading version that no open ticket is on."""
    version = WorkflowVersion.objects.select_for_update(of=("self",)).get(pk=version.pk)
    if version.status != Status.FADING:
        raise NotPublishable(_("Only a version that is being phased out can be retired."))
    count = in_flight(version).count()
    if count:
        raise NotPublishable(_("%s open tickets are on it still; move them first, or let them end.") % count)
    version.status = Status.RETIRED
    version.save(update_fields=["status"])
    PolicyRecord.objects.create(version=version, verb="retired", user=user, why=why, at=at)
    return version


# -- moving what is in flight


def in_flight(version: WorkflowVersion) -> Any:
    return Ticket.objects.filter(
        status__version=version, imported_from__isnull=True, phase__in=["new", "active", "waiting", "resolved"]
    )


@dataclass(frozen=True, kw_only=True)
class Moved:
    """One state of the old version: how many tickets are in it, and where they would go."""

    state: State
    count: int
    target: State | None
    """None: nothing of that phase was chosen; its tickets stay."""


def preview(version: WorkflowVersion, to: WorkflowVersion, chosen: Mapping[str, str] | None = None) -> list[Moved]:
    """Where tickets of each state would go: the state that was chosen, of the same name, or where its phase begins."""
    chosen = dict(chosen or {})
    states = {state.slug: state for state in State.objects.filter(version=to)}
    found = []
    for state in State.objects.filter(version=version).order_by("position", "pk"):
        wanted = states.get(chosen.get(state.slug, state.slug))
        if wanted is None or wanted.phase != state.phase:
            wanted = next((s for s in states.values() if s.phase == state.phase and s.is_default), None)
        found.append(Moved(state=state, count=in_flight(version).filter(status=state).count(), target=wanted))
    return found


def move_tickets(
    version: WorkflowVersion,
    to: WorkflowVersion,
    *,
    chosen: Mapping[str, str] | None = None,
    user: User | None,
    why: str,
    at: datetime,
) -> int:
    """Take in-flight tickets to another version, one transaction each: stopped half-way, it is simply begun again."""
    to = WorkflowVersion.objects.get(pk=to.pk)
    if to.workflow_id != version.workflow_id or to.status != Status.PUBLISHED:
        raise NotPublishable(_("Tickets move to the published version of the same workflow."))
    targets = {each.state.pk: each.target for each in preview(version, to, chosen)}
    actor = Actor.person(user) if user is not None else Actor.system("workflow")
    moved = 0
    for pk in in_flight(version).order_by("pk").values_list("pk", flat=True):
        moved += _move(pk, version, targets, actor, at)
    PolicyRecord.objects.create(
        version=version, verb="moved", user=user, why=why, at=at, details={"to": str(to), "tickets": moved}
    )
    return moved


@transaction.atomic
def _move(pk: int, version: WorkflowVersion, targets: Mapping[int, State | None], actor: Actor, at: datetime) -> bool:
    ticket = tickets.locked(Ticket(pk=pk))
    target = targets.get(ticket.status_id)
    if target is None or ticket.status.version_id != version.pk or target.phase != ticket.phase:
        return False
    before, ticket.status = ticket.status, target
    ticket.save(update_fields=["status"])
    payload = {"before": str(before.version), "after": str(target.version), "status": target.slug}
    history.record(ticket=ticket, kind=EventKind.VERSION_MOVED, payload=payload, actor=actor, at=at)
    return True
