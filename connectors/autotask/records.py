"""Converts Autotask's records to the kit's: tickets, notes, time entries and attachments.

https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/Entities/TicketsEntity.htm
https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/Entities/TicketNotesEntity.htm
https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/Entities/TimeEntriesEntity.htm
https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/Entities/TicketAttachmentsEntity.htm
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connectors.autotask.api import Api
from connectors.autotask.companies import Companies
from connectors.autotask.people import People
from connectors.autotask.picklists import TIME_INTERNAL, TIME_SUMMARY
from connectors.autotask.reference import ReferenceField
from connectors.autotask.values import Json, moment, text_of
from connectors.kit.contract import RemoteFile, RemoteNote, RemoteTicket, Unread, mark_in, pieces

WORKFLOW_NOTE = "13"
"""The type of notes that Autotask's workflow rules write."""
FIELDS = ("title", "description", "status", "priority")


class Records:
    """Reads records of one database; names have to be looked up before (`People.learn`)."""

    def __init__(self, api: Api, companies: Companies, people: People) -> None:
        self.api, self.companies, self.people = api, companies, people
        self.reference = ReferenceField(api.values)

    def ticket(self, item: Json, notes: Iterable[Json], times: Iterable[Json], files: Iterable[Json]) -> RemoteTicket:
        conversation, unread = self.conversation(notes, times)
        attached, also_unread = pieces(files, lambda file: [self._file(file)])
        return RemoteTicket(
            key=str(item["id"]),
            number=text_of(item.get("ticketNumber")),
            url=self._url(item),
            fields={name: text_of(item.get(name)) for name in FIELDS},
            created_at=moment(item["createDate"]),
            changed_at=moment(item["lastActivityDate"]),
            author=self.people.name(item.get("lastActivityResourceID")),
            assignee=self.people.name(item.get("assignedResourceID")),
            is_ours=text_of(item.get("creatorResourceID")) == self.people.own_user(),
            is_foreign=item.get("companyID") not in self.companies.ids,
            queue=text_of(item.get("queueID")),
            reference=self.reference.of(item),
            notes=conversation,
            files=attached,
            unread=(*unread, *also_unread),
            raw=item,
        )

    def conversation(
        self, notes: Iterable[Json], times: Iterable[Json]
    ) -> tuple[tuple[RemoteNote, ...], tuple[Unread, ...]]:
        """Notes, and the texts of time entries, in which engineers often write their updates.

        Notes of workflow rules are left out: they are a log and not part of the conversation.
        """
        written, unread = pieces(notes, lambda note: [self._note(note)] if _is_by_a_person(note) else [])
        booked, also_unread = pieces(times, self._booked)
        return (*written, *booked), (*unread, *also_unread)

    def _url(self, item: Json) -> str:
        """The page of a ticket in the web client; empty if the zone lookup returned no web address."""
        web = self.api.ports.memory.get("web", "").rstrip("/")
        page = "Autotask/AutotaskExtend/ExecuteCommand.aspx"
        return f"{web}/{page}?Code=OpenTicketDetail&TicketID={item['id']}" if web else ""

    def _note(self, note: Json) -> RemoteNote:
        # A note written with impersonation contains the API user only as its impersonator.
        creators = (text_of(note.get("creatorResourceID")), text_of(note.get("impersonatorCreatorResourceID")))
        return RemoteNote(
            key=str(note["id"]),
            text=note.get("description") or note.get("title") or "",
            visibility=text_of(note.get("publish")),
            author=self.people.name(note.get("creatorResourceID")),
            is_ours=self.people.own_user() in creators,
            created_at=moment(note["createDateTime"]),
            mark=mark_in(note.get("title") or ""),
        )

    def _booked(self, entry: Json) -> Iterator[RemoteNote]:
        """The texts of a time entry: a summary that customers may see, and internal notes."""
        for visibility, text in (
            (TIME_SUMMARY, entry.get("summaryNotes")),
            (TIME_INTERNAL, entry.get("internalNotes")),
        ):
            if text:
                yield RemoteNote(
                    key=f"{visibility}.{entry['id']}",
                    text=str(text),
                    visibility=visibility,
                    author=self.people.name(entry.get("resourceID")),
                    is_ours=text_of(entry.get("resourceID")) == self.people.own_user(),
                    created_at=moment(entry.get("createDateTime") or entry["dateWorked"]),
                )

    def _file(self, file: Json) -> RemoteFile:
        title = file.get("title") or ""
        return RemoteFile(
            key=str(file["id"]),
            name=file.get("fullPath") or title or "file",
            size=int(file.get("fileSize") or 0),
            visibility=text_of(file.get("publish")),
            author=self.people.name(file.get("attachedByResourceID")),
            is_ours=text_of(file.get("attachedByResourceID")) == self.people.own_user(),
            created_at=moment(file["attachDate"]),
            mark=mark_in(title),
        )


def _is_by_a_person(note: Json) -> bool:
    return text_of(note.get("noteType")) != WORKFLOW_NOTE
