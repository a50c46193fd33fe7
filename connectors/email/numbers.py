"""The vendor's ticket number in a subject.

Most help desks assign a reply to a ticket by this text alone, so it is kept as they write it, including brackets.
"""

from __future__ import annotations

import re

LONGEST = 60
MOST = 5
_SHAPES = tuple(
    re.compile(shape, re.IGNORECASE)
    for shape in (
        r"thread::[\w-]{5,50}(?:::)?",  # Salesforce, Lightning threading
        r"\bref:[!_]?\w{5,20}[.\w!]{1,30}:ref\b",  # Salesforce, older
        r"##[a-z]{0,10}-?\d{1,14}##",  # ManageEngine ServiceDesk Plus
        r"\[(?!TH:)[^\[\]\n]{0,30}?[#:\s-]?[a-z]{0,10}[#:\s-]{0,2}\d[\w.-]{0,24}\]",  # OTRS, Request Tracker, Jira, …
        r"\((?:[a-z]{2,10}-\d{1,12}|#\d{1,14}|(?:case|ticket|request|ref)[^()\n]{0,12}?\d{2,14})\)",
        r"\bT\d{8}\.\d{4}\b",  # Autotask
        r"\b(?:INC|REQ|RITM|SCTASK|TASK|CHG|PRB|CAS|CS|SR|TKT|HD|WO)[-_#]?\d{4,14}(?:-[A-Z0-9]{4,8})?\b",
        r"\b(?:ticket|case|incident|request|anfrage|vorgang|dossier|demande|ärende|sag|zaak)"
        r"(?:[ -]?(?:id|no|nr|number|nummer)\b\.?)?[ :]{0,2}#?[ ]?[a-z]{0,6}-?\d{3,14}(?:[.-]\d{1,8})?\b",
        r"(?<![\w&])#\d{3,14}\b",
    )
)
_DATE = re.compile(r"\D*(?:\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{1,2}/\d{1,2})\D*")


def numbers_in(subject: str) -> tuple[str, ...]:
    """What may be a ticket number, most likely first, as written in the subject.

    >>> numbers_in("[Ticket#2026031610000042] RE: Toner is out")
    ('[Ticket#2026031610000042]',)
    >>> numbers_in("RE: Toner is out [desk.example #4711]"), numbers_in("Re: Toner - case 00012345")
    (('[desk.example #4711]',), ('case 00012345',))
    >>> numbers_in("RE[2]: [EXTERNAL] Toner is out since [2026-03-16]")
    ()
    """
    found: list[str] = []
    left = subject[:1000]
    for shape in _SHAPES:
        for match in shape.finditer(left):
            number = " ".join(match[0].split())
            is_one = len(number) <= LONGEST and not _DATE.fullmatch(number) and not re.fullmatch(r"\[\d\]", number)
            if is_one and not any(number in known for known in found):
                found.append(number)
    return tuple(found[:MOST])
