"""Autotask's webhooks: reading a call, and keeping one webhook registered."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence

from connectors.autotask.api import Api
from connectors.autotask.people import People
from connectors.autotask.queries import gte
from connectors.autotask.values import Json
from connectors.kit.contract import HOOK_SECRET, Hook, Hooked
from connectors.kit.errors import BadSignature, Refused
from hub.core.sentences import Sentence, sentence

_SUBSCRIBED = ("status", "priority", "title", "description", "assignedResourceID", "queueID")
_FIELDS = "fields"
_EXCLUSION = "exclusion"


def signature(secret: str, body: bytes) -> str:
    """The X-Hook-Signature of a raw body: HMAC-SHA1 in base64, not hex.

    https://www.autotask.net/help/DeveloperHelp/Content/APIs/Webhooks/SecretKeyPayloadVerification.htm

    >>> signature("key", b"{}")
    'sha1=yZY7g3GD3GZxBkYbPekdCIX1ObM='
    """
    return "sha1=" + base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha1).digest()).decode()


def check_signature(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    """BadSignature unless the body was signed with the secret; an empty secret accepts nothing."""
    sent = {name.lower(): value for name, value in headers.items()}.get("x-hook-signature", "")
    if not secret or not hmac.compare_digest(sent.encode("utf-8", "replace"), signature(secret, body).encode()):
        raise BadSignature(sentence("The webhook call is not signed with the webhook secret."))


def read(secret: str, headers: Mapping[str, str], body: bytes) -> Hook:
    """The ticket a call is about. Names in the payload start with a capital letter, unlike those of the REST API."""
    check_signature(secret, headers, body)
    news = json.loads(body)
    key = news.get("Id")
    if news.get("EntityType") == "TicketNote":
        key = (news.get("Fields") or {}).get("TicketID")
    if not isinstance(key, int | str) or not str(key).isdecimal():
        raise Refused(sentence("The webhook call does not name a ticket."))
    # There is no delivery ID. Registration, sequence and body are the same if one call is delivered twice.
    delivery = f"{news.get('Guid')}.{news.get('SequenceNumber')}.{hashlib.sha256(body).hexdigest()[:16]}"
    return Hook(key=str(key), delivery=delivery)


class Webhooks:
    """The registration of this hub's webhook.

    A call needs a 2xx response within ten seconds. It is tried five times within about two minutes and then dropped,
    and after 25 dropped events in a row Autotask disables the webhook:
    https://www.autotask.net/help/DeveloperHelp/Content/APIs/Webhooks/Webhooks_Error_Handling.htm
    """

    def __init__(self, api: Api, people: People) -> None:
        self.api, self.people = api, people

    def register(self, url: str) -> Hooked:
        """Make sure that there is exactly one webhook for this URL, and correct what is missing or wrong.

        The API never returns the secret, so a digest of the registered one is kept. The secret is written again if it
        has changed, or if the engine deleted the digest because calls could not be verified.
        https://www.autotask.net/help/DeveloperHelp/Content/APIs/Webhooks/REST_WebhooksEntity.htm
        """
        if not self.api.values.get("hook_secret"):
            raise Refused(sentence("Enter a webhook secret first; webhooks must be signed."), field="hook_secret")
        ours = [each for each in self.api.query("TicketWebhooks", [gte("id", 0)]) if each.get("webhookUrl") == url]
        if not ours:
            return Hooked(key=self._make(url))
        hook = min(ours, key=lambda each: int(each["id"]))
        wrong = {name: value for name, value in _terms(url).items() if hook.get(name) != value}
        if self.api.ports.memory.get(HOOK_SECRET) != self._secret_digest():
            wrong["secretKey"] = self.api.values["hook_secret"]
        if wrong:
            self.api.http().write("PATCH", "V1.0/TicketWebhooks", {"id": hook["id"], **wrong})
            self.api.ports.memory[HOOK_SECRET] = self._secret_digest()
        added = self._complete(int(hook["id"]))
        return Hooked(key=str(hook["id"]), was_off=_what_was_wrong(wrong, added))

    def _make(self, url: str) -> str:
        terms = {"name": "Ticket Hub", **_terms(url), "secretKey": self.api.values["hook_secret"]}
        terms["sendThresholdExceededNotification"] = False
        made = self.api.http().write("POST", "V1.0/TicketWebhooks", terms)["itemId"]
        self.api.ports.memory[HOOK_SECRET] = self._secret_digest()
        self._complete(int(made))
        return str(made)

    def _complete(self, hook: int) -> list[str]:
        """Subscribe the fields that are read, and exclude the API user; returns which of these was missing.

        A webhook without fields is never ready and makes no calls. Without the exclusion, every write of this hub would
        trigger a call.
        https://www.autotask.net/help/DeveloperHelp/Content/APIs/Webhooks/Webhooks_Creating.htm
        """
        http, path, added = self.api.http(), f"V1.0/TicketWebhooks/{hook}", set[str]()
        there = {int(row["fieldID"]) for row in http.get(f"{path}/Fields")["items"] if row.get("isSubscribedField")}
        # One field per request and one request at a time: only three simultaneous requests are allowed per entity.
        # https://www.autotask.net/help/DeveloperHelp/Content/APIs/General/ThreadLimiting.htm
        for field_id in self._field_ids():
            if field_id not in there:
                more = {"fieldID": field_id, "isSubscribedField": True, "isDisplayAlwaysField": False}
                http.write("POST", f"{path}/Fields", {"webhookID": hook, **more})
                added.add(_FIELDS)
        ours = int(self.people.own_user())
        if ours not in {int(row["resourceID"]) for row in http.get(f"{path}/ExcludedResources")["items"]}:
            http.write("POST", f"{path}/ExcludedResources", {"webhookID": hook, "resourceID": ours})
            added.add(_EXCLUSION)
        return sorted(added)

    def _field_ids(self) -> list[int]:
        """The IDs of the fields to subscribe, from a picklist labelled with the names of ticket fields."""
        fields = self.api.http().get("V1.0/TicketWebhookFields/entityInformation/fields")["fields"]
        values = next((f.get("picklistValues") or [] for f in fields if f["name"] == "fieldID"), [])
        wanted = {name.lower() for name in _SUBSCRIBED}
        return [int(v["value"]) for v in values if str(v["label"]).replace(" ", "").lower() in wanted]

    def _secret_digest(self) -> str:
        return hashlib.sha256(f"hook:{self.api.values['hook_secret']}".encode()).hexdigest()[:32]


def _terms(url: str) -> Json:
    """The properties of this hub's webhook; both URLs are required."""
    return {
        "isActive": True,
        "webhookUrl": url,
        "deactivationUrl": f"{url}deactivated/",
        "isSubscribedToCreateEvents": True,
        "isSubscribedToUpdateEvents": True,
        "isSubscribedToDeleteEvents": True,
    }


def _what_was_wrong(wrong: Json, added: Sequence[str]) -> str:
    """What had to be corrected on a webhook; empty if nothing was wrong."""
    if wrong.get("isActive"):
        return sentence("Autotask had disabled the webhook, as it does after 25 failed events.")
    parts: list[Sentence] = []
    if _EXCLUSION in added:
        parts.append(sentence("the exclusion of the API user"))
    if _FIELDS in added:
        parts.append(sentence("fields"))
    if any(name.startswith("isSubscribed") for name in wrong):
        parts.append(sentence("event types"))
    if "secretKey" in wrong:
        parts.append(sentence("the secret"))
    if "deactivationUrl" in wrong:
        parts.append(sentence("the deactivation address"))
    if not parts:
        return ""
    return sentence("The webhook in Autotask was incomplete or wrong: %(parts)s.", parts=_listed(parts))


def _listed(parts: Sequence[Sentence]) -> Sentence:
    listed = parts[0]
    for part in parts[1:]:
        listed = sentence("%(first)s, %(second)s", first=listed, second=part)
    return listed
