"""Deskling, API v1."""

# how-to: imports
from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

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
    understood,
)
from connectors.kit.errors import BadSignature, ConnectorError, LockedOut, Refused
from connectors.kit.http import Http
from hub.core.sentences import sentence

OVERLAP = timedelta(minutes=15)
PAGE_SIZE = 100
MOST_PAGES = 1000


# how-to: settings
class Deskling(TicketConnector, HookConnector):
    slug = "deskling"
    signature_headers = ("x-deskling-signature",)
    label = "Deskling"
    settings = (
        Setting(
            name="address",
            is_address=True,
            label=sentence("Address"),
            help=sentence("For example https://acme.deskling.example."),
        ),
        Setting(
            name="api_key",
            label=sentence("API key"),
            help=sentence("Created under Settings, API."),
            is_secret=True,
        ),
        Setting(
            name="queue_id",
            label=sentence("Queue"),
            help=sentence("The queue of new tickets."),
            picklist="queue",
        ),
        Setting(
            name="hook_secret",
            label=sentence("Webhook secret"),
            help=sentence("Deskling signs its webhooks with it."),
            is_secret=True,
            is_required=False,
        ),
    )
    lengths = {"title": 200}
    limits = Limits(requests=600, seconds=60, share=0.5)

    def _http(self) -> Http:
        return self.ports.open_http(
            base=self.values["address"], headers={"X-Api-Key": self.values["api_key"]}, explain=explain
        )

    # how-to: check
    def check(self) -> Checked:
        me = self._me()
        queues = {choice.value for choice in self.picklists()["queue"]}
        if self.values["queue_id"] not in queues:
            raise Refused(sentence("There is no queue with this ID. Choose another."), field="queue_id")
        return Checked(own_user=me, facts={sentence("user"): me})

    def picklists(self) -> Mapping[str, tuple[Choice, ...]]:
        lists = _dict(self._http().get("api/v1/lists"))
        return {
            name: tuple(Choice(value=str(v["id"]), label=v["name"], is_active=v["active"]) for v in values)
            for name, values in lists.items()
        }

    def _me(self) -> str:
        """The ID of our user; kept in memory, because every record is compared with it."""
        memory = self.ports.memory
        if "me" not in memory:
            memory["me"] = str(_dict(self._http().get("api/v1/me"))["id"])
        return memory["me"]

    # how-to: reading
    def changes_since(self, cursor: str) -> Page:
        """One page of changed tickets, by ID; the cursor says how far the sweep has got."""
        now = self.ports.now()
        if not cursor:
            return Page(tickets=(), cursor=sweeps.start(now))
        sweep = sweeps.begin(cursor, now=now)
        since = _written(sweep.from_(OVERLAP))
        items = self._page("api/v1/tickets", sweep.after, changed_after=since)
        tickets, unread = understood(items, self._ticket)
        newest = max((ticket.changed_at for ticket in tickets), default=None)
        if len(items) < PAGE_SIZE:
            return Page(tickets=tickets, unread=unread, cursor=sweep.on(after=0, newest=newest).end)
        further = sweep.on(after=max(readable(items, lambda item: _id(item["id"])), default=0), newest=newest)
        return Page(tickets=tickets, unread=unread, cursor=str(further), more=True)

    def fetch(self, key: str) -> RemoteTicket:
        notes, unread = self._conversation(key)
        files, also_unread = pieces(self._all(f"api/v1/tickets/{_id(key)}/files"), lambda file: [self._file(file)])
        return replace(self.glance(key), notes=notes, files=files, unread=(*unread, *also_unread))

    def glance(self, key: str) -> RemoteTicket:
        item = _dict(self._http().get(f"api/v1/tickets/{_id(key)}"))
        if "id" not in item:
            raise Refused(sentence("Deskling's response contains no ticket."))
        return self._ticket(item)

    def find(self, reference: str) -> tuple[str, ...]:
        found = self._all("api/v1/tickets", external_id=reference)
        return tuple(sorted((str(item["id"]) for item in found if item["external_id"] == reference), key=int))

    def carrying(self, prefix: str, since: datetime) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[int]] = {}
        for item in self._all("api/v1/tickets", changed_after=_written(since)):
            if item["external_id"].startswith(prefix):
                found.setdefault(item["external_id"], []).append(int(item["id"]))
        return {reference: tuple(str(key) for key in sorted(keys)) for reference, keys in found.items()}

    def notes(self, key: str) -> tuple[RemoteNote, ...]:
        return all_of(*self._conversation(key))

    def _conversation(self, key: str) -> tuple[tuple[RemoteNote, ...], tuple[Unread, ...]]:
        return pieces(self._all(f"api/v1/tickets/{_id(key)}/comments"), lambda note: [self._note(note)])

    def content(self, key: str, file: RemoteFile) -> bytes:
        return self._http().download(f"api/v1/tickets/{_id(key)}/files/{_id(file.key)}")

    def _all(self, path: str, **filters: str) -> Iterator[dict[str, Any]]:
        """Every record of a list, page by page."""
        last = 0
        for _ in range(MOST_PAGES):
            items = self._page(path, last, **filters)
            yield from items
            if len(items) < PAGE_SIZE:
                return
            last = items[-1]["id"]
        raise Refused(sentence("Deskling's list has more than %(count)s pages.", count=MOST_PAGES))

    def _page(self, path: str, after: int, **filters: str) -> list[dict[str, Any]]:
        """One page of a list; an invalid response is an error, never an empty list."""
        page = self._http().get(path, after_id=str(after), limit=str(PAGE_SIZE), **filters)
        if not isinstance(page, dict) or not isinstance(page.get("items"), list):
            raise Refused(sentence("Deskling's response contains no list."))
        return list(page["items"])

    # how-to: records
    def _ticket(self, item: dict[str, Any]) -> RemoteTicket:
        return RemoteTicket(
            key=str(_id(item["id"])),
            number=f"D-{item['id']}",
            url=f"{self.values['address']}/tickets/{item['id']}",
            fields={name: str(item[name]) for name in self.fields},
            created_at=_moment(item["created_at"]),
            changed_at=_moment(item["changed_at"]),
            assignee=item["assignee"],
            queue=str(item["queue"]),
            is_ours=str(item["created_by"]) == self._me(),
            reference=item["external_id"],
            raw=item,
        )

    def _note(self, note: dict[str, Any]) -> RemoteNote:
        return RemoteNote(
            key=str(note["id"]),
            text=note["text"],
            visibility="public" if note["public"] else "private",
            author=note["author_name"],
            is_ours=str(note["author"]) == self._me(),
            created_at=_moment(note["created_at"]),
            mark=mark_in(note["text"]),
        )

    def _file(self, file: dict[str, Any]) -> RemoteFile:
        return RemoteFile(
            key=str(file["id"]),
            name=file["name"],
            size=file["size"],
            visibility="public" if file["public"] else "private",
            author=file["author_name"],
            is_ours=str(file["author"]) == self._me(),
            created_at=_moment(file["created_at"]),
            mark=mark_in(file["description"]),
        )

    # how-to: writing
    def push(self, change: Change) -> Pushed:
        ways = {"create": self._create, "fields": self._patch, "note": self._add_note, "file": self._add_file}
        return ways[change.kind](change)

    def _create(self, change: Change) -> Pushed:
        body = {**change.fields, "queue": self.values["queue_id"], "external_id": change.reference}
        ticket = self._ticket(self._http().write("POST", "api/v1/tickets", body))
        return Pushed(key=ticket.key, ticket=ticket)

    def _patch(self, change: Change) -> Pushed:
        body = dict(change.fields)
        if change.reference:
            body["external_id"] = change.reference
        item = self._http().write("PATCH", f"api/v1/tickets/{_id(change.key)}", body)
        return Pushed(key=change.key, ticket=self._ticket(item))

    def _add_note(self, change: Change) -> Pushed:
        text = f"{change.name}:\n{change.text}\n\n[TH:{change.mark}]"
        body = {"text": text, "public": _is_public(change.visibility)}
        made = self._http().write("POST", f"api/v1/tickets/{_id(change.key)}/comments", body)
        return Pushed(key=str(made["id"]))

    def _add_file(self, change: Change) -> Pushed:
        body = {
            "name": change.name,
            "description": f"[TH:{change.mark}]",
            "public": _is_public(change.visibility),
            "data": base64.b64encode(change.content).decode(),
        }
        made = self._http().write("POST", f"api/v1/tickets/{_id(change.key)}/files", body)
        return Pushed(key=str(made["id"]))

    # how-to: hooks
    def read_hook(self, headers: Mapping[str, str], body: bytes) -> Hook:
        sent = {name.lower(): value for name, value in headers.items()}.get("x-deskling-signature", "")
        secret = self.values.get("hook_secret", "")
        if not secret or not hmac.compare_digest(sent.encode(), signature(secret, body).encode()):
            raise BadSignature(sentence("The webhook is not signed with our secret."))
        news = json.loads(body)
        return Hook(key=str(_id(news["ticket"])), delivery=str(news["event"]))

    def register_hook(self, url: str) -> Hooked:
        ours = [hook for hook in self._all("api/v1/hooks") if hook["url"] == url]
        if not ours:
            made = self._http().write("POST", "api/v1/hooks", {"url": url, "secret": self.values["hook_secret"]})
            return Hooked(key=str(made["id"]))
        hook = ours[0]
        if hook["active"]:
            return Hooked(key=str(hook["id"]))
        self._http().write("PATCH", f"api/v1/hooks/{hook['id']}", {"active": True})
        return Hooked(key=str(hook["id"]), was_off=sentence("Deskling had disabled the webhook."))


# how-to: helpers
def explain(status: int, body: Any) -> ConnectorError | None:
    """The error for a response of Deskling's; None for the usual meaning of the status."""
    if status == 401:
        return LockedOut(sentence("Deskling rejected the API key. Enter a valid one."), field="api_key")
    if status == 422 and isinstance(body, dict) and body.get("error"):
        return Refused(sentence("Deskling: %(message)s", message=body["error"]))
    return None


def signature(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _id(key: Any) -> int:
    """An ID of Deskling's; anything else must not get into a path."""
    if isinstance(key, bool) or not str(key).isascii() or not str(key).isdigit():
        raise Refused(sentence("“%(key)s” is not a Deskling ID.", key=str(key)[:40]))
    return int(key)


def _is_public(visibility: str) -> bool:
    """Whether the visibility is public; an unknown one is an error, never guessed."""
    if visibility not in ("public", "private"):
        raise Refused(sentence("Deskling has no visibility “%(name)s”.", name=visibility))
    return visibility == "public"


def _dict(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise Refused(sentence("Deskling's response is not a record."))
    return answer


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
