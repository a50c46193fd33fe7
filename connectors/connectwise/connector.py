"""ConnectWise PSA, REST API 3.0. README.md in this folder says how the API behaves and what its member needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from connectors.connectwise import callbacks, picklists
from connectors.connectwise.api import Api, in_its_codebase
from connectors.connectwise.callbacks import SIGNATURE_HEADER, Callbacks
from connectors.connectwise.changes import Changes
from connectors.connectwise.conditions import quoted
from connectors.connectwise.members import Members
from connectors.connectwise.records import Records
from connectors.connectwise.settings import SETTINGS
from connectors.connectwise.values import Json, id_of, info_of
from connectors.connectwise.writing import Writer
from connectors.kit.contract import (
    Change,
    Checked,
    Choice,
    Hook,
    HookConnector,
    Hooked,
    Limits,
    Page,
    Pushed,
    RemoteFile,
    RemoteNote,
    RemoteTicket,
    Setting,
    TicketConnector,
    all_of,
)
from connectors.kit.errors import Missing, Refused
from hub.core.sentences import Sentence, sentence


class ConnectWise(TicketConnector, HookConnector):
    """Service tickets, their notes, time entries and documents, of one ConnectWise company."""

    slug: ClassVar[str] = "connectwise"
    label: ClassVar[str] = "ConnectWise PSA"
    signature_headers: ClassVar[tuple[str, ...]] = (SIGNATURE_HEADER,)
    lengths: ClassVar[Mapping[str, int]] = {"title": 100}
    insert_only: ClassVar[frozenset[str]] = frozenset({"description"})
    # More than about 1,000 requests a minute return 429:
    # https://developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide
    limits: ClassVar[Limits | None] = Limits(requests=1000, seconds=60, share=0.6)
    settings: ClassVar[tuple[Setting, ...]] = SETTINGS

    @property
    def api(self) -> Api:
        return Api(self.values, self.ports)

    def check(self) -> Checked:
        """Site, company, keys, member, company record and board; each error names its setting."""
        self.ports.memory.pop("base", None)
        api = self.api
        info = api.http().get("system/info")
        member = Members(api).own()
        company = _named(
            api,
            f"company/companies/{id_of(self.values['company_id'])}",
            field="company_id",
            missing=sentence("There is no company with this ID, or the API member has no access to it."),
        )
        board = self._checked_board(api)
        return Checked(
            own_user=str(member["identifier"]),
            facts={
                sentence("version"): str(info.get("version", "")),
                sentence("time zone"): str(info.get("serverTimeZone", "")),
                sentence("company"): str(company.get("name", "")),
                sentence("board"): str(board.get("name", "")),
            },
        )

    def _checked_board(self, api: Api) -> Json:
        board = _named(
            api,
            f"service/boards/{id_of(self.values['board_id'])}",
            field="board_id",
            missing=sentence("There is no board with this ID, or the API member has no access to it."),
        )
        if board.get("inactiveFlag"):
            raise Refused(sentence("This board is inactive."), field="board_id")
        if all(status.get("inactive") for status in api.listed(f"service/boards/{board['id']}/statuses")):
            raise Refused(sentence("This board has no active status that the API member can see."), field="board_id")
        return board

    @in_its_codebase
    def picklists(self) -> Mapping[str, tuple[Choice, ...]]:
        return picklists.read(self.api)

    @in_its_codebase
    def changes_since(self, cursor: str) -> Page:
        api = self.api
        return Changes(api, Records(api)).since(cursor)

    @in_its_codebase
    def fetch(self, key: str) -> RemoteTicket:
        ticket, records = self.glance(key), Records(self.api)
        notes, unread = records.conversation(key)
        files, also_unread = records.files(key)
        return replace(ticket, notes=notes, files=files, unread=(*unread, *also_unread))

    @in_its_codebase
    def glance(self, key: str) -> RemoteTicket:
        """A ticket without its notes and files.

        https://developer.connectwise.com/Products/ConnectWise_PSA/REST#/Tickets/getServiceTicketsById
        """
        records = Records(self.api)
        item = records.api.http().get(f"service/tickets/{id_of(key)}")
        if not isinstance(item, dict) or "id" not in item:
            raise Refused(sentence("The response from ConnectWise contains no ticket."))
        records.members.learn([info_of(item).get("updatedBy")])
        return records.ticket(item)

    @in_its_codebase
    def find(self, reference: str) -> tuple[str, ...]:
        found = self.api.listed("service/tickets", conditions=f"externalXRef={quoted(reference)}")
        return tuple(sorted((str(item["id"]) for item in found if item.get("externalXRef") == reference), key=int))

    @in_its_codebase
    def carrying(self, prefix: str, since: datetime) -> Mapping[str, tuple[str, ...]]:
        api = self.api
        found: dict[str, list[int]] = {}
        conditions = f"externalXRef like {quoted(prefix + '%')} and {api.updated_after(since)}"
        for item in api.listed("service/tickets", conditions=conditions):
            found.setdefault(str(item.get("externalXRef")), []).append(int(item["id"]))
        return {
            reference: tuple(str(key) for key in sorted(keys))
            for reference, keys in found.items()
            if reference.startswith(prefix)
        }

    @in_its_codebase
    def notes(self, key: str) -> tuple[RemoteNote, ...]:
        return all_of(*Records(self.api).conversation(key))

    @in_its_codebase
    def content(self, key: str, file: RemoteFile) -> bytes:
        return self.api.http().download(f"system/documents/{id_of(file.key)}/download")

    @in_its_codebase
    def push(self, change: Change) -> Pushed:
        api = self.api
        return Writer(api, Records(api)).push(change)

    def read_hook(self, headers: Mapping[str, str], body: bytes) -> Hook:
        return callbacks.read(self.api, headers, body)

    @in_its_codebase
    def register_hook(self, url: str) -> Hooked:
        return Callbacks(self.api).register(url)


def _named(api: Api, path: str, *, field: str, missing: Sentence) -> Json:
    """The record that a setting names."""
    try:
        return dict(api.http().get(path))
    except Missing as error:
        raise Refused(missing, field=field) from error
