"""ConnectWise PSA, REST API 3.0: what we learned of it stands in README.md beside this file."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property, wraps
from typing import Any, ClassVar, TypeVar, cast
from urllib.parse import quote, urlsplit

from connectors.connectwise.wire import (
    DISCUSSION,
    FLAGS,
    INTERNAL,
    RESOLUTION,
    check_signature,
    explain,
    instant,
    moment,
    quoted,
    text_of,
    visibility_of,
)
from connectors.kit import sweeps
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
    Unread,
    all_of,
    mark_in,
    pieces,
    readable,
    several,
    understood,
)
from connectors.kit.errors import BadSignature, ConnectorError, Missing, Refused, TryLater, Unclear
from connectors.kit.http import Http, Reply
from connectors.kit.sweeps import Sweep

Json = dict[str, Any]
PAGE_SIZE = 1000
MOST_PAGES = 500
CALLBACK = {"inactiveFlag": False, "isSelfSuppressedFlag": True}
"""On, and not for what we do ourselves."""
MOST_BOARDS = 40
"""Of so many boards the statuses are read for the mapping."""
MOST_IN_LIST = 100
OVERLAP = timedelta(minutes=15)
"""Wide, because their search has been seen to misread time zones; what repeats does no harm."""
BOOKED = "booked"
"""The stage of a sweep that follows the tickets that changed themselves."""
KEY_SECONDS = 3.0
KEY_KEPT_SECONDS = 3600
MOST_KEYS = 200
SIGNING_KEY = "signing_key"
"""The secret under which the key of their callbacks is kept for all processes: when, from where, and the key."""
CLOUDS = ("na", "eu", "au", "aus", "za")
CLOUD_HOSTS = frozenset({*(f"{name}.myconnectwise.net" for name in CLOUDS), "staging.connectwisedev.com"})

Verb = TypeVar("Verb", bound=Callable[..., Any])


def in_its_codebase(verb: Verb) -> Verb:
    """After an upgrade the address has another codebase: on a 404 ask once whether it changed."""

    @wraps(verb)
    def asked(self: ConnectWise, *args: Any) -> Any:
        known = self.ports.memory.get("base")
        try:
            return verb(self, *args)
        except Missing:
            if known is None:
                raise
            self.ports.memory.pop("base")
            if self._base() == known:
                raise
            return verb(self, *args)

    return cast(Verb, asked)


class ConnectWise(TicketConnector, HookConnector):
    """Service tickets, their notes, time entries and documents, of one ConnectWise company."""

    slug: ClassVar[str] = "connectwise"
    label: ClassVar[str] = "ConnectWise PSA"
    signature_headers: ClassVar[tuple[str, ...]] = ("x-content-signature",)
    lengths: ClassVar[Mapping[str, int]] = {"title": 100}
    insert_only: ClassVar[frozenset[str]] = frozenset({"description"})
    limits: ClassVar[Limits | None] = Limits(requests=1000, seconds=60, share=0.6)
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="site",
            is_address=True,
            label="Site",
            help="Where their people log in, like na.myconnectwise.net; for a server of their own its name.",
        ),
        Setting(name="company", label="Company", help="The company their people enter when they log in."),
        Setting(
            name="public_key", label="Public key", help="Of the API member (System > Members > API Members > API Keys)."
        ),
        Setting(name="private_key", label="Private key", help="Shown once when the keys were made.", is_secret=True),
        Setting(name="client_id", label="Client id", help="The GUID of the integration.", is_secret=True),
        Setting(name="member", label="API member", help="The member id of the API member the keys belong to."),
        Setting(name="company_id", label="Our company", help="The company that is us there.", picklist="company"),
        Setting(
            name="more_companies",
            label="Further companies of ours",
            help="Other companies there that are us as well: their tickets are taken in, too.",
            is_required=False,
            picklist="company",
            is_many=True,
            is_rare=True,
        ),
        Setting(name="board_id", label="Board", help="The service board new tickets go to.", picklist="queue"),
        Setting(
            name="version",
            label="API version",
            help="The model we ask for; theirs may be newer.",
            is_required=False,
            default="2025.1",
            is_rare=True,
        ),
        Setting(
            name="times",
            label="Times in conditions",
            help="Without Z only if their server misreads times.",
            is_required=False,
            default="zone",
            choices=(("zone", "09:30:00Z (usual)"), ("naive", "09:30:00")),
            is_rare=True,
        ),
        Setting(
            name="notify",
            label="E-mail their contacts",
            help="Whether their notification mails go out for what we write.",
            is_required=False,
            default="no",
            choices=(("no", "No"), ("yes", "Yes")),
            is_rare=True,
        ),
    )

    # -- who we are there

    def check(self) -> Checked:
        """Site, company, keys, member, our company and board: each error names its setting."""
        self.ports.memory.pop("base", None)
        http = self._http()
        info = http.get("system/info")
        member = self._member()
        company = self._one(f"company/companies/{_number(self.values['company_id'])}", "company_id", "company")
        board = self._one(f"service/boards/{_number(self.values['board_id'])}", "board_id", "board")
        if board.get("inactiveFlag"):
            raise Refused("This board is inactive.", field="board_id")
        if all(status.get("inactive") for status in self._listed(f"service/boards/{board['id']}/statuses")):
            raise Refused("This board has no active status that our member may see.", field="board_id")
        return Checked(
            own_user=str(member["identifier"]),
            facts={
                "version": str(info.get("version", "")),
                "time zone": str(info.get("serverTimeZone", "")),
                "company": str(company.get("name", "")),
                "board": str(board.get("name", "")),
            },
        )

    def _member(self) -> Json:
        found = self._http().get("system/members", conditions=f"identifier={quoted(self.values['member'])}")
        if not found:
            raise Refused("There is no member with this id that our keys may see.", field="member")
        return dict(found[0])

    def _one(self, path: str, field: str, what: str) -> Json:
        try:
            return dict(self._http().get(path))
        except Missing as error:
            raise Refused(f"There is no {what} with this id that our member may see.", field=field) from error

    @in_its_codebase
    def picklists(self) -> Mapping[str, tuple[Choice, ...]]:
        priorities = self._listed("service/priorities")
        boards = list(self._listed("service/boards"))
        return {
            "status": tuple(self._statuses(boards)),
            "priority": tuple(
                Choice(value=str(p["id"]), label=p["name"], hint=str(p.get("level") or "")) for p in priorities
            ),
            "queue": tuple(
                Choice(value=str(b["id"]), label=b["name"], is_active=not b.get("inactiveFlag")) for b in boards
            ),
            "company": tuple(
                Choice(value=str(c["id"]), label=c["name"])
                for c in self._listed("company/companies", conditions="deletedFlag=false")
            ),
            "visibility": (
                Choice(value=DISCUSSION, label="Discussion (their customer sees it)"),
                Choice(value=RESOLUTION, label="Resolution (their customer sees it)"),
                Choice(value=INTERNAL, label="Internal"),
            ),
        }

    def _statuses(self, boards: Sequence[Json]) -> Iterator[Choice]:
        """Statuses of every board that is in use, ours first: each board has its own, and tickets are moved.

        Before our board is chosen there are none to choose from.
        https://developer.connectwise.com/Products/ConnectWise_PSA/REST#/BoardStatuses
        """
        ours = self.values.get("board_id") or ""
        if not ours:
            return
        in_use = [board for board in boards if not board.get("inactiveFlag") or str(board["id"]) == ours]
        in_use.sort(key=lambda board: str(board["id"]) != ours)
        for board in in_use[:MOST_BOARDS]:
            for status in self._listed(f"service/boards/{_number(board['id'])}/statuses"):
                yield Choice(
                    value=str(status["id"]),
                    label=status["name"] if len(in_use) == 1 else f"{status['name']} · {board['name']}",
                    is_active=not status.get("inactive"),
                    is_closed=bool(status.get("closedStatus")),
                    hint=str(status.get("escalationStatus") or ""),
                    place=str(board["id"]),
                )

    # -- reading

    @in_its_codebase
    def changes_since(self, cursor: str) -> Page:
        """Tickets of our company that changed, or on which time was booked; their notes are read one by one later."""
        now = self.ports.now()
        if not cursor:
            return Page(tickets=(), cursor=sweeps.start(now))
        sweep = sweeps.begin(cursor, now=now)
        return self._booked_on(sweep) if sweep.stage == BOOKED else self._page_of(sweep)

    def _page_of(self, sweep: Sweep) -> Page:
        """The tickets that changed themselves, by id."""
        since = sweep.from_(OVERLAP)
        rows, more = self._one_page("service/tickets", sweep.after, conditions=f"{self._mine} and {self._after(since)}")
        self._learn_names(_info(item).get("updatedBy") for item in rows if isinstance(item, dict))
        found, unread = understood(rows, self._ticket)
        # What their search lets through by mistake is left out.
        tickets = tuple(ticket for ticket in found if ticket.changed_at > since)
        newest = max((ticket.changed_at for ticket in tickets), default=None)
        further = sweep.on(after=_last(rows) if more else 0, newest=newest)
        return Page(
            tickets=tickets, unread=unread, cursor=str(further if more else further.next_stage(BOOKED)), more=True
        )

    def _booked_on(self, sweep: Sweep) -> Page:
        """Tickets that did not change, but on which time was booked."""
        since = sweep.from_(OVERLAP)
        conditions = f'chargeToType="ServiceTicket" and {self._after(since)}'
        entries = self._listed("time/entries", conditions=conditions)
        booked = set(
            readable(entries, lambda entry: _number(entry["chargeToId"]) if _changed_since(entry, since) else 0)
        )
        wanted = sorted(key for key in booked if key > sweep.after)
        items = list(self._by_ids(wanted[:MOST_IN_LIST], self._mine))
        found, unread = understood(items, self._ticket)
        tickets = tuple(ticket for ticket in found if ticket.changed_at <= since)
        if len(wanted) > MOST_IN_LIST:
            further = str(sweep.on(after=wanted[MOST_IN_LIST - 1]))
            return Page(tickets=tickets, unread=unread, cursor=further, more=True)
        return Page(tickets=tickets, unread=unread, cursor=sweep.end)

    @cached_property
    def _company(self) -> str:
        """The name of their database, as it stands in an address."""
        return quote(self.values["company"])

    @cached_property
    def _companies(self) -> list[int]:
        """The companies there that are us; the first one is that of tickets we open."""
        return [_number(key) for key in (self.values["company_id"], *several(self.values.get("more_companies", "")))]

    @property
    def _mine(self) -> str:
        first, *more = self._companies
        return f"company/id in ({','.join(map(str, [first, *more]))})" if more else f"company/id={first}"

    def _after(self, since: datetime) -> str:
        return f"lastUpdated > {instant(since, is_naive=self.values.get('times') == 'naive')}"

    def _by_ids(self, keys: list[int], also: str) -> Iterator[Json]:
        if keys:
            ids = ",".join(str(key) for key in keys)
            yield from self._listed("service/tickets", conditions=f"id in ({ids}) and {also}")

    @in_its_codebase
    def fetch(self, key: str) -> RemoteTicket:
        ticket = self.glance(key)
        notes, unread = self._conversation(key)
        files, also_unread = self._files(key)
        return replace(ticket, notes=notes, files=files, unread=(*unread, *also_unread))

    @in_its_codebase
    def glance(self, key: str) -> RemoteTicket:
        item = self._http().get(f"service/tickets/{_number(key)}")
        if not isinstance(item, dict) or "id" not in item:
            raise Refused("ConnectWise answered without a ticket.")
        self._learn_names([_info(item).get("updatedBy")])
        return self._ticket(item)

    @in_its_codebase
    def find(self, reference: str) -> tuple[str, ...]:
        found = self._listed("service/tickets", conditions=f"externalXRef={quoted(reference)}")
        return tuple(sorted((str(item["id"]) for item in found if item.get("externalXRef") == reference), key=int))

    @in_its_codebase
    def carrying(self, prefix: str, since: datetime) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[int]] = {}
        conditions = f"externalXRef like {quoted(prefix + '%')} and {self._after(since)}"
        for item in self._listed("service/tickets", conditions=conditions):
            found.setdefault(str(item.get("externalXRef")), []).append(int(item["id"]))
        return {
            reference: tuple(str(key) for key in sorted(keys))
            for reference, keys in found.items()
            if reference.startswith(prefix)
        }

    @in_its_codebase
    def notes(self, key: str) -> tuple[RemoteNote, ...]:
        """Notes, and what engineers wrote into their time entries: half of the conversation stands there."""
        return all_of(*self._conversation(key))

    def _conversation(self, key: str) -> tuple[tuple[RemoteNote, ...], tuple[Unread, ...]]:
        number = _number(key)
        notes, unread = pieces(self._listed(f"service/tickets/{number}/notes"), lambda note: [self._note(note)])
        entries = self._listed("time/entries", conditions=f'chargeToType="ServiceTicket" and chargeToId={number}')
        booked, also_unread = pieces(entries, self._booked)
        told = sorted([*notes, *booked], key=lambda note: note.created_at)
        return tuple(told), (*unread, *also_unread)

    def _files(self, key: str) -> tuple[tuple[RemoteFile, ...], tuple[Unread, ...]]:
        found = list(self._listed("system/documents", recordType="Ticket", recordId=str(_number(key))))
        self._learn_names(document.get("owner") for document in found)
        return pieces(found, lambda document: [self._file(document)])

    @in_its_codebase
    def content(self, key: str, file: RemoteFile) -> bytes:
        return self._http().download(f"system/documents/{_number(file.key)}/download")

    # -- writing

    @in_its_codebase
    def push(self, change: Change) -> Pushed:
        return {"create": self._create, "fields": self._patch, "note": self._add_note, "file": self._add_file}[
            change.kind
        ](change)

    def _create(self, change: Change) -> Pushed:
        fields = dict(change.fields)
        body: Json = {
            "summary": fields.get("title", ""),
            "company": {"id": _number(self.values["company_id"])},
            "board": {"id": _number(self.values["board_id"])},
            "externalXRef": change.reference,
            "processNotifications": self._notifies,
            "skipCallback": True,
        }
        for name in ("status", "priority"):
            if fields.get(name):
                body[name] = {"id": _number(fields[name])}
        if fields.get("description"):
            # Their system makes the first note of it; the mark tells that it is ours.
            body["initialDescription"] = _marked(fields["description"], change.mark)
        made = self._http().write("POST", "service/tickets", body)
        ticket = self._ticket(made)
        return Pushed(key=ticket.key, ticket=ticket)

    def _patch(self, change: Change) -> Pushed:
        wanted: Json = {}
        for name, value in change.fields.items():
            wanted[_PATHS[name]] = {"id": _number(value)} if name in ("status", "priority") else value
        if change.reference:
            wanted["externalXRef"] = change.reference
        operations = [{"op": "replace", "path": path, "value": value} for path, value in wanted.items()]
        answer = self._http().write("PATCH", f"service/tickets/{_number(change.key)}", operations)
        unchanged = [path for path, value in wanted.items() if text_of(answer.get(path)) != text_of(value)]
        if unchanged:
            raise Refused(f"ConnectWise answered yes but did not change: {', '.join(unchanged)}.")
        return Pushed(key=change.key, ticket=self._ticket(answer))

    def _add_note(self, change: Change) -> Pushed:
        if change.visibility not in FLAGS:
            raise Refused(f"ConnectWise knows no place for notes called {change.visibility!r}.")
        text = f"{change.name}:\n{change.text}" if change.name else change.text
        body: Json = {flag: place == change.visibility for place, flag in FLAGS.items()}
        body |= {
            "text": _marked(text, change.mark),
            "member": {"identifier": self.values["member"]},
            "processNotifications": self._notifies,
            "customerUpdatedFlag": False,
        }
        made = self._http().write("POST", f"service/tickets/{_number(change.key)}/notes", body)
        return Pushed(key=str(made["id"]))

    def _add_file(self, change: Change) -> Pushed:
        made = self._http().upload(
            "system/documents",
            {
                "recordType": "Ticket",
                "recordId": str(_number(change.key)),
                "title": _marked(change.name[:150], change.mark, gap=" "),
                "privateFlag": "true" if change.visibility == INTERNAL else "false",
                "readOnlyFlay": "false",  # their spelling
                "isAvatar": "false",
            },
            (change.name, change.content),
        )
        return Pushed(key=str(made["id"]))

    @property
    def _notifies(self) -> bool:
        return self.values.get("notify") == "yes"

    # -- callbacks

    def read_hook(self, headers: Mapping[str, str], body: bytes) -> Hook:
        """A callback names where its key lies; only our own vendor's host is ever asked for one.

        So the body has to be read before it is proven: nothing but the key's address is taken from it until then.
        https://developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide#Callbacks
        """
        if not any(name.lower() in self.signature_headers for name in headers):
            raise BadSignature("The callback is not signed.")
        try:
            news = json.loads(body.decode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            raise BadSignature("The callback is no JSON, so it names no key.") from error
        metadata = news.get("Metadata") if isinstance(news, dict) else None
        key_url = metadata.get("key_url") if isinstance(metadata, dict) else None
        check_signature(self._signing_key(key_url), headers, body)
        return Hook(key=_subject(news), delivery=f"{news.get('MessageId')}.{hashlib.sha256(body).hexdigest()[:16]}")

    def _signing_key(self, key_url: Any) -> str:
        ours = urlsplit(self._site())
        try:
            asked = urlsplit(key_url if isinstance(key_url, str) else "")
            is_theirs = (asked.scheme, asked.netloc) == (ours.scheme, ours.netloc)
        except ValueError:
            is_theirs = False
        if not is_theirs or "/callbackkey/" not in asked.path or asked.username:
            raise BadSignature("The callback names no key at its own vendor.")
        # Two callbacks often come at once: the second waits for the key that the first asks for.
        with _ASKING[ours.netloc]:
            kept, found = _KEYS.get(key_url, (0.0, ""))
            if found and time.monotonic() - kept < KEY_KEPT_SECONDS:
                return found
            found = self._known_key(key_url) or self._asked_for_key(key_url)
            if len(_KEYS) > MOST_KEYS:
                _KEYS.clear()
            _KEYS[key_url] = (time.monotonic(), found)
            return found

    def _known_key(self, key_url: str) -> str:
        """The key that another process of ours has asked for."""
        at, _space, rest = self.ports.secret(SIGNING_KEY).partition(" ")
        known_url, _space, found = rest.partition(" ")
        is_fresh = at.isdecimal() and self.ports.now().timestamp() - int(at) < KEY_KEPT_SECONDS
        return found if known_url == key_url and is_fresh else ""

    def _asked_for_key(self, key_url: str) -> str:
        if not self.ports.may_ask_for_key():
            raise TryLater("The key of their callbacks was asked for less than a minute ago.", after=60)
        http = self.ports.open_http(base=self._site(), headers={}, seconds=KEY_SECONDS)
        try:
            answer = http.get(key_url)
        except (TryLater, Unclear) as error:
            raise TryLater(f"The key of their callbacks cannot be read now: {error}", after=60) from error
        except ConnectorError as error:
            raise BadSignature("There is no such key at their host.") from error
        found = str(answer.get("signing_key") or "") if isinstance(answer, dict) else ""
        if not found:
            raise BadSignature("There is no key at the address that the callback names.")
        self.ports.hide(found)
        self.ports.keep_secret(SIGNING_KEY, f"{self.ports.now().timestamp():.0f} {key_url} {found}")
        return found

    @in_its_codebase
    def register_hook(self, url: str) -> Hooked:
        """Exactly one callback each for our board's tickets and our companies' time; strays are removed."""
        wanted = {("ticket", "board", _number(self.values["board_id"]))}
        wanted |= {("time", "company", company) for company in self._companies}
        address = f"{url}?recordId="
        there = self._listed("system/callbacks", conditions=f"url contains {quoted(urlsplit(url).netloc)}")
        kept: dict[tuple[str, str, int], Json] = {}
        off: list[Json] = []
        for entry in sorted((e for e in there if str(e.get("url", "")).startswith(url)), key=lambda e: int(e["id"])):
            what = (str(entry["type"]).lower(), str(entry["level"]).lower(), int(entry["objectId"]))
            if what not in wanted or what in kept or entry["url"] != address:
                self._http().write("DELETE", f"system/callbacks/{entry['id']}", None)
                continue
            kept[what] = entry
            wrong = {name: value for name, value in CALLBACK.items() if entry.get(name) != value}
            if wrong:
                off.append(wrong)
                operations = [{"op": "replace", "path": name, "value": value} for name, value in wrong.items()]
                self._http().write("PATCH", f"system/callbacks/{entry['id']}", operations)
        for what in sorted(wanted - kept.keys()):
            kind, level, object_id = what
            kept[what] = self._http().write(
                "POST",
                "system/callbacks",
                {
                    "description": "Ticket Hub",
                    "url": address,
                    "objectId": object_id,
                    "type": kind,
                    "level": level,
                    **CALLBACK,
                },
            )
        return Hooked(
            key=",".join(str(kept[what]["id"]) for what in sorted(kept)),
            was_off=_what_was_off(off),
        )

    # -- their records as ours

    def _ticket(self, item: Json) -> RemoteTicket:
        info = _info(item)
        owner = item.get("owner") or {}
        return RemoteTicket(
            key=str(_number(item["id"])),
            number=str(item["id"]),
            url=f"{self._site()}/v4_6_release/services/system_io/Service/fv_sr100_request.rails"
            f"?service_recid={item['id']}&companyName={self._company}",
            fields={
                "title": text_of(item.get("summary")),
                "description": "",
                "status": text_of(item.get("status")),
                "priority": text_of(item.get("priority")),
            },
            created_at=moment(info.get("dateEntered")),
            changed_at=moment(info.get("lastUpdated")),
            author=self._name(info.get("updatedBy")),
            assignee=str(owner.get("name") or owner.get("identifier") or item.get("resources") or ""),
            queue=text_of(item.get("board")),
            status_label=_status_of(item),
            merged_into=text_of(item.get("mergedParentTicket")),
            is_ours=_is(info.get("enteredBy"), self.values["member"]),
            is_foreign=(item.get("company") or {}).get("id") not in self._companies,
            reference=text_of(item.get("externalXRef")),
            raw=item,
        )

    def _learn_names(self, identifiers: Iterable[Any]) -> None:
        """Look up the members we have not met, all in one query; records name them by their member id only."""
        memory = self.ports.memory
        unknown = sorted({str(each) for each in identifiers if each and f"member.{each}".lower() not in memory})
        if not unknown:
            return
        names = ",".join(quoted(each) for each in unknown[:MOST_IN_LIST])

        def learn(member: Json) -> None:
            name = f"{member.get('firstName') or ''} {member.get('lastName') or ''}".strip()
            memory[f"member.{member['identifier']}".lower()] = name or str(member["identifier"])

        readable(self._listed("system/members", conditions=f"identifier in ({names})"), learn)
        for each in unknown[:MOST_IN_LIST]:
            memory.setdefault(f"member.{each}".lower(), each)

    def _name(self, identifier: Any) -> str:
        return self.ports.memory.get(f"member.{identifier}".lower(), str(identifier or ""))

    def _note(self, note: Json) -> RemoteNote:
        member, contact = note.get("member") or {}, note.get("contact") or {}
        text = str(note.get("text") or "")
        return RemoteNote(
            key=str(note["id"]),
            text=text,
            visibility=visibility_of(note),
            author=str(member.get("name") or contact.get("name") or note.get("createdBy") or ""),
            is_ours=_is(note.get("createdBy"), self.values["member"]),
            created_at=moment(note.get("dateCreated")),
            mark=mark_in(text),
        )

    def _booked(self, entry: Json) -> Iterator[RemoteNote]:
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
                    is_ours=_is(member.get("identifier"), self.values["member"]),
                    created_at=moment(entry.get("dateEntered") or _info(entry).get("lastUpdated")),
                    mark=mark_in(str(text)),
                )

    def _file(self, document: Json) -> RemoteFile:
        title = str(document.get("title") or "")
        info = _info(document)
        return RemoteFile(
            key=str(document["id"]),
            name=str(document.get("fileName") or title or "file"),
            size=int(document.get("size") or 0),
            visibility=DISCUSSION if document.get("publicFlag", True) else INTERNAL,
            author=self._name(document.get("owner")),
            is_ours=_is(document.get("owner"), self.values["member"]),
            created_at=moment(document.get("createdOnDate") or info.get("lastUpdated")),
            mark=mark_in(title),
        )

    # -- reaching them

    def _listed(self, path: str, **params: str) -> Iterator[Json]:
        """Every record of a list, by id, forward only: no page shifts while records change."""
        last, more = 0, True
        for _ in range(MOST_PAGES):
            if not more:
                return
            rows, more = self._one_page(path, last, **params)
            yield from rows
            last = _last(rows) if more else last
        raise Refused("ConnectWise's pages do not end.")

    def _one_page(self, path: str, after: int, **params: str) -> tuple[list[Json], bool]:
        """The records after an id, and whether there are more."""
        forward = {"pagination-type": "forward-only"}
        reply = self._http().page(path, headers=forward, pageSize=str(PAGE_SIZE), pageId=str(after), **params)
        if not isinstance(reply.body, list):
            raise Refused("ConnectWise answered a query without a list.")
        more = _has_more(reply)
        if more and _last(reply.body) <= after:
            raise Refused("ConnectWise's pages do not end.")
        return reply.body, more

    def _http(self) -> Http:
        return self.ports.open_http(base=self._base(), headers=self._headers(), explain=explain)

    def _headers(self) -> dict[str, str]:
        user = f"{self.values['company']}+{self.values['public_key']}:{self.values['private_key']}"
        return {
            "Authorization": f"Basic {base64.b64encode(user.encode()).decode()}",
            "clientId": self.values["client_id"],
            "Accept": f"application/vnd.connectwise.com+json; version={self.values.get('version') or '2025.1'}",
        }

    def _site(self) -> str:
        site = self.values["site"].strip().rstrip("/")
        return site if "://" in site else f"https://{site}"

    def _base(self) -> str:
        """The API's base URL: the codebase is asked for once, without credentials, and remembered."""
        memory = self.ports.memory
        if "base" not in memory:
            site = self._site()
            http = self.ports.open_http(base=site, headers={}, explain=_explain_site)
            found = http.get(f"login/companyinfo/{quote(self.values['company'], safe='')}")
            if found is None:
                raise Refused("ConnectWise knows no company of this name at this site.", field="company")
            codebase = str(found.get("Codebase") or "") if isinstance(found, dict) else ""
            if not codebase or not all(c.isalnum() or c in "_./" for c in codebase) or ".." in codebase:
                raise Refused("This site does not answer like ConnectWise.", field="site")
            parts = urlsplit(site)
            # Their cloud answers under api-; without it every call is refused with "SSL is required".
            host = f"api-{parts.netloc}" if parts.netloc in CLOUD_HOSTS else parts.netloc
            memory["base"] = f"{parts.scheme}://{host}/{codebase.strip('/')}/apis/3.0"
        return memory["base"]


