"""Autotask PSA, REST API v1.0: what we learned of it stands in README.md beside this file."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property, wraps
from itertools import chain
from typing import Any, ClassVar, TypeVar, cast
from urllib.parse import urlsplit

from connectors.autotask.wire import (
    COMPLETE,
    EXTERNAL_ID,
    LISTS,
    REST,
    SUBSCRIBED,
    TICKET_PARENT,
    TIME_CHOICES,
    TIME_INTERNAL,
    TIME_SUMMARY,
    ZONE_LOOKUP,
    Json,
    check_signature,
    endpoint,
    eq,
    exists,
    explain,
    explain_zone,
    gte,
    id_of,
    is_told,
    moment,
    publish_value,
    text_of,
    typed,
    written,
)
from connectors.kit import sweeps
from connectors.kit.contract import (
    HOOK_SECRET,
    NOT_UNDERSTOOD,
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
    Unread,
    all_of,
    mark_in,
    pieces,
    readable,
    several,
    understood,
    unread_of,
)
from connectors.kit.errors import ConnectorError, LockedOut, Missing, Refused, TryLater, Unclear
from connectors.kit.http import Http
from connectors.kit.sweeps import Sweep

PAGE_SIZE = 500
MOST_PAGES = 200
MOST_IN_LIST = 200
OVERLAP = timedelta(minutes=15)
"""As wrong as their clock may go without a change being lost; what repeats does no harm."""
LIMIT_CHECKED_EVERY = timedelta(minutes=5)
POLL_UNTIL = 0.6
"""The share of the hourly limit after which a poll lets the connection rest, so that others are not refused."""


Verb = TypeVar("Verb", bound=Callable[..., Any])


def in_its_zone(verb: Verb) -> Verb:
    """On a 401 ask for the zone once more: a database that moved refuses us where it was."""

    @wraps(verb)
    def asked(self: Autotask, *args: Any) -> Any:
        known = self.ports.memory.get("zone")
        try:
            return verb(self, *args)
        except LockedOut:
            if known is None:
                raise
            self.ports.memory.pop("zone")
            if self._zone() == known:
                raise
            return verb(self, *args)

    return cast(Verb, asked)


class Autotask(TicketConnector, HookConnector):
    """Tickets, notes and attachments of one Autotask database."""

    slug: ClassVar[str] = "autotask"
    label: ClassVar[str] = "Autotask PSA"
    signature_headers: ClassVar[tuple[str, ...]] = ("x-hook-signature",)
    lengths: ClassVar[Mapping[str, int]] = {"title": 255, "description": 8000}
    limits: ClassVar[Limits | None] = Limits(requests=10_000, seconds=3600, share=0.2, threads=2, endpoint=endpoint)
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(name="user_name", label="API user name", help="The API-only user, like abc123@TENANT.COM."),
        Setting(name="secret", label="Secret", help="The API user's password.", is_secret=True),
        Setting(
            name="integration_code",
            label="Tracking identifier",
            help="ApiIntegrationCode of the API user (Admin > Resources > API user).",
            is_secret=True,
        ),
        Setting(
            name="company_id", label="Company", help="The company that is us in their database.", picklist="company"
        ),
        Setting(
            name="more_companies",
            label="Further companies of ours",
            help="Other companies there that are us as well: their tickets are taken in, too.",
            is_required=False,
            picklist="company",
            is_many=True,
            is_rare=True,
        ),
        Setting(name="queue_id", label="Queue", help="The queue new tickets go to.", picklist="queue"),
        Setting(
            name="source_id",
            label="Source",
            help="Only if they made the source of a ticket a required field.",
            is_required=False,
            picklist="source",
            is_rare=True,
        ),
        Setting(
            name="note_type",
            label="Note type",
            help="The type our notes get there; it changes nothing else.",
            picklist="noteType",
            default="1",
        ),
        Setting(
            name="reference_field",
            label="Field for our reference",
            help="externalID, or the name of a user-defined field if another integration uses that.",
            is_required=False,
            default=EXTERNAL_ID,
            is_rare=True,
        ),
        Setting(
            name="impersonate_id",
            label="Write in the name of",
            help="The id of one of their resources, if our notes shall bear its name; usually empty.",
            is_required=False,
            is_rare=True,
        ),
        Setting(
            name="due_hours",
            label="Hours until due",
            help="Autotask wants a due date on a ticket that has no contract there.",
            is_required=False,
            default="24",
            is_rare=True,
        ),
        Setting(
            name="hook_secret",
            label="Webhook secret",
            help="Your own, at most 64 characters: it signs what they send us. Empty: they do not call us.",
            is_secret=True,
            is_required=False,
        ),
        Setting(
            name="zone_lookup",
            is_address=True,
            label="Zone lookup",
            help="The address that tells in which zone a database lies. Leave it, unless the vendor names another.",
            is_required=False,
            default=ZONE_LOOKUP,
            is_rare=True,
        ),
    )

    def check(self) -> Checked:
        """Zone, credentials, rights, company and queue: each error names its setting."""
        self.ports.memory.pop("zone", None)
        http = self._http()
        http.get("V1.0/ThresholdInformation")
        choices = self.picklists()
        if self.values["queue_id"] not in {choice.value for choice in choices["queue"] if choice.is_active}:
            raise Refused("There is no active queue with this id.", field="queue_id")
        if self.values["note_type"] not in {choice.value for choice in choices["noteType"] if choice.is_active}:
            raise Refused("There is no active note type with this id.", field="note_type")
        impersonated = self.values.get("impersonate_id")
        if impersonated and not list(self._by_ids("Resources", [impersonated])):
            raise Refused("There is no resource with this id that our user may see.", field="impersonate_id")
        company = self._company()
        return Checked(
            own_user=self._own_user(),
            facts={"zone": self.ports.memory["zone"], "company": str(company.get("companyName", ""))},
        )

    def _company(self) -> Json:
        """The company that is us; a record that is not there is a 404 or an empty item."""
        try:
            answer = self._http().get(f"V1.0/Companies/{id_of(self.values['company_id'], field='company_id')}")
        except Missing:
            answer = None
        if not (answer or {}).get("item"):
            raise Refused("There is no company with this id that our user may see.", field="company_id")
        return dict(answer["item"])

    @in_its_zone
    def picklists(self) -> Mapping[str, tuple[Choice, ...]]:
        http = self._http()
        found: dict[str, tuple[Choice, ...]] = {}
        for entity, names in LISTS.items():
            for field in http.get(f"V1.0/{entity}/entityInformation/fields")["fields"]:
                if field["name"] in names and field.get("isPickList"):
                    # The values are text here and integers on the ticket.
                    found[names[field["name"]]] = tuple(
                        Choice(
                            value=str(v["value"]),
                            label=v["label"],
                            is_active=v.get("isActive", True),
                            is_closed=field["name"] == "status" and str(v["value"]) == COMPLETE,
                        )
                        for v in field.get("picklistValues") or ()
                    )
        found["visibility"] = (*found.get("visibility", ()), *TIME_CHOICES)
        found["company"] = tuple(
            Choice(
                value=str(c["id"]), label=str(c.get("companyName") or c["id"]), is_active=bool(c.get("isActive", True))
            )
            for c in self._query("Companies", [eq("isActive", True)])
        )
        return found

    @in_its_zone
    def changes_since(self, cursor: str) -> Page:
        """Tickets of our company whose fields, notes, time or attachments changed, at most a page of them.

        "gte" and an overlap, not "gt": same-second changes repeat, and reconcile does not mind repeats.
        """
        now = self.ports.now()
        if not cursor:
            return Page(tickets=(), cursor=sweeps.start(now))
        sweep = sweeps.begin(cursor, now=now)
        if not sweep.stage and not sweep.after:
            self._spare_the_limit()
        return self._rest_of(sweep) if sweep.stage == REST else self._page_of(sweep)

    @cached_property
    def _companies(self) -> list[int]:
        """The companies there that are us; the first one is that of tickets we open."""
        more = [id_of(key, field="more_companies") for key in several(self.values.get("more_companies", ""))]
        return [id_of(self.values["company_id"], field="company_id"), *more]

    def _mine(self) -> Json:
        first, *more = self._companies
        return {"op": "in", "field": "companyID", "value": [first, *more]} if more else eq("companyID", first)

    def _page_of(self, sweep: Sweep) -> Page:
        """The tickets that moved themselves, by id."""
        moved = gte("lastActivityDate", written(sweep.from_(OVERLAP)))
        items = self._first_page("Tickets", [moved, self._mine(), {"op": "gt", "field": "id", "value": sweep.after}])
        page = self._with_news(items, sweep)
        newest = max((ticket.changed_at for ticket in page.tickets), default=None)
        if len(items) < PAGE_SIZE:
            return replace(page, cursor=str(sweep.on(after=0, newest=newest).next_stage(REST)), more=True)
        after = max(readable(items, lambda item: id_of(item["id"])), default=0)
        if after <= sweep.after:
            raise Refused("Their pages do not end.")
        return replace(page, cursor=str(sweep.on(after=after, newest=newest)), more=True)

    def _rest_of(self, sweep: Sweep) -> Page:
        """Tickets that did not move, but on which something was written, booked or attached."""
        since = written(sweep.from_(OVERLAP))
        notes = self._query("TicketNotes", [gte("lastActivityDate", since)], only=("id", "ticketID"))
        times = self._query(
            "TimeEntries", [gte("lastModifiedDateTime", since), exists("ticketID")], only=("id", "ticketID")
        )
        files = self._query("AttachmentInfo", [gte("attachDate", since)], only=("id", "parentID", "parentType"))
        touched = set(readable(chain(notes, times), lambda record: id_of(record["ticketID"])))
        touched |= set(readable(files, _ticket_of)) - {0}
        wanted = sorted(key for key in touched if key > sweep.after)
        still = {"op": "lt", "field": "lastActivityDate", "value": since}
        items: list[Json] = []
        for start in range(0, len(wanted), MOST_IN_LIST):
            chunk = wanted[start : start + MOST_IN_LIST]
            items += self._by_ids("Tickets", map(str, chunk), more=[self._mine(), still])
            if len(items) >= MOST_IN_LIST:
                return replace(self._with_news(items, sweep), cursor=str(sweep.on(after=chunk[-1])), more=True)
        return replace(self._with_news(items, sweep), cursor=sweep.end, gone=self._deleted(since))

    def _with_news(self, items: list[Json], sweep: Sweep) -> Page:
        """These tickets with what was said on them since the sweep's time; where to go on is not in it yet."""
        since = written(sweep.from_(OVERLAP))
        sound: dict[int, Json] = {}
        without_id: list[Unread] = []
        for item in items:
            try:
                sound[id_of(item["id"])] = item
            except (Refused, *NOT_UNDERSTOOD) as error:
                without_id.append(unread_of(item, error))
        keys = sorted(sound)
        notes = self._of_parents("TicketNotes", "ticketID", keys, gte("lastActivityDate", since))
        times = self._of_parents("TimeEntries", "ticketID", keys, gte("lastModifiedDateTime", since))
        files = self._of_parents("AttachmentInfo", "parentID", keys, gte("attachDate", since))
        self._learn_names(sound.values(), [record for rows in (*notes.values(), *times.values()) for record in rows])

        def read(item: Json) -> RemoteTicket:
            key = str(item["id"])
            return self._ticket(item, notes.get(key, ()), times.get(key, ()), files.get(key, ()))

        tickets, unread = understood([sound[key] for key in keys], read)
        return Page(tickets=tickets, unread=(*unread, *without_id), cursor="")

    def _of_parents(self, entity: str, parent: str, keys: list[int], since: Json) -> dict[str, list[Json]]:
        found: dict[str, list[Json]] = {}
        for start in range(0, len(keys), MOST_IN_LIST):
            chunk = {"op": "in", "field": parent, "value": keys[start : start + MOST_IN_LIST]}
            for record in self._query(entity, [chunk, since]):
                # Parents of other kinds share the numbers.
                if not isinstance(record, dict):
                    continue
                if entity != "AttachmentInfo" or record.get("parentType") in (None, TICKET_PARENT):
                    found.setdefault(str(record.get(parent)), []).append(record)
        return found

    def _deleted(self, since: str) -> tuple[str, ...]:
        """Tickets people deleted: the API tells of them in a log of its own, if our user may read it."""
        try:
            found = list(self._query("DeletedTicketLogs", [gte("deletedDateTime", since)]))
        except (Refused, Missing):
            return ()
        return tuple(readable(found, lambda log: str(id_of(log["ticketID"]))))

    @in_its_zone
    def fetch(self, key: str) -> RemoteTicket:
        item = self._item(key)
        notes = list(self._children(key, "Notes"))
        times = self._times(key)
        files = list(self._query("AttachmentInfo", [eq("parentID", id_of(key))]))
        self._learn_names([item], [*notes, *times])
        return self._ticket(item, notes, times, files)

    def _times(self, key: str) -> list[Json]:
        return list(self._query("TimeEntries", [eq("ticketID", id_of(key))]))

    @in_its_zone
    def glance(self, key: str) -> RemoteTicket:
        item = self._item(key)
        self._learn_names([item], [])
        return replace(self._ticket(item, [], [], []), notes=None, files=None)

    @in_its_zone
    def find(self, reference: str) -> tuple[str, ...]:
        found = self._query("Tickets", [self._referring("eq", reference)])
        return tuple(sorted((str(item["id"]) for item in found), key=int))

    @in_its_zone
    def carrying(self, prefix: str, since: datetime) -> Mapping[str, tuple[str, ...]]:
        begins = self._referring("beginsWith", prefix)
        found: dict[str, list[int]] = {}
        for item in self._query("Tickets", [begins, gte("createDate", written(since))]):
            found.setdefault(self._reference(item), []).append(int(item["id"]))
        return {reference: tuple(str(key) for key in sorted(keys)) for reference, keys in found.items()}

    def _referring(self, op: str, value: str) -> Json:
        """A filter on the field that carries our reference."""
        name = self.values.get("reference_field") or EXTERNAL_ID
        leaf: Json = {"op": op, "field": name, "value": value}
        return leaf if name == EXTERNAL_ID else leaf | {"udf": True}

    def _reference(self, item: Json) -> str:
        name = self.values.get("reference_field") or EXTERNAL_ID
        if name == EXTERNAL_ID:
            return text_of(item.get(EXTERNAL_ID))
        udfs = item.get("userDefinedFields") or ()
        return next((text_of(udf.get("value")) for udf in udfs if udf.get("name") == name), "")

    def _refer(self, reference: str) -> Json:
        name = self.values.get("reference_field") or EXTERNAL_ID
        if name == EXTERNAL_ID:
            return {EXTERNAL_ID: reference}
        return {"userDefinedFields": [{"name": name, "value": reference}]}

    @in_its_zone
    def notes(self, key: str) -> tuple[RemoteNote, ...]:
        found, times = list(self._children(key, "Notes")), self._times(key)
        self._learn_names([], [*found, *times])
        return all_of(*self._conversation(found, times))

    def _conversation(
        self, notes: Iterable[Json], times: Iterable[Json]
    ) -> tuple[tuple[RemoteNote, ...], tuple[Unread, ...]]:
        """Notes but those of workflow rules, and what people wrote into their time entries."""
        told, unread = pieces(notes, lambda note: [self._note(note)] if is_told(note) else [])
        booked, also_unread = pieces(times, self._booked)
        return (*told, *booked), (*unread, *also_unread)

    @in_its_zone
    def content(self, key: str, file: RemoteFile) -> bytes:
        items = self._http().get(f"V1.0/Tickets/{id_of(key)}/Attachments/{id_of(file.key)}")["items"]
        if not items:
            raise Missing("They do not have this attachment.")
        return base64.b64decode(items[0]["data"])

    @in_its_zone
    def push(self, change: Change) -> Pushed:
        return {"create": self._create, "fields": self._patch, "note": self._add_note, "file": self._add_file}[
            change.kind
        ](change)

    def read_hook(self, headers: Mapping[str, str], body: bytes) -> Hook:
        check_signature(self.values.get("hook_secret", ""), headers, body)
        news = json.loads(body)
        key = news.get("Id")
        if news.get("EntityType") == "TicketNote":
            key = (news.get("Fields") or {}).get("TicketID")
        if not isinstance(key, int | str) or not str(key).isdecimal():
            raise Refused("The hook names no ticket.")
        # No delivery id is sent: registration and sequence are the news, its body settles repeats.
        delivery = f"{news.get('Guid')}.{news.get('SequenceNumber')}.{hashlib.sha256(body).hexdigest()[:16]}"
        return Hook(key=str(key), delivery=delivery)

    @in_its_zone
    def register_hook(self, url: str) -> Hooked:
        """One webhook for our address, compared whole: what of it is missing, off or another one is put right.

        Their API never shows the secret, so the one that was entered there is kept as a digest: with another one here,
        or where the engine forgot it because their calls did not verify, it is entered again.
        """
        if not self.values.get("hook_secret"):
            raise Refused("A webhook needs a secret to be signed with.", field="hook_secret")
        ours = [hook for hook in self._query("TicketWebhooks", [gte("id", 0)]) if hook.get("webhookUrl") == url]
        if not ours:
            return Hooked(key=self._make_hook(url))
        hook = min(ours, key=lambda each: int(each["id"]))
        wrong = {name: value for name, value in self._hook_terms(url).items() if hook.get(name) != value}
        if self.ports.memory.get(HOOK_SECRET) != self._secret_digest():
            wrong["secretKey"] = self.values["hook_secret"]
        if wrong:
            self._http().write("PATCH", "V1.0/TicketWebhooks", {"id": hook["id"], **wrong})
            self.ports.memory[HOOK_SECRET] = self._secret_digest()
        added = self._complete_hook(int(hook["id"]))
        return Hooked(key=str(hook["id"]), was_off=_what_was_off(wrong, added))

    def _hook_terms(self, url: str) -> Json:
        return {
            "isActive": True,
            "webhookUrl": url,
            "deactivationUrl": f"{url}deactivated/",
            "isSubscribedToCreateEvents": True,
            "isSubscribedToUpdateEvents": True,
            "isSubscribedToDeleteEvents": True,
        }

    def _make_hook(self, url: str) -> str:
        terms = {"name": "Ticket Hub", **self._hook_terms(url), "secretKey": self.values["hook_secret"]}
        terms["sendThresholdExceededNotification"] = False
        made = self._http().write("POST", "V1.0/TicketWebhooks", terms)["itemId"]
        self.ports.memory[HOOK_SECRET] = self._secret_digest()
        self._complete_hook(int(made))
        return str(made)

    def _complete_hook(self, hook: int) -> list[str]:
        """See that it watches every field we read and leaves out what we do ourselves; what was missing, in words.

        A webhook without a field is never ready, and calls nobody.
        """
        http, path, added = self._http(), f"V1.0/TicketWebhooks/{hook}", []
        there = {int(row["fieldID"]) for row in http.get(f"{path}/Fields")["items"] if row.get("isSubscribedField")}
        # One field a call and one call at a time: more trips the limit of three threads.
        for field_id in self._hook_fields():
            if field_id not in there:
                more = {"fieldID": field_id, "isSubscribedField": True, "isDisplayAlwaysField": False}
                http.write("POST", f"{path}/Fields", {"webhookID": hook, **more})
                added.append("fields")
        ours = int(self._own_user())
        if ours not in {int(row["resourceID"]) for row in http.get(f"{path}/ExcludedResources")["items"]}:
            http.write("POST", f"{path}/ExcludedResources", {"webhookID": hook, "resourceID": ours})
            added.append("the exclusion of our own user")
        return sorted(set(added))

    def _secret_digest(self) -> str:
        return hashlib.sha256(f"hook:{self.values['hook_secret']}".encode()).hexdigest()[:32]

    def _hook_fields(self) -> list[int]:
        fields = self._http().get("V1.0/TicketWebhookFields/entityInformation/fields")["fields"]
        values = next((f.get("picklistValues") or [] for f in fields if f["name"] == "fieldID"), [])
        wanted = {name.lower() for name in SUBSCRIBED}
        return [int(v["value"]) for v in values if str(v["label"]).replace(" ", "").lower() in wanted]

    # -- writing

    def _create(self, change: Change) -> Pushed:
        due = self.ports.now() + timedelta(hours=float(self.values.get("due_hours") or "24"))
        body: Json = {
            "companyID": int(self.values["company_id"]),
            "queueID": int(self.values["queue_id"]),
            "dueDateTime": written(due),
            **self._refer(change.reference),
            **typed(change.fields),
        }
        if self.values.get("source_id"):
            body["source"] = int(self.values["source_id"])
        made = self._http().write("POST", "V1.0/Tickets", body, headers=self._as_whom())
        key = str(made["itemId"])
        return Pushed(key=key, ticket=self._read_back(key))

    def _patch(self, change: Change) -> Pushed:
        # The id stands in the body: PATCH /Tickets/{id} does not exist.
        body: Json = {"id": id_of(change.key), **typed(change.fields)}
        if change.reference:
            body |= self._refer(change.reference)
        self._http().write("PATCH", "V1.0/Tickets", body)
        return Pushed(key=change.key, ticket=self._read_back(change.key))

    def _read_back(self, key: str) -> RemoteTicket:
        """Their record after a write. That it cannot be read says nothing against the write: it is looked for again."""
        try:
            return self.fetch(key)
        except ConnectorError as error:
            raise Unclear(f"It was written, and could not be read back: {error}") from error

    def _add_note(self, change: Change) -> Pushed:
        made = self._http().write(
            "POST",
            f"V1.0/Tickets/{id_of(change.key)}/Notes",
            {
                # A title can be mandatory, so there always is one; it also carries our mark.
                "title": f"{change.name[:150]} [TH:{change.mark}]",
                "description": change.text,
                "noteType": int(self.values["note_type"]),
                "publish": publish_value(change.visibility),
            },
            headers=self._as_whom(),
        )
        return Pushed(key=str(made["itemId"]))

    def _as_whom(self) -> dict[str, str]:
        """In whose name we write; never sent with a read."""
        resource = self.values.get("impersonate_id")
        return {"ImpersonationResourceId": resource} if resource else {}

    def _add_file(self, change: Change) -> Pushed:
        made = self._http().write(
            "POST",
            f"V1.0/Tickets/{id_of(change.key)}/Attachments",
            {
                "id": 0,
                "attachmentType": "FILE_ATTACHMENT",
                "fullPath": change.name,
                "title": f"{change.name[:150]} [TH:{change.mark}]",
                "publish": publish_value(change.visibility),
                "data": base64.b64encode(change.content).decode(),
            },
        )
        return Pushed(key=str(made["itemId"]))

    # -- reading

    def _item(self, key: str) -> Json:
        answer = self._http().get(f"V1.0/Tickets/{id_of(key)}")
        if not isinstance(answer, dict) or "item" not in answer:
            raise Refused("Autotask answered without a ticket.")
        if not answer["item"]:
            raise Missing("They do not have this ticket.")
        return dict(answer["item"])

    def _first_page(self, entity: str, filters: list[Json]) -> list[Json]:
        """The first page of a query, in the order of ids."""
        answer = self._http().ask(f"V1.0/{entity}/query", {"filter": filters, "MaxRecords": PAGE_SIZE})
        if not isinstance(answer, dict) or not isinstance(answer.get("items"), list):
            raise Refused("They answered a query without a list.")
        return list(answer["items"])

    def _query(self, entity: str, filters: list[Json], *, only: tuple[str, ...] = ()) -> Iterator[Json]:
        """Every record of a query; the next page is asked for with the same body again."""
        http = self._http()
        body: Json = {"filter": filters, "MaxRecords": PAGE_SIZE}
        if only:
            body["IncludeFields"] = list(only)
        path: str | None = f"V1.0/{entity}/query"
        for _ in range(MOST_PAGES):
            answer = http.ask(path or "", body)
            if not isinstance(answer, dict) or not isinstance(answer.get("items"), list):
                raise Refused("They answered a query without a list.")
            yield from answer["items"]
            path = (answer.get("pageDetails") or {}).get("nextPageUrl")
            if not path:
                return
        raise Refused("Their pages do not end.")

    def _by_ids(self, entity: str, keys: Iterable[str], *, more: Iterable[Json] = ()) -> Iterator[Json]:
        wanted = sorted(int(key) for key in keys)
        for start in range(0, len(wanted), MOST_IN_LIST):
            chunk = wanted[start : start + MOST_IN_LIST]
            yield from self._query(entity, [{"op": "in", "field": "id", "value": chunk}, *more])

    def _children(self, key: str, name: str) -> Iterator[Json]:
        http = self._http()
        path: str | None = f"V1.0/Tickets/{id_of(key)}/{name}"
        for _ in range(MOST_PAGES):
            if not path:
                return
            answer = http.get(path)
            if not isinstance(answer, dict) or not isinstance(answer.get("items"), list):
                raise Refused("They answered a query without a list.")
            yield from answer["items"]
            path = (answer.get("pageDetails") or {}).get("nextPageUrl")

    def _ticket(self, item: Json, notes: Iterable[Json], times: Iterable[Json], files: Iterable[Json]) -> RemoteTicket:
        conversation, unread = self._conversation(notes, times)
        attached, also_unread = pieces(files, lambda file: [self._file(file)])
        return RemoteTicket(
            key=str(item["id"]),
            number=text_of(item.get("ticketNumber")),
            url=f"{self.ports.memory.get('web', '').rstrip('/')}/Autotask/AutotaskExtend/ExecuteCommand.aspx"
            f"?Code=OpenTicketDetail&TicketID={item['id']}"
            if self.ports.memory.get("web")
            else "",
            fields={name: text_of(item.get(name)) for name in self.fields},
            created_at=moment(item["createDate"]),
            changed_at=moment(item["lastActivityDate"]),
            author=self._name(item.get("lastActivityResourceID")),
            assignee=self._name(item.get("assignedResourceID")),
            is_ours=text_of(item.get("creatorResourceID")) == self._own_user(),
            is_foreign=item.get("companyID") not in self._companies,
            queue=text_of(item.get("queueID")),
            reference=self._reference(item),
            notes=conversation,
            files=attached,
            unread=(*unread, *also_unread),
            raw=item,
        )

    def _note(self, note: Json) -> RemoteNote:
        return RemoteNote(
            key=str(note["id"]),
            text=note.get("description") or note.get("title") or "",
            visibility=text_of(note.get("publish")),
            author=self._name(note.get("creatorResourceID")),
            # Written in somebody else's name it is still ours.
            is_ours=self._own_user()
            in (text_of(note.get("creatorResourceID")), text_of(note.get("impersonatorCreatorResourceID"))),
            created_at=moment(note["createDateTime"]),
            mark=mark_in(note.get("title") or ""),
        )

    def _booked(self, entry: Json) -> Iterator[RemoteNote]:
        for visibility, text in (
            (TIME_SUMMARY, entry.get("summaryNotes")),
            (TIME_INTERNAL, entry.get("internalNotes")),
        ):
            if text:
                yield RemoteNote(
                    key=f"{visibility}.{entry['id']}",
                    text=str(text),
                    visibility=visibility,
                    author=self._name(entry.get("resourceID")),
                    is_ours=text_of(entry.get("resourceID")) == self._own_user(),
                    created_at=moment(entry.get("createDateTime") or entry["dateWorked"]),
                )

    def _file(self, file: Json) -> RemoteFile:
        title = file.get("title") or ""
        return RemoteFile(
            key=str(file["id"]),
            name=file.get("fullPath") or title or "file",
            size=int(file.get("fileSize") or 0),
            visibility=text_of(file.get("publish")),
            author=self._name(file.get("attachedByResourceID")),
            is_ours=text_of(file.get("attachedByResourceID")) == self._own_user(),
            created_at=moment(file["attachDate"]),
            mark=mark_in(title),
        )

    def _learn_names(self, tickets: Iterable[Json], notes: Iterable[Json]) -> None:
        """Look up the resources we have not met, all in one query."""
        seen = {text_of(t.get(name)) for t in tickets for name in ("assignedResourceID", "lastActivityResourceID")}
        seen |= {text_of(note.get("creatorResourceID") or note.get("resourceID")) for note in notes}
        unknown = {
            key for key in seen if key.isdecimal() and len(key) < 20 and f"resource.{key}" not in self.ports.memory
        }

        def learn(person: Json) -> None:
            name = f"{person.get('firstName', '')} {person.get('lastName', '')}".strip()
            self.ports.memory[f"resource.{id_of(person['id'])}"] = name or str(person.get("userName", ""))

        readable(self._by_ids("Resources", unknown), learn)

    def _name(self, key: Any) -> str:
        return self.ports.memory.get(f"resource.{key}", "") if key is not None else ""

    def _own_user(self) -> str:
        """The id of our API user there, by which our own writes are known."""
        memory = self.ports.memory
        if "own_user" not in memory:
            found = list(self._query("Resources", [eq("userName", self.values["user_name"])]))
            if not found:
                raise Refused("Our own user cannot be found among their resources.", field="user_name")
            memory["own_user"] = str(found[0]["id"])
        return memory["own_user"]

    def _spare_the_limit(self) -> None:
        """Rest while most of the database's hourly requests are used up, by us or by others.

        The limit is shared by all integrations of the database; beyond it every one of them is refused.
        """
        memory, now = self.ports.memory, self.ports.now()
        checked = memory.get("limit_checked_at")
        if checked and now - moment(checked) < LIMIT_CHECKED_EVERY:
            return
        found = self._http().get("V1.0/ThresholdInformation") or {}
        limit, used = found.get("externalRequestThreshold") or 0, found.get("currentTimeframeRequestCount") or 0
        if limit and used >= POLL_UNTIL * limit:
            raise TryLater(
                f"{used} of {limit} requests of this hour are used; the connection rests and goes on by itself.",
                after=LIMIT_CHECKED_EVERY.total_seconds(),
            )
        memory["limit_checked_at"] = written(now)

    # -- reaching them

    def _http(self) -> Http:
        return self.ports.open_http(base=self._zone(), headers=self._headers(), explain=explain)

    def _headers(self) -> dict[str, str]:
        return {
            "ApiIntegrationCode": self.values["integration_code"],
            "UserName": self.values["user_name"],
            "Secret": self.values["secret"],
        }

    def _zone(self) -> str:
        """The base URL of this database's zone, asked for once (without credentials) and remembered."""
        memory = self.ports.memory
        if "zone" not in memory:
            http = self.ports.open_http(
                base=self.values.get("zone_lookup") or ZONE_LOOKUP, headers={}, explain=explain_zone
            )
            found = http.get("V1.0/ZoneInformation", user=self.values["user_name"])
            if not isinstance(found, dict) or not urlsplit(str(found.get("url", ""))).netloc:
                raise Refused("Autotask named no zone for this user name.", field="user_name")
            memory["zone"] = str(found["url"]).rstrip("/")
            memory["web"] = str(found.get("webUrl") or "")
        return memory["zone"]


def _ticket_of(file: Json) -> int:
    """The ticket a file hangs on; 0 where it hangs on something else: parents of other kinds share the numbers."""
    return id_of(file["parentID"]) if file.get("parentType") in (None, TICKET_PARENT) else 0


def _what_was_off(wrong: Json, added: Sequence[str]) -> str:
    """What of a webhook had to be put right, in words; empty where it was whole."""
    if wrong.get("isActive"):
        return "Autotask had switched the webhook off, as after 25 lost events."
    parts = list(added)
    if any(name.startswith("isSubscribed") for name in wrong):
        parts.append("the events it is called for")
    parts += [name for key, name in (("secretKey", "the secret"), ("deactivationUrl", "its address")) if key in wrong]
    return f"The webhook there was not whole: {', '.join(parts)}." if parts else ""
