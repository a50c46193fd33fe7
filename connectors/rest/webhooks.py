"""Webhook calls: signed in one of several ways, about one record or many, registered if the system has an API for it.

Signatures are HMAC: https://www.rfc-editor.org/rfc/rfc2104
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, ClassVar

from connectors.kit.contract import NOT_UNDERSTOOD, Hook, HookConnector, Hooked
from connectors.kit.errors import BadSignature, Refused, Unsupported
from connectors.rest.caller import Caller
from connectors.rest.profile import HookRow, Profile
from connectors.rest.records import Records
from hub.core.sentences import sentence
from hub.expressions import text


class TakesCalls(HookConnector):
    """The part of a profile's connector that receives calls; the rest is in `connector`."""

    profile: ClassVar[Profile]
    caller: Caller
    records: Records

    @property
    def _row(self) -> HookRow:
        assert self.profile.hook is not None, "made for profiles with a [hook] only"
        return self.profile.hook

    def read_hook(self, headers: Mapping[str, str], body: bytes) -> Hook:
        row = self._row
        sent = {name.lower(): value for name, value in headers.items()}
        self._check_signature(sent, body)
        news = json.loads(body) if body.strip() else None
        told = {"answer": news, "headers": sent, "settings": self.caller.known["settings"]}
        self._check_age(told)
        keys = keys_of_call(row, told, self.records)
        named = text(row.delivery(told)) if row.delivery is not None else ""
        # The vendor's own ID is cut, never the digest: two calls must not become one.
        delivery = f"{named[:70]}.{hashlib.sha256(body).hexdigest()[:24]}"
        return Hook(key=keys[0], delivery=delivery, also=tuple(keys[1:200]))

    def _check_signature(self, sent: Mapping[str, str], body: bytes) -> None:
        row = self._row
        if row.check == "secret_path":
            return
        secret = row.secret.text(self.caller.known) if row.secret is not None else ""
        if not secret:
            raise BadSignature(sentence("No secret is set for webhook calls."))
        if row.check == "basic":
            told, wanted = sent.get("authorization", ""), "Basic " + base64.b64encode(secret.encode()).decode()
        elif row.check == "header":
            told, wanted = sent.get(row.header.lower(), ""), f"{row.prefix}{secret}"
        else:
            told, wanted = sent.get(row.header.lower(), ""), row.prefix + self._mac(secret, sent, body)
        if not told or not hmac.compare_digest(told.strip().encode(), wanted.encode()):
            raise BadSignature(sentence("The call is not signed with our secret."))

    def _mac(self, secret: str, sent: Mapping[str, str], body: bytes) -> str:
        row = self._row
        key = secret.encode()
        if row.key_form == "sha256":
            key = hashlib.sha256(key).digest()
        elif row.key_form == "base64":
            try:
                key = base64.b64decode(secret, validate=True)
            except (binascii.Error, ValueError) as error:
                raise BadSignature(sentence("The secret for webhook calls is not valid base64.")) from error
        content = body
        if row.content is not None:
            # The raw body is inserted at the end: decoding and encoding it could change a byte.
            told = {"body": "\x00body\x00", "headers": dict(sent), "settings": self.caller.known["settings"]}
            content = row.content.text(told).encode().replace(b"\x00body\x00", body)
        mac = hmac.new(key, content, getattr(hashlib, row.algorithm))
        return mac.hexdigest() if row.encoding == "hex" else base64.b64encode(mac.digest()).decode()

    def _check_age(self, told: Mapping[str, Any]) -> None:
        row = self._row
        if row.timestamp is None:
            return
        try:
            at = self.records.moment(row.timestamp(told))
        except (Refused, *NOT_UNDERSTOOD) as error:
            raise BadSignature(sentence("The call does not say when it was sent.")) from error
        if abs((self.ports.now() - at).total_seconds()) > row.tolerance_seconds:
            raise BadSignature(sentence("The call is too old, or the sender's clock is wrong."))

    def register_hook(self, url: str) -> Hooked:
        if not self.caller.has("hook_create") or not self.caller.has("hooks"):
            raise Unsupported(
                sentence("Register a webhook with this URL in %(system)s: %(url)s", system=self.profile.name, url=url)
            )
        row = self._row
        ours = []
        for items in self.caller.pages("hooks", {}):
            for item in items:
                if row.url is not None and text(row.url({"item": item})) == url:
                    ours.append(item)
        for stray in ours[1:]:
            if self.caller.has("hook_delete"):
                self.caller.run("hook_delete", {"hook": {"url": url}, "item": stray}, is_write=True)
        if not ours:
            done = self.caller.run("hook_create", {"hook": {"url": url}}, is_write=True)
            return Hooked(key=done.key)
        key = text(row.id({"item": ours[0]})) if row.id is not None else ""
        is_off = row.is_active is not None and row.is_active({"item": ours[0]}) is not True
        if is_off and self.caller.has("hook_enable"):
            self.caller.run("hook_enable", {"hook": {"url": url}, "item": ours[0]}, is_write=True)
            return Hooked(key=key, was_off=sentence("%(system)s had disabled the webhook.", system=self.profile.name))
        return Hooked(key=key)


def keys_of_call(row: HookRow, told: Mapping[str, Any], records: Records) -> list[str]:
    """The keys of the records that a call names; `told` contains the names for expressions. Refused without any key."""
    found = row.keys(told) if row.keys is not None else [row.key(told)] if row.key is not None else []
    keys = [records.key(text(key)) for key in found or [] if text(key)]
    if not keys:
        raise Refused(sentence("The call does not name a record."))
    return keys
