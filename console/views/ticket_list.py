"""The ticket list with search, filters and sorting."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from console.access import person, reader_of
from console.lists import ShownAs, filters_of, text_of
from console.polling import live_cursor
from console.rows import columns
from console.rows.chips import chips
from console.rows.tickets import found_rows, ticket_rows
from console.views.saved_views import shown_view
from hub.core.planned import TooSlow, planned
from hub.models import Ticket
from hub.queries import choices, permissions, risk_order, sorting
from hub.queries import tickets as questions
from hub.queries.filter_fields import Reader, allowed
from hub.queries.filters import Condition, Filters
from hub.search import finding
from workflows.bulk.verbs import VERBS

PAGE = 50
PATIENCE = 2.0
"""Seconds for each query of a list; what takes longer is not worth waiting for, but worth narrowing."""
SHOWS = [
    ("open", _("Open")),
    ("breached", _("Breached")),
    ("at_risk", _("At risk")),
    ("unassigned", _("To assign")),
    ("to_verify", _("To verify")),
    ("waiting", _("Waiting")),
    ("without_clock", _("Without a clock")),
    ("ended", _("Ended")),
    ("all", _("All")),
    ("history", _("Imported")),
    ("any", _("All and imported")),
]


@require_safe
@login_required
def ticket_list(request: HttpRequest) -> HttpResponse:
    """A page of the tickets that the user may see and that match the filters; or of what a search finds among them."""
    user, reader, asked = person(request), reader_of(request), request.GET
    text, filters = text_of(asked), filters_of(asked)
    if "how" in asked:
        return redirect(f"{request.path}?{_chosen(asked, filters)}")
    order = sorting.order(asked.get("sort", "-changed"), reader)
    shown_as = ShownAs(user=user, reader=reader, columns=columns.chosen(",".join(asked.getlist("columns")), reader))
    own = _kept(asked, text, order, shown_as)
    view = f"view={asked['view'][:26]}" if asked.get("view", "").isalnum() else ""
    kept = "&".join(part for part in (own, view) if part)
    shown = {
        **_in_time(asked, text, filters, order, shown_as),
        **shown_view(request, filters, own),
        "text": text,
        "filters": filters,
        "chips": chips(filters, reader, kept=kept),
        "kept": f"{filters.query}&{kept}" if kept else filters.query,
        "kept_fields": [*filters.parameters(), *_parameters(kept)],
        "other_fields": _parameters(kept),
        "shows": [each for each in SHOWS if reader.known is None or each[0] != "without_clock"],
        "columns": shown_as.columns,
        "offered": columns.offered(reader),
        "show_rest": [each for each in [*filters.parameters(), *_parameters(kept)] if each[0] != "show"],
        "may_bulk": permissions.may_work(user),
        "verbs": list(VERBS.values()),
        "page": "tickets",
        "cursor": live_cursor(user),
    }
    return render(request, "console/tickets.html", shown)


def _in_time(asked: QueryDict, text: str, filters: Filters, order: sorting.Order, shown_as: ShownAs) -> dict[str, Any]:
    """The tickets and the fields to filter by; of a list that takes too long, the fields alone."""
    tickets = permissions.visible_tickets(shown_as.user)
    try:
        with planned(seconds=PATIENCE):
            return {
                **(_found(asked, text, filters, shown_as) if text else _listed(asked, filters, order, shown_as)),
                **_filter_panel(asked, filters, tickets, shown_as.reader),
            }
    except TooSlow:
        orders = {} if text else _orders(order, shown_as.reader)
        panel = _filter_panel(QueryDict(), filters, tickets, shown_as.reader)
        return {"rows": [], "is_too_slow": True, **orders, **panel}


def _kept(asked: QueryDict, text: str, order: sorting.Order, shown_as: ShownAs) -> str:
    """What the query string has besides the filters."""
    kept = {"q": text} if text else {"sort": order.text} if "sort" in asked else {}
    if asked.get("view") or not columns.is_default(shown_as.columns, shown_as.reader):
        kept["columns"] = ",".join(column.slug for column in shown_as.columns)
    return urlencode(kept, safe=",")


def _listed(asked: QueryDict, filters: Filters, order: sorting.Order, shown_as: ShownAs) -> dict[str, Any]:
    """A page of all tickets that match the filters."""
    user, reader = shown_as.user, shown_as.reader
    found = questions.narrowed(permissions.visible_tickets(user), filters, reader)
    page = risk_order.page(
        questions.with_relations(found, *shown_as.relations),
        order,
        reader,
        size=PAGE,
        after=asked.get("after", ""),
        before=asked.get("before", ""),
    )
    return {
        "rows": ticket_rows(page.rows, reader, user=user, needs=shown_as.needs),
        "listed": page,
        "count": min(total := sorting.counted(found), sorting.MOST_COUNTED),
        "is_capped": total > sorting.MOST_COUNTED,
        **_orders(order, reader),
        "is_later": bool(asked.get("after") or asked.get("before")),
    }


def _orders(order: sorting.Order, reader: Reader) -> dict[str, Any]:
    """The order of the list, and those that its reader may choose."""
    sorts = [each for each in sorting.SORTS.values() if reader.known is None or each.slug in sorting.FOR_EVERYBODY]
    return {"order": order, "sorts": sorts}


def _found(asked: QueryDict, text: str, filters: Filters, shown_as: ShownAs) -> dict[str, Any]:
    """A page of search results, among the tickets that match the filters."""
    user, reader, narrowed = shown_as.user, shown_as.reader, None
    if filters != Filters(show="any"):
        narrowed = questions.narrowed(permissions.visible_tickets(user), filters, reader)
    found = finding.find(user, text, tickets=narrowed, after=_place(asked.get("after", "")))
    return {
        "found": found,
        "rows": found_rows(found, reader, user=user, needs=shown_as.needs, relations=shown_as.relations),
        "after": f"{found.next.at.isoformat()},{found.next.entry}" if found.next is not None else "",
        "is_later": bool(asked.get("after")),
    }


def _filter_panel(asked: QueryDict, filters: Filters, tickets: QuerySet[Ticket], reader: Reader) -> dict[str, Any]:
    """The fields to filter by; and of the one that is being edited, its values with the tickets each would show."""
    fields = allowed(reader)
    name = asked.get("edit", "").removesuffix(".not")
    group, _dot, slug = name.rpartition(".")
    field = fields.get(slug)
    if field is None or (group and not (group.isascii() and group.isdecimal() and len(group) == 1)):
        return {"fields": list(fields.values()), "field": None}
    prefix = f"{group}." if group else ""
    edited = [each for each in filters.conditions if each.name.removesuffix(".not") == f"{prefix}{slug}"]
    rest = filters.without(f"{prefix}{slug}").without(f"{prefix}{slug}.not")
    values = {value for each in edited for value in each.values}
    found = choices.choices(
        questions.narrowed(tickets, rest, reader), field, reader, text=asked.get("choice", "").strip()[:50]
    )
    known = {choice.value for choice in found}
    missing = [value for value in values if value not in known]
    labels = field.labels(missing, reader)
    return {
        "fields": list(fields.values()),
        "field": field,
        "field_name": f"{prefix}{slug}",
        "field_is_not": any(each.is_not for each in edited),
        "field_values": values,
        "field_choices": [
            *(choices.Choice(value=value, label=labels.get(value, value)) for value in missing),
            *found,
        ],
        "field_rest": rest.parameters(),
        "may_add_alternative": rest.may_have_another and not edited,
        "choice": asked.get("choice", ""),
    }


def _chosen(asked: QueryDict, filters: Filters) -> str:
    """The query string of the list after a choice in the panel of a filter."""
    name = asked.get("edit", "").removesuffix(".not")
    rest = filters.without(name).without(f"{name}.not")
    values = [*asked.getlist("value"), *_days(asked)]
    if asked["how"] == "or" and values and rest.may_have_another:
        found, chosen = rest.either(Condition(field=name, values=tuple(values))), []
    else:
        found = rest
        chosen = [(f"{name}.not" if asked["how"] == "not" else name, ",".join(values))] if values else []
    more = [(each, ",".join(asked.getlist(each))) for each in ("q", "sort", "columns", "view") if asked.get(each)]
    return urlencode([*found.parameters(), *chosen, *more], safe=",")


def _days(asked: QueryDict) -> list[str]:
    """The range of days that was entered, if any."""
    first, last = asked.get("from", "").strip(), asked.get("to", "").strip()
    return [f"{first}..{last}"] if first or last else []


def _parameters(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def _place(asked: str) -> finding.Place | None:
    """Where a page of results begins; None for the first page, and for anything that is no place."""
    at, _comma, entry = asked.partition(",")
    try:
        moment = parse_datetime(at)
    except ValueError:
        return None
    if moment is None or is_naive(moment) or not (entry.isascii() and entry.isdecimal() and len(entry) < 19):
        return None
    return finding.Place(at=moment, entry=int(entry))
