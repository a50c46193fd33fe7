"""The contents of attachments: kept once, by what they are, and known to be whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from hub.models import Attachment

PIECE = 1024 * 1024


class NotWhole(Exception):
    """The stored content is not what was attached; the message says so, for a person."""


class Broken(NamedTuple):
    """An attachment whose content is not what it should be."""

    attachment: Attachment
    what: str


def keep(attachment: Attachment, content: bytes) -> None:
    """Store the content where the attachment says; what lies there and is not it is written again.

    OSError where it cannot be stored; nothing is left behind then.
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
    """What is wrong with the stored content; empty where nothing is."""
    if not default_storage.exists(attachment.path):
        return "its content is missing"
    size = default_storage.size(attachment.path)
    if size != attachment.size:
        return f"it has {size} bytes instead of {attachment.size}"
    digest = hashlib.sha256()
    with default_storage.open(attachment.path) as file:
        for piece in iter(lambda: file.read(PIECE), b""):
            digest.update(piece)
    return "" if digest.hexdigest() == attachment.sha256 else "its content is another one"


def verify() -> Iterator[Broken]:
    """Every attachment whose content is not what it should be; each content is read once."""
    told: dict[str, str] = {}
    for attachment in Attachment.objects.select_related("ticket").order_by("sha256", "pk").iterator(chunk_size=500):
        if attachment.sha256 not in told:
            told = {attachment.sha256: fault(attachment)}
        if told[attachment.sha256]:
            yield Broken(attachment, told[attachment.sha256])


def read(attachment: Attachment) -> bytes:
    """The content; NotWhole where what is stored is not what was attached."""
    if found := fault(attachment):
        raise NotWhole(f"The file “{attachment.name}” cannot be used: {found}. Restore it from a backup.")
    with default_storage.open(attachment.path) as file:
        return bytes(file.read())
