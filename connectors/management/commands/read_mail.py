"""Read e-mails as the hub would, and print one JSON line for each; the database is not touched.

manage.py read_mail message.eml          one e-mail
manage.py read_mail folder/              every .eml and .mbox file in it and below, or every file if there are none
manage.py read_mail archive.mbox         every e-mail of an mbox file
manage.py read_mail -                    one e-mail from standard input

`action` says what would be done: open_ticket, add_message, delivery_failed, ignore or hold.
"""

from __future__ import annotations

import json
import mailbox
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from connectors.email.parser import Mail, Reader
from connectors.email.threads import Keys


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", help="an e-mail, a folder of .eml files, an .mbox file, or - for standard input")

    def handle(self, *_args: Any, **options: Any) -> None:
        keys = [str(key).encode() for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
        reader = Reader(keys=Keys(tuple(keys)))
        for name, raw in _messages(options["path"]):
            self.stdout.write(json.dumps({"file": name, **told(reader.read(raw))}, ensure_ascii=False))


def _messages(path: str) -> Iterator[tuple[str, bytes]]:
    if path == "-":
        yield "-", sys.stdin.buffer.read()
        return
    place = Path(path)
    try:
        for file in _files(place):
            name = str(file.relative_to(place)) if place.is_dir() else file.name
            if file.suffix.lower() == ".mbox":
                with closing(mailbox.mbox(str(file), create=False)) as archive:
                    for key in archive.iterkeys():
                        yield f"{name}#{key}", archive.get_bytes(key)
            else:
                yield name, file.read_bytes()
    except (OSError, mailbox.Error) as error:
        raise CommandError(f"{path} could not be read: {getattr(error, 'strerror', None) or error}.") from error


def _files(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place]
    every = sorted(file for file in place.rglob("*") if file.is_file() and not file.name.startswith("."))
    if not every:
        raise CommandError(f"There are no e-mails in {place}.")
    return [file for file in every if file.suffix.lower() in (".eml", ".mbox")] or every


def told(mail: Mail) -> dict[str, Any]:
    """The fields of the JSON line for one e-mail."""
    return {
        "kind": mail.kind,
        "action": mail.action,
        "why": mail.why,
        "message_id": mail.message_id,
        "subject": mail.subject,
        "from": mail.sender,
        "sent_at": mail.sent_at.isoformat() if mail.sent_at else None,
        "thread_evidence": [asdict(one) for one in mail.evidence],
        "reply_text": mail.text,
        "quoted_text": mail.quoted,
        "html": mail.html,
        "attachments": [
            {"name": one.name, "type": one.kind, "size": len(one.content), "is_inline": one.is_inline}
            for one in mail.attachments
        ],
        "failing_addresses": list(mail.failing),
        "status": mail.report.status if mail.report else "",
        "authentication_results": list(mail.authentication),
    }
