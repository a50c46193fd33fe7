"""Versions of a workflow: draft, published and immutable, superseded, retired. Open tickets keep their version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hub.core.ids import new_ulid
from hub.domain import history, tickets
from hub.domain.actors import Actor
from hub.domain.policies import NotPublishable
from hub.models import EventKind, State, Ticket, User, Workflow, WorkflowVersion
from workflows.authoring import comparison, serialization, validation
from workflows.models import PolicyRecord

Status = WorkflowVersion.Status


class Faulty(NotPublishable):
    """The version cannot be published; `faults` lists what is wrong, with its place."""

    def __init__(self, faults: list[validation.Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


@transaction.atomic
def publish(version: WorkflowVersion, *, user: User | None, why: str, at: datetime) -> WorkflowVersion:
    """Publish a draft: new tickets use it, and it supersedes the previous version. User and reason are recorded."""
    version = WorkflowVersion.objects.select_for_update(of=("self",)).select_related("workflow").get(pk=version.pk)
    if version.status != Status.DRAFT:
        raise NotPublishable(
            _("%(version)s is %(status)s and cannot be changed; create a new draft.")
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
    with translation.override("en"):  # the record is in English, whatever language the user reads
        changes = comparison.differences(before, version) if before is not None else []
    details = {
        "before": str(before or ""),
        "digest": serialization.digest(version),
        "changes": [[each.where, each.before, each.after] for each in changes[:200]],
    }
    PolicyRecord.objects.create(version=version, verb="published", user=user, why=why, at=at, details=details)
    return version


@transaction.atomic
def new_draft(version: WorkflowVersion) -> WorkflowVersion:
    """Create a draft as a complete copy of a version."""
    return serialization.taken_in(serialization.exported(version), workflow=version.workflow)


@transaction.atomic
def begin(workflow: Workflow) -> WorkflowVersion | None:
    """Create the first draft of a new workflow as a copy of the published standard version; None if there is none."""
    standard = WorkflowVersion.objects.filter(workflow__is_default=True, status=Status.PUBLISHED).first()
    if standard is None:
        return None
    return serialization.taken_in(serialization.exported(standard), workflow=workflow)


@transaction.atomic
def retire(version: WorkflowVersion, *, user: User | None, why: str, at: datetime) -> WorkflowVersion:
    """Retire a superseded version that no open ticket uses."""
    version = WorkflowVersion.objects.select_for_update(of=("self",)).get(pk=version.pk)
    if version.status != Status.FADING:
        raise NotPublishable(_("Only a superseded version can be retired."))
    count = in_flight(version).count()
    if count:
        text = ngettext(
            "%(count)d open ticket still uses this version. Move it first, or wait until it is closed.",
            "%(count)d open tickets still use this version. Move them first, or wait until they are closed.",
            count,
        )
        raise NotPublishable(text % {"count": count})
    version.status = Status.RETIRED
    version.save(update_fields=["status"])
    PolicyRecord.objects.create(version=version, verb="retired", user=user, why=why, at=at)
    return version


# -- moving open tickets


def in_flight(version: WorkflowVersion) -> Any:
    """The tickets that use a version and are not closed or cancelled."""
    return Ticket.objects.filter(
        status__version=version, imported_from__isnull=True, phase__in=["new", "active", "waiting", "resolved"]
    )


@dataclass(frozen=True, kw_only=True)
class Moved:
    """One status of the old version: how many tickets have it, and which status they would get."""

    state: State
    count: int
    target: State | None
    """None: the new version has no status for that phase; the tickets stay on the old version."""


def preview(version: WorkflowVersion, to: WorkflowVersion, chosen: Mapping[str, str] | None = None) -> list[Moved]:
    """The new status for each old one: the chosen one, the one with the same slug, or the first one of its phase."""
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
    """Move open tickets to the published version, each in its own transaction. If interrupted, call it again."""
    to = WorkflowVersion.objects.get(pk=to.pk)
    if to.workflow_id != version.workflow_id or to.status != Status.PUBLISHED:
        raise NotPublishable(_("Tickets can only be moved to the published version of the same workflow."))
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
    payload = {"before": str(before.version), "after": str(target.version), "status": target.slug}
    history.record(ticket=ticket, kind=EventKind.VERSION_MOVED, payload=payload, actor=actor, at=at, saving=["status"])
    return True
