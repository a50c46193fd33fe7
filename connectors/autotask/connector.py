"""Autotask PSA, REST API v1.0. README.md in this folder says how the API behaves and what its user needs."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from connectors.autotask import picklists, webhooks
from connectors.autotask.api import Api, in_its_zone
from connectors.autotask.changes import Changes
from connectors.autotask.companies import Companies
from connectors.autotask.people import People
from connectors.autotask.queries import endpoint, eq, gte
from connectors.autotask.records import Records
from connectors.autotask.reference import ReferenceField
from connectors.autotask.settings import SETTINGS
from connectors.autotask.values import Json, id_of, written
from connectors.autotask.webhooks import Webhooks
from connectors.autotask.writing import Writer
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
from hub.core.sentences import sentence


class Autotask(TicketConnector, HookConnector):
    """Tickets, notes and attachments of one Autotask database."""

    slug: ClassVar[str] = "autotask"
    label: ClassVar[str] = "Autotask PSA"
    signature_headers: ClassVar[tuple[str, ...]] = ("x-hook-signature",)
    lengths: ClassVar[Mapping[str, int]] = {"title": 255, "description": 8000}
    # All integrations of a database share 10,000 requests an hour, and each may make three calls at once per entity:
    # https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/General_Topics/REST_Thresholds_Limits.htm
    # https://www.autotask.net/help/DeveloperHelp/Content/APIs/General/ThreadLimiting.htm
    limits: ClassVar[Limits | None] = Limits(requests=10_000, seconds=3600, share=0.2, threads=2, endpoint=endpoint)
    settings: ClassVar[tuple[Setting, ...]] = SETTINGS

    @property
    def api(self) -> Api:
        return Api(self.values, self.ports)

    def check(self) -> Checked:
        """Zone, credentials, permissions, company and queue; each error names its setting.

        A user with a restricted security level gets empty lists instead of errors for records it may not see, so the
        records in the settings are looked up.
        https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/General_Topics/REST_Thresholds_Limits.htm
        """
        self.ports.memory.pop("zone", None)
        api = self.api
        api.http().get("V1.0/ThresholdInformation")
        choices = self.picklists()
        if not _is_active(choices["queue"], self.values["queue_id"]):
            raise Refused(sentence("There is no active queue with this ID."), field="queue_id")
        if not _is_active(choices["noteType"], self.values["note_type"]):
            raise Refused(sentence("There is no active note type with this ID."), field="note_type")
        people = People(api)
        impersonated = self.values.get("impersonate_id")
        if impersonated and not people.is_known(impersonated):
            raise Refused(
                sentence("There is no resource with this ID, or the API user has no access to it."),
                field="impersonate_id",
            )
        company = Companies(api).first()
        return Checked(
            own_user=people.own_user(),
            facts={
                sentence("zone"): self.ports.memory["zone"],
                sentence("company"): str(company.get("companyName", "")),
            },
        )

    @in_its_zone
    def picklists(self) -> Mapping[str, tuple[Choice, ...]]:
        api = self.api
        return {**picklists.read(api), "company": Companies(api).choices()}

    @in_its_zone
    def changes_since(self, cursor: str) -> Page:
        records = self._records()
        return Changes(records.api, records.companies, records.people, records).since(cursor)

    @in_its_zone
    def fetch(self, key: str) -> RemoteTicket:
        records = self._records()
        item = records.api.item(key)
        notes, times = list(records.api.children(key, "Notes")), _times(records.api, key)
        files = list(records.api.query("AttachmentInfo", [eq("parentID", id_of(key))]))
        records.people.learn([item], [*notes, *times])
        return records.ticket(item, notes, times, files)

    @in_its_zone
    def glance(self, key: str) -> RemoteTicket:
        records = self._records()
        item = records.api.item(key)
        records.people.learn([item], [])
        return replace(records.ticket(item, [], [], []), notes=None, files=None)

    @in_its_zone
    def find(self, reference: str) -> tuple[str, ...]:
        found = self.api.query("Tickets", [ReferenceField(self.values).where("eq", reference)])
        return tuple(sorted((str(item["id"]) for item in found), key=int))

    @in_its_zone
    def carrying(self, prefix: str, since: datetime) -> Mapping[str, tuple[str, ...]]:
        field = ReferenceField(self.values)
        found: dict[str, list[int]] = {}
        for item in self.api.query("Tickets", [field.where("beginsWith", prefix), gte("createDate", written(since))]):
            found.setdefault(field.of(item), []).append(int(item["id"]))
        return {reference: tuple(str(key) for key in sorted(keys)) for reference, keys in found.items()}

    @in_its_zone
    def notes(self, key: str) -> tuple[RemoteNote, ...]:
        records = self._records()
        found, times = list(records.api.children(key, "Notes")), _times(records.api, key)
        records.people.learn([], [*found, *times])
        return all_of(*records.conversation(found, times))

    @in_its_zone
    def content(self, key: str, file: RemoteFile) -> bytes:
        """The content of an attachment. Only this path returns it, in a list of one record.

        https://www.autotask.net/help/DeveloperHelp/Content/APIs/REST/Entities/TicketAttachmentsEntity.htm
        """
        items = self.api.http().get(f"V1.0/Tickets/{id_of(key)}/Attachments/{id_of(file.key)}")["items"]
        if not items:
            raise Missing(sentence("Autotask has no attachment with this ID."))
        return base64.b64decode(items[0]["data"])

    @in_its_zone
    def push(self, change: Change) -> Pushed:
        return Writer(self.api, self.fetch).push(change)

    def read_hook(self, headers: Mapping[str, str], body: bytes) -> Hook:
        return webhooks.read(self.values.get("hook_secret", ""), headers, body)

    @in_its_zone
    def register_hook(self, url: str) -> Hooked:
        api = self.api
        return Webhooks(api, People(api)).register(url)

    def _records(self) -> Records:
        api = self.api
        return Records(api, Companies(api), People(api))


def _is_active(choices: tuple[Choice, ...], value: str) -> bool:
    return any(choice.value == value and choice.is_active for choice in choices)


def _times(api: Api, key: str) -> list[Json]:
    return list(api.query("TimeEntries", [eq("ticketID", id_of(key))]))
