"""What our messages say, and what the first line of an answer means."""

from __future__ import annotations

import re

from connectors.email.parser import Mail
from connectors.kit.contract import Change

OFFERED, ACCEPTED, QUESTION, RESOLVED, DECLINED, RECALLED, CLOSED = (
    "offered",
    "accepted",
    "question",
    "resolved",
    "declined",
    "recalled",
    "closed",
)
_WORDS = (
    (ACCEPTED, re.compile(r"(i |we )?(hereby )?(accept(ed)?|take it|taken|angenommen|accepté|aceptado)\b", re.I)),
    (DECLINED, re.compile(r"(i |we )?(declin(e|ed)|reject(ed)?|refuse[ds]?|abgelehnt|refusé|rechazado)\b", re.I)),
    (QUESTION, re.compile(r"(need(s|ed)? (more )?info(rmation)?|question|rückfrage)\b", re.I)),
    (RESOLVED, re.compile(r"(resolved?|solved|done|fixed|completed?|erledigt|gelöst|résolu|resuelto)\b", re.I)),
)
_ASKS = """Answer with one of these words at the beginning of the first line:

    ACCEPT                      you take it on
    DECLINE why                 you do not
    NEED INFORMATION what       you wait for an answer of ours
    RESOLVED what was done      it is done

Anything else you write is added to the ticket."""


def offer(change: Change, guest_link: str) -> str:
    fields = change.fields
    lines = [fields.get("title", ""), ""]
    if fields.get("priority"):
        lines += [f"Priority: {fields['priority']}", ""]
    lines += [fields.get("description", ""), "", "-" * 40, _ASKS]
    if guest_link:
        lines += ["", "Or without a log-in, on a page:", ""]
        lines += [f"    {word:<18}{guest_link}?do={verb}" for word, verb in _PRESSED]
    return "\n".join(lines)


_PRESSED = (("Accept", "accept"), ("Decline", "decline"), ("Need information", "ask"), ("Resolved", "resolve"))
"""What can be pressed on the page; each address opens it at that verb."""

_SAID = {
    RECALLED: "This ticket was taken back. Please do nothing more on it.",
    CLOSED: "This ticket is closed. Thank you.",
    ACCEPTED: "Please go on with this ticket.",
    QUESTION: "This ticket waits.",
    OFFERED: "This ticket is offered to you again.",
    RESOLVED: "This ticket counts as resolved.",
}


def update(change: Change) -> str:
    lines = [_SAID.get(value, f"Status: {value}") for name, value in change.fields.items() if name == "status"]
    lines += [f"{name.capitalize()}: {value}" for name, value in change.fields.items() if name in ("priority", "title")]
    return "\n".join(lines)


def status_of(mail: Mail) -> tuple[str, str]:
    """What the first line says of the work, and what is left to read; a mail that is new says nothing of it."""
    if not mail.leg:
        return "", mail.text
    first, _, rest = mail.text.partition("\n")
    line = first.strip().lstrip("*_>#. ").rstrip("*_ ")
    for status, words in _WORDS:
        found = words.match(line)
        if found is not None and (len(line) - found.end() < 400):
            said = line[found.end() :].lstrip(" :.,;–—-!").rstrip()
            text = "\n".join(part for part in (said, rest.strip()) if part)
            return status, text
    return "", mail.text
