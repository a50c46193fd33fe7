"""Template filters and tags of the console."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django import template
from django.db.models import Count, Exists, OuterRef, Subquery
from django.http import QueryDict
from django.template import Context
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime

from console import polling
from console.durations import span
from console.rows import badges, labels
from console.rows.columns import Column
from console.rows.tickets import TicketRow
from console.rows.time_chart import colour_of
from hub.models import User, ViewPreference
from hub.previews import rendering
from hub.queries import permissions, saved_views
from hub.queries.board import Number
from hub.queries.event_words import RELATED
from hub.queries.sorting import SORTS, Order, Sort
from hub.queries.tickets import Badge, Related
from workflows.models import Notice

register = template.Library()
register.filter("span", span)
register.filter("colour", colour_of)
register.filter("reason", labels.reason)
register.filter("phase_class", labels.phase_class)


@register.simple_tag
def badge(of: Badge, *, hides_due: bool = False) -> SafeString:
    """The badge of a clock; with when a running clock is due, unless that stands beside it."""
    return badges.as_html(of, hides_due=hides_due)


@register.simple_tag
def cells(row: TicketRow, columns: Sequence[Column]) -> SafeString:
    """The cells of a row of a list."""
    return mark_safe("".join(column.cell(row, column.value(row)) for column in columns))  # noqa: S308 - of SafeStrings


@register.simple_tag
def polling_pass(user: User) -> str:
    """The pass with which an open page asks for news."""
    return polling.pass_for(user)


@register.simple_tag
def frame(user: User) -> dict[str, Any]:
    """What the frame of every page shows: ``unread``, the number of unread notices, and the ``pinned`` views.

    One query, and another one for people who have pinned a view.
    """
    fresh = Notice.objects.filter(user=OuterRef("pk"), channel="console", read_at=None)
    counted = fresh.order_by().values("user").annotate(count=Count("pk")).values("count")
    has_pinned = ViewPreference.objects.filter(user=OuterRef("pk"), pinned_at__isnull=False)
    unread, is_pinning = User.objects.filter(pk=user.pk).values_list(Subquery(counted), Exists(has_pinned))[0]
    pinned = list(saved_views.pinned(user)[: saved_views.MOST_PINNED]) if is_pinning else []
    return {"unread": unread or 0, "pinned": pinned}


@register.filter
def works(user: User) -> bool:
    """Whether this person acts for our organisation."""
    return permissions.may_work(user)


@register.filter
def looks(user: User) -> bool:
    """Whether this person sees everything."""
    return permissions.sees_everything(user)


CHARGES = {
    "holder": "charge-holder",
    "hub": "charge-hub",
    "nobody": "charge-nobody",
    "requester": "charge-requester",
    "contested": "charge-contested",
}
STAGES = {
    "offered": "bg-orange-lt",
    "accepted": "bg-azure-lt",
    "working": "bg-green-lt",
    "waiting": "bg-yellow-lt",
    "done": "bg-azure-lt",
}


@register.filter
def relation(related: Related) -> str:
    """The label of the relation to another ticket."""
    return str(RELATED[related.kind][0 if related.is_from else 1])


@register.filter
def stage_class(value: str) -> str:
    return STAGES.get(value, "bg-secondary-lt")


@register.filter
def charge_class(value: str) -> str:
    return CHARGES.get(value, "charge-holder")


@register.inclusion_tag("console/_sorted_head.html", takes_context=True)
def sorted_head(context: Context, column: Column) -> dict[str, object]:
    """The head of a column, with a link if the list can be sorted by it."""
    order: Order | None = context.get("order")
    slug = column.sort
    head: dict[str, object] = {"label": column.label, "is_number": column.is_number}
    if order is None or slug not in {each.slug for each in context["sorts"]}:
        return head
    is_here = order.sort.slug == slug
    direction = ("descending" if order.is_descending else "ascending") if is_here else ""
    return {**head, "url": sorted_by(context, SORTS[slug]), "direction": direction}


@register.simple_tag(takes_context=True)
def sorted_by(context: Context, sort: Sort) -> str:
    """The URL of the list in this order; of the current one, in the other direction."""
    order: Order = context["order"]
    natural = f"-{sort.slug}" if sort.falls else sort.slug
    query = QueryDict(context["kept"], mutable=True)
    query["sort"] = order.turned if order.sort.slug == sort.slug else natural
    return f"?{query.urlencode(safe=',')}"


@register.simple_tag
def opens(number: Number) -> str:
    """The URL of the ticket list behind a number."""
    return f"{reverse('console:tickets')}?{number.filters.query}"


@register.filter
def moment(at: int) -> str:
    """A Unix timestamp as local date and time."""
    return date_format(localtime(datetime.fromtimestamp(at, UTC)), "FULL_MOMENT_FORMAT")


@register.filter
def unlocalised(number: float) -> str:
    """A coordinate for SVG, with a decimal point in every language."""
    return f"{number:g}"


@register.filter
def has_preview(name: str) -> bool:
    """Whether a file of this name may have a preview."""
    return rendering.is_offered(name)


@register.filter
def as_json(value: object) -> str:
    """The value as JSON, for a data attribute."""
    return json.dumps(value)