_KEYS: dict[str, tuple[float, str]] = {}
_ASKING: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
"""By the vendor's host: who is slow to answer keeps no other vendor's callbacks waiting."""
"""Signing keys by their URL, in this process only, and when they were read."""
_PATHS = {"title": "summary", "status": "status", "priority": "priority"}


def _explain_site(status: int, _body: Any) -> ConnectorError | None:
    return Refused("This site does not answer like ConnectWise.", field="site") if 400 <= status < 500 else None


def _last(rows: list[Any]) -> int:
    """The last id of a page: of its records some may have none."""
    return max(readable(rows, lambda row: _number(row["id"])), default=0)


def _has_more(reply: Reply) -> bool:
    """Forward-only lists always send a Link; it names a next page until there is none."""
    link = next((value for name, value in reply.headers.items() if name.lower() == "link"), None)
    if link is None:
        return len(reply.body) >= PAGE_SIZE
    return bool(reply.body and reply.next_page)


def _subject(news: Json) -> str:
    """The ticket a callback is about; for booked time it stands in the entity, which is JSON in a string."""
    key = news.get("ID")
    if str(news.get("Type", "")).lower() == "time":
        entity = json.loads(news.get("Entity") or "{}")
        key = entity.get("chargeToId") if isinstance(entity, dict) else None
    if isinstance(key, bool) or not isinstance(key, int | str) or not str(key).isascii() or not str(key).isdecimal():
        raise Refused("The callback names no ticket.")
    return str(key)


