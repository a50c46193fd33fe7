"""The events of tickets: append-only, numbered and hash-chained per ticket."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from .organisation import Organisation
from .ticket import Ticket


class ActorKind(models.TextChoices):
    PERSON = "person", _("person")
    VENDOR = "vendor", _("vendor")
    TIMER = "timer", _("timer")
    SYSTEM = "system", _("system")
    API = "api", _("API")


class EventKind(models.TextChoices):
    """Every kind of event. The comment above a kind lists the keys of its payload.

    Payloads hold integers, strings, and lists and mappings of them; organisations, engagements, messages and tickets
    are named by their public ids, times are ISO 8601 or Unix seconds. `texts` hold what a person wrote, so that it can
    be erased without breaking the chain.
    """

    # number, kind, priority, service, owner, requester_organisation, status (slug); texts: title, description
    TICKET_OPENED = "ticket.opened", _("opened")
    # changed: {field: [before, after]} of all fields but the texts, fields (names); texts: new title, description
    TICKET_EDITED = "ticket.edited", _("edited")
    # before, after, reason
    PRIORITY_CHANGED = "ticket.priority_changed", _("priority changed")
    # verb, before, after (phases), status (slug), reason, waits_on, rule (only if a transition of the policy led here),
    # code (how it was resolved), is_shared (0 if later organisations do not receive the resolution); texts: resolution
    TICKET_MOVED = "ticket.moved", _("phase changed")
    # leg, organisation, given_by, is_lead, is_blocking, deadline, is_held (only if the offer is sent later, because it
    # can be undone); texts: reason
    LEG_OFFERED = "leg.offered", _("offered")
    # leg, organisation, is_lead: the ticket was opened in this vendor's system
    LEG_BORN = "leg.born", _("opened in the vendor's system")
    # leg, organisation, remote (key of the vendor's record)
    LEG_DELIVERED = "leg.delivered", _("delivered")
    # leg, organisation; of leg.resumed also is_unreached: the vendor's system has not received the update yet,
    # and is_held, as above
    LEG_ACCEPTED = "leg.accepted", _("accepted")
    LEG_STARTED = "leg.started", _("started")
    LEG_RESUMED = "leg.resumed", _("resumed")
    LEG_REOPENED = "leg.reopened", _("reopened")
    LEG_EXPIRED = "leg.expired", _("expired")
    # leg, organisation; texts: reason; of leg.declined and leg.returned also code (a ReasonCode or empty)
    LEG_DECLINED = "leg.declined", _("declined")
    LEG_RECALLED = "leg.recalled", _("recalled")
    LEG_RETURNED = "leg.returned", _("returned")
    # leg, organisation, is_shared (0 if later organisations do not receive the resolution); texts: resolution
    LEG_DONE = "leg.done", _("done")
    # leg, organisation, waits_on, waits_on_organisation, reason
    LEG_WAITING = "leg.waiting", _("waiting")
    # leg, organisation: our last update has reached the vendor's system
    LEG_REACHED = "leg.reached", _("update delivered")
    # leg, organisation: this open engagement leads from now on; texts: reason
    LEG_LEADS = "leg.leads", _("takes the lead")
    # leg, organisation
    DOOR_OPENED = "door.opened", _("guest link opened")
    DOOR_CLOSED = "door.closed", _("guest link closed")
    # message, author_kind, organisation, is_for_requester, legs, is_for_later_legs, supersedes; the body's digest is
    # chained
    MESSAGE_ADDED = "message.added", _("message")
    # message, reason
    MESSAGE_WITHDRAWN = "message.withdrawn", _("message withdrawn")
    # attachment, message, sha256, size; texts: name
    ATTACHMENT_ADDED = "attachment.added", _("attachment")
    # alert (its key), connection, severity; texts: title, written_at (the time as the tool wrote it)
    ALERT_FIRED = "alert.fired", _("alert")
    ALERT_RECOVERED = "alert.recovered", _("alert ended")
    # as above; texts also: author, said (the comment of the person who acknowledged the alert)
    ALERT_ACKNOWLEDGED = "alert.acknowledged", _("acknowledged in the monitoring tool")
    # kind, from, to (public ids of tickets), other (label of the other ticket), is_from
    TICKET_RELATED = "ticket.related", _("relation added")
    # verb, before, after (slugs), reason: another status of the same phase
    STATUS_CHANGED = "ticket.status_changed", _("status changed")
    # as above: the relation was taken back
    TICKET_UNRELATED = "ticket.unrelated", _("relation removed")
    # team, assignee, to (the name of the assignee or team)
    TICKET_ASSIGNED = "ticket.assigned", _("assigned")
    # task, assignee (public id of a user), due; texts: title
    TASK_ADDED = "task.added", _("task added")
    TASK_DONE = "task.done", _("task done")
    # before, after (workflow versions), status (slug)
    VERSION_MOVED = "ticket.version_moved", _("moved to another version of the workflow")
    # is_major
    MAJOR_CHANGED = "ticket.major", _("major incident changed")
    # rule, what, result: an action of a rule that leaves no other event
    RULE_ACTED = "rule.acted", _("rule")
    # escalation, name, step (from 1), run; texts: why
    ESCALATED = "escalation.step", _("escalated")
    # escalation, name, run
    ESCALATION_ACKNOWLEDGED = "escalation.acknowledged", _("escalation acknowledged")
    # triage, deadline, owner (public id of a user), cause; texts: reason
    TRIAGE_STARTED = "triage.started", _("joint triage started")
    # triage, organisation; texts: decision
    TRIAGE_DECIDED = "triage.decided", _("joint triage decided")
    # leg, organisation, code: a return beyond the limit; texts: reason
    RETURN_BLOCKED = "return.blocked", _("return blocked")
    # leg, organisation
    COMPLETION_APPROVED = "completion.approved", _("completion approved")
    # events (their seq), reason: the texts of these events were erased, their digests stay
    TEXTS_ERASED = "texts.erased", _("texts erased")
    # events (their seq), kinds (of these events): the action that recorded them was undone, and they no longer count
    ACTION_UNDONE = "action.undone", _("undone")
    # legs: an action that offered the ticket to these engagements, or resumed them, can no longer be undone
    ACTION_SENT = "action.sent", _("sent")
    # row, line, status, class, team, party, organisation, organisation_name, priority, changed; of the first row also
    # opened_at and policy_priority, of the last one closed_at; version and raw_at if the log has them
    HISTORY_ROW = "history.row", _("imported record")


def undone_by(events: Iterable[Event]) -> set[int]:
    """The `seq` of the events of one ticket that were undone, as far as these events say."""
    return {seq for event in events if event.kind == EventKind.ACTION_UNDONE for seq in event.payload["events"]}


def undone_on(ticket: Ticket) -> set[int]:
    """The `seq` of all events of the ticket that were undone."""
    return undone_by(Event.objects.filter(ticket=ticket, kind=EventKind.ACTION_UNDONE))


class EventQuerySet(models.QuerySet["Event"]):
    def update(self, **_changes: Any) -> NoReturn:
        raise TypeError("Events are append-only.")

    def delete(self) -> NoReturn:
        raise TypeError("Events are append-only.")


class Event(models.Model):
    """One thing that happened to a ticket. Written once, never updated.

    `occurred_at` is when it happened, in whichever system; `recorded_at` is when the hub recorded it. `origin` is the
    public id of the connection or import it came from. `hash` covers everything but the texts, which are covered by
    their digests.
    """

    ticket = models.ForeignKey(Ticket, models.PROTECT, related_name="events", verbose_name=_("ticket"))
    seq = models.PositiveIntegerField(_("number in the ticket"))
    kind = models.CharField(_("kind"), max_length=32, choices=EventKind)
    actor_kind = models.CharField(_("kind of actor"), max_length=16, choices=ActorKind)
    actor_id = models.CharField(_("id of the actor"), max_length=64, blank=True)
    actor_name = models.CharField(_("actor"), max_length=150, blank=True)
    actor_organisation = models.ForeignKey(
        Organisation, models.PROTECT, null=True, related_name="+", verbose_name=_("organisation of the actor")
    )
    origin = models.CharField(_("origin"), max_length=26, blank=True)
    occurred_at = models.DateTimeField(_("occurred at"))
    recorded_at = models.DateTimeField(_("recorded at"))
    payload = models.JSONField(_("payload"), default=dict)
    texts = models.JSONField(_("texts"), default=dict)
    digests = models.JSONField(_("digests"), default=dict)
    salt = models.CharField(_("salt"), max_length=32, blank=True)
    previous_hash = models.CharField(_("previous hash"), max_length=64, blank=True)
    hash = models.CharField(_("hash"), max_length=64)

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [
            models.UniqueConstraint(fields=["ticket", "seq"], name="event_seq_once_per_ticket"),
            models.CheckConstraint(
                condition=Q(occurred_at__lte=F("recorded_at")), name="event_is_recorded_after_it_occurred"
            ),
            models.CheckConstraint(
                condition=Q(actor_kind__in=["person", "vendor", "timer", "system", "api"]),
                name="event_actor_kind_is_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["occurred_at"], condition=Q(kind=EventKind.RETURN_BLOCKED), name="event_return_blocked"
            )
        ]

    def __str__(self) -> str:
        return f"{self.ticket_id}#{self.seq} {self.kind}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        # The only override of save() in the code base: an event cannot be rewritten.
        if self.pk is not None:
            raise TypeError("Events are append-only.")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise TypeError("Events are append-only.")
