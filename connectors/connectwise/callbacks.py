"""Callbacks, which is ConnectWise's word for webhooks: reading one, and keeping them registered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from connectors.connectwise.api import Api
from connectors.connectwise.companies import Companies
from connectors.connectwise.conditions import quoted
from connectors.connectwise.signing import SigningKeys, check_signature
from connectors.connectwise.values import Json, id_of
from connectors.kit.contract import Hook, Hooked
from connectors.kit.errors import BadSignature, Refused
from hub.core.sentences import sentence

SIGNATURE_HEADER = "x-content-signature"
Subject = tuple[str, str, int]
"""What a callback is registered for: type, level and the ID of the board or company."""
_TERMS = {"inactiveFlag": False, "isSelfSuppressedFlag": True}
"""Active, and without changes by the API member itself, which is what the name of the second flag suggests. The engine
recognises the hub's own changes in any case."""


def read(api: Api, headers: Mapping[str, str], body: bytes) -> Hook:
    """The ticket a callback is about.

    A callback contains the URL of the key it is signed with, so the body has to be read before it is verified. Until
    then only that URL is used.
    https://developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide
    """
    if not any(name.lower() == SIGNATURE_HEADER for name in headers):
        raise BadSignature(sentence("The callback is not signed."))
    try:
        news = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise BadSignature(sentence("The callback is not valid JSON.")) from error
    metadata = news.get("Metadata") if isinstance(news, dict) else None
    key_url = metadata.get("key_url") if isinstance(metadata, dict) else None
    check_signature(SigningKeys(api).key(key_url), headers, body)
    return Hook(key=_ticket_of(news), delivery=f"{news.get('MessageId')}.{hashlib.sha256(body).hexdigest()[:16]}")


class Callbacks:
    """The registrations of this hub: tickets of its board, and time entries of each of its companies.

    There is no type for notes: a new note is an update of its ticket. A callback needs a response within five seconds.
    It is retried only after a 404, 409, 419 or 429, and is disabled after three days of failures.
    https://developer.connectwise.com/Products/ConnectWise_PSA/Developer_Guide
    """

    def __init__(self, api: Api) -> None:
        self.api = api

    def register(self, url: str) -> Hooked:
        """Make sure that there is exactly one active callback for each subject; others with our URL are removed."""
        board = id_of(self.api.values["board_id"])
        wanted: set[Subject] = {("ticket", "board", board)}
        wanted |= {("time", "company", company) for company in Companies(self.api.values).ids}
        kept, corrected = self._sorted_out(url, wanted)
        for what in sorted(wanted - kept.keys()):
            kept[what] = self._make(what, url)
        return Hooked(key=",".join(str(kept[what]["id"]) for what in sorted(kept)), was_off=_what_was_wrong(corrected))

    def _sorted_out(self, url: str, wanted: set[Subject]) -> tuple[dict[Subject, Json], list[Json]]:
        """The callbacks to keep, by subject, and what was corrected on them; all others are deleted."""
        there = self.api.listed("system/callbacks", conditions=f"url contains {quoted(urlsplit(url).netloc)}")
        ours = sorted((e for e in there if str(e.get("url", "")).startswith(url)), key=lambda e: int(e["id"]))
        kept: dict[Subject, Json] = {}
        corrected: list[Json] = []
        for entry in ours:
            what = (str(entry["type"]).lower(), str(entry["level"]).lower(), int(entry["objectId"]))
            if what not in wanted or what in kept or entry["url"] != _address(url):
                self.api.http().write("DELETE", f"system/callbacks/{entry['id']}", None)
                continue
            kept[what] = entry
            wrong = {name: value for name, value in _TERMS.items() if entry.get(name) != value}
            if wrong:
                corrected.append(wrong)
                operations = [{"op": "replace", "path": name, "value": value} for name, value in wrong.items()]
                self.api.http().write("PATCH", f"system/callbacks/{entry['id']}", operations)
        return kept, corrected

    def _make(self, what: Subject, url: str) -> Json:
        """Register one callback.

        https://developer.connectwise.com/Products/ConnectWise_PSA/REST#/CallbackEntries
        """
        kind, level, object_id = what
        subject = {"objectId": object_id, "type": kind, "level": level}
        body = {"description": "Ticket Hub", "url": _address(url), **subject, **_TERMS}
        return dict(self.api.http().write("POST", "system/callbacks", body))


def _address(url: str) -> str:
    """The URL to register: ConnectWise appends the record's ID and the action to it."""
    return f"{url}?recordId="


def _ticket_of(news: Json) -> str:
    """The ticket a callback is about; for a time entry it is in the entity, which is JSON in a string."""
    key = news.get("ID")
    if str(news.get("Type", "")).lower() == "time":
        entity = json.loads(news.get("Entity") or "{}")
        key = entity.get("chargeToId") if isinstance(entity, dict) else None
    if isinstance(key, bool) or not isinstance(key, int | str) or not str(key).isascii() or not str(key).isdecimal():
        raise Refused(sentence("The callback does not name a ticket."))
    return str(key)


def _what_was_wrong(corrected: Sequence[Json]) -> str:
    """What had to be corrected on the callbacks; empty if nothing was wrong."""
    if any("inactiveFlag" in each for each in corrected):
        return sentence("ConnectWise had disabled a callback, as it does after three days of failures.")
    return sentence("A callback also reported the hub's own changes.") if corrected else ""