def _number(text: Any) -> int:
    """An id of theirs: anything else must not get into a path or a condition."""
    if type(text) is int and 0 <= text < 10**19:
        return text
    if not str(text).isascii() or not str(text).isdecimal() or len(str(text)) > 19:
        raise Refused(f"{str(text)[:40]!r} is not an id of ConnectWise's.")
    return int(text)


def _changed_since(item: Json, since: datetime) -> bool:
    """What their search lets through by mistake is left out."""
    return moment(_info(item).get("lastUpdated")) > since


def _what_was_off(off: Sequence[Json]) -> str:
    """What of the callbacks had to be put right, in words; empty where all were as they should be."""
    if any("inactiveFlag" in each for each in off):
        return "ConnectWise had switched a callback off, as after three days of failures."
    return "A callback there was for our own changes as well." if off else ""


def _status_of(item: Json) -> str:
    """The status by name, with the board: names repeat from board to board."""
    status, board = item.get("status") or {}, item.get("board") or {}
    return " · ".join(str(each["name"]) for each in (status, board) if isinstance(each, dict) and each.get("name"))


def _info(item: Mapping[str, Any]) -> Mapping[str, Any]:
    found = item.get("_info")
    return found if isinstance(found, Mapping) else {}


def _is(name: Any, member: str) -> bool:
    return isinstance(name, str) and name.lower() == member.lower()


def _marked(text: str, mark: str, *, gap: str = "\n\n") -> str:
    return f"{text}{gap}[TH:{mark}]" if mark else text
