"""Sends notices to endpoints over HTTP, signed as Standard Webhooks: https://www.standardwebhooks.com."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
import secrets
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import requests
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from hub.core import crypto
from hub.core.sentences import sentence
from hub.egress import EgressDenied, Policy, open_session
from workflows.models import Channel, Endpoint, Notice
from workflows.notifications.errors import NotSent

TIMEOUT = 15
"""Seconds."""
SECRET_BYTES = 32
"""The specification requires 24 to 64."""


@transaction.atomic
def renew_secret(endpoint: Endpoint) -> str:
    """Give the endpoint a new random secret and return it. It cannot be read again.

    From now on, messages have only the standard signature, made with this secret.
    """
    secret = "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    row = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    row.sealed = crypto.seal(row.public_id, {"secret": secret})
    row.has_hex_signature = False
    row.save(update_fields=["sealed", "has_hex_signature"])
    endpoint.sealed, endpoint.has_hex_signature = row.sealed, row.has_hex_signature
    return secret


def message_id(notices: list[Notice]) -> str:
    """The id of the message for these notices, the same at every attempt.

    Receivers drop a repeated id, so a message for several notices has an id of its own: its first notice may have been
    sent before, alone or together with others.
    """
    first = str(notices[0].public_id)
    if len(notices) == 1:
        return first
    members = ",".join(notice.public_id for notice in notices)
    return f"{first}-{hashlib.sha256(members.encode()).hexdigest()[:16]}"


def signature_headers(endpoint: Endpoint, *, id: str, content: str, at: datetime) -> dict[str, str]:
    """The headers by which a receiver verifies the message; none for an endpoint without a secret."""
    secret = crypto.unseal(endpoint.public_id, bytes(endpoint.sealed)).get("secret", "")
    if not secret:
        return {}
    # sign() takes the clock time of a datetime for UTC: findings/standardwebhooks-sign-takes-any-zone-for-utc.sh
    signatures = [_signer(secret).sign(id, at.astimezone(UTC), content)]
    timestamp = str(int(at.timestamp()))
    if endpoint.has_hex_signature:
        # It comes first, because a receiver made for it may read only the beginning of the header.
        mac = hmac.new(secret.encode(), f"{id}.{timestamp}.{content}".encode(), hashlib.sha256)
        signatures.insert(0, f"v1,{mac.hexdigest()}")
    return {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}


def _signer(secret: str) -> Webhook:
    """Signs with the bytes that a `whsec_` secret encodes. Any other secret, entered by an admin, is the key itself."""
    if secret.startswith("whsec_"):
        try:
            return Webhook(secret)
        except (binascii.Error, EmptyWebhookSecretError):
            pass  # entered by an admin and not base64
    return Webhook(secret.encode())


def post(notice: Notice, subject: str, body: str, *, id: str) -> None:
    """Post one message to the endpoint of the notice, signed with the time of the attempt. NotSent if it fails."""
    endpoint = Endpoint.objects.filter(public_id=notice.to, is_active=True).first()
    if endpoint is None:
        raise NotSent(sentence("The endpoint is no longer in use."), is_final=True)
    content = json.dumps(_payload(endpoint, notice, subject, body))
    try:
        signed = signature_headers(endpoint, id=id, content=content, at=timezone.now())
    except crypto.CannotUnseal as error:
        raise NotSent(
            sentence("The secret of %(endpoint)s cannot be read with this installation's keys.", endpoint=endpoint),
            is_final=True,
        ) from error
    headers = {"Content-Type": "application/json", **signed}
    try:
        with open_session(Policy.of(settings.EGRESS_ALLOW)) as session:
            answer = session.post(
                endpoint.url, data=content.encode(), headers=headers, timeout=TIMEOUT, allow_redirects=False
            )
    except EgressDenied as error:
        raise NotSent(str(error), is_final=True) from error
    except (requests.RequestException, OSError) as error:
        raise NotSent(sentence("%(endpoint)s did not answer.", endpoint=endpoint)) from error
    if answer.status_code >= 300:
        is_final = 300 <= answer.status_code < 500 and answer.status_code not in (408, 409, 425, 429)
        raise NotSent(
            sentence("%(endpoint)s answered %(status)s.", endpoint=endpoint, status=answer.status_code),
            is_final=is_final,
        )


def _payload(endpoint: Endpoint, notice: Notice, subject: str, body: str) -> dict[str, Any]:
    """The JSON body in the format of the endpoint's channel."""
    if endpoint.channel == Channel.SLACK:
        return {"text": f"*{subject}*\n{body}"[:3000]}
    if endpoint.channel == Channel.TEAMS:
        card = {
            "type": "AdaptiveCard",
            "version": "1.4",
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "body": [
                {"type": "TextBlock", "text": subject, "weight": "Bolder", "wrap": True},
                {"type": "TextBlock", "text": body[:3000], "wrap": True},
            ],
        }
        return {
            "type": "message",
            "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
        }
    ticket = notice.ticket
    return {
        "id": notice.public_id,
        "kind": notice.kind,
        "subject": subject,
        "text": body,
        "url": notice.url,
        "made_at": notice.made_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ticket": {"id": ticket.public_id, "number": ticket.label, "title": ticket.title, "priority": ticket.priority}
        if ticket
        else None,
    }
