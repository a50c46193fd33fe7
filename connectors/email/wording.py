"""The text of our messages, and the meaning of the first line of a reply."""

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
_ASKS = """Reply with one of these words at the start of the first line:

    ACCEPT                      to accept the ticket
    DECLINE reason              to decline it
    NEED INFORMATION question   to ask us a question
    RESOLVED resolution         to report that it is resolved

Any other text is added to the ticket as a note."""


def offer(change: Change, guest_link: str) -> str:
    """The text that offers a ticket; `guest_link` is empty if there is no guest page."""
    fields = change.fields
    lines = [fields.get("title", ""), ""]
    if fields.get("priority"):
        lines += [f"Priority: {fields['priority']}", ""]
    lines += [fields.get("description", ""), "", "-" * 40, _ASKS]
    if guest_link:
        lines += ["", "Or use these links. No login is needed:", ""]
        lines += [f"    {word:<18}{guest_link}?do={verb}" for word, verb in _PRESSED]
    return "\n".join(lines)


_PRESSED = (("Accept", "accept"), ("Decline", "decline"), ("Need information", "ask"), ("Resolved", "resolve"))
"""The answers on the guest page, each with the verb that opens the page for it."""

_SAID = {
    RECALLED: "This ticket has been recalled. Please stop working on it.",
    CLOSED: "This ticket is closed. Thank you.",
    ACCEPTED: "Please continue to work on this ticket.",
    QUESTION: "This ticket is on hold.",
    OFFERED: "This ticket is offered to you again.",
    RESOLVED: "This ticket is now resolved.",
}
_NAMES = {"priority": "Priority", "title": "Title"}


def update(change: Change) -> str:
    """The text that reports a change of status, priority or title."""
    lines = [_SAID.get(value, f"Status: {value}") for name, value in change.fields.items() if name == "status"]
    lines += [f"{_NAMES[name]}: {value}" for name, value in change.fields.items() if name in _NAMES]
    return "\n".join(lines)


def status_of(mail: Mail) -> tuple[str, str]:
    """The status that the first line of a reply reports, and the remaining text; no status if it is not a reply."""
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
