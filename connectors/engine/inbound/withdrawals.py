"""Withdraws the messages whose notes the vendor has deleted."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from connectors.engine.inbound.sync_context import SyncContext, differ, settle
from connectors.models import Binding, Lane, Link
from hub.core.sentences import sentence
from hub.domain import messages

GONE_AFTER = timedelta(seconds=20)
MOST_GONE = 3
"""If more notes are gone at once, the vendor has a fault, or our user's permissions were reduced."""


def withdrawn(context: SyncContext) -> None:
    """Withdraw the messages of notes that are missing twice in a row, and so were deleted by the vendor."""
    if any(not each.key for each in context.unread):
        return  # one of these may be the note that is missing
    there = {note.key for note in context.remote.notes or ()} | {each.key for each in context.unread}
    gone = _not_there(context, there)
    if any(each.is_gone for lane in context.bound.values() for each in lane.values()):
        context.link.bindings.filter(remote_key__in=there, gone_at__isnull=False).update(gone_at=None)
    if len(gone) > MOST_GONE:
        why = sentence("%(count)s of the vendor's notes are no longer visible to us; our copies stay.", count=len(gone))
        differ(context, "notes", str(len(gone)), why)
        return
    settle(context, "notes")
    at = timezone.now()
    for binding in gone:
        if binding.gone_at is None:
            Binding.objects.filter(pk=binding.pk).update(gone_at=at)
            look_at = at + GONE_AFTER
            Link.objects.filter(pk=context.link.pk).update(is_dirty=True, next_look_at=look_at)
        elif at - binding.gone_at >= GONE_AFTER:
            _withdraw(context, binding)


def _not_there(context: SyncContext, there: Collection[str]) -> list[Binding]:
    """The vendor's own notes that were bound, are not withdrawn, and are missing in the record."""
    missing = [key for key, each in context.bound[Lane.NOTES].items() if each.fingerprint and key not in there]
    if not missing:
        return []
    bound = context.link.bindings.filter(lane=Lane.NOTES, message__isnull=False, message__withdrawn_at=None)
    theirs = bound.filter(remote_key__in=missing, message__author_organisation=context.leg.organisation)
    return list(theirs.exclude(fingerprint="").select_related("message"))


def _withdraw(context: SyncContext, binding: Binding) -> None:
    """Withdraw a message, and write a correction for everybody who may have read it."""
    before = binding.message
    assert before is not None
    actor = context.actor(before.author_name)
    messages.withdraw(
        message=before, reason=_("deleted by the vendor"), actor=actor, at=context.at, origin=context.origin
    )
    said = messages.say(
        ticket=before.ticket,
        body=_("(This message was deleted by its author.)"),
        actor=actor,
        at=context.at,
        author_name=before.author_name,
        is_for_requester=before.is_for_requester,
        legs=list(before.legs.all()),
        origin=context.origin,
        supersedes=before,
    )
    Binding.objects.filter(pk=binding.pk).update(message=said, fingerprint="")
