"""What happened: append-only, numbered and hash-chained per ticket."""

from __future__ import annotations

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
    """Every kind of event with the shape of its payload.

    Payloads hold integers and strings only; organisations, legs and messages are named by their
    public ids. `texts` hold what a person wrote, so that it can be erased without breaking the chain.
    """

    # number, kind, priority, service, owner, requester_organisation, status; texts: title, description
    TICKET_OPENED = "ticket.opened", _("opened")
    # changed: {field: [before, after]}; texts: the same for title and description
    TICKET_EDITED = "ticket.edited", _("edited")
    # before, after, reason
    PRIORITY_CHANGED = "ticket.priority_changed", _("priority changed")
    # verb, before, after (phases), status, reason, waits_on
    TICKET_MOVED = "ticket.moved", _("moved")
    # leg, organisation, given_by, is_lead, is_blocking, deadline
    LEG_OFFERED = "leg.offered", _("offered")
    # leg, organisation, is_lead: the ticket was born at this vendor
    LEG_BORN = "leg.born", _("begun at the vendor")
    # leg, organisation, remote
    LEG_DELIVERED = "leg.delivered", _("delivered")
    # leg, organisation
    LEG_ACCEPTED = "leg.accepted", _("accepted")
    LEG_STARTED = "leg.started", _("started")
    LEG_RESUMED = "leg.resumed", _("resumed")
    LEG_REOPENED = "leg.reopened", _("reopened")
    LEG_EXPIRED = "leg.expired", _("expired")
    # leg, organisation; texts: reason
    LEG_DECLINED = "leg.declined", _("declined")
    LEG_RECALLED = "leg.recalled", _("recalled")
    LEG_RETURNED = "leg.returned", _("returned")
    # leg, organisation; texts: resolution
    LEG_DONE = "leg.done", _("done")
    # leg, organisation, waits_on, waits_on_organisation, reason
    LEG_WAITING = "leg.waiting", _("waiting")
    # leg, organisation: what we last told them has arrived at their system
    LEG_REACHED = "leg.reached", _("reached")
    # leg, organisation: the ticket follows this open leg from now on
    LEG_LEADS = "leg.leads", _("takes the lead")
    # leg, organisation: the page of a vendor with no tool
    DOOR_OPENED = "door.opened", _("page opened")
    DOOR_CLOSED = "door.closed", _("page closed")
    # message, author_kind, organisation, is_for_requester, legs, supersedes; the body's digest is chained
    MESSAGE_ADDED = "message.added", _("message")
    # message, reason
    MESSAGE_WITHDRAWN = "message.withdrawn", _("message withdrawn")
    # attachment, message, sha256, size; texts: name
    ATTACHMENT_ADDED = "attachment.added", _("attachment")
    # alert (its key), connection; texts: title. A tool saw it begin, again, or end
    ALERT_FIRED = "alert.fired", _("alert")
    ALERT_RECOVERED = "alert.recovered", _("alert ended")
    ALERT_ACKNOWLEDGED = "alert.acknowledged", _("said at the monitoring tool")
    # kind, from, to (public ids of tickets), other (its number)
    TICKET_RELATED = "ticket.related", _("related")
    # verb, before, after (slugs of states), reason: a status within its phase
    STATUS_CHANGED = "ticket.status_changed", _("status changed")
    # field, before, after: assignee or team
    TICKET_ASSIGNED = "ticket.assigned", _("assigned")
    # before, after (workflow versions), status
    VERSION_MOVED = "ticket.version_moved", _("moved to another version of the workflow")
    # is_major
    MAJOR_CHANGED = "ticket.major", _("major incident")
    # rule, what, result: an action of a rule
    RULE_ACTED = "rule.acted", _("rule")
    # escalation, step, run; texts: told
    ESCALATED = "escalation.step", _("escalated")
    ESCALATION_ACKNOWLEDGED = "escalation.acknowledged", _("escalation acknowledged")
    # triage, deadline, owner (public id of a user), cause; texts: reason
    TRIAGE_STARTED = "triage.started", _("joint triage")
    # triage, organisation; texts: decision
    TRIAGE_DECIDED = "triage.decided", _("triage decided")
    # leg, organisation, code; texts: reason: a return beyond the budget
    RETURN_BLOCKED = "return.blocked", _("return blocked")
    # leg, organisation
    COMPLETION_APPROVED = "completion.approved", _("completion approved")
    # events (their seq), reason: what people wrote in these events was erased, their digests stay
    TEXTS_ERASED = "texts.erased", _("texts erased")
    # row, status, class, team, organisation, priority, changed: one row of an imported log
    HISTORY_ROW = "history.row", _("recorded elsewhere")


class EventQuerySet(models.QuerySet["Event"]):
    def update(self, **_changes: Any) -> NoReturn:
        raise TypeError("Events are append-only.")

    def delete(self) -> NoReturn:
        raise TypeError("Events are append-only.")


class Event(models.Model):
    """One thing that happened to a ticket. Written once, never updated.

    `occurred_at` is when it happened there, `recorded_at` when we learned it; `origin` is the public
    id of the connection it came from. `hash` covers everything but the texts themselves.
    """

    ticket = models.ForeignKey(Ticket, models.PROTECT, related_name="events")
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=32, choices=EventKind)
    actor_kind = models.CharField(max_length=16, choices=ActorKind)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_name = models.CharField(max_length=150, blank=True)
    actor_organisation = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="+")
    origin = models.CharField(max_length=26, blank=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    payload = models.JSONField(default=dict)
    texts = models.JSONField(default=dict)
    digests = models.JSONField(default=dict)
    salt = models.CharField(max_length=32, blank=True)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

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
        # The one override of save() in this house: the record refuses to be rewritten.
        if self.pk is not None:
            raise TypeError("Events are append-only.")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise TypeError("Events are append-only.")
