"""Polling ConnectWise: the tickets that changed since a cursor, and those with new time entries."""

from __future__ import annotations

from datetime import datetime, timedelta

from connectors.connectwise.api import MOST_IN_LIST, Api, last_id
from connectors.connectwise.records import Records
from connectors.connectwise.values import Json, id_of, info_of, moment
from connectors.kit import sweeps
from connectors.kit.contract import Page, readable, understood
from connectors.kit.sweeps import Sweep

OVERLAP = timedelta(minutes=15)
"""Large, because ConnectWise's search can misread time zones. Changes that are read twice do no harm."""
BOOKED = "booked"
"""The second stage of a sweep: tickets that did not change themselves."""


class Changes:
    """Tickets that changed, page by page; their notes are read later, ticket by ticket.

    Records that the search returns by mistake are left out by comparing `lastUpdated` again.
    """

    def __init__(self, api: Api, records: Records) -> None:
        self.api, self.records = api, records

    def since(self, cursor: str) -> Page:
        now = self.api.ports.now()
        if not cursor:
            return Page(tickets=(), cursor=sweeps.start(now))
        sweep = sweeps.begin(cursor, now=now)
        return self._booked_on(sweep) if sweep.stage == BOOKED else self._moved(sweep)

    def _moved(self, sweep: Sweep) -> Page:
        """Tickets that changed themselves, in the order of ids."""
        since = sweep.from_(OVERLAP)
        conditions = f"{self.records.companies.where()} and {self.api.updated_after(since)}"
        rows, more = self.api.page("service/tickets", sweep.after, conditions=conditions)
        self.records.members.learn(info_of(item).get("updatedBy") for item in rows if isinstance(item, dict))
        found, unread = understood(rows, self.records.ticket)
        tickets = tuple(ticket for ticket in found if ticket.changed_at > since)
        newest = max((ticket.changed_at for ticket in tickets), default=None)
        further = sweep.on(after=last_id(rows) if more else 0, newest=newest)
        return Page(
            tickets=tickets, unread=unread, cursor=str(further if more else further.next_stage(BOOKED)), more=True
        )

    def _booked_on(self, sweep: Sweep) -> Page:
        """Tickets that did not change but have new time entries.

        https://developer.connectwise.com/Products/ConnectWise_PSA/REST#/TimeEntries/getTimeEntries
        """
        since = sweep.from_(OVERLAP)
        conditions = f'chargeToType="ServiceTicket" and {self.api.updated_after(since)}'
        entries = self.api.listed("time/entries", conditions=conditions)
        booked = set(readable(entries, lambda entry: id_of(entry["chargeToId"]) if _changed_since(entry, since) else 0))
        wanted = sorted(key for key in booked if key > sweep.after)
        items = list(self.api.tickets(wanted[:MOST_IN_LIST], self.records.companies.where()))
        found, unread = understood(items, self.records.ticket)
        tickets = tuple(ticket for ticket in found if ticket.changed_at <= since)
        if len(wanted) > MOST_IN_LIST:
            further = str(sweep.on(after=wanted[MOST_IN_LIST - 1]))
            return Page(tickets=tickets, unread=unread, cursor=further, more=True)
        return Page(tickets=tickets, unread=unread, cursor=sweep.end)


def _changed_since(item: Json, since: datetime) -> bool:
    return moment(info_of(item).get("lastUpdated")) > since
