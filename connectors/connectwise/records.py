"""Converts ConnectWise's records to the kit's: tickets, notes, time entries and documents."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from connectors.connectwise.api import Api
from connectors.connectwise.companies import Companies
from connectors.connectwise.members import Members
from connectors.connectwise.places import DISCUSSION, INTERNAL, visibility_of
from connectors.connectwise.values import Json, id_of, info_of, moment, text_of
from connectors.kit.contract import RemoteFile, RemoteNote, RemoteTicket, Unread, mark_in, pieces


class Records:
    """Reads records of one company; names have to be looked up before (`Members.learn`)."""

    def __init__(self, api: Api) -> None:
        self.api, self.companies, self.members = api, Companies(api.values), Members(api)
        self._site = api.site()
        self._company = quote(api.values["company"])

    def ticket(self, item: Json) -> RemoteTicket:
        """A ticket without its notes and files. Its number is its ID.

        The description is empty: `initialDescription` is accepted on creation only and never returned.
        """
        info = info_of(item)
        owner = item.get("owner") or {}
        return RemoteTicket(
            key=str(id_of(item["id"])),
            number=str(item["id"]),
            url=f"{self._site}/v4_6_release/services/system_io/Service/fv_sr100_request.rails"
            f"?service_recid={item['id']}&companyName={self._company}",
            fields={
                "title": text_of(item.get("summary")),
                "description": "",
                "status": text_of(item.get("status")),
                "priority": text_of(item.get("priority")),
            },
            created_at=moment(info.get("dateEntered")),
            changed_at=moment(info.get("lastUpdated")),
            author=self.members.name(info.get("updatedBy")),
            assignee=str(owner.get("name") or owner.get("identifier") or item.get("resources") or ""),
            queue=text_of(item.get("board")),
            status_label=_status_of(item),
            merged_into=text_of(item.get("mergedParentTicket")),
            is_ours=self.members.is_own(info.get("enteredBy")),
            is_foreign=(item.get("company") or {}).get("id") not in self.companies.ids,
            reference=text_of(item.get("externalXRef")),
            raw=item,
        )

    def conversation(self, key: str) -> tuple[tuple[RemoteNote, ...], tuple[Unread, ...]]:
        """Notes, and the texts of time entries, in which engineers often write their updates, in order of time.

        https://developer.connectwise.com/Products/ConnectWise_PSA/REST#/TimeEntries/getTimeEntries
        """
        number = id_of(key)
        notes, unread = pieces(self.api.listed(f"service/tickets/{number}/notes"), lambda note: [self._note(note)])
        entries = self.api.listed("time/entries", conditions=f'chargeToType="ServiceTicket" and chargeToId={number}')
        booked, also_unread = pieces(entries, self._booked)
        told = sorted([*notes, *booked], key=lambda note: note.created_at)
        return tuple(told), (*unread, *also_unread)

    def files(self, key: str) -> tuple[tuple[RemoteFile, ...], tuple[Unread, ...]]:
        """The documents of a ticket.

        https://developer.connectwise.com/Products/ConnectWise_PSA/REST#/Documents/getSystemDocuments
        """
        found = list(self.api.listed("system/documents", recordType="Ticket", recordId=str(id_of(key))))
        self.members.learn(document.get("owner") for document in found)
        return pieces(found, lambda document: [self._file(document)])

    def _note(self, note: Json) -> RemoteNote:
        member, contact = note.get("member") or {}, note.get("contact") or {}
        text = str(note.get("text") or "")
        return RemoteNote(
            key=str(note["id"]),
            text=text,
            visibility=visibility_of(note),
            author=str(member.get("name") or contact.get("name") or note.get("createdBy") or ""),
            is_ours=self.members.is_own(note.get("createdBy")),
            created_at=moment(note.get("dateCreated")),
            mark=mark_in(text),
        )

    def _booked(self, entry: Json) -> Iterator[RemoteNote]:
        """The texts of a time entry: `notes` with the visibility of its flags, and `internalNotes`, always internal."""
        member = entry.get("member") or {}
        shown = {
            "detailDescriptionFlag": entry.get("addToDetailDescriptionFlag"),
            "resolutionFlag": entry.get("addToResolutionFlag"),
        }
        for suffix, text, visibility in (
            ("", entry.get("notes"), visibility_of(shown)),
            (".internal", entry.get("internalNotes"), INTERNAL),
        ):
            if text:
                yield RemoteNote(
                    key=f"time.{entry['id']}{suffix}",
                    text=str(text),
                    visibility=visibility,
                    author=str(member.get("name") or entry.get("enteredBy") or ""),
                    is_ours=self.members.is_own(member.get("identifier")),
                    created_at=moment(entry.get("dateEntered") or info_of(entry).get("lastUpdated")),
                    mark=mark_in(str(text)),
                )

    def _file(self, document: Json) -> RemoteFile:
        title = str(document.get("title") or "")
        info = info_of(document)
        return RemoteFile(
            key=str(document["id"]),
            name=str(document.get("fileName") or title or "file"),
            size=int(document.get("size") or 0),
            visibility=DISCUSSION if document.get("publicFlag", True) else INTERNAL,
            author=self.members.name(document.get("owner")),
            is_ours=self.members.is_own(document.get("owner")),
            created_at=moment(document.get("createdOnDate") or info.get("lastUpdated")),
            mark=mark_in(title),
        )


def _status_of(item: Json) -> str:
    """The name of the status with its board, because boards can have statuses with the same name."""
    status, board = item.get("status") or {}, item.get("board") or {}
    return " · ".join(str(each["name"]) for each in (status, board) if isinstance(each, dict) and each.get("name"))
