"""Recognises messages that no person sent: automatic replies, challenges, abuse complaints, mailing lists.

Automatic replies: RFC 3834. Abuse complaints: RFC 5965. Mailing lists: RFC 2369 and RFC 2919.

https://www.rfc-editor.org/rfc/rfc3834
https://www.rfc-editor.org/rfc/rfc5965
https://www.rfc-editor.org/rfc/rfc2369
https://www.rfc-editor.org/rfc/rfc2919
"""

from __future__ import annotations

import re
from email.message import Message

from connectors.email import bounds, headers, mime
from hub.core.sentences import sentence

_AUTO_SUBJECT = re.compile(
    r"^\s*(re:\s*|aw:\s*)?\[?(auto(matic|mated|mat)?[ -_]?(reply|response|responder|antwort|svar)|autoreply|auto:|"
    r"out[ -]of[ -](the[ -])?office|ooo\b|i am (out|away)|away from (my|the)|on vacation|"
    r"vacation (reply|response|notice)|"
    r"automatische (antwort|abwesenheit)|abwesenheits|abwesend|nicht im (büro|haus)|réponse automatique|"
    r"absence du bureau|absent du bureau|respuesta automática|fuera de (la )?oficina|risposta automatica|"
    r"fuori (sede|ufficio)|resposta automática|automatisch antwoord|afwezig|automatiskt svar|frånvaro|autosvar|fravær|"
    r"automatyczna odpowiedź|poza biurem|автоответ|автоматический ответ|automaattinen vastaus|otomatik yanıt|"
    r"自动回复|自動回覆|自動返信|자동 회신)",
    re.IGNORECASE,
)
_CHALLENGE = re.compile(
    r"(please )?(confirm|verify) (your|that you|the) (message|e-?mail|sender|identity|are)|sender (verification|"
    r"confirmation|address verification)|boxtrapper|spam ?arrest|challenge[/-]response|your email (requires|needs) "
    r"verification|confirm(ation)? (required|needed) to deliver|prove you are (a )?human|bestätigen sie.{0,30}absender",
    re.IGNORECASE,
)
_CHALLENGE_HEADERS = (
    "x-boxtrapper",
    "x-boxtrapper-version",
    "x-spamarrest",
    "x-tmda-fingerprint",
    "x-asgk",
    "x-qconfirm",
    "x-verify-sender",
    "x-uol-confirm",
)


def is_challenge(message: Message, subject: str, text: str) -> bool:
    """Whether a mail system asks for confirmation that a person sent a message of ours."""
    if any(name in message for name in _CHALLENGE_HEADERS):
        return True
    if _CHALLENGE.search(subject) is None:
        return False
    # A person may write about such things; a challenge asks for a reply or a click.
    asked = re.search(r"https?://|reply to this|respond to this|click|antworten", text[:4000], re.IGNORECASE)
    return asked is not None


def complaint(message: Message) -> str:
    """What a feedback report says, for an admin; empty if the message is not one."""
    parts_of_it = inside if isinstance(inside := mime.inside_of(message), list) else []
    told = next((part for part in parts_of_it if part.get_content_type() == "message/feedback-report"), None)
    if told is None:
        return ""
    fields = bounds.from_string(mime.content(told).decode("utf-8", "replace"))
    what, who = headers.header(fields, "feedback-type") or "abuse", headers.header(fields, "original-rcpt-to")
    if not who:
        return sentence(
            "A mail provider reports a complaint (%(kind)s) about one of our messages. No ticket was created. Ask the "
            "provider to remove our address from its list of unwanted senders, then skip this e-mail.",
            kind=what[:40],
        )
    return sentence(
        "A mail provider reports a complaint (%(kind)s) about one of our messages to %(address)s. No ticket was "
        "created. Ask the provider to remove our address from its list of unwanted senders, then skip this e-mail.",
        kind=what[:40],
        address=who[:200],
    )


def automatic(message: Message, subject: str, *, is_ours: bool) -> str:
    """Why this is an automatic reply (RFC 3834); empty if it is not one.

    If our signature proves that it answers a message of ours, only the headers of autoresponders count. The other
    headers are also on replies of people: from Exchange redirect rules, gateways and help desks (Redmine, GitLab, SES).
    """
    submitted = headers.header(message, "auto-submitted").lower()
    if submitted.startswith(("auto-replied", "auto-notified")):
        return _automatic_by("Auto-Submitted")
    precedence = headers.header(message, "precedence").lower().replace("-", "_")
    if precedence == "auto_reply" or (precedence == "junk" and not is_ours):
        return _automatic_by("Precedence")
    for name in _AUTO_HEADERS if is_ours else (*_AUTO_HEADERS, *_AUTO_HEADERS_OF_OTHERS):
        if name in message and headers.header(message, name).lower() not in ("no", "false", "0"):
            return _automatic_by(name)
    if _AUTO_SUBJECT.match(subject):
        return sentence("This is an automatic reply, according to its subject.")
    if headers.header(message, "return-path") == "<>" and not is_ours:
        return sentence("This is an automatic message to which no reply is possible (empty Return-Path, RFC 3834).")
    return ""


def _automatic_by(header: str) -> str:
    return sentence("This is an automatic reply (%(header)s).", header=header)


_AUTO_HEADERS = (
    "x-autoreply",
    "x-autorespond",
    "x-autoresponder",
    "x-auto-reply",
    "x-mail-autoreply",
    "x-vacation",
    "x-autoreply-from",
    "delivered-to-autoresponder",
)
_AUTO_HEADERS_OF_OTHERS = (
    "x-autogenerated",
    "x-fc-machinegenerated",
    "x-ms-exchange-inbox-rules-loop",
    "x-post-messageclass",
)


def is_list(message: Message) -> bool:
    """Whether the message came through a mailing list or is a bulk mailing."""
    if any(
        name in message
        for name in (
            "list-id",
            "list-post",
            "list-help",
            "mailing-list",
            "x-mailman-version",
            "x-beenthere",
            "x-mailing-list",
        )
    ):
        return True
    precedence = headers.header(message, "precedence").lower()
    if precedence == "list" or ("feedback-id" in message and "list-unsubscribe" in message):
        return True
    # "bulk" alone says little: some servers add it to what people send.
    sender = headers.header(message, "sender").lower()
    by_list = sender.startswith("owner-") or "-owner@" in sender or "-request@" in sender or "-bounces@" in sender
    return precedence == "bulk" and (by_list or "list-unsubscribe" in message or "x-loop" in message)
