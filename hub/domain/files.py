"""The contents of attachments: stored once per SHA-256, and verified when read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from hub.core.chunks import in_chunks
from hub.core.sentences import sentence
from hub.models import Attachment
from hub.translation import Refusal

PIECE = 1024 * 1024


class NotWhole(Refusal):
    """The stored content is missing or was changed; the message is for a person."""


class Broken(NamedTuple):
    """An attachment whose stored content is missing or was changed, with the fault."""

    attachment: Attachment
    what: str


def keep(attachment: Attachment, content: bytes) -> None:
    """Store the content at the attachment's path, replacing damaged content.

    Raises OSError if storing fails; no file is left behind then.
    """
    if not fault(attachment):
        return
    if default_storage.exists(attachment.path):
        default_storage.delete(attachment.path)
    default_storage.save(attachment.path, ContentFile(content))
    if found := fault(attachment):
        default_storage.delete(attachment.path)
        raise OSError(f"{attachment.name}: {found}")


def fault(attachment: Attachment) -> str:
    """Why the stored content is not valid; empty if it is."""
    if not default_storage.exists(attachment.path):
        return sentence("The content is missing.")
    size = default_storage.size(attachment.path)
    if size != attachment.size:
        return sentence("The content has %(size)s bytes instead of %(expected)s.", size=size, expected=attachment.size)
    digest = hashlib.sha256()
    with default_storage.open(attachment.path) as file:
        for piece in iter(lambda: file.read(PIECE), b""):
            digest.update(piece)
    return "" if digest.hexdigest() == attachment.sha256 else sentence("The content was changed.")


def verify() -> Iterator[Broken]:
    """Every attachment whose content is missing or was changed. Each content is read once."""
    told: dict[str, str] = {}
    for attachment in in_chunks(Attachment.objects.select_related("ticket")):
        if attachment.sha256 not in told:
            told[attachment.sha256] = fault(attachment)
        if told[attachment.sha256]:
            yield Broken(attachment, told[attachment.sha256])


def read(attachment: Attachment) -> bytes:
    """The content. Raises NotWhole if it is missing or was changed."""
    if found := fault(attachment):
        raise NotWhole(
            sentence(
                "The file “%(name)s” cannot be used. %(fault)s Restore the file from a backup.",
                name=attachment.name,
                fault=found,
            )
        )
    with default_storage.open(attachment.path) as file:
        return bytes(file.read())
