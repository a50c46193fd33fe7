"""Polling Autotask: the tickets that changed since a cursor, with their new notes, time entries and attachments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import chain

from connectors.autotask.api import PAGE_SIZE, Api, endless
from connectors.autotask.companies import Companies
from connectors.autotask.people import People
from connectors.autotask.queries import MOST_IN_LIST, chunks, condition, exists, gte
from connectors.autotask.records import Records
from connectors.autotask.values import Json, id_of, written
from connectors.kit import sweeps
from connectors.kit.contract import NOT_UNDERSTOOD, Page, RemoteTicket, Unread, readable, understood, unread_of
from connectors.kit.errors import Missing, Refused
from connectors.kit.sweeps import Sweep

OVERLAP = timedelta(minutes=15)
"""How far Autotask's clock may be off without a change being missed. Changes that are read twice do no harm."""
REST = "rest"
"""The second stage of a sweep: tickets that did not change themselves."""
TICKET_PARENT = 4
"""The `parentType` of an attachment on a ticket; other types of parents use the same IDs."""


class Changes:
    """Tickets whose fields, notes, time entries or attachments changed, page by page.

    The filters use "gte" with an overlap rather than "gt", because several changes can be in the same second.
    """

    def __init__(self, api: Api, companies: Companies, people: People, records: Records) -> None:
        self.api, self.companies, self.people, self.records = api, companies, people, records

    def since(self, cursor: str) -> Page:
        now = self.api.ports.now()
        if not cursor:
            return Page(tickets=(), cursor=sweeps.start(now))
        sweep = sweeps.begin(cursor, now=now)
        if not sweep.stage and not sweep.after:
            self.api.spare_the_limit()
        return self._touched(sweep) if sweep.stage == REST else self._moved(sweep)

    def _moved(self, sweep: Sweep) -> Page:
        """Tickets that changed themselves, in the order of ids."""
        changed = gte("lastActivityDate", written(sweep.from_(OVERLAP)))
        items = self.api.first_page("Tickets", [changed, self.companies.where(), condition("gt", "id", sweep.after)])
        page = self._with_news(items, sweep)
        newest = max((ticket.changed_at for ticket in page.tickets), default=None)
        if len(items) < PAGE_SIZE:
            return replace(page, cursor=str(sweep.on(after=0, newest=newest).next_stage(REST)), more=True)
        after = max(readable(items, lambda item: id_of(item["id"])), default=0)
        if after <= sweep.after:
            raise endless()
        return replace(page, cursor=str(sweep.on(after=after, newest=newest)), more=True)

    def _touched(self, sweep: Sweep) -> Page:
        """Tickets that did not change, but have a new note, time entry or attachment.

        Time entries and attachments have no webhooks, so polling is the only way to see them.
        https://www.autotask.net/help/DeveloperHelp/Content/APIs/Webhooks/REST_WebhooksEntity.htm
        """
        since = written(sweep.from_(OVERLAP))
        wanted = [key for key in self._with_something_new(since) if key > sweep.after]
        unchanged = condition("lt", "lastActivityDate", since)
        items: list[Json] = []
        for chunk in chunks(wanted):
            items += self.api.by_ids("Tickets", map(str, chunk), more=[self.companies.where(), unchanged])
            if len(items) >= MOST_IN_LIST:
                return replace(self._with_news(items, sweep), cursor=str(sweep.on(after=chunk[-1])), more=True)
        return replace(self._with_news(items, sweep), cursor=sweep.end, gone=self._deleted(since))

    def _with_something_new(self, since: str) -> Iterable[int]:
        """The IDs of tickets with a note, time entry or attachment of this time or later."""
        query = self.api.query
        notes = query("TicketNotes", [gte("lastActivityDate", since)], only=("id", "ticketID"))
        times = query("TimeEntries", [gte("lastModifiedDateTime", since), exists("ticketID")], only=("id", "ticketID"))
        files = query("AttachmentInfo", [gte("attachDate", since)], only=("id", "parentID", "parentType"))
        touched = set(readable(chain(notes, times), lambda record: id_of(record["ticketID"])))
        return touched | (set(readable(files, _ticket_of)) - {0})

    def _with_news(self, items: list[Json], sweep: Sweep) -> Page:
        """These tickets with their notes, time entries and files since the sweep's time, without a cursor yet."""
        since = written(sweep.from_(OVERLAP))
        sound, without_id = _sorted_out(items)
        keys = sorted(sound)
        notes = self._of_parents("TicketNotes", "ticketID", keys, gte("lastActivityDate", since))
        times = self._of_parents("TimeEntries", "ticketID", keys, gte("lastModifiedDateTime", since))
        files = self._of_parents("AttachmentInfo", "parentID", keys, gte("attachDate", since))
        self.people.learn(sound.values(), [record for rows in (*notes.values(), *times.values()) for record in rows])

        def read(item: Json) -> RemoteTicket:
            key = str(item["id"])
            return self.records.ticket(item, notes.get(key, ()), times.get(key, ()), files.get(key, ()))

        tickets, unread = understood([sound[key] for key in keys], read)
        return Page(tickets=tickets, unread=(*unread, *without_id), cursor="")

    def _of_parents(self, entity: str, parent: str, keys: list[int], since: Json) -> dict[str, list[Json]]:
        """Records by the id of the ticket they belong to."""
        found: dict[str, list[Json]] = {}
        for chunk in chunks(keys):
            for record in self.api.query(entity, [condition("in", parent, chunk), since]):
                if not isinstance(record, dict):
                    continue
                if entity != "AttachmentInfo" or record.get("parentType") in (None, TICKET_PARENT):
                    found.setdefault(str(record.get(parent)), []).append(record)
        return found

    def _deleted(self, since: str) -> tuple[str, ...]:
        """Tickets that people deleted, from the log of deleted tickets, if the API user may read it.

        The API itself cannot delete a ticket.
        https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/Entities/DeletedTicketLogsEntity.htm
        """
        try:
            found = list(self.api.query("DeletedTicketLogs", [gte("deletedDateTime", since)]))
        except (Refused, Missing):
            return ()
        return tuple(readable(found, lambda log: str(id_of(log["ticketID"]))))


def _sorted_out(items: list[Json]) -> tuple[dict[int, Json], list[Unread]]:
    """The records by ID, and those without one."""
    sound: dict[int, Json] = {}
    without_id: list[Unread] = []
    for item in items:
        try:
            sound[id_of(item["id"])] = item
        except (Refused, *NOT_UNDERSTOOD) as error:
            without_id.append(unread_of(item, error))
    return sound, without_id


def _ticket_of(file: Json) -> int:
    """The ticket a file is attached to; 0 if its parent is something else."""
    return id_of(file["parentID"]) if file.get("parentType") in (None, TICKET_PARENT) else 0
