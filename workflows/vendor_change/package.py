"""Reading a vendor's export back: every row is checked, and everything wrong is reported at once."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from hub.core.clock import now
from hub.models import Phase, Ticket
from workflows.vendor_change import export

MOST_TOLD = 20
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
ULID = r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$"
Row = dict[str, Any]


class NotBrought(Exception):
    """The package is rejected; `wrong` lists every problem."""

    def __init__(self, wrong: list[str]) -> None:
        super().__init__("; ".join(wrong[:MOST_TOLD]))
        self.wrong = wrong


class Instant(forms.DateTimeField):
    """A time with its offset, not before 1970 and not in the future."""

    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        if found is not None and not EARLIEST <= found <= now():
            raise ValidationError(_("Enter a time after 1970 that is not in the future."))
        return found


class TicketRow(forms.Form):
    id = forms.RegexField(ULID)
    number = forms.CharField(max_length=64)
    kind = forms.ChoiceField(choices=Ticket.Kind.choices)
    title = forms.CharField(max_length=255)
    description = forms.CharField(required=False, strip=False)
    priority = forms.CharField(max_length=16)
    phase = forms.ChoiceField(choices=Phase.choices)
    service = forms.CharField(required=False, max_length=150)
    opened_at = Instant()
    resolved_at = Instant(required=False)
    closed_at = Instant(required=False)


class EngagementRow(forms.Form):
    ticket = forms.CharField(max_length=64)
    organisation = forms.CharField(max_length=150)
    offered_at = Instant()
    delivered_at = Instant(required=False)
    ended_at = Instant(required=False)


class MessageRow(forms.Form):
    id = forms.RegexField(ULID)
    ticket = forms.CharField(max_length=64)
    by = forms.CharField(max_length=150)
    at = Instant()
    body = forms.CharField(strip=False)


class AttachmentRow(forms.Form):
    message = forms.RegexField(ULID)
    name = forms.CharField(max_length=255, strip=False)
    size = forms.IntegerField(min_value=0)
    sha256 = forms.RegexField(r"^[0-9a-f]{64}$")


FORMS: Mapping[str, type[forms.Form]] = {
    "tickets": TicketRow,
    "engagements": EngagementRow,
    "messages": MessageRow,
    "attachments": AttachmentRow,
}


@dataclass(frozen=True, kw_only=True)
class Package:
    """A valid package: cleaned rows, grouped by ticket number where they belong to a ticket."""

    folder: Path
    vendor: str
    vendor_id: str
    fingerprint: str
    tickets: list[Row]
    engagements: Mapping[str, list[Row]]
    messages: Mapping[str, list[Row]]
    attachments: Mapping[str, list[Row]]
    """By the id of their message."""


def read(folder: Path) -> Package:
    """The package in a folder. NotBrought lists everything that is wrong with it."""
    wrong = export.verify(folder)
    if wrong:
        raise NotBrought(wrong)
    content = (folder / export.MANIFEST).read_bytes()
    manifest = json.loads(content)
    if manifest.get("format") != export.FORMAT:
        raise NotBrought(
            [_("%(file)s: expected the format %(format)s.") % {"file": export.MANIFEST, "format": export.FORMAT}]
        )
    vendor, vendor_id = manifest.get("vendor"), manifest.get("vendor_id")
    named = isinstance(vendor, str) and 0 < len(vendor) <= 150 and _is_text(vendor)
    if not named or not isinstance(vendor_id, str) or not re.fullmatch(ULID, vendor_id):
        raise NotBrought([_("%(file)s: the vendor's name or id is missing or invalid.") % {"file": export.MANIFEST}])
    tables = {name: list(_rows(folder, name, form, wrong)) for name, form in FORMS.items()}
    if not wrong:
        wrong = list(_loose_ends(folder, tables))
    if wrong:
        raise NotBrought(wrong)
    return Package(
        folder=folder,
        vendor=vendor,
        vendor_id=vendor_id,
        fingerprint=hashlib.sha256(content).hexdigest(),
        tickets=tables["tickets"],
        engagements=_by(tables["engagements"], "ticket"),
        messages=_by(tables["messages"], "ticket"),
        attachments=_by(tables["attachments"], "message"),
    )


def _rows(folder: Path, name: str, form: type[forms.Form], wrong: list[str]) -> Iterator[Row]:
    """The valid rows of a table; the problems of the others are appended to `wrong`."""
    try:
        found = json.loads((folder / f"{name}.json").read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        wrong.append(_("%(table)s.json cannot be read: %(why)s") % {"table": name, "why": str(error)[:200]})
        return
    for number, raw in enumerate(found if isinstance(found, list) else [None], 1):
        if not isinstance(raw, dict):
            wrong.append(_("%(table)s.json, row %(row)s: expected an object.") % {"table": name, "row": number})
            continue
        if name == "messages" and not _is_for_later(raw):
            continue
        if strange := [column for column, value in raw.items() if not _is_text(value)]:
            wrong.append(
                _("%(table)s.json, row %(row)s, %(column)s: the text contains characters that cannot be stored.")
                % {"table": name, "row": number, "column": strange[0]}
            )
            continue
        checked = form({key: value for key, value in raw.items() if isinstance(value, str | int)})
        if checked.is_valid():
            yield checked.cleaned_data
            continue
        for column, said in checked.errors.items():
            named = {"table": name, "row": number, "column": column, "why": " ".join(str(each) for each in said)}
            wrong.append(_("%(table)s.json, row %(row)s, %(column)s: %(why)s") % named)


def _is_text(value: Any) -> bool:
    """Whether a text can be stored: unpaired surrogates, which JSON allows, and NUL characters cannot."""
    if not isinstance(value, str):
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in value


def _is_for_later(raw: Mapping[str, Any]) -> bool:
    """Whether later organisations may see the message. A package made for a successor contains no others."""
    return bool(raw.get("for_later", True)) and not raw.get("withdrawn_at") and not raw.get("superseded_by")


def _loose_ends(folder: Path, tables: Mapping[str, list[Row]]) -> Iterator[str]:
    """Duplicate rows, and rows that refer to something missing."""
    known = {row["number"] for row in tables["tickets"]}
    for name, key in (("tickets", "id"), ("tickets", "number"), ("messages", "id")):
        seen: set[str] = set()
        for row in tables[name]:
            if row[key] in seen:
                yield _("%(table)s.json: %(id)s appears twice.") % {"table": name, "id": row[key]}
            seen.add(row[key])
    for name in ("engagements", "messages"):
        for row in tables[name]:
            if row["ticket"] not in known:
                yield _("%(table)s.json: there is no ticket %(ticket)s.") % {"table": name, "ticket": row["ticket"]}
    for row in tables["attachments"]:
        file = folder / "files" / row["sha256"]
        if not file.is_file() or file.stat().st_size != row["size"] or export.digest(file) != row["sha256"]:
            yield _("attachments.json: the file of %(name)s is missing or was changed.") % {"name": row["name"]}


def _by(rows: list[Row], key: str) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return found
