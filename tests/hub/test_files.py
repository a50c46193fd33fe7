"""A disk that is full for real: a file is there whole, or not at all."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from hub.domain import files, messages, tickets
from hub.domain.actors import Actor
from hub.models import Attachment, Ticket
from hub.storage import WholeFileStorage
from tests import factories

pytestmark = pytest.mark.django_db

DISK = 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be made here: run as root on Linux ({mounted.stderr.strip()})")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def ticket(agent: Actor, at: datetime) -> Ticket:
    return tickets.open_ticket(title="Disk", requester=factories.PersonFactory(), actor=agent, at=at)


def on_disk(disk: Path) -> list[Path]:
    return [path for path in disk.rglob("*") if path.is_file()]


def test_a_full_disk_leaves_no_part_of_a_file(disk: Path) -> None:
    storage = WholeFileStorage(location=disk)
    storage.save("a", ContentFile(b"a" * (DISK // 2)))
    with pytest.raises(OSError, match="No space"):
        storage.save("b", ContentFile(b"b" * DISK))

    assert [path.name for path in on_disk(disk)] == ["a"]
    storage.delete("a")
    storage.save("b", ContentFile(b"b" * (DISK // 2)))
    assert (disk / "b").read_bytes() == b"b" * (DISK // 2)


def test_what_could_not_be_stored_is_no_attachment_and_can_be_sent_again(
    disk: Path, ticket: Ticket, agent: Actor, at: datetime, settings: Any
) -> None:
    """The part that had been written counted as the whole from then on."""
    settings.MEDIA_ROOT = str(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(b"x" * (DISK * 3 // 4))
    said = messages.say(ticket=ticket, body="see the file", actor=agent, at=at)
    content = b"trace " * 60_000

    def attach() -> Attachment:
        return messages.attach(message=said, name="trace.txt", content=content, actor=agent, at=at)

    with pytest.raises(messages.NotStored, match="could not be stored"):
        attach()
    assert not Attachment.objects.exists()
    assert on_disk(disk) == [ballast]
    ballast.unlink()
    made = attach()

    assert (disk / made.path).read_bytes() == content
    assert list(files.verify()) == []
    (disk / made.path).write_bytes(content[:100])  # as the old code left it
    assert [broken.what for broken in files.verify()] == ["The content has 100 bytes instead of 360000."]
    attach()
    assert list(files.verify()) == []
