"""Storage that survives full and failing disks: a file exists completely or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

from django.core.files.storage import FileSystemStorage

from hub.core.ids import new_ulid


class WholeFileStorage(FileSystemStorage):
    """Writes to a temporary name, flushes to the disk, checks the size, and only then renames the file."""

    def _save(self, name: str, content: Any) -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name[:80]}.{new_ulid()}")
        try:
            with fresh.open("xb") as file:
                size = _written(content, file)
            if fresh.stat().st_size != size:
                raise OSError(f"{path.name} was not written completely.")
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
        _settle(path.parent)
        return name.replace("\\", "/")


def _written(content: Any, file: IO[bytes]) -> int:
    size = 0
    for chunk in content.chunks():
        size += file.write(chunk)
    file.flush()
    os.fsync(file.fileno())
    return size


def _settle(folder: Path) -> None:
    """Flush the directory, so that the new name is on the disk, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
